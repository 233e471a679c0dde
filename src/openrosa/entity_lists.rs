//! Entity lists as files of forms: a form that reads `villages.csv` gets the list `villages` as it stands now.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use md5::{Digest, Md5};
use quick_xml::escape::escape;
use serde::Deserialize;

use super::forms::{Place, served};
use super::{Failure, blocking, text_xml};
use crate::db::{Dataset, Entity, Form, FormFile};
use crate::intake::{IntakeError, Receiver};

/// The lists that a form reads and that no file of its own stands for.
pub fn lists_of(receiver: &Receiver, form: &Form, own: &[FormFile]) -> Result<Vec<FormFile>, IntakeError> {
    let xml = String::from_utf8_lossy(&form.xml);
    let mut files = Vec::new();
    for dataset in receiver.field.read(|db| db.list_datasets(form.project))? {
        let name = format!("{}.csv", dataset.name);
        let reads = xml.contains(&format!("jr://file-csv/{}\"", escape(name.as_str())));
        if !reads || own.iter().any(|file| file.name == name) {
            continue;
        }
        let entities = receiver.field.read(|db| db.list_entities(form.project, &dataset.name))?;
        let content = csv(&dataset, &entities).into_bytes();
        let hash = Md5::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        files.push(FormFile { name, content, hash });
    }
    Ok(files)
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
        let form = served(receiver, &place)?;
        let list = place.name().trim_end_matches(".csv").to_owned();
        let there = receiver.field.read(|db| db.list_entities(form.project, &list))?;
        let mut xml = String::from("<data><entities>");
        for id in asked.id.as_deref().unwrap_or_default().split(',').filter(|id| !id.is_empty()) {
            let deleted = !there.iter().any(|entity| entity.uuid == id && entity.deleted_at.is_none());
            xml.push_str(&format!("<entity id=\"{}\"><deleted>{deleted}</deleted></entity>", escape(id)));
        }
        xml.push_str("</entities></data>");
        Ok(xml)
    })
    .await?;
    Ok(HttpResponse::Ok().content_type(text_xml()).body(xml))
}
