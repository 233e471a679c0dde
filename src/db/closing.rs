//! Closing: what goes from the two vaults when a wave closes, and the cleaning of the files after it
//! (protection.md rule 13). Every step can be repeated.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::VaultConnection;
use super::error::Error;
use super::vault::{AnswerDb, AnswerVault, FieldDb, FieldVault};

/// Tables of the field vault whose rows of a wave go when it closes, what points to others first, with the condition
/// that finds them (`?` is the wave's number).
pub const GOES: [(&str, &str); 20] = [
    ("attachments", "submission in (select id from submissions where project = ?)"),
    ("submissions", "project = ?"),
    ("withdrawals", "project = ?"),
    ("device_syncs", "project = ?"),
    ("missing_interviews", "project = ?"),
    ("back_checks", "project = ?"),
    ("case_reviews", "project = ?"),
    ("teams", "project = ?"),
    ("interpreters", "project = ?"),
    ("enumerators", "project = ?"),
    ("villages", "project = ?"),
    ("visits", "project = ?"),
    ("listings", "project = ?"),
    ("cases", "project = ?"),
    ("snapshots", "project = ?"),
    ("comments", "project = ?"),
    ("reviews", "project = ?"),
    ("entities", "project = ?"),
    ("dataset_properties", "project = ?"),
    ("datasets", "project = ?"),
];

/// Tables of the field vault that keep their rows: what the wave was, who may do what, the log.
pub const STAYS: [&str; 20] = [
    "__diesel_schema_migrations",
    "vault",
    "projects",
    "forms",
    "form_files",
    "form_confirmations",
    "form_drafts",
    "form_draft_files",
    "app_users",
    "actors",
    "users",
    "sessions",
    "user_projects",
    "grants",
    "documents",
    "backups",
    "servers",
    "closing_confirmations",
    "closing_days",
    "audit",
];

/// Rows that went, by table.
pub type Destroyed = Vec<(String, usize)>;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

impl FieldDb<'_> {
    /// Deletes everything that belongs to a wave's respondents, cases and fieldwork.
    pub fn destroy_wave(&mut self, project: i64) -> Result<Destroyed, Error> {
        // An edit points to what it corrects; without the pointers the rows go in any order.
        let unlink = "update submissions set supersedes = null where project = ?";
        run(self.0, unlink, project)?;
        GOES.iter()
            .map(|(table, condition)| {
                Ok((
                    (*table).to_owned(),
                    run(self.0, &format!("delete from {table} where {condition}"), project)?,
                ))
            })
            .collect()
    }

    /// Rows of a wave that [`Self::destroy_wave`] will delete, by table.
    pub fn count_wave(&mut self, project: i64) -> Result<Vec<(String, i64)>, Error> {
        GOES.iter()
            .map(|(table, condition)| Ok(((*table).to_owned(), count(self.0, table, condition, project)?)))
            .collect()
    }

    /// Names of the files that came with a wave's submissions.
    pub fn list_files_of_wave(&mut self, project: i64) -> Result<Vec<String>, Error> {
        let sql = "select file as name from attachments \
                   where submission in (select id from submissions where project = ?) order by file";
        let names: Vec<Name> = match self.0 {
            VaultConnection::Sqlite(c) => diesel::sql_query(sql).bind::<BigInt, _>(project).load(c)?,
            VaultConnection::Postgresql(c) => {
                diesel::sql_query(sql.replace('?', "$1")).bind::<BigInt, _>(project).load(c)?
            }
        };
        Ok(names.into_iter().map(|row| row.name).collect())
    }

    /// All tables of this vault, so that a test can ask of each whether it goes or stays.
    pub fn list_tables(&mut self) -> Result<Vec<String>, Error> {
        let names: Vec<Name> = match self.0 {
            VaultConnection::Sqlite(c) => {
                diesel::sql_query("select name from sqlite_master where type = 'table' order by name")
                    .load(c)?
            }
            VaultConnection::Postgresql(c) => diesel::sql_query(
                "select table_name::text as name from information_schema.tables \
                 where table_schema = current_schema() order by 1",
            )
            .load(c)?,
        };
        Ok(names.into_iter().map(|row| row.name).collect())
    }
}

impl AnswerDb<'_> {
    /// Deletes all answers of a wave.
    pub fn destroy_wave(&mut self, project: i64) -> Result<usize, Error> {
        run(self.0, "delete from answers where project = ?", project)
    }

    /// How many rows [`Self::destroy_wave`] will delete.
    pub fn count_wave(&mut self, project: i64) -> Result<i64, Error> {
        count(self.0, "answers", "project = ?", project)
    }
}

fn count(connection: &mut VaultConnection, table: &str, condition: &str, project: i64) -> Result<i64, Error> {
    let sql = format!("select count(*) as n from {table} where {condition}");
    let found: Count = match connection {
        VaultConnection::Sqlite(c) => diesel::sql_query(sql).bind::<BigInt, _>(project).get_result(c)?,
        VaultConnection::Postgresql(c) => {
            diesel::sql_query(sql.replace('?', "$1")).bind::<BigInt, _>(project).get_result(c)?
        }
    };
    Ok(found.n)
}

/// Runs a statement about one wave; `?` is its number.
fn run(connection: &mut VaultConnection, sql: &str, project: i64) -> Result<usize, Error> {
    Ok(match connection {
        VaultConnection::Sqlite(c) => diesel::sql_query(sql).bind::<BigInt, _>(project).execute(c)?,
        VaultConnection::Postgresql(c) => {
            diesel::sql_query(sql.replace('?', "$1")).bind::<BigInt, _>(project).execute(c)?
        }
    })
}

impl FieldVault {
    /// Rewrites the database, so that free pages and the write-ahead log hold nothing of what was deleted.
    pub fn clean(&self) -> Result<(), Error> {
        self.alone(clean)
    }
}

impl AnswerVault {
    /// As [`FieldVault::clean`].
    pub fn clean(&self) -> Result<(), Error> {
        self.alone(clean)
    }
}

fn clean(connection: &mut VaultConnection) -> Result<(), Error> {
    match connection {
        VaultConnection::Sqlite(c) => {
            c.batch_execute("vacuum; pragma wal_checkpoint(truncate);")?;
        }
        // A plain VACUUM would leave the bytes in the pages. The write-ahead log turns over by itself; what it holds is
        // sealed under the key that is gone.
        VaultConnection::Postgresql(c) => c.batch_execute("vacuum full")?,
    }
    Ok(())
}
