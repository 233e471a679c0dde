//! The log: who did what kind of thing and when, each entry's hash covering the one before (protection.md rule 15).
//!
//! Callers put no token, case or instance id into an entry.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::connection::VaultConnection;
use super::error::Error;
use super::schema::field::audit;
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// From 1, without gaps.
    pub number: i64,
    pub at: DateTime<Utc>,
    pub who: String,
    pub kind: String,
    /// Counts and the hash of the query, JSON.
    pub detail: String,
    /// SHA-256 of the previous entry's hash and this entry.
    pub hash: [u8; 32],
}

/// What is wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(
        "the log is broken at entry {number}: {what}; compare with the head that went to the second body on that day"
    )]
    Broken { number: i64, what: &'static str },
    #[error(transparent)]
    Vault(#[from] Error),
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
struct Row {
    number: i64,
    happened_at: NaiveDateTime,
    who: String,
    kind: String,
    detail: String,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

impl Row {
    fn compute_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.previous);
        hash.update(self.number.to_le_bytes());
        hash.update(self.happened_at.and_utc().timestamp_micros().to_le_bytes());
        for text in [&self.who, &self.kind, &self.detail] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }
}

impl FieldDb<'_> {
    /// Adds an entry at the end of the log.
    pub fn append_audit(
        &mut self,
        who: &str,
        kind: &str,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<AuditEntry, Error> {
        match self.0 {
            // SQLite's writing transaction already stands alone.
            VaultConnection::Sqlite(_) => {}
            VaultConnection::Postgresql(c) => {
                c.batch_execute("lock table audit in share row exclusive mode")?
            }
        }
        let last: Option<(i64, Vec<u8>)> = audit::table
            .order(audit::number.desc())
            .select((audit::number, audit::hash))
            .first(self.0)
            .optional()?;
        let (number, previous) = last.unwrap_or((0, vec![0; 32]));
        let mut row = Row {
            number: number + 1,
            happened_at: now.naive_utc().trunc_subsecs(6),
            who: who.to_owned(),
            kind: kind.to_owned(),
            detail: detail.to_owned(),
            previous,
            hash: Vec::new(),
        };
        let hash = row.compute_hash();
        row.hash = hash.to_vec();
        diesel::insert_into(audit::table).values(&row).execute(self.0)?;
        Ok(into_entry(row, hash))
    }

    /// Entries after one, the oldest first.
    pub fn list_audit(&mut self, after: i64, most: i64) -> Result<Vec<AuditEntry>, Error> {
        let rows: Vec<Row> = audit::table
            .filter(audit::number.gt(after))
            .order(audit::number)
            .limit(most)
            .select(Row::as_select())
            .load(self.0)?;
        rows.into_iter()
            .map(|row| {
                let hash = row.hash.as_slice().try_into();
                let hash = hash.map_err(|_| Error::contradiction("a hash of the log"))?;
                Ok(into_entry(row, hash))
            })
            .collect()
    }

    /// The whole log, checked link by link; its last hash is the head.
    pub fn verify_audit(&mut self) -> Result<Vec<AuditEntry>, AuditError> {
        let rows: Vec<Row> =
            audit::table.order(audit::number).select(Row::as_select()).load(self.0).map_err(Error::from)?;
        let mut head = vec![0; 32];
        let mut entries = Vec::with_capacity(rows.len());
        for (expected, row) in (1..).zip(rows) {
            let broken = |what| AuditError::Broken { number: expected, what };
            if row.number != expected {
                return Err(broken("an entry is missing"));
            }
            if row.previous != head {
                return Err(broken("it does not follow the entry before it"));
            }
            let hash = row.compute_hash();
            if row.hash != hash {
                return Err(broken("its content was changed"));
            }
            head = row.hash.clone();
            entries.push(into_entry(row, hash));
        }
        Ok(entries)
    }
}

fn into_entry(row: Row, hash: [u8; 32]) -> AuditEntry {
    AuditEntry {
        number: row.number,
        at: row.happened_at.and_utc(),
        who: row.who,
        kind: row.kind,
        detail: row.detail,
        hash,
    }
}
