//! Sending: HEAD before, POST with the submission. 201 only after both vaults have it on the disk.

use std::sync::Arc;

use actix_multipart::{Field, Multipart};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use surveys::submission;

use super::parts::{self, Keeper, next, read_small};
use super::{Failure, blocking, check_version, documents, text_xml};
use crate::config::LARGEST_SUBMISSION;
use crate::db::{Outcome, Sender};
use crate::fieldwork::audit_trail;
use crate::files::{FileStore, Writing, Written};
use crate::intake::{IntakeError, KeepsFiles, Receiver};
use crate::keys::WaveKey;

#[derive(Debug, Deserialize)]
pub struct Place {
    token: String,
    project: i64,
}

/// The device as it names itself.
#[derive(Debug, Deserialize)]
pub struct From {
    #[serde(rename = "deviceID")]
    device: Option<String>,
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
    from: Query<From>,
    parts: Multipart,
) -> Result<HttpResponse, Failure> {
    check_version(&request)?;
    let project = place.project;
    // Asked before the body is read: a stranger's megabytes are not taken in.
    let (app_user, keeps_files) = blocking(&receiver, move |receiver| {
        let app_user = receiver.find_app_user(project, &place.token)?;
        Ok((app_user, receiver.keeps_files(project)?))
    })
    .await?;
    let sender = Sender { app_user: Some(app_user.id), user: None, device: from.into_inner().device };
    let mut files = Files::new(&receiver, project, keeps_files)?;
    let done = match parts::read(parts, LARGEST_SUBMISSION, &mut files).await {
        Ok(xml) => store(&receiver, project, sender, xml, &mut files).await,
        Err(failure) => Err(failure),
    };
    // Whatever was written and is not held by the vault is no file of anybody.
    files.remove_loose().await;
    done?;
    Ok(HttpResponse::Created().content_type(text_xml()).body(documents::response("", "Đã nhận. Received.")))
}

async fn store(
    receiver: &Data<Receiver>,
    project: i64,
    sender: Sender,
    xml: Vec<u8>,
    files: &mut Files,
) -> Result<(), Failure> {
    files.keep_held(&xml).await?;
    let received =
        blocking(receiver, move |receiver| receiver.receive(project, sender, xml, Utc::now())).await?;
    let Some(submission) = received.submission.filter(|_| !files.written.is_empty()) else {
        return outcome(received.outcome);
    };
    let written = files.written.clone();
    let kept = blocking(receiver, move |receiver| receiver.keep_files(project, submission, &written)).await;
    let (loose, in_conflict) = kept.inspect_err(|_| {
        // A database that went away at the commit may have made it: then these files are held, and without them the
        // resend would find only their names. What nothing holds is swept up after a day.
        files.written.clear();
    })?;
    files.written.retain(|(_, written)| loose.contains(&written.file));
    if in_conflict { Err(IntakeError::Conflict.into()) } else { outcome(received.outcome) }
}

fn outcome(outcome: Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::Conflict => Err(IntakeError::Conflict.into()),
        _ => Ok(()),
    }
}

/// The files of one request.
struct Files {
    store: Option<FileStore>,
    key: Arc<WaveKey>,
    keeps_files: KeepsFiles,
    /// Name that the client gave, and where the bytes lie now.
    written: Vec<(String, Written)>,
    /// Files of a survey, in memory until the XML says whether one of them is the audit file.
    held: Vec<(String, Vec<u8>)>,
}

impl Keeper for Files {
    type Error = Failure;

    async fn keep(&mut self, name: String, part: &mut Field) -> Result<(), Failure> {
        if self.keeps_files == KeepsFiles::AuditAlone {
            let held: usize = self.held.iter().map(|(_, bytes)| bytes.len()).sum();
            let bytes = read_small(part, LARGEST_SUBMISSION.saturating_sub(held)).await?;
            self.held.push((name, bytes));
            return Ok(());
        }
        let mut writing = self.begin()?;
        loop {
            let pushed = match next(part).await {
                Ok(Some(chunk)) => writing.push(&chunk).await.map_err(|e| unavailable(&e)),
                Ok(None) => break,
                Err(unreadable) => Err(unreadable.into()),
            };
            if let Err(failure) = pushed {
                writing.abandon().await;
                return Err(failure);
            }
        }
        let written = writing.finish().await.map_err(|e| unavailable(&e))?;
        let twice = self.written.iter().any(|(known, file)| *known == name && file.sha256 != written.sha256);
        self.written.push((name.clone(), written));
        if twice {
            return Err(Failure::Multipart(format!(
                "tệp {name} có hai nội dung khác nhau (one file name twice with other content)"
            )));
        }
        Ok(())
    }
}

impl Files {
    fn new(receiver: &Receiver, project: i64, keeps_files: KeepsFiles) -> Result<Self, Failure> {
        let key = receiver.key_for_submission(project)?;
        Ok(Self { store: receiver.files(), key, keeps_files, written: Vec::new(), held: Vec::new() })
    }

    fn begin(&self) -> Result<Writing, Failure> {
        let store = self.store.as_ref().ok_or_else(|| unavailable("no place for files is open"))?;
        Ok(store.begin(Arc::clone(&self.key)))
    }

    /// A survey's form asks for no files (protection.md rule 8); of its audit file the seconds by block are kept, and
    /// it is recognised again by the bytes that were sent. What the device encrypted is kept as it came.
    async fn keep_held(&mut self, xml: &[u8]) -> Result<(), Failure> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return Ok(());
        }
        // A form that is encrypted on the device sends its answers as files; nobody reads them before the freeze.
        let encrypted = submission::encrypted_files(xml).unwrap_or_default();
        let audit = submission::audit_file(xml).unwrap_or_default();
        for (name, bytes) in held {
            let kept = if encrypted.contains(&name) {
                bytes.clone()
            } else if name == audit {
                audit_trail::seconds_by_block(&bytes).into_bytes()
            } else {
                return Err(Failure::Multipart(format!(
                    "phiếu này không nhận tệp kèm theo: {name} (this form takes no files)"
                )));
            };
            let mut writing = self.begin()?;
            writing.push(&kept).await.map_err(|e| unavailable(&e))?;
            let written = writing.finish().await.map_err(|e| unavailable(&e))?;
            self.written.push((name, Written { sha256: Sha256::digest(&bytes).into(), ..written }));
        }
        Ok(())
    }

    async fn remove_loose(&mut self) {
        for (_, written) in std::mem::take(&mut self.written) {
            if let Some(store) = &self.store
                && let Err(error) = store.remove(&written.file).await
            {
                eprintln!("langnghe: a file that no submission holds could not be removed: {error}");
            }
        }
    }
}

fn unavailable(reason: impl std::fmt::Display) -> Failure {
    IntakeError::Unavailable(reason.to_string()).into()
}
