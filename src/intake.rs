//! The one way in for a submission: it is read, split into its two halves, given its case, and stored in both
//! vaults. What breaks a rule of the form is kept and flagged, never dropped.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use surveys::expression::{Dialect, Moment};
use surveys::form::Compiled;
use surveys::question_type::QuestionType;
use surveys::questionnaire::Questionnaire;
use surveys::submission::{self, AnswerValue, Judge, Submission};
use surveys::{halves, xform, xlsform};

use crate::db::{
    self, AnswerVault, AppUser, AttachmentKept, Case, CaseStatus, CaseVisit, FieldVault, FormState, Incoming,
    NewAttachment, Outcome, ProjectKind, ProjectState, Sender, Stored, StoredInterview,
};
use crate::fieldwork::dispositions::{Class, Disposition};
use crate::fieldwork::rules::Rules;
use crate::fieldwork::visits::{self, Attempt};
use crate::files::{FileStore, FilesError, Written};
use crate::keys::{self, KeyFolder, PublicBundle, WaveKey};

/// Why a submission was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("the token is unknown or revoked")]
    Token,
    #[error("there is no form `{form}` in this project")]
    UnknownForm { form: String },
    #[error("form `{form}` has no version `{version}`")]
    UnknownVersion { form: String, version: String },
    #[error("form `{form}` is closed")]
    ClosedForm { form: String },
    #[error("the submission cannot be read: {0}")]
    Unreadable(String),
    #[error("this instance id is here with other content; both are kept")]
    Conflict,
    #[error("what this submission corrects is not here, or was corrected already")]
    Original { unknown: bool },
    #[error("{0}")]
    Unavailable(String),
}

impl From<db::Error> for IntakeError {
    fn from(error: db::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A form version, read once.
pub struct ReadForm {
    pub record: db::Form,
    pub questionnaire: Questionnaire,
    pub compiled: Compiled,
}

impl ReadForm {
    /// The answer to the first question of that name, as text; `None` where it was not asked or not answered.
    pub fn text(&self, submission: &Submission, name: &str) -> Option<String> {
        self.texts(submission, &[name]).remove(name)
    }

    /// The same for several names; those without an answer are left out.
    fn texts<'n>(&self, submission: &Submission, names: &[&'n str]) -> HashMap<&'n str, String> {
        let mut first: HashMap<&str, Option<String>> = HashMap::new();
        for answer in submission::answers(&self.compiled, submission) {
            let known = names.iter().find(|name| ***name == *self.compiled.items[answer.item].name);
            if let Some(name) = known {
                first.entry(name).or_insert_with(|| text_of(answer.value));
            }
        }
        first.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }
}

/// An answer as the analysis file holds it; don't know and refused keep their codes.
pub fn text_of(value: AnswerValue) -> Option<String> {
    match value {
        AnswerValue::Text(text) | AnswerValue::Code(text) | AnswerValue::Unreadable(text) => Some(text),
        AnswerValue::Integer(number) => Some(number.to_string()),
        AnswerValue::Number(number) => Some(number.to_string()),
        AnswerValue::Codes(codes) => Some(codes.join(" ")),
        AnswerValue::DontKnow => Some(submission::DONT_KNOW.to_owned()),
        AnswerValue::Refused => Some(submission::REFUSED.to_owned()),
        AnswerValue::NotAsked | AnswerValue::Missing | AnswerValue::Sealed => None,
    }
}

type FormKey = (i64, String, String);

/// Takes submissions for the waves whose keys it holds.
pub struct Receiver {
    pub field: FieldVault,
    pub answers: AnswerVault,
    queue: db::Intake,
    keys: RwLock<HashMap<i64, Arc<WaveKey>>>,
    /// Where the keys of waves lie that were made since the start.
    key_folder: Option<KeyFolder>,
    files: Option<FileStore>,
    ties: Ties,
    forms: RwLock<HashMap<FormKey, Arc<ReadForm>>>,
    tally: Tally,
}

/// What became of submissions since the start, and how long it took. Numbers only.
#[derive(Debug, Default)]
pub struct Tally {
    stored: AtomicU64,
    again: AtomicU64,
    in_conflict: AtomicU64,
    withdrawn: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    microseconds: AtomicU64,
}

impl Tally {
    fn note(&self, result: &Result<Stored, IntakeError>, took: Duration) {
        let counter = match result {
            Ok(stored) => match stored.outcome {
                Outcome::New | Outcome::Edited => &self.stored,
                Outcome::AlreadyStored | Outcome::Superseded => &self.again,
                Outcome::Conflict => &self.in_conflict,
                Outcome::Withdrawn => &self.withdrawn,
            },
            Err(IntakeError::Unavailable(_)) => &self.unavailable,
            Err(_) => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(took, Ordering::Relaxed);
    }

    /// By outcome.
    pub fn counts(&self) -> [(&'static str, u64); 6] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("stored", read(&self.stored)),
            ("stored_before", read(&self.again)),
            ("conflict", read(&self.in_conflict)),
            ("withdrawn", read(&self.withdrawn)),
            ("refused", read(&self.refused)),
            ("unavailable", read(&self.unavailable)),
        ]
    }

    /// Time spent on all of them.
    pub fn seconds(&self) -> f64 {
        self.microseconds.load(Ordering::Relaxed) as f64 / 1e6
    }
}

/// Which files of submissions a project keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepsFiles {
    /// A survey: of an audit file the seconds by block (protection.md rules 2 and 8), and what the device encrypted.
    AuditAlone,
    /// An inventory or practice: as they come.
    All,
}

/// A version 4 UUID from the first half of a keyed name.
fn uuid_from(name: [u8; 32]) -> uuid::Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&name[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A form without instance ids: the same content is the same interview, so a resend finds it again.
fn instance_of_content(key: &WaveKey, xml: &[u8]) -> String {
    format!("uuid:{}", uuid_from(key.name("instance of content", &[xml])))
}

/// Rules of the form that the submission breaks, by name: nothing that tells an answer goes to the field half. A form
/// without times of its own is judged by the day it came.
fn flags(form: &ReadForm, submission: &Submission, now: DateTime<Utc>) -> Vec<String> {
    let has_times = [QuestionType::Start, QuestionType::End, QuestionType::Today]
        .iter()
        .any(|kind| form.compiled.items.iter().any(|item| item.question() == Some(*kind)));
    let now = Moment::from_milliseconds(now.timestamp_millis() as f64, VIETNAM);
    let judge = Judge { dialect: Dialect::JavaRosa, now: now.filter(|_| !has_times), zone: VIETNAM };
    let problems = submission::check_with(&form.compiled, submission, judge);
    problems.iter().map(|problem| problem.rule.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The flag of a submission that the device encrypted: its answers lie in its files, closed until the freeze.
pub const ENCRYPTED: &str = "encrypted";

/// Minutes east of UTC.
const VIETNAM: i32 = 420;
/// How far back a device's clock is believed about the day of a visit.
const MAKING: TimeDelta = TimeDelta::days(60);

/// The day in Viet Nam.
pub fn day_of(at: DateTime<Utc>) -> NaiveDate {
    (at + TimeDelta::minutes(i64::from(VIETNAM))).date_naive()
}

/// When the form was begun, by the device's clock.
fn started(form: &ReadForm, submission: &Submission) -> Option<DateTime<Utc>> {
    let is_start = |item: usize| form.compiled.items[item].question() == Some(QuestionType::Start);
    let answers = submission::answers(&form.compiled, submission);
    match answers.into_iter().find(|answer| is_start(answer.item))?.value {
        AnswerValue::Text(text) => Some(DateTime::parse_from_rfc3339(&text).ok()?.to_utc()),
        _ => None,
    }
}

/// Where the random tie between the two halves comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// Random, as protection.md rule 4 asks.
    Random,
    /// From the wave key, the instance id and the content: for the synthetic demo alone, so that its files are the same each time.
    Derived,
}

impl Receiver {
    pub fn new(
        field: FieldVault,
        answers: AnswerVault,
        keys: HashMap<i64, Arc<WaveKey>>,
        ties: Ties,
    ) -> Self {
        let queue = db::Intake::new(field.clone(), answers.clone());
        let keys = RwLock::new(keys);
        Self {
            field,
            answers,
            queue,
            keys,
            key_folder: None,
            files: None,
            ties,
            forms: RwLock::default(),
            tally: Tally::default(),
        }
    }

    /// Finds the keys of later waves in this folder, too.
    pub fn with_key_folder(self, folder: KeyFolder) -> Self {
        Self { key_folder: Some(folder), ..self }
    }

    /// Keeps files of submissions here.
    pub fn with_files(self, files: FileStore) -> Self {
        Self { files: Some(files), ..self }
    }

    pub fn key_folder(&self) -> Option<&KeyFolder> {
        self.key_folder.as_ref()
    }

    pub fn files(&self) -> Option<FileStore> {
        self.files.clone()
    }

    /// Removes files older than a moment that no submission holds: what a crash left between writing a file and
    /// recording it, which the client sent again since. Answers how many there were.
    pub async fn remove_loose_files(self: Arc<Self>, older: DateTime<Utc>) -> Result<usize, IntakeError> {
        let gone = |error: &dyn std::fmt::Display| IntakeError::Unavailable(error.to_string());
        let Some(store) = self.files() else { return Ok(0) };
        let files = store.list_older(older).await.map_err(|e| gone(&e))?;
        let names = files.clone();
        let asked = tokio::task::spawn_blocking(move || self.field.read(|db| db.held_files(&names)));
        let held = asked.await.map_err(|e| gone(&e))??;
        let mut removed = 0;
        for file in files.iter().filter(|file| !held.contains(*file)) {
            store.remove(file).await.map_err(|e| gone(&e))?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Which files this project keeps.
    pub fn keeps_files(&self, project: i64) -> Result<KeepsFiles, IntakeError> {
        let found = self.field.read(|db| db.find_project(project))?;
        Ok(match found.map(|project| project.kind) {
            Some(ProjectKind::Inventory | ProjectKind::Practice) => KeepsFiles::All,
            Some(ProjectKind::Survey) | None => KeepsFiles::AuditAlone,
        })
    }

    /// Records written files under their submission. Answers which of them nothing holds now (the same bytes were
    /// there before) and whether other bytes were there under one of the names; both are kept then.
    pub fn keep_files(
        &self,
        project: i64,
        submission: uuid::Uuid,
        files: &[(String, Written)],
    ) -> Result<(Vec<String>, bool), IntakeError> {
        let key = self.key(project)?;
        let kept = self.field.transaction(|db| {
            let mut loose = Vec::new();
            let mut in_conflict = false;
            for (name, written) in files {
                let new = NewAttachment {
                    submission,
                    name: name.clone(),
                    sha256: written.sha256,
                    file: written.file.clone(),
                    size: i64::try_from(written.size).unwrap_or(i64::MAX),
                };
                match db.keep_attachment(&new, &key)? {
                    AttachmentKept::New => {}
                    AttachmentKept::AlreadyStored { .. } => loose.push(written.file.clone()),
                    AttachmentKept::Conflict => in_conflict = true,
                    AttachmentKept::AlreadyInConflict => {
                        in_conflict = true;
                        loose.push(written.file.clone());
                    }
                }
            }
            Ok::<_, db::Error>((loose, in_conflict))
        });
        Ok(kept?)
    }

    pub fn key(&self, project: i64) -> Result<Arc<WaveKey>, IntakeError> {
        if let Some(key) = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&project) {
            return Ok(Arc::clone(key));
        }
        let missing = |why: String| {
            IntakeError::Unavailable(format!("the server does not hold the key of wave {project}: {why}"))
        };
        let folder = self.key_folder.as_ref().ok_or_else(|| missing("give it with --keys".into()))?;
        let key = match folder.load(project) {
            Ok(key) => Arc::new(key),
            Err(_) if self.is_closed(project)? => {
                return Err(IntakeError::ClosedForm { form: format!("của đợt {project}") });
            }
            Err(error) => return Err(missing(error.to_string())),
        };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(project, Arc::clone(&key));
        Ok(key)
    }

    fn is_closed(&self, project: i64) -> Result<bool, IntakeError> {
        let wave = self.field.read(|db| db.find_project(project))?;
        Ok(wave.is_some_and(|wave| wave.state == ProjectState::Closed))
    }

    /// The key that a submission is stored under; of a closed wave there is none, and what comes is counted.
    pub fn key_for_submission(&self, project: i64) -> Result<Arc<WaveKey>, IntakeError> {
        let key = self.key(project);
        if let Err(IntakeError::ClosedForm { .. }) = key {
            self.count_late(project)?;
        }
        key
    }

    /// The public halves of a wave's custodian. Only the demo's wave has none.
    pub fn custodian(&self, project: i64) -> Result<Option<PublicBundle>, IntakeError> {
        let folder = self.key_folder.as_ref();
        let custodian = folder.map(|folder| folder.custodian(project)).transpose();
        Ok(custodian.map_err(|error| IntakeError::Unavailable(error.to_string()))?.flatten())
    }

    /// The bytes of a stored file, for work outside the server's own threads.
    pub fn read_file(&self, key: Arc<WaveKey>, file: &str) -> Result<Vec<u8>, FilesError> {
        self.with_store(async |store| store.read(key, file).await)
    }

    /// Removes stored files; those that are gone already are no error.
    pub fn remove_files(&self, files: &[String]) -> Result<(), FilesError> {
        if files.is_empty() {
            return Ok(());
        }
        self.with_store(async |store| {
            for file in files {
                store.remove(file).await?;
            }
            Ok(())
        })
    }

    /// Waits for the place of files, which may be a bucket.
    fn with_store<T>(
        &self,
        work: impl AsyncFnOnce(&FileStore) -> Result<T, FilesError>,
    ) -> Result<T, FilesError> {
        let gone = |reason: String| FilesError::Place { place: "--files".to_owned(), reason };
        let store = self.files.as_ref().ok_or_else(|| gone("no place for files is open".to_owned()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| gone(error.to_string()))?.block_on(work(store))
    }

    /// The instance id of a submission, given or made.
    pub fn instance_id(&self, project: i64, xml: &[u8]) -> Result<String, IntakeError> {
        let head = submission::head(xml).map_err(|e| IntakeError::Unreadable(e.to_string()))?;
        match head.instance_id {
            Some(given) => Ok(given),
            None => Ok(instance_of_content(&*self.key(project)?, xml)),
        }
    }

    /// Makes the key of a wave without respondents, which needs no passphrase and no custodian.
    pub fn make_key(&self, project: i64) -> Result<(), IntakeError> {
        let folder = self.key_folder.as_ref();
        let folder = folder.ok_or_else(|| IntakeError::Unavailable("no key folder is open".into()))?;
        folder.create(project).map_err(|error| IntakeError::Unavailable(error.to_string()))?;
        Ok(())
    }

    /// Drops the key of a wave that is closed.
    pub fn forget_key(&self, project: i64) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&project);
    }

    /// Settles what a crash left behind; at start and every minute. Keys of waves that were closed meanwhile, by a
    /// command or another server, are forgotten, and the log says so.
    pub fn settle(&self, now: DateTime<Utc>) -> Result<(), IntakeError> {
        for project in self.field.read(|db| db.list_projects())? {
            let held = self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(&project.id);
            if held && project.state == ProjectState::Closed {
                self.forget_key(project.id);
                let detail = format!("{{\"project\":{}}}", project.id);
                self.field.transaction(|db| db.append_audit("server", "wave key forgotten", &detail, now))?;
            }
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (project, key) in &keys {
            self.queue.settle_expired(*project, key, now)?;
        }
        Ok(())
    }

    /// The device that holds this token in this project.
    pub fn find_app_user(&self, project: i64, token: &str) -> Result<AppUser, IntakeError> {
        self.field.read(|db| db.find_app_user(project, token, Utc::now()))?.ok_or(IntakeError::Token)
    }

    /// A published version of a form, the newest without `version`.
    pub fn find_form(
        &self,
        project: i64,
        form: &str,
        version: Option<&str>,
    ) -> Result<db::Form, IntakeError> {
        let found = self.field.read(|db| db.find_form(project, form, version))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let any = self.field.read(|db| db.find_form(project, form, None))?;
        Err(match (any, version) {
            (Some(_), Some(version)) => {
                IntakeError::UnknownVersion { form: form.to_owned(), version: version.to_owned() }
            }
            _ => IntakeError::UnknownForm { form: form.to_owned() },
        })
    }

    /// The same, with its questionnaire; the state is asked anew each time, the rest is read once.
    pub fn read_form(&self, project: i64, form: &str, version: &str) -> Result<Arc<ReadForm>, IntakeError> {
        let key = (project, form.to_owned(), version.to_owned());
        if let Some(known) = self.forms.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let record = self.find_form(project, form, Some(version))?;
        let read = match record.workbook.as_deref() {
            // The newer kind of workbook is a zip file.
            Some(workbook) if workbook.starts_with(b"PK") => xlsform::read(&format!("{form}.xlsx"), workbook),
            Some(workbook) => xlsform::read(&format!("{form}.xls"), workbook),
            None => xform::read(&record.xml),
        }
        .map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            IntakeError::Unavailable(format!("form `{form}` cannot be read any more: {first}"))
        })?;
        let compiled = Compiled::new(&read.questionnaire).map_err(|errors| {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            IntakeError::Unavailable(format!("form `{form}` cannot be run any more: {first}"))
        })?;
        let read = Arc::new(ReadForm { record, questionnaire: read.questionnaire, compiled });
        self.forms.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&read));
        Ok(read)
    }

    /// Stores a submission exactly once; when this returns `Ok`, it is on the disk of both vaults. What came with other
    /// content under a taken id is kept beside it and told as a conflict.
    pub fn receive(
        &self,
        project: i64,
        sender: Sender,
        xml: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<Stored, IntakeError> {
        let begun = Instant::now();
        let result = self.take_in(project, sender, xml, now);
        self.tally.note(&result, begun.elapsed());
        result
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn take_in(
        &self,
        project: i64,
        sender: Sender,
        xml: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<Stored, IntakeError> {
        let unreadable = |e: submission::ReadError| IntakeError::Unreadable(e.to_string());
        let head = submission::head(&xml).map_err(unreadable)?;
        let version = head.version.clone();
        let form = self.read_form(project, &head.form_id, &version)?;
        let state = self.field.read(|db| db.find_form_state(project, &head.form_id, &version))?;
        if state == Some(FormState::Closed) {
            // A reply that was lost: what was received before the end is told so until the wave closes.
            if let (Ok(key), Some(instance_id)) = (self.key(project), &head.instance_id)
                && self.field.read(|db| {
                    db.was_received(project, &head.form_id, (instance_id.as_str(), xml.as_slice()), &key)
                })?
            {
                return Ok(Stored { outcome: Outcome::AlreadyStored, submission: None });
            }
            self.count_late(project)?;
            return Err(IntakeError::ClosedForm { form: head.form_id });
        }
        let key = self.key(project)?;
        let instance_id = head.instance_id.clone().unwrap_or_else(|| instance_of_content(&key, &xml));
        let submission = submission::read(&form.compiled, &xml).map_err(unreadable)?;
        let (visit, reporting_area) = self.find_case(project, &form, &submission, now)?;
        // The form's rules can be asked only of answers that can be read.
        let is_encrypted = submission::encrypted_files(&xml).is_some();
        let mut flags = match is_encrypted {
            true => vec![ENCRYPTED.to_owned()],
            false => flags(&form, &submission, now),
        };
        let sealed = match is_encrypted {
            true => None,
            false => self.seal_plain_blocks(project, &form, &head, &instance_id, &xml)?,
        };
        if sealed.is_some() {
            flags.push(keys::SEALED_BY_SERVER.to_owned());
        }
        let parts = halves::split(&form.compiled, sealed.as_deref().unwrap_or(&xml))
            .map_err(|e| IntakeError::Unreadable(e.to_string()))?;
        let token = match self.ties {
            Ties::Random => None,
            // With the content: what comes under a taken id with other content must keep answers of its own.
            Ties::Derived => Some(uuid_from(key.name("demo tie", &[instance_id.as_bytes(), &xml]))),
        };
        let incoming = Incoming {
            project,
            form_id: head.form_id,
            form_version: version,
            instance_id,
            deprecated_id: head.deprecated_id,
            content: xml,
            field_half: parts.field,
            answer_half: parts.answers,
            reporting_area,
            app_user: sender.app_user,
            device: sender.device,
            submitter: sender.user,
            visit,
            flags,
            now,
            token,
        };
        self.queue.store(&key, incoming).map_err(|error| match error {
            db::IntakeError::UnknownOriginal => IntakeError::Original { unknown: true },
            db::IntakeError::OriginalSuperseded => IntakeError::Original { unknown: false },
            other => IntakeError::Unavailable(other.to_string()),
        })
    }

    /// The valid interviews of a wave with both halves, in an order that chance gave; all in memory, decrypted.
    pub fn list_interviews(&self, project: i64) -> Result<Vec<StoredInterview>, IntakeError> {
        Ok(self.queue.list_interviews(project, &*self.key(project)?)?)
    }

    /// Seals what came plain and is due sealed (protection.md rule 10). Waves without a custodian have no sealed blocks.
    fn seal_plain_blocks(
        &self,
        project: i64,
        form: &ReadForm,
        head: &submission::Head,
        instance_id: &str,
        xml: &[u8],
    ) -> Result<Option<Vec<u8>>, IntakeError> {
        if form.compiled.sealed_groups().next().is_none() {
            return Ok(None);
        }
        let Some(custodian) = self.custodian(project)? else { return Ok(None) };
        // Blocks of an edit are tied to the first version of the interview.
        let first = match &head.deprecated_id {
            Some(original) => {
                let key = self.key(project)?;
                let found =
                    self.field.read(|db| db.find_submission(project, &head.form_id, original, &key))?;
                found.map_or_else(|| original.clone(), |found| found.first_instance_id)
            }
            None => instance_id.to_owned(),
        };
        keys::seal_plain_blocks(&form.compiled, xml, &first, &custodian.blocks)
            .map_err(|error| IntakeError::Unavailable(error.to_string()))
    }

    /// A submission that came after the end of its wave is counted; one to a form that a person closed is not.
    fn count_late(&self, project: i64) -> Result<(), IntakeError> {
        let wave = self.field.read(|db| db.find_project(project))?;
        if wave.is_some_and(|wave| wave.state != ProjectState::Open) {
            self.field.transaction(|db| db.count_late_interview(project))?;
        }
        Ok(())
    }

    /// The visit that a survey's submission reports, and the coarse area its answers may carry. Both come from the
    /// field nodes `village`, `household`, `attempt`, `disposition`; a form without them has neither.
    pub fn find_case(
        &self,
        project: i64,
        form: &ReadForm,
        submission: &Submission,
        now: DateTime<Utc>,
    ) -> Result<(Option<CaseVisit>, Option<String>), IntakeError> {
        let told = form.texts(submission, &["village", "household", "attempt", "disposition"]);
        let text = |name: &str| told.get(name).cloned();
        let (Some(village), Some(household)) =
            (text("village"), text("household").and_then(|h| h.parse().ok()))
        else {
            return Ok((None, None));
        };
        let Some(case) = self.field.read(|db| db.find_case_of_dwelling(project, &village, household))? else {
            return Ok((None, None));
        };
        let area = serde_json::from_str::<serde_json::Value>(&case.sampling)
            .ok()
            .and_then(|row| row["reporting_area"].as_str().map(str::to_owned));
        // A number below 1 breaks the form's rule and is flagged; the visit counts as the first, or nothing would be kept.
        let attempt = text("attempt").and_then(|a| a.parse().ok()).unwrap_or(1).max(1);
        let Some(disposition) = text("disposition").and_then(|d| Disposition::from_code(&d)) else {
            return Ok((None, area));
        };
        let visited_at =
            started(form, submission).filter(|at| (now - MAKING..=now).contains(at)).unwrap_or(now);
        let status = match disposition.class() {
            Class::Interview | Class::Partial => CaseStatus::Complete,
            class if self.has_ended(&case, class, attempt, visited_at)? => CaseStatus::Ended,
            _ => CaseStatus::Open,
        };
        let visit = CaseVisit {
            case: case.id,
            attempt,
            disposition: disposition.code().to_owned(),
            visited_at,
            status,
        };
        Ok((Some(visit), area))
    }

    /// Whether a visit without an interview ends its case, by the visit rule of the wave.
    fn has_ended(
        &self,
        case: &Case,
        class: Class,
        attempt: i64,
        visited_at: DateTime<Utc>,
    ) -> Result<bool, IntakeError> {
        if class != Class::NonContact {
            return Ok(visits::ends(&Rules::default(), class, &[]));
        }
        let (rules, earlier) = self.field.read(|db| {
            let rules = db.fieldwork_rules(case.project)?;
            Ok::<_, db::Error>((rules, db.list_visits_of_case(case.id)?))
        })?;
        let known = earlier.iter().filter(|visit| visit.attempt != attempt);
        let mut attempts: Vec<Attempt> =
            known.map(|visit| Attempt { number: visit.attempt, day: day_of(visit.visited_at) }).collect();
        attempts.push(Attempt { number: attempt, day: day_of(visited_at) });
        Ok(visits::ends(&rules, class, &attempts))
    }
}
