//! App users: enumerators' devices, each with a token of its own.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, Problem, in_project, moment};
use crate::db::{self, AppUser};
use crate::intake::Receiver;
use crate::people::{Action, secrets};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAppUser {
    display_name: Option<String>,
    /// The enumerator's code in the fieldwork plan.
    code: Option<String>,
}

pub async fn list_app_users(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let users = in_project(receiver, caller, *project, Action::ManageDevices, |receiver, _, project| {
        Ok(receiver.field.read(|db| db.list_app_users(project.id))?)
    })
    .await?;
    // A token is shown once, when it is made: only its hash is kept.
    Ok(HttpResponse::Ok().json(users.iter().map(|user| app_user_json(user, None)).collect::<Vec<_>>()))
}

pub async fn create_app_user(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    Json(given): Json<NewAppUser>,
) -> Result<HttpResponse, Problem> {
    let made =
        in_project(receiver, caller, *project, Action::ManageDevices, move |receiver, caller, project| {
            let name = given.display_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Problem::expected("displayName"))?;
            let token = secrets::new_token().map_err(|error| Problem::unavailable(&error))?;
            let now = Utc::now();
            let user = receiver.field.transaction(|db| {
                let user = db.create_app_user(project.id, name, given.code.as_deref(), &token, now)?;
                let detail = json!({ "project": project.id, "actor": user.actor }).to_string();
                db.append_audit(&caller.user.login, "device added", &detail, now)?;
                Ok::<_, db::Error>(user)
            })?;
            Ok((user, token))
        });
    let (user, token) = made.await?;
    Ok(HttpResponse::Ok()
        .insert_header(("Cache-Control", "no-store"))
        .json(app_user_json(&user, Some(&token))))
}

pub async fn revoke_app_user(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, i64)>,
) -> Result<HttpResponse, Problem> {
    let (project, actor) = place.into_inner();
    in_project(receiver, caller, project, Action::ManageDevices, move |receiver, caller, project| {
        let now = Utc::now();
        receiver.field.transaction(|db| {
            let user = db.list_app_users(project.id)?.into_iter().find(|user| user.actor == actor);
            let user = user.ok_or_else(Problem::not_found)?;
            db.revoke_app_user(user.id)?;
            let detail = json!({ "project": project.id, "actor": actor }).to_string();
            db.append_audit(&caller.user.login, "device revoked", &detail, now)?;
            Ok::<_, Problem>(())
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// Gives a device a form. Every device of a project may fill in all its forms, so this checks and changes nothing.
pub async fn assign_form(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, String, String, i64)>,
) -> Result<HttpResponse, Problem> {
    let (project, form, role, actor) = place.into_inner();
    in_project(receiver, caller, project, Action::ManageDevices, move |receiver, _, project| {
        receiver.field.read(|db| {
            let is_device =
                db.list_app_users(project.id)?.iter().any(|user| user.actor == actor && !user.revoked);
            let has_form = db.find_form(project.id, &form, None)?.is_some()
                || db.find_form_draft(project.id, &form)?.is_some();
            // 2 is ODK Central's number of the role `app user`.
            if is_device && has_form && matches!(role.as_str(), "2" | "app-user") {
                Ok(())
            } else {
                Err(Problem::not_found())
            }
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

fn app_user_json(user: &AppUser, token: Option<&str>) -> Value {
    json!({
        "projectId": user.project,
        "id": user.actor,
        "type": "field_key",
        "displayName": user.display_name,
        "code": user.code,
        "token": token,
        "createdAt": moment(user.created_at),
        "updatedAt": null,
        "deletedAt": null,
        "revoked": user.revoked,
    })
}
