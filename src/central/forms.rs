//! Forms: sent as XForm or workbook, kept as a draft, published.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};
use surveys::xlsform::Problem as FormProblem;

use super::{Caller, Problem, in_project, moment};
use crate::db::{self, Form, FormDraft, PublishError, RuleKind};
use crate::intake::Receiver;
use crate::jobs::form_drafts::{self, Kind, SentForm};
use crate::people::Action;

#[derive(Debug, Deserialize)]
pub struct Place {
    project: i64,
    #[serde(default)]
    form: String,
    #[serde(default)]
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct How {
    /// pyodk writes `True` and `False`.
    publish: Option<String>,
    ignore_warnings: Option<String>,
    /// Another version than the draft's own.
    version: Option<String>,
}

fn is_true(flag: Option<&String>) -> bool {
    flag.is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub async fn list_forms(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let listed = in_project(receiver, caller, place.project, Action::SeeForms, |receiver, _, project| {
        Ok(receiver.field.read(|db| {
            let published = db.list_forms(project.id)?;
            let mut listed: Vec<Value> = published.iter().map(form_json).collect();
            for draft in db.list_form_drafts(project.id)? {
                if published.iter().all(|form| form.form_id != draft.form_id) {
                    listed.push(draft_json(&draft));
                }
            }
            Ok::<_, db::Error>(listed)
        })?)
    })
    .await?;
    Ok(HttpResponse::Ok().json(listed))
}

pub async fn find_form(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let found = in_project(receiver, caller, place.project, Action::SeeForms, move |receiver, _, project| {
        let found = receiver.field.read(|db| {
            Ok::<_, db::Error>(match db.find_form(project.id, &place.form, None)? {
                Some(form) => Some(form_json(&form)),
                None => db.find_form_draft(project.id, &place.form)?.as_ref().map(draft_json),
            })
        })?;
        found.ok_or_else(Problem::not_found)
    })
    .await?;
    Ok(HttpResponse::Ok().json(found))
}

/// The bytes of the published form.
pub async fn find_xml(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let form = in_project(receiver, caller, place.project, Action::SeeForms, move |receiver, _, project| {
        let found = receiver.field.read(|db| db.find_form(project.id, &place.form, None))?;
        found.ok_or_else(Problem::not_found)
    })
    .await?;
    Ok(HttpResponse::Ok().content_type("application/xml; charset=utf-8").body(form.xml))
}

/// A new form; with `publish=True` published at once.
pub async fn create_form(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    how: Query<How>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    // Told only to whoever may publish here.
    let kind = kind_of(&request);
    let fallback = fallback_name(&request);
    let form =
        in_project(receiver, caller, place.project, Action::PublishForm, move |receiver, caller, project| {
            let read = read_form(kind?, &fallback, &body, is_true(how.ignore_warnings.as_ref()))?;
            let draft = read.into_draft(project.id, caller.user.id, Utc::now());
            let draft = receiver.field.transaction(|db| {
                let taken = db.find_form(project.id, &draft.form_id, None)?.is_some()
                    || db.find_form_draft(project.id, &draft.form_id)?.is_some();
                if taken {
                    return Err(conflict(
                        &["projectId", "xmlFormId"],
                        &[&project.id.to_string(), &draft.form_id],
                    ));
                }
                Ok(db.put_form_draft(draft)?)
            })?;
            if !is_true(how.publish.as_ref()) {
                return Ok(draft_json(&draft));
            }
            match publish(receiver, caller, draft.clone(), None) {
                Ok(form) => Ok(form_json(&form)),
                Err(problem) => {
                    // A form that was to be published at once is not left behind half-made.
                    receiver.field.transaction(|db| db.delete_form_draft(draft.project, &draft.form_id))?;
                    Err(problem)
                }
            }
        })
        .await?;
    Ok(HttpResponse::Ok().json(form))
}

/// A draft of the next version; without a body, a copy of the published one.
pub async fn create_draft(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    how: Query<How>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let kind = if body.is_empty() { None } else { Some(kind_of(&request)) };
    in_project(receiver, caller, place.project, Action::PublishForm, move |receiver, caller, project| {
        let published = receiver.field.read(|db| db.find_form(project.id, &place.form, None))?;
        let known = receiver.field.read(|db| db.find_form_draft(project.id, &place.form))?;
        if published.is_none() && known.is_none() {
            return Err(Problem::not_found());
        }
        let now = Utc::now();
        let (draft, files) = match kind {
            Some(kind) => {
                let read = read_form(kind?, &place.form, &body, is_true(how.ignore_warnings.as_ref()))?;
                if read.form_id != place.form {
                    return Err(Problem {
                        code: 400.8,
                        message: format!(
                            "Bản nháp có mã phiếu {}, khác với {}. (The draft has another form id.)",
                            read.form_id, place.form
                        ),
                        details: Some(json!({ "field": "xmlFormId", "value": read.form_id })),
                    });
                }
                (read.into_draft(project.id, caller.user.id, now), Vec::new())
            }
            None => {
                let form = published.ok_or_else(|| {
                    Problem::new(
                        400.17,
                        "Phiếu chưa công bố, không có gì để sao. (There is nothing published to copy.)",
                    )
                })?;
                let files = receiver.field.read(|db| db.list_form_files(form.id))?;
                (SentForm::copy(form).into_draft(project.id, caller.user.id, now), files)
            }
        };
        receiver.field.transaction(|db| {
            let draft = db.put_form_draft(draft)?;
            for file in files {
                db.put_form_draft_file(draft.project, &draft.form_id, &file.name, &file.content)?;
            }
            Ok::<_, db::Error>(())
        })?;
        Ok(())
    })
    .await?;
    Ok(success())
}

pub async fn put_draft_file(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let answer =
        in_project(receiver, caller, place.project, Action::PublishForm, move |receiver, _, project| {
            receiver.field.transaction(|db| {
                db.find_form_draft(project.id, &place.form)?.ok_or_else(Problem::not_found)?;
                db.put_form_draft_file(project.id, &place.form, &place.name, &body)?;
                Ok::<_, Problem>(())
            })?;
            let hash: String = Md5::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(json!({
                "name": place.name, "type": "file", "hash": hash, "exists": true, "blobExists": true,
                "datasetExists": false, "updatedAt": moment(Utc::now()),
            }))
        })
        .await?;
    Ok(HttpResponse::Ok().json(answer))
}

#[derive(Debug, Deserialize)]
pub struct Reason {
    reason: Option<String>,
}

/// The second person's word on wording that looks as if it asked for something personal (protection.md rule 8).
pub async fn confirm_draft(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Json(given): Json<Reason>,
) -> Result<HttpResponse, Problem> {
    in_project(receiver, caller, place.project, Action::PublishForm, move |receiver, caller, project| {
        let reason = given.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        let reason = reason.ok_or_else(|| Problem::expected("reason"))?;
        let now = Utc::now();
        receiver.field.transaction(|db| {
            let draft = db.find_form_draft(project.id, &place.form)?.ok_or_else(Problem::not_found)?;
            if draft.made_by == caller.user.id {
                return Err(Problem::new(
                    403.1,
                    "Người gửi bản nháp không tự xác nhận được. (Whoever sent the draft cannot confirm it.)",
                ));
            }
            db.confirm_form_draft(project.id, &place.form, caller.user.id, reason)?;
            let detail = json!({ "project": project.id, "form": place.form, "reason": reason }).to_string();
            db.append_audit(&caller.user.login, "wording confirmed", &detail, now)?;
            Ok(())
        })
    })
    .await?;
    Ok(success())
}

pub async fn publish_draft(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    how: Query<How>,
) -> Result<HttpResponse, Problem> {
    in_project(receiver, caller, place.project, Action::PublishForm, move |receiver, caller, project| {
        let draft = receiver.field.read(|db| db.find_form_draft(project.id, &place.form))?;
        let draft = draft.ok_or_else(Problem::not_found)?;
        publish(receiver, caller, draft, how.version.as_deref()).map(drop)
    })
    .await?;
    Ok(success())
}

fn publish(
    receiver: &Receiver,
    caller: &Caller,
    draft: FormDraft,
    version: Option<&str>,
) -> Result<Form, Problem> {
    let form_id = draft.form_id.clone();
    let wanted = version.unwrap_or(&draft.version).to_owned();
    form_drafts::publish(&receiver.field, draft, version, &caller.user.login, Utc::now()).map_err(|error| {
        match error {
            PublishError::Vault(db::Error::Rule { kind: RuleKind::Unique, .. }) => Problem {
                code: 409.6,
                message: format!(
                    "Phiên bản `{wanted}` đã được công bố; hãy đặt phiên bản khác. (This version was published already.)"
                ),
                details: Some(json!({ "xmlFormId": form_id, "version": wanted })),
            },
            PublishError::Vault(error) => error.into(),
            PublishError::Unreadable(problems) => unreadable(&problems),
            PublishError::Refused(problems) => Problem {
                code: 400.15,
                message: "Phiếu không được công bố trong một cuộc khảo sát. (The form may not be published in a survey.)".into(),
                details: Some(json!({ "error": told(&problems), "warnings": [] })),
            },
            PublishError::Unconfirmed(problems) => Problem {
                code: 409.6,
                message: "Cần người thứ hai xác nhận lời của các câu này. (A second person must confirm this wording.)".into(),
                details: Some(json!({ "reason": "wording_needs_confirmation", "error": told(&problems) })),
            },
        }
    })
}

/// What a form is sent as.
fn kind_of(request: &HttpRequest) -> Result<Kind, Problem> {
    let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = header.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    Kind::of(kind).ok_or_else(|| {
        Problem::new(
            400.8,
            format!(
                "Không nhận loại tệp `{kind}`; hãy gửi XForm (XML) hoặc sổ Excel. (Send an XForm or an Excel workbook.)"
            ),
        )
    })
}

/// The name that a workbook without a form id takes, percent-encoded in its header.
fn fallback_name(request: &HttpRequest) -> String {
    let header = request.headers().get("X-XlsForm-FormId-Fallback").and_then(|value| value.to_str().ok());
    let mut bytes = Vec::new();
    let mut rest = header.unwrap_or_default().bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match byte {
            b'%' => match (hex(rest.next()), hex(rest.next())) {
                (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
                _ => bytes.push(b'_'),
            },
            other => bytes.push(other),
        }
    }
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    if name.is_empty() { "form".to_owned() } else { name }
}

/// Reads what was sent.
fn read_form(kind: Kind, name: &str, body: &[u8], ignore_warnings: bool) -> Result<SentForm, Problem> {
    let read = form_drafts::read(kind, name, body).map_err(|problems| unreadable(&problems))?;
    if !read.warnings.is_empty() && !ignore_warnings && kind != Kind::Xml {
        let warnings: Vec<String> = read.warnings.iter().map(FormProblem::vietnamese).collect();
        return Err(Problem {
            code: 400.16,
            message: "Phiếu có điểm cần xem lại; gửi lại với ignoreWarnings=true nếu vẫn muốn. (The form has warnings.)".into(),
            details: Some(json!({ "warnings": { "xlsFormWarnings": warnings } })),
        });
    }
    Ok(read)
}

fn unreadable(problems: &[FormProblem]) -> Problem {
    Problem {
        code: 400.15,
        message: "Phiếu có lỗi, hãy sửa rồi gửi lại. (The form has problems; mend them and send it again.)"
            .into(),
        details: Some(json!({ "error": told(problems), "warnings": [] })),
    }
}

fn told(problems: &[FormProblem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{} ({problem})", problem.vietnamese()))
        .collect::<Vec<_>>()
        .join("\n")
}

fn conflict(fields: &[&str], values: &[&str]) -> Problem {
    Problem {
        code: 409.3,
        message: "Đã có phiếu với mã này. (A resource already exists with this id.)".into(),
        details: Some(json!({ "fields": fields, "values": values })),
    }
}

fn success() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "success": true }))
}

fn form_json(form: &Form) -> Value {
    json!({
        "projectId": form.project, "xmlFormId": form.form_id, "version": form.version, "hash": form.hash,
        "state": form.state.name(), "name": form.title, "enketoId": null, "keyId": null,
        "createdAt": moment(form.published_at), "updatedAt": null, "publishedAt": moment(form.published_at),
        "draftToken": null,
    })
}

fn draft_json(draft: &FormDraft) -> Value {
    let hash: String = Md5::digest(&draft.xml).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "projectId": draft.project, "xmlFormId": draft.form_id, "version": draft.version, "hash": hash,
        "state": "open", "name": draft.title, "enketoId": null, "keyId": null,
        "createdAt": moment(draft.made_at), "updatedAt": null, "publishedAt": null, "draftToken": null,
    })
}
