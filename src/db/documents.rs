//! Documents of a wave: what it is analysed by, and what stays of it after closing. Versions are kept.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;

use super::error::Error;
use super::schema::field::documents;
use super::vault::FieldDb;
use crate::fieldwork::rules::Rules;

/// The document with the settings of a wave's fieldwork.
const FIELDWORK: &str = "fieldwork.json";

/// One version of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// A file name, `analysis.json`.
    pub name: String,
    /// From 1; the highest counts.
    pub version: i64,
    pub content: Vec<u8>,
    pub stored_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = documents)]
struct Row {
    project: i64,
    name: String,
    version: i64,
    content: Vec<u8>,
    stored_at: NaiveDateTime,
}

impl Row {
    fn into_document(self) -> Document {
        Document {
            name: self.name,
            version: self.version,
            content: self.content,
            stored_at: self.stored_at.and_utc(),
        }
    }
}

impl FieldDb<'_> {
    /// Keeps a document as its next version; what is there already with the same content stays the version it is.
    pub fn keep_document(
        &mut self,
        project: i64,
        name: &str,
        content: &[u8],
        now: DateTime<Utc>,
    ) -> Result<i64, Error> {
        let last = self.find_document(project, name)?;
        if let Some(last) = last.as_ref().filter(|last| last.content == content) {
            return Ok(last.version);
        }
        let row = Row {
            project,
            name: name.to_owned(),
            version: last.map_or(0, |last| last.version) + 1,
            content: content.to_vec(),
            stored_at: now.naive_utc().trunc_subsecs(6),
        };
        diesel::insert_into(documents::table).values(&row).execute(self.0)?;
        Ok(row.version)
    }

    /// The settings of a wave's fieldwork; the defaults where none were given.
    pub fn fieldwork_rules(&mut self, project: i64) -> Result<Rules, Error> {
        match self.find_document(project, FIELDWORK)? {
            Some(document) => serde_json::from_slice(&document.content)
                .map_err(|_| Error::contradiction("the settings of the fieldwork cannot be read")),
            None => Ok(Rules::default()),
        }
    }

    /// Keeps the settings of a wave's fieldwork.
    pub fn keep_fieldwork_rules(
        &mut self,
        project: i64,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let content =
            serde_json::to_vec_pretty(rules).map_err(|error| Error::contradiction(error.to_string()))?;
        self.keep_document(project, FIELDWORK, &content, now)?;
        Ok(())
    }

    /// The newest version of a document.
    pub fn find_document(&mut self, project: i64, name: &str) -> Result<Option<Document>, Error> {
        let row: Option<Row> = documents::table
            .filter(documents::project.eq(project).and(documents::name.eq(name)))
            .order(documents::version.desc())
            .select(Row::as_select())
            .first(self.0)
            .optional()?;
        Ok(row.map(Row::into_document))
    }
}
