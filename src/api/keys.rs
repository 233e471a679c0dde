//! Public halves of a wave's keys. Private halves are in no answer.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::found;
use super::problem::Problem;
use super::request::{Caller, in_project};
use crate::intake::Receiver;
use crate::people::Action;

/// What others seal to. Points of P-256, base64url of 65 bytes, as WebCrypto imports them raw.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicKeys {
    /// Whether this server holds the wave key.
    wave: bool,
    /// Sealed blocks; null where the wave has no custodian here.
    custodian: Option<String>,
    /// Finished interviews on tablets.
    tablet: Option<String>,
}

/// The public halves of a wave's keys.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/keys", tag = "waves", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Phần công khai của các khóa (the public halves)", body = PublicKeys),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_keys(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let keys = in_project(receiver, caller, *project, Action::SeeForms, |receiver, _, project| {
        let (custodian, tablet) = match receiver.key_folder() {
            Some(folder) => (
                folder.custodian(project.id).map_err(|error| Problem::unavailable(&error))?,
                folder.tablet(project.id).map_err(|error| Problem::unavailable(&error))?,
            ),
            None => (None, None),
        };
        Ok(PublicKeys {
            wave: receiver.key(project.id).is_ok(),
            custodian: custodian.map(|bundle| bundle.blocks.to_text()),
            tablet: tablet.map(|key| key.to_text()),
        })
    })
    .await?;
    found(&request, &keys)
}
