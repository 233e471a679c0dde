//! Withdrawal (protection.md rule 14): a respondent who holds the receipt code takes the interview back while the wave is
//! open. The code can delete and nothing else: it is a hash of the interview's random id, which no table holds in clear.

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::db::{self, ProjectKind, ProjectState, instance_name};
use crate::intake::Receiver;
use crate::keys::KeyFolder;

/// Letters of a code without its spaces: 64 bits in hexadecimal.
const LETTERS: usize = 16;

/// The receipt code of an interview, in four groups of four: the first 64 bits of SHA-256 over `langnghe receipt ` and
/// the instance id. The tablet and ODK Collect compute the same with
/// `substr(digest(concat('langnghe receipt ', ${instanceID}), 'SHA-256', 'hex'), 0, 16)`.
pub fn receipt(instance_id: &str) -> String {
    let hash = Sha256::digest(format!("langnghe receipt {instance_id}"));
    let groups: Vec<String> = hash[..LETTERS / 2]
        .chunks(2)
        .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    groups.join(" ")
}

/// What became of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// The interview with all its versions is gone; these files lie there still and are to be deleted.
    Gone { files: Vec<String> },
    /// No interview here has this code: mistyped, not sent yet, or withdrawn before.
    NotHere,
}

/// Withdraws the interview that a receipt code belongs to.
///
/// Errors: a wave that is no survey or not open any more, a code of the wrong form.
pub fn withdraw(
    receiver: &Receiver,
    keys: &KeyFolder,
    project: i64,
    code: &str,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Withdrawn> {
    let wave = receiver.field.read(|db| db.find_project(project))?;
    let wave = wave.ok_or_else(|| anyhow!("there is no wave {project}; see `langnghe project list`"))?;
    anyhow::ensure!(
        wave.kind == ProjectKind::Survey,
        "wave {project} has no respondents ({})",
        wave.kind.name()
    );
    anyhow::ensure!(
        wave.state == ProjectState::Open,
        "wave {project} is {}: its records name nobody any more and none can be found to withdraw",
        wave.state.name()
    );
    let code = read_code(code).ok_or_else(|| {
        anyhow!(
            "a receipt code has {LETTERS} letters from 0-9 and a-f, in groups of four; read it again from the consent card"
        )
    })?;
    let key = receiver.key(project)?;
    let mut chains = Vec::new();
    let mut found = None;
    receiver.field.read(|db| {
        db.each_submission(project, &key, |submission| {
            if receipt(&submission.instance_id).replace(' ', "") == code {
                found = Some((submission.form_id.clone(), submission.first_instance_id.clone()));
            }
            chains.push((submission.form_id, submission.first_instance_id, submission.instance_id));
            Ok::<(), db::Error>(())
        })
    })?;
    let Some((form_id, first)) = found else { return Ok(Withdrawn::NotHere) };
    // The note first: after a crash in between the interview is withdrawn by `repeat`.
    for (form, _, instance) in chains.iter().filter(|(form, start, _)| *form == form_id && *start == first) {
        keys.note_withdrawn(project, form, &instance_name(&key, form, instance))?;
    }
    let intake = db::Intake::new(receiver.field.clone(), receiver.answers.clone());
    let files = intake.withdraw(project, &form_id, &first, &key)?.unwrap_or_default();
    let detail = serde_json::json!({ "project": project });
    receiver.field.transaction(|db| db.append_audit(who, "interview withdrawn", &detail.to_string(), now))?;
    Ok(Withdrawn::Gone { files })
}

/// The letters of a code as somebody typed it; `None` where they are none.
fn read_code(typed: &str) -> Option<String> {
    let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let is_code = code.len() == LETTERS && code.chars().all(|c| c.is_ascii_hexdigit());
    is_code.then(|| code.to_ascii_lowercase())
}

/// What a respondent is told who typed a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// As [`Withdrawn::Gone`].
    Gone {
        files: Vec<String>,
    },
    NotHere,
    NoCode,
    /// No survey is open: closed ones name nobody any more.
    NothingOpen,
}

/// Withdraws the interview of a code that a respondent typed, in whichever open survey it is. Every open survey is looked
/// through for a code in every case, so that time does not tell in which one it was.
///
/// Errors: a survey that could not be looked through, where the code was in no other.
pub fn withdraw_typed(
    receiver: &Receiver,
    keys: &KeyFolder,
    typed: &str,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Told> {
    let mut waves = receiver.field.read(|db| db.list_projects())?;
    waves.retain(|wave| wave.kind == ProjectKind::Survey && wave.state == ProjectState::Open);
    if waves.is_empty() {
        return Ok(Told::NothingOpen);
    }
    if read_code(typed).is_none() {
        return Ok(Told::NoCode);
    }
    let mut told = Told::NotHere;
    let mut failed = None;
    for wave in waves {
        // A wave that never had a key never took an interview.
        if receiver.key(wave.id).is_err() && !keys.has(wave.id) {
            continue;
        }
        match withdraw(receiver, keys, wave.id, typed, who, now) {
            Ok(Withdrawn::Gone { files }) => told = Told::Gone { files },
            Ok(Withdrawn::NotHere) => {}
            Err(error) => failed = Some(error),
        }
    }
    match (told, failed) {
        (Told::NotHere, Some(error)) => Err(error),
        (told, _) => Ok(told),
    }
}

/// Withdraws again what was withdrawn before: a backup that was restored may have brought it back. Answers the files to
/// delete.
pub fn repeat(receiver: &Receiver, keys: &KeyFolder, project: i64) -> anyhow::Result<Vec<String>> {
    let withdrawn = keys.list_withdrawn(project)?;
    if withdrawn.is_empty() {
        return Ok(Vec::new());
    }
    let key = receiver.key(project)?;
    let intake = db::Intake::new(receiver.field.clone(), receiver.answers.clone());
    let mut files = Vec::new();
    for (form_id, instance) in withdrawn {
        files.extend(intake.withdraw_again(project, &form_id, &instance, &key)?.unwrap_or_default());
    }
    Ok(files)
}
