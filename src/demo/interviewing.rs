//! From what happened at a dwelling to the XML that a tablet sends: the form itself is filled, question by question,
//! by its own rules; only what the simulation knows is given.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use surveys::answer::{Options, answer};
use surveys::chance::Chance;
use surveys::expression::Moment;
use surveys::form::Compiled;
use surveys::submission;

use crate::demo::enumerators::Visited;
use crate::fieldwork::dispositions::Disposition;
use crate::keys::{BlockPlace, CustodianPublic, seal_block_by_chance};

/// Minutes east of UTC in Viet Nam.
const ZONE: i32 = 420;
/// The first interviews: Monday 3 August 2026, 08:00 in Viet Nam.
const FIRST_MORNING: &str = "2026-08-03T08:00:00.000+07:00";
const DAY: f64 = 86_400_000.0;

/// The morning of a fieldwork day, counted from 0.
pub fn morning(day: usize) -> anyhow::Result<Moment> {
    let first = Moment::parse(FIRST_MORNING, ZONE).ok_or_else(|| anyhow!("the first morning is no date"))?;
    Moment::from_milliseconds(first.milliseconds() as f64 + day as f64 * DAY, ZONE)
        .ok_or_else(|| anyhow!("day {day} is beyond the calendar"))
}

/// Fills the questionnaire for one case and seals its self-completion blocks.
///
/// `village` is the village's code, `day` the day of the last visit. The same inputs give the same bytes.
pub fn interview(
    form: &Compiled,
    custodian: &CustodianPublic,
    village: &str,
    visit: &Visited,
    day: usize,
    seed: u64,
) -> anyhow::Result<String> {
    let mut chance = Chance::new(seed, &format!("interview/{village}/{}", visit.serial));
    let minutes =
        if visit.interview.is_some() { 24.0 + 22.0 * chance.unit() } else { 2.0 + 3.0 * chance.unit() };
    let start = morning(day)?.milliseconds() as f64 + (chance.unit() * 9.0 * 3_600_000.0).round();
    let start =
        Moment::from_milliseconds(start, ZONE).ok_or_else(|| anyhow!("a visit beyond the calendar"))?;
    let options = Options {
        presets: presets(village, visit),
        dont_know: 0.03,
        refused: 0.01,
        minutes: Some(minutes),
        zone: ZONE,
        instance_id: Some(format!("uuid:{}", uuid(&mut chance))),
        ..Options::at(start)
    };
    let answered = answer(form, chance.bits(), &options);
    if !answered.rejected.is_empty() || !answered.unanswered.is_empty() {
        return Err(anyhow!(
            "the questionnaire does not take a simulated interview: refused {:?}, unanswered {:?}",
            answered.rejected,
            answered.unanswered
        ));
    }
    let mut xml = answered.xml.into_bytes();
    for path in form.sealed_groups() {
        let Some(content) = submission::content_range(&xml, path)? else { continue };
        let place = BlockPlace {
            form_id: &form.form_id,
            form_version: form.version.as_deref().unwrap_or_default(),
            block_path: path,
            first_instance_id: &answered.instance_id,
        };
        let sealed = seal_block_by_chance(custodian, place, &xml[content.clone()], &mut chance)
            .with_context(|| format!("sealing {path}"))?;
        xml.splice(content, format!("<ln_sealed>{sealed}</ln_sealed>").into_bytes());
    }
    String::from_utf8(xml).context("an interview is not UTF-8")
}

/// Fills the listing form of a village.
pub fn listing(form: &Compiled, village: &str, listed: usize, seed: u64) -> anyhow::Result<String> {
    let mut chance = Chance::new(seed, &format!("listing/{village}"));
    let not_dwellings = chance.below(6);
    let given = [
        ("village", village.to_owned()),
        ("dwellings", (listed + not_dwellings).to_string()),
        ("not_dwellings", not_dwellings.to_string()),
        ("segments", "1".to_owned()),
    ];
    let options = Options {
        presets: given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        minutes: Some(90.0),
        zone: ZONE,
        instance_id: Some(format!("uuid:{}", uuid(&mut chance))),
        ..Options::at(Moment::parse("2026-07-20T08:00:00.000+07:00", ZONE).ok_or_else(|| anyhow!("no date"))?)
    };
    let answered = answer(form, chance.bits(), &options);
    if answered.rejected.is_empty() {
        Ok(answered.xml)
    } else {
        Err(anyhow!("the listing form does not take {:?}", answered.rejected))
    }
}

fn presets(village: &str, visit: &Visited) -> HashMap<String, String> {
    let mut presets = HashMap::new();
    let mut give = |name: &str, value: String| {
        presets.insert(name.to_owned(), value);
    };
    give("village", village.to_owned());
    give("household", visit.serial.to_string());
    give("draw", visit.draw.to_string());
    give("attempt", visit.attempts.to_string());
    let at_the_door = match visit.disposition {
        Disposition::RefusedHousehold | Disposition::UnknownHousehold | Disposition::NotAHousehold => {
            visit.disposition.code()
        }
        Disposition::NoContact => "22",
        _ => "1",
    };
    give("contact", at_the_door.to_owned());
    if at_the_door != "1" {
        return presets;
    }
    give("language", "1".to_owned());
    give("interpreter", "1".to_owned());
    give("roster_given", "1".to_owned());
    give("adults_n", visit.roster.len().to_string());
    for (i, adult) in visit.roster.iter().enumerate() {
        let path = format!("/data/roster/adult[{}]", i + 1);
        give(&format!("{path}/adult_sex"), adult.sex.to_string());
        // The middle of the band; the roster asks years, the respondent later a band.
        give(&format!("{path}/adult_age"), [24, 34, 44, 54, 64, 75][usize::from(adult.age - 1)].to_string());
    }
    let respondent = if visit.disposition == Disposition::OtherNonresponse { "23" } else { "1" };
    give("respondent", respondent.to_owned());
    let consent = if visit.disposition == Disposition::RefusedPerson { "2" } else { "1" };
    give("consent", consent.to_owned());
    give("consent_language", "1".to_owned());
    give("stopped_in", "11".to_owned());
    give("sensitive_from", "11".to_owned());
    for block in ["g6_handed", "k_handed", "l_handed"] {
        give(block, "1".to_owned());
    }
    if let Some(interview) = &visit.interview {
        for (question, code) in &interview.answers {
            give(question, code.clone());
        }
    }
    presets
}

/// A version 4 UUID from a stream of chance.
fn uuid(chance: &mut Chance) -> uuid::Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&chance.bits().to_le_bytes());
    bytes[8..].copy_from_slice(&chance.bits().to_le_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
