//! Signing in and out, and who one is.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::{Caller, Problem, blocking, moment};
use crate::accounts::Accounts;
use crate::db::User;

#[derive(Debug, Deserialize)]
pub struct SignIn {
    email: Option<String>,
    password: Option<String>,
    /// The second factor's code; what needs one stays shut without it.
    code: Option<String>,
}

pub async fn create_session(
    accounts: Data<Accounts>,
    Json(given): Json<SignIn>,
) -> Result<HttpResponse, Problem> {
    let (Some(login), Some(password)) = (given.email, given.password) else {
        return Err(Problem {
            code: 400.3,
            message: "Thiếu email hoặc mật khẩu. (Expected parameters email and password.)".into(),
            details: Some(json!({ "expected": ["email", "password"] })),
        });
    };
    let signed_in =
        blocking(move || Ok(accounts.sign_in(&login, &password, given.code.as_deref(), Utc::now())?)).await?;
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(json!({
        "token": signed_in.token,
        "csrf": null,
        "createdAt": moment(signed_in.session.created_at),
        "expiresAt": moment(signed_in.session.expires_at),
    })))
}

#[derive(Debug, Deserialize)]
pub struct NewPassword {
    email: Option<String>,
    old: Option<String>,
    new: Option<String>,
}

/// Changes one's own password, proved by the old one: also the door for whoever was given a password by somebody else,
/// which opens nothing but this. Every session ends.
pub async fn change_password(
    accounts: Data<Accounts>,
    Json(given): Json<NewPassword>,
) -> Result<HttpResponse, Problem> {
    let login = given.email.ok_or_else(|| Problem::expected("email"))?;
    let old = given.old.ok_or_else(|| Problem::expected("old"))?;
    let new = given.new.ok_or_else(|| Problem::expected("new"))?;
    blocking(move || Ok(accounts.change_password(&login, &old, &new, Utc::now())?)).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

pub async fn delete_session(accounts: Data<Accounts>, caller: Caller) -> Result<HttpResponse, Problem> {
    if let Some(token) = caller.token {
        blocking(move || Ok(accounts.sign_out(&token)?)).await?;
    }
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

pub async fn find_user(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(user_json(&caller.user))
}

fn user_json(user: &User) -> serde_json::Value {
    json!({
        "id": user.id,
        "type": "user",
        "displayName": user.login,
        "email": user.login,
        "createdAt": moment(user.created_at),
        "updatedAt": null,
        "role": user.role.name(),
    })
}
