//! Snapshots: which interviews each analysis file of a wave holds, sealed under the wave key (protection.md rule 20).

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::schema::field::snapshots;
use super::vault::FieldDb;
use crate::keys::{Purpose, WaveKey};

/// An interview in a snapshot: a name that only the wave key makes, and the village.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotInterview {
    pub id: String,
    pub cluster: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// From 1.
    pub number: i64,
    /// Taken before the last interview, with the latest ones held back.
    pub early: bool,
    /// Interviews whose sealed blocks stayed closed, for want of the custodian's key.
    pub unopened: i64,
    pub taken_at: DateTime<Utc>,
    pub interviews: Vec<SnapshotInterview>,
}

/// What is known of a snapshot without the wave key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    pub number: i64,
    pub early: bool,
    pub unopened: i64,
    pub taken_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = snapshots)]
struct Row {
    project: i64,
    number: i64,
    early: bool,
    unopened: i64,
    taken_at: NaiveDateTime,
    sealed: Vec<u8>,
}

impl FieldDb<'_> {
    /// Records a snapshot whose analysis file is on the disk.
    pub fn keep_snapshot(&mut self, project: i64, snapshot: &Snapshot, key: &WaveKey) -> Result<(), Error> {
        let plain = serde_json::to_vec(&snapshot.interviews)
            .map_err(|error| Error::contradiction(error.to_string()))?;
        let row = Row {
            project,
            number: snapshot.number,
            early: snapshot.early,
            unopened: snapshot.unopened,
            taken_at: snapshot.taken_at.naive_utc().trunc_subsecs(6),
            sealed: key.seal(Purpose::Snapshot, &place(project, snapshot.number), &plain)?,
        };
        diesel::insert_into(snapshots::table).values(&row).execute(self.0)?;
        Ok(())
    }

    /// Snapshots of a wave, earliest first.
    pub fn list_snapshots(&mut self, project: i64, key: &WaveKey) -> Result<Vec<Snapshot>, Error> {
        let rows: Vec<Row> = snapshots::table
            .filter(snapshots::project.eq(project))
            .order(snapshots::number)
            .select(Row::as_select())
            .load(self.0)?;
        rows.into_iter()
            .map(|row| {
                let plain = key.open(Purpose::Snapshot, &place(project, row.number), &row.sealed)?;
                let interviews = serde_json::from_slice(&plain)
                    .map_err(|_| Error::contradiction("the interviews of a snapshot"))?;
                Ok(Snapshot {
                    number: row.number,
                    early: row.early,
                    unopened: row.unopened,
                    taken_at: row.taken_at.and_utc(),
                    interviews,
                })
            })
            .collect()
    }

    /// The same without the interviews, which only the wave key opens.
    pub fn list_snapshot_heads(&mut self, project: i64) -> Result<Vec<SnapshotHead>, Error> {
        let rows: Vec<(i64, bool, i64, NaiveDateTime)> = snapshots::table
            .filter(snapshots::project.eq(project))
            .order(snapshots::number)
            .select((snapshots::number, snapshots::early, snapshots::unopened, snapshots::taken_at))
            .load(self.0)?;
        Ok(rows
            .into_iter()
            .map(|(number, early, unopened, taken_at)| SnapshotHead {
                number,
                early,
                unopened,
                taken_at: taken_at.and_utc(),
            })
            .collect())
    }

    /// Forgets a snapshot whose analysis file is replaced.
    pub fn delete_snapshot(&mut self, project: i64, number: i64) -> Result<(), Error> {
        diesel::delete(snapshots::table.find((project, number))).execute(self.0)?;
        Ok(())
    }
}

fn place(project: i64, number: i64) -> Vec<u8> {
    format!("snapshot\n{project}\n{number}").into_bytes()
}
