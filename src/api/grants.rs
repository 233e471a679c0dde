//! Grants: records of a survey open to one named person, approved by another who proves it (protection.md rule 7).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{Page, done, found, moment};
use super::problem::{Code, Problem};
use super::request::{Body, Caller, PageQuery, in_project, target, text};
use crate::accounts::Accounts;
use crate::db::{self, ProjectKind};
use crate::intake::Receiver;
use crate::people::{Action, GrantError, check_approver, check_grant};

/// A grant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Grant {
    /// Whom the records are open to.
    user: i64,
    approver: i64,
    purpose: String,
    /// Last day.
    #[schema(format = Date)]
    until: String,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<db::Grant> for Grant {
    fn from(grant: db::Grant) -> Self {
        Self {
            user: grant.user,
            approver: grant.approver,
            purpose: grant.purpose,
            until: grant.until.to_string(),
            created_at: moment(grant.created_at),
        }
    }
}

/// The grants of a wave, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/grants", tag = "grants", params(("project" = i64, Path), PageQuery),
    responses(
        (status = 200, description = "Các quyền xem bản ghi (the grants)", body = Page<Grant>),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_grants(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let asked = PageQuery::of(&request)?;
    let page = in_project(receiver, caller, *project, Action::OpenRecords, move |receiver, _, project| {
        let grants = receiver.field.read(|db| db.list_grants(project.id))?;
        Ok(Page::of(asked, (1..).zip(grants.into_iter().map(Grant::from))))
    })
    .await?;
    found(&request, &page)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// Who may open the records: an analyst or a custodian, not the approver.
    #[schema(min_length = 2, max_length = 100)]
    login: String,
    /// Last day, at most 30 days off.
    #[schema(value_type = String, format = Date)]
    until: NaiveDate,
    #[schema(min_length = 1, max_length = 500)]
    purpose: String,
    /// The approver's password and code again: a session that was left open approves nothing.
    password: String,
    code: String,
}

/// Approves that one person opens the records of a survey. The approver is whoever is signed in.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/grants", tag = "grants", params(("project" = i64, Path)),
    request_body = NewGrant,
    responses(
        (status = 201, description = "Đã cấp (given)", body = Grant),
        (status = 409, description = "Đợt này không cần (the wave has no respondents, or is closed)"),
    )
)]
pub async fn create_grant(
    receiver: Data<Receiver>,
    accounts: Data<Accounts>,
    caller: Caller,
    project: Path<i64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let grant =
        in_project(receiver, caller, *project, Action::ApproveGrant, move |receiver, caller, project| {
            if project.kind != ProjectKind::Survey {
                return Err(Problem::with(
                    Code::Conflict,
                    "đợt không có người trả lời, bản ghi không cần cấp quyền (the wave has no respondents)",
                ));
            }
            if project.state == db::ProjectState::Closed {
                return Err(Problem::new(Code::WaveNotOpen));
            }
            let given: NewGrant = body.read()?;
            let purpose = text("purpose", &given.purpose, 500)?;
            let unknown = || Problem::value("login", "không có tài khoản này (there is no such account)");
            let opener = accounts.find_person_of(&given.login)?.ok_or_else(unknown)?;
            let now = Utc::now();
            check_grant(&opener, target(&project), given.until, now.date_naive()).map_err(told)?;
            check_approver(&opener, &caller.person, target(&project)).map_err(told)?;
            let approver = accounts.approve(&caller.user.login, &given.password, &given.code, now)?;
            let grant = receiver.field.transaction(|db| {
                let grant =
                    db.create_grant(project.id, opener.id, approver.id, &purpose, given.until, now)?;
                let detail = json!({
                    "project": project.id, "user": opener.id, "approver": approver.id, "until": given.until,
                    "purpose": purpose,
                });
                db.append_audit(&caller.user.login, "grant given", &detail.to_string(), now)?;
                Ok::<_, db::Error>(grant)
            })?;
            Ok(Grant::from(grant))
        })
        .await?;
    Ok(done(StatusCode::CREATED, &grant))
}

fn told(error: GrantError) -> Problem {
    match error {
        GrantError::SamePerson => Problem::with(Code::SecondPersonNeeded, error.to_string()),
        GrantError::Approver(refusal) => refusal.into(),
        GrantError::Opener(_) => Problem::value("login", error.to_string()),
        GrantError::Past { .. } | GrantError::TooLong { .. } => Problem::value("until", error.to_string()),
    }
}
