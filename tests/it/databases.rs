//! A pair of fresh vaults on either backend, and a hand that reaches into them past the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use langnghe::db::{AnswerVault, FieldVault, Incoming, Intake, NewForm, ProjectKind};
use langnghe::keys::WaveKey;
use uuid::Uuid;

use crate::postgres::Server;

/// A folder that goes when the test ends.
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub fn within(folder: &Path) -> Self {
        let path = folder.join(format!("langnghe-test-{}", Uuid::new_v4()));
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where a pair of vaults lies.
pub struct Place {
    pub field_url: String,
    pub answers_url: String,
    /// Every file in which the vaults leave a trace.
    pub files: PathBuf,
    _folder: Option<TemporaryFolder>,
}

impl Place {
    pub fn on_sqlite() -> Self {
        Self::on_sqlite_in(TemporaryFolder::new())
    }

    pub fn on_sqlite_in(folder: TemporaryFolder) -> Self {
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        Self {
            field_url: url("field.db"),
            answers_url: url("answers.db"),
            files: folder.path().to_owned(),
            _folder: Some(folder),
        }
    }

    /// `None` where the tests on PostgreSQL are to be left out.
    pub fn on_postgresql() -> Option<Self> {
        Server::get().map(Self::on)
    }

    /// Two new databases on a server.
    pub fn on(server: &Server) -> Self {
        let new_database = |kind: &str| {
            let name = format!("{kind}_{}", Uuid::new_v4().simple());
            execute(&server.maintenance_url(), &format!("create database {name}"));
            server.url("langnghe", &name)
        };
        Self {
            field_url: new_database("field"),
            answers_url: new_database("answers"),
            files: server.folder().to_owned(),
            _folder: None,
        }
    }

    /// The same vaults for a second holder, who must end before this one.
    pub fn again(&self) -> Self {
        Self {
            field_url: self.field_url.clone(),
            answers_url: self.answers_url.clone(),
            files: self.files.clone(),
            _folder: None,
        }
    }

    pub fn field(&self) -> FieldVault {
        FieldVault::open(&self.field_url).expect("the field vault opens")
    }

    pub fn answers(&self) -> AnswerVault {
        AnswerVault::open(&self.answers_url).expect("the answer vault opens")
    }
}

/// Runs SQL past the program.
pub fn execute(url: &str, sql: &str) {
    let done = match url.strip_prefix("sqlite://") {
        Some(path) => SqliteConnection::establish(path).expect("the file opens").batch_execute(sql),
        None => PgConnection::establish(url).expect("the server answers").batch_execute(sql),
    };
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The XForm of survey rows `| type | name | label |`.
pub fn xform(rows: &str) -> Vec<u8> {
    let rows = rows.replace("\n", "\n| ");
    let sheet = format!("| survey |\n| | type | name | label |\n| {rows}\n");
    let form = surveys::xlsform::read("form.md", sheet.as_bytes()).expect("a form").questionnaire;
    surveys::xform::write(&form).expect("a form").into_bytes()
}

/// A wave with one published form `hh` version 1.
pub struct Wave {
    pub intake: Intake,
    pub key: Arc<WaveKey>,
    pub project: i64,
}

impl Wave {
    pub fn new(place: &Place) -> Self {
        let intake = Intake::new(place.field(), place.answers());
        let project = intake.field().transaction(|db| {
            let project = db.create_project("2026", ProjectKind::Survey, morning())?.id;
            let form = NewForm {
                project,
                form_id: "hh".to_owned(),
                version: "1".to_owned(),
                title: "Households".to_owned(),
                xml: xform("| text | q1 | Q1 |"),
                workbook: None,
                files: Vec::new(),
                confirmation: None,
            };
            db.publish_form(form, morning())?;
            Ok::<_, langnghe::db::PublishError>(project)
        });
        let key = Arc::new(WaveKey::generate().expect("the system gives random numbers"));
        Self { intake, key, project: project.expect("the wave is stored") }
    }

    /// An interview of `hh`; its halves say its instance id and its answer.
    pub fn interview(&self, instance_id: &str, answer: &str) -> Incoming {
        Incoming {
            project: self.project,
            form_id: "hh".to_owned(),
            form_version: "1".to_owned(),
            instance_id: instance_id.to_owned(),
            deprecated_id: None,
            content: format!("<data><meta>{instance_id}</meta><q1>{answer}</q1></data>").into_bytes(),
            field_half: format!("<field><meta>{instance_id}</meta></field>").into_bytes(),
            answer_half: format!("<answers><q1>{answer}</q1></answers>").into_bytes(),
            reporting_area: Some("east".to_owned()),
            app_user: None,
            device: Some("collect:tablet-7".to_owned()),
            submitter: None,
            visit: None,
            flags: Vec::new(),
            now: morning(),
            token: None,
        }
    }

    /// As [`Self::interview`], correcting `original`.
    pub fn edit(&self, instance_id: &str, original: &str, answer: &str) -> Incoming {
        Incoming { deprecated_id: Some(original.to_owned()), ..self.interview(instance_id, answer) }
    }

    pub fn submissions(&self) -> Vec<langnghe::db::Submission> {
        self.intake.field().read(|db| db.list_submissions(self.project, &self.key)).expect("submissions open")
    }

    pub fn answers(&self) -> Vec<langnghe::db::Answer> {
        self.intake.answers().read(|db| db.list_answers(self.project, &self.key)).expect("answers open")
    }

    /// What is stored as current, by instance id: the answer half that the token leads to.
    pub fn current(&self) -> Vec<(String, String)> {
        let answers = self.answers();
        let mut current: Vec<(String, String)> = self
            .submissions()
            .into_iter()
            .filter(|submission| submission.standing == langnghe::db::Standing::Current)
            .map(|submission| {
                let answer = answers.iter().find(|answer| answer.token == submission.token);
                let xml = answer.expect("every submission leads to its answer").xml.clone();
                (submission.instance_id, String::from_utf8(xml).expect("XML is text"))
            })
            .collect();
        current.sort();
        current
    }
}

/// The first morning of the wave.
pub fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a time in 2026")
}

pub fn minutes(many: i64) -> TimeDelta {
    TimeDelta::minutes(many)
}

/// Makes each of these functions two tests: on SQLite and on PostgreSQL.
macro_rules! on_both_backends {
    ($($(#[$about:meta])* fn $name:ident($place:ident) $body:block)*) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::promises::$name(&$crate::databases::Place::on_sqlite()); })*
        }
        mod on_postgresql {
            $(#[test] fn $name() {
                if let Some(place) = $crate::databases::Place::on_postgresql() {
                    super::promises::$name(&place);
                }
            })*
        }
        mod promises {
            use super::*;
            $($(#[$about])* pub fn $name($place: &$crate::databases::Place) $body)*
        }
    };
}
pub(crate) use on_both_backends;
