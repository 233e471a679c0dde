//! Servers as processes of their own, with a wave, a device and files, that can be killed and started again, and the
//! tablets' side: posts whose reply may never come.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use langnghe::db::{AnswerVault, FieldVault, NewForm, ProjectKind, Standing};
use langnghe::files::FileStore;
use langnghe::keys::{KeyFolder, WaveKey};
use surveys::halves;
use uuid::Uuid;

use crate::databases::{Place, TemporaryFolder, xform};

const BOUNDARY: &str = "tram-2b91";

/// The vaults, files and keys that one or more servers work on.
pub struct Station {
    pub place: Place,
    pub folder: TemporaryFolder,
    pub project: i64,
    pub device: Uuid,
    key: Arc<WaveKey>,
    path: String,
}

impl Station {
    /// An inventory, which keeps every file; its form asks for a picture.
    pub fn new(place: Place) -> Self {
        Self::within(place, TemporaryFolder::new())
    }

    /// With its files and keys in this folder.
    pub fn within(place: Place, folder: TemporaryFolder) -> Self {
        let (field, _answers) = (place.field(), place.answers());
        let token = "b7c1".repeat(16);
        let (project, device) = field
            .transaction(|db| {
                let project = db.create_project("2026", ProjectKind::Inventory, Utc::now())?.id;
                let form = NewForm {
                    project,
                    form_id: "nha".to_owned(),
                    version: "1".to_owned(),
                    title: "Nhà".to_owned(),
                    xml: xform("| text | place | Nơi |\n| image | picture | Ảnh |"),
                    workbook: None,
                    files: Vec::new(),
                    confirmation: None,
                };
                db.publish_form(form, Utc::now())?;
                let device = db.create_app_user(project, "Máy 1", None, &token, Utc::now())?;
                Ok::<_, langnghe::db::PublishError>((project, device.id))
            })
            .expect("a wave");
        let keys = KeyFolder::open(folder.path().join("keys")).expect("the key folder opens");
        let key = Arc::new(keys.create(project).expect("a key"));
        let path = format!("/v1/key/{token}/projects/{project}/submission?deviceID=collect:x1");
        Self { place, folder, project, device, key, path }
    }

    pub fn field(&self) -> FieldVault {
        self.place.field()
    }

    /// What is stored as everyone can read it: every version with its bytes and its files. Fails where one half has no
    /// other, or a file does not open.
    pub fn kept(&self) -> Vec<Kept> {
        let (field, answers) = (self.place.field(), self.place.answers());
        let receiver = langnghe::intake::Receiver::new(
            field.clone(),
            answers.clone(),
            [(self.project, Arc::clone(&self.key))].into(),
            langnghe::intake::Ties::Random,
        );
        // What a kill left is settled once its lease has ended.
        receiver.settle(Utc::now() + chrono::TimeDelta::minutes(2)).expect("settled");
        let stored = field.read(|db| db.list_submissions(self.project, &self.key)).expect("they open");
        assert_eq!(self.answers(&answers), stored.len(), "an answer belongs to no submission, or is missing");
        let folder = self.folder.path().join("files").display().to_string();
        let store = FileStore::open(&folder).expect("the files' folder opens");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let kept = stored.into_iter().map(|submission| {
            let token = submission.token;
            let answer = answers.read(|db| db.find_answer(self.project, token, &self.key)).expect("read");
            let answer = answer.expect("every submission has its answer half");
            let xml = halves::join(&submission.xml, &answer.xml).expect("the halves fit");
            let listed = field.read(|db| db.list_attachments(submission.id, &self.key)).expect("listed");
            let files = listed.into_iter().map(|file| {
                let bytes = runtime.block_on(store.read(Arc::clone(&self.key), &file.file));
                (file.name, bytes.expect("the file opens to its end"))
            });
            Kept {
                instance_id: submission.instance_id,
                standing: submission.standing,
                xml: String::from_utf8(xml).expect("XML is text"),
                files: files.collect(),
            }
        });
        kept.collect()
    }

    fn answers(&self, answers: &AnswerVault) -> usize {
        answers.read(|db| db.list_answers(self.project, &self.key)).expect("the answers open").len()
    }

    /// The device's token ends by itself at this moment.
    pub fn token_ends(&self, at: DateTime<Utc>) {
        self.field().transaction(|db| db.set_app_user_expiry(self.device, at)).expect("set");
    }
}

/// One version as it is stored.
pub struct Kept {
    pub instance_id: String,
    pub standing: Standing,
    pub xml: String,
    pub files: Vec<(String, Vec<u8>)>,
}

/// One server process on a station; its address changes when it is started again.
pub struct Served {
    program: Mutex<Option<Child>>,
    address: RwLock<SocketAddr>,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
}

impl Served {
    pub fn start(station: &Station) -> Self {
        Self::start_with(station, Vec::new())
    }

    /// With more in its environment.
    pub fn start_with(station: &Station, environment: Vec<(String, OsString)>) -> Self {
        let mut arguments: Vec<OsString> =
            ["serve", "--listen", "127.0.0.1:0", "--field"].map(OsString::from).into();
        arguments.extend([station.place.field_url.clone().into(), "--answers".into()]);
        arguments.extend([station.place.answers_url.clone().into(), "--data".into()]);
        arguments.push(station.folder.path().into());
        let served = Self {
            program: Mutex::new(None),
            address: RwLock::new(SocketAddr::from(([127, 0, 0, 1], 1))),
            arguments,
            environment,
        };
        served.start_again();
        served
    }

    pub fn start_again(&self) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_langnghe"))
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(program.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let address = lines.by_ref().find_map(|line| {
            let address = line.split_once("http://").and_then(|(_, address)| address.trim().parse().ok());
            said.push(line);
            address
        });
        let address = address.unwrap_or_else(|| panic!("it says where it listens:\n{}", said.join("\n")));
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = address;
        // Its complaints are read, or it would wait for a reader some day.
        std::thread::spawn(move || lines.for_each(drop));
        *self.program.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
    }

    /// SIGKILL.
    pub fn kill(&self) {
        if let Some(mut program) = self.program.lock().unwrap_or_else(PoisonError::into_inner).take() {
            program.kill().expect("it is killed");
            program.wait().expect("it has ended");
        }
    }

    pub fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What came back, or nothing.
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: String,
}

/// One tablet.
pub struct Tablet(ureq::Agent);

impl Tablet {
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(40)));
        Self(config.build().into())
    }

    /// `None` when no whole reply came.
    pub fn send(
        &self,
        station: &Station,
        served: &Served,
        xml: &str,
        files: &[(&str, &[u8])],
    ) -> Option<Reply> {
        let mut body = Vec::new();
        let mut put = |name: &str, file: &str, bytes: &[u8]| {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        };
        put("xml_submission_file", "submission.xml", xml.as_bytes());
        for (name, bytes) in files {
            put(name, name, bytes);
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let mut reply = self
            .0
            .post(format!("http://{}{}", served.address(), station.path))
            .header("X-OpenRosa-Version", "1.0")
            .header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .send(&body[..])
            .ok()?;
        let status = reply.status().as_u16();
        let retry_after = reply.headers().get("Retry-After");
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()).map(str::to_owned);
        let body = reply.body_mut().read_to_string().ok()?;
        Some(Reply { status, retry_after, body })
    }
}

/// An interview with its picture named.
pub fn house(instance_id: &str, place: &str) -> String {
    format!(
        "<data id=\"nha\" version=\"1\"><place>{place}</place><picture>{PICTURE}</picture><meta><instanceID>{instance_id}</instanceID></meta></data>"
    )
}

pub const PICTURE: &str = "anh.jpg";
