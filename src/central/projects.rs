//! Projects: a project is a wave.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::{Caller, Problem, blocking, in_project, moment, target};
use crate::db::{self, Project, ProjectKind};
use crate::intake::Receiver;
use crate::people::{Action, Target};

#[derive(Debug, Deserialize)]
pub struct NewProject {
    name: Option<String>,
    kind: Option<String>,
}

/// The projects that the caller may see.
pub async fn list_projects(receiver: Data<Receiver>, caller: Caller) -> Result<HttpResponse, Problem> {
    let projects = blocking(move || {
        caller.may(Action::SeeProject, Target::default())?;
        let mut all = receiver.field.read(|db| db.list_projects())?;
        all.retain(|project| caller.may(Action::SeeProject, target(project)).is_ok());
        Ok(all)
    })
    .await?;
    Ok(HttpResponse::Ok().json(projects.iter().map(project_json).collect::<Vec<_>>()))
}

pub async fn find_project(
    receiver: Data<Receiver>,
    caller: Caller,
    id: Path<i64>,
) -> Result<HttpResponse, Problem> {
    let found =
        in_project(receiver, caller, *id, Action::SeeProject, |_, _, project| Ok(project_json(&project)));
    Ok(HttpResponse::Ok().json(found.await?))
}

/// Makes a wave. One without respondents gets its key at once; a survey's is made with its custodian
/// (`langnghe key create`), and until then it takes no submissions.
pub async fn create_project(
    receiver: Data<Receiver>,
    caller: Caller,
    Json(given): Json<NewProject>,
) -> Result<HttpResponse, Problem> {
    let project = blocking(move || {
        caller.may(Action::CreateProject, Target::default())?;
        let name = given.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Problem::expected("name"))?;
        let kind = match given.kind.as_deref() {
            None => ProjectKind::Survey,
            Some(kind) => ProjectKind::from_name(kind).ok_or_else(|| Problem::expected("kind"))?,
        };
        let now = Utc::now();
        let mut project = receiver.field.transaction(|db| {
            let project = db.create_project(name, kind, now)?;
            if let Some(organisation) = &caller.person.reach.organisation {
                db.set_project_organisation(project.id, organisation)?;
            }
            let detail = json!({ "project": project.id, "kind": kind.name() }).to_string();
            db.append_audit(&caller.user.login, "project added", &detail, now)?;
            Ok::<_, db::Error>(project)
        })?;
        project.organisation.clone_from(&caller.person.reach.organisation);
        if kind != ProjectKind::Survey {
            receiver.make_key(project.id).map_err(|error| Problem::unavailable(&error))?;
        }
        Ok(project)
    })
    .await?;
    Ok(HttpResponse::Ok().json(project_json(&project)))
}

fn project_json(project: &Project) -> serde_json::Value {
    json!({
        "id": project.id,
        "name": project.name,
        "description": null,
        "archived": project.state == db::ProjectState::Closed,
        "keyId": null,
        "createdAt": moment(project.created_at),
        "updatedAt": null,
        "deletedAt": null,
        "kind": project.kind.name(),
        "state": project.state.name(),
    })
}
