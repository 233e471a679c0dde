//! Published forms, every version, and the files that come with them.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::prelude::*;
use md5::{Digest, Md5};
use surveys::questionnaire::publishing;
use surveys::xform;
use surveys::xlsform::Problem;
use uuid::Uuid;

use super::error::Error;
use super::projects::ProjectKind;
use super::schema::field::{form_confirmations, form_files, forms};
use super::vault::FieldDb;

/// Whether a form is offered and accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormState {
    /// Listed and accepted.
    Open,
    /// No longer listed, still accepted: interviews under way can be sent.
    Closing,
    /// Neither.
    Closed,
}

impl FormState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Closing, Self::Closed].into_iter().find(|state| state.name() == name)
    }
}

/// One version of a form as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub id: Uuid,
    pub project: i64,
    /// The `id` of the XForm's root.
    pub form_id: String,
    pub version: String,
    pub title: String,
    pub xml: Vec<u8>,
    pub workbook: Option<Vec<u8>>,
    /// MD5 of the XML's bytes in hexadecimal, without `md5:`.
    pub hash: String,
    pub state: FormState,
    pub published_at: DateTime<Utc>,
}

/// A form to publish.
#[derive(Clone, Debug)]
pub struct NewForm {
    pub project: i64,
    pub form_id: String,
    pub version: String,
    pub title: String,
    pub xml: Vec<u8>,
    pub workbook: Option<Vec<u8>>,
    /// Files that come with it: name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// A second person's word for wording that looks as if it asked for something personal.
    pub confirmation: Option<Confirmation>,
}

/// A second person's word that the wording of a form may stand (protection.md rule 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub by: String,
    pub reason: String,
}

/// A confirmation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConfirmation {
    pub confirmation: Confirmation,
    /// The questions that were asked about, one a line, in Vietnamese.
    pub wording: String,
    pub at: DateTime<Utc>,
}

/// Why a form was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("biểu mẫu không đọc được · the form cannot be read:\n{}", listed(.0))]
    Unreadable(Vec<Problem>),
    #[error(
        "biểu mẫu chưa được công bố trong cuộc khảo sát; hãy sửa các điểm sau · \
         the form may not be published in a survey; mend these first:\n{}",
        listed(.0)
    )]
    Refused(Vec<Problem>),
    #[error(
        "cần người thứ hai xác nhận các câu sau, có ghi lý do · \
         a second person must confirm this wording, with a reason:\n{}",
        listed(.0)
    )]
    Unconfirmed(Vec<Problem>),
    #[error(transparent)]
    Vault(#[from] Error),
}

impl From<diesel::result::Error> for PublishError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Vault(error.into())
    }
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}\n  {problem}", problem.vietnamese())).collect();
    lines.join("\n")
}

/// What rule 8 says of a form: nothing to confirm, or the wording that a second person must confirm.
/// What is judged are the bytes that tablets will get.
fn judge(xml: &[u8]) -> Result<Vec<Problem>, PublishError> {
    let form = xform::read(xml).map_err(PublishError::Unreadable)?.questionnaire;
    let refusals = publishing::refusals(&form);
    if !refusals.is_empty() {
        return Err(PublishError::Refused(refusals));
    }
    Ok(publishing::confirmations(&form))
}

/// A file that comes with a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFile {
    pub name: String,
    pub content: Vec<u8>,
    /// MD5 of the bytes in hexadecimal, without `md5:`.
    pub hash: String,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = forms)]
struct Row {
    id: String,
    project: i64,
    form_id: String,
    version: String,
    title: String,
    xml: Vec<u8>,
    workbook: Option<Vec<u8>>,
    hash: String,
    state: String,
    published_at: NaiveDateTime,
}

#[derive(Insertable)]
#[diesel(table_name = form_files)]
struct FileRow {
    id: String,
    form: String,
    name: String,
    content: Vec<u8>,
    hash: String,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = form_confirmations)]
struct ConfirmationRow {
    form: String,
    confirmed_by: String,
    reason: String,
    wording: String,
    confirmed_at: NaiveDateTime,
}

impl Row {
    fn into_form(self) -> Result<Form, Error> {
        Ok(Form {
            id: uuid(&self.id)?,
            state: FormState::from_name(&self.state)
                .ok_or_else(|| Error::contradiction("state of a form"))?,
            project: self.project,
            form_id: self.form_id,
            version: self.version,
            title: self.title,
            xml: self.xml,
            workbook: self.workbook,
            hash: self.hash,
            published_at: self.published_at.and_utc(),
        })
    }
}

impl FieldDb<'_> {
    /// Publishes one version. The same version a second time is refused by `form_version_is_published_once`.
    ///
    /// In a survey the form must keep rule 8 (protection.md); projects without respondents (inventory,
    /// practice) are exempt.
    pub fn publish_form(&mut self, new: NewForm, now: DateTime<Utc>) -> Result<Form, PublishError> {
        let project = self
            .find_project(new.project)?
            .ok_or_else(|| Error::Missing { what: format!("project {}", new.project) })?;
        let to_confirm = match project.kind {
            ProjectKind::Survey => judge(&new.xml)?,
            ProjectKind::Inventory | ProjectKind::Practice => Vec::new(),
        };
        let confirmation = new.confirmation.filter(|confirmation| {
            [&confirmation.by, &confirmation.reason].iter().all(|s| !s.trim().is_empty())
        });
        if !to_confirm.is_empty() && confirmation.is_none() {
            return Err(PublishError::Unconfirmed(to_confirm));
        }
        let row = Row {
            id: Uuid::now_v7().to_string(),
            project: new.project,
            form_id: new.form_id,
            version: new.version,
            title: new.title,
            hash: md5_hex(&new.xml),
            xml: new.xml,
            workbook: new.workbook,
            state: FormState::Open.name().to_owned(),
            published_at: now.naive_utc().trunc_subsecs(6),
        };
        diesel::insert_into(forms::table).values(&row).execute(self.0)?;
        for (name, content) in new.files {
            let file = FileRow {
                id: Uuid::now_v7().to_string(),
                form: row.id.clone(),
                name,
                hash: md5_hex(&content),
                content,
            };
            diesel::insert_into(form_files::table).values(&file).execute(self.0)?;
        }
        if let Some(Confirmation { by, reason }) = confirmation.filter(|_| !to_confirm.is_empty()) {
            let wording: Vec<String> = to_confirm.iter().map(Problem::vietnamese).collect();
            let kept = ConfirmationRow {
                form: row.id.clone(),
                confirmed_by: by,
                reason,
                wording: wording.join("\n"),
                confirmed_at: row.published_at,
            };
            diesel::insert_into(form_confirmations::table).values(&kept).execute(self.0)?;
        }
        Ok(row.into_form()?)
    }

    /// Who confirmed the wording of one version and why, where that was needed.
    pub fn find_form_confirmation(&mut self, form: Uuid) -> Result<Option<StoredConfirmation>, Error> {
        let row: Option<ConfirmationRow> = form_confirmations::table
            .find(form.to_string())
            .select(ConfirmationRow::as_select())
            .first(self.0)
            .optional()?;
        Ok(row.map(|row| StoredConfirmation {
            confirmation: Confirmation { by: row.confirmed_by, reason: row.reason },
            wording: row.wording,
            at: row.confirmed_at.and_utc(),
        }))
    }

    /// The newest version of every form of a project, by form id.
    pub fn list_forms(&mut self, project: i64) -> Result<Vec<Form>, Error> {
        let rows: Vec<Row> = forms::table
            .filter(forms::project.eq(project))
            .order((forms::form_id, forms::published_at, forms::id))
            .select(Row::as_select())
            .load(self.0)?;
        let mut newest: Vec<Form> = Vec::new();
        for row in rows {
            let form = row.into_form()?;
            match newest.last_mut() {
                Some(last) if last.form_id == form.form_id => *last = form,
                _ => newest.push(form),
            }
        }
        Ok(newest)
    }

    /// One version, or the newest without one.
    pub fn find_form(
        &mut self,
        project: i64,
        form_id: &str,
        version: Option<&str>,
    ) -> Result<Option<Form>, Error> {
        let of_id = forms::table
            .filter(forms::project.eq(project).and(forms::form_id.eq(form_id)))
            .order((forms::published_at.desc(), forms::id.desc()))
            .select(Row::as_select());
        let row: Option<Row> = match version {
            Some(version) => of_id.filter(forms::version.eq(version)).first(self.0).optional()?,
            None => of_id.first(self.0).optional()?,
        };
        row.map(Row::into_form).transpose()
    }

    /// Whether one version is offered and accepted, without reading its XML and workbook.
    pub fn find_form_state(
        &mut self,
        project: i64,
        form_id: &str,
        version: &str,
    ) -> Result<Option<FormState>, Error> {
        let state: Option<String> = forms::table
            .filter(forms::project.eq(project).and(forms::form_id.eq(form_id)))
            .filter(forms::version.eq(version))
            .select(forms::state)
            .first(self.0)
            .optional()?;
        let known =
            |name: String| FormState::from_name(&name).ok_or_else(|| Error::contradiction("state of a form"));
        state.map(known).transpose()
    }

    /// Opens or closes a form, all its versions.
    pub fn set_form_state(&mut self, project: i64, form_id: &str, state: FormState) -> Result<(), Error> {
        let of_id = forms::table.filter(forms::project.eq(project).and(forms::form_id.eq(form_id)));
        match diesel::update(of_id).set(forms::state.eq(state.name())).execute(self.0)? {
            0 => Err(Error::Missing { what: format!("form `{form_id}` of project {project}") }),
            _ => Ok(()),
        }
    }

    /// The files of one version, by name.
    pub fn list_form_files(&mut self, form: Uuid) -> Result<Vec<FormFile>, Error> {
        let files: Vec<(String, Vec<u8>, String)> = form_files::table
            .filter(form_files::form.eq(form.to_string()))
            .order(form_files::name)
            .select((form_files::name, form_files::content, form_files::hash))
            .load(self.0)?;
        Ok(files.into_iter().map(|(name, content, hash)| FormFile { name, content, hash }).collect())
    }
}

pub(in crate::db) fn uuid(text: &str) -> Result<Uuid, Error> {
    Uuid::parse_str(text).map_err(|_| Error::contradiction("an id is not a UUID"))
}

fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
