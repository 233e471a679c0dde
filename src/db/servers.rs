//! Servers on these vaults, what each of them confirmed to have destroyed, and the day on which a wave is closed
//! (protection.md rule 13).

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;

use super::connection::VaultConnection;
use super::error::Error;
use super::projects::ProjectState;
use super::schema::field::{closing_confirmations, closing_days, projects, servers};
use super::vault::FieldDb;

/// A server as the vault knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Queryable, Selectable, Insertable)]
#[diesel(table_name = servers)]
pub struct Server {
    /// The random id of its key folder.
    pub folder: String,
    /// Host and address, for people.
    pub name: String,
    /// When it last said that it lives, UTC.
    pub seen_at: NaiveDateTime,
}

/// What a server said after it destroyed its copies of a closed wave.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = closing_confirmations)]
pub struct Confirmation {
    pub project: i64,
    pub folder: String,
    pub name: String,
    /// Names of the key files that went, one a line; blank where they were gone already.
    pub files: String,
    pub confirmed_at: NaiveDateTime,
}

impl FieldDb<'_> {
    /// A server says that it lives.
    pub fn announce_server(&mut self, folder: &str, name: &str, now: DateTime<Utc>) -> Result<(), Error> {
        let seen_at = now.naive_utc().trunc_subsecs(6);
        let known = diesel::update(servers::table.find((folder, name))).set(servers::seen_at.eq(seen_at));
        if known.execute(self.0)? == 0 {
            let row = Server { folder: folder.to_owned(), name: name.to_owned(), seen_at };
            diesel::insert_into(servers::table).values(&row).execute(self.0)?;
        }
        Ok(())
    }

    /// All servers that ever ran here, in order.
    pub fn list_servers(&mut self) -> Result<Vec<Server>, Error> {
        let all = servers::table.order((servers::folder, servers::name));
        Ok(all.select(Server::as_select()).load(self.0)?)
    }

    /// Notes that a server destroyed its copies of a closed wave; false where it had said so before.
    pub fn confirm_closing(
        &mut self,
        project: i64,
        (folder, name): (&str, &str),
        files: &[String],
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let row = Confirmation {
            project,
            folder: folder.to_owned(),
            name: name.to_owned(),
            files: files.join("\n"),
            confirmed_at: now.naive_utc().trunc_subsecs(6),
        };
        let insert = diesel::insert_into(closing_confirmations::table).values(&row);
        let inserted = match self.0 {
            VaultConnection::Sqlite(c) => insert.on_conflict_do_nothing().execute(c)?,
            VaultConnection::Postgresql(c) => insert.on_conflict_do_nothing().execute(c)?,
        };
        Ok(inserted == 1)
    }

    pub fn list_confirmations(&mut self, project: i64) -> Result<Vec<Confirmation>, Error> {
        let of_wave = closing_confirmations::table.filter(closing_confirmations::project.eq(project));
        let in_order = of_wave.order((closing_confirmations::folder, closing_confirmations::name));
        Ok(in_order.select(Confirmation::as_select()).load(self.0)?)
    }

    /// Closed waves that this server has not confirmed yet.
    pub fn list_unconfirmed(&mut self, folder: &str, name: &str) -> Result<Vec<i64>, Error> {
        let confirmed = closing_confirmations::table
            .filter(closing_confirmations::folder.eq(folder).and(closing_confirmations::name.eq(name)))
            .select(closing_confirmations::project);
        Ok(projects::table
            .filter(projects::state.eq(ProjectState::Closed.name()))
            .filter(projects::id.ne_all(confirmed))
            .order(projects::id)
            .select(projects::id)
            .load(self.0)?)
    }

    /// Sets the day on which a wave is closed. Once set it can be brought forward, never put off; answers the day that
    /// holds.
    pub fn close_on(&mut self, project: i64, day: NaiveDate, now: DateTime<Utc>) -> Result<NaiveDate, Error> {
        let known = self.closing_day(project)?;
        let day = known.map_or(day, |known| known.min(day));
        let set_at = now.naive_utc().trunc_subsecs(6);
        let values = (closing_days::close_on.eq(day), closing_days::set_at.eq(set_at));
        match known {
            Some(_) => diesel::update(closing_days::table.find(project)).set(values).execute(self.0)?,
            None => diesel::insert_into(closing_days::table)
                .values((closing_days::project.eq(project), values.0, values.1))
                .execute(self.0)?,
        };
        Ok(day)
    }

    /// The day on which a wave is closed, where one was set.
    pub fn closing_day(&mut self, project: i64) -> Result<Option<NaiveDate>, Error> {
        let day = closing_days::table.find(project).select(closing_days::close_on);
        Ok(day.first(self.0).optional()?)
    }

    /// Waves that are not closed though their day has come.
    pub fn list_due(&mut self, today: NaiveDate) -> Result<Vec<i64>, Error> {
        Ok(closing_days::table
            .inner_join(projects::table)
            .filter(closing_days::close_on.le(today))
            .filter(projects::state.ne(ProjectState::Closed.name()))
            .order(projects::id)
            .select(projects::id)
            .load(self.0)?)
    }
}
