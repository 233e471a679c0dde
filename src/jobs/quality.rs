//! Quality checks of a wave while it is in the field: reads the interviews inside the program and gives rates per
//! enumerator and field facts of cases (protection.md rule 16), never an answer.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use anyhow::{Context, anyhow};
use chrono::DateTime;
use serde::Serialize;
use surveys::codebook::{Codebook, Measure, Variable};
use surveys::halves;
use surveys::question_type::QuestionType;
use surveys::submission::{self, AnswerValue};
use uuid::Uuid;

use crate::db::Case;
use crate::fieldwork::dispositions::{Class, Disposition};
use crate::fieldwork::quality::{self, Check, Fact, Interview, Rate, SHORTEST_BATTERY};
use crate::intake::Receiver;

/// What a supervisor sees.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// Completed interviews that were looked at.
    pub interviews: usize,
    /// Enumerators with fewer than ten interviews, of whom no rate is given.
    pub too_few: usize,
    pub rates: Vec<EnumeratorRate>,
    pub facts: Vec<CaseFact>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EnumeratorRate {
    pub enumerator: String,
    pub check: &'static str,
    pub n: usize,
    pub compared: usize,
    pub own: Option<f64>,
    pub expected: Option<f64>,
    pub z: Option<f64>,
    /// The question whose answers stray most, for `answers`.
    pub question: Option<String>,
    pub flagged: bool,
}

/// A case that somebody should ask about.
#[derive(Clone, Debug, Serialize)]
pub struct CaseFact {
    pub case: Uuid,
    pub village: String,
    pub enumerator: String,
    pub fact: &'static str,
}

/// Looks at all completed interviews of one form of a wave.
pub fn check(receiver: &Receiver, project: i64, form_id: &str) -> anyhow::Result<Quality> {
    check_where(receiver, project, form_id, |_| true)
}

/// Looks at the completed interviews of the dwellings that somebody is in charge of.
pub fn check_where(
    receiver: &Receiver,
    project: i64,
    form_id: &str,
    in_charge: impl Fn(&Case) -> bool,
) -> anyhow::Result<Quality> {
    let cases: HashMap<Uuid, Option<String>> = receiver
        .field
        .read(|db| db.list_cases(project))?
        .into_iter()
        .map(|case| (case.id, in_charge(&case).then_some(case.village)))
        .collect();
    let people: HashMap<Uuid, String> = receiver
        .field
        .read(|db| db.list_app_users(project))?
        .into_iter()
        .map(|user| (user.id, user.code.unwrap_or(user.display_name)))
        .collect();
    let stored = receiver.list_interviews(project)?;
    let (mut villages, mut enumerators) = (Numbers::default(), Numbers::default());
    let mut interviews = Vec::new();
    let mut of_case = Vec::new();
    let mut questions = Questions::default();
    for one in stored {
        let submission = &one.submission;
        let Some(visit) = submission.visit.as_ref().filter(|_| submission.form_id == form_id) else {
            continue;
        };
        let disposition = Disposition::from_code(&visit.disposition)
            .ok_or_else(|| anyhow!("the disposition `{}` is unknown", visit.disposition))?;
        if disposition.class() != Class::Interview {
            continue;
        }
        let village = cases.get(&visit.case).ok_or_else(|| anyhow!("an interview belongs to no case"))?;
        let Some(village) = village else { continue };
        let form = receiver.read_form(project, form_id, &submission.form_version)?;
        questions.add(&Codebook::of(&form.questionnaire));
        let xml = halves::join(&submission.xml, &one.answer.xml)
            .context("the two halves of an interview do not fit")?;
        let read = submission::read(&form.compiled, &xml).context("a stored interview cannot be read")?;
        let enumerator = submission.app_user.and_then(|id| people.get(&id)).cloned().unwrap_or_default();
        let mut interview = Interview {
            enumerator: enumerators.number(&enumerator),
            village: villages.number(village),
            started: None,
            ended: None,
            received: submission.received_at.timestamp(),
            place: None,
            answers: vec![None; questions.names.len()],
            silent: 0,
        };
        for answer in submission::answers(&form.compiled, &read) {
            let item = &form.compiled.items[answer.item];
            match (item.question(), &answer.value) {
                (Some(QuestionType::Start), AnswerValue::Text(text)) => interview.started = seconds(text),
                (Some(QuestionType::End), AnswerValue::Text(text)) => interview.ended = seconds(text),
                (Some(QuestionType::Geopoint | QuestionType::StartGeopoint), AnswerValue::Text(text)) => {
                    interview.place = interview.place.or_else(|| point(text));
                }
                _ => {}
            }
            let Some((number, codes)) = questions.names.get(&*item.name) else { continue };
            interview.silent +=
                usize::from(matches!(answer.value, AnswerValue::DontKnow | AnswerValue::Refused));
            let text = crate::intake::text_of(answer.value);
            interview.answers[*number] =
                text.and_then(|text| codes.iter().position(|code| *code == text)).map(|code| code as u16);
        }
        of_case.push((visit.case, village.clone(), enumerator));
        interviews.push(interview);
    }
    Ok(told(&interviews, &of_case, &enumerators.names, &questions))
}

fn told(
    interviews: &[Interview],
    of_case: &[(Uuid, String, String)],
    enumerators: &[String],
    questions: &Questions,
) -> Quality {
    let mut rates = quality::rates(interviews, &questions.batteries);
    rates.sort_by(|a, b| (&enumerators[a.enumerator], a.check).cmp(&(&enumerators[b.enumerator], b.check)));
    let judged = rates.iter().filter(|rate| rate.check == Check::Length).count();
    let name =
        |number: usize| questions.names.iter().find(|(_, (n, _))| *n == number).map(|(name, _)| name.clone());
    Quality {
        interviews: interviews.len(),
        too_few: enumerators.len() - judged,
        rates: rates
            .into_iter()
            .map(|rate: Rate| EnumeratorRate {
                enumerator: enumerators[rate.enumerator].clone(),
                check: rate.check.name(),
                n: rate.n,
                compared: rate.compared,
                own: rate.own,
                expected: rate.expected,
                z: rate.z,
                question: rate.question.and_then(name),
                flagged: rate.flagged,
            })
            .collect(),
        facts: quality::facts(interviews)
            .into_iter()
            .map(|(position, fact): (usize, Fact)| {
                let (case, village, enumerator) = of_case[position].clone();
                CaseFact { case, village, enumerator, fact: fact.name() }
            })
            .collect(),
    }
}

/// Closed questions outside sealed blocks and the field half, with the codes of each, and the batteries among them.
#[derive(Default)]
struct Questions {
    names: BTreeMap<String, (usize, Vec<String>)>,
    batteries: Vec<Range<usize>>,
}

impl Questions {
    /// The first version of the form that is met decides; a later one with other questions adds nothing.
    fn add(&mut self, codebook: &Codebook) {
        if !self.names.is_empty() {
            return;
        }
        let closed: Vec<&Variable> = codebook
            .variables
            .values()
            .filter(|v| matches!(v.measure, Measure::Nominal | Measure::Ordinal))
            .filter(|v| !v.sealed && !v.field && !v.values.is_empty())
            .collect();
        let codes =
            |v: &Variable| -> Vec<String> { v.values.iter().map(|value| value.code.clone()).collect() };
        let group = |v: &Variable| v.path.rsplit_once('/').map(|(group, _)| group.to_owned());
        let mut from = 0;
        for to in 1..=closed.len() {
            let goes_on = to < closed.len()
                && group(closed[to]) == group(closed[from])
                && codes(closed[to]) == codes(closed[from]);
            if !goes_on {
                if to - from >= SHORTEST_BATTERY {
                    self.batteries.push(from..to);
                }
                from = to;
            }
        }
        self.names =
            closed.iter().enumerate().map(|(number, v)| (v.name.clone(), (number, codes(v)))).collect();
    }
}

#[derive(Default)]
struct Numbers {
    names: Vec<String>,
    known: HashMap<String, usize>,
}

impl Numbers {
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.known.get(name) {
            return *number;
        }
        self.names.push(name.to_owned());
        self.known.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

fn seconds(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp())
}

/// `latitude longitude altitude accuracy`.
fn point(text: &str) -> Option<(f64, f64)> {
    let mut numbers = text.split_whitespace().map(|n| n.parse::<f64>().ok());
    Some((numbers.next()??, numbers.next()??))
}
