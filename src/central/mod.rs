//! The REST paths of ODK Central that its Python client `pyodk` and the web forms use.
//!
//! Every handler asks [`Caller::may`] before it looks anything up; the table-driven test over all routes and roles
//! (`tests/it/rights.rs`) fails for a route that has no row.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Data, JsonConfig, PathConfig, PayloadConfig, QueryConfig, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::accounts::{AccountError, Accounts};
use crate::config::LARGEST_FORM;
use crate::db::{self, FieldVault, Project, User};
use crate::intake::Receiver;
use crate::people::{Action, Person, Refusal, Target, decide};

mod app_users;
mod csv;
mod entities;
mod forms;
mod odata;
mod projects;
mod records;
mod sessions;
mod streamed;
mod submissions;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .app_data(PayloadConfig::new(LARGEST_FORM))
        .app_data(JsonConfig::default().error_handler(|error, _| Problem::unreadable(&error).into()))
        .app_data(PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
        .app_data(QueryConfig::default().error_handler(|error, _| Problem::unreadable(&error).into()))
        .route("/v1/sessions", web::post().to(sessions::create_session))
        .route("/v1/sessions/current", web::delete().to(sessions::delete_session))
        .route("/v1/users/current", web::get().to(sessions::find_user))
        .route("/v1/users/current/password", web::put().to(sessions::change_password))
        .route("/v1/projects", web::get().to(projects::list_projects))
        .route("/v1/projects", web::post().to(projects::create_project))
        .route("/v1/projects/{project}", web::get().to(projects::find_project))
        .route("/v1/projects/{project}/forms", web::get().to(forms::list_forms))
        .route("/v1/projects/{project}/forms", web::post().to(forms::create_form))
        .route(
            "/v1/projects/{project}/forms/{form}/submissions",
            web::get().to(submissions::list_submissions),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions",
            web::post().to(submissions::create_submission),
        )
        .route("/v1/projects/{project}/forms/{form}/submissions.csv", web::get().to(submissions::export_csv))
        .route(
            "/v1/projects/{project}/forms/{form}/submissions.csv.zip",
            web::get().to(submissions::export_zip),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}.xml",
            web::get().to(submissions::find_xml),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}",
            web::get().to(submissions::find_submission),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}",
            web::put().to(submissions::update_submission),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}",
            web::patch().to(submissions::review_submission),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/comments",
            web::get().to(submissions::list_comments),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/comments",
            web::post().to(submissions::create_comment),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/attachments",
            web::get().to(submissions::list_attachments),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/attachments/{name}",
            web::get().to(submissions::find_attachment),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/attachments/{name}",
            web::post().to(submissions::put_attachment),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/versions",
            web::get().to(submissions::list_versions),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/versions/{version}.xml",
            web::get().to(submissions::find_version_xml),
        )
        .route(
            "/v1/projects/{project}/forms/{form}/submissions/{instance}/versions/{version}",
            web::get().to(submissions::find_version),
        )
        .route("/v1/projects/{project}/forms/{form}.svc", web::get().to(odata::find_service))
        .route("/v1/projects/{project}/forms/{form}.svc/$metadata", web::get().to(odata::find_metadata))
        .route("/v1/projects/{project}/forms/{form}.svc/{table:.*}", web::get().to(odata::list_rows))
        .route(
            "/v1/projects/{project}/forms/{form}/assignments/{role}/{actor}",
            web::post().to(app_users::assign_form),
        )
        .route("/v1/projects/{project}/datasets", web::get().to(entities::list_datasets))
        .route("/v1/projects/{project}/datasets", web::post().to(entities::create_dataset))
        .route("/v1/projects/{project}/datasets/{dataset}.svc/Entities", web::get().to(entities::list_rows))
        .route("/v1/projects/{project}/datasets/{dataset}", web::get().to(entities::find_dataset))
        .route(
            "/v1/projects/{project}/datasets/{dataset}/properties",
            web::post().to(entities::create_property),
        )
        .route("/v1/projects/{project}/datasets/{dataset}/entities", web::get().to(entities::list_entities))
        .route(
            "/v1/projects/{project}/datasets/{dataset}/entities",
            web::post().to(entities::create_entities),
        )
        .route(
            "/v1/projects/{project}/datasets/{dataset}/entities/{uuid}",
            web::get().to(entities::find_entity),
        )
        .route(
            "/v1/projects/{project}/datasets/{dataset}/entities/{uuid}",
            web::patch().to(entities::update_entity),
        )
        .route(
            "/v1/projects/{project}/datasets/{dataset}/entities/{uuid}",
            web::delete().to(entities::delete_entity),
        )
        .route("/v1/projects/{project}/forms/{form}.xml", web::get().to(forms::find_xml))
        .route("/v1/projects/{project}/forms/{form}", web::get().to(forms::find_form))
        .route("/v1/projects/{project}/forms/{form}/draft", web::post().to(forms::create_draft))
        .route(
            "/v1/projects/{project}/forms/{form}/draft/attachments/{name}",
            web::post().to(forms::put_draft_file),
        )
        .route("/v1/projects/{project}/forms/{form}/draft/confirmation", web::post().to(forms::confirm_draft))
        .route("/v1/projects/{project}/forms/{form}/draft/publish", web::post().to(forms::publish_draft))
        .route("/v1/projects/{project}/app-users", web::get().to(app_users::list_app_users))
        .route("/v1/projects/{project}/app-users", web::post().to(app_users::create_app_user))
        .route("/v1/projects/{project}/app-users/{actor}", web::delete().to(app_users::revoke_app_user));
}

/// An answer that is no success, in ODK Central's shape: `{"message", "code", "details"}`.
///
/// `code` is a number whose whole part is the HTTP status.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub code: f64,
    pub message: String,
    pub details: Option<serde_json::Value>,
}

impl Problem {
    pub fn new(code: f64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    pub fn not_found() -> Self {
        Self::new(404.1, "Không tìm thấy. (Could not find the resource you were looking for.)")
    }

    /// The request itself cannot be read.
    fn unreadable(reason: &dyn std::fmt::Display) -> Self {
        Self::new(400.1, format!("Không đọc được yêu cầu: {reason}. (The request cannot be read.)"))
    }

    /// A field of the request is missing or wrong.
    fn expected(field: &str) -> Self {
        Self {
            code: 400.2,
            message: format!("Thiếu hoặc sai tham số {field}. (The parameter {field} is missing or wrong.)"),
            details: Some(serde_json::json!({ "field": field })),
        }
    }

    /// The vault does not work now; the reason stays in the server's log.
    pub fn unavailable(reason: &impl std::fmt::Display) -> Self {
        eprintln!("langnghe: a request could not be served: {reason}");
        Self::new(
            503.1,
            "Máy chủ chưa phục vụ được, xin thử lại sau. (The server cannot serve now, try again later.)",
        )
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Missing { .. } => Self::not_found(),
            other => Self::unavailable(&other),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Vault(error) => error.into(),
            AccountError::Refused => Self::new(401.2, error.to_string()),
            AccountError::MustChange => Self::new(401.2, error.to_string()),
            AccountError::Unknown { .. } => Self::not_found(),
            other => Self::new(400.8, other.to_string()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(403.1, refusal.to_string())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        // The whole part of a code is a status by construction.
        StatusCode::from_u16(self.code as u16).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("Retry-After", "30"));
        }
        let mut body = serde_json::json!({ "message": self.message, "code": self.code });
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        response.json(body)
    }
}

/// Runs what waits for disks, or for a slow hash, on a thread made for waiting.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match web::block(work).await {
        Ok(done) => done,
        Err(_) => Err(Problem::unavailable(&"the server is stopping")),
    }
}

/// Works inside a project that the caller may do this in, on a thread made for waiting. Every handler of a project comes
/// through here, so that none forgets to ask.
async fn in_project<T: Send + 'static>(
    receiver: Data<Receiver>,
    caller: Caller,
    project: i64,
    action: Action,
    work: impl FnOnce(&Receiver, &Caller, Project) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    blocking(move || {
        let project = caller.project(&receiver.field, project, action)?;
        work(&receiver, &caller, project)
    })
    .await
}

/// Whoever sent the request with a token or a password that is right.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: User,
    pub person: Person,
    /// The session's token; `None` where the password came with the request.
    pub token: Option<String>,
}

impl Caller {
    /// Asks the one function that decides.
    pub fn may(&self, action: Action, target: Target<'_>) -> Result<(), Problem> {
        Ok(decide(&self.person, action, target)?)
    }

    /// The project, if the caller may do this in it. A project that is not there and one that is not theirs look alike.
    pub fn project(&self, field: &FieldVault, id: i64, action: Action) -> Result<Project, Problem> {
        // Asked without the project first: a role that may never do this learns nothing about which projects exist.
        self.may(action, Target::default())?;
        let found = field.read(|db| db.find_project(id))?.ok_or_else(Problem::not_found)?;
        match self.may(action, target(&found)) {
            Ok(()) => Ok(found),
            Err(problem) if self.may(Action::SeeProject, target(&found)).is_ok() => Err(problem),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

/// A project as the deciding function sees it.
pub fn target(project: &Project) -> Target<'_> {
    Target { project: Some(project.id), organisation: project.organisation.as_deref(), area: None }
}

enum Credentials {
    Bearer(String),
    Basic { login: String, password: String },
}

fn credentials(request: &HttpRequest) -> Option<Credentials> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(value.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (login, password) = text.split_once(':')?;
    Some(Credentials::Basic { login: login.to_owned(), password: password.to_owned() })
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let accounts = request.app_data::<Data<Accounts>>().cloned();
        let credentials = credentials(request);
        Box::pin(async move {
            let accounts = accounts.ok_or_else(|| Problem::unavailable(&"accounts are not set up"))?;
            let refused = || Problem::new(401.2, AccountError::Refused.to_string());
            let credentials = credentials.ok_or_else(refused)?;
            blocking(move || {
                let now = Utc::now();
                let token = match credentials {
                    Credentials::Bearer(token) => token,
                    Credentials::Basic { login, password } => {
                        let (user, person) = accounts.find_by_password(&login, &password, now)?;
                        return Ok(Self { user, person, token: None });
                    }
                };
                let found = accounts.find_person(&token, now)?;
                let (user, person) = found.ok_or_else(refused)?;
                Ok(Self { user, person, token: Some(token) })
            })
            .await
        })
    }
}

/// A moment as ODK Central writes it, `2026-01-02T03:04:05.678Z`.
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
