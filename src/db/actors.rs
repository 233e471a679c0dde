//! Numbers of whoever acts: users and devices share one row of numbers, as in ODK Central.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::connection::VaultConnection;
use super::error::Error;
use super::schema::field::actors;
use super::vault::FieldDb;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    User,
    AppUser,
}

impl FieldDb<'_> {
    /// The next number, taken.
    pub(in crate::db) fn create_actor(&mut self, kind: ActorKind) -> Result<i64, Error> {
        match self.0 {
            // SQLite's writing transaction already stands alone.
            VaultConnection::Sqlite(_) => {}
            VaultConnection::Postgresql(c) => {
                c.batch_execute("lock table actors in share row exclusive mode")?
            }
        }
        let last: Option<i64> = actors::table.select(diesel::dsl::max(actors::id)).first(self.0)?;
        let number = last.unwrap_or(0) + 1;
        let kind = match kind {
            ActorKind::User => "user",
            ActorKind::AppUser => "app_user",
        };
        diesel::insert_into(actors::table)
            .values((actors::id.eq(number), actors::kind.eq(kind)))
            .execute(self.0)?;
        Ok(number)
    }
}
