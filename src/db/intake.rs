//! Intake: an interview enters both vaults exactly once, in the two commits of protection.md rule 4.
//!
//! The field vault reserves a token with a lease; the answer vault inserts by it, which is the commit point; the field
//! vault confirms. The steps are repeatable: whoever finds a reservation with the same content carries on with its
//! token, so two servers that both carry on insert one answer. A reservation is given up only by occupying its token
//! in the answer vault first ([`super::settling`]), so a server that slept beyond its lease cannot insert any more.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use uuid::Uuid;

use super::answers::{Answer, Held};
use super::arrivals::{Arrival, Known};
use super::cases::CaseVisit;
use super::error::Error;
use super::forms::uuid;
use super::submissions::{CONFIRMED, Head, LEAVING, RESERVED, Row, Standing, instance_name};
use super::vault::{AnswerVault, FieldDb, FieldVault};
use crate::keys::WaveKey;

/// How long a reservation is left alone before settling may give it up.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// A submission as it arrived, already split into its halves.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub project: i64,
    pub form_id: String,
    pub form_version: String,
    pub instance_id: String,
    /// Set on an edit: the instance id that it corrects.
    pub deprecated_id: Option<String>,
    /// The XML as it came; only its HMAC is kept, the halves rebuild the bytes.
    pub content: Vec<u8>,
    pub field_half: Vec<u8>,
    pub answer_half: Vec<u8>,
    /// The coarse area that the answer half may carry (protection.md rule 6).
    pub reporting_area: Option<String>,
    pub app_user: Option<Uuid>,
    pub device: Option<String>,
    /// The number of the user who sends it without a device's token.
    pub submitter: Option<i64>,
    pub visit: Option<CaseVisit>,
    /// What was noticed on arrival, by code.
    pub flags: Vec<String>,
    pub now: DateTime<Utc>,
    /// The tie between the halves: random when `None`. Only the demo, which is synthetic, gives one from its seed.
    pub token: Option<Uuid>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now: 201.
    New,
    /// Stored now in place of the version that it corrects: 201.
    Edited,
    /// The same content was stored before: 201 again.
    AlreadyStored,
    /// The same content was stored before, and an edit has replaced it since (201 or 409.9, as the caller's rule says).
    Superseded,
    /// The instance id was taken with other content; this one is kept too, for a person to decide: 409.1.
    Conflict,
    /// The interview was withdrawn: 201, and nothing is stored.
    Withdrawn,
}

/// An outcome that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub outcome: Outcome,
    /// The row that holds it; attachments are kept under it. None for a withdrawn one.
    pub submission: Option<Uuid>,
}

/// Why a submission was not stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    #[error(
        "form `{form_id}` version `{version}` is not published in project {project}; publish it or send to the right project"
    )]
    UnknownForm { project: i64, form_id: String, version: String },
    #[error("the interview names a case that this project does not have; fetch the list of cases again")]
    UnknownCase,
    #[error("the interview counts its visit as attempt {attempt}; attempts count from 1")]
    Attempt { attempt: i64 },
    #[error("the corrected interview is not here; send the original first")]
    UnknownOriginal,
    #[error("the corrected interview was already corrected by another edit; correct that one")]
    OriginalSuperseded,
    #[error("the same interview is being stored at this moment; send it again in a minute")]
    Busy,
    #[error("{0}")]
    Vault(Arc<Error>),
}

impl IntakeError {
    /// True when the client should send again later (503 with Retry-After).
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Vault(error) => error.is_passing(),
            _ => false,
        }
    }
}

impl From<Error> for IntakeError {
    fn from(error: Error) -> Self {
        Self::Vault(Arc::new(error))
    }
}

/// One submission on its way, with everything computed that needs no database.
pub struct Interview {
    key: Arc<WaveKey>,
    incoming: Incoming,
    id: Uuid,
    token: Uuid,
    instance: [u8; 32],
    content: [u8; 32],
    sealed_answer: Vec<u8>,
    /// The field half as a first version with this id and token; sealed anew where it turns out to be anything else.
    sealed_first: Option<Vec<u8>>,
    fate: Fate,
}

enum Fate {
    Arrived,
    Reserved(Reservation),
    /// Its token was given up by a settler; it needs another one.
    TokenLost {
        id: String,
    },
    /// Another submission stands in the way for the moment.
    Again,
    /// A reservation whose lease has ended stands in the way.
    SettleFirst,
    Decided(Result<Stored, IntakeError>),
}

struct Reservation {
    id: String,
    standing: Standing,
    supersedes: Option<String>,
    visit: Option<CaseVisit>,
    app_user: Option<Uuid>,
    /// Found, not made: the same content had been reserved before.
    resumed: bool,
}

/// What an interview needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Next {
    Done,
    Again,
    SettleFirst,
}

impl Interview {
    /// Names and seals; call it outside every lock, it is the costly part.
    pub fn prepare(key: Arc<WaveKey>, incoming: Incoming) -> Result<Self, IntakeError> {
        let token = incoming.token.unwrap_or_else(Uuid::new_v4);
        if let Some(CaseVisit { attempt, .. }) = incoming.visit
            && attempt < 1
        {
            return Err(IntakeError::Attempt { attempt });
        }
        let instance = instance_name(&key, &incoming.form_id, &incoming.instance_id);
        let content = key.name("content", &[&incoming.content]);
        let sealed_answer = seal_answer(&incoming, token, &key)?;
        let mut interview = Self {
            id: Uuid::now_v7(),
            token,
            instance,
            content,
            sealed_answer,
            sealed_first: None,
            fate: Fate::Arrived,
            key,
            incoming,
        };
        if interview.incoming.deprecated_id.is_none() {
            interview.sealed_first = Some(interview.seal_field(&interview.incoming.instance_id)?);
        }
        Ok(interview)
    }

    pub(in crate::db) fn next(&self) -> Next {
        match self.fate {
            Fate::Decided(_) => Next::Done,
            Fate::SettleFirst => Next::SettleFirst,
            _ => Next::Again,
        }
    }

    /// Interviews of a batch are taken in this order, so that all servers lock rows in the same one.
    pub(in crate::db) fn lock_order(&self) -> &[u8] {
        &self.instance
    }

    pub(in crate::db) fn wave(&self) -> (i64, Arc<WaveKey>, DateTime<Utc>) {
        (self.incoming.project, Arc::clone(&self.key), self.incoming.now)
    }

    /// Makes it ready to go through the steps once more.
    pub(in crate::db) fn start_again(&mut self) {
        if !matches!(self.fate, Fate::Decided(_)) {
            self.fate = Fate::Arrived;
        }
    }

    pub(in crate::db) fn fail(&mut self, error: &Arc<Error>) {
        if !matches!(self.fate, Fate::Decided(_)) {
            self.fate = Fate::Decided(Err(IntakeError::Vault(Arc::clone(error))));
        }
    }

    /// What became of it; an interview that did not reach its end is busy.
    pub fn into_result(self) -> Result<Stored, IntakeError> {
        match self.fate {
            Fate::Decided(result) => result,
            _ => Err(IntakeError::Busy),
        }
    }
}

/// First commit: the field vault reserves a token with a lease for each interview that is new.
pub fn reserve(field: &FieldVault, interviews: &mut [Interview]) -> Result<(), Error> {
    let fates = field.transaction(|db| {
        let arrivals: Vec<Arrival<'_>> = interviews.iter().filter_map(Interview::arrival).collect();
        let known = db.look_up(&arrivals)?;
        interviews
            .iter_mut()
            .map(|interview| match interview.fate {
                Fate::Arrived => reserve_one(db, interview, &known).map(Some),
                _ => Ok(None),
            })
            .collect::<Result<Vec<_>, Error>>()
    })?;
    for (interview, fate) in interviews.iter_mut().zip(fates) {
        if let Some(fate) = fate {
            interview.fate = fate;
        }
    }
    Ok(())
}

/// Second commit, the one that counts: the answer vault inserts by the token.
pub fn insert_answers(answers: &AnswerVault, interviews: &mut [Interview]) -> Result<(), Error> {
    if !interviews.iter().any(|interview| matches!(interview.fate, Fate::Reserved(_))) {
        return Ok(());
    }
    let held = answers.transaction(|db| {
        interviews
            .iter()
            .map(|interview| match interview.fate {
                Fate::Reserved(_) => {
                    let sealed = interview.sealed_answer.clone();
                    db.insert_answer(interview.incoming.project, interview.token, Some(sealed)).map(Some)
                }
                _ => Ok(None),
            })
            .collect::<Result<Vec<_>, Error>>()
    })?;
    for (interview, held) in interviews.iter_mut().zip(held) {
        if let (Fate::Reserved(reservation), Some(Held::GivenUp)) = (&interview.fate, held) {
            interview.fate = Fate::TokenLost { id: reservation.id.clone() };
        }
    }
    Ok(())
}

/// Third commit: the field vault confirms. Only after it may the client be told 201.
pub fn confirm(field: &FieldVault, interviews: &mut [Interview]) -> Result<(), Error> {
    let touches =
        |interview: &Interview| matches!(interview.fate, Fate::Reserved(_) | Fate::TokenLost { .. });
    if !interviews.iter().any(touches) {
        return Ok(());
    }
    let decided = field.transaction(|db| {
        interviews.iter().map(|interview| confirm_one(db, &interview.fate)).collect::<Result<Vec<_>, Error>>()
    })?;
    for (interview, decided) in interviews.iter_mut().zip(decided) {
        if matches!(interview.fate, Fate::TokenLost { .. }) {
            interview.renew()?;
        } else if let Some(result) = decided {
            interview.fate = Fate::Decided(result);
        }
    }
    Ok(())
}

impl Interview {
    /// Takes another id and token. After a given token the next one follows from it, so that the demo stays the same.
    fn renew(&mut self) -> Result<(), Error> {
        self.id = Uuid::now_v7();
        self.token = match self.incoming.token {
            None => Uuid::new_v4(),
            Some(_) => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&self.key.name("next token", &[self.token.as_bytes()])[..16]);
                uuid::Builder::from_random_bytes(bytes).into_uuid()
            }
        };
        self.sealed_answer = seal_answer(&self.incoming, self.token, &self.key)?;
        self.sealed_first = None;
        self.fate = Fate::Again;
        Ok(())
    }

    fn seal_field(&self, first_instance_id: &str) -> Result<Vec<u8>, Error> {
        let head = Head {
            token: self.token,
            instance_id: self.incoming.instance_id.clone(),
            first_instance_id: first_instance_id.to_owned(),
            deprecated_id: self.incoming.deprecated_id.clone(),
            received_at: self.incoming.now,
            app_user: self.incoming.app_user,
            device: self.incoming.device.clone(),
            submitter: self.incoming.submitter,
            visit: self.incoming.visit.clone(),
            flags: self.incoming.flags.clone(),
        };
        head.seal(self.incoming.project, self.id, &self.incoming.field_half, &self.key)
    }

    /// What it is looked up by while nothing is decided.
    fn arrival(&self) -> Option<Arrival<'_>> {
        matches!(self.fate, Fate::Arrived).then(|| Arrival {
            project: self.incoming.project,
            form_id: &self.incoming.form_id,
            form_version: &self.incoming.form_version,
            instance: &self.instance,
            case: self.incoming.visit.as_ref().map(|visit| visit.case.to_string()),
        })
    }

    fn lease(&self) -> NaiveDateTime {
        (self.incoming.now + LEASE).naive_utc().trunc_subsecs(6)
    }

    /// What to do about a reservation of someone else.
    fn wait_for(&self, row: &Row) -> Fate {
        match row.lease_until {
            Some(until) if has_ended(until, self.incoming.now) => Fate::SettleFirst,
            _ => Fate::Again,
        }
    }
}

/// True when a lease has run out. So has one that reaches much further than a lease can: it was given under a clock that
/// has been set back since, and would otherwise block its instance id until that clock's time comes. Settling too early
/// costs another server a second try and nothing else.
pub(in crate::db) fn has_ended(lease_until: NaiveDateTime, now: DateTime<Utc>) -> bool {
    let now = now.naive_utc();
    lease_until < now || lease_until > now + LEASE * 2
}

fn seal_answer(incoming: &Incoming, token: Uuid, key: &WaveKey) -> Result<Vec<u8>, Error> {
    Answer {
        token,
        form_id: incoming.form_id.clone(),
        form_version: incoming.form_version.clone(),
        reporting_area: incoming.reporting_area.clone(),
        xml: incoming.answer_half.clone(),
    }
    .seal(incoming.project, key)
}

/// What a new row is to be.
struct Plan {
    standing: Standing,
    supersedes: Option<String>,
    first_instance: Vec<u8>,
    first_instance_id: String,
}

fn reserve_one(db: &mut FieldDb<'_>, interview: &mut Interview, known: &Known) -> Result<Fate, Error> {
    let (project, form_id) = (interview.incoming.project, interview.incoming.form_id.clone());
    let withdrawn = Fate::Decided(Ok(Stored { outcome: Outcome::Withdrawn, submission: None }));
    // Of two that arrive together the later one meets the rule of uniqueness, reads again, and finds the earlier.
    for round in 0..3 {
        let mut rows = Vec::new();
        if round > 0 || !known.is_free(&interview.instance) {
            if db.is_withdrawn(project, &form_id, &interview.instance)? {
                return Ok(withdrawn);
            }
            rows = db.rows_of_instance(project, &form_id, &interview.instance)?;
        }
        if let Some(row) = rows.iter().find(|row| row.content == interview.content) {
            return resume(db, interview, row);
        }
        let holder = rows.into_iter().find(|row| row.standing != Standing::Conflict.name());
        let plan = match holder {
            Some(row) if row.state == LEAVING => return Ok(withdrawn),
            Some(row) if row.state == RESERVED => return Ok(interview.wait_for(&row)),
            Some(row) => Plan {
                standing: Standing::Conflict,
                supersedes: None,
                first_instance_id: row.open(&interview.key)?.0.first_instance_id,
                first_instance: row.first_instance,
            },
            None => match plan_new(db, interview)? {
                Ok(plan) => plan,
                Err(fate) => return Ok(fate),
            },
        };
        if !known.is_published(project, &form_id, &interview.incoming.form_version) {
            return Ok(Fate::Decided(Err(IntakeError::UnknownForm {
                project,
                form_id,
                version: interview.incoming.form_version.clone(),
            })));
        }
        if let Some(visit) = &interview.incoming.visit
            && !known.is_case_of(project, &visit.case.to_string())
        {
            return Ok(Fate::Decided(Err(IntakeError::UnknownCase)));
        }
        let is_first =
            plan.first_instance_id == interview.incoming.instance_id && plan.standing == Standing::Current;
        let field_half = match interview.sealed_first.take().filter(|_| is_first) {
            Some(sealed) => sealed,
            None => interview.seal_field(&plan.first_instance_id)?,
        };
        let row = Row {
            id: interview.id.to_string(),
            project,
            form_id: form_id.clone(),
            form_version: interview.incoming.form_version.clone(),
            instance: interview.instance.to_vec(),
            content: interview.content.to_vec(),
            first_instance: plan.first_instance,
            field_half,
            state: RESERVED.to_owned(),
            standing: plan.standing.name().to_owned(),
            lease_until: Some(interview.lease()),
            supersedes: plan.supersedes.clone(),
            sender: interview.incoming.app_user.map(|id| id.to_string()),
            backups_from: None,
        };
        if db.insert_submission(&row)? {
            return Ok(Fate::Reserved(Reservation {
                id: row.id,
                standing: plan.standing,
                supersedes: plan.supersedes,
                visit: interview.incoming.visit.clone(),
                app_user: interview.incoming.app_user,
                resumed: false,
            }));
        }
    }
    Ok(Fate::Again)
}

/// A new instance id: a first version, or an edit of one that is current.
fn plan_new(db: &mut FieldDb<'_>, interview: &Interview) -> Result<Result<Plan, Fate>, Error> {
    let incoming = &interview.incoming;
    let Some(deprecated_id) = &incoming.deprecated_id else {
        return Ok(Ok(Plan {
            standing: Standing::Current,
            supersedes: None,
            first_instance: interview.instance.to_vec(),
            first_instance_id: incoming.instance_id.clone(),
        }));
    };
    let deprecated = instance_name(&interview.key, &incoming.form_id, deprecated_id);
    let withdrawn = Fate::Decided(Ok(Stored { outcome: Outcome::Withdrawn, submission: None }));
    if db.is_withdrawn(incoming.project, &incoming.form_id, &deprecated)? {
        return Ok(Err(withdrawn));
    }
    let Some(row) = db.holder_of_instance(incoming.project, &incoming.form_id, &deprecated)? else {
        return Ok(Err(Fate::Decided(Err(IntakeError::UnknownOriginal))));
    };
    Ok(match (row.state.as_str(), row.standing()?) {
        (LEAVING, _) => Err(withdrawn),
        (RESERVED, _) => Err(interview.wait_for(&row)),
        (_, Standing::Current) => Ok(Plan {
            standing: Standing::Current,
            first_instance_id: row.open(&interview.key)?.0.first_instance_id,
            first_instance: row.first_instance,
            supersedes: Some(row.id),
        }),
        _ => Err(Fate::Decided(Err(IntakeError::OriginalSuperseded))),
    })
}

/// The same content came before under the same instance id.
fn resume(db: &mut FieldDb<'_>, interview: &mut Interview, row: &Row) -> Result<Fate, Error> {
    let standing = row.standing()?;
    let stored = |outcome| Ok(Fate::Decided(Ok(Stored { outcome, submission: Some(uuid(&row.id)?) })));
    match (row.state.as_str(), standing) {
        (CONFIRMED, Standing::Current) => stored(Outcome::AlreadyStored),
        (CONFIRMED, Standing::Superseded) => stored(Outcome::Superseded),
        (CONFIRMED, Standing::Conflict) => stored(Outcome::Conflict),
        (RESERVED, _) => {
            // The reply to it was lost or is on its way: carry on with its token, which makes one answer of both.
            let (head, _) = row.open(&interview.key)?;
            if !db.extend_lease(&row.id, interview.lease())? {
                return Ok(Fate::Again);
            }
            interview.token = head.token;
            interview.sealed_first = None;
            interview.sealed_answer = seal_answer(&interview.incoming, head.token, &interview.key)?;
            Ok(Fate::Reserved(Reservation {
                id: row.id.clone(),
                standing,
                supersedes: row.supersedes.clone(),
                visit: head.visit,
                app_user: head.app_user,
                resumed: true,
            }))
        }
        _ => Ok(Fate::Decided(Ok(Stored { outcome: Outcome::Withdrawn, submission: None }))),
    }
}

fn confirm_one(db: &mut FieldDb<'_>, fate: &Fate) -> Result<Option<Result<Stored, IntakeError>>, Error> {
    let reservation = match fate {
        Fate::Reserved(reservation) => reservation,
        Fate::TokenLost { id } => {
            db.drop_reservation(id, None)?;
            return Ok(None);
        }
        _ => return Ok(None),
    };
    let visit = reservation.visit_to_record().map(|visit| (visit, reservation.app_user));
    let supersedes = reservation.supersedes.as_deref();
    let confirmed = db.confirm_submission(&reservation.id, None, supersedes, visit)?;
    if !confirmed {
        // Someone else confirmed it between our steps, or it was withdrawn meanwhile.
        match db.state_of(&reservation.id)?.as_deref() {
            Some(CONFIRMED) => {}
            Some(LEAVING) => {
                return Ok(Some(Ok(Stored { outcome: Outcome::Withdrawn, submission: None })));
            }
            _ => return Ok(Some(Err(IntakeError::Busy))),
        }
    }
    let outcome = match (reservation.standing, reservation.resumed && !confirmed, &reservation.supersedes) {
        (Standing::Conflict, _, _) => Outcome::Conflict,
        (_, true, _) => Outcome::AlreadyStored,
        (_, false, Some(_)) => Outcome::Edited,
        (_, false, None) => Outcome::New,
    };
    Ok(Some(Ok(Stored { outcome, submission: Some(uuid(&reservation.id)?) })))
}

impl Reservation {
    /// What is kept in conflict says nothing about the case until a person decides.
    fn visit_to_record(&self) -> Option<&CaseVisit> {
        self.visit.as_ref().filter(|_| self.standing != Standing::Conflict)
    }
}
