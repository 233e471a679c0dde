//! `langnghe user`: people who sign in.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Context;
use chrono::Utc;

use crate::accounts::Accounts;
use crate::config::{DATA, DataPlace};
use crate::db::FieldVault;
use crate::keys::KeyFolder;
use crate::people::{AreaRef, Reach, Role};

/// Người dùng · People who sign in
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Thêm người dùng · Add a user; the password is asked, or taken from LANGNGHE_PASSWORD
    #[command(
        after_help = "Example: langnghe user add lan@tuyenquang.gov.vn --role supervisor --area province:08"
    )]
    Add {
        /// A name or an e-mail address
        login: String,
        #[arg(long, value_parser = Role::ALL.map(Role::name))]
        role: String,
        /// The area in charge, with all that lies in it
        #[arg(long, value_name = "LEVEL:CODE[@DATE]")]
        area: Option<String>,
        /// Sees the waves of this organisation alone
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
        /// Sees this wave alone (may be given several times)
        #[arg(long, value_name = "ID")]
        project: Vec<i64>,
        /// Makes a second factor too and prints it once
        #[arg(long)]
        second_factor: bool,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Danh sách · List the users
    #[command(after_help = "Example: langnghe user list")]
    List {
        #[command(flatten)]
        place: DataPlace,
        #[arg(long, value_parser = ["table", "json"], default_value = "table")]
        format: String,
    },
    /// Khóa tài khoản · The account opens nothing from now on
    #[command(after_help = "Example: langnghe user disable lan@tuyenquang.gov.vn")]
    Disable {
        login: String,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Cấp lại mật khẩu · Give a new password, which its owner must change at the first sign-in
    #[command(after_help = "Example: langnghe user reset lan@tuyenquang.gov.vn --second-factor")]
    Reset {
        login: String,
        /// Makes a new second factor instead and prints it once; the password stays
        #[arg(long)]
        second_factor: bool,
        #[command(flatten)]
        place: DataPlace,
    },
}

/// The parts of an installation that commands for people and waves need.
pub(super) struct Installation {
    pub field: FieldVault,
    pub keys: KeyFolder,
    pub accounts: Accounts,
    who: String,
}

impl Installation {
    pub(super) fn open(place: &DataPlace) -> anyhow::Result<Self> {
        let folder = place.folder(DATA);
        let field = FieldVault::open(&place.field_url(&folder))?;
        let keys = KeyFolder::open(place.keys_folder(&folder))?;
        let accounts = Accounts::new(field.clone(), Arc::new(keys.installation()?));
        let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
        Ok(Self { field, keys, accounts, who: format!("shell {user}").trim_end().to_owned() })
    }

    /// Who acts, for the log: the account of the machine that runs the command.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// Writes what was done into the log.
    pub(super) fn log(&self, kind: &str, detail: serde_json::Value) -> anyhow::Result<()> {
        self.field.transaction(|db| db.append_audit(&self.who, kind, &detail.to_string(), Utc::now()))?;
        Ok(())
    }
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Add { login, role, area, organisation, project, second_factor, place } => {
            let role = Role::from_name(role).context("the role is not known")?;
            let area = area.as_deref().map(|text| AreaRef::read(text, Utc::now().date_naive()));
            let area = area.transpose().map_err(|why| anyhow::anyhow!("--area: {why}"))?;
            let installation = Installation::open(place)?;
            for id in project {
                anyhow::ensure!(
                    installation.field.read(|db| db.find_project(*id))?.is_some(),
                    "--project {id}: there is no such wave; see `langnghe project list`"
                );
            }
            let projects = Some(project.iter().copied().collect()).filter(|_| !project.is_empty());
            let reach = Reach { area, projects, organisation: organisation.clone() };
            let password = new_password()?;
            let user = installation.accounts.add(login, role, reach, &password, Utc::now())?;
            installation.log("user added", serde_json::json!({ "user": user.id, "role": role.name() }))?;
            say!("{}", user.id);
            if *second_factor {
                print_second_factor(&installation, &user.login)?;
            }
            Ok(())
        }
        Command::List { place, format } => {
            let installation = Installation::open(place)?;
            let users = installation.accounts.list()?;
            if format == "json" {
                let rows: Vec<_> = users
                    .iter()
                    .map(|user| {
                        serde_json::json!({
                            "id": user.id, "login": user.login, "role": user.role.name(),
                            "area": user.reach.area.as_ref().map(ToString::to_string),
                            "projects": user.reach.projects, "organisation": user.reach.organisation,
                            "second_factor": user.second_factor.is_some(), "disabled": user.disabled,
                        })
                    })
                    .collect();
                say!("{}", serde_json::to_string_pretty(&rows)?);
            } else {
                for user in users {
                    let area = user.reach.area.map_or_else(|| "toàn bộ".to_owned(), |area| area.to_string());
                    let state = if user.disabled { "đã khóa" } else { "" };
                    say!("{:>4}  {:<32}  {:<13}  {area:<28}  {state}", user.id, user.login, user.role.name());
                }
            }
            Ok(())
        }
        Command::Disable { login, place } => {
            let installation = Installation::open(place)?;
            installation.accounts.disable(login)?;
            let user = installation.accounts.find(login)?;
            installation.log("user disabled", serde_json::json!({ "user": user.id }))
        }
        Command::Reset { login, second_factor, place } => {
            let installation = Installation::open(place)?;
            let user = installation.accounts.find(login)?;
            if *second_factor {
                print_second_factor(&installation, login)?;
                return installation.log("second factor renewed", serde_json::json!({ "user": user.id }));
            }
            installation.accounts.reset(login, &new_password()?)?;
            installation.log("password reset", serde_json::json!({ "user": user.id }))
        }
    }
}

fn print_second_factor(installation: &Installation, login: &str) -> anyhow::Result<()> {
    let (secret, address) = installation.accounts.renew_second_factor(login)?;
    say!("{secret}\n{address}");
    eprintln!(
        "Mã này chỉ hiện một lần; nhập vào ứng dụng xác thực. (It is shown once; put it into the authenticator.)"
    );
    Ok(())
}

/// A new password, from LANGNGHE_PASSWORD or asked twice.
fn new_password() -> anyhow::Result<String> {
    if let Some(password) = secret_of("LANGNGHE_PASSWORD") {
        return Ok(password);
    }
    let first = ask("Mật khẩu mới (new password): ", "LANGNGHE_PASSWORD")?;
    anyhow::ensure!(
        first == ask("Nhập lại (again): ", "LANGNGHE_PASSWORD")?,
        "hai lần nhập không giống nhau (the two passwords differ); try again"
    );
    Ok(first)
}

/// A secret from the environment.
pub(super) fn secret_of(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|secret| !secret.is_empty())
}

/// A secret typed at the terminal.
pub(super) fn ask(question: &str, variable: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "there is no terminal to ask at; give the secret in the variable {variable}"
    );
    Ok(rpassword::prompt_password(question)?)
}
