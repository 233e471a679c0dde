//! Entity lists as files of forms: a form that reads `villages.csv` gets the list `villages` as it stands now.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use chrono::Utc;
use md5::{Digest, Md5};
use quick_xml::escape::escape;
use serde::Deserialize;

use super::forms::{Place, served};
use super::{Failure, blocking, text_xml};
use crate::db::{AppUser, Dataset, Entity, Form, FormFile};
use crate::intake::{IntakeError, Receiver, day_of};
use crate::jobs::reserves::{DeviceCase, cases_of_device};

/// The list of cases, where no entity list has taken its name: each device gets its own.
const CASES: &str = "cases.csv";

/// The lists that a form reads and that no file of its own stands for, as this device gets them.
pub fn lists_of(
    receiver: &Receiver,
    form: &Form,
    own: &[FormFile],
    device: &AppUser,
) -> Result<Vec<FormFile>, IntakeError> {
    let xml = String::from_utf8_lossy(&form.xml);
    let reads = |name: &str| xml.contains(&format!("jr://file-csv/{}\"", escape(name)));
    let mut files: Vec<FormFile> = Vec::new();
    for dataset in receiver.field.read(|db| db.list_datasets(form.project))? {
        let name = format!("{}.csv", dataset.name);
        if !reads(&name) || own.iter().any(|file| file.name == name) {
            continue;
        }
        let entities = receiver.field.read(|db| db.list_entities(form.project, &dataset.name))?;
        files.push(file(name, csv(&dataset, &entities)));
    }
    if reads(CASES) && !own.iter().chain(&files).any(|file| file.name == CASES) {
        let (_, cases) = receiver.field.read(|db| cases_of_device(db, device, day_of(Utc::now())))?;
        files.push(file(CASES.to_owned(), cases_csv(&cases)));
    }
    Ok(files)
}

fn file(name: String, content: String) -> FormFile {
    let content = content.into_bytes();
    let hash = Md5::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    FormFile { name, content, hash }
}

/// Fixed columns: `name` (the case's id), `label`, `__version`, `village`, `commune`, `household`, `attempt` (number of the
/// next visit), `not_on` (it is to be on another day), `interpreter`.
fn cases_csv(cases: &[DeviceCase]) -> String {
    let mut text =
        String::from("name,label,__version,village,commune,household,attempt,not_on,interpreter\n");
    for case in cases {
        let household = case.household.map_or(String::new(), |number| number.to_string());
        let label = cell(&format!("{} – {household}", case.village));
        let (village, commune) = (cell(&case.village), cell(&case.commune));
        let not_on = case.not_on.map_or(String::new(), |day| day.to_string());
        let interpreter = cell(case.interpreter.as_deref().unwrap_or_default());
        text.push_str(&format!(
            "{},{label},{},{village},{commune},{household},{},{not_on},{interpreter}\n",
            case.id, case.attempt, case.attempt
        ));
    }
    text
}

/// `name` (the UUID), `label`, `__version` and the properties; what was deleted is left out.
fn csv(dataset: &Dataset, entities: &[Entity]) -> String {
    let mut text = String::from("name,label,__version");
    for (property, _) in &dataset.properties {
        text.push_str(&format!(",{}", cell(property)));
    }
    text.push('\n');
    for entity in entities.iter().filter(|entity| entity.deleted_at.is_none()) {
        text.push_str(&format!("{},{},{}", entity.uuid, cell(&entity.label), entity.version));
        for (property, _) in &dataset.properties {
            text.push_str(&format!(",{}", cell(entity.data.get(property).map_or("", String::as_str))));
        }
        text.push('\n');
    }
    text
}

fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[derive(Debug, Deserialize)]
pub struct Asked {
    id: Option<String>,
}

/// Which of the entities that a device still knows are there no more.
pub async fn check_entities(
    receiver: Data<Receiver>,
    place: Path<Place>,
    asked: Query<Asked>,
) -> Result<HttpResponse, Failure> {
    let xml = blocking(&receiver, move |receiver| {
        let (form, device) = served(receiver, &place)?;
        let list = place.name().trim_end_matches(".csv").to_owned();
        let there = receiver.field.read(|db| db.list_entities(form.project, &list))?;
        let (_, cases) = receiver.field.read(|db| cases_of_device(db, &device, day_of(Utc::now())))?;
        let is_case = |id: &str| list == "cases" && cases.iter().any(|case| case.id.to_string() == id);
        let mut xml = String::from("<data><entities>");
        for id in asked.id.as_deref().unwrap_or_default().split(',').filter(|id| !id.is_empty()) {
            let is_entity = there.iter().any(|entity| entity.uuid == id && entity.deleted_at.is_none());
            let deleted = !is_entity && !is_case(id);
            xml.push_str(&format!("<entity id=\"{}\"><deleted>{deleted}</deleted></entity>", escape(id)));
        }
        xml.push_str("</entities></data>");
        Ok(xml)
    })
    .await?;
    Ok(HttpResponse::Ok().content_type(text_xml()).body(xml))
}
