//! Submissions over ODK Central's REST paths: list, read, send, correct, review, comment.

use std::time::Duration;

use actix_web::web::{Bytes, Data, Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use surveys::submission;

use super::records::{Reader, Record, expected_names};
use super::streamed::{self, streamed};
use super::{Caller, Problem, blocking, in_project, moment};
use crate::db::{self, Outcome, ProjectKind, RecordName, Sender};
use crate::files::FilesError;
use crate::intake::{IntakeError, Receiver};
use crate::people::Action;

#[derive(Debug, Deserialize)]
pub struct Place {
    project: i64,
    form: String,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    name: String,
}

/// Works on records that the caller may read.
async fn with_records<T: Send + 'static>(
    request: &HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    work: impl FnOnce(&Reader<'_>, &Place) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let query = request.path().to_owned();
    blocking(move || {
        let reader = Reader::open(&receiver, &caller, place.project, &place.form, &query)?;
        work(&reader, &place)
    })
    .await
}

pub async fn list_submissions(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let listed = with_records(&request, receiver, caller, place, |reader, _| {
        let mut listed = Vec::new();
        reader.each(|record| {
            listed.push(record_json(&record));
            Ok(true)
        })?;
        Ok(listed)
    })
    .await?;
    Ok(HttpResponse::Ok().json(listed))
}

pub async fn find_submission(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let found = with_records(&request, receiver, caller, place, |reader, place| {
        Ok(record_json(&reader.find(&place.instance)?))
    });
    Ok(HttpResponse::Ok().json(found.await?))
}

/// The bytes as they were sent; under a grant the answer half.
pub async fn find_xml(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let found = with_records(&request, receiver, caller, place, |reader, place| reader.find(&place.instance));
    Ok(HttpResponse::Ok().content_type("application/xml; charset=utf-8").body(found.await?.xml))
}

pub async fn list_versions(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let versions =
        with_records(&request, receiver, caller, place, |reader, place| reader.versions(&place.instance))
            .await?;
    let listed = versions.iter().enumerate().map(|(i, version)| version_json(version, i == 0));
    Ok(HttpResponse::Ok().json(listed.collect::<Vec<_>>()))
}

pub async fn find_version(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let (version, is_current) = one_version(&request, receiver, caller, place).await?;
    Ok(HttpResponse::Ok().json(version_json(&version, is_current)))
}

pub async fn find_version_xml(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let (version, _) = one_version(&request, receiver, caller, place).await?;
    Ok(HttpResponse::Ok().content_type("application/xml; charset=utf-8").body(version.xml))
}

async fn one_version(
    request: &HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<(Record, bool), Problem> {
    with_records(request, receiver, caller, place, |reader, place| {
        let versions = reader.versions(&place.instance)?;
        let found = versions.into_iter().enumerate();
        let found = found.into_iter().find(|(_, version)| version.current_instance_id == place.version);
        found.map(|(i, version)| (version, i == 0)).ok_or_else(Problem::not_found)
    })
    .await
}

#[derive(Debug, Deserialize)]
pub struct From {
    #[serde(rename = "deviceID")]
    device: Option<String>,
}

pub async fn create_submission(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    from: Query<From>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let stored =
        in_project(receiver, caller, place.project, Action::Submit, move |receiver, caller, project| {
            let device = from.into_inner().device;
            let (id, outcome) = receive(receiver, caller, project.id, &place.form, device.clone(), &body)?;
            match outcome {
                Outcome::New | Outcome::Edited | Outcome::Withdrawn => {
                    Ok(sent_json(caller, &id, &id, device.as_deref()))
                }
                Outcome::AlreadyStored | Outcome::Superseded | Outcome::Conflict => Err(taken(&id)),
            }
        });
    Ok(HttpResponse::Ok().json(stored.await?))
}

/// A corrected version of the record; its XML names the version that it corrects.
pub async fn update_submission(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    let stored = in_project(
        receiver,
        caller,
        place.project,
        Action::Submit,
        move |receiver, caller, project| {
            let head = submission::head(&body).map_err(|e| Problem::unreadable(&e))?;
            let Some(deprecated) = head.deprecated_id else {
                return Err(Problem::new(
                    400.19,
                    "Phiếu sửa thiếu deprecatedID. (The corrected submission lacks a deprecatedID.)",
                ));
            };
            let key = receiver.key(project.id).map_err(|e| Problem::unavailable(&e))?;
            let known =
                receiver.field.read(|db| db.find_record(project.id, &place.form, &place.instance, &key))?;
            let known = known.ok_or_else(Problem::not_found)?;
            let is_resent = head.instance_id.as_deref() == Some(known.current.instance_id.as_str());
            if known.current.instance_id != deprecated && !is_resent {
                return Err(Problem::new(
                    409.9,
                    "Phiếu này đã được sửa bằng phiếu khác; hãy tải lại. (The submission was corrected already.)",
                ));
            }
            let (id, outcome) = receive(receiver, caller, project.id, &place.form, None, &body)?;
            match outcome {
                Outcome::Conflict => Err(taken(&id)),
                _ => Ok(sent_json(caller, &known.current.first_instance_id, &id, None)),
            }
        },
    );
    Ok(HttpResponse::Ok().json(stored.await?))
}

fn receive(
    receiver: &Receiver,
    caller: &Caller,
    project: i64,
    form: &str,
    device: Option<String>,
    xml: &[u8],
) -> Result<(String, Outcome), Problem> {
    let head = submission::head(xml).map_err(|e| Problem::unreadable(&e))?;
    if head.form_id != form {
        return Err(Problem {
            code: 400.8,
            message: format!(
                "Phiếu gửi lên thuộc mẫu {}, khác với {form}. (The submission is of another form.)",
                head.form_id
            ),
            details: Some(json!({ "field": "form id", "value": head.form_id })),
        });
    }
    let id = receiver.instance_id(project, xml)?;
    let sender = Sender { app_user: None, user: Some(caller.user.id), device };
    let stored = receiver.receive(project, sender, xml.to_vec(), Utc::now())?;
    Ok((id, stored.outcome))
}

fn taken(id: &str) -> Problem {
    Problem {
        code: 409.3,
        message: "Đã có phiếu với mã này. (A resource already exists with this instanceID.)".into(),
        details: Some(json!({ "fields": ["instanceID"], "values": [id] })),
    }
}

impl std::convert::From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let message = || format!("Không nhận được phiếu: {error}");
        match &error {
            IntakeError::Token => Self::new(403.1, message()),
            IntakeError::UnknownForm { .. } => Self::not_found(),
            IntakeError::UnknownVersion { .. } => Self::new(404.6, message()),
            IntakeError::ClosedForm { .. } => Self::new(409.2, message()),
            IntakeError::Unreadable(_) => Self::new(400.1, message()),
            IntakeError::Conflict => Self::new(409.1, message()),
            IntakeError::Original { unknown: true } => Self::new(404.5, message()),
            IntakeError::Original { unknown: false } => Self::new(409.9, message()),
            IntakeError::Unavailable(reason) => Self::unavailable(reason),
        }
    }
}

const REVIEW_STATES: [&str; 4] = ["hasIssues", "edited", "rejected", "approved"];

/// Sets the review state, which only a project without respondents has.
pub async fn review_submission(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Json(given): Json<Value>,
) -> Result<HttpResponse, Problem> {
    let by = caller.clone();
    let at = receiver.clone();
    let reviewed =
        in_project(receiver, caller, place.project, Action::ManageFieldwork, move |_, _, project| {
            refuse_survey(project.kind)?;
            let reader = Reader::open(&at, &by, project.id, &place.form, "")?;
            let record = reader.find(&place.instance)?;
            if let Some(state) = given.get("reviewState") {
                let state = match state {
                    Value::Null => None,
                    Value::String(state) if REVIEW_STATES.contains(&state.as_str()) => Some(state.as_str()),
                    _ => return Err(Problem::expected("reviewState")),
                };
                let key = at.key(project.id)?;
                let name = RecordName {
                    project: project.id,
                    form_id: &place.form,
                    first_instance_id: &record.instance_id,
                };
                at.field.transaction(|db| db.set_review(name, state, Utc::now(), &key))?;
            }
            Ok(record_json(&reader.find(&place.instance)?))
        });
    Ok(HttpResponse::Ok().json(reviewed.await?))
}

/// A decision on one interview would tie a person to it; in a survey cases are asked about by field facts alone.
fn refuse_survey(kind: ProjectKind) -> Result<(), Problem> {
    match kind {
        ProjectKind::Survey => Err(Problem {
            code: 403.1,
            message: "Không duyệt hay ghi chú từng phiếu của một cuộc khảo sát. (Single interviews of a survey are neither reviewed nor commented on.)".into(),
            details: Some(json!({ "reason": "no_reviews_in_a_survey" })),
        }),
        ProjectKind::Inventory | ProjectKind::Practice => Ok(()),
    }
}

pub async fn list_comments(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let comments = with_records(&request, receiver, caller, place, |reader, place| {
        reader.comments(&reader.find(&place.instance)?)
    });
    Ok(HttpResponse::Ok().json(comments.await?.iter().map(comment_json).collect::<Vec<_>>()))
}

#[derive(Debug, Deserialize)]
pub struct NewComment {
    body: Option<String>,
}

pub async fn create_comment(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    Json(given): Json<NewComment>,
) -> Result<HttpResponse, Problem> {
    let at = receiver.clone();
    let by = caller.clone();
    let made = in_project(receiver, caller, place.project, Action::ManageFieldwork, move |_, _, project| {
        refuse_survey(project.kind)?;
        let body = given.body.as_deref().map(str::trim).filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| Problem::expected("body"))?;
        let record = Reader::open(&at, &by, project.id, &place.form, "")?.find(&place.instance)?;
        let name =
            RecordName { project: project.id, form_id: &place.form, first_instance_id: &record.instance_id };
        let key = at.key(project.id)?;
        Ok(at.field.transaction(|db| db.add_comment(name, by.user.id, body, Utc::now(), &key))?)
    });
    Ok(HttpResponse::Ok().json(comment_json(&made.await?)))
}

pub async fn list_attachments(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let listed = with_records(&request, receiver, caller, place, |reader, place| {
        reader.expected_files(&reader.find(&place.instance)?)
    })
    .await?;
    let listed = listed.iter().map(|(name, exists)| json!({ "name": name, "exists": exists }));
    Ok(HttpResponse::Ok().json(listed.collect::<Vec<_>>()))
}

/// The bytes of a file, opened as they go out.
pub async fn find_attachment(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let at = receiver.clone();
    let (file, name, key) = with_records(&request, receiver, caller, place, |reader, place| {
        let record = reader.find(&place.instance)?;
        let found = record.files.into_iter().find(|file| file.name == place.name);
        let file = found.ok_or_else(Problem::not_found)?;
        Ok((file.file, file.name, reader.receiver.key(reader.project.id)?))
    })
    .await?;
    let store = at.files().ok_or_else(|| Problem::unavailable(&"no place for files is open"))?;
    let reading = store.open_file(key, &file).await.map_err(|e: FilesError| Problem::unavailable(&e))?;
    let bytes = futures_util::stream::unfold(Some(reading), |reading| async {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(piece)) => Some((Ok(Bytes::from(piece)), Some(reading))),
            Ok(None) => None,
            // The client sees the connection break, and never a shortened file that looks whole.
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(("Content-Disposition", streamed::attachment_name(&name)))
        .streaming(bytes))
}

/// A slow sender has no limit on the whole; a silence this long ends the request.
const SILENCE: Duration = Duration::from_secs(120);

/// A file that the record's answers speak of, streamed to its place.
pub async fn put_attachment(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
    mut body: Payload,
) -> Result<HttpResponse, Problem> {
    let at = receiver.clone();
    let project = place.project;
    let (submission, name, key) =
        in_project(receiver, caller, project, Action::Submit, move |receiver, _, project| {
            if project.kind == ProjectKind::Survey {
                // The forms of a survey ask for no files (protection.md rule 8).
                return Err(Problem::not_found());
            }
            let key = receiver.key(project.id)?;
            let record =
                receiver.field.read(|db| db.find_record(project.id, &place.form, &place.instance, &key))?;
            let record = record.ok_or_else(Problem::not_found)?;
            let answer =
                receiver.answers.read(|db| db.find_answer(project.id, record.current.token, &key))?;
            let answer = answer.ok_or_else(Problem::not_found)?;
            let xml = surveys::halves::join(&record.current.xml, &answer.xml)
                .map_err(|e| Problem::unavailable(&e))?;
            let form = receiver.read_form(project.id, &place.form, &record.current.form_version)?;
            if !expected_names(&form, &xml)?.contains(&place.name) {
                return Err(Problem::not_found());
            }
            Ok((record.current.id, place.name.clone(), key))
        })
        .await?;
    let store = at.files().ok_or_else(|| Problem::unavailable(&"no place for files is open"))?;
    let mut writing = store.begin(key);
    loop {
        let pushed = match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(bytes))) => writing.push(&bytes).await.map_err(|e| Problem::unavailable(&e)),
            Ok(Some(Err(error))) => Err(Problem::unreadable(&error)),
            Err(_) => Err(Problem::unreadable(&"120 giây không có dữ liệu")),
        };
        if let Err(problem) = pushed {
            writing.abandon().await;
            return Err(problem);
        }
    }
    let written = writing.finish().await.map_err(|e| Problem::unavailable(&e))?;
    let files = vec![(name, written)];
    let keeping = at.clone();
    let (loose, in_conflict) = blocking(move || Ok(keeping.keep_files(project, submission, &files)?)).await?;
    for file in loose {
        store.remove(&file).await.map_err(|e| Problem::unavailable(&e))?;
    }
    if in_conflict {
        return Err(Problem::new(
            409.1,
            "Đã có tệp này với nội dung khác; cả hai được giữ. (This file is here with other content; both are kept.)",
        ));
    }
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// The root table as CSV, as ODK Central writes it.
pub async fn export_csv(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let query = request.path().to_owned();
    let name = format!("{}.csv", place.form);
    let body = streamed(move |out| {
        let reader = Reader::open(&receiver, &caller, place.project, &place.form, &query)?;
        super::csv::write_root(&reader, out)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", streamed::attachment_name(&name)))
        .streaming(body))
}

/// Every table as CSV in one zip. Files of the records are not in it.
pub async fn export_zip(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<Place>,
) -> Result<HttpResponse, Problem> {
    let query = request.path().to_owned();
    let with_files = !request.query_string().split('&').any(|part| part == "attachments=false");
    let name = format!("{}.zip", place.form);
    let body = streamed(move |out| {
        let reader = Reader::open(&receiver, &caller, place.project, &place.form, &query)?;
        super::csv::write_zip(&reader, with_files, out)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header(("Content-Disposition", streamed::attachment_name(&name)))
        .streaming(body))
}

pub fn record_json(record: &Record) -> Value {
    json!({
        "instanceId": record.instance_id,
        // Whoever reads the list expects a number; 0 is nobody's.
        "submitterId": record.submitter.as_ref().map_or(0, |(id, _)| *id),
        "deviceId": record.device,
        "userAgent": null,
        "reviewState": record.review_state,
        "createdAt": moment(record.created_at),
        "updatedAt": record.updated_at.map(moment),
        "instanceName": record.instance_name,
        "currentVersion": version_json(record, true),
    })
}

fn version_json(version: &Record, is_current: bool) -> Value {
    json!({
        "instanceId": version.current_instance_id,
        "instanceName": version.instance_name,
        "submitterId": version.submitter.as_ref().map_or(0, |(id, _)| *id),
        "deviceId": version.device,
        "userAgent": null,
        "createdAt": moment(version.created_at),
        "current": is_current,
        "formVersion": version.form_version,
    })
}

/// What somebody sent, told from the request alone: to send is no right to read.
fn sent_json(caller: &Caller, first: &str, id: &str, device: Option<&str>) -> Value {
    let now = moment(Utc::now());
    let is_edit = first != id;
    json!({
        "instanceId": first, "submitterId": caller.user.id, "deviceId": device, "userAgent": null,
        "reviewState": is_edit.then_some("edited"), "createdAt": now,
        "updatedAt": is_edit.then_some(&now),
        "currentVersion": {
            "instanceId": id, "instanceName": null, "submitterId": caller.user.id, "deviceId": device,
            "createdAt": now, "current": true,
        },
    })
}

fn comment_json(comment: &db::Comment) -> Value {
    json!({ "body": comment.body, "actorId": comment.actor, "createdAt": moment(comment.created_at) })
}
