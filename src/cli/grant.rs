//! `langnghe grant`: records of a survey open to one person for a purpose, approved by another (protection.md rule 7).

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};

use super::user::{Installation, ask, secret_of};
use crate::config::DataPlace;
use crate::db::ProjectKind;
use crate::people::{GrantError, Person, Target, check_approver, check_grant};

/// Cấp quyền xem bản ghi · Grants
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Mở bản ghi cho một người · Open records to one person; the approver's password and code are asked, or taken
    /// from LANGNGHE_APPROVER_PASSWORD and LANGNGHE_APPROVER_TOTP
    #[command(
        after_help = "Example: langnghe grant records an@so.vn --project 1 --until 2026-12-15 --purpose \"Mã hóa câu mở\" --approver binh@so.vn"
    )]
    Records {
        /// Who may open them: an analyst or a custodian
        login: String,
        #[arg(long, value_name = "ID")]
        project: i64,
        /// Last day, at most 30 days off
        #[arg(long, value_name = "DATE")]
        until: NaiveDate,
        #[arg(long, value_name = "TEXT")]
        purpose: String,
        /// Who approves it: somebody else, an analyst or a custodian
        #[arg(long, value_name = "LOGIN2")]
        approver: String,
        #[command(flatten)]
        place: DataPlace,
    },
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Records { login, project, until, purpose, approver, place } = command;
    let installation = Installation::open(place)?;
    let now = Utc::now();
    let wave = installation.field.read(|db| db.find_project(*project))?;
    let Some(wave) = wave else {
        anyhow::bail!("--project {project}: there is no such wave; see `langnghe project list`")
    };
    anyhow::ensure!(
        wave.kind == ProjectKind::Survey,
        "wave {project} has no respondents ({}): its records need no grant",
        wave.kind.name()
    );
    let today = now.date_naive();
    let purpose = purpose.trim();
    anyhow::ensure!(!purpose.is_empty(), "--purpose is empty; say what the records are opened for");
    let user = installation.accounts.find(login)?;
    let target = Target { project: Some(wave.id), organisation: wave.organisation.as_deref(), area: None };
    let opener = installation.accounts.find_person_of(login)?;
    let opener = opener.with_context(|| format!("there is no account {login}; see `langnghe user list`"))?;
    check_grant(&opener, target, *until, today)?;
    let second = installation.accounts.find(approver)?;
    anyhow::ensure!(second.id != user.id, "--approver {approver}: {}", GrantError::SamePerson);
    let person = prove(&installation, approver, now)?;
    check_approver(&opener, &person, target)?;
    let grant = installation.field.transaction(|db| {
        let grant = db.create_grant(wave.id, user.id, person.id, purpose, *until, now)?;
        db.append_audit(
            installation.who(),
            "grant given",
            &serde_json::json!({
                "project": wave.id, "user": user.id, "approver": person.id, "until": until, "purpose": purpose,
            })
            .to_string(),
            now,
        )?;
        Ok::<_, crate::db::Error>(grant)
    })?;
    say!("{login}: đợt {} đến hết ngày {} (until the end of {})", wave.id, grant.until, grant.until);
    Ok(())
}

/// The approver by password and code, which are asked or taken from the environment.
pub(super) fn prove(
    installation: &Installation,
    approver: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Person> {
    let password = match secret_of("LANGNGHE_APPROVER_PASSWORD") {
        Some(password) => password,
        None => ask(&format!("Mật khẩu của {approver} (password): "), "LANGNGHE_APPROVER_PASSWORD")?,
    };
    let code = match secret_of("LANGNGHE_APPROVER_TOTP") {
        Some(code) => code,
        None => ask(&format!("Mã xác thực của {approver} (code): "), "LANGNGHE_APPROVER_TOTP")?,
    };
    Ok(installation.accounts.approve(approver, &password, &code, now)?)
}
