//! The freeze: opens both halves of every interview, with the custodian's key the sealed blocks too, joins them to
//! the design of their cases, and leaves nothing that names a case.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use indexmap::IndexMap;
use surveys::halves;
use surveys::submission::{self, Submission};
use uuid::Uuid;

use super::analysis_file::CaseRecord;
use crate::db::{Case, Standing, Submission as Stored};
use crate::fieldwork::dispositions::{Class, Disposition};
use crate::intake::{ReadForm, Receiver, text_of};
use crate::keys::{BlockPlace, CustodianPrivate, open_block};

/// Where a case lies in the design.
#[derive(Clone, Debug)]
pub struct CaseDesign {
    pub stratum: String,
    pub variance_stratum: String,
    pub variance_psu: String,
    pub area: String,
    pub village_majority: String,
    /// Of the dwelling, released reserves included.
    pub probability: f64,
}

/// One record a case that was worked on, in no order that tells anything yet; see
/// [`super::analysis_file::shuffle_and_scramble`].
///
/// `design` gives each issued case its place, `None` for one that was never issued.
pub fn freeze(
    receiver: &Receiver,
    project: i64,
    form_id: &str,
    custodian: &CustodianPrivate,
    design: &dyn Fn(&Case) -> Option<CaseDesign>,
) -> anyhow::Result<Vec<CaseRecord>> {
    let key = &receiver.key(project)?;
    let cases: HashMap<Uuid, Case> =
        receiver.field.read(|db| db.list_cases(project))?.into_iter().map(|case| (case.id, case)).collect();
    let stored = receiver.field.read(|db| db.list_submissions(project, key))?;
    let mut answers: HashMap<Uuid, Vec<u8>> = receiver
        .answers
        .read(|db| db.list_answers(project, key))?
        .into_iter()
        .map(|a| (a.token, a.xml))
        .collect();
    // Several visits to a case: the interview counts, else the last attempt.
    let mut last: HashMap<Uuid, (Class, i64, CaseRecord)> = HashMap::new();
    for submission in stored {
        if submission.standing != Standing::Current || submission.form_id != form_id {
            continue;
        }
        let Some(visit) = submission.visit.clone() else { continue };
        let case =
            cases.get(&visit.case).ok_or_else(|| anyhow!("a submission belongs to a case that is gone"))?;
        let Some(place) = design(case) else { continue };
        let answer_half = answers
            .remove(&submission.token)
            .ok_or_else(|| anyhow!("an acknowledged interview has no answers in the answer vault; do the two vaults belong together?"))?;
        let record =
            open(receiver, project, &submission, &answer_half, custodian, &visit.disposition, place)?;
        let class = record.disposition.class();
        let better = last.get(&visit.case).is_none_or(|(known, attempt, _)| {
            (class == Class::Interview, visit.attempt) > (*known == Class::Interview, *attempt)
        });
        if better {
            last.insert(visit.case, (class, visit.attempt, record));
        }
    }
    // Tokens are random, so this order tells nothing; sorting by the case's content-free id keeps runs comparable.
    let mut records: Vec<(Uuid, CaseRecord)> =
        last.into_iter().map(|(case, (_, _, record))| (case, record)).collect();
    records.sort_by_key(|(case, _)| cases.get(case).map(|c| (c.village.clone(), c.household)));
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

fn open(
    receiver: &Receiver,
    project: i64,
    stored: &Stored,
    answer_half: &[u8],
    custodian: &CustodianPrivate,
    disposition: &str,
    place: CaseDesign,
) -> anyhow::Result<CaseRecord> {
    let form = receiver.read_form(project, &stored.form_id, &stored.form_version)?;
    let xml = halves::join(&stored.xml, answer_half).context("the two halves of an interview do not fit")?;
    let xml = open_sealed(&form, stored, xml, custodian)?;
    let submission = submission::read(&form.compiled, &xml).context("a stored interview cannot be read")?;
    let disposition = Disposition::from_code(disposition)
        .ok_or_else(|| anyhow!("the disposition `{disposition}` is unknown"))?;
    let adults = form.text(&submission, "adults_n").and_then(|n| n.parse().ok());
    let answers = (disposition.class() == Class::Interview).then(|| answers_of(&form, &submission));
    Ok(CaseRecord {
        stratum: place.stratum,
        variance_stratum: place.variance_stratum,
        variance_psu: place.variance_psu,
        area: place.area,
        village_majority: place.village_majority,
        probability: place.probability,
        disposition,
        adults,
        answers,
    })
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

/// The XML with each sealed node replaced by what it holds; only ever in memory.
fn open_sealed(
    form: &ReadForm,
    stored: &Stored,
    mut xml: Vec<u8>,
    custodian: &CustodianPrivate,
) -> anyhow::Result<Vec<u8>> {
    for path in form.compiled.sealed_groups() {
        let Some(content) = submission::content_range(&xml, path)? else { continue };
        let Some(text) = sealed_text(&xml[content.clone()]) else { continue };
        let place = BlockPlace {
            form_id: &stored.form_id,
            form_version: &stored.form_version,
            block_path: path,
            first_instance_id: &stored.first_instance_id,
        };
        let block = open_block(custodian, place, text).with_context(|| format!("sealed block {path}"))?;
        xml.splice(content, block);
    }
    Ok(xml)
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
