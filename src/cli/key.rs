//! `langnghe key`: the keys of a wave and of its custodian (protection.md rule 9; the ceremony is in docs/keys.md).

use std::io::IsTerminal;
use std::path::PathBuf;

use chrono::{Months, NaiveDate, Utc};

use super::user::{Installation, ask, secret_of};
use crate::config::DataPlace;
use crate::db::{ProjectKind, ProjectState};
use crate::keys::{self, Passphrase};

const VARIABLE: &str = "LANGNGHE_KEY_PASSPHRASE";
/// How long analysis files open where nothing else is said.
const RETENTION: Months = Months::new(60);
/// How long a wave stays open to closing by hand where nothing else is said.
const CLOSING: Months = Months::new(12);

/// Khóa của đợt khảo sát · Keys
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Khóa của người giữ khóa, tạo trên máy riêng · The custodian's key, made on the custodian's own machine
    #[command(after_help = "Example: langnghe key custodian --output custodian-2026")]
    Custodian {
        /// File of the private half; the public half is written beside it as FILE.pub
        #[arg(long, value_name = "F")]
        output: PathBuf,
    },
    /// Tạo khóa cho một đợt · Make the keys of a wave
    #[command(after_help = "Example: langnghe key create 1 --custodian custodian-2026.pub")]
    Create {
        #[arg(value_name = "ID")]
        wave: i64,
        /// Public half of the custodian's key
        #[arg(long, value_name = "F.pub")]
        custodian: PathBuf,
        /// Last day on which analysis files open; default: five years from today
        #[arg(long, value_name = "DATE")]
        retention: Option<NaiveDate>,
        /// Day on which the server closes the wave if nobody did; default: one year from today. It can be brought
        /// forward with `wave close-on`, never put off
        #[arg(long, value_name = "DATE")]
        close_on: Option<NaiveDate>,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Các khóa đang có · Which keys lie in the key folder, and until when analysis files open
    #[command(after_help = "Example: langnghe key list --format json")]
    List {
        #[command(flatten)]
        place: DataPlace,
        #[arg(long, value_parser = ["table", "json"], default_value = "table")]
        format: String,
    },
    /// Hủy khóa phân tích hết hạn · Destroy the analysts' key of a closed wave after its retention date: its analysis
    /// files open never again
    #[command(after_help = "Example: langnghe key retire 1")]
    Retire {
        #[arg(value_name = "ID")]
        wave: i64,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Khôi phục khóa từ bản của người giữ khóa · Put the keys of a wave back from the custodian's copy
    #[command(
        after_help = "Example: langnghe key restore 1 --escrow wave-1.escrow --custodian-key custodian-2026"
    )]
    Restore {
        #[arg(value_name = "ID")]
        wave: i64,
        /// The copy that was made with the keys
        #[arg(long, value_name = "F")]
        escrow: PathBuf,
        /// Private half of the custodian's key; its passphrase is asked, or taken from LANGNGHE_CUSTODIAN_PASSPHRASE
        #[arg(long, env = "LANGNGHE_CUSTODIAN_KEY", value_name = "F")]
        custodian_key: PathBuf,
        #[command(flatten)]
        place: DataPlace,
    },
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Custodian { output } => {
            let public = keys::create_custodian(output, &new_passphrase()?)?;
            say!("{}\n{}", output.display(), public.display());
            eprintln!(
                "Giữ {} và mật khẩu của nó ở hai nơi an toàn khác nhau; chỉ đưa {} lên máy chủ. \
                 (Keep the first file and its passphrase in two safe places apart; only the second goes to a server.)",
                output.display(),
                public.display()
            );
            Ok(())
        }
        Command::Create { wave, custodian, retention, close_on, place } => {
            let today = Utc::now().date_naive();
            let until = match retention {
                Some(until) => *until,
                None => today.checked_add_months(RETENTION).unwrap_or(today),
            };
            anyhow::ensure!(until > today, "--retention {until} is past; give a day to come");
            let closing =
                close_on.unwrap_or_else(|| today.checked_add_months(CLOSING).unwrap_or(until).min(until));
            anyhow::ensure!(closing > today, "--close-on {closing} is past; give a day to come");
            let custodian = keys::load_custodian_public(custodian)?;
            let installation = Installation::open(place)?;
            let project = installation.field.read(|db| db.find_project(*wave))?;
            let Some(project) = project else {
                anyhow::bail!("there is no wave {wave}; see `langnghe project list`")
            };
            anyhow::ensure!(
                project.kind == ProjectKind::Survey,
                "wave {wave} has no respondents ({}): it got its key when it was made",
                project.kind.name()
            );
            let escrow = installation.keys.create_survey(*wave, &custodian, &new_passphrase()?)?;
            installation.keys.keep_until(*wave, until)?;
            let now = Utc::now();
            let closing = installation.field.transaction(|db| db.close_on(*wave, closing, now))?;
            let detail = serde_json::json!({ "project": wave, "retention": until, "close_on": closing });
            installation.log("keys made", detail)?;
            say!("{}", escrow.display());
            eprintln!(
                "Chuyển {} cho người giữ khóa: không có nó và mật khẩu thì dữ liệu của đợt này không mở lại được. \
                 (Give this copy to the custodian: without it and without the passphrase nothing of this wave opens again.)\n\
                 Ngày {closing} máy chủ tự đóng đợt và hủy khóa nếu chưa ai đóng. (On this day the server closes the wave by itself.)",
                escrow.display()
            );
            Ok(())
        }
        Command::List { place, format } => list(place, format),
        Command::Retire { wave, place } => retire(*wave, place),
        Command::Restore { wave, escrow, custodian_key, place } => {
            let installation = Installation::open(place)?;
            let own = match secret_of("LANGNGHE_CUSTODIAN_PASSPHRASE") {
                Some(own) => own,
                None => ask(
                    "Mật khẩu của người giữ khóa (the custodian's passphrase): ",
                    "LANGNGHE_CUSTODIAN_PASSPHRASE",
                )?,
            };
            let custodian = keys::load_custodian(custodian_key, &Passphrase::new(own))?;
            installation.keys.restore_survey(*wave, escrow, &custodian, &new_passphrase()?)?;
            installation.log("keys restored", serde_json::json!({ "project": wave }))?;
            say!("{}", installation.keys.file_of(*wave).display());
            Ok(())
        }
    }
}

/// What of a wave's keys is here, for people and programs.
fn list(place: &DataPlace, format: &str) -> anyhow::Result<()> {
    let installation = Installation::open(place)?;
    let files = installation.keys.list_files()?;
    let has = |name: String| files.contains(&name);
    let today = Utc::now().date_naive();
    let mut rows = Vec::new();
    for project in installation.field.read(|db| db.list_projects())? {
        let id = project.id;
        let until = installation.keys.retention(id)?;
        rows.push(serde_json::json!({
            "project": id, "name": project.name, "state": project.state.name(),
            "wave": has(format!("wave-{id}.key")), "tablet": has(format!("tablet-{id}.key")),
            "escrow": has(format!("wave-{id}.escrow")), "analysts": has(format!("analysts-{id}.key")),
            "retention": until, "due": until.is_some_and(|until| today > until),
        }));
    }
    if format == "json" {
        say!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    for row in rows {
        let mark = |name: &str, words: &str| match row[name] == true {
            true => words.to_owned(),
            false => "–".to_owned(),
        };
        let until = row["retention"].as_str().unwrap_or("–");
        let due = if row["due"] == true { "quá hạn: langnghe key retire" } else { "" };
        say!(
            "{:>4}  {:<9} {:<10} {:<16} {:<16} {until:<11} {}  {due}",
            row["project"],
            mark("wave", "khóa đợt"),
            mark("tablet", "máy bảng"),
            mark("escrow", "bản giữ hộ còn"),
            mark("analysts", "khóa phân tích"),
            row["name"].as_str().unwrap_or_default(),
        );
    }
    Ok(())
}

fn retire(wave: i64, place: &DataPlace) -> anyhow::Result<()> {
    let installation = Installation::open(place)?;
    let project = installation.field.read(|db| db.find_project(wave))?;
    let Some(project) = project else {
        anyhow::bail!("there is no wave {wave}; see `langnghe project list`")
    };
    let until = installation.keys.retention(wave)?;
    let today = Utc::now().date_naive();
    anyhow::ensure!(
        until.is_some_and(|until| today > until),
        "the analysts' key of wave {wave} is kept until {}; until then its analysis files open",
        until.map_or_else(|| "–".to_owned(), |until| until.to_string())
    );
    anyhow::ensure!(
        project.state == ProjectState::Closed,
        "wave {wave} is {}; close it first: langnghe wave close {wave}",
        project.state.name()
    );
    let gone = installation.keys.destroy_analysts(wave)?;
    installation.log("analysts' key destroyed", serde_json::json!({ "project": wave }))?;
    for name in gone {
        say!("đã hủy (destroyed) {name}");
    }
    Ok(())
}

/// A passphrase to seal with, from the environment or asked twice.
fn new_passphrase() -> anyhow::Result<Passphrase> {
    if let Some(passphrase) = secret_of(VARIABLE) {
        return Ok(Passphrase::new(passphrase));
    }
    let first = ask("Mật khẩu của khóa (passphrase): ", VARIABLE)?;
    anyhow::ensure!(
        first == ask("Nhập lại (again): ", VARIABLE)?,
        "hai lần nhập không giống nhau (the two passphrases differ); try again"
    );
    Ok(Passphrase::new(first))
}

/// The passphrase that opens the keys of surveys: from the environment, a systemd credential, or asked.
pub(super) fn passphrase() -> anyhow::Result<Option<Passphrase>> {
    if let Some(passphrase) = secret_of(VARIABLE) {
        return Ok(Some(Passphrase::new(passphrase)));
    }
    if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        let file = PathBuf::from(folder).join("langnghe-key-passphrase");
        if let Ok(text) = std::fs::read_to_string(file) {
            return Ok(Some(Passphrase::new(text.trim_end_matches(['\r', '\n']))));
        }
    }
    if std::io::stdin().is_terminal() {
        return Ok(Some(Passphrase::new(ask("Mật khẩu của khóa (passphrase of the keys): ", VARIABLE)?)));
    }
    Ok(None)
}
