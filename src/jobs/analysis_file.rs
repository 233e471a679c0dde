//! The analysis file: one row an issued case with its design, and for interviews the answers.

use analysis::table::{Column, Table, TableError};
use indexmap::IndexMap;
use surveys::chance::Chance;

use crate::fieldwork::dispositions::{Class, Disposition, Outcomes};

/// One issued case: where it lies in the design, how it ended, what was said.
#[derive(Clone, Debug)]
pub struct CaseRecord {
    pub stratum: String,
    /// Stratum and PSU for variances; a certainty village is its own stratum and its dwellings are the PSUs.
    pub variance_stratum: String,
    pub variance_psu: String,
    /// Former district: the area that results are shown for.
    pub area: String,
    /// The group that most people of the village belong to on the frame.
    pub village_majority: String,
    /// Probability of the dwelling: all stages, released reserves included.
    pub probability: f64,
    pub disposition: Disposition,
    /// Adults of the household, where the roster was given.
    pub adults: Option<usize>,
    /// Answers by question, none without an interview.
    pub answers: Option<IndexMap<String, String>>,
}

/// Puts rows in an order that tells nothing, and replaces PSU codes by numbers in that order.
pub fn shuffle_and_scramble(mut records: Vec<CaseRecord>, chance: &mut Chance) -> Vec<CaseRecord> {
    chance.shuffle(&mut records);
    let mut numbers: IndexMap<(String, String), usize> = IndexMap::new();
    for record in &mut records {
        let next = numbers.len() + 1;
        let key = (record.variance_stratum.clone(), record.variance_psu.clone());
        let number = *numbers.entry(key).or_insert(next);
        record.variance_psu = format!("{number:05}");
    }
    records
}

/// Response counts, each case as one and each with its design weight.
pub fn outcomes(records: &[CaseRecord]) -> (Outcomes, Outcomes) {
    (
        Outcomes::tally(records.iter().map(|r| (r.disposition.class(), 1.0))),
        Outcomes::tally(records.iter().map(|r| (r.disposition.class(), 1.0 / r.probability))),
    )
}

/// The table that weighting starts from: cases of eligible households and, in the share e that such cases are
/// eligible, those of unknown eligibility. `base` = 1 / probability (× e where eligibility is unknown), per
/// dwelling.
pub fn weighting_table(records: &[CaseRecord], questions: &[&str]) -> Result<Table, TableError> {
    let (_, weighted) = outcomes(records);
    let e = weighted.eligibility().unwrap_or(1.0);
    let rows: Vec<&CaseRecord> =
        records.iter().filter(|r| r.disposition.class() != Class::Ineligible).collect();
    let text = |of: &dyn Fn(&CaseRecord) -> Option<String>| {
        let texts: Vec<Option<String>> = rows.iter().map(|r| of(r)).collect();
        Column::from_texts(texts.iter().map(Option::as_deref))
    };
    let number = |of: &dyn Fn(&CaseRecord) -> f64| Column::Number(rows.iter().map(|r| of(r)).collect());
    let answer = |question: &str| {
        text(&|r: &CaseRecord| {
            r.answers.as_ref().and_then(|a| a.get(question)).filter(|a| !a.is_empty()).cloned()
        })
    };
    let mut table = Table::from_columns([
        ("design_stratum", text(&|r| Some(r.stratum.clone()))),
        ("stratum", text(&|r| Some(r.variance_stratum.clone()))),
        ("psu", text(&|r| Some(r.variance_psu.clone()))),
        ("area_large", text(&|r| Some(r.area.clone()))),
        ("village_majority", text(&|r| Some(r.village_majority.clone()))),
        ("disposition", text(&|r| Some(r.disposition.code().to_owned()))),
        ("responded", number(&|r| f64::from(u8::from(r.answers.is_some())))),
        ("adults", number(&|r| r.adults.map_or(f64::NAN, |n| n as f64))),
        (
            "base",
            number(&|r| {
                let eligible = if r.disposition.class() == Class::Unknown { e } else { 1.0 };
                eligible / r.probability
            }),
        ),
    ])?;
    for question in questions {
        table.push(*question, answer(question))?;
    }
    Ok(table)
}
