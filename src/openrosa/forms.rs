//! Form list, forms, manifests and their files.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use md5::{Digest, Md5};
use serde::Deserialize;
use surveys::xform;

use super::documents::{self, ListedFile, ListedForm};
use super::{Failure, blocking, check_version, entity_lists, text_xml};
use crate::db::{AppUser, Form, FormFile, FormState};
use crate::intake::{IntakeError, KeepsFiles, Receiver};

#[derive(Debug, Deserialize)]
pub struct Place {
    token: String,
    project: i64,
    #[serde(default)]
    form: String,
    version: Option<String>,
    #[serde(default)]
    name: String,
}

impl Place {
    /// The file that the address names.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Debug, Deserialize)]
pub struct Only {
    #[serde(rename = "formID")]
    form_id: Option<String>,
}

pub async fn list_forms(
    request: HttpRequest,
    receiver: Data<Receiver>,
    place: Path<Place>,
    only: Query<Only>,
) -> Result<HttpResponse, Failure> {
    check_version(&request)?;
    let base = address_of(&request, &place);
    let seals = seals_blocks(&request);
    let forms = blocking(&receiver, move |receiver| {
        let device = receiver.find_app_user(place.project, &place.token)?;
        let mut listed = Vec::new();
        for form in receiver.field.read(|db| db.list_forms(place.project))? {
            let wanted = only.form_id.as_ref().is_none_or(|id| *id == form.form_id);
            if form.state == FormState::Open
                && wanted
                && let Some(form) = sealed_for(receiver, form, seals)?
            {
                let has_files = !files_of(receiver, &form, &device)?.is_empty();
                listed.push((form, has_files));
            }
        }
        Ok::<_, IntakeError>(listed)
    })
    .await?;
    let listed: Vec<ListedForm> = forms
        .into_iter()
        .map(|(form, has_files)| {
            let url =
                format!("{base}/forms/{}/versions/{}", encode(&form.form_id), encode(blank(&form.version)));
            ListedForm {
                download_url: format!("{url}.xml"),
                manifest_url: has_files.then(|| format!("{url}/manifest")),
                form_id: form.form_id,
                name: form.title,
                version: form.version,
                hash: form.hash,
            }
        })
        .collect();
    Ok(HttpResponse::Ok().content_type(text_xml()).body(documents::form_list(&listed)))
}

/// The form's bytes, exactly those whose MD5 the list gave.
pub async fn find_form(
    request: HttpRequest,
    receiver: Data<Receiver>,
    place: Path<Place>,
) -> Result<HttpResponse, Failure> {
    let seals = seals_blocks(&request);
    let form = blocking(&receiver, move |receiver| {
        let (form, _) = served(receiver, &place)?;
        let form_id = form.form_id.clone();
        sealed_for(receiver, form, seals)?.ok_or(IntakeError::UnknownForm { form: form_id })
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/xml; charset=utf-8")
        .insert_header(("ETag", format!("\"{}\"", form.hash)))
        .insert_header(("Cache-Control", "private, no-cache"))
        .body(form.xml))
}

pub async fn list_files(
    request: HttpRequest,
    receiver: Data<Receiver>,
    place: Path<Place>,
) -> Result<HttpResponse, Failure> {
    check_version(&request)?;
    let base = address_of(&request, &place);
    let (form, files, lists) = blocking(&receiver, move |receiver| {
        let (form, device) = served(receiver, &place)?;
        let own = receiver.field.read(|db| db.list_form_files(form.id))?;
        let lists = entity_lists::lists_of(receiver, &form, &own, &device)?;
        Ok((form, own, lists))
    })
    .await?;
    let url = format!("{base}/forms/{}/versions/{}", encode(&form.form_id), encode(blank(&form.version)));
    let listed = |file: FormFile, is_list: bool| ListedFile {
        download_url: format!("{url}/files/{}", encode(&file.name)),
        integrity_url: is_list.then(|| format!("{url}/integrity/{}", encode(&file.name))),
        name: file.name,
        hash: file.hash,
    };
    let own = files.into_iter().map(|file| listed(file, false));
    let lists = lists.into_iter().map(|file| listed(file, true));
    let listed: Vec<ListedFile> = own.chain(lists).collect();
    Ok(HttpResponse::Ok().content_type(text_xml()).body(documents::manifest(&listed)))
}

pub async fn find_file(receiver: Data<Receiver>, place: Path<Place>) -> Result<HttpResponse, Failure> {
    let file = blocking(&receiver, move |receiver| {
        let (form, device) = served(receiver, &place)?;
        let found = files_of(receiver, &form, &device)?.into_iter().find(|file| file.name == place.name);
        found.ok_or_else(|| IntakeError::UnknownForm { form: format!("{}/{}", place.form, place.name) })
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(("ETag", format!("\"{}\"", file.hash)))
        .insert_header(("Cache-Control", "private, no-cache"))
        .body(file.content))
}

/// The version that the address names, for the device that the token names.
pub fn served(receiver: &Receiver, place: &Place) -> Result<(Form, AppUser), IntakeError> {
    let device = receiver.find_app_user(place.project, &place.token)?;
    let version = place.version.as_deref().map(|v| if v == "___" { "" } else { v });
    let form = receiver.find_form(place.project, &place.form, version)?;
    match form.state {
        FormState::Closed => Err(IntakeError::ClosedForm { form: form.form_id }),
        FormState::Open | FormState::Closing => Ok((form, device)),
    }
}

/// Header of a client that seals blocks itself; its value is the form of the seal.
pub const SEALS: &str = "X-LangNghe-Seals";

fn seals_blocks(request: &HttpRequest) -> bool {
    request.headers().get(SEALS).is_some_and(|form| form.as_bytes() == b"ln1")
}

/// The form as this client may have it (protection.md rule 10): one with sealed blocks goes to clients that cannot seal
/// as an ODK-encrypted form, whose answers the device encrypts to the custodian; not at all where the custodian has no
/// key for that.
fn sealed_for(receiver: &Receiver, mut form: Form, seals: bool) -> Result<Option<Form>, IntakeError> {
    let has_blocks = |form: &Form| {
        let read = receiver.read_form(form.project, &form.form_id, &form.version)?;
        Ok::<_, IntakeError>(read.compiled.sealed_groups().next().is_some())
    };
    if seals || receiver.keeps_files(form.project)? == KeepsFiles::All || !has_blocks(&form)? {
        return Ok(Some(form));
    }
    let Some(custodian) = receiver.custodian(form.project)? else { return Ok(Some(form)) };
    let Some(key) = custodian.forms else { return Ok(None) };
    let key = key.to_text().map_err(|error| IntakeError::Unavailable(error.to_string()))?;
    let Some(xml) = xform::with_public_key(&form.xml, &key) else { return Ok(None) };
    form.hash = Md5::digest(&xml).iter().map(|byte| format!("{byte:02x}")).collect();
    form.xml = xml;
    Ok(Some(form))
}

/// The form's own files, then the entity lists that it reads.
fn files_of(receiver: &Receiver, form: &Form, device: &AppUser) -> Result<Vec<FormFile>, IntakeError> {
    let mut files = receiver.field.read(|db| db.list_form_files(form.id))?;
    files.extend(entity_lists::lists_of(receiver, form, &files, device)?);
    Ok(files)
}

/// An empty version stands as `___` in an address.
fn blank(version: &str) -> &str {
    if version.is_empty() { "___" } else { version }
}

/// The address that the client used, so that its links lead back the same way.
fn address_of(request: &HttpRequest, place: &Place) -> String {
    base_address(request, &place.token, place.project)
}

/// The address below which a device finds everything.
pub fn base_address(request: &HttpRequest, token: &str, project: i64) -> String {
    let connection = request.connection_info();
    format!("{}://{}/v1/key/{}/projects/{project}", connection.scheme(), connection.host(), encode(token))
}

/// Percent-encodes what may not stand in one step of a path.
fn encode(step: &str) -> String {
    let mut encoded = String::new();
    for byte in step.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
