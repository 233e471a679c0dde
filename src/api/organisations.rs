//! Organisations: whose waves and whose accounts there are.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::found;
use super::problem::Problem;
use super::request::{Caller, blocking};
use crate::accounts::Accounts;
use crate::intake::Receiver;
use crate::people::{Action, Reach, Target, decide_account};

/// An organisation, with how many accounts and waves are its own.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Organisation {
    id: String,
    users: usize,
    projects: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Organisations {
    items: Vec<Organisation>,
}

/// The organisations that the caller keeps. One is made by giving it an account or a wave.
#[utoipa::path(
    get, path = "/api/v1/organisations", tag = "users",
    responses(
        (status = 200, description = "Các tổ chức (the organisations)", body = Organisations),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_organisations(
    request: HttpRequest,
    receiver: Data<Receiver>,
    accounts: Data<Accounts>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let listed = blocking(move || {
        caller.may(Action::ManageUsers, Target::default())?;
        let mut known: BTreeMap<String, Organisation> = BTreeMap::new();
        for id in accounts.list()?.into_iter().filter_map(|user| user.reach.organisation) {
            known.entry(id).or_default().users += 1;
        }
        for id in receiver.field.read(|db| db.list_projects())?.into_iter().filter_map(|p| p.organisation) {
            known.entry(id).or_default().projects += 1;
        }
        let mut items = Vec::new();
        for (id, counted) in known {
            let reach = Reach { organisation: Some(id), ..Reach::default() };
            if decide_account(&caller.person, &reach).is_ok() {
                items.push(Organisation { id: reach.organisation.unwrap_or_default(), ..counted });
            }
        }
        Ok(Organisations { items })
    })
    .await?;
    found(&request, &listed)
}
