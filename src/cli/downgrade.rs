//! `langnghe downgrade`: the way back to an earlier release in the middle of a wave, without losing an interview.

use anyhow::Context;
use chrono::Utc;

use crate::config::{DATA, DataPlace};
use crate::db::{AnswerVault, FieldVault};
use crate::jobs::servers;

/// Trở về bản trước · Take the vaults back to the schema of an earlier release, so that its program opens them
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: langnghe downgrade --to 2026-11-23-040100 --data /srv/langnghe --yes\n\
                  The schema of a release stands in its CHANGELOG. Interviews, cases and keys stay; what only the newer \
                  release knows goes. Stop the servers and make a backup first.")]
pub struct Args {
    /// The newest schema that the earlier release knows
    #[arg(long, value_name = "SCHEMA")]
    to: String,
    /// Does it; without this it only says what would go
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: DataPlace,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    // Versions are the digits of the names of migrations.
    let to: String = args.to.chars().filter(char::is_ascii_digit).collect();
    anyhow::ensure!(
        to.len() == 14 && args.to.chars().all(|c| c.is_ascii_digit() || c == '-'),
        "--to {}: a schema is a date and a time, 2026-11-23-040100; it stands in the CHANGELOG of the release",
        args.to
    );
    let folder = args.place.folder(DATA);
    let urls = (args.place.field_url(&folder), args.place.answers_url(&folder));
    let now = Utc::now();
    // Opening brings the tables up, so that every step back is one that this program knows.
    let vault = FieldVault::open(&urls.0)?;
    let running =
        vault.read(|db| db.list_servers())?.into_iter().find(|server| servers::is_running(server, now));
    if let Some(server) = running {
        anyhow::bail!("{} is running on these vaults; stop it and wait a minute and a half", server.name);
    }
    let detail = serde_json::json!({ "schema": args.to });
    if args.yes {
        vault.transaction(|db| db.append_audit("shell", "schema taken back", &detail.to_string(), now))?;
    }
    drop(vault);
    let back = |failed: &str| {
        format!("{failed}: the tables are as they were before the step that failed; run it again")
    };
    let field = FieldVault::step_back(&urls.0, &to, args.yes).with_context(|| back("field vault"))?;
    let answers = AnswerVault::step_back(&urls.1, &to, args.yes).with_context(|| back("answer vault"))?;
    for version in field.iter().chain(&answers) {
        say!("{version}");
    }
    match (field.len() + answers.len(), args.yes) {
        (0, _) => {
            eprintln!("Không có gì để lùi (nothing to take back): the earlier release opens these vaults.")
        }
        (many, true) => eprintln!(
            "Đã lùi {many} bước; bây giờ khởi động bản trước (taken back; start the earlier release)"
        ),
        (many, false) => eprintln!("Sẽ lùi {many} bước này; thêm --yes để làm (add --yes to do it)"),
    }
    Ok(())
}
