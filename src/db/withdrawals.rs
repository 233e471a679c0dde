//! Withdrawals: an interview goes with all its versions, and a tombstone keeps it from coming back (rules 5 and 14).
//!
//! Three commits, each repeatable: the field vault marks the rows and lays the tombstones, the answer vault empties the
//! tokens, the field vault deletes the rows. After a crash in between, settling carries on.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::connection::VaultConnection;
use super::error::Error;
use super::schema::field::{attachments, submissions, withdrawals};
use super::submissions::{LEAVING, Row};
use super::vault::{AnswerVault, FieldDb, FieldVault};
use crate::keys::WaveKey;

#[derive(Insertable)]
#[diesel(table_name = withdrawals)]
struct Tombstone {
    project: i64,
    form_id: String,
    instance: Vec<u8>,
}

/// Withdraws the interview that an instance id's HMAC names. Where it is not here, with `lay_tombstone` it is kept from
/// coming (back).
pub(in crate::db) fn withdraw(
    field: &FieldVault,
    answers: &AnswerVault,
    (project, form_id, instance): (i64, &str, &[u8]),
    lay_tombstone: bool,
    key: &WaveKey,
) -> Result<Option<Vec<String>>, Error> {
    let chain = field.transaction(|db| {
        let Some(found) = db.holder_of_instance(project, form_id, instance)? else {
            if lay_tombstone {
                db.lay_tombstone(project, form_id, instance)?;
            }
            return Ok::<_, Error>(None);
        };
        let chain: Vec<Row> = submissions::table
            .filter(submissions::project.eq(project).and(submissions::form_id.eq(form_id)))
            .filter(submissions::first_instance.eq(&found.first_instance))
            .select(Row::as_select())
            .load(db.0)?;
        for row in &chain {
            db.lay_tombstone(row.project, &row.form_id, &row.instance)?;
            diesel::update(submissions::table.find(&row.id))
                .set((
                    submissions::state.eq(LEAVING),
                    submissions::lease_until.eq(None::<chrono::NaiveDateTime>),
                ))
                .execute(db.0)?;
        }
        Ok(Some(chain))
    })?;
    let Some(chain) = chain else { return Ok(None) };
    remove(field, answers, chain, key).map(Some)
}

/// Carries on with withdrawals that a crash interrupted; returns how many rows went.
pub(in crate::db) fn finish_withdrawals(
    field: &FieldVault,
    answers: &AnswerVault,
    project: i64,
    key: &WaveKey,
) -> Result<usize, Error> {
    let leaving = field.read(|db| db.list_leaving(project))?;
    let many = leaving.len();
    if many > 0 {
        remove(field, answers, leaving, key)?;
    }
    Ok(many)
}

fn remove(
    field: &FieldVault,
    answers: &AnswerVault,
    mut rows: Vec<Row>,
    key: &WaveKey,
) -> Result<Vec<String>, Error> {
    let tokens =
        rows.iter().map(|row| row.open(key).map(|(head, _)| head.token)).collect::<Result<Vec<_>, _>>()?;
    answers.transaction(|db| {
        for (row, token) in rows.iter().zip(tokens) {
            db.give_up_token(row.project, token)?;
        }
        Ok::<_, Error>(())
    })?;
    // An edit points to what it corrects, so the later one goes first.
    rows.sort_by(|a, b| b.id.cmp(&a.id));
    field.transaction(|db| {
        let mut files = Vec::new();
        for row in &rows {
            let of_row = attachments::table.filter(attachments::submission.eq(&row.id));
            files.extend(of_row.order(attachments::id).select(attachments::file).load::<String>(db.0)?);
            diesel::delete(of_row).execute(db.0)?;
            diesel::delete(submissions::table.find(&row.id)).execute(db.0)?;
        }
        Ok(files)
    })
}

impl FieldDb<'_> {
    /// True when this instance was withdrawn.
    pub(in crate::db) fn is_withdrawn(
        &mut self,
        project: i64,
        form_id: &str,
        instance: &[u8],
    ) -> Result<bool, Error> {
        let found: Option<i64> = withdrawals::table
            .find((project, form_id, instance))
            .select(withdrawals::project)
            .first(self.0)
            .optional()?;
        Ok(found.is_some())
    }

    /// Rows of withdrawals that are not finished. They are found by their tombstones, which are few: a filter by state
    /// would read every submission of the wave, once a minute.
    fn list_leaving(&mut self, project: i64) -> Result<Vec<Row>, Error> {
        let mut tombstones: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        let laid = withdrawals::table.filter(withdrawals::project.eq(project));
        for (form, instance) in laid.select((withdrawals::form_id, withdrawals::instance)).load(self.0)? {
            tombstones.entry(form).or_default().push(instance);
        }
        let mut leaving = Vec::new();
        for (form, instances) in &tombstones {
            // Both databases bound how many values one query may name.
            for part in instances.chunks(500) {
                let of_form = submissions::project.eq(project).and(submissions::form_id.eq(form));
                let found: Vec<Row> = submissions::table
                    .filter(of_form.and(submissions::instance.eq_any(part)))
                    .filter(submissions::state.eq(LEAVING))
                    .select(Row::as_select())
                    .load(self.0)?;
                leaving.extend(found);
            }
        }
        Ok(leaving)
    }

    fn lay_tombstone(&mut self, project: i64, form_id: &str, instance: &[u8]) -> Result<(), Error> {
        let tombstone = Tombstone { project, form_id: form_id.to_owned(), instance: instance.to_vec() };
        let insert = diesel::insert_into(withdrawals::table).values(&tombstone);
        match self.0 {
            VaultConnection::Sqlite(c) => insert.on_conflict_do_nothing().execute(c)?,
            VaultConnection::Postgresql(c) => insert.on_conflict_do_nothing().execute(c)?,
        };
        Ok(())
    }
}
