//! What a running server does for closed waves and for waves whose day has come (protection.md rule 13): it destroys its
//! own copies and confirms it, and closes what nobody closed.

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};

use super::analysis_files::AnalysisFiles;
use super::close;
use super::freeze::TooNear;
use crate::db::{FieldVault, ProjectState, Server};
use crate::intake::Receiver;
use crate::keys::{KeyFolder, KeyFolderError};

/// A server that was silent for longer is not running.
pub const SILENCE: TimeDelta = TimeDelta::seconds(90);
/// After this a closing that has no certificate is no longer under way.
const LONGEST_CLOSING: TimeDelta = TimeDelta::minutes(10);
/// Who closes a wave on its day, for the log.
const CALENDAR: &str = "server, closing day";
/// Seconds east of UTC.
const VIETNAM: i32 = 7 * 3600;

/// One running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The random id of its key folder.
    pub folder: String,
    /// Host and address.
    pub name: String,
}

impl Identity {
    /// The server on this machine with this key folder, listening on `address`.
    pub fn of(keys: &KeyFolder, address: &str) -> Result<Self, KeyFolderError> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Self { folder: keys.id()?, name: format!("{} {address}", host.trim()).trim().to_owned() })
    }
}

/// Whether a server was heard of lately.
pub fn is_running(server: &Server, now: DateTime<Utc>) -> bool {
    now.naive_utc() - server.seen_at < SILENCE
}

/// Says that this server lives.
pub fn announce(field: &FieldVault, own: &Identity, now: DateTime<Utc>) -> Result<(), crate::db::Error> {
    field.transaction(|db| db.announce_server(&own.folder, &own.name, now))
}

/// Destroys this server's copies of every closed wave, in its key folder and its memory, and confirms it.
pub fn confirm_closed(
    receiver: &Receiver,
    keys: &KeyFolder,
    own: &Identity,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let closed = receiver.field.read(|db| db.list_unconfirmed(&own.folder, &own.name))?;
    for project in &closed {
        let gone = keys.destroy_wave(*project)?;
        receiver.forget_key(*project);
        let detail = serde_json::json!({ "project": project, "server": own.name, "files": gone.len() });
        receiver.field.transaction(|db| {
            if db.confirm_closing(*project, (&own.folder, &own.name), &gone, now)? {
                db.append_audit("server", "closing confirmed", &detail.to_string(), now)?;
            }
            Ok::<_, crate::db::Error>(())
        })?;
    }
    Ok(closed.len())
}

/// The day in Việt Nam.
pub fn today(now: DateTime<Utc>) -> NaiveDate {
    FixedOffset::east_opt(VIETNAM).map_or(now.date_naive(), |zone| now.with_timezone(&zone).date_naive())
}

/// Closed waves whose destruction nobody carries on: a crash came in between.
fn interrupted(receiver: &Receiver, now: DateTime<Utc>) -> Result<Vec<i64>, crate::db::Error> {
    receiver.field.read(|db| {
        let mut found = Vec::new();
        for project in db.list_projects()?.into_iter().filter(|p| p.state == ProjectState::Closed) {
            let begun = db.find_document(project.id, close::FACTS)?;
            let is_old = begun.is_some_and(|facts| now - facts.stored_at > LONGEST_CLOSING);
            if is_old && db.find_document(project.id, close::CERTIFICATE)?.is_none() {
                found.push(project.id);
            }
        }
        Ok(found)
    })
}

/// Closes the waves whose day has come, and carries on what a crash interrupted. Of several servers the first that runs does it. Sealed answers that the
/// custodian did not come to open are given up: the day was set so that nobody can put the end off.
pub fn close_due(
    receiver: &Receiver,
    keys: &KeyFolder,
    analysis: &AnalysisFiles,
    own: &Identity,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<i64>> {
    let mut due = receiver.field.read(|db| db.list_due(today(now)))?;
    due.extend(interrupted(receiver, now)?);
    if due.is_empty() {
        return Ok(due);
    }
    let servers = receiver.field.read(|db| db.list_servers())?;
    let first = servers.iter().find(|server| is_running(server, now));
    if first.is_some_and(|first| (&first.folder, &first.name) != (&own.folder, &own.name)) {
        return Ok(Vec::new());
    }
    let options = close::Options {
        custodian: None,
        without_sealed: true,
        too_near: TooNear::KeepEarlier,
        wait: TimeDelta::zero(),
        who: CALENDAR,
        now,
    };
    for project in &due {
        close::close(receiver, keys, analysis, *project, &options)?;
    }
    Ok(due)
}
