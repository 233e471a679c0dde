//! Submissions: the sealed field halves, their standing, and the way back from an instance id to both halves.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answers::{with_head, without_head};
use super::cases::CaseVisit;
use super::connection::VaultConnection;
use super::error::Error;
use super::forms::uuid;
use super::ledger::backups_from;
use super::schema::field::submissions;
use super::vault::FieldDb;
use crate::keys::{Purpose, WaveKey};

const PAGE: i64 = 500;

pub(in crate::db) const RESERVED: &str = "reserved";
pub(in crate::db) const CONFIRMED: &str = "confirmed";
pub(in crate::db) const LEAVING: &str = "leaving";

/// What a stored submission counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The valid version of an interview.
    Current,
    /// Corrected by a later edit; kept.
    Superseded,
    /// Came under an instance id that was taken, with other content; kept for a person to decide.
    Conflict,
}

impl Standing {
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::Conflict => "conflict",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Current, Self::Superseded, Self::Conflict].into_iter().find(|standing| standing.name() == name)
    }
}

/// An opened field half.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    pub id: Uuid,
    pub project: i64,
    pub form_id: String,
    pub form_version: String,
    pub standing: Standing,
    pub instance_id: String,
    /// Instance id of the first version of the interview; sealed blocks are tied to it.
    pub first_instance_id: String,
    pub deprecated_id: Option<String>,
    /// When the server had it all; the device's clock is not asked.
    pub received_at: DateTime<Utc>,
    pub app_user: Option<Uuid>,
    pub device: Option<String>,
    /// The number of the user who sent it without a device's token.
    pub submitter: Option<i64>,
    pub visit: Option<CaseVisit>,
    /// What was noticed on arrival, by code (`block_sealed_by_server` …).
    pub flags: Vec<String>,
    /// The tie to the answer half.
    pub token: Uuid,
    /// The field half of the XML.
    pub xml: Vec<u8>,
}

/// What is sealed beside the XML, one line of JSON before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::db) struct Head {
    pub token: Uuid,
    pub instance_id: String,
    pub first_instance_id: String,
    pub deprecated_id: Option<String>,
    pub received_at: DateTime<Utc>,
    pub app_user: Option<Uuid>,
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<i64>,
    pub visit: Option<CaseVisit>,
    pub flags: Vec<String>,
}

impl Head {
    /// The sealed field half of the submission `id`.
    pub(in crate::db) fn seal(
        &self,
        project: i64,
        id: Uuid,
        xml: &[u8],
        key: &WaveKey,
    ) -> Result<Vec<u8>, Error> {
        Ok(key.seal(Purpose::FieldHalf, &place(project, &id.to_string()), &with_head(self, xml)?)?)
    }
}

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = submissions)]
pub(in crate::db) struct Row {
    pub id: String,
    pub project: i64,
    pub form_id: String,
    pub form_version: String,
    pub instance: Vec<u8>,
    pub content: Vec<u8>,
    pub first_instance: Vec<u8>,
    pub field_half: Vec<u8>,
    pub state: String,
    pub standing: String,
    pub lease_until: Option<NaiveDateTime>,
    pub supersedes: Option<String>,
    /// The device that it came from.
    pub sender: Option<String>,
    /// A backup that was taken from then on has it.
    pub backups_from: Option<NaiveDateTime>,
}

impl Row {
    pub(in crate::db) fn open(&self, key: &WaveKey) -> Result<(Head, Vec<u8>), Error> {
        let plain = key.open(Purpose::FieldHalf, &place(self.project, &self.id), &self.field_half)?;
        let (head, xml) = without_head::<Head>(&plain)?;
        Ok((head, xml.to_vec()))
    }

    pub(in crate::db) fn standing(&self) -> Result<Standing, Error> {
        Standing::from_name(&self.standing).ok_or_else(|| Error::contradiction("standing of a submission"))
    }

    pub(in crate::db) fn into_submission(self, key: &WaveKey) -> Result<Submission, Error> {
        let (head, xml) = self.open(key)?;
        Ok(Submission {
            id: uuid(&self.id)?,
            standing: self.standing()?,
            project: self.project,
            form_id: self.form_id,
            form_version: self.form_version,
            instance_id: head.instance_id,
            first_instance_id: head.first_instance_id,
            deprecated_id: head.deprecated_id,
            received_at: head.received_at,
            app_user: head.app_user,
            device: head.device,
            submitter: head.submitter,
            visit: head.visit,
            flags: head.flags,
            token: head.token,
            xml,
        })
    }
}

/// HMAC of an instance id under the wave key; an instance id is unique per form.
pub fn instance_name(key: &WaveKey, form_id: &str, instance_id: &str) -> [u8; 32] {
    key.name("instance", &[form_id.as_bytes(), instance_id.as_bytes()])
}

impl FieldDb<'_> {
    /// Opens every confirmed submission of a wave in order of arrival, a page at a time: the current ones, those
    /// that an edit superseded and those that came in conflict; `standing` says which.
    pub fn each_submission<E: From<Error>>(
        &mut self,
        project: i64,
        key: &WaveKey,
        mut visit: impl FnMut(Submission) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = String::new();
        loop {
            let rows: Vec<Row> = submissions::table
                .filter(submissions::project.eq(project).and(submissions::id.gt(&after)))
                .filter(submissions::state.eq(CONFIRMED))
                .order(submissions::id)
                .limit(PAGE)
                .select(Row::as_select())
                .load(self.0)
                .map_err(Error::from)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for row in rows {
                visit(row.into_submission(key)?)?;
            }
        }
    }

    /// As [`Self::each_submission`], all at once.
    pub fn list_submissions(&mut self, project: i64, key: &WaveKey) -> Result<Vec<Submission>, Error> {
        let mut all = Vec::new();
        self.each_submission(project, key, |submission| {
            all.push(submission);
            Ok::<(), Error>(())
        })?;
        Ok(all)
    }

    /// Number of confirmed submissions of a wave that stand as current.
    pub fn count_submissions(&mut self, project: i64) -> Result<i64, Error> {
        Ok(submissions::table
            .filter(submissions::project.eq(project))
            .filter(submissions::state.eq(CONFIRMED))
            .filter(submissions::standing.eq(Standing::Current.name()))
            .count()
            .get_result(self.0)?)
    }

    /// The confirmed submission that an instance id belongs to, current or superseded.
    pub fn find_submission(
        &mut self,
        project: i64,
        form_id: &str,
        instance_id: &str,
        key: &WaveKey,
    ) -> Result<Option<Submission>, Error> {
        let row = self.holder_of_instance(project, form_id, &instance_name(key, form_id, instance_id))?;
        row.filter(|row| row.state == CONFIRMED).map(|row| row.into_submission(key)).transpose()
    }

    /// True when this instance with this content is stored and confirmed, or was withdrawn: its client may be told again
    /// that it was received.
    pub fn was_received(
        &mut self,
        project: i64,
        form_id: &str,
        (instance_id, content): (&str, &[u8]),
        key: &WaveKey,
    ) -> Result<bool, Error> {
        let instance = instance_name(key, form_id, instance_id);
        if self.is_withdrawn(project, form_id, &instance)? {
            return Ok(true);
        }
        let content = key.name("content", &[content]);
        let is_same = |row: &Row| {
            row.content == content && row.state == CONFIRMED && row.standing == Standing::Current.name()
        };
        Ok(self.rows_of_instance(project, form_id, &instance)?.iter().any(is_same))
    }

    /// Everything that came under an instance id, whatever its state; what is in conflict too.
    pub(in crate::db) fn rows_of_instance(
        &mut self,
        project: i64,
        form_id: &str,
        instance: &[u8],
    ) -> Result<Vec<Row>, Error> {
        Ok(submissions::table
            .filter(submissions::project.eq(project).and(submissions::form_id.eq(form_id)))
            .filter(submissions::instance.eq(instance))
            .select(Row::as_select())
            .load(self.0)?)
    }

    /// The one row that an instance id belongs to.
    pub(in crate::db) fn holder_of_instance(
        &mut self,
        project: i64,
        form_id: &str,
        instance: &[u8],
    ) -> Result<Option<Row>, Error> {
        let rows = self.rows_of_instance(project, form_id, instance)?;
        Ok(rows.into_iter().find(|row| row.standing != Standing::Conflict.name()))
    }

    /// False when another row came first under a rule that allows one.
    pub(in crate::db) fn insert_submission(&mut self, row: &Row) -> Result<bool, Error> {
        let insert = diesel::insert_into(submissions::table).values(row);
        let inserted = match self.0 {
            VaultConnection::Sqlite(c) => insert.on_conflict_do_nothing().execute(c)?,
            VaultConnection::Postgresql(c) => insert.on_conflict_do_nothing().execute(c)?,
        };
        Ok(inserted == 1)
    }

    /// Makes a reservation valid together with what follows from it: the corrected version steps back, the visit is
    /// recorded. `lease` confirms only a reservation whose lease is still that one. False when there is none.
    pub(in crate::db) fn confirm_submission(
        &mut self,
        id: &str,
        lease: Option<NaiveDateTime>,
        supersedes: Option<&str>,
        visit: Option<(&CaseVisit, Option<Uuid>)>,
    ) -> Result<bool, Error> {
        let reserved = submissions::table.find(id).filter(submissions::state.eq(RESERVED));
        // The real moment, not that of arrival: a resumed reservation may be confirmed long after it came.
        let set = (
            submissions::state.eq(CONFIRMED),
            submissions::lease_until.eq(None::<NaiveDateTime>),
            submissions::backups_from.eq(backups_from(Utc::now()).naive_utc()),
        );
        let confirmed = match lease {
            Some(lease) => {
                let leased = reserved.filter(submissions::lease_until.eq(lease));
                diesel::update(leased).set(set).execute(self.0)?
            }
            None => diesel::update(reserved).set(set).execute(self.0)?,
        };
        if confirmed == 0 {
            return Ok(false);
        }
        if let Some(corrected) = supersedes {
            diesel::update(submissions::table.find(corrected))
                .set(submissions::standing.eq(Standing::Superseded.name()))
                .execute(self.0)?;
        }
        if let Some((visit, visited_by)) = visit {
            self.record_visit(visit, visited_by)?;
        }
        Ok(true)
    }

    /// Drops a reservation, with `lease` only while its lease is that one. False when there is none.
    pub(in crate::db) fn drop_reservation(
        &mut self,
        id: &str,
        lease: Option<NaiveDateTime>,
    ) -> Result<bool, Error> {
        let reserved = submissions::table.find(id).filter(submissions::state.eq(RESERVED));
        let dropped = match lease {
            Some(lease) => {
                diesel::delete(reserved.filter(submissions::lease_until.eq(lease))).execute(self.0)?
            }
            None => diesel::delete(reserved).execute(self.0)?,
        };
        Ok(dropped > 0)
    }

    pub(in crate::db) fn extend_lease(&mut self, id: &str, until: NaiveDateTime) -> Result<bool, Error> {
        let reserved = submissions::table.find(id).filter(submissions::state.eq(RESERVED));
        Ok(diesel::update(reserved).set(submissions::lease_until.eq(until)).execute(self.0)? > 0)
    }

    pub(in crate::db) fn state_of(&mut self, id: &str) -> Result<Option<String>, Error> {
        Ok(submissions::table.find(id).select(submissions::state).first(self.0).optional()?)
    }
}

fn place(project: i64, id: &str) -> Vec<u8> {
    format!("field\n{project}\n{id}").into_bytes()
}
