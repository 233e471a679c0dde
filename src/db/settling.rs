//! Settling: what a crash left between the two vaults is brought to an end.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::answers::Held;
use super::error::Error;
use super::intake::has_ended;
use super::schema::field::submissions;
use super::submissions::{Row, Standing};
use super::vault::{AnswerVault, FieldVault};
use super::withdrawals::finish_withdrawals;
use crate::keys::WaveKey;

/// What settling found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Reservations whose answer was there: the interview is stored, its client will be told so when it asks again.
    pub confirmed: usize,
    /// Reservations without an answer: nothing of the interview is stored, its client will send it again.
    pub dropped: usize,
    /// Withdrawals that were under way.
    pub withdrawn: usize,
}

/// Settles the reservations of a wave whose lease ended before `now`.
///
/// A reservation is dropped only after its token is occupied in the answer vault, so a server that was only slow finds
/// its token taken and cannot insert an answer that nothing points to. Several servers may settle at once.
pub(in crate::db) fn settle_expired(
    field: &FieldVault,
    answers: &AnswerVault,
    project: i64,
    key: &WaveKey,
    now: DateTime<Utc>,
) -> Result<Settled, Error> {
    let mut expired: Vec<Row> = field.read(|db| {
        // Reservations are few and have an index of their own; every other filter would lead a database through all
        // submissions of the wave.
        let leased = submissions::table.filter(submissions::lease_until.is_not_null());
        Ok::<_, Error>(leased.select(Row::as_select()).load(db.0)?)
    })?;
    expired
        .retain(|row| row.project == project && row.lease_until.is_some_and(|lease| has_ended(lease, now)));
    expired.sort_by(|a, b| a.id.cmp(&b.id));
    let mut settled =
        Settled { withdrawn: finish_withdrawals(field, answers, project, key)?, ..Settled::default() };
    if expired.is_empty() {
        return Ok(settled);
    }
    let heads =
        expired.iter().map(|row| row.open(key).map(|(head, _)| head)).collect::<Result<Vec<_>, _>>()?;
    let held = answers.transaction(|db| {
        heads
            .iter()
            .map(|head| db.insert_answer(project, head.token, None))
            .collect::<Result<Vec<_>, Error>>()
    })?;
    field.transaction(|db| {
        for ((row, head), held) in expired.iter().zip(&heads).zip(held) {
            match held {
                Held::Answer => {
                    let counts = row.standing()? != Standing::Conflict;
                    let visit = head.visit.as_ref().filter(|_| counts).map(|visit| (visit, head.app_user));
                    let supersedes = row.supersedes.as_deref();
                    if db.confirm_submission(&row.id, row.lease_until, supersedes, visit)? {
                        settled.confirmed += 1;
                    }
                }
                Held::GivenUp => {
                    if db.drop_reservation(&row.id, row.lease_until)? {
                        settled.dropped += 1;
                    }
                }
            }
        }
        Ok(settled)
    })
}
