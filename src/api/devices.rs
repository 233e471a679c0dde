//! Enumerators' devices (app users), each with a token that is shown once, ends by itself and can be revoked.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{Page, done, found, moment, nothing};
use super::problem::Problem;
use super::request::{Body, Caller, PageQuery, in_project, text};
use crate::db::{self, AppUser, Project};
use crate::intake::Receiver;
use crate::people::{Action, secrets};

/// Longest life of a token.
const LONGEST: TimeDelta = TimeDelta::days(2 * 366);

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    id: i64,
    name: String,
    /// The enumerator's code in the fieldwork plan.
    code: Option<String>,
    revoked: bool,
    /// When the token ends by itself; null is never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<AppUser> for Device {
    fn from(device: AppUser) -> Self {
        Self {
            id: device.actor,
            name: device.display_name,
            code: device.code,
            revoked: device.revoked,
            expires_at: device.expires_at.map(moment),
            created_at: moment(device.created_at),
        }
    }
}

/// The devices of a wave.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/devices", tag = "devices", params(("project" = i64, Path), PageQuery),
    responses(
        (status = 200, description = "Các máy (the devices)", body = Page<Device>),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_devices(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let asked = PageQuery::of(&request)?;
    let page = in_project(receiver, caller, *project, Action::ManageDevices, move |receiver, _, project| {
        let mut devices = receiver.field.read(|db| db.list_app_users(project.id))?;
        devices.sort_by_key(|device| device.actor);
        Ok(Page::of(asked, devices.into_iter().map(|device| (device.actor, Device::from(device)))))
    })
    .await?;
    found(&request, &page)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The enumerator's code in the fieldwork plan.
    #[schema(min_length = 1, max_length = 100)]
    code: Option<String>,
    /// The token opens nothing after this moment; at most two years from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<Utc>>,
}

/// A device with its token.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceWithToken {
    #[serde(flatten)]
    device: Device,
    /// Shown once: only its hash is kept.
    token: String,
    /// What ODK Collect and the tablet are set up with, below the server's address.
    path: String,
}

/// Adds a device.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/devices", tag = "devices", params(("project" = i64, Path)),
    request_body = NewDevice,
    responses((status = 201, description = "Đã thêm (added)", body = DeviceWithToken))
)]
pub async fn create_device(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let made = in_project(receiver, caller, *project, Action::ManageDevices, |receiver, caller, project| {
        let given: NewDevice = body.read()?;
        let name = text("name", &given.name, 200)?;
        let code = given.code.as_deref().map(|code| text("code", code, 100)).transpose()?;
        let now = Utc::now();
        let expires_at = given.expires_at.map(|at| future(at, now)).transpose()?;
        let token = secrets::new_token().map_err(|error| Problem::unavailable(&error))?;
        let mut device = receiver.field.transaction(|db| {
            let device = db.create_app_user(project.id, &name, code.as_deref(), &token, now)?;
            if let Some(at) = expires_at {
                db.set_app_user_expiry(device.id, at)?;
            }
            log(db, &caller.user.login, "device added", &project, device.actor)?;
            Ok::<_, db::Error>(device)
        })?;
        device.expires_at = expires_at;
        let path = format!("/v1/key/{token}/projects/{}", project.id);
        Ok(DeviceWithToken { device: device.into(), token, path })
    })
    .await?;
    Ok(done(StatusCode::CREATED, &made))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    /// The token opens nothing after this moment; at most two years from now.
    #[schema(value_type = String, format = DateTime)]
    expires_at: DateTime<Utc>,
}

/// Says when a device's token ends by itself.
#[utoipa::path(
    patch, path = "/api/v1/projects/{project}/devices/{device}", tag = "devices",
    params(("project" = i64, Path), ("device" = i64, Path)), request_body = DeviceChange,
    responses((status = 200, description = "Đã đổi (changed)", body = Device))
)]
pub async fn update_device(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, i64)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (project, actor) = place.into_inner();
    let device =
        in_project(receiver, caller, project, Action::ManageDevices, move |receiver, caller, project| {
            let given: DeviceChange = body.read()?;
            let at = future(given.expires_at, Utc::now())?;
            receiver.field.transaction(|db| {
                let mut device = find(db, &project, actor)?;
                db.set_app_user_expiry(device.id, at)?;
                log(db, &caller.user.login, "device changed", &project, actor)?;
                device.expires_at = Some(at);
                Ok::<_, Problem>(Device::from(device))
            })
        })
        .await?;
    Ok(done(StatusCode::OK, &device))
}

/// Revokes a device: its token opens nothing from now on.
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/devices/{device}", tag = "devices",
    params(("project" = i64, Path), ("device" = i64, Path)),
    responses((status = 204, description = "Đã thu hồi (revoked)"))
)]
pub async fn revoke_device(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, i64)>,
) -> Result<HttpResponse, Problem> {
    let (project, actor) = place.into_inner();
    in_project(receiver, caller, project, Action::ManageDevices, move |receiver, caller, project| {
        receiver.field.transaction(|db| {
            let device = find(db, &project, actor)?;
            db.revoke_app_user(device.id)?;
            Ok::<_, Problem>(log(db, &caller.user.login, "device revoked", &project, actor)?)
        })
    })
    .await?;
    Ok(nothing())
}

fn find(db: &mut db::FieldDb<'_>, project: &Project, actor: i64) -> Result<AppUser, Problem> {
    let device = db.list_app_users(project.id)?.into_iter().find(|device| device.actor == actor);
    device.ok_or_else(Problem::not_found)
}

fn log(
    db: &mut db::FieldDb<'_>,
    who: &str,
    kind: &str,
    project: &Project,
    actor: i64,
) -> Result<(), db::Error> {
    let detail = json!({ "project": project.id, "actor": actor }).to_string();
    db.append_audit(who, kind, &detail, Utc::now()).map(drop)
}

fn future(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    if at <= now || at > now + LONGEST {
        return Err(Problem::value(
            "expires_at",
            "cần một thời điểm trong hai năm tới (a moment within the next two years)",
        ));
    }
    Ok(at)
}
