//! People who sign in.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use diesel::prelude::*;

use super::actors::ActorKind;
use super::error::Error;
use super::schema::field::{user_projects, users};
use super::vault::FieldDb;
use crate::people::{AreaRef, Reach, Role};

/// Wrong passwords or codes in a row before the account is locked for a while.
const FAILURES_BEFORE_LOCK: i64 = 5;
/// First lock; each further failure doubles it, up to the longest.
const FIRST_LOCK: TimeDelta = TimeDelta::minutes(1);
const LONGEST_LOCK: TimeDelta = TimeDelta::hours(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: i64,
    pub login: String,
    pub role: Role,
    pub reach: Reach,
    /// Argon2id string.
    pub password: String,
    /// The password was given by somebody else and opens nothing but its own change.
    pub must_change: bool,
    /// Sealed TOTP secret.
    pub second_factor: Option<Vec<u8>>,
    /// Step of the last code used.
    pub second_factor_step: i64,
    pub locked_until: Option<DateTime<Utc>>,
    pub disabled: bool,
    pub created_at: DateTime<Utc>,
}

/// A user to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub login: String,
    pub role: Role,
    pub reach: Reach,
    pub password: String,
    pub must_change: bool,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
struct Row {
    id: i64,
    login: String,
    role: String,
    area_level: Option<String>,
    area_code: Option<String>,
    area_date: Option<NaiveDate>,
    organisation: Option<String>,
    password: String,
    must_change: bool,
    second_factor: Option<Vec<u8>>,
    second_factor_step: i64,
    failures: i64,
    locked_until: Option<NaiveDateTime>,
    disabled: bool,
    created_at: NaiveDateTime,
}

impl FieldDb<'_> {
    /// Adds a user. The same login a second time is refused by `user_login_is_used_once`.
    pub fn create_user(&mut self, new: NewUser, now: DateTime<Utc>) -> Result<User, Error> {
        let id = self.create_actor(ActorKind::User)?;
        let area = new.reach.area.as_ref();
        let row = Row {
            id,
            login: new.login,
            role: new.role.name().to_owned(),
            area_level: area.map(|area| area.level.clone()),
            area_code: area.map(|area| area.code.clone()),
            area_date: area.map(|area| area.date),
            organisation: new.reach.organisation.clone(),
            password: new.password,
            must_change: new.must_change,
            second_factor: None,
            second_factor_step: 0,
            failures: 0,
            locked_until: None,
            disabled: false,
            created_at: now.naive_utc().trunc_subsecs(6),
        };
        diesel::insert_into(users::table).values(&row).execute(self.0)?;
        for project in new.reach.projects.iter().flatten() {
            let given = (user_projects::user_id.eq(id), user_projects::project.eq(project));
            diesel::insert_into(user_projects::table).values(given).execute(self.0)?;
        }
        self.read_user(row)
    }

    /// All users by number.
    pub fn list_users(&mut self) -> Result<Vec<User>, Error> {
        let rows: Vec<Row> = users::table.order(users::id).select(Row::as_select()).load(self.0)?;
        rows.into_iter().map(|row| self.read_user(row)).collect()
    }

    pub fn find_user(&mut self, login: &str) -> Result<Option<User>, Error> {
        let row: Option<Row> =
            users::table.filter(users::login.eq(login)).select(Row::as_select()).first(self.0).optional()?;
        row.map(|row| self.read_user(row)).transpose()
    }

    pub fn find_user_by_number(&mut self, id: i64) -> Result<Option<User>, Error> {
        let row: Option<Row> = users::table.find(id).select(Row::as_select()).first(self.0).optional()?;
        row.map(|row| self.read_user(row)).transpose()
    }

    fn read_user(&mut self, row: Row) -> Result<User, Error> {
        let projects: Vec<i64> = user_projects::table
            .filter(user_projects::user_id.eq(row.id))
            .select(user_projects::project)
            .load(self.0)?;
        let area = match (row.area_level, row.area_code, row.area_date) {
            (Some(level), Some(code), Some(date)) => Some(AreaRef { level, code, date }),
            _ => None,
        };
        Ok(User {
            id: row.id,
            login: row.login,
            role: Role::from_name(&row.role).ok_or_else(|| Error::contradiction("role of a user"))?,
            reach: Reach {
                area,
                projects: Some(projects.into_iter().collect::<BTreeSet<_>>())
                    .filter(|given| !given.is_empty()),
                organisation: row.organisation,
            },
            password: row.password,
            must_change: row.must_change,
            second_factor: row.second_factor,
            second_factor_step: row.second_factor_step,
            locked_until: row.locked_until.map(|at| at.and_utc()),
            disabled: row.disabled,
            created_at: row.created_at.and_utc(),
        })
    }

    /// Sets a password, unlocks the account and ends its sessions.
    pub fn set_password(&mut self, user: i64, password: &str, must_change: bool) -> Result<(), Error> {
        let changed = diesel::update(users::table.find(user))
            .set((
                users::password.eq(password),
                users::must_change.eq(must_change),
                users::failures.eq(0),
                users::locked_until.eq(None::<NaiveDateTime>),
            ))
            .execute(self.0)?;
        found(changed, user)?;
        self.delete_sessions_of(user)
    }

    /// Sets or takes away the second factor (sealed) and ends the sessions.
    pub fn set_second_factor(&mut self, user: i64, sealed: Option<&[u8]>) -> Result<(), Error> {
        let changed = diesel::update(users::table.find(user))
            .set((users::second_factor.eq(sealed), users::second_factor_step.eq(0)))
            .execute(self.0)?;
        found(changed, user)?;
        self.delete_sessions_of(user)
    }

    /// The account opens nothing from now on.
    pub fn disable_user(&mut self, user: i64) -> Result<(), Error> {
        let changed =
            diesel::update(users::table.find(user)).set(users::disabled.eq(true)).execute(self.0)?;
        found(changed, user)?;
        self.delete_sessions_of(user)
    }

    /// Uses a code's step up. False when another sign-in used it at the same moment.
    pub fn use_second_factor(&mut self, user: i64, step: i64) -> Result<bool, Error> {
        let unused = users::table.find(user).filter(users::second_factor_step.lt(step));
        Ok(diesel::update(unused).set(users::second_factor_step.eq(step)).execute(self.0)? == 1)
    }

    /// Counts a wrong password or code, and locks the account for a while after some.
    pub fn note_failure(&mut self, user: i64, now: DateTime<Utc>) -> Result<(), Error> {
        diesel::update(users::table.find(user))
            .set(users::failures.eq(users::failures + 1))
            .execute(self.0)?;
        let failures: i64 = users::table.find(user).select(users::failures).first(self.0)?;
        if failures >= FAILURES_BEFORE_LOCK {
            let doubled =
                2_i32.saturating_pow(u32::try_from(failures - FAILURES_BEFORE_LOCK).unwrap_or(30).min(30));
            let lock = FIRST_LOCK.checked_mul(doubled).map_or(LONGEST_LOCK, |lock| lock.min(LONGEST_LOCK));
            let until = (now + lock).naive_utc().trunc_subsecs(6);
            diesel::update(users::table.find(user)).set(users::locked_until.eq(until)).execute(self.0)?;
        }
        Ok(())
    }

    /// A right sign-in forgets the wrong ones before it.
    pub fn forget_failures(&mut self, user: i64) -> Result<(), Error> {
        diesel::update(users::table.find(user))
            .set((users::failures.eq(0), users::locked_until.eq(None::<NaiveDateTime>)))
            .execute(self.0)?;
        Ok(())
    }
}

fn found(changed: usize, user: i64) -> Result<(), Error> {
    if changed == 0 { Err(Error::Missing { what: format!("user {user}") }) } else { Ok(()) }
}
