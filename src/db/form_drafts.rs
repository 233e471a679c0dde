//! Drafts: the next version of a form, until it is published.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;

use super::error::Error;
use super::schema::field::{form_draft_files, form_drafts};
use super::vault::FieldDb;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormDraft {
    pub project: i64,
    /// The `id` of the XForm's root.
    pub form_id: String,
    pub version: String,
    pub title: String,
    pub xml: Vec<u8>,
    pub workbook: Option<Vec<u8>>,
    /// User who sent it.
    pub made_by: i64,
    pub made_at: DateTime<Utc>,
    /// The second person of protection.md rule 8 and their reason.
    pub confirmed: Option<(i64, String)>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = form_drafts)]
struct Row {
    project: i64,
    form_id: String,
    version: String,
    title: String,
    xml: Vec<u8>,
    workbook: Option<Vec<u8>>,
    made_by: i64,
    made_at: NaiveDateTime,
    confirmed_by: Option<i64>,
    reason: Option<String>,
}

impl Row {
    fn into_draft(self) -> FormDraft {
        FormDraft {
            project: self.project,
            form_id: self.form_id,
            version: self.version,
            title: self.title,
            xml: self.xml,
            workbook: self.workbook,
            made_by: self.made_by,
            made_at: self.made_at.and_utc(),
            confirmed: self.confirmed_by.zip(self.reason),
        }
    }
}

impl FieldDb<'_> {
    /// Puts a draft in the place of an earlier one; files that were given to that one stay.
    pub fn put_form_draft(&mut self, draft: FormDraft) -> Result<FormDraft, Error> {
        let row = Row {
            project: draft.project,
            form_id: draft.form_id,
            version: draft.version,
            title: draft.title,
            xml: draft.xml,
            workbook: draft.workbook,
            made_by: draft.made_by,
            made_at: draft.made_at.naive_utc().trunc_subsecs(6),
            confirmed_by: None,
            reason: None,
        };
        let place = form_drafts::table.find((row.project, row.form_id.clone()));
        let replaced = diesel::update(place)
            .set((
                form_drafts::version.eq(&row.version),
                form_drafts::title.eq(&row.title),
                form_drafts::xml.eq(&row.xml),
                form_drafts::workbook.eq(&row.workbook),
                form_drafts::made_by.eq(row.made_by),
                form_drafts::made_at.eq(row.made_at),
                // Another wording is another question to the second person.
                form_drafts::confirmed_by.eq(None::<i64>),
                form_drafts::reason.eq(None::<String>),
            ))
            .execute(self.0)?;
        if replaced == 0 {
            diesel::insert_into(form_drafts::table).values(&row).execute(self.0)?;
        }
        Ok(row.into_draft())
    }

    pub fn find_form_draft(&mut self, project: i64, form_id: &str) -> Result<Option<FormDraft>, Error> {
        let place = form_drafts::table.find((project, form_id));
        let row: Option<Row> = place.select(Row::as_select()).first(self.0).optional()?;
        Ok(row.map(Row::into_draft))
    }

    /// The drafts of a project, by form id.
    pub fn list_form_drafts(&mut self, project: i64) -> Result<Vec<FormDraft>, Error> {
        let rows: Vec<Row> = form_drafts::table
            .filter(form_drafts::project.eq(project))
            .order(form_drafts::form_id)
            .select(Row::as_select())
            .load(self.0)?;
        Ok(rows.into_iter().map(Row::into_draft).collect())
    }

    /// Records the second person's word on a draft.
    pub fn confirm_form_draft(
        &mut self,
        project: i64,
        form_id: &str,
        by: i64,
        reason: &str,
    ) -> Result<(), Error> {
        let draft = diesel::update(form_drafts::table.find((project, form_id)));
        let confirmed = (form_drafts::confirmed_by.eq(by), form_drafts::reason.eq(reason));
        match draft.set(confirmed).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("draft of form `{form_id}`") }),
            _ => Ok(()),
        }
    }

    /// Gives a file to a draft, in the place of one with the same name.
    pub fn put_form_draft_file(
        &mut self,
        project: i64,
        form_id: &str,
        name: &str,
        content: &[u8],
    ) -> Result<(), Error> {
        let place = form_draft_files::table.find((project, form_id, name));
        let replaced = diesel::update(place).set(form_draft_files::content.eq(content)).execute(self.0)?;
        if replaced == 0 {
            diesel::insert_into(form_draft_files::table)
                .values((
                    form_draft_files::project.eq(project),
                    form_draft_files::form_id.eq(form_id),
                    form_draft_files::name.eq(name),
                    form_draft_files::content.eq(content),
                ))
                .execute(self.0)?;
        }
        Ok(())
    }

    /// Name and bytes of a draft's files, by name.
    pub fn list_form_draft_files(
        &mut self,
        project: i64,
        form_id: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let of_draft = form_draft_files::table
            .filter(form_draft_files::project.eq(project).and(form_draft_files::form_id.eq(form_id)));
        Ok(of_draft
            .order(form_draft_files::name)
            .select((form_draft_files::name, form_draft_files::content))
            .load(self.0)?)
    }

    /// Removes a draft with its files.
    pub fn delete_form_draft(&mut self, project: i64, form_id: &str) -> Result<(), Error> {
        let files = form_draft_files::table
            .filter(form_draft_files::project.eq(project).and(form_draft_files::form_id.eq(form_id)));
        diesel::delete(files).execute(self.0)?;
        diesel::delete(form_drafts::table.find((project, form_id))).execute(self.0)?;
        Ok(())
    }
}
