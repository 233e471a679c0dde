//! Signing in and out, a fresh token, one's own password.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{done, found, moment, nothing};
use super::limits::Limits;
use super::problem::Problem;
use super::request::{Body, Caller, blocking};
use crate::accounts::{Accounts, SignedIn};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[schema(min_length = 1, max_length = 100)]
    login: String,
    #[schema(min_length = 1)]
    password: String,
    /// The second factor's code of six digits; what needs one stays shut without it.
    code: Option<String>,
}

/// A token and how long it lasts.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSession {
    /// For the header `Authorization: Bearer …`; shown once.
    token: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whether the second factor was proved.
    second_factor: bool,
}

impl From<SignedIn> for NewSession {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            token: signed_in.token,
            expires_at: moment(signed_in.session.expires_at),
            second_factor: signed_in.session.second_factor,
        }
    }
}

/// Signs in.
#[utoipa::path(
    post, path = "/api/v1/sessions", tag = "sessions", security(()), request_body = SignIn,
    responses(
        (status = 201, description = "Đã đăng nhập (signed in)", body = NewSession),
        (status = 401, description = "Sai hoặc đang khóa (wrong, or locked for a while)"),
        (status = 403, description = "Phải đổi mật khẩu trước (the password must be changed first)"),
        (status = 429, description = "Quá nhiều lần (too many attempts)"),
    )
)]
pub async fn create_session(
    request: HttpRequest,
    accounts: Data<Accounts>,
    limits: Data<Limits>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let given: SignIn = body.read()?;
    limits.sign_in(&request)?;
    let signed_in = blocking(move || {
        Ok(accounts.sign_in(&given.login, &given.password, given.code.as_deref(), Utc::now())?)
    })
    .await?;
    Ok(done(StatusCode::CREATED, &NewSession::from(signed_in)))
}

/// Who is signed in, and how far their rights reach.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    user: i64,
    login: String,
    #[schema(example = "supervisor")]
    role: &'static str,
    /// `LEVEL:CODE@DATE`; null is everywhere.
    area: Option<String>,
    /// Null is all of them.
    projects: Option<Vec<i64>>,
    organisation: Option<String>,
    second_factor: bool,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/v1/sessions/current", tag = "sessions",
    responses(
        (status = 200, description = "Phiên hiện tại (the session)", body = Session),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_session(request: HttpRequest, caller: Caller) -> Result<HttpResponse, Problem> {
    let reach = caller.user.reach;
    found(
        &request,
        &Session {
            user: caller.user.id,
            login: caller.user.login,
            role: caller.user.role.name(),
            area: reach.area.map(|area| area.to_string()),
            projects: reach.projects.map(|projects| projects.into_iter().collect()),
            organisation: reach.organisation,
            second_factor: caller.session.second_factor,
            expires_at: moment(caller.session.expires_at),
        },
    )
}

/// Signs out: the token opens nothing from now on.
#[utoipa::path(
    delete, path = "/api/v1/sessions/current", tag = "sessions",
    responses((status = 204, description = "Đã đăng xuất (signed out)"))
)]
pub async fn delete_session(accounts: Data<Accounts>, caller: Caller) -> Result<HttpResponse, Problem> {
    blocking(move || Ok(accounts.sign_out(&caller.token)?)).await?;
    Ok(nothing())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Proves the second factor as well, for what needs one.
    code: Option<String>,
}

/// A fresh token in place of this one, which ends. The session does not last longer by it.
#[utoipa::path(
    post, path = "/api/v1/sessions/current/rotation", tag = "sessions", request_body = Rotation,
    responses(
        (status = 201, description = "Mã mới (the fresh token)", body = NewSession),
        (status = 429, description = "Quá nhiều lần (too many attempts)"),
    )
)]
pub async fn rotate_session(
    request: HttpRequest,
    accounts: Data<Accounts>,
    limits: Data<Limits>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let given: Rotation = body.read()?;
    if given.code.is_some() {
        limits.sign_in(&request)?;
    }
    let fresh =
        blocking(move || Ok(accounts.rotate(&caller.token, given.code.as_deref(), Utc::now())?)).await?;
    Ok(done(StatusCode::CREATED, &NewSession::from(fresh)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[schema(min_length = 1, max_length = 100)]
    login: String,
    #[schema(min_length = 1)]
    old: String,
    /// A phrase of at least 12 letters.
    #[schema(min_length = 12)]
    new: String,
}

/// Changes one's own password, proved by the old one: also the door for whoever was given a password by somebody else.
/// Every session of the account ends.
#[utoipa::path(
    put, path = "/api/v1/password", tag = "sessions", security(()), request_body = NewPassword,
    responses(
        (status = 204, description = "Đã đổi (changed)"),
        (status = 401, description = "Sai hoặc đang khóa (wrong, or locked for a while)"),
        (status = 429, description = "Quá nhiều lần (too many attempts)"),
    )
)]
pub async fn change_password(
    request: HttpRequest,
    accounts: Data<Accounts>,
    limits: Data<Limits>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let given: NewPassword = body.read()?;
    limits.sign_in(&request)?;
    blocking(move || Ok(accounts.change_password(&given.login, &given.old, &given.new, Utc::now())?)).await?;
    Ok(nothing())
}
