//! Attachments: which file belongs to which submission. The bytes lie elsewhere, under random names.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use uuid::Uuid;

use super::connection::VaultConnection;
use super::error::Error;
use super::forms::uuid;
use super::schema::field::attachments;
use super::vault::FieldDb;
use crate::keys::{Purpose, WaveKey};

/// A file that came with a submission and was written to its random name.
#[derive(Clone, Debug)]
pub struct NewAttachment {
    pub submission: Uuid,
    /// The name that the client gave.
    pub name: String,
    /// SHA-256 of the bytes, computed while they streamed in; only its HMAC is kept.
    pub sha256: [u8; 32],
    /// The random name under which the bytes lie.
    pub file: String,
    pub size: i64,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentKept {
    New,
    /// The same bytes under the same name were there; they lie under this random name, the new copy can go.
    AlreadyStored {
        file: String,
    },
    /// Other bytes were there under this name; these are kept too: 409.
    Conflict,
    /// The same once more: these bytes are kept beside the others already; the new copy can go.
    AlreadyInConflict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub file: String,
    pub size: i64,
    /// Came second under a taken name, with other bytes.
    pub in_conflict: bool,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = attachments)]
struct Row {
    id: String,
    submission: String,
    name: Vec<u8>,
    content: Vec<u8>,
    sealed_name: Vec<u8>,
    file: String,
    size: i64,
    standing: String,
}

const CURRENT: &str = "current";
const CONFLICT: &str = "conflict";

impl FieldDb<'_> {
    /// Records a file under its submission, once for the same name and bytes.
    pub fn keep_attachment(&mut self, new: &NewAttachment, key: &WaveKey) -> Result<AttachmentKept, Error> {
        let submission = new.submission.to_string();
        let name = key.name("file name", &[submission.as_bytes(), new.name.as_bytes()]).to_vec();
        let content = key.name("file content", &[&new.sha256]).to_vec();
        // The place is the submission, so a name moved to another row does not open.
        let sealed_name = key.seal(Purpose::FileName, submission.as_bytes(), new.name.as_bytes())?;
        for _ in 0..3 {
            let stored: Vec<Row> = attachments::table
                .filter(attachments::submission.eq(&submission).and(attachments::name.eq(&name)))
                .select(Row::as_select())
                .load(self.0)?;
            if let Some(same) = stored.iter().find(|row| row.content == content) {
                return Ok(match same.standing.as_str() {
                    // A copy that came again: the one that is kept stays the only one.
                    CONFLICT if same.file != new.file => AttachmentKept::AlreadyInConflict,
                    CONFLICT => AttachmentKept::Conflict,
                    _ => AttachmentKept::AlreadyStored { file: same.file.clone() },
                });
            }
            let taken = stored.iter().any(|row| row.standing == CURRENT);
            let row = Row {
                id: Uuid::now_v7().to_string(),
                submission: submission.clone(),
                name: name.clone(),
                content: content.clone(),
                sealed_name: sealed_name.clone(),
                file: new.file.clone(),
                size: new.size,
                standing: if taken { CONFLICT } else { CURRENT }.to_owned(),
            };
            let insert = diesel::insert_into(attachments::table).values(&row);
            let inserted = match self.0 {
                VaultConnection::Sqlite(c) => insert.on_conflict_do_nothing().execute(c)?,
                VaultConnection::Postgresql(c) => insert.on_conflict_do_nothing().execute(c)?,
            };
            if inserted == 1 {
                return Ok(if taken { AttachmentKept::Conflict } else { AttachmentKept::New });
            }
        }
        Err(Error::contradiction("a file is neither there nor can it be recorded"))
    }

    /// The files of a submission, in order of arrival.
    pub fn list_attachments(&mut self, submission: Uuid, key: &WaveKey) -> Result<Vec<Attachment>, Error> {
        Ok(self.list_attachments_of(&[submission], key)?.remove(&submission).unwrap_or_default())
    }

    /// The files of each of these submissions that has any, in order of arrival.
    pub fn list_attachments_of(
        &mut self,
        submissions: &[Uuid],
        key: &WaveKey,
    ) -> Result<HashMap<Uuid, Vec<Attachment>>, Error> {
        let mut listed: HashMap<Uuid, Vec<Attachment>> = HashMap::new();
        // Both databases bound how many values one query may name.
        for part in submissions.chunks(500) {
            let names: Vec<String> = part.iter().map(Uuid::to_string).collect();
            let rows: Vec<Row> = attachments::table
                .filter(attachments::submission.eq_any(names))
                .order(attachments::id)
                .select(Row::as_select())
                .load(self.0)?;
            for row in rows {
                let name = key.open(Purpose::FileName, row.submission.as_bytes(), &row.sealed_name)?;
                listed.entry(uuid(&row.submission)?).or_default().push(Attachment {
                    name: String::from_utf8(name).map_err(|_| Error::contradiction("name of a file"))?,
                    file: row.file,
                    size: row.size,
                    in_conflict: row.standing == CONFLICT,
                });
            }
        }
        Ok(listed)
    }

    /// Which of these stored files some submission holds.
    pub fn held_files(&mut self, files: &[String]) -> Result<HashSet<String>, Error> {
        let mut held = HashSet::new();
        // Both databases bound how many values one query may name.
        for part in files.chunks(500) {
            let found = attachments::table.filter(attachments::file.eq_any(part));
            held.extend(found.select(attachments::file).load::<String>(self.0)?);
        }
        Ok(held)
    }
}
