//! Sending: HEAD before, POST with the submission. 201 only after both vaults have it on the disk.

use actix_multipart::Multipart;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use futures_util::TryStreamExt;
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
    let xml = read_parts(parts).await?;
    blocking(&receiver, move |receiver| {
        let app_user = receiver.find_app_user(place.project, &place.token)?;
        receiver.receive(place.project, &app_user, xml, Utc::now())
    })
    .await?;
    Ok(HttpResponse::Created().content_type(text_xml()).body(documents::response("", "Đã nhận. Received.")))
}

/// The XML part. The forms of a survey have no files (protection.md rule 8), so other parts are refused and not
/// silently dropped; `*isIncomplete*` is a plain field that some clients add.
async fn read_parts(mut parts: Multipart) -> Result<Vec<u8>, Failure> {
    let mut xml: Option<Vec<u8>> = None;
    while let Some(mut part) = parts.try_next().await.map_err(|e| Failure::Multipart(e.to_string()))? {
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
        while let Some(chunk) = part.try_next().await.map_err(|e| Failure::Multipart(e.to_string()))? {
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
