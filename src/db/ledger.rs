//! The ledger of devices: what each one sent, what is here, what is missing, and when it was last heard of.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::app_users::AppUser;
use super::connection::VaultConnection;
use super::error::Error;
use super::schema::field::{attachments, device_syncs, missing_interviews, submissions};
use super::submissions::{CONFIRMED, Row, instance_name};
use super::vault::FieldDb;
use crate::keys::WaveKey;

/// Between a confirmation and its commit, and between the clocks of several servers.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// An interview that a device believes sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub form_id: String,
    pub instance_id: String,
    /// How many files belong to it.
    pub files: i64,
}

/// Where an interview of a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is not here, or not with all its files: the device sends it again.
    Missing,
    /// It is on the disk of both vaults; the device keeps its copy.
    Stored,
    /// It is in a backup that was restored and compared: the copy may leave the device.
    BackedUp,
    /// It was withdrawn: the copy may leave the device.
    Withdrawn,
}

impl Held {
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stored => "stored",
            Self::BackedUp => "backed_up",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One device in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceLedger {
    pub device: AppUser,
    /// Submissions of it that are here.
    pub received: i64,
    /// Of those it believes sent, how many are not here.
    pub missing: i64,
    /// Finished interviews that lie on the device alone, as it said last; `None` = it never compared itself (ODK Collect).
    pub waiting: Option<i64>,
    pub synced_at: Option<DateTime<Utc>>,
    /// When it was last heard of, by comparing or by sending (then to the hour).
    pub heard_at: Option<DateTime<Utc>>,
}

impl DeviceLedger {
    /// What it sent as far as anyone knows: what is here and what it misses.
    pub fn sent(&self) -> i64 {
        self.received + self.missing
    }

    /// Whole days since it was last heard of; since it was made where it never was.
    pub fn days_unsynced(&self, now: DateTime<Utc>) -> i64 {
        (now - self.heard_at.unwrap_or(self.device.created_at)).num_days().max(0)
    }
}

/// The first full hour that is at least five minutes after a confirmation. Hours, because the ledger needs no finer times
/// and the vault should hold none.
pub(in crate::db) fn backups_from(confirmed: DateTime<Utc>) -> DateTime<Utc> {
    let hour = TimeDelta::hours(1);
    (confirmed + MARGIN).duration_trunc(hour).map_or(confirmed + hour + MARGIN, |begun| begun + hour)
}

impl FieldDb<'_> {
    /// Answers what a device asks after sending: where each of these interviews stands. What is missing is kept until it
    /// comes.
    pub fn compare_with_device(
        &mut self,
        device: &AppUser,
        claims: &[Claim],
        waiting: i64,
        now: DateTime<Utc>,
        key: &WaveKey,
    ) -> Result<Vec<Held>, Error> {
        let backed_up = self.last_verified_backup()?;
        let at = now.naive_utc().trunc_subsecs(6);
        let held = claims
            .iter()
            .map(|claim| {
                let instance = instance_name(key, &claim.form_id, &claim.instance_id);
                let held = self.held(device, claim, &instance, backed_up, key)?;
                self.note_missing(device, claim, &instance, held == Held::Missing, at)?;
                Ok(held)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let set = (device_syncs::synced_at.eq(at), device_syncs::waiting.eq(waiting));
        let known = device_syncs::table.find(device.id.to_string());
        if diesel::update(known).set(set).execute(self.0)? == 0 {
            let row =
                (device_syncs::app_user.eq(device.id.to_string()), device_syncs::project.eq(device.project));
            diesel::insert_into(device_syncs::table).values((row, set)).execute(self.0)?;
        }
        Ok(held)
    }

    fn held(
        &mut self,
        device: &AppUser,
        claim: &Claim,
        instance: &[u8],
        backed_up: Option<DateTime<Utc>>,
        key: &WaveKey,
    ) -> Result<Held, Error> {
        if self.is_withdrawn(device.project, &claim.form_id, instance)? {
            return Ok(Held::Withdrawn);
        }
        let own = device.id.to_string();
        // Under one id there may be what another device sent; it is not this device's interview.
        let rows = self.rows_of_instance(device.project, &claim.form_id, instance)?;
        let is_own =
            |row: &&Row| row.state == CONFIRMED && row.sender.as_ref().is_none_or(|sender| *sender == own);
        let Some(row) = rows.iter().find(is_own) else { return Ok(Held::Missing) };
        let files: Vec<String> = attachments::table
            .filter(attachments::submission.eq(&row.id))
            .select(attachments::id)
            .load(self.0)?;
        if (files.len() as i64) < claim.files {
            return Ok(Held::Missing);
        }
        let Some(backed_up) = backed_up else { return Ok(Held::Stored) };
        // Submissions from before the ledger say in their sealed half when they came.
        let from = match row.backups_from {
            Some(from) => from.and_utc(),
            None => backups_from(row.open(key)?.0.received_at),
        };
        let files_from = files.iter().filter_map(|id| arrived(id)).map(backups_from).max();
        let is_in = files_from.map_or(from, |files| from.max(files)) <= backed_up;
        Ok(if is_in { Held::BackedUp } else { Held::Stored })
    }

    fn note_missing(
        &mut self,
        device: &AppUser,
        claim: &Claim,
        instance: &[u8],
        is_missing: bool,
        at: NaiveDateTime,
    ) -> Result<(), Error> {
        let app_user = device.id.to_string();
        if !is_missing {
            let known = missing_interviews::table.find((device.project, &claim.form_id, instance, &app_user));
            diesel::delete(known).execute(self.0)?;
            return Ok(());
        }
        let insert = diesel::insert_into(missing_interviews::table).values((
            missing_interviews::project.eq(device.project),
            missing_interviews::form_id.eq(&claim.form_id),
            missing_interviews::instance.eq(instance),
            missing_interviews::app_user.eq(app_user),
            missing_interviews::first_missed_at.eq(at),
        ));
        match self.0 {
            VaultConnection::Sqlite(c) => insert.on_conflict_do_nothing().execute(c)?,
            VaultConnection::Postgresql(c) => insert.on_conflict_do_nothing().execute(c)?,
        };
        Ok(())
    }

    /// The ledger of all devices of a wave, the oldest device first.
    pub fn list_ledger(&mut self, project: i64, now: DateTime<Utc>) -> Result<Vec<DeviceLedger>, Error> {
        let received: Vec<(Option<String>, i64, Option<NaiveDateTime>)> = submissions::table
            .filter(submissions::project.eq(project).and(submissions::state.eq(CONFIRMED)))
            .group_by(submissions::sender)
            .select((
                submissions::sender,
                diesel::dsl::count_star(),
                diesel::dsl::max(submissions::backups_from),
            ))
            .load(self.0)?;
        let received: HashMap<String, (i64, Option<NaiveDateTime>)> =
            received.into_iter().filter_map(|(sender, n, last)| Some((sender?, (n, last)))).collect();
        let missing: HashMap<String, i64> = missing_interviews::table
            .filter(missing_interviews::project.eq(project))
            // It may have come since the device asked.
            .filter(diesel::dsl::not(diesel::dsl::exists(
                submissions::table
                    .filter(submissions::project.eq(missing_interviews::project))
                    .filter(submissions::form_id.eq(missing_interviews::form_id))
                    .filter(submissions::instance.eq(missing_interviews::instance))
                    .filter(submissions::state.eq(CONFIRMED))
                    .filter(submissions::sender.eq(missing_interviews::app_user.nullable())),
            )))
            .group_by(missing_interviews::app_user)
            .select((missing_interviews::app_user, diesel::dsl::count_star()))
            .load::<(String, i64)>(self.0)?
            .into_iter()
            .collect();
        let synced: HashMap<String, (NaiveDateTime, i64)> = device_syncs::table
            .filter(device_syncs::project.eq(project))
            .select((device_syncs::app_user, device_syncs::synced_at, device_syncs::waiting))
            .load::<(String, NaiveDateTime, i64)>(self.0)?
            .into_iter()
            .map(|(device, at, waiting)| (device, (at, waiting)))
            .collect();
        let devices = self.list_app_users(project)?;
        let ledger = devices.into_iter().map(|device| {
            let id = device.id.to_string();
            let (received, last) = received.get(&id).copied().unwrap_or_default();
            let sync = synced.get(&id);
            let synced_at = sync.map(|(at, _)| at.and_utc());
            // The hour lies ahead of the sending; nobody is heard of in the future.
            let sent_at = last.map(|at| at.and_utc().min(now));
            DeviceLedger {
                received,
                missing: missing.get(&id).copied().unwrap_or_default(),
                waiting: sync.map(|(_, waiting)| *waiting),
                synced_at,
                heard_at: synced_at.max(sent_at),
                device,
            }
        });
        Ok(ledger.collect())
    }
}

/// When a row was made that has a UUID of version 7 as its id.
fn arrived(id: &str) -> Option<DateTime<Utc>> {
    let (seconds, nanoseconds) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_has_what_was_confirmed_well_before_it() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
        assert_eq!(backups_from(at("2026-08-03T08:00:00Z")), at("2026-08-03T09:00:00Z"));
        assert_eq!(backups_from(at("2026-08-03T08:54:59Z")), at("2026-08-03T09:00:00Z"));
        assert_eq!(backups_from(at("2026-08-03T08:55:00Z")), at("2026-08-03T10:00:00Z"));
    }
}
