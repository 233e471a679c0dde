//! Grants: records of a survey open to one named person, for a purpose, until a day (protection.md rule 7).

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::error::Error;
use super::forms::uuid;
use super::schema::field::grants;
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Random ids of records are made anew for each grant, so that two of them cannot be joined.
    pub id: Uuid,
    pub project: i64,
    pub user: i64,
    pub approver: i64,
    pub purpose: String,
    /// Last day.
    pub until: NaiveDate,
    pub created_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = grants)]
struct Row {
    id: String,
    project: i64,
    user_id: i64,
    approver: i64,
    purpose: String,
    until: NaiveDate,
    created_at: NaiveDateTime,
}

impl Row {
    fn into_grant(self) -> Result<Grant, Error> {
        Ok(Grant {
            id: uuid(&self.id)?,
            project: self.project,
            user: self.user_id,
            approver: self.approver,
            purpose: self.purpose,
            until: self.until,
            created_at: self.created_at.and_utc(),
        })
    }
}

impl FieldDb<'_> {
    pub fn create_grant(
        &mut self,
        project: i64,
        user: i64,
        approver: i64,
        purpose: &str,
        until: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Grant, Error> {
        let row = Row {
            id: Uuid::new_v4().to_string(),
            project,
            user_id: user,
            approver,
            purpose: purpose.to_owned(),
            until,
            created_at: now.naive_utc().trunc_subsecs(6),
        };
        diesel::insert_into(grants::table).values(&row).execute(self.0)?;
        row.into_grant()
    }

    /// The grant under which this person may open records today, the one that lasts longest.
    pub fn find_grant(&mut self, project: i64, user: i64, today: NaiveDate) -> Result<Option<Grant>, Error> {
        let row: Option<Row> = grants::table
            .filter(grants::project.eq(project).and(grants::user_id.eq(user)).and(grants::until.ge(today)))
            .order((grants::until.desc(), grants::id))
            .select(Row::as_select())
            .first(self.0)
            .optional()?;
        row.map(Row::into_grant).transpose()
    }

    /// All grants of a project, the oldest first.
    pub fn list_grants(&mut self, project: i64) -> Result<Vec<Grant>, Error> {
        let rows: Vec<Row> = grants::table
            .filter(grants::project.eq(project))
            .order((grants::created_at, grants::id))
            .select(Row::as_select())
            .load(self.0)?;
        rows.into_iter().map(Row::into_grant).collect()
    }
}
