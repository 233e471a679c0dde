//! A form's way from what was sent to its published version; both protocols that take forms come through here.

use chrono::{DateTime, Utc};
use serde_json::json;
use surveys::questionnaire::{Questionnaire, publishing};
use surveys::xlsform::Problem;
use surveys::{xform, xlsform};

use crate::db::{Confirmation, FieldVault, Form, FormDraft, NewForm, ProjectKind, PublishError};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const XLS: &str = "application/vnd.ms-excel";

/// What a form is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Xml,
    Xlsx,
    Xls,
}

impl Kind {
    /// By the content type, without its parameters.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type {
            "application/xml" | "text/xml" => Some(Self::Xml),
            XLSX => Some(Self::Xlsx),
            XLS => Some(Self::Xls),
            _ => None,
        }
    }
}

/// A form that was read.
pub struct SentForm {
    pub form_id: String,
    pub version: String,
    pub title: String,
    pub xml: Vec<u8>,
    pub workbook: Option<Vec<u8>>,
    pub warnings: Vec<Problem>,
}

impl SentForm {
    /// A copy of a published form.
    pub fn copy(form: Form) -> Self {
        Self {
            form_id: form.form_id,
            version: form.version,
            title: form.title,
            xml: form.xml,
            workbook: form.workbook,
            warnings: Vec::new(),
        }
    }

    pub fn into_draft(self, project: i64, made_by: i64, made_at: DateTime<Utc>) -> FormDraft {
        FormDraft {
            project,
            form_id: self.form_id,
            version: self.version,
            title: self.title,
            xml: self.xml,
            workbook: self.workbook,
            made_by,
            made_at,
            confirmed: None,
        }
    }
}

/// Reads what was sent. An XForm is kept byte for byte as it came. `name` is the id of a workbook that gives none.
pub fn read(kind: Kind, name: &str, body: &[u8]) -> Result<SentForm, Vec<Problem>> {
    let read = match kind {
        Kind::Xml => xform::read(body),
        Kind::Xlsx => xlsform::read(&format!("{name}.xlsx"), body),
        Kind::Xls => xlsform::read(&format!("{name}.xls"), body),
    }?;
    let xml = match kind {
        Kind::Xml => body.to_vec(),
        Kind::Xlsx | Kind::Xls => written(&read.questionnaire)?,
    };
    let settings = read.questionnaire.settings;
    Ok(SentForm {
        form_id: settings.form_id,
        version: settings.version.unwrap_or_default(),
        title: settings.title,
        xml,
        workbook: (kind != Kind::Xml).then(|| body.to_vec()),
        warnings: read.warnings,
    })
}

/// What rule 8 says of a form's bytes: what may not be published, and what a second person must confirm. Both are empty
/// where there are no respondents.
pub fn judge(kind: ProjectKind, xml: &[u8]) -> Result<(Vec<Problem>, Vec<Problem>), Vec<Problem>> {
    if kind != ProjectKind::Survey {
        return Ok((Vec::new(), Vec::new()));
    }
    let form = xform::read(xml)?.questionnaire;
    Ok((publishing::refusals(&form), publishing::confirmations(&form)))
}

/// Publishes a draft, under another version where one is given; the draft is gone then.
pub fn publish(
    field: &FieldVault,
    draft: FormDraft,
    version: Option<&str>,
    who: &str,
    now: DateTime<Utc>,
) -> Result<Form, PublishError> {
    let (xml, workbook) = match version.filter(|version| *version != draft.version) {
        // The version stands in the bytes that tablets get, and in the workbook beside them.
        Some(version) => with_version(&draft, version).map_err(PublishError::Unreadable)?,
        None => (draft.xml, draft.workbook),
    };
    let version = version.unwrap_or(&draft.version).to_owned();
    field.transaction(|db| {
        let confirmation = match &draft.confirmed {
            Some((by, reason)) => db
                .find_user_by_number(*by)?
                .map(|user| Confirmation { by: user.login, reason: reason.clone() }),
            None => None,
        };
        let new = NewForm {
            project: draft.project,
            form_id: draft.form_id.clone(),
            version: version.clone(),
            title: draft.title,
            xml,
            workbook,
            files: db.list_form_draft_files(draft.project, &draft.form_id)?,
            confirmation,
        };
        let form = db.publish_form(new, now)?;
        db.delete_form_draft(draft.project, &draft.form_id)?;
        let detail =
            json!({ "project": draft.project, "form": draft.form_id, "version": version, "hash": form.hash });
        db.append_audit(who, "form published", &detail.to_string(), now)?;
        Ok(form)
    })
}

/// The bytes of a form and of its workbook.
type Written = (Vec<u8>, Option<Vec<u8>>);

/// The form under another version.
fn with_version(draft: &FormDraft, version: &str) -> Result<Written, Vec<Problem>> {
    let mut questionnaire = match &draft.workbook {
        Some(workbook) => xlsform::read(file_name(workbook), workbook),
        None => xform::read(&draft.xml),
    }?
    .questionnaire;
    questionnaire.settings.version = Some(version.to_owned());
    let xml = written(&questionnaire)?;
    let workbook = match &draft.workbook {
        Some(_) => Some(xlsform::write(&questionnaire)?),
        None => None,
    };
    Ok((xml, workbook))
}

fn written(questionnaire: &Questionnaire) -> Result<Vec<u8>, Vec<Problem>> {
    xform::write(questionnaire).map(String::into_bytes)
}

/// Workbooks are kept as they came; the newer kind is a zip file.
fn file_name(workbook: &[u8]) -> &'static str {
    if workbook.starts_with(b"PK") { "form.xlsx" } else { "form.xls" }
}
