//! Cases: the drawn dwellings, who goes there, the visits and what came of them.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::connection::VaultConnection;
use super::error::Error;
use super::forms::uuid;
use super::schema::field::{cases, visits};
use super::vault::FieldDb;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseRole {
    Main,
    Reserve,
}

impl CaseRole {
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Reserve => "reserve",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Main, Self::Reserve].into_iter().find(|role| role.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseStatus {
    /// A reserve that was not released.
    Waiting,
    /// To be visited, or visited without an end.
    Open,
    /// Interviewed.
    Complete,
    /// Ended without an interview.
    Ended,
}

impl CaseStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Ended => "ended",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Open, Self::Complete, Self::Ended]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// One drawn dwelling.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    pub id: Uuid,
    pub project: i64,
    pub village: String,
    pub commune: String,
    pub district: String,
    /// Serial number in the village's list of dwellings.
    pub household: Option<i64>,
    pub stratum: String,
    /// Order in which the stage drew it, from 1.
    pub drawn_order: i64,
    /// Inclusion probability of the village.
    pub probability_1: f64,
    /// Conditional inclusion probability of the dwelling.
    pub probability_2: Option<f64>,
    pub role: CaseRole,
    pub status: CaseStatus,
    pub assigned_to: Option<Uuid>,
    /// The row of the sample as it was drawn, JSON.
    pub sampling: String,
}

/// A drawn dwelling to store; a reserve waits until it is released.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCase {
    pub village: String,
    pub commune: String,
    pub district: String,
    pub household: Option<i64>,
    pub stratum: String,
    pub drawn_order: i64,
    pub probability_1: f64,
    pub probability_2: Option<f64>,
    pub role: CaseRole,
    pub assigned_to: Option<Uuid>,
    pub sampling: String,
}

/// A visit that a submission reports; stored with it, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseVisit {
    pub case: Uuid,
    /// Number of the attempt, from 1.
    pub attempt: i64,
    /// AAPOR code (`1.1`, `2.11` …) as the fieldwork rules name it.
    pub disposition: String,
    pub visited_at: DateTime<Utc>,
    /// What the visit makes of the case, decided by the fieldwork rules.
    pub status: CaseStatus,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    pub case: Uuid,
    pub attempt: i64,
    pub disposition: String,
    pub visited_at: DateTime<Utc>,
    pub visited_by: Option<Uuid>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = cases)]
struct Row {
    id: String,
    project: i64,
    village: String,
    commune: String,
    district: String,
    household: Option<i64>,
    stratum: String,
    drawn_order: i64,
    probability_1: f64,
    probability_2: Option<f64>,
    role: String,
    status: String,
    assigned_to: Option<String>,
    sampling: String,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = visits)]
struct VisitRow {
    id: String,
    project: i64,
    case_id: String,
    attempt: i64,
    disposition: String,
    visited_at: NaiveDateTime,
    visited_by: Option<String>,
}

impl Row {
    fn into_case(self) -> Result<Case, Error> {
        Ok(Case {
            id: uuid(&self.id)?,
            role: CaseRole::from_name(&self.role).ok_or_else(|| Error::contradiction("role of a case"))?,
            status: CaseStatus::from_name(&self.status)
                .ok_or_else(|| Error::contradiction("status of a case"))?,
            assigned_to: self.assigned_to.as_deref().map(uuid).transpose()?,
            project: self.project,
            village: self.village,
            commune: self.commune,
            district: self.district,
            household: self.household,
            stratum: self.stratum,
            drawn_order: self.drawn_order,
            probability_1: self.probability_1,
            probability_2: self.probability_2,
            sampling: self.sampling,
        })
    }
}

impl VisitRow {
    fn into_visit(self) -> Result<Visit, Error> {
        Ok(Visit {
            case: uuid(&self.case_id)?,
            attempt: self.attempt,
            disposition: self.disposition,
            visited_at: self.visited_at.and_utc(),
            visited_by: self.visited_by.as_deref().map(uuid).transpose()?,
        })
    }
}

impl FieldDb<'_> {
    /// Stores drawn cases; the ids come back in the same order. A dwelling drawn twice is refused.
    pub fn create_cases(&mut self, project: i64, new: Vec<NewCase>) -> Result<Vec<Uuid>, Error> {
        let mut ids = Vec::with_capacity(new.len());
        for case in new {
            let id = Uuid::now_v7();
            let status = match case.role {
                CaseRole::Main => CaseStatus::Open,
                CaseRole::Reserve => CaseStatus::Waiting,
            };
            let row = Row {
                id: id.to_string(),
                project,
                village: case.village,
                commune: case.commune,
                district: case.district,
                household: case.household,
                stratum: case.stratum,
                drawn_order: case.drawn_order,
                probability_1: case.probability_1,
                probability_2: case.probability_2,
                role: case.role.name().to_owned(),
                status: status.name().to_owned(),
                assigned_to: case.assigned_to.map(|id| id.to_string()),
                sampling: case.sampling,
            };
            diesel::insert_into(cases::table).values(&row).execute(self.0)?;
            ids.push(id);
        }
        Ok(ids)
    }

    pub fn find_case(&mut self, id: Uuid) -> Result<Option<Case>, Error> {
        let row: Option<Row> =
            cases::table.find(id.to_string()).select(Row::as_select()).first(self.0).optional()?;
        row.map(Row::into_case).transpose()
    }

    /// The case of a dwelling: a village of the sample and a serial number in its list.
    pub fn find_case_of_dwelling(
        &mut self,
        project: i64,
        village: &str,
        household: i64,
    ) -> Result<Option<Case>, Error> {
        let dwelling =
            cases::project.eq(project).and(cases::village.eq(village)).and(cases::household.eq(household));
        let row: Option<Row> =
            cases::table.filter(dwelling).select(Row::as_select()).first(self.0).optional()?;
        row.map(Row::into_case).transpose()
    }

    /// All cases of a project by village, role (main first) and drawn order.
    pub fn list_cases(&mut self, project: i64) -> Result<Vec<Case>, Error> {
        let rows: Vec<Row> =
            cases::table.filter(cases::project.eq(project)).select(Row::as_select()).load(self.0)?;
        in_order(rows)
    }

    /// The cases that a device works on now: assigned to it, open.
    pub fn list_open_cases_of(&mut self, app_user: Uuid) -> Result<Vec<Case>, Error> {
        let rows: Vec<Row> = cases::table
            .filter(cases::assigned_to.eq(app_user.to_string()))
            .filter(cases::status.eq(CaseStatus::Open.name()))
            .select(Row::as_select())
            .load(self.0)?;
        in_order(rows)
    }

    pub fn assign_case(&mut self, id: Uuid, to: Option<Uuid>) -> Result<(), Error> {
        let to = to.map(|id| id.to_string());
        changed_case(
            diesel::update(cases::table.find(id.to_string()))
                .set(cases::assigned_to.eq(to))
                .execute(self.0)?,
        )
    }

    /// Releases a waiting reserve or ends a case from the office.
    pub fn set_case_status(&mut self, id: Uuid, status: CaseStatus) -> Result<(), Error> {
        let case = cases::table.find(id.to_string());
        changed_case(diesel::update(case).set(cases::status.eq(status.name())).execute(self.0)?)
    }

    /// Changes the place of a case in the design, when its stratum took a reserve village.
    pub fn set_case_sampling(&mut self, id: Uuid, probability_1: f64, sampling: &str) -> Result<(), Error> {
        let set = (cases::probability_1.eq(probability_1), cases::sampling.eq(sampling));
        changed_case(diesel::update(cases::table.find(id.to_string())).set(set).execute(self.0)?)
    }

    /// Records a visit once: the same attempt again (a corrected interview) replaces what was recorded.
    pub fn record_visit(&mut self, visit: &CaseVisit, visited_by: Option<Uuid>) -> Result<(), Error> {
        let case = visit.case.to_string();
        let project: Option<i64> =
            cases::table.find(&case).select(cases::project).first(self.0).optional()?;
        let Some(project) = project else {
            return Err(Error::Missing { what: "the case of a visit".to_owned() });
        };
        let row = VisitRow {
            id: Uuid::now_v7().to_string(),
            project,
            case_id: case.clone(),
            attempt: visit.attempt,
            disposition: visit.disposition.clone(),
            visited_at: visit.visited_at.naive_utc().trunc_subsecs(6),
            visited_by: visited_by.map(|id| id.to_string()),
        };
        let insert = diesel::insert_into(visits::table).values(&row);
        let set = (visits::disposition.eq(&row.disposition), visits::visited_at.eq(row.visited_at));
        let attempt = (visits::case_id, visits::attempt);
        match self.0 {
            VaultConnection::Sqlite(c) => insert.on_conflict(attempt).do_update().set(set).execute(c)?,
            VaultConnection::Postgresql(c) => insert.on_conflict(attempt).do_update().set(set).execute(c)?,
        };
        // Visits arrive out of order: only the latest attempt says where the case stands.
        let of_case = visits::table.filter(visits::case_id.eq(&case));
        let later: Option<String> =
            of_case.filter(visits::attempt.gt(visit.attempt)).select(visits::id).first(self.0).optional()?;
        if later.is_none() {
            self.set_case_status(visit.case, visit.status)?;
        }
        Ok(())
    }

    /// All visits of a project by case and attempt.
    pub fn list_visits(&mut self, project: i64) -> Result<Vec<Visit>, Error> {
        let rows: Vec<VisitRow> = visits::table
            .filter(visits::project.eq(project))
            .order((visits::case_id, visits::attempt))
            .select(VisitRow::as_select())
            .load(self.0)?;
        rows.into_iter().map(VisitRow::into_visit).collect()
    }

    /// All visits of a project in the order in which they were recorded.
    pub fn list_visits_by_arrival(&mut self, project: i64) -> Result<Vec<Visit>, Error> {
        let rows: Vec<VisitRow> = visits::table
            .filter(visits::project.eq(project))
            .order(visits::id)
            .select(VisitRow::as_select())
            .load(self.0)?;
        rows.into_iter().map(VisitRow::into_visit).collect()
    }

    /// The visits to one case by attempt.
    pub fn list_visits_of_case(&mut self, case: Uuid) -> Result<Vec<Visit>, Error> {
        let rows: Vec<VisitRow> = visits::table
            .filter(visits::case_id.eq(case.to_string()))
            .order(visits::attempt)
            .select(VisitRow::as_select())
            .load(self.0)?;
        rows.into_iter().map(VisitRow::into_visit).collect()
    }
}

/// By village, role and drawn order, in the order of code points: a database's own order depends on its locale.
fn in_order(mut rows: Vec<Row>) -> Result<Vec<Case>, Error> {
    rows.sort_by(|a, b| {
        let key = |row: &'_ Row| (row.role.clone(), row.drawn_order, row.id.clone());
        a.village.cmp(&b.village).then_with(|| key(a).cmp(&key(b)))
    });
    rows.into_iter().map(Row::into_case).collect()
}

// The message names no case: errors are logged, and a log holds no case ids.
fn changed_case(changed: usize) -> Result<(), Error> {
    match changed {
        0 => Err(Error::Missing { what: "the case".to_owned() }),
        _ => Ok(()),
    }
}
