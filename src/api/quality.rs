//! Quality rates of enumerators (protection.md rule 16): over at least ten interviews, a reason to ask and no verdict.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::found;
use super::problem::{Code, Problem};
use super::request::{Caller, in_project, segment};
use crate::db::{Case, Project};
use crate::intake::Receiver;
use crate::jobs::quality;
use crate::people::{Action, AreaRef, Target};

/// What a supervisor sees of the area in charge.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quality {
    /// Completed interviews that were looked at.
    interviews: usize,
    /// Enumerators with fewer than ten interviews, of whom no rate is given.
    too_few: usize,
    rates: Vec<Rate>,
}

/// One check of one enumerator.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rate {
    enumerator: String,
    check: &'static str,
    /// Interviews of the enumerator, 10 or more.
    #[schema(minimum = 10)]
    n: usize,
    /// Interviews of others it was compared with.
    compared: usize,
    own: Option<f64>,
    expected: Option<f64>,
    z: Option<f64>,
    /// The question whose answers stray most, where the check is about answers.
    question: Option<String>,
    /// A reason to ask, no verdict.
    flagged: bool,
}

impl From<quality::EnumeratorRate> for Rate {
    fn from(rate: quality::EnumeratorRate) -> Self {
        let number = |value: Option<f64>| value.filter(|value| value.is_finite());
        Self {
            enumerator: rate.enumerator,
            check: rate.check,
            n: rate.n,
            compared: rate.compared,
            own: number(rate.own),
            expected: number(rate.expected),
            z: number(rate.z),
            question: rate.question,
            flagged: rate.flagged,
        }
    }
}

/// Whether the dwelling lies in the caller's area. Codes of communes are those of the day the wave was made.
pub(super) fn in_charge(caller: &Caller, project: &Project, case: &Case) -> bool {
    let date = project.created_at.date_naive();
    let commune = AreaRef { level: "commune".to_owned(), code: case.commune.clone(), date };
    let target = Target { area: Some(&commune), ..super::request::target(project) };
    caller.may(Action::SeeFieldwork, target).is_ok()
}

/// Quality rates of one form, from the interviews in the area in charge.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/forms/{form}/quality", tag = "quality",
    params(("project" = i64, Path), ("form" = String, Path)),
    responses(
        (status = 200, description = "Các tỷ lệ (the rates)", body = Quality),
        (status = 304, description = "Không đổi (not changed)"),
        (status = 409, description = "Đợt đã đóng hoặc chưa có khóa (closed, or without a key)"),
    )
)]
pub async fn find_quality(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, String)>,
) -> Result<HttpResponse, Problem> {
    let (project, form) = place.into_inner();
    let told =
        in_project(receiver, caller, project, Action::SeeFieldwork, move |receiver, caller, project| {
            if caller.person.reach.area.is_some() {
                let cases = receiver.field.read(|db| db.list_cases(project.id))?;
                if !cases.iter().any(|case| in_charge(caller, &project, case)) {
                    return Err(Problem::new(Code::AreaNotAllowed));
                }
            }
            receiver.find_form(project.id, segment(&form)?, None)?;
            if project.state == crate::db::ProjectState::Closed {
                return Err(Problem::new(Code::WaveNotOpen));
            }
            if receiver.key(project.id).is_err() {
                return Err(Problem::new(Code::WaveHasNoKey));
            }
            let checked =
                quality::check_where(receiver, project.id, &form, |case| in_charge(caller, &project, case));
            let checked = checked.map_err(|error| Problem::unavailable(&error))?;
            Ok(Quality {
                interviews: checked.interviews,
                too_few: checked.too_few,
                rates: checked.rates.into_iter().map(Rate::from).collect(),
            })
        })
        .await?;
    found(&request, &told)
}
