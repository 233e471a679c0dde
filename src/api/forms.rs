//! Forms: what is published and drafted, a check with every problem, drafts, the second person's word, publishing.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{done, found, moment, nothing};
use super::problem::{Code, FormProblem, Problem};
use super::request::{Body, Caller, FormBody, in_project, segment, text};
use crate::db::{self, FormDraft, ProjectKind, ProjectState, PublishError};
use crate::intake::Receiver;
use crate::jobs::form_drafts::{self, Kind, SentForm};
use crate::people::Action;

/// A form of a wave: its newest published version, and the draft of the next one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Form {
    form: String,
    published: Option<Version>,
    draft: Option<Draft>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    version: String,
    title: String,
    /// `open`, `closing` (not listed, still accepted) or `closed`.
    state: &'static str,
    /// MD5 of the XForm that tablets get, hexadecimal.
    hash: String,
    #[schema(format = DateTime)]
    published_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Draft {
    version: String,
    title: String,
    /// The user who sent it.
    made_by: i64,
    #[schema(format = DateTime)]
    made_at: String,
    /// A second person confirmed its wording.
    confirmed: bool,
}

impl From<db::Form> for Version {
    fn from(form: db::Form) -> Self {
        Self {
            version: form.version,
            title: form.title,
            state: form.state.name(),
            hash: form.hash,
            published_at: moment(form.published_at),
        }
    }
}

impl From<&FormDraft> for Draft {
    fn from(draft: &FormDraft) -> Self {
        Self {
            version: draft.version.clone(),
            title: draft.title.clone(),
            made_by: draft.made_by,
            made_at: moment(draft.made_at),
            confirmed: draft.confirmed.is_some(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Forms {
    items: Vec<Form>,
}

/// The forms of a wave, published and drafted.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/forms", tag = "forms", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Các phiếu (the forms)", body = Forms),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_forms(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let forms = in_project(receiver, caller, *project, Action::SeeForms, |receiver, _, project| {
        let (published, drafts) = receiver
            .field
            .read(|db| Ok::<_, db::Error>((db.list_forms(project.id)?, db.list_form_drafts(project.id)?)))?;
        let mut items: Vec<Form> = published
            .into_iter()
            .map(|form| Form {
                draft: drafts.iter().find(|draft| draft.form_id == form.form_id).map(Draft::from),
                form: form.form_id.clone(),
                published: Some(form.into()),
            })
            .collect();
        for draft in drafts {
            if items.iter().all(|item| item.form != draft.form_id) {
                items.push(Form { draft: Some(Draft::from(&draft)), form: draft.form_id, published: None });
            }
        }
        items.sort_by(|a, b| a.form.cmp(&b.form));
        Ok(Forms { items })
    })
    .await?;
    found(&request, &forms)
}

/// A form.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/forms/{form}", tag = "forms",
    params(("project" = i64, Path), ("form" = String, Path)),
    responses(
        (status = 200, description = "Phiếu (the form)", body = Form),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_form(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, String)>,
) -> Result<HttpResponse, Problem> {
    let (project, form) = place.into_inner();
    let found_form = in_project(receiver, caller, project, Action::SeeForms, move |receiver, _, project| {
        let name = segment(&form)?;
        let (published, draft) = receiver.field.read(|db| {
            let published = db.find_form(project.id, name, None)?;
            Ok::<_, db::Error>((published, db.find_form_draft(project.id, name)?))
        })?;
        if published.is_none() && draft.is_none() {
            return Err(Problem::not_found());
        }
        let draft = draft.as_ref().map(Draft::from);
        Ok(Form { published: published.map(Version::from), draft, form })
    })
    .await?;
    found(&request, &found_form)
}

/// What a form is judged to be.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    /// The form's id and version, where it can be read.
    form: Option<String>,
    version: Option<String>,
    /// Nothing keeps it from being published now.
    publishable: bool,
    /// What makes it unreadable.
    problems: Vec<FormProblem>,
    /// What may not be asked or built in a survey (protection.md rule 8).
    refusals: Vec<FormProblem>,
    /// Wording that a second person must confirm.
    to_confirm: Vec<FormProblem>,
    /// What should be looked at again.
    warnings: Vec<FormProblem>,
}

fn listed(problems: &[surveys::xlsform::Problem]) -> Vec<FormProblem> {
    problems.iter().map(FormProblem::from).collect()
}

impl Checked {
    fn unreadable(problems: &[surveys::xlsform::Problem]) -> Self {
        Self {
            form: None,
            version: None,
            publishable: false,
            problems: listed(problems),
            refusals: Vec::new(),
            to_confirm: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn of(sent: &SentForm, kind: ProjectKind) -> Self {
        let (refusals, to_confirm) = match form_drafts::judge(kind, &sent.xml) {
            Ok(judged) => judged,
            Err(problems) => return Self::unreadable(&problems),
        };
        Self {
            form: Some(sent.form_id.clone()),
            version: Some(sent.version.clone()),
            publishable: refusals.is_empty() && to_confirm.is_empty(),
            problems: Vec::new(),
            refusals: listed(&refusals),
            to_confirm: listed(&to_confirm),
            warnings: listed(&sent.warnings),
        }
    }
}

fn read_sent(body: FormBody) -> Result<Result<SentForm, Vec<surveys::xlsform::Problem>>, Problem> {
    let kind = Kind::of(&body.kind).ok_or_else(|| {
        Problem::with(
            Code::WrongContentType,
            "hãy gửi XForm (application/xml) hoặc sổ Excel (send an XForm or an Excel workbook)",
        )
    })?;
    Ok(form_drafts::read(kind, "form", &body.bytes()?))
}

/// Judges a form and keeps nothing: every problem at once, with sheet, row and column.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/form-checks", tag = "forms", params(("project" = i64, Path)),
    request_body(
        description = "XForm hoặc sổ Excel (an XForm or an Excel workbook)",
        content(
            (String = "application/xml"),
            (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            (String = "application/vnd.ms-excel"),
        )
    ),
    responses((status = 200, description = "Kết quả (what was found)", body = Checked))
)]
pub async fn check_form(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    body: FormBody,
) -> Result<HttpResponse, Problem> {
    let checked = in_project(receiver, caller, *project, Action::PublishForm, |_, _, project| {
        Ok(match read_sent(body)? {
            Ok(sent) => Checked::of(&sent, project.kind),
            Err(problems) => Checked::unreadable(&problems),
        })
    })
    .await?;
    Ok(done(StatusCode::OK, &checked))
}

/// A draft that was kept, with what is still to be done about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptDraft {
    form: String,
    draft: Draft,
    checked: Checked,
}

/// Sends the draft of a form, or of its next version; one that is there is replaced, and its confirmation goes.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/forms", tag = "forms", params(("project" = i64, Path)),
    request_body(
        description = "XForm hoặc sổ Excel (an XForm or an Excel workbook)",
        content(
            (String = "application/xml"),
            (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            (String = "application/vnd.ms-excel"),
        )
    ),
    responses(
        (status = 201, description = "Đã giữ bản nháp (the draft is kept)", body = KeptDraft),
        (status = 409, description = "Đợt không còn mở (the wave is not open)"),
        (status = 422, description = "Phiếu có lỗi (the form has problems, all of them in `form_problems`)"),
    )
)]
pub async fn create_draft(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    body: FormBody,
) -> Result<HttpResponse, Problem> {
    let kept = in_project(receiver, caller, *project, Action::PublishForm, |receiver, caller, project| {
        is_open(&project)?;
        let sent = read_sent(body)?.map_err(|problems| Problem::form(Code::FormHasProblems, &problems))?;
        for (field, given) in [("form", &sent.form_id), ("version", &sent.version), ("title", &sent.title)] {
            if given.chars().any(char::is_control) {
                return Err(Problem::value(field, "có ký tự điều khiển (it holds control characters)"));
            }
        }
        let checked = Checked::of(&sent, project.kind);
        let draft = sent.into_draft(project.id, caller.user.id, Utc::now());
        let draft = receiver.field.transaction(|db| db.put_form_draft(draft))?;
        Ok(KeptDraft { draft: Draft::from(&draft), form: draft.form_id, checked })
    })
    .await?;
    Ok(done(StatusCode::CREATED, &kept))
}

fn is_open(project: &db::Project) -> Result<(), Problem> {
    match project.state {
        ProjectState::Open => Ok(()),
        ProjectState::Frozen | ProjectState::Closed => Err(Problem::new(Code::WaveNotOpen)),
    }
}

/// Throws a draft away; what is published stays.
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/forms/{form}/draft", tag = "forms",
    params(("project" = i64, Path), ("form" = String, Path)),
    responses((status = 204, description = "Đã bỏ (thrown away)"))
)]
pub async fn delete_draft(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, String)>,
) -> Result<HttpResponse, Problem> {
    let (project, form) = place.into_inner();
    in_project(receiver, caller, project, Action::PublishForm, move |receiver, _, project| {
        let form = segment(&form)?;
        receiver.field.transaction(|db| {
            db.find_form_draft(project.id, form)?.ok_or_else(Problem::not_found)?;
            Ok::<_, Problem>(db.delete_form_draft(project.id, form)?)
        })
    })
    .await?;
    Ok(nothing())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why the wording may stand; it is kept with the form.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// The second person's word on wording that looks as if it asked for something personal (protection.md rule 8).
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/forms/{form}/draft/confirmation", tag = "forms",
    params(("project" = i64, Path), ("form" = String, Path)), request_body = Reason,
    responses((status = 204, description = "Đã xác nhận (confirmed)"))
)]
pub async fn confirm_draft(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (project, form) = place.into_inner();
    in_project(receiver, caller, project, Action::PublishForm, move |receiver, caller, project| {
        let form = segment(&form)?;
        let now = Utc::now();
        receiver.field.transaction(|db| {
            let draft = db.find_form_draft(project.id, form)?.ok_or_else(Problem::not_found)?;
            if draft.made_by == caller.user.id {
                return Err(Problem::with(
                    Code::SecondPersonNeeded,
                    "người gửi bản nháp không tự xác nhận được (whoever sent the draft cannot confirm it)",
                ));
            }
            let given: Reason = body.read()?;
            let reason = text("reason", &given.reason, 1000)?;
            db.confirm_form_draft(project.id, form, caller.user.id, &reason)?;
            let detail = json!({ "project": project.id, "form": form, "reason": reason }).to_string();
            db.append_audit(&caller.user.login, "wording confirmed", &detail, now)?;
            Ok(())
        })
    })
    .await?;
    Ok(nothing())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Another version than the draft's own.
    #[schema(min_length = 1, max_length = 100)]
    version: Option<String>,
}

/// Publishes a draft: devices get it from now on, and the version is never changed again.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/forms/{form}/draft/publication", tag = "forms",
    params(("project" = i64, Path), ("form" = String, Path)), request_body = Publication,
    responses(
        (status = 201, description = "Đã công bố (published)", body = Version),
        (status = 409, description = "Phiên bản đã có, lời chưa được xác nhận, hoặc đợt không còn mở (the version is there, the wording unconfirmed, or the wave not open)"),
    )
)]
pub async fn publish_draft(
    receiver: Data<Receiver>,
    caller: Caller,
    place: Path<(i64, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (project, form) = place.into_inner();
    let version =
        in_project(receiver, caller, project, Action::PublishForm, move |receiver, caller, project| {
            let form = segment(&form)?;
            let draft = receiver.field.read(|db| db.find_form_draft(project.id, form))?;
            let draft = draft.ok_or_else(Problem::not_found)?;
            is_open(&project)?;
            let given: Publication = body.read()?;
            let version =
                given.version.as_deref().map(|version| text("version", version, 100)).transpose()?;
            let who = &caller.user.login;
            let published = form_drafts::publish(&receiver.field, draft, version.as_deref(), who, Utc::now());
            published.map(Version::from).map_err(|error| match error {
                PublishError::Vault(error) => error.into(),
                PublishError::Unreadable(problems) => Problem::form(Code::FormHasProblems, &problems),
                PublishError::Refused(problems) => Problem::form(Code::FormRefused, &problems),
                PublishError::Unconfirmed(problems) => {
                    Problem::form(Code::WordingNeedsConfirmation, &problems)
                }
            })
        })
        .await?;
    Ok(done(StatusCode::CREATED, &version))
}
