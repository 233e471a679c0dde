//! App users: enumerators' devices, each with one token that can be revoked.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::actors::ActorKind;
use super::error::Error;
use super::forms::uuid;
use super::schema::field::app_users;
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppUser {
    pub id: Uuid,
    /// The number that ODK Central's paths know the device by.
    pub actor: i64,
    pub project: i64,
    pub display_name: String,
    /// The enumerator's code in the fieldwork plan.
    pub code: Option<String>,
    pub created_at: DateTime<Utc>,
    pub revoked: bool,
    /// When the token ends by itself; `None` = only by revoking.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = app_users)]
struct Row {
    id: String,
    project: i64,
    display_name: String,
    code: Option<String>,
    token_hash: Vec<u8>,
    created_at: NaiveDateTime,
    revoked: bool,
    actor: Option<i64>,
    expires_at: Option<NaiveDateTime>,
}

impl Row {
    fn into_app_user(self) -> Result<AppUser, Error> {
        Ok(AppUser {
            id: uuid(&self.id)?,
            actor: self.actor.ok_or_else(|| Error::contradiction("a device without a number"))?,
            project: self.project,
            display_name: self.display_name,
            code: self.code,
            created_at: self.created_at.and_utc(),
            revoked: self.revoked,
            expires_at: self.expires_at.map(|at| at.and_utc()),
        })
    }
}

impl FieldDb<'_> {
    /// Adds a device. Only the SHA-256 of `token` is kept: 64 random characters need no slower hash.
    pub fn create_app_user(
        &mut self,
        project: i64,
        display_name: &str,
        code: Option<&str>,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<AppUser, Error> {
        let actor = self.create_actor(ActorKind::AppUser)?;
        let row = Row {
            id: Uuid::now_v7().to_string(),
            project,
            display_name: display_name.to_owned(),
            code: code.map(str::to_owned),
            token_hash: token_hash(token),
            created_at: now.naive_utc().trunc_subsecs(6),
            revoked: false,
            actor: Some(actor),
            expires_at: None,
        };
        diesel::insert_into(app_users::table).values(&row).execute(self.0)?;
        row.into_app_user()
    }

    /// The device that holds this token in this project, if it is neither revoked nor expired.
    pub fn find_app_user(
        &mut self,
        project: i64,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<AppUser>, Error> {
        let row: Option<Row> = app_users::table
            .filter(app_users::token_hash.eq(token_hash(token)))
            .filter(app_users::project.eq(project).and(app_users::revoked.eq(false)))
            .filter(app_users::expires_at.is_null().or(app_users::expires_at.gt(now.naive_utc())))
            .select(Row::as_select())
            .first(self.0)
            .optional()?;
        row.map(Row::into_app_user).transpose()
    }

    /// All devices of a project, the oldest first.
    pub fn list_app_users(&mut self, project: i64) -> Result<Vec<AppUser>, Error> {
        let rows: Vec<Row> = app_users::table
            .filter(app_users::project.eq(project))
            .order(app_users::id)
            .select(Row::as_select())
            .load(self.0)?;
        rows.into_iter().map(Row::into_app_user).collect()
    }

    /// The token opens nothing after this moment.
    pub fn set_app_user_expiry(&mut self, id: Uuid, expires_at: DateTime<Utc>) -> Result<(), Error> {
        let device = app_users::table.find(id.to_string());
        let at = expires_at.naive_utc().trunc_subsecs(6);
        match diesel::update(device).set(app_users::expires_at.eq(at)).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("device {id}") }),
            _ => Ok(()),
        }
    }

    /// The token opens nothing from now on.
    pub fn revoke_app_user(&mut self, id: Uuid) -> Result<(), Error> {
        let device = app_users::table.find(id.to_string());
        match diesel::update(device).set(app_users::revoked.eq(true)).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("device {id}") }),
            _ => Ok(()),
        }
    }
}

fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
