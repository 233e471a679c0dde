//! Snapshots of a wave: which analysis files were frozen, and when.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Page, found, moment};
use super::problem::Problem;
use super::request::{Caller, PageQuery, in_project};
use crate::db::SnapshotHead;
use crate::intake::Receiver;
use crate::people::Action;

/// A snapshot.
#[derive(Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// From 1.
    number: i64,
    /// Taken before the last interview, with the latest ones held back (rule 20).
    early: bool,
    /// Interviews whose sealed blocks stayed closed.
    unopened: i64,
    #[schema(format = DateTime)]
    taken_at: String,
}

impl From<SnapshotHead> for Snapshot {
    fn from(head: SnapshotHead) -> Self {
        Self {
            number: head.number,
            early: head.early,
            unopened: head.unopened,
            taken_at: moment(head.taken_at),
        }
    }
}

/// The snapshots of a wave, the earliest first. A closed wave has none: what tells them apart went with its key.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/snapshots", tag = "waves", params(("project" = i64, Path), PageQuery),
    responses(
        (status = 200, description = "Các lần khóa sổ (the snapshots)", body = Page<Snapshot>),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_snapshots(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let asked = PageQuery::of(&request)?;
    let page = in_project(receiver, caller, *project, Action::SeeFigures, move |receiver, _, project| {
        let heads = receiver.field.read(|db| db.list_snapshot_heads(project.id))?;
        Ok(Page::of(asked, heads.into_iter().map(|head| (head.number, Snapshot::from(head)))))
    })
    .await?;
    found(&request, &page)
}
