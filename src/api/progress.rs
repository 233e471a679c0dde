//! Progress of the fieldwork as the API tells it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::found;
use super::fieldwork::seen;
use super::problem::Problem;
use super::quality::in_charge;
use super::request::{Caller, in_project};
use crate::db::Case;
use crate::fieldwork::progress;
use crate::intake::Receiver;
use crate::jobs;
use crate::people::Action;

/// Counts of one stratum, area, enumerator, or all.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressGroup {
    name: String,
    /// Main cases: what the plan asks for.
    planned: u64,
    /// Of them due by today, where the wave has a first and a last day.
    due_by_now: Option<u64>,
    /// Reserves that were released.
    released: u64,
    /// Reserves that are left.
    reserves: u64,
    not_begun: u64,
    /// Somebody went, nobody was met, and the rule asks for another visit.
    begun: u64,
    interviews: u64,
    partials: u64,
    refusals: u64,
    non_contacts: u64,
    others: u64,
    unknown: u64,
    ineligible: u64,
    /// AAPOR response rate 1 of the cases that have ended; of an enumerator from ten of them on.
    rr1: Option<f64>,
    /// The same, response rate 3.
    rr3: Option<f64>,
    /// Released reserves among the issued cases.
    substitution: Option<f64>,
}

impl From<progress::Group> for ProgressGroup {
    fn from(group: progress::Group) -> Self {
        Self {
            name: group.name,
            planned: group.planned,
            due_by_now: group.due_by_now,
            released: group.released,
            reserves: group.reserves,
            not_begun: group.not_begun,
            begun: group.begun,
            interviews: group.interviews,
            partials: group.partials,
            refusals: group.refusals,
            non_contacts: group.non_contacts,
            others: group.others,
            unknown: group.unknown,
            ineligible: group.ineligible,
            rr1: group.rr1,
            rr3: group.rr3,
            substitution: group.substitution,
        }
    }
}

/// When the open cases will have ended at the pace of the last days.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projection {
    open: u64,
    /// Cases a day that ended in the last seven days.
    a_day: f64,
    #[schema(format = Date)]
    ends: Option<String>,
    /// The calendar's last day.
    #[schema(format = Date)]
    planned_end: Option<String>,
    how: String,
}

/// What the interviews so far can tell about a share of 50%.
#[derive(Debug, Serialize, ToSchema)]
pub struct Precision {
    domain: String,
    n: u64,
    villages: u64,
    /// Degrees of freedom: villages − strata.
    df: i64,
    /// From unequal probabilities (Kish).
    deff_weights: Option<f64>,
    /// From several interviews a village, with the likeness assumed.
    deff_villages: Option<f64>,
    deff: Option<f64>,
    /// Half of the 95% interval of a share of 50%.
    half_width: Option<f64>,
    /// Why there is none.
    reason: Option<&'static str>,
}

impl From<progress::Precision> for Precision {
    fn from(told: progress::Precision) -> Self {
        Self {
            domain: told.domain,
            n: told.n,
            villages: told.villages,
            df: told.df,
            deff_weights: told.deff_weights,
            deff_villages: told.deff_villages,
            deff: told.deff,
            half_width: told.half_width,
            reason: told.reason,
        }
    }
}

/// Counts of cases in the area in charge.
#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    #[schema(format = Date)]
    on: String,
    total: ProgressGroup,
    strata: Vec<ProgressGroup>,
    areas: Vec<ProgressGroup>,
    enumerators: Vec<ProgressGroup>,
    villages: u64,
    villages_postponed: u64,
    /// Villages given up for a reserve.
    villages_replaced: u64,
    projection: Projection,
    precision: Vec<Precision>,
    /// The likeness inside a village that the precision assumes.
    likeness: f64,
}

impl From<progress::Progress> for Progress {
    fn from(told: progress::Progress) -> Self {
        let groups = |groups: Vec<progress::Group>| groups.into_iter().map(ProgressGroup::from).collect();
        let projection = told.projection;
        Self {
            on: told.on.to_string(),
            total: told.total.into(),
            strata: groups(told.strata),
            areas: groups(told.areas),
            enumerators: groups(told.enumerators),
            villages: told.villages,
            villages_postponed: told.villages_postponed,
            villages_replaced: told.villages_replaced,
            projection: Projection {
                open: projection.open,
                a_day: projection.a_day,
                ends: projection.ends.map(|day| day.to_string()),
                planned_end: projection.planned_end.map(|day| day.to_string()),
                how: projection.how,
            },
            precision: told.precision.into_iter().map(Precision::from).collect(),
            likeness: told.likeness,
        }
    }
}

/// How far the fieldwork is, in the area in charge.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/progress", tag = "fieldwork", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Tiến độ (the progress)", body = Progress),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_progress(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let told = in_project(receiver, caller, *project, Action::SeeFieldwork, |receiver, caller, project| {
        seen(receiver, caller, &project)?;
        let is_seen = |case: &Case| in_charge(caller, &project, case);
        let told = jobs::progress::of_wave(&receiver.field, project.id, is_seen, Utc::now());
        Ok(Progress::from(told.map_err(|error| Problem::unavailable(&error))?))
    })
    .await?;
    found(&request, &told)
}
