//! The freeze: opens both halves of every interview, with the custodian's key the sealed blocks too, joins them to
//! the design of their cases, and leaves nothing that names a case.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use analysis::disclosure::{self, SnapshotError};
use anyhow::{Context, anyhow};
use chrono::{DateTime, FixedOffset, Utc};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use surveys::chance::Chance;
use surveys::halves;
use surveys::submission::{self, Submission};
use uuid::Uuid;

use super::analysis_file::{About, AnalysisFile, CaseRecord, shuffle_and_scramble};
use super::analysis_files::AnalysisFiles;
use super::cases::{design_of, released};
use super::design;
use crate::db::{
    Case, CaseStatus, CaseVisit, Decision, FormState, ProjectState, Snapshot, SnapshotInterview, Standing,
    Submission as Stored,
};
use crate::fieldwork::dispositions::{Class, Disposition};
use crate::files::FilesError;
use crate::intake::{ENCRYPTED, ReadForm, Receiver, text_of};
use crate::keys::{BlockPlace, Bundle, CustodianPrivate, WaveKey, open_block, open_encrypted};

/// How a wave is frozen.
pub struct Options<'a> {
    /// Without it the questions of sealed blocks are missing from the file.
    pub custodian: Option<&'a Bundle>,
    /// Before the last interview: the latest interviews are held back (protection.md rule 20), and the wave goes on.
    pub early: bool,
    pub now: DateTime<Utc>,
    /// Orders the records; [`real_chance`] but for the demo.
    pub chance: Chance,
}

/// A frozen wave that is not written down yet.
pub struct Frozen {
    pub file: AnalysisFile,
    pub snapshot: Snapshot,
    pub interviews: usize,
    /// Interviews that an early snapshot holds back.
    pub held_back: usize,
    /// Interviews that are in the file without their sealed answers, or not at all, because what only the custodian's
    /// keys open stayed closed; those that were left out are among them.
    pub unopened: usize,
    pub left_out: Vec<LeftOut>,
    /// Interviews that a device encrypted and that stayed closed, for want of the custodian's key.
    pub closed: usize,
    /// Issued cases that nobody worked on; they are in the file as of unknown eligibility.
    pub unworked: usize,
    /// Earlier snapshots that this one is too near to: their figures and this one's must not both go out.
    pub too_near: Vec<(i64, SnapshotError)>,
}

/// An interview that is not in the file, because it does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// So that its device can be found and send it again.
    pub instance_id: String,
    pub why: String,
}

/// A wave's interviews, joined to their cases.
#[derive(Default)]
pub struct JoinedWave {
    /// By village and dwelling.
    pub cases: Vec<Joined>,
    pub left_out: Vec<LeftOut>,
    /// Interviews that a device encrypted and that stayed closed, for want of the custodian's key.
    pub closed: usize,
}

/// A worked case, still with what names it.
pub struct Joined {
    pub village: String,
    pub household: Option<i64>,
    pub record: CaseRecord,
    received_at: DateTime<Utc>,
    /// Tells this version of the interview from every other, to the holder of the wave key.
    id: String,
    unopened: bool,
}

/// Chance that nobody can repeat.
pub fn real_chance() -> Chance {
    Chance::new(0, &format!("{}{}", Uuid::new_v4(), Uuid::new_v4()))
}

/// Joins a wave's interviews to the design of their cases: one record a case that was worked on. Several visits to a
/// case: the interview counts, else the last attempt. What does not open is left out and named.
pub fn join(
    receiver: &Receiver,
    project: i64,
    form_id: &str,
    custodian: Option<&Bundle>,
) -> anyhow::Result<JoinedWave> {
    let key = &receiver.key(project)?;
    if let (Some(custodian), Some(known)) = (custodian, receiver.custodian(project)?) {
        anyhow::ensure!(
            custodian.blocks.public() == known.blocks,
            "this is another custodian's key than the one that wave {project} was made with; nothing of it would open"
        );
    }
    let cases: HashMap<Uuid, Case> =
        receiver.field.read(|db| db.list_cases(project))?.into_iter().map(|case| (case.id, case)).collect();
    let released = released(cases.values());
    let stored = receiver.field.read(|db| db.list_submissions(project, key))?;
    let mut answers: HashMap<Uuid, Vec<u8>> = receiver
        .answers
        .read(|db| db.list_answers(project, key))?
        .into_iter()
        .map(|a| (a.token, a.xml))
        .collect();
    // Interviews that were broken off count as interviews where a supervisor ruled so.
    let counts: BTreeSet<Uuid> = receiver
        .field
        .read(|db| db.list_case_reviews(project))?
        .into_iter()
        .filter(|review| review.decision == Decision::Counts)
        .map(|review| review.case)
        .collect();
    let mut last: HashMap<Uuid, (Class, i64, Joined)> = HashMap::new();
    let mut wave = JoinedWave::default();
    for submission in stored {
        let is_encrypted = submission.flags.iter().any(|flag| flag == ENCRYPTED);
        if submission.standing != Standing::Current
            || submission.form_id != form_id
            || (submission.visit.is_none() && !is_encrypted)
        {
            continue;
        }
        let answer_half = answers
            .remove(&submission.token)
            .ok_or_else(|| anyhow!("an acknowledged interview has no answers in the answer vault; do the two vaults belong together?"))?;
        let opened = match open(receiver, project, &submission, &answer_half, custodian)? {
            Opening::Opened(opened) => opened,
            Opening::Closed => {
                wave.closed += 1;
                continue;
            }
            Opening::LeftOut(why) => {
                wave.left_out.push(LeftOut { instance_id: submission.instance_id, why });
                continue;
            }
        };
        let visit = &opened.visit;
        let case =
            cases.get(&visit.case).ok_or_else(|| anyhow!("a submission belongs to a case that is gone"))?;
        let mut disposition = Disposition::from_code(&visit.disposition)
            .ok_or_else(|| anyhow!("the disposition `{}` is unknown", visit.disposition))?;
        if disposition == Disposition::Partial && counts.contains(&visit.case) {
            disposition = Disposition::Complete;
        }
        let class = disposition.class();
        let better = last.get(&visit.case).is_none_or(|(known, attempt, _)| {
            (class == Class::Interview, visit.attempt) > (*known == Class::Interview, *attempt)
        });
        if better {
            let mut record = record_of(case, &released, disposition).context("a case that was worked on")?;
            record.enumerator = submission.app_user.map(|user| user.to_string());
            record.adults = opened.adults;
            record.answers = (class == Class::Interview).then_some(opened.answers);
            let id = key.name("snapshot", &[submission.token.as_bytes()]);
            let joined = Joined {
                village: case.village.clone(),
                household: case.household,
                record,
                received_at: submission.received_at,
                id: id[..16].iter().map(|byte| format!("{byte:02x}")).collect(),
                unopened: opened.unopened && class == Class::Interview,
            };
            last.insert(visit.case, (class, visit.attempt, joined));
        }
    }
    wave.cases = last.into_values().map(|(_, _, joined)| joined).collect();
    wave.cases.sort_by(|a, b| (&a.village, a.household).cmp(&(&b.village, b.household)));
    Ok(wave)
}

/// The record of a case without its answers.
fn record_of(
    case: &Case,
    released: &HashMap<String, usize>,
    disposition: Disposition,
) -> anyhow::Result<CaseRecord> {
    let place = design_of(case)?;
    Ok(CaseRecord {
        probability: place.probability(released.get(&case.village).copied().unwrap_or_default())?,
        stratum: place.stratum,
        variance_stratum: place.variance_stratum,
        variance_psu: place.variance_psu,
        area: place.area,
        village_majority: place.village_majority,
        enumerator: None,
        disposition,
        adults: None,
        answers: None,
    })
}

/// Freezes a wave to its next analysis file; nothing is written yet.
///
/// Errors: a wave without design or cases, halves and blocks that do not open, an early snapshot that would hold nobody.
pub fn freeze(receiver: &Receiver, project: i64, options: Options<'_>) -> anyhow::Result<Frozen> {
    let field = &receiver.field;
    let wave = field.read(|db| db.find_project(project))?;
    let wave = wave.ok_or_else(|| anyhow!("there is no wave {project}; see `langnghe project list`"))?;
    let (design, documents) = design::stored(field, project)?;
    let form = receiver.find_form(project, &design.form_id, None)?;
    let JoinedWave { cases: mut joined, left_out, closed } =
        join(receiver, project, &design.form_id, options.custodian)?;
    let all = joined.iter().filter(|one| one.record.answers.is_some()).count();
    let mut unworked = 0;
    if options.early {
        joined = hold_back(joined)?;
    } else {
        let worked: BTreeSet<(String, Option<i64>)> =
            joined.iter().map(|one| (one.village.clone(), one.household)).collect();
        let cases = field.read(|db| db.list_cases(project))?;
        let released = released(&cases);
        for case in cases.iter().filter(|case| case.status != CaseStatus::Waiting) {
            if !worked.contains(&(case.village.clone(), case.household)) {
                unworked += usize::from(case.status == CaseStatus::Open);
                joined.push(Joined {
                    village: case.village.clone(),
                    household: case.household,
                    record: record_of(case, &released, without_interview(case))?,
                    received_at: options.now,
                    id: String::new(),
                    unopened: false,
                });
            }
        }
    }
    let interviews: Vec<SnapshotInterview> =
        joined.iter().filter(|one| one.record.answers.is_some()).map(Joined::interview).collect();
    let unopened = joined.iter().filter(|one| one.unopened).count() + closed + left_out.len();
    if interviews.is_empty() {
        return Err(NothingToFreeze { project, unopened }.into());
    }
    let key = receiver.key(project)?;
    let known = field.read(|db| db.list_snapshots(project, &key))?;
    let next = of_disclosure(&interviews);
    let too_near = known
        .iter()
        .filter_map(|earlier| {
            let held = of_disclosure(&earlier.interviews);
            Some((earlier.number, disclosure::may_follow(&[&held], &next).err()?))
        })
        .collect();
    let number = known.last().map_or(0, |last| last.number) + 1;
    let villages: BTreeSet<&String> = joined.iter().map(|one| &one.village).collect();
    let name = if form.workbook.as_deref().is_some_and(|bytes| bytes.starts_with(b"PK")) {
        "questionnaire.xlsx"
    } else if form.workbook.is_some() {
        "questionnaire.xls"
    } else {
        "questionnaire.xml"
    };
    let questionnaire = form.workbook.unwrap_or(form.xml);
    let mut provenance = vec![("Phiếu hỏi".to_owned(), sha256(&questionnaire))];
    let named = documents.iter().filter(|(name, _)| **name != design::FORM);
    provenance.extend(named.map(|(name, bytes)| ((*name).to_owned(), sha256(bytes))));
    let about = About {
        project,
        wave: wave.name,
        snapshot: u32::try_from(number)?,
        taken: FixedOffset::east_opt(VIETNAM)
            .map_or(options.now.date_naive(), |zone| options.now.with_timezone(&zone).date_naive()),
        label: None,
        villages: villages.len() as u64,
        areas: design.areas,
        truth: Default::default(),
        provenance,
        imported: false,
    };
    let count = interviews.len();
    let snapshot = Snapshot {
        number,
        early: options.early,
        unopened: i64::try_from(unopened)?,
        taken_at: options.now,
        interviews,
    };
    let records = joined.into_iter().map(|one| one.record).collect();
    let mut chance = options.chance;
    Ok(Frozen {
        file: AnalysisFile {
            about,
            records: shuffle_and_scramble(records, &mut chance),
            questionnaire: (name.to_owned(), questionnaire),
            plan: design.plan,
            weighting: design.weighting,
            template: design.template,
        },
        snapshot,
        interviews: count,
        held_back: all - count,
        unopened,
        left_out,
        closed,
        unworked,
        too_near,
    })
}

/// How a case ended that has no interview: a complete one whose interview is gone was withdrawn, which counts as a
/// refusal; of the others nothing is known.
fn without_interview(case: &Case) -> Disposition {
    match case.status {
        CaseStatus::Complete => Disposition::RefusedPerson,
        _ => Disposition::UnknownHousehold,
    }
}

/// Seconds east of UTC.
const VIETNAM: i32 = 7 * 3600;

impl Joined {
    fn interview(&self) -> SnapshotInterview {
        SnapshotInterview { id: self.id.clone(), cluster: self.village.clone() }
    }
}

/// What an official decides about a snapshot that is too near to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooNear {
    /// Nothing is written.
    Refuse,
    /// No figure of the earlier one went out: its analysis file is destroyed.
    Replace,
    /// Nobody is there to decide: the earlier one stays the last.
    KeepEarlier,
}

/// A wave without any interview that opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wave {project} has no interview that opens ({unopened} stay closed); there is nothing to freeze")]
pub struct NothingToFreeze {
    pub project: i64,
    pub unopened: usize,
}

/// Writes a frozen wave down: the analysis file sealed to the analysts' key, then the snapshot and the log.
pub fn keep(
    receiver: &Receiver,
    files: &AnalysisFiles,
    recipient: &age::x25519::Recipient,
    frozen: &Frozen,
    too_near: TooNear,
    who: &str,
) -> anyhow::Result<PathBuf> {
    let project = frozen.file.about.project;
    if let (Some((number, error)), TooNear::Refuse | TooNear::KeepEarlier) =
        (frozen.too_near.first(), too_near)
    {
        anyhow::bail!(
            "snapshot {number} and this one: {error}. If no figure of snapshot {number} was released, --replace destroys \
             it and keeps this one"
        );
    }
    let key = receiver.key(project)?;
    let path = files.keep(&frozen.file, recipient)?;
    for (number, _) in &frozen.too_near {
        files.destroy(project, u32::try_from(*number)?)?;
    }
    let snapshot = &frozen.snapshot;
    let detail = serde_json::json!({
        "project": project, "snapshot": snapshot.number, "early": snapshot.early,
        "cases": frozen.file.records.len(), "interviews": frozen.interviews, "held_back": frozen.held_back,
        "unopened": snapshot.unopened, "left_out": frozen.left_out.len(), "replaced": frozen.too_near.iter().map(|(n, _)| n).collect::<Vec<_>>(),
        "sha256": frozen.file.sha256()?,
    });
    receiver.field.transaction(|db| {
        for (number, _) in &frozen.too_near {
            db.delete_snapshot(project, *number)?;
        }
        db.keep_snapshot(project, snapshot, &key)?;
        db.append_audit(who, "analysis file made", &detail.to_string(), snapshot.taken_at)?;
        Ok::<_, crate::db::Error>(())
    })?;
    Ok(path)
}

/// The questionnaire takes no more interviews: what the final analysis file holds is what there is.
pub fn end_fieldwork(receiver: &Receiver, project: i64) -> anyhow::Result<()> {
    let (design, _) = design::stored(&receiver.field, project)?;
    receiver.field.transaction(|db| {
        db.set_form_state(project, &design.form_id, FormState::Closed)?;
        db.set_project_state(project, ProjectState::Frozen)
    })?;
    Ok(())
}

/// Takes [`end_fieldwork`] back, when the freeze could not be made.
pub fn resume_fieldwork(receiver: &Receiver, project: i64) -> anyhow::Result<()> {
    let (design, _) = design::stored(&receiver.field, project)?;
    receiver.field.transaction(|db| {
        db.set_form_state(project, &design.form_id, FormState::Open)?;
        db.set_project_state(project, ProjectState::Open)
    })?;
    Ok(())
}

fn of_disclosure(interviews: &[SnapshotInterview]) -> Vec<disclosure::Interview> {
    let copy =
        |one: &SnapshotInterview| disclosure::Interview { id: one.id.clone(), cluster: one.cluster.clone() };
    interviews.iter().map(copy).collect()
}

/// An early snapshot: without the latest interviews, and without whatever else came since the first of them.
fn hold_back(mut joined: Vec<Joined>) -> anyhow::Result<Vec<Joined>> {
    joined.sort_by(|a, b| (a.received_at, &a.id).cmp(&(b.received_at, &b.id)));
    let positions: Vec<usize> = (0..joined.len()).filter(|i| joined[*i].record.answers.is_some()).collect();
    let received: Vec<SnapshotInterview> = positions.iter().map(|i| joined[*i].interview()).collect();
    let taken = disclosure::early_snapshot(&of_disclosure(&received))?;
    joined.truncate(positions.get(taken).copied().unwrap_or(joined.len()));
    joined.sort_by(|a, b| (&a.village, a.household).cmp(&(&b.village, b.household)));
    Ok(joined)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an interview says.
struct Opened {
    visit: CaseVisit,
    adults: Option<usize>,
    answers: IndexMap<String, String>,
    unopened: bool,
}

/// What became of an interview that was to be opened.
enum Opening {
    Opened(Opened),
    /// The device encrypted all of it, and the custodian's key was not given.
    Closed,
    /// It does not open, for this reason.
    LeftOut(String),
}

fn open(
    receiver: &Receiver,
    project: i64,
    stored: &Stored,
    answer_half: &[u8],
    custodian: Option<&Bundle>,
) -> anyhow::Result<Opening> {
    let form = receiver.read_form(project, &stored.form_id, &stored.form_version)?;
    let mut xml =
        halves::join(&stored.xml, answer_half).context("the two halves of an interview do not fit")?;
    let mut visit = stored.visit.clone();
    if visit.is_none() {
        let Some(key) = custodian.and_then(|custodian| custodian.forms.as_ref()) else {
            return Ok(Opening::Closed);
        };
        let files = files_of(receiver, stored, &receiver.key(project)?)?;
        match open_encrypted(key, &xml, |name| files.get(name).cloned()) {
            Ok(opened) => xml = opened,
            Err(error) => return Ok(Opening::LeftOut(error.to_string())),
        }
        let Ok(submission) = submission::read(&form.compiled, &xml) else {
            return Ok(Opening::LeftOut("what it holds is no readable interview".to_owned()));
        };
        visit = receiver.find_case(project, &form, &submission, stored.received_at)?.0;
    }
    let Some(visit) = visit else {
        return Ok(Opening::LeftOut("its dwelling is not in the sample".to_owned()));
    };
    let (xml, unopened) = match open_sealed(&form, stored, xml, custodian.map(|custodian| &custodian.blocks))
    {
        Ok(opened) => opened,
        Err(error) => return Ok(Opening::LeftOut(format!("{error:#}"))),
    };
    let submission = submission::read(&form.compiled, &xml).context("a stored interview cannot be read")?;
    let adults = form.text(&submission, "adults_n").and_then(|n| n.parse().ok());
    Ok(Opening::Opened(Opened { visit, adults, answers: answers_of(&form, &submission), unopened }))
}

/// The files of an interview by name; what is damaged or gone is as if it had not come.
fn files_of(
    receiver: &Receiver,
    stored: &Stored,
    key: &Arc<WaveKey>,
) -> anyhow::Result<HashMap<String, Vec<u8>>> {
    let mut files = HashMap::new();
    for file in receiver.field.read(|db| db.list_attachments(stored.id, key))? {
        match receiver.read_file(Arc::clone(key), &file.file) {
            _ if file.in_conflict => {}
            Ok(bytes) => drop(files.insert(file.name, bytes)),
            Err(FilesError::Damaged { .. } | FilesError::Gone { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(files)
}

/// Answers by question, without anything of the field half.
fn answers_of(form: &ReadForm, submission: &Submission) -> IndexMap<String, String> {
    submission::answers(&form.compiled, submission)
        .into_iter()
        .filter(|answer| !form.compiled.items[answer.item].field)
        .filter_map(|answer| {
            Some((form.compiled.items[answer.item].name.to_string(), text_of(answer.value)?))
        })
        .collect()
}

/// The XML with each sealed node replaced by what it holds, only ever in memory; and whether one stayed closed, for want
/// of the custodian's key.
fn open_sealed(
    form: &ReadForm,
    stored: &Stored,
    mut xml: Vec<u8>,
    custodian: Option<&CustodianPrivate>,
) -> anyhow::Result<(Vec<u8>, bool)> {
    let mut unopened = false;
    for path in form.compiled.sealed_groups() {
        let Some(content) = submission::content_range(&xml, path)? else { continue };
        let Some(text) = sealed_text(&xml[content.clone()]) else { continue };
        let Some(custodian) = custodian else {
            unopened = true;
            continue;
        };
        let place = BlockPlace {
            form_id: &stored.form_id,
            form_version: &stored.form_version,
            block_path: path,
            first_instance_id: &stored.first_instance_id,
        };
        let block = open_block(custodian, place, text).with_context(|| format!("sealed block {path}"))?;
        xml.splice(content, block);
    }
    Ok((xml, unopened))
}

/// The text of the `ln_sealed` element that is all a sealed group holds; `None` for a block that came plain.
fn sealed_text(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let inside = text.strip_prefix("<ln_sealed")?.split_once('>')?.1;
    Some(inside.strip_suffix("</ln_sealed>")?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_group_is_told_from_a_plain_one() {
        assert_eq!(sealed_text(b"<ln_sealed> ln1:B </ln_sealed>\n"), Some("ln1:B"));
        assert_eq!(sealed_text(b"<k1>4</k1>"), None);
    }
}
