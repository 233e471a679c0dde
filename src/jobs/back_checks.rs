//! Back-checks of a wave: draws the interviews that another person asks about again, keeps the facts found, compares
//! them with what the field half says, and gives rates per enumerator.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use serde::Serialize;
use surveys::question_type::QuestionType;
use surveys::submission::{self, AnswerValue};
use uuid::Uuid;

use super::assignment::name_of;
use crate::db::{self, Case, CaseStatus, FieldVault, Standing, Submission};
use crate::fieldwork::back_checks::{self, Difference, FEWEST, Found, Reported};
use crate::fieldwork::dispositions::{Class, Disposition};
use crate::intake::Receiver;
use crate::keys::WaveKey;

/// One dwelling that is to be visited again, or was.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub case: Uuid,
    pub village: String,
    pub commune: String,
    pub household: Option<i64>,
    /// Whom another person must check.
    pub enumerator: String,
    pub done: bool,
    /// Facts that do not agree.
    pub differences: Vec<Difference>,
}

/// What the back-checks say of one enumerator with at least ten interviews.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnumeratorResult {
    pub enumerator: String,
    pub interviews: usize,
    pub drawn: usize,
    pub checked: usize,
    pub not_asked: usize,
    pub minutes: usize,
    pub adults: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct BackChecks {
    pub checks: Vec<Check>,
    pub enumerators: Vec<EnumeratorResult>,
    /// Enumerators with fewer than ten interviews, of whom nothing is said.
    pub too_few: usize,
}

/// Cases with an interview, by enumerator.
type Completed = BTreeMap<Uuid, Vec<Uuid>>;

/// Completed interviews in the order of arrival, and the wave's cases.
fn completed(field: &FieldVault, project: i64) -> anyhow::Result<(Completed, HashMap<Uuid, Case>)> {
    let (cases, visits) = field
        .read(|db| Ok::<_, db::Error>((db.list_cases(project)?, db.list_visits_by_arrival(project)?)))?;
    let cases: HashMap<Uuid, Case> = cases.into_iter().map(|case| (case.id, case)).collect();
    let mut seen = HashSet::new();
    let mut by = Completed::new();
    for visit in visits {
        let disposition = Disposition::from_code(&visit.disposition);
        if disposition.is_some_and(|d| d.class() == Class::Interview)
            && let Some(enumerator) = visit.visited_by
            && seen.insert(visit.case)
        {
            by.entry(enumerator).or_default().push(visit.case);
        }
    }
    Ok((by, cases))
}

/// Draws among the interviews that came since the last time; answers how many are new. Who was drawn stays drawn.
pub fn draw(
    field: &FieldVault,
    key: &WaveKey,
    project: i64,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let (by, cases) = completed(field, project)?;
    // From the wave key: nobody in the field can foresee it.
    let mut seed = [0; 8];
    seed.copy_from_slice(&key.name("back-checks", &[])[..8]);
    let seed = u64::from_le_bytes(seed);
    let drawn = field.transaction(|db| {
        let rules = db.fieldwork_rules(project)?;
        let known: HashSet<Uuid> =
            db.list_back_checks(project, key)?.into_iter().map(|check| check.case).collect();
        let mut new = 0;
        for (enumerator, interviews) in &by {
            let given = cases
                .values()
                .filter(|case| case.assigned_to == Some(*enumerator) && case.status != CaseStatus::Waiting);
            let expected = given.count().max(interviews.len());
            let name = enumerator.to_string();
            for position in back_checks::drawn(rules.back_checks, expected, interviews.len(), seed, &name) {
                if !known.contains(&interviews[position]) {
                    db.create_back_check(project, interviews[position], now)?;
                    new += 1;
                }
            }
        }
        if new > 0 {
            let detail = serde_json::json!({ "project": project, "cases": new }).to_string();
            db.append_audit(who, "back-checks drawn", &detail, now)?;
        }
        Ok::<_, db::Error>(new)
    })?;
    Ok(drawn)
}

/// Keeps what was found at a dwelling that was drawn.
pub fn keep(
    field: &FieldVault,
    key: &WaveKey,
    project: i64,
    (village, household): (&str, i64),
    found: Found,
    who: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let facts = serde_json::to_string(&found)?;
    field.transaction(|db| {
        let case = db.find_case_of_dwelling(project, village, household)?;
        let case = case.ok_or_else(|| anyhow!("wave {project} has no dwelling {household} in {village}"))?;
        db.keep_back_check(project, case.id, &facts, now, key).map_err(|error| match error {
            db::Error::Missing { .. } => anyhow!(
                "dwelling {household} of {village} was not drawn for a back-check; see `langnghe fieldwork back-checks \
                 {project}`"
            ),
            other => other.into(),
        })?;
        db.append_audit(who, "back-check kept", &serde_json::json!({ "project": project }).to_string(), now)?;
        Ok(())
    })
}

/// All back-checks, and what they say of enumerators with at least ten interviews.
pub fn results(receiver: &Receiver, project: i64) -> anyhow::Result<BackChecks> {
    let field = &receiver.field;
    let key = receiver.key(project)?;
    let (by, cases) = completed(field, project)?;
    let (kept, devices) = field
        .read(|db| Ok::<_, db::Error>((db.list_back_checks(project, &key)?, db.list_app_users(project)?)))?;
    let names: HashMap<Uuid, String> = devices.iter().map(|device| (device.id, name_of(device))).collect();
    let of_case: HashMap<Uuid, Uuid> =
        by.iter().flat_map(|(enumerator, all)| all.iter().map(|case| (*case, *enumerator))).collect();
    let wanted: HashSet<Uuid> =
        kept.iter().filter(|check| check.facts.is_some()).map(|check| check.case).collect();
    let reported = reported(receiver, project, &wanted, &key)?;
    let mut checks = Vec::new();
    for check in kept {
        let case = cases.get(&check.case).ok_or_else(|| anyhow!("a back-check belongs to no case"))?;
        let found: Option<Found> = check.facts.as_deref().map(serde_json::from_str).transpose()?;
        let own = reported.get(&check.case).copied().unwrap_or_default();
        let enumerator = of_case.get(&check.case).and_then(|id| names.get(id)).cloned().unwrap_or_default();
        checks.push(Check {
            case: check.case,
            village: case.village.clone(),
            commune: case.commune.clone(),
            household: case.household,
            enumerator,
            done: found.is_some(),
            differences: found.map(|found| back_checks::differences(own, found)).unwrap_or_default(),
        });
    }
    checks.sort_by(|a, b| (&a.village, a.household).cmp(&(&b.village, b.household)));
    let (many, few): (Vec<_>, Vec<_>) = by.iter().partition(|(_, all)| all.len() >= FEWEST);
    let mut enumerators: Vec<EnumeratorResult> = many
        .into_iter()
        .map(|(id, interviews)| {
            let name = names.get(id).cloned().unwrap_or_default();
            let own: Vec<&Check> = checks.iter().filter(|check| interviews.contains(&check.case)).collect();
            let with =
                |fact: Difference| own.iter().filter(|check| check.differences.contains(&fact)).count();
            EnumeratorResult {
                enumerator: name,
                interviews: interviews.len(),
                drawn: own.len(),
                checked: own.iter().filter(|check| check.done).count(),
                not_asked: with(Difference::NotAsked),
                minutes: with(Difference::Minutes),
                adults: with(Difference::Adults),
            }
        })
        .collect();
    enumerators.sort_by(|a, b| a.enumerator.cmp(&b.enumerator));
    Ok(BackChecks { checks, enumerators, too_few: few.len() })
}

/// What the interviews of these cases report, from their field halves.
fn reported(
    receiver: &Receiver,
    project: i64,
    wanted: &HashSet<Uuid>,
    key: &WaveKey,
) -> anyhow::Result<HashMap<Uuid, Reported>> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut stored: Vec<Submission> = Vec::new();
    receiver.field.read(|db| {
        db.each_submission(project, key, |submission| {
            let of_case = submission.visit.as_ref().is_some_and(|visit| wanted.contains(&visit.case));
            if of_case && submission.standing == Standing::Current {
                stored.push(submission);
            }
            Ok::<(), db::Error>(())
        })
    })?;
    for submission in stored {
        let Some(visit) = &submission.visit else { continue };
        if Disposition::from_code(&visit.disposition).is_none_or(|d| d.class() != Class::Interview) {
            continue;
        }
        found.insert(visit.case, facts_of(receiver, project, &submission)?);
    }
    Ok(found)
}

/// Length by the form's own start and end, and the adults of its roster; both lie in the field half. The answers, which
/// the form asks for in between, are fetched and left alone.
fn facts_of(receiver: &Receiver, project: i64, stored: &Submission) -> anyhow::Result<Reported> {
    let form = receiver.read_form(project, &stored.form_id, &stored.form_version)?;
    let key = receiver.key(project)?;
    let answers = receiver.answers.read(|db| db.find_answer(project, stored.token, &key))?;
    let Some(answers) = answers else { return Ok(Reported::default()) };
    let xml = surveys::halves::join(&stored.xml, &answers.xml)
        .context("the two halves of an interview do not fit")?;
    let read = submission::read(&form.compiled, &xml).context("a stored interview cannot be read")?;
    let (mut started, mut ended) = (None, None);
    for answer in submission::answers(&form.compiled, &read) {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).ok();
        match (form.compiled.items[answer.item].question(), &answer.value) {
            (Some(QuestionType::Start), AnswerValue::Text(text)) => started = at(text),
            (Some(QuestionType::End), AnswerValue::Text(text)) => ended = at(text),
            _ => {}
        }
    }
    let minutes = match (started, ended) {
        (Some(started), Some(ended)) if ended > started => {
            Some((ended - started).num_seconds() as f64 / 60.0)
        }
        _ => None,
    };
    let adults = form.text(&read, ADULTS).and_then(|n| n.parse().ok());
    Ok(Reported { minutes, adults })
}

/// The question of the roster that counts the adults.
const ADULTS: &str = "adults_n";
