//! People who sign in: list, add, disable, reset by a second person.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use super::answer::{Page, done, found, moment, nothing};
use super::problem::{Code, Problem};
use super::request::{Body, Caller, PageQuery, blocking, text};
use crate::accounts::Accounts;
use crate::db::User;
use crate::intake::Receiver;
use crate::people::{Action, AreaRef, Reach, Role, Target, decide_account};

/// Waves that one account may be limited to, at most.
const MOST_PROJECTS: usize = 1000;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    id: i64,
    login: String,
    #[schema(schema_with = role_schema)]
    role: &'static str,
    /// The area in charge, `LEVEL:CODE@DATE`; null is everywhere.
    area: Option<String>,
    /// The waves it is limited to; null is all of them.
    projects: Option<Vec<i64>>,
    /// Sees the waves of this organisation alone.
    organisation: Option<String>,
    /// Whether it has a second factor.
    second_factor: bool,
    /// The password was given by somebody else and opens nothing but its own change.
    password_must_change: bool,
    /// Locked for a while after wrong passwords.
    locked: bool,
    disabled: bool,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            login: user.login,
            role: user.role.name(),
            area: user.reach.area.map(|area| area.to_string()),
            projects: user.reach.projects.map(|projects| projects.into_iter().collect()),
            organisation: user.reach.organisation,
            second_factor: user.second_factor.is_some(),
            password_must_change: user.must_change,
            locked: user.locked_until.is_some_and(|until| until > Utc::now()),
            disabled: user.disabled,
            created_at: moment(user.created_at),
        }
    }
}

fn role_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Role::ALL.map(Role::name))).build()
}

/// The account of that number, if the caller keeps it. One that is not there and one of others look alike.
fn account(accounts: &Accounts, caller: &Caller, id: i64) -> Result<User, Problem> {
    caller.may(Action::ManageUsers, Target::default())?;
    let user = accounts.find_by_number(id)?.ok_or_else(Problem::not_found)?;
    decide_account(&caller.person, &user.reach)?;
    Ok(user)
}

/// The accounts that the caller keeps.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", params(PageQuery),
    responses(
        (status = 200, description = "Các tài khoản (the accounts)", body = Page<Account>),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_users(
    request: HttpRequest,
    accounts: Data<Accounts>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let asked = PageQuery::of(&request)?;
    let page = blocking(move || {
        caller.may(Action::ManageUsers, Target::default())?;
        let mut users = accounts.list()?;
        users.retain(|user| decide_account(&caller.person, &user.reach).is_ok());
        Ok(Page::of(asked, users.into_iter().map(|user| (user.id, Account::from(user)))))
    })
    .await?;
    found(&request, &page)
}

/// An account.
#[utoipa::path(
    get, path = "/api/v1/users/{user}", tag = "users", params(("user" = i64, Path)),
    responses(
        (status = 200, description = "Tài khoản (the account)", body = Account),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_user(
    request: HttpRequest,
    accounts: Data<Accounts>,
    caller: Caller,
    id: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let user = blocking(move || Ok(Account::from(account(&accounts, &caller, *id)?))).await?;
    found(&request, &user)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// 2–100 letters without diacritics, digits or `. _ - @ +`.
    #[schema(min_length = 2, max_length = 100, pattern = "^[A-Za-z0-9._@+-]+$")]
    login: String,
    #[schema(schema_with = role_schema)]
    role: Role,
    /// A phrase of at least 12 letters; its owner must change it at the first sign-in.
    #[schema(min_length = 12)]
    password: String,
    /// The area in charge with all that lies in it, `LEVEL:CODE[@DATE]`.
    #[schema(example = "province:08", pattern = "^[a-z_]+:[0-9]+(@[0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    area: Option<String>,
    /// Sees these waves alone.
    #[schema(max_items = 1000)]
    projects: Option<Vec<i64>>,
    /// Sees the waves of this organisation alone.
    #[schema(min_length = 1, max_length = 100)]
    organisation: Option<String>,
}

/// Adds an account. Its second factor is made at the server (`langnghe user reset LOGIN --second-factor`).
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", request_body = NewAccount,
    responses(
        (status = 201, description = "Đã thêm (added)", body = Account),
        (status = 409, description = "Đã có tên đăng nhập này (the login is taken)"),
    )
)]
pub async fn create_user(
    receiver: Data<Receiver>,
    accounts: Data<Accounts>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let user = blocking(move || {
        caller.may(Action::ManageUsers, Target::default())?;
        let given: NewAccount = body.read()?;
        let now = Utc::now();
        let area = given.area.as_deref().map(|text| AreaRef::read(text, now.date_naive()));
        let area = area.transpose().map_err(|why| Problem::value("area", why))?;
        let own = caller.person.reach.organisation.clone();
        let organisation = match &given.organisation {
            Some(given) => Some(text("organisation", given, 100)?),
            // Whoever is limited to an organisation adds its people.
            None => own,
        };
        let projects = given.projects.filter(|all| !all.is_empty());
        if projects.as_ref().is_some_and(|all| all.len() > MOST_PROJECTS) {
            return Err(Problem::value("projects", format!("nhiều nhất {MOST_PROJECTS} (at most)")));
        }
        for project in projects.iter().flatten() {
            let known = receiver.field.read(|db| db.find_project(*project))?;
            let visible = known
                .is_some_and(|known| caller.may(Action::SeeProject, super::request::target(&known)).is_ok());
            if !visible {
                return Err(Problem::value(
                    "projects",
                    format!("không có đợt {project} (there is no wave {project})"),
                ));
            }
        }
        let reach = Reach { area, projects: projects.map(|all| all.into_iter().collect()), organisation };
        decide_account(&caller.person, &reach).map_err(|_| {
            Problem::value(
                "organisation",
                "tài khoản chỉ quản lý tổ chức của mình (the account keeps its own organisation alone)",
            )
        })?;
        let user = accounts.invite(&given.login, given.role, reach, &given.password, now)?;
        let detail = json!({ "user": user.id, "role": user.role.name() }).to_string();
        receiver.field.transaction(|db| db.append_audit(&caller.user.login, "user added", &detail, now))?;
        Ok(Account::from(user))
    })
    .await?;
    Ok(done(StatusCode::CREATED, &user))
}

/// The account opens nothing from now on; its sessions end. Nobody disables themselves.
#[utoipa::path(
    post, path = "/api/v1/users/{user}/disable", tag = "users", params(("user" = i64, Path)),
    responses((status = 204, description = "Đã khóa (disabled)"))
)]
pub async fn disable_user(
    receiver: Data<Receiver>,
    accounts: Data<Accounts>,
    caller: Caller,
    id: Path<i64>,
) -> Result<HttpResponse, Problem> {
    blocking(move || {
        let user = account(&accounts, &caller, *id)?;
        somebody_else(&caller, &user)?;
        accounts.disable(&user.login)?;
        let detail = json!({ "user": user.id }).to_string();
        let now = Utc::now();
        receiver
            .field
            .transaction(|db| db.append_audit(&caller.user.login, "user disabled", &detail, now))?;
        Ok(())
    })
    .await?;
    Ok(nothing())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// A phrase of at least 12 letters; it opens nothing but its own change.
    #[schema(min_length = 12)]
    password: String,
}

/// Gives somebody else a new password, which they must change before anything opens. The second factor stays: who resets a
/// password does not become that person.
#[utoipa::path(
    post, path = "/api/v1/users/{user}/reset", tag = "users", params(("user" = i64, Path)), request_body = Reset,
    responses((status = 204, description = "Đã cấp lại (reset)"))
)]
pub async fn reset_user(
    receiver: Data<Receiver>,
    accounts: Data<Accounts>,
    caller: Caller,
    id: Path<i64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    blocking(move || {
        let user = account(&accounts, &caller, *id)?;
        somebody_else(&caller, &user)?;
        let given: Reset = body.read()?;
        accounts.reset(&user.login, &given.password)?;
        let detail = json!({ "user": user.id }).to_string();
        let now = Utc::now();
        receiver
            .field
            .transaction(|db| db.append_audit(&caller.user.login, "password reset", &detail, now))?;
        Ok(())
    })
    .await?;
    Ok(nothing())
}

fn somebody_else(caller: &Caller, user: &User) -> Result<(), Problem> {
    if caller.user.id == user.id {
        return Err(Problem::with(
            Code::SecondPersonNeeded,
            "không làm được với tài khoản của chính mình; hãy nhờ người quản trị khác (not with one's own account; ask another administrator)",
        ));
    }
    Ok(())
}
