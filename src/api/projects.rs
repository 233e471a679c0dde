//! Waves: a wave is a project.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{Page, done, found, moment};
use super::problem::{Code, Problem};
use super::request::{Body, Caller, PageQuery, blocking, in_project, target, text};
use crate::db::{self, Project, ProjectKind};
use crate::intake::Receiver;
use crate::people::{Action, Target};

/// Longest name of a wave and of an organisation, in letters.
const LONGEST_NAME: usize = 200;
const LONGEST_ORGANISATION: usize = 100;

/// A wave.
#[derive(Debug, Serialize, ToSchema)]
pub struct Wave {
    id: i64,
    name: String,
    /// `survey`, `inventory` or `practice`; only a survey has respondents.
    kind: &'static str,
    /// `open`, `frozen` or `closed`.
    state: &'static str,
    /// Whose wave it is; users of another organisation do not see it.
    organisation: Option<String>,
    /// Whether this server holds its key; without it the wave takes no submissions.
    has_key: bool,
    #[schema(format = DateTime)]
    created_at: String,
}

impl Wave {
    fn of(receiver: &Receiver, project: &Project) -> Self {
        Self {
            id: project.id,
            name: project.name.clone(),
            kind: project.kind.name(),
            state: project.state.name(),
            organisation: project.organisation.clone(),
            has_key: receiver.key(project.id).is_ok(),
            created_at: moment(project.created_at),
        }
    }
}

/// The waves that the caller may see.
#[utoipa::path(
    get, path = "/api/v1/projects", tag = "waves", params(PageQuery),
    responses(
        (status = 200, description = "Các đợt khảo sát (the waves)", body = Page<Wave>),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn list_projects(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let asked = PageQuery::of(&request)?;
    let page = blocking(move || {
        caller.may(Action::SeeProject, Target::default())?;
        let mut all = receiver.field.read(|db| db.list_projects())?;
        all.retain(|project| caller.may(Action::SeeProject, target(project)).is_ok());
        Ok(Page::of(asked, all.iter().map(|project| (project.id, Wave::of(&receiver, project)))))
    })
    .await?;
    found(&request, &page)
}

/// A wave: its settings and where it stands.
#[utoipa::path(
    get, path = "/api/v1/projects/{project}", tag = "waves", params(("project" = i64, Path)),
    responses(
        (status = 200, description = "Đợt khảo sát (the wave)", body = Wave),
        (status = 304, description = "Không đổi (not changed)"),
    )
)]
pub async fn find_project(
    request: HttpRequest,
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let wave = in_project(receiver, caller, *project, Action::SeeProject, |receiver, _, project| {
        Ok(Wave::of(receiver, &project))
    })
    .await?;
    found(&request, &wave)
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaveKind {
    #[default]
    Survey,
    Inventory,
    Practice,
}

impl From<WaveKind> for ProjectKind {
    fn from(kind: WaveKind) -> Self {
        match kind {
            WaveKind::Survey => Self::Survey,
            WaveKind::Inventory => Self::Inventory,
            WaveKind::Practice => Self::Practice,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWave {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[serde(default)]
    kind: WaveKind,
}

/// Makes a wave. One without respondents gets its key at once; a survey's is made with its custodian
/// (`langnghe key create`), and until then it takes no submissions.
#[utoipa::path(
    post, path = "/api/v1/projects", tag = "waves", request_body = NewWave,
    responses((status = 201, description = "Đã tạo (made)", body = Wave))
)]
pub async fn create_project(
    receiver: Data<Receiver>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let wave = blocking(move || {
        caller.may(Action::CreateProject, Target::default())?;
        let given: NewWave = body.read()?;
        let name = text("name", &given.name, LONGEST_NAME)?;
        let kind = ProjectKind::from(given.kind);
        let now = Utc::now();
        let mut project = receiver.field.transaction(|db| {
            let project = db.create_project(&name, kind, now)?;
            if let Some(organisation) = &caller.person.reach.organisation {
                db.set_project_organisation(project.id, organisation)?;
            }
            let detail = json!({ "project": project.id, "kind": kind.name() }).to_string();
            db.append_audit(&caller.user.login, "project added", &detail, now)?;
            Ok::<_, db::Error>(project)
        })?;
        project.organisation.clone_from(&caller.person.reach.organisation);
        if kind != ProjectKind::Survey {
            receiver.make_key(project.id)?;
        }
        Ok(Wave::of(&receiver, &project))
    })
    .await?;
    Ok(done(StatusCode::CREATED, &wave))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaveChange {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Gives the wave to another organisation; only for whoever is not limited to one.
    #[schema(min_length = 1, max_length = 100)]
    organisation: Option<String>,
}

/// Changes a wave's settings; what is not named stays.
#[utoipa::path(
    patch, path = "/api/v1/projects/{project}", tag = "waves", params(("project" = i64, Path)),
    request_body = WaveChange,
    responses(
        (status = 200, description = "Đã đổi (changed)", body = Wave),
        (status = 409, description = "Đợt đã đóng (the wave is closed)"),
    )
)]
pub async fn update_project(
    receiver: Data<Receiver>,
    caller: Caller,
    project: Path<i64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let wave =
        in_project(receiver, caller, *project, Action::CreateProject, |receiver, caller, mut project| {
            let given: WaveChange = body.read()?;
            if project.state == db::ProjectState::Closed {
                return Err(Problem::new(Code::WaveNotOpen));
            }
            if let Some(name) = &given.name {
                project.name = text("name", name, LONGEST_NAME)?;
            }
            if let Some(organisation) = &given.organisation {
                let organisation = text("organisation", organisation, LONGEST_ORGANISATION)?;
                let own = &caller.person.reach.organisation;
                if own.as_ref().is_some_and(|own| *own != organisation) {
                    return Err(Problem::with(
                        Code::RoleNotAllowed,
                        "tài khoản chỉ thuộc một tổ chức (the account belongs to one organisation)",
                    ));
                }
                project.organisation = Some(organisation);
            }
            let now = Utc::now();
            receiver.field.transaction(|db| {
                db.rename_project(project.id, &project.name)?;
                if let Some(organisation) = &project.organisation {
                    db.set_project_organisation(project.id, organisation)?;
                }
                let detail = json!({ "project": project.id }).to_string();
                db.append_audit(&caller.user.login, "project changed", &detail, now)?;
                Ok::<_, db::Error>(())
            })?;
            Ok(Wave::of(receiver, &project))
        })
        .await?;
    Ok(done(StatusCode::OK, &wave))
}
