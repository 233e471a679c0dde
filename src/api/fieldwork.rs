//! Fieldwork: teams, assignment, reserves, back-checks, the ledger of devices. Counts of cases, never answers; who
//! is in charge of an area sees and does what lies in it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{done, found, moment};
use super::problem::{Code, Problem};
use super::quality::in_charge;
use super::request::{Body, Caller, in_project, text};
use crate::db::{self, Case, Project, ProjectKind, ProjectState};
use crate::intake::Receiver;
use crate::jobs::reserves::Asked;
use crate::jobs::{assignment, back_checks, reserves};
use crate::people::Action;

/// Longest name of a village, in letters.
const LONGEST_VILLAGE: usize = 200;

/// Why a run over a wave was refused: what the vault says, else what the rules say.
fn refused(error: anyhow::Error) -> Problem {
    match error.downcast::<db::Error>() {
        Ok(error) => error.into(),
        Err(error) => Problem::with(Code::Conflict, error.to_string()),
    }
}

/// The cases in the caller's area; an area without any is not theirs.
pub(super) fn seen(receiver: &Receiver, caller: &Caller, project: &Project) -> Result<Vec<Case>, Problem> {
    let mut cases = receiver.field.read(|db| db.list_cases(project.id))?;
    if caller.person.reach.area.is_some() {
        cases.retain(|case| in_charge(caller, project, case));
        if cases.is_empty() {
            return Err(Problem::new(Code::AreaNotAllowed));
        }
    }
    Ok(cases)
}

/// What changes the whole wave is for whoever is in charge of all of it, while it is open.
fn whole(caller: &Caller, project: &Project) -> Result<(), Problem> {
    match caller.person.reach.area {
        Some(_) => Err(Problem::new(Code::AreaNotAllowed)),
        None => open(project),
    }
}

fn open(project: &Project) -> Result<(), Problem> {
    match (project.kind, project.state) {
        (ProjectKind::Survey, ProjectState::Open) => Ok(()),
        _ => Err(Problem::new(Code::WaveNotOpen)),
    }
}

/// The team of a village.
#[derive(Debug, Serialize, ToSchema)]
pub struct Team {
    village: String,
    commune: String,
    area: String,
    /// Codes of the enumerators.
    enumerators: Vec<String>,
    /// Unfinished cases, in the order of the enumerators.
    open: Vec<usize>,
    interpreter: Option<String>,
    /// The day of the interpreter's pledge of secrecy.
    #[schema(format = Date)]
    pledged_on: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Teams {
    items: Vec<Team>,
}

/// Who works in which village of the area in charge.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/teams", tag = "fieldwork", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Các tổ (the teams)", body = Teams),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_teams(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let told = in_project(receiver, caller, *project, Action::SeeFieldwork, |receiver, caller, project| {
        let cases = seen(receiver, caller, &project)?;
        let teams = assignment::teams(&receiver.field, project.id)?;
        let is_here = |name: &str| cases.iter().any(|case| case.village == name);
        let items = teams.into_iter().filter(|team| is_here(&team.village)).map(|team| Team {
            village: team.village,
            commune: team.commune,
            area: team.area,
            enumerators: team.enumerators,
            open: team.open,
            interpreter: team.interpreter,
            pledged_on: team.pledged_on.map(|day| day.to_string()),
        });
        Ok(Teams { items: items.collect() })
    })
    .await?;
    found(&request, &told)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The same seed gives the same teams.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    seed: u64,
}

/// What an assignment did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Assigned {
    villages: usize,
    cases: usize,
    /// Cases that stay with whoever visited them already.
    kept: usize,
    /// Villages with an interpreter.
    interpreted: usize,
    warnings: Vec<String>,
}

/// Gives the cases that nobody has visited to two enumerators a village, by area and language.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/assignment", tag = "fieldwork", params(("project" = i64, Path)),
    request_body = Assign,
    responses(
        (status = 200, description = "Đã phân công (assigned)", body = Assigned),
        (status = 409, description = "Chưa phân công được (it cannot be assigned)"),
    )
)]
pub async fn create_assignment(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let action = Action::ManageFieldwork;
    let told = in_project(receiver, caller, *project, action, move |receiver, caller, project| {
        whole(caller, &project)?;
        let given: Assign = body.read()?;
        if given.seed > LARGEST_NUMBER {
            return Err(Problem::value("seed", format!("nhiều nhất {LARGEST_NUMBER} (at most)")));
        }
        let (field, who) = (&receiver.field, &caller.user.login);
        let done = assignment::assign(field, project.id, given.seed, who, Utc::now()).map_err(refused)?;
        Ok(Assigned {
            villages: done.villages,
            cases: done.cases,
            kept: done.kept,
            interpreted: done.interpreted,
            warnings: done.warnings,
        })
    })
    .await?;
    Ok(done(StatusCode::OK, &told))
}

/// The largest whole number that every client writes exactly.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// One village, with `count`; without both the rule decides for every village.
    #[schema(min_length = 1, max_length = 200)]
    village: Option<String>,
    #[schema(minimum = 1, maximum = 1000)]
    count: Option<usize>,
}

/// A reserve that is to be visited from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Released {
    village: String,
    /// Place among the reserves of the village, from 1.
    place: usize,
    enumerator: Option<String>,
    /// Typed on a tablet without network it shows the dwelling.
    code: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Releases {
    items: Vec<Released>,
}

/// Releases reserves in their hidden order: as many as the rule gives, or so many in one village.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/reserves", tag = "fieldwork", params(("project" = i64, Path)),
    request_body = Release,
    responses(
        (status = 200, description = "Đã mở (released)", body = Releases),
        (status = 409, description = "Không mở được (they cannot be released)"),
    )
)]
pub async fn release_reserves(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let action = Action::ManageFieldwork;
    let told = in_project(receiver, caller, *project, action, move |receiver, caller, project| {
        let cases = seen(receiver, caller, &project)?;
        let given: Release = body.read()?;
        let village =
            given.village.as_deref().map(|name| text("village", name, LONGEST_VILLAGE)).transpose()?;
        let asked = match (&village, given.count) {
            (None, None) => {
                whole(caller, &project)?;
                Asked::ByRule
            }
            (Some(village), Some(count)) if (1..=1000).contains(&count) => Asked::In { village, count },
            (Some(_), Some(_)) => return Err(Problem::value("count", "từ 1 đến 1000 (from 1 to 1000)")),
            (Some(_), None) => return Err(Problem::value("count", "cần số hộ (a number is needed)")),
            (None, Some(_)) => return Err(Problem::value("village", "cần tên thôn (a village is needed)")),
        };
        open(&project)?;
        if let Some(village) = &village
            && !cases.iter().any(|case| case.village == *village)
        {
            return Err(Problem::value("village", "không có thôn này trong địa bàn (no such village)"));
        }
        let key = receiver.key(project.id).map_err(|_| Problem::new(Code::WaveHasNoKey))?;
        let who = &caller.user.login;
        let done = reserves::release(&receiver.field, &key, project.id, asked, who, Utc::now());
        let items = done.map_err(refused)?.into_iter().map(|one| Released {
            village: one.village,
            place: one.place,
            enumerator: one.enumerator,
            code: one.code,
        });
        Ok(Releases { items: items.collect() })
    })
    .await?;
    Ok(done(StatusCode::OK, &told))
}

/// What back-checks say of one enumerator with at least ten interviews.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    enumerator: String,
    #[schema(minimum = 10)]
    interviews: usize,
    drawn: usize,
    checked: usize,
    /// Where nobody of the dwelling was asked.
    not_asked: usize,
    /// Where the length does not agree.
    minutes: usize,
    /// Where the number of adults does not agree.
    adults: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BackChecks {
    items: Vec<Checked>,
    /// Enumerators with fewer than ten interviews, of whom nothing is said.
    too_few: usize,
}

/// What the back-checks found, per enumerator over at least ten interviews: facts, never opinions.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/back-checks", tag = "fieldwork", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Kết quả kiểm tra lại (the results)", body = BackChecks),
        (status = 304, description = "Không đổi (not changed)"),
        (status = 409, description = "Đợt chưa có khóa (the wave has no key)"),
    )
)]
pub async fn list_back_checks(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let told = in_project(receiver, caller, *project, Action::SeeFieldwork, |receiver, caller, project| {
        if caller.person.reach.area.is_some() {
            return Err(Problem::new(Code::AreaNotAllowed));
        }
        if receiver.key(project.id).is_err() {
            return Err(Problem::new(Code::WaveHasNoKey));
        }
        let told =
            back_checks::results(receiver, project.id).map_err(|error| Problem::unavailable(&error))?;
        let items = told.enumerators.into_iter().map(|one| Checked {
            enumerator: one.enumerator,
            interviews: one.interviews,
            drawn: one.drawn,
            checked: one.checked,
            not_asked: one.not_asked,
            minutes: one.minutes,
            adults: one.adults,
        });
        Ok(BackChecks { items: items.collect(), too_few: told.too_few })
    })
    .await?;
    found(&request, &told)
}

/// One device in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerLine {
    /// The number of the device.
    device: i64,
    code: Option<String>,
    sent: i64,
    received: i64,
    missing: i64,
    /// Finished interviews on the device alone, as it said last; null where it never compared itself.
    waiting: Option<i64>,
    #[schema(format = DateTime)]
    synced_at: Option<String>,
    days_unsynced: i64,
    revoked: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Ledger {
    items: Vec<LedgerLine>,
}

/// The ledger of devices that have cases in the area in charge: sent, received, missing, days unsynced.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/ledger", tag = "fieldwork", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Sổ gửi nhận (the ledger)", body = Ledger),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_ledger(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let told = in_project(receiver, caller, *project, Action::SeeFieldwork, |receiver, caller, project| {
        let cases = seen(receiver, caller, &project)?;
        let now = Utc::now();
        let is_limited = caller.person.reach.area.is_some();
        let is_here = |device: uuid::Uuid| cases.iter().any(|case| case.assigned_to == Some(device));
        let lines = receiver.field.read(|db| db.list_ledger(project.id, now))?;
        let items =
            lines.into_iter().filter(|line| !is_limited || is_here(line.device.id)).map(|line| LedgerLine {
                device: line.device.actor,
                sent: line.sent(),
                received: line.received,
                missing: line.missing,
                waiting: line.waiting,
                synced_at: line.synced_at.map(moment),
                days_unsynced: line.days_unsynced(now),
                revoked: line.device.revoked,
                code: line.device.code,
            });
        Ok(Ledger { items: items.collect() })
    })
    .await?;
    found(&request, &told)
}
