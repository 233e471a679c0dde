//! What is answered: JSON with a tag of its content, pages, moments.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::PageQuery;

/// Rows of a list, and where it goes on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `after` for the next page; null on the last one.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// The page that was asked for, of rows in the order of their numbers.
    pub fn of(asked: PageQuery, rows: impl IntoIterator<Item = (i64, T)>) -> Self {
        let mut rows = rows.into_iter().filter(|(number, _)| *number > asked.after());
        let mut items = Vec::new();
        let mut last = None;
        for (number, row) in rows.by_ref().take(asked.limit()) {
            last = Some(number);
            items.push(row);
        }
        let next = if rows.next().is_some() { last } else { None };
        Self { items, next }
    }
}

/// What was asked for. Whoever has it already (`If-None-Match`) gets 304.
pub fn found(request: &HttpRequest, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::unavailable(&error))?;
    let hash: String = Sha256::digest(&body)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let known = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|value| {
        let value = value.trim();
        value == "*" || value.strip_prefix("W/").unwrap_or(value) == tag
    });
    let mut response = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    response.insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, "private, no-cache"));
    if known {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(body))
}

/// What was done or made. Nobody keeps a copy on the way: it may hold a token.
pub fn done(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// Done, and there is nothing to tell.
pub fn nothing() -> HttpResponse {
    HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish()
}

/// A moment, `2026-01-02T03:04:05.678Z`.
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
