//! Records: a submission with all its versions, as ODK Central's paths list them, newest first and by page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::Error;
use super::reviews::Review;
use super::schema::field::submissions;
use super::submissions::{CONFIRMED, Row, Standing, Submission, instance_name};
use super::vault::FieldDb;
use crate::keys::WaveKey;

/// One record: the version that counts, and what its earlier versions and reviews say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The version that counts.
    pub current: Submission,
    /// When the first version had arrived.
    pub created_at: DateTime<Utc>,
    /// Who sent the first version.
    pub first: Sender,
    /// Edits after the first version.
    pub edits: i64,
    pub review: Option<Review>,
    /// Rows of all versions, the current one first: files of earlier ones are carried over by name.
    pub versions: Vec<uuid::Uuid>,
}

/// Who sent something, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    pub app_user: Option<uuid::Uuid>,
    pub user: Option<i64>,
    pub device: Option<String>,
}

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub skip: i64,
    pub top: i64,
}

impl Sender {
    fn of(submission: &Submission) -> Self {
        Self { app_user: submission.app_user, user: submission.submitter, device: submission.device.clone() }
    }
}

impl FieldDb<'_> {
    pub fn count_records(&mut self, project: i64, form_id: &str) -> Result<i64, Error> {
        Ok(submissions::table
            .filter(submissions::project.eq(project).and(submissions::form_id.eq(form_id)))
            .filter(submissions::state.eq(CONFIRMED))
            .filter(submissions::standing.eq(Standing::Current.name()))
            .count()
            .get_result(self.0)?)
    }

    /// Records of a form, the newest first; `after` begins behind the row of that record.
    pub fn list_records(
        &mut self,
        project: i64,
        form_id: &str,
        after: Option<uuid::Uuid>,
        page: Page,
        key: &WaveKey,
    ) -> Result<Vec<Record>, Error> {
        // Ids grow with time, so the newest come first and the next page begins below the last id.
        let below = after.map_or_else(|| "g".to_owned(), |id| id.to_string());
        let rows: Vec<Row> = submissions::table
            .filter(submissions::project.eq(project).and(submissions::form_id.eq(form_id)))
            .filter(submissions::state.eq(CONFIRMED))
            .filter(submissions::standing.eq(Standing::Current.name()))
            .filter(submissions::id.lt(below))
            .order(submissions::id.desc())
            .offset(page.skip)
            .limit(page.top)
            .select(Row::as_select())
            .load(self.0)?;
        self.records_of(rows, key)
    }

    /// The record that an instance id, of whichever version, belongs to.
    pub fn find_record(
        &mut self,
        project: i64,
        form_id: &str,
        instance_id: &str,
        key: &WaveKey,
    ) -> Result<Option<Record>, Error> {
        let named = instance_name(key, form_id, instance_id);
        let Some(row) = self.holder_of_instance(project, form_id, &named)? else { return Ok(None) };
        let current: Option<Row> = submissions::table
            .filter(submissions::project.eq(project).and(submissions::form_id.eq(form_id)))
            .filter(submissions::first_instance.eq(&row.first_instance))
            .filter(submissions::state.eq(CONFIRMED))
            .filter(submissions::standing.eq(Standing::Current.name()))
            .select(Row::as_select())
            .first(self.0)
            .optional()?;
        Ok(self.records_of(current.into_iter().collect(), key)?.pop())
    }

    /// All versions of a record, the newest first.
    pub fn list_versions(&mut self, record: &Record, key: &WaveKey) -> Result<Vec<Submission>, Error> {
        let mut versions = Vec::new();
        for id in &record.versions {
            let row: Option<Row> =
                submissions::table.find(id.to_string()).select(Row::as_select()).first(self.0).optional()?;
            if let Some(row) = row {
                versions.push(row.into_submission(key)?);
            }
        }
        Ok(versions)
    }

    /// The records whose valid versions these rows are, in the same order.
    fn records_of(&mut self, rows: Vec<Row>, key: &WaveKey) -> Result<Vec<Record>, Error> {
        let Some((project, form_id)) = rows.first().map(|row| (row.project, row.form_id.clone())) else {
            return Ok(Vec::new());
        };
        let names: Vec<Vec<u8>> = rows.iter().map(|row| row.first_instance.clone()).collect();
        let mut reviews = self.find_reviews(project, &form_id, &names)?;
        let records = rows.into_iter().zip(names).map(|(row, name)| {
            let mut earlier = row.supersedes.clone();
            let current = row.into_submission(key)?;
            let mut versions = vec![current.id];
            let (mut created_at, mut first) = (current.received_at, Sender::of(&current));
            while let Some(id) = earlier.take() {
                let row: Row = submissions::table.find(&id).select(Row::as_select()).first(self.0)?;
                earlier.clone_from(&row.supersedes);
                let version = row.into_submission(key)?;
                versions.push(version.id);
                created_at = version.received_at;
                first = Sender::of(&version);
            }
            let edits = versions.len() as i64 - 1;
            Ok(Record { current, created_at, first, edits, review: reviews.remove(&name), versions })
        });
        records.collect()
    }
}

impl Record {
    /// The state that ODK Central shows: a decision, or `edited` where an edit came after it.
    pub fn review_state(&self) -> Option<&str> {
        match &self.review {
            Some(review) if review.decided_at >= self.current.received_at || self.edits == 0 => {
                review.state.as_deref()
            }
            _ if self.edits > 0 => Some("edited"),
            _ => None,
        }
    }

    /// When an edit or a review changed it last.
    pub fn updated_at(&self) -> Option<DateTime<Utc>> {
        let edited = (self.edits > 0).then_some(self.current.received_at);
        edited.max(self.review.as_ref().map(|review| review.decided_at))
    }
}
