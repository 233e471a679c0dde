//! The log of who did what kind of thing (protection.md rule 15): pages of it, and whether its chain is whole.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::answer::{Page, found, moment};
use super::problem::Problem;
use super::request::{Caller, PageQuery, blocking};
use crate::db::{AuditEntry, AuditError};
use crate::intake::Receiver;
use crate::people::{Action, Target};

/// One entry. It names no case, no interview and no token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    /// From 1, without gaps.
    number: i64,
    #[schema(format = DateTime)]
    at: String,
    who: String,
    kind: String,
    /// Counts and numbers.
    #[schema(value_type = Object)]
    detail: Value,
    /// Covers the entry before it, hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

fn hexadecimal(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let detail = serde_json::from_str(&entry.detail).ok().filter(Value::is_object);
        Self {
            number: entry.number,
            at: moment(entry.at),
            who: entry.who,
            kind: entry.kind,
            detail: detail.unwrap_or_else(|| serde_json::json!({ "text": entry.detail })),
            hash: hexadecimal(entry.hash),
        }
    }
}

/// The log, the oldest entry first.
#[utoipa::path(
    get, path = "/api/v1/log", tag = "log", params(PageQuery),
    responses(
        (status = 200, description = "Nhật ký (the log)", body = Page<Entry>),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_entries(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let asked = PageQuery::of(&request)?;
    let page = blocking(move || {
        caller.may(Action::ReadLog, Target::default())?;
        // One more than fits tells whether there is a next page.
        let most = i64::try_from(asked.limit() + 1).unwrap_or(i64::MAX);
        let entries = receiver.field.read(|db| db.list_audit(asked.after(), most))?;
        Ok(Page::of(asked, entries.into_iter().map(|entry| (entry.number, Entry::from(entry)))))
    })
    .await?;
    found(&request, &page)
}

/// How the log stands; its head goes to a second body once a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct Head {
    /// Whether every entry follows the one before it.
    whole: bool,
    entries: usize,
    /// Hash of the last entry; zeros before the first, null where the chain is broken.
    head: Option<String>,
    /// The entry at which the chain is broken.
    broken_at: Option<i64>,
}

/// Checks the whole chain.
#[utoipa::path(
    get, path = "/api/v1/log/head", tag = "log",
    responses(
        (status = 200, description = "Chuỗi nhật ký (the chain)", body = Head),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_head(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let head = blocking(move || {
        caller.may(Action::ReadLog, Target::default())?;
        match receiver.field.read(|db| db.verify_audit()) {
            Ok(entries) => {
                let last = entries.last().map_or([0; 32], |entry| entry.hash);
                Ok(Head {
                    whole: true,
                    entries: entries.len(),
                    head: Some(hexadecimal(last)),
                    broken_at: None,
                })
            }
            Err(AuditError::Broken { number, .. }) => {
                let before = usize::try_from(number - 1).unwrap_or(0);
                Ok(Head { whole: false, entries: before, head: None, broken_at: Some(number) })
            }
            Err(AuditError::Vault(error)) => Err(error.into()),
        }
    })
    .await?;
    found(&request, &head)
}
