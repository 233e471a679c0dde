//! What is measured: a wave on fresh vaults, the server as a process of its own, and its store filled up.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use chrono::Utc;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use langnghe::accounts::Accounts;
use langnghe::db::{AnswerVault, CaseRole, FieldVault, NewCase, NewForm, ProjectKind, Sender};
use langnghe::intake::{Receiver, Ties};
use langnghe::keys::KeyFolder;
use langnghe::people::{Reach, Role};
use surveys::answer::{Options, answer};
use surveys::expression::Moment;
use surveys::form::Compiled;
use surveys::{xform, xlsform};

use crate::client::{Interview, instance_id};
use crate::postgres::Server;

/// Questions of the form, beside those that name the dwelling and the visit.
pub const QUESTIONS: usize = 60;
const SECTIONS: usize = 6;
/// Dwellings of the sample.
pub const DWELLINGS: u64 = 20_000;
const PASSWORD: &str = "một mật khẩu dài để đo";

/// A folder on the disk that is measured; it goes at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-collect-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A wave with one form and one device, in vaults of its own.
pub struct House {
    pub folder: Folder,
    pub field_url: String,
    pub answers_url: String,
    /// Path of the submissions' address.
    pub path: String,
    pub interviews: Vec<Interview>,
    pub receiver: Arc<Receiver>,
    samples: Vec<String>,
}

impl House {
    pub fn new(kind: ProjectKind, server: Option<&Server>) -> Result<Self, Box<dyn Error>> {
        let folder = Folder::new()?;
        let url = |name: &str| -> Result<String, Box<dyn Error>> {
            let Some(server) = server else {
                return Ok(format!("sqlite://{}", folder.0.join(format!("{name}.db")).display()));
            };
            let database = format!("{name}_{}", uuid::Uuid::new_v4().simple());
            execute(&server.maintenance_url(), &format!("create database {database}"))?;
            Ok(server.url("langnghe", &database))
        };
        let (field_url, answers_url) = (url("field")?, url("answers")?);
        let (field, answers) = (FieldVault::open(&field_url)?, AnswerVault::open(&answers_url)?);
        let keys = KeyFolder::open(folder.0.join("keys"))?;
        let markdown = form(kind);
        let questionnaire = xlsform::read("form.md", markdown.as_bytes())
            .map_err(|problems| format!("{problems:?}"))?
            .questionnaire;
        let compiled = Compiled::new(&questionnaire).map_err(|errors| format!("{errors:?}"))?;
        let form = NewForm {
            project: 1,
            form_id: "sixty".to_owned(),
            version: "1".to_owned(),
            title: "Sixty questions".to_owned(),
            xml: xform::write(&questionnaire).map_err(|problems| format!("{problems:?}"))?.into_bytes(),
            workbook: Some(xlsform::write(&questionnaire).map_err(|problem| format!("{problem:?}"))?),
            files: Vec::new(),
            confirmation: None,
        };
        let now = Utc::now();
        let token = "5e0a".repeat(16);
        field.transaction(|db| {
            db.create_project("2026", kind, now)?;
            db.publish_form(form, now)?;
            db.create_app_user(1, "Máy đo", Some("E01"), &token, now)?;
            db.create_cases(1, (1..=DWELLINGS as i64).map(dwelling).collect())?;
            Ok::<_, langnghe::db::PublishError>(())
        })?;
        keys.create(1)?;
        let accounts = Accounts::new(field.clone(), Arc::new(keys.installation()?));
        accounts.add("giam-sat", Role::Supervisor, Reach::default(), PASSWORD, now)?;
        let samples: Vec<String> = (0..16).map(|seed| sample(&compiled, seed)).collect::<Result<_, _>>()?;
        let interviews = samples.iter().map(|xml| Interview::new(xml, &instance_id(0)));
        let interviews = interviews.collect::<Option<_>>().ok_or("an interview has no instance id")?;
        let receiver = Receiver::new(field, answers, std::collections::HashMap::new(), Ties::Random);
        Ok(Self {
            field_url,
            answers_url,
            path: format!("/v1/key/{token}/projects/1/submission?deviceID=collect:bench"),
            interviews,
            receiver: Arc::new(receiver.with_key_folder(keys)),
            samples,
            folder,
        })
    }

    /// Bytes of a middling interview.
    pub fn bytes(&self) -> usize {
        self.samples.iter().map(String::len).sum::<usize>() / self.samples.len()
    }

    /// Who signs in to read.
    pub fn session(&self) -> Result<String, Box<dyn Error>> {
        let keys = KeyFolder::open(self.folder.0.join("keys"))?;
        let accounts = Accounts::new(self.receiver.field.clone(), Arc::new(keys.installation()?));
        Ok(accounts.sign_in("giam-sat", PASSWORD, None, Utc::now())?.token)
    }

    /// Stores so many interviews through the program's own door.
    pub fn store(&self, many: u64) -> Result<(), Box<dyn Error>> {
        let next = std::sync::atomic::AtomicU64::new(0);
        let failed = std::sync::Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if number >= many {
                            return;
                        }
                        let sample = &self.samples[number as usize % self.samples.len()];
                        let xml = sample.replace(&instance_id(0), &instance_id(number));
                        let xml = xml.replace(HOUSEHOLD, &household(number));
                        let received =
                            self.receiver.receive(1, Sender::default(), xml.into_bytes(), Utc::now());
                        if let Err(error) = received {
                            *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                                Some(error.to_string());
                            return;
                        }
                    }
                });
            }
        });
        match failed.into_inner() {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error.into()),
            Err(_) => Err("a filler failed".into()),
        }
    }

    /// Fills both vaults with rows of the shape and size of one that is there: names and ids differ, the sealed bytes
    /// are those of the one.
    pub fn fill(&self, many: u64) -> Result<(), Box<dyn Error>> {
        const STEP: u64 = 50_000;
        let is_sqlite = self.field_url.starts_with("sqlite:");
        let (mut field, mut answers) = (Hand::new(&self.field_url)?, Hand::new(&self.answers_url)?);
        if is_sqlite {
            for hand in [&mut field, &mut answers] {
                hand.run("pragma synchronous = off; pragma cache_size = -500000")?;
            }
        }
        for from in (0..many).step_by(STEP as usize) {
            let to = (from + STEP).min(many);
            let (numbers, id, name, token) = if is_sqlite {
                (
                    format!(
                        "with recursive n(i) as (select {from} union all select i + 1 from n where i + 1 < {to})"
                    ),
                    "printf('00000000-%04x-7000-8000-%012x', n.i >> 32, n.i)",
                    "randomblob(32)",
                    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) \
                     || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
                )
            } else {
                (
                    format!("with n(i) as (select generate_series({from}, {}))", to - 1),
                    "'00000000-0000-7000-8000-' || lpad(to_hex(n.i), 12, '0')",
                    "sha256(gen_random_uuid()::text::bytea)",
                    "gen_random_uuid()::text",
                )
            };
            field.run(&format!(
                "{numbers} insert into submissions (id, project, form_id, form_version, instance, content, first_instance, \
                 field_half, state, standing) select {id}, t.project, t.form_id, t.form_version, {name}, {name}, {name}, \
                 t.field_half, t.state, t.standing from n cross join \
                 (select * from submissions where state = 'confirmed' order by id desc limit 1) as t"
            ))?;
            answers.run(&format!(
                "{numbers} insert into answers (id, project, sealed) select {token}, t.project, t.sealed from n \
                 cross join (select * from answers where sealed is not null limit 1) as t"
            ))?;
        }
        let settled = if is_sqlite { "pragma wal_checkpoint(truncate)" } else { "checkpoint" };
        field.run(settled)?;
        answers.run(settled)
    }
}

enum Hand {
    Sqlite(Box<SqliteConnection>),
    Postgresql(Box<PgConnection>),
}

impl Hand {
    fn new(url: &str) -> Result<Self, Box<dyn Error>> {
        Ok(match url.strip_prefix("sqlite://") {
            Some(path) => Self::Sqlite(Box::new(SqliteConnection::establish(path)?)),
            None => Self::Postgresql(Box::new(PgConnection::establish(url)?)),
        })
    }

    fn run(&mut self, sql: &str) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Sqlite(connection) => connection.batch_execute(sql)?,
            Self::Postgresql(connection) => connection.batch_execute(sql)?,
        }
        Ok(())
    }
}

fn execute(url: &str, sql: &str) -> Result<(), Box<dyn Error>> {
    Hand::new(url)?.run(sql)
}

fn dwelling(household: i64) -> NewCase {
    NewCase {
        village: "SYN-00001".to_owned(),
        commune: "00694".to_owned(),
        district: "024".to_owned(),
        household: Some(household),
        stratum: "024/Mong".to_owned(),
        drawn_order: household,
        probability_1: 0.125,
        probability_2: Some(0.2),
        role: CaseRole::Main,
        assigned_to: None,
        sampling: r#"{"village_id":"SYN-00001","reporting_area":"east"}"#.to_owned(),
    }
}

/// Sixty questions in six sections behind the dwelling and the visit; where there are no respondents a repeat of three
/// rows comes with them.
fn form(kind: ProjectKind) -> String {
    let mut rows = String::from("| survey |\n| | type | name | label | repeat_count | bind::ln:vault |\n");
    let field = if kind == ProjectKind::Survey { "field" } else { "" };
    let mut row = |kind: &str, name: &str, label: &str, count: &str, vault: &str| {
        rows += &format!("| | {kind} | {name} | {label} | {count} | {vault} |\n");
    };
    row("start", "started", "", "", "");
    row("end", "ended", "", "", "");
    row("begin group", "visit", "Chuyến đi", "", field);
    row("text", "village", "Thôn", "", "");
    row("integer", "household", "Hộ số", "", "");
    row("integer", "attempt", "Lần thứ", "", "");
    row("select_one outcome", "disposition", "Kết quả", "", "");
    row("end group", "", "", "", "");
    for section in 0..SECTIONS {
        row("begin group", &format!("s{section}"), &format!("Phần {section}"), "", "");
        for question in 0..QUESTIONS / SECTIONS {
            let (number, label) =
                (section * 10 + question, "Ông/bà đánh giá thế nào về việc này ở thôn mình?");
            let kind = match question {
                0 => "integer",
                1 | 2 => "select_multiple why",
                3 => "text",
                _ => "select_one five",
            };
            row(kind, &format!("q{number:02}"), label, "", "");
        }
        row("end group", "", "", "", "");
    }
    if kind != ProjectKind::Survey {
        row("begin repeat", "item", "Hạng mục", "3", "");
        row("text", "what", "Tên", "", "");
        row("integer", "how_many", "Số lượng", "", "");
        row("end repeat", "", "", "", "");
    }
    rows += "| choices |\n| | list_name | name | label |\n| | outcome | 1.1 | Xong |\n| | outcome | 2.2 | Vắng |\n";
    for (value, label) in [(1, "Rất tốt"), (2, "Tốt"), (3, "Bình thường"), (4, "Kém"), (98, "Không biết")]
    {
        rows += &format!("| | five | {value} | {label} |\n| | why | {value} | {label} |\n");
    }
    rows += "| settings |\n| | form_id | version | form_title |\n| | sixty | 1 | Sixty questions |\n";
    rows
}

/// The household of a sample, which every interview replaces by its own.
pub const HOUSEHOLD: &str = "<household>100001</household>";

/// An interview's own household among the sample's.
pub fn household(number: u64) -> String {
    format!("<household>{:06}</household>", 1 + number % DWELLINGS)
}

fn sample(form: &Compiled, seed: u64) -> Result<String, Box<dyn Error>> {
    let start = Moment::parse("2026-08-03T08:00:00.000+07:00", 420).ok_or("no moment")?;
    let given = [("village", "SYN-00001"), ("household", "100001"), ("attempt", "1"), ("disposition", "1.1")];
    let options = Options {
        presets: given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        instance_id: Some(instance_id(0)),
        ..Options::at(start)
    };
    Ok(answer(form, seed, &options).xml)
}

/// A server as a process of its own.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    pub fn serve(house: &House) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_langnghe"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&house.folder.0);
        command.args(["--field", &house.field_url, "--answers", &house.answers_url]);
        Self::start(&mut command)
    }

    /// Waits for the line that says where it listens.
    pub fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no pipe")?).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("://")?.1.trim().parse().ok())
            .ok_or("the server did not start")?;
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("server: {line}");
            }
        });
        Ok(Self { child, address })
    }

    /// Seconds that it had a processor.
    pub fn processor_seconds(&self) -> Result<f64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in brackets may hold spaces; fields 14 and 15 count hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let hundredths = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        Ok((hundredths(11).ok_or("no user time")? + hundredths(12).ok_or("no system time")?) / 100.0)
    }

    /// Peak and present memory in megabytes.
    pub fn memory(&self) -> Result<(f64, f64), Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        let peak = kilobytes("VmHWM").ok_or("no peak")?;
        Ok((peak / 1024.0, kilobytes("VmRSS").ok_or("no size")? / 1024.0))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
