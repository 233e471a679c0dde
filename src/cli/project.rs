//! `langnghe project`: waves. A wave is a project.

use chrono::Utc;

use super::user::Installation;
use crate::config::DataPlace;
use crate::db::ProjectKind;

/// Đợt khảo sát · Waves
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Thêm một đợt khảo sát · Add a wave
    #[command(after_help = "Example: langnghe project add \"Khảo sát 2026\" --data /srv/langnghe")]
    Add {
        /// Name, as officials read it
        name: String,
        /// survey (with respondents), inventory or practice (without)
        #[arg(long, default_value = "survey", value_parser = ["survey", "inventory", "practice"])]
        kind: String,
        /// Whose wave it is; users of other organisations do not see it
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Các đợt khảo sát · List the waves
    #[command(after_help = "Example: langnghe project list --data /srv/langnghe")]
    List {
        #[command(flatten)]
        place: DataPlace,
        #[arg(long, value_parser = ["table", "json"], default_value = "table")]
        format: String,
    },
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Add { name, kind, organisation, place } => {
            let installation = Installation::open(place)?;
            let name = name.trim();
            anyhow::ensure!(!name.is_empty(), "the wave needs a name; write it in quotation marks");
            let kind = ProjectKind::from_name(kind).unwrap_or(ProjectKind::Survey);
            let now = Utc::now();
            let project = installation.field.transaction(|db| {
                let project = db.create_project(name, kind, now)?;
                if let Some(organisation) = organisation {
                    db.set_project_organisation(project.id, organisation)?;
                }
                db.append_audit(
                    installation.who(),
                    "project added",
                    &serde_json::json!({ "project": project.id, "kind": kind.name() }).to_string(),
                    now,
                )?;
                Ok::<_, crate::db::Error>(project)
            })?;
            // No respondents, no passphrase: the key is made with the project (protection.md).
            if kind != ProjectKind::Survey && !installation.keys.has(project.id) {
                installation.keys.create(project.id)?;
            }
            say!("{}", project.id);
            if kind == ProjectKind::Survey {
                eprintln!(
                    "Đợt {id} chưa có khóa nên chưa nhận phiếu. Tiếp theo: langnghe key create {id} --custodian F.pub \
                     (wave {id} has no key yet and takes no submissions; make it next)",
                    id = project.id
                );
            }
            Ok(())
        }
        Command::List { place, format } => {
            let installation = Installation::open(place)?;
            let projects = installation.field.read(|db| db.list_projects())?;
            if format == "json" {
                let rows: Vec<_> = projects
                    .iter()
                    .map(|p| {
                        serde_json::json!({
                            "id": p.id, "name": p.name, "kind": p.kind.name(), "state": p.state.name(),
                            "organisation": p.organisation, "key": installation.keys.has(p.id),
                        })
                    })
                    .collect();
                say!("{}", serde_json::to_string_pretty(&rows)?);
            } else {
                for p in projects {
                    let key = if installation.keys.has(p.id) { "có khóa" } else { "chưa có khóa" };
                    say!("{:>4}  {:<9}  {:<7}  {key:<13}  {}", p.id, p.kind.name(), p.state.name(), p.name);
                }
            }
            Ok(())
        }
    }
}
