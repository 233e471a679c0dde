//! Sending: HEAD before, POST with the submission. 201 only after both vaults have it on the disk.

use std::time::Duration;

use actix_multipart::{Multipart, MultipartError};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use futures_util::{Stream, TryStreamExt};
use serde::Deserialize;

use super::{Failure, blocking, check_version, documents, text_xml};
use crate::config::LARGEST_SUBMISSION;
use crate::intake::Receiver;

#[derive(Debug, Deserialize)]
pub struct Place {
    token: String,
    project: i64,
}

pub async fn prepare(
    request: HttpRequest,
    receiver: Data<Receiver>,
    place: Path<Place>,
) -> Result<HttpResponse, Failure> {
    check_version(&request)?;
    blocking(&receiver, move |receiver| receiver.find_app_user(place.project, &place.token)).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub async fn create_submission(
    request: HttpRequest,
    receiver: Data<Receiver>,
    place: Path<Place>,
    parts: Multipart,
) -> Result<HttpResponse, Failure> {
    check_version(&request)?;
    let project = place.project;
    // Asked before the body is read: a stranger's megabytes are not taken in.
    let app_user = blocking(&receiver, move |receiver| receiver.find_app_user(project, &place.token)).await?;
    let xml = read_parts(parts).await?;
    blocking(&receiver, move |receiver| receiver.receive(project, &app_user, xml, Utc::now())).await?;
    Ok(HttpResponse::Created().content_type(text_xml()).body(documents::response("", "Đã nhận. Received.")))
}

/// The next of a slow sender: no limit on the whole, but a silence this long ends the request.
const SILENCE: Duration = Duration::from_secs(120);

async fn next<T>(
    stream: &mut (impl Stream<Item = Result<T, MultipartError>> + Unpin),
) -> Result<Option<T>, Failure> {
    match tokio::time::timeout(SILENCE, stream.try_next()).await {
        Ok(next) => next.map_err(|e| Failure::Multipart(e.to_string())),
        Err(_) => Err(Failure::Multipart("120 giây không có dữ liệu (no data for 120 seconds)".into())),
    }
}

/// The XML part. The forms of a survey have no files (protection.md rule 8), so other parts are refused and not
/// silently dropped; `*isIncomplete*` is a plain field that some clients add.
async fn read_parts(mut parts: Multipart) -> Result<Vec<u8>, Failure> {
    let mut xml: Option<Vec<u8>> = None;
    while let Some(mut part) = next(&mut parts).await? {
        let name = part.name().unwrap_or_default().to_owned();
        let is_xml = name == "xml_submission_file";
        if is_xml && xml.is_some() {
            return Err(Failure::Multipart("có hai phần xml_submission_file (two XML parts)".into()));
        }
        if !is_xml && name != "*isIncomplete*" {
            return Err(Failure::Multipart(format!(
                "phiếu này không nhận tệp kèm theo: {name} (this form takes no files)"
            )));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = next(&mut part).await? {
            if bytes.len() + chunk.len() > LARGEST_SUBMISSION {
                return Err(Failure::Multipart(format!("lớn hơn {LARGEST_SUBMISSION} byte (too large)")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_xml {
            xml = Some(bytes);
        }
    }
    xml.ok_or(Failure::NoXml)
}
