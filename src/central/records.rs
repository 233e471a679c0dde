//! Stored submissions read back: as they were sent where there are no respondents; in a survey only under a grant, and
//! then the answer half alone, under a random id, without times, device or sender, shuffled (protection.md rule 7).

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use chrono::{DateTime, NaiveTime, Utc};
use serde_json::json;
use surveys::halves;
use surveys::question_type::Stored;
use surveys::submission::{self, AnswerValue};
use uuid::Uuid;

use super::{Caller, Problem, target};
use crate::db::{self, Attachment, Grant, Page, Project, ProjectKind, RecordName};
use crate::intake::{ENCRYPTED, ReadForm, Receiver};
use crate::people::{Action, Target};

/// How records of a project may be read.
enum Access {
    AsSent,
    /// Everything under the grant, in the order of the random ids.
    Granted(Vec<Record>),
}

/// One record as it may be seen.
#[derive(Clone, Debug)]
pub struct Record {
    /// The first version's, or a random one under a grant.
    pub instance_id: String,
    pub current_instance_id: String,
    pub instance_name: Option<String>,
    pub form_version: String,
    pub xml: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub updated_at: Option<DateTime<Utc>>,
    pub submitter: Option<(i64, String)>,
    pub device: Option<String>,
    pub review_state: Option<String>,
    pub edits: i64,
    /// Encrypted on the device, with ODK's own encryption: its answers cannot be read before the freeze.
    pub is_encrypted: bool,
    /// Files that are here, by name.
    pub files: Vec<Attachment>,
    /// Row of the version that counts; `None` under a grant.
    row: Option<Uuid>,
}

/// Reads the records of one form for one caller.
pub struct Reader<'a> {
    pub receiver: &'a Receiver,
    pub project: Project,
    pub form_id: String,
    access: Access,
    key: Arc<crate::keys::WaveKey>,
    devices: HashMap<Uuid, (i64, String)>,
    users: HashMap<i64, String>,
}

impl<'a> Reader<'a> {
    /// Decides whether this caller may read these records, and how. Under a grant the reading is entered in the log.
    pub fn open(
        receiver: &'a Receiver,
        caller: &Caller,
        project: i64,
        form_id: &str,
        query: &str,
    ) -> Result<Self, Problem> {
        let project = project_with_records(receiver, caller, project)?;
        let grant = match project.kind {
            ProjectKind::Survey => Some(grant_of(receiver, caller, &project)?),
            ProjectKind::Inventory | ProjectKind::Practice => None,
        };
        if receiver.field.read(|db| db.find_form(project.id, form_id, None))?.is_none() {
            return Err(Problem::not_found());
        }
        let key = receiver.key(project.id).map_err(|error| Problem::unavailable(&error))?;
        let mut reader = Self {
            receiver,
            form_id: form_id.to_owned(),
            access: Access::AsSent,
            key,
            devices: HashMap::new(),
            users: HashMap::new(),
            project,
        };
        match grant {
            Some(grant) => {
                let records = reader.under_grant(&grant)?;
                let detail = json!({
                    "project": reader.project.id, "form": form_id, "records": records.len(),
                    "query": sha256(query),
                });
                receiver.field.transaction(|db| {
                    db.append_audit(&caller.user.login, "records opened", &detail.to_string(), Utc::now())
                })?;
                reader.access = Access::Granted(records);
            }
            None => {
                let (devices, users) = receiver.field.read(|db| {
                    Ok::<_, db::Error>((db.list_app_users(reader.project.id)?, db.list_users()?))
                })?;
                let devices =
                    devices.into_iter().map(|device| (device.id, (device.actor, device.display_name)));
                reader.devices = devices.collect();
                reader.users = users.into_iter().map(|user| (user.id, user.login)).collect();
            }
        }
        Ok(reader)
    }

    pub fn is_under_grant(&self) -> bool {
        matches!(self.access, Access::Granted(_))
    }

    pub fn count(&self) -> Result<i64, Problem> {
        match &self.access {
            Access::Granted(records) => Ok(records.len() as i64),
            Access::AsSent => {
                Ok(self.receiver.field.read(|db| db.count_records(self.project.id, &self.form_id))?)
            }
        }
    }

    /// Records, the newest first; `after` begins behind the record with that instance id.
    pub fn page(&self, after: Option<&str>, skip: i64, top: i64) -> Result<Vec<Record>, Problem> {
        match &self.access {
            Access::Granted(records) => {
                let start = match after {
                    Some(id) => records.iter().position(|record| record.instance_id == id).map(|at| at + 1),
                    None => Some(0),
                };
                let start = start.ok_or_else(Problem::not_found)?;
                let skip = usize::try_from(skip).unwrap_or(0);
                let top = usize::try_from(top).unwrap_or(0);
                Ok(records.iter().skip(start + skip).take(top).cloned().collect())
            }
            Access::AsSent => {
                let after = match after {
                    Some(id) => self.find(id)?.row,
                    None => None,
                };
                let found = self.receiver.field.read(|db| {
                    db.list_records(self.project.id, &self.form_id, after, Page { skip, top }, &self.key)
                })?;
                self.as_sent(found)
            }
        }
    }

    /// Every record, the newest first, until `visit` says that it has enough.
    pub fn each(&self, visit: impl FnMut(Record) -> Result<bool, Problem>) -> Result<(), Problem> {
        self.each_after(None, 0, 500, visit)
    }

    /// Records behind one and so many more, read `step` at a time.
    pub fn each_after(
        &self,
        after: Option<String>,
        skip: i64,
        step: i64,
        mut visit: impl FnMut(Record) -> Result<bool, Problem>,
    ) -> Result<(), Problem> {
        let first = self.page(after.as_deref(), skip, step)?;
        let Some(last) = first.last().map(|record| record.instance_id.clone()) else { return Ok(()) };
        for record in first {
            if !visit(record)? {
                return Ok(());
            }
        }
        // Who wants more than a page mostly wants all: the next page is read and opened while one is visited.
        std::thread::scope(|threads| {
            let (give, pages) = mpsc::sync_channel(1);
            threads.spawn(move || {
                let mut after = last;
                loop {
                    let page = self.page(Some(&after), 0, step);
                    match page.as_ref().map(|page| page.last()) {
                        Ok(Some(last)) => after.clone_from(&last.instance_id),
                        // The end, or a problem that the visitor's side tells.
                        Ok(None) => return,
                        Err(_) => return drop(give.send(page)),
                    }
                    if give.send(page).is_err() {
                        return;
                    }
                }
            });
            for page in pages {
                for record in page? {
                    if !visit(record)? {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    pub fn find(&self, instance_id: &str) -> Result<Record, Problem> {
        match &self.access {
            Access::Granted(records) => {
                let found = records.iter().find(|record| record.instance_id == instance_id);
                found.cloned().ok_or_else(Problem::not_found)
            }
            Access::AsSent => {
                let found = self
                    .receiver
                    .field
                    .read(|db| db.find_record(self.project.id, &self.form_id, instance_id, &self.key))?;
                let record = found.ok_or_else(Problem::not_found)?;
                self.as_sent(vec![record])?.pop().ok_or_else(Problem::not_found)
            }
        }
    }

    /// All versions of a record as they were sent, the newest first; under a grant there is one.
    pub fn versions(&self, instance_id: &str) -> Result<Vec<Record>, Problem> {
        if self.is_under_grant() {
            return Ok(vec![self.find(instance_id)?]);
        }
        let versions = self.receiver.field.read(|db| {
            match db.find_record(self.project.id, &self.form_id, instance_id, &self.key)? {
                Some(record) => db.list_versions(&record, &self.key),
                None => Ok(Vec::new()),
            }
        })?;
        if versions.is_empty() {
            return Err(Problem::not_found());
        }
        let alone = versions.into_iter().map(|version| db::Record {
            created_at: version.received_at,
            first: db::Sender {
                app_user: version.app_user,
                user: version.submitter,
                device: version.device.clone(),
            },
            edits: 0,
            review: None,
            versions: vec![version.id],
            current: version,
        });
        self.as_sent(alone.collect())
    }

    /// The form of that version, compiled.
    pub fn form(&self, version: &str) -> Result<Arc<ReadForm>, Problem> {
        let read = self.receiver.read_form(self.project.id, &self.form_id, version);
        read.map_err(|error| Problem::unavailable(&error))
    }

    /// Names of the files that the record's answers speak of, and whether each is here.
    pub fn expected_files(&self, record: &Record) -> Result<Vec<(String, bool)>, Problem> {
        if self.is_under_grant() {
            return Ok(Vec::new());
        }
        let names = expected_names(&*self.form(&record.form_version)?, &record.xml)?;
        let mut listed: Vec<(String, bool)> = names
            .into_iter()
            .map(|name| {
                let is_here = record.files.iter().any(|file| file.name == name);
                (name, is_here)
            })
            .collect();
        // What came without being asked for is kept and shown.
        for file in &record.files {
            if listed.iter().all(|(name, _)| *name != file.name) {
                listed.push((file.name.clone(), true));
            }
        }
        Ok(listed)
    }

    pub fn comments(&self, record: &Record) -> Result<Vec<db::Comment>, Problem> {
        if self.is_under_grant() {
            return Ok(Vec::new());
        }
        Ok(self.receiver.field.read(|db| db.list_comments(self.name(record), &self.key))?)
    }

    fn name<'r>(&'r self, record: &'r Record) -> RecordName<'r> {
        RecordName {
            project: self.project.id,
            form_id: &self.form_id,
            first_instance_id: &record.instance_id,
        }
    }

    /// Joined with their answers and files; those that were withdrawn between the two reads are left out.
    fn as_sent(&self, records: Vec<db::Record>) -> Result<Vec<Record>, Problem> {
        let tokens: Vec<Uuid> = records.iter().map(|record| record.current.token).collect();
        let mut answers =
            self.receiver.answers.read(|db| db.find_answers(self.project.id, &tokens, &self.key))?;
        let versions: Vec<Uuid> = records.iter().flat_map(|record| record.versions.clone()).collect();
        let mut files = self.receiver.field.read(|db| db.list_attachments_of(&versions, &self.key))?;
        let mut sent = Vec::with_capacity(records.len());
        for record in records {
            let Some(answer) = answers.remove(&record.current.token) else { continue };
            let of_versions: Vec<Vec<Attachment>> =
                record.versions.iter().filter_map(|version| files.remove(version)).collect();
            sent.push(self.joined(record, &answer.xml, of_versions)?);
        }
        Ok(sent)
    }

    /// `of_versions`: the files of each version, those of the valid one first.
    fn joined(
        &self,
        record: db::Record,
        answers: &[u8],
        of_versions: Vec<Vec<Attachment>>,
    ) -> Result<Record, Problem> {
        let xml = halves::join(&record.current.xml, answers).map_err(|e| Problem::unavailable(&e))?;
        let mut files: Vec<Attachment> = Vec::new();
        for file in of_versions.into_iter().flatten().filter(|file| !file.in_conflict) {
            if files.iter().all(|known| known.name != file.name) {
                files.push(file);
            }
        }
        let head = submission::head(&xml).map_err(|e| Problem::unavailable(&e))?;
        let submitter = match (record.first.app_user, record.first.user) {
            (Some(device), _) => self.devices.get(&device).cloned(),
            (None, Some(user)) => self.users.get(&user).map(|login| (user, login.clone())),
            (None, None) => None,
        };
        Ok(Record {
            updated_at: record.updated_at(),
            review_state: record.review_state().map(str::to_owned),
            instance_id: record.current.first_instance_id,
            current_instance_id: record.current.instance_id,
            instance_name: head.instance_name,
            form_version: record.current.form_version,
            xml,
            created_at: record.created_at,
            submitter,
            device: record.first.device,
            edits: record.edits,
            files,
            is_encrypted: record.current.flags.iter().any(|flag| flag == ENCRYPTED),
            row: Some(record.current.id),
        })
    }

    fn under_grant(&self, grant: &Grant) -> Result<Vec<Record>, Problem> {
        let day = self.project.created_at.date_naive().and_time(NaiveTime::MIN).and_utc();
        let interviews = self.receiver.list_interviews(self.project.id);
        let interviews = interviews.map_err(|error| Problem::unavailable(&error))?;
        let mut records: Vec<Record> = interviews
            .into_iter()
            .filter(|interview| interview.submission.form_id == self.form_id)
            .map(|interview| {
                // Two grants give two ids, so what was seen under one cannot be joined with the other.
                let named = [grant.id.as_bytes().as_slice(), interview.answer.token.as_bytes()];
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&self.key.name("record under a grant", &named)[..16]);
                let id = format!("uuid:{}", uuid::Builder::from_random_bytes(bytes).into_uuid());
                Record {
                    is_encrypted: interview.submission.flags.iter().any(|flag| flag == ENCRYPTED),
                    instance_id: id.clone(),
                    current_instance_id: id,
                    instance_name: None,
                    form_version: interview.answer.form_version,
                    xml: interview.answer.xml,
                    created_at: day,
                    updated_at: None,
                    submitter: None,
                    device: None,
                    review_state: None,
                    edits: 0,
                    files: Vec::new(),
                    row: None,
                }
            })
            .collect();
        records.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
        Ok(records)
    }
}

/// The project, if this caller may read records of its kind. A role that opens no records of a survey learns nothing
/// about surveys and about what is not there.
fn project_with_records(receiver: &Receiver, caller: &Caller, id: i64) -> Result<Project, Problem> {
    let found = receiver.field.read(|db| db.find_project(id))?;
    let refused = caller.may(Action::OpenRecords, Target::default());
    let Some(project) = found.filter(|found| caller.may(Action::SeeProject, target(found)).is_ok()) else {
        return Err(refused.err().unwrap_or_else(Problem::not_found));
    };
    let action = match project.kind {
        ProjectKind::Survey => Action::OpenRecords,
        ProjectKind::Inventory | ProjectKind::Practice => Action::SeeRecords,
    };
    caller.may(action, target(&project))?;
    Ok(project)
}

fn grant_of(receiver: &Receiver, caller: &Caller, project: &Project) -> Result<Grant, Problem> {
    let today = Utc::now().date_naive();
    let found = receiver.field.read(|db| db.find_grant(project.id, caller.user.id, today))?;
    found.ok_or_else(|| Problem {
        code: 403.1,
        message: "Bản ghi của cuộc khảo sát chỉ mở khi được cấp quyền, xem `langnghe grant records`. (Records of a survey open only under a grant.)".into(),
        details: Some(json!({ "reason": "records_need_a_grant" })),
    })
}

/// Names of files that the answers of a submission speak of, each once.
pub fn expected_names(form: &ReadForm, xml: &[u8]) -> Result<Vec<String>, Problem> {
    if let Some(names) = submission::encrypted_files(xml) {
        return Ok(names);
    }
    if !form.compiled.items.iter().any(|item| item.stored() == Some(Stored::File)) {
        return Ok(Vec::new());
    }
    let read = submission::read(&form.compiled, xml).map_err(|e| Problem::unavailable(&e))?;
    let mut names: Vec<String> = Vec::new();
    for answer in submission::answers(&form.compiled, &read) {
        if let (Some(Stored::File), AnswerValue::Text(name)) =
            (form.compiled.items[answer.item].stored(), answer.value)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
