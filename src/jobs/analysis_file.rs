//! The analysis file: one row an issued case with its design, and for interviews the answers; beside them everything
//! that weights, estimates, reports and exports of the wave are made from. It names no case.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read, Write};

use analysis::table::{Column, Declared, Table, TableError, Types};
use anyhow::{Context, anyhow};
use chrono::NaiveDate;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use surveys::chance::Chance;
use surveys::codebook::{Codebook, Measure};
use surveys::questionnaire::{Node, Questionnaire};
use surveys::{xform, xlsform};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::template::Template;
use super::weights::Weighting;
use crate::fieldwork::dispositions::{Class, Disposition, Outcomes};

/// A wave as it is analysed. At rest it is a ZIP of text files and the questionnaire, sealed to the analysts' key
/// ([`super::analysis_files`]).
#[derive(Clone, Debug)]
pub struct AnalysisFile {
    pub about: About,
    /// In an order that tells nothing, PSUs scrambled.
    pub records: Vec<CaseRecord>,
    /// File name and bytes of the published form, a workbook or an XForm.
    pub questionnaire: (String, Vec<u8>),
    /// The instrument's estimation plan.
    pub plan: Value,
    pub weighting: Weighting,
    pub template: Template,
}

/// What is known of the wave beside its records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub project: i64,
    pub wave: String,
    /// From 1; a later freeze of the same wave is a later snapshot.
    pub snapshot: u32,
    pub taken: NaiveDate,
    /// Stands on every page and file when the data are synthetic.
    pub label: Option<String>,
    /// Villages that were worked in.
    pub villages: u64,
    /// Codes and names of the areas that results are shown for, in their official order.
    pub areas: Vec<(String, String)>,
    /// Known values of a simulated population by headline; empty for a real wave.
    #[serde(default)]
    pub truth: BTreeMap<String, f64>,
    /// Name and SHA-256 of what the records come from.
    pub provenance: Vec<(String, String)>,
    /// From a file of an earlier wave: it stands in comparisons only, because contacts, base weights and margins of
    /// that wave are not known here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

const ABOUT: &str = "about.json";
const RECORDS: &str = "records.csv";
const PLAN: &str = "analysis.json";
const WEIGHTING: &str = "weighting.json";
const TEMPLATE: &str = "report.json";
/// Columns of `records.csv` beside the answers.
const DESIGN: [&str; 9] = [
    "stratum",
    "variance_stratum",
    "variance_psu",
    "area",
    "village_majority",
    "enumerator",
    "probability",
    "disposition",
    "adults",
];

impl AnalysisFile {
    /// The same wave gives the same bytes.
    pub fn to_zip(&self) -> anyhow::Result<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let mut add = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
            zip.start_file(name, SimpleFileOptions::default())?;
            Ok(zip.write_all(bytes)?)
        };
        add(ABOUT, &serde_json::to_vec_pretty(&self.about)?)?;
        add(RECORDS, self.records_table()?.to_csv().as_bytes())?;
        add(PLAN, &serde_json::to_vec_pretty(&self.plan)?)?;
        add(WEIGHTING, &serde_json::to_vec_pretty(&self.weighting)?)?;
        add(TEMPLATE, &serde_json::to_vec_pretty(&self.template)?)?;
        add(&self.questionnaire.0, &self.questionnaire.1)?;
        Ok(zip.finish()?.into_inner())
    }

    /// Reads what [`Self::to_zip`] made.
    pub fn from_zip(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut zip = ZipArchive::new(Cursor::new(bytes))?;
        let mut files: IndexMap<String, Vec<u8>> = IndexMap::new();
        for i in 0..zip.len() {
            let mut file = zip.by_index(i)?;
            let name = file.name()?.into_owned();
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            files.insert(name, content);
        }
        let mut take =
            |name: &str| files.shift_remove(name).ok_or_else(|| anyhow!("the analysis file has no {name}"));
        let about = serde_json::from_slice(&take(ABOUT)?).context(ABOUT)?;
        let plan = serde_json::from_slice(&take(PLAN)?).context(PLAN)?;
        let weighting = serde_json::from_slice(&take(WEIGHTING)?).context(WEIGHTING)?;
        let template = serde_json::from_slice(&take(TEMPLATE)?).context(TEMPLATE)?;
        let records = read_records(&String::from_utf8(take(RECORDS)?).context(RECORDS)?)?;
        let questionnaire =
            files.into_iter().next().ok_or_else(|| anyhow!("the analysis file has no questionnaire"))?;
        Ok(Self { about, records, questionnaire, plan, weighting, template })
    }

    /// SHA-256 of the file's content, in hexadecimal: what a report names.
    pub fn sha256(&self) -> anyhow::Result<String> {
        Ok(Sha256::digest(self.to_zip()?).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub fn read_questionnaire(&self) -> anyhow::Result<Questionnaire> {
        let (name, bytes) = &self.questionnaire;
        let read = if name.ends_with(".xml") {
            xform::read(bytes).map(|read| read.questionnaire)
        } else {
            xlsform::read(name, bytes).map(|read| read.questionnaire)
        };
        read.map_err(|problems| {
            anyhow!("{name}: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })
    }

    fn records_table(&self) -> Result<Table, TableError> {
        let text = |of: &dyn Fn(&CaseRecord) -> Option<String>| {
            let texts: Vec<Option<String>> = self.records.iter().map(of).collect();
            Column::from_texts(texts.iter().map(Option::as_deref))
        };
        let mut table = Table::from_columns([
            ("stratum", text(&|r| Some(r.stratum.clone()))),
            ("variance_stratum", text(&|r| Some(r.variance_stratum.clone()))),
            ("variance_psu", text(&|r| Some(r.variance_psu.clone()))),
            ("area", text(&|r| Some(r.area.clone()))),
            ("village_majority", text(&|r| Some(r.village_majority.clone()))),
            ("enumerator", text(&|r| r.enumerator.clone())),
            ("probability", Column::Number(self.records.iter().map(|r| r.probability).collect())),
            ("disposition", text(&|r| Some(r.disposition.code().to_owned()))),
            (
                "adults",
                Column::Number(
                    self.records.iter().map(|r| r.adults.map_or(f64::NAN, |n| n as f64)).collect(),
                ),
            ),
        ])?;
        let questions: BTreeSet<&String> =
            self.records.iter().filter_map(|r| r.answers.as_ref()).flat_map(IndexMap::keys).collect();
        for question in questions {
            let answer = |r: &CaseRecord| r.answers.as_ref()?.get(question).cloned();
            table.push(format!("{ANSWER}{question}"), text(&answer))?;
        }
        Ok(table)
    }
}

/// Before the name of a question, so that no question can be taken for a column of the design.
const ANSWER: &str = "answer.";

fn read_records(csv: &str) -> anyhow::Result<Vec<CaseRecord>> {
    let header = csv.lines().next().unwrap_or_default();
    let numbers = ["probability", "adults"];
    let types: Types = header
        .split(',')
        .map(|name| name.trim_matches('"').to_owned())
        .filter(|name| !numbers.contains(&name.as_str()))
        .map(|name| (name, Declared::Category))
        .collect();
    let table = Table::parse_csv(csv, RECORDS, &types)?;
    let questions: Vec<(String, &Column)> = table
        .columns()
        .filter_map(|(name, column)| Some((name.strip_prefix(ANSWER)?.to_owned(), column)))
        .collect();
    if table.columns().count() != DESIGN.len() + questions.len() {
        return Err(anyhow!("{RECORDS} has columns that are neither design nor answers"));
    }
    let (probability, adults) = (table.numbers("probability")?, table.numbers("adults")?);
    (0..table.height())
        .map(|row| {
            let text = |name: &str| -> anyhow::Result<String> {
                Ok(table.column(name)?.text(row).unwrap_or_default().into_owned())
            };
            let disposition = text("disposition")?;
            let disposition = Disposition::from_code(&disposition)
                .ok_or_else(|| anyhow!("{RECORDS}: the disposition `{disposition}` is unknown"))?;
            let answers = questions
                .iter()
                .filter_map(|(name, column)| Some((name.clone(), column.text(row)?.into_owned())))
                .collect();
            Ok(CaseRecord {
                stratum: text("stratum")?,
                variance_stratum: text("variance_stratum")?,
                variance_psu: text("variance_psu")?,
                area: text("area")?,
                village_majority: text("village_majority")?,
                enumerator: Some(text("enumerator")?).filter(|code| !code.is_empty()),
                probability: probability[row],
                disposition,
                adults: (!adults[row].is_nan()).then(|| adults[row] as usize),
                answers: (disposition.class() == Class::Interview).then_some(answers),
            })
        })
        .collect()
}

/// Questions whose answers are analysed, in the order of the form.
pub fn questions(codebook: &Codebook) -> Vec<&str> {
    let analysed = codebook
        .variables
        .values()
        .filter(|v| !v.field && matches!(v.measure, Measure::Nominal | Measure::Ordinal | Measure::Number));
    analysed.map(|v| v.name.as_str()).collect()
}

/// Questions that the workbook marks `bind::ln:sensitive`.
pub fn sensitive(questionnaire: &Questionnaire) -> BTreeSet<String> {
    fn collect(nodes: &[Node], found: &mut BTreeSet<String>) {
        for node in nodes {
            if node.attributes.bind.get("ln:sensitive").is_some_and(|mark| mark == "yes") {
                found.insert(node.name.clone());
            }
            collect(node.children(), found);
        }
    }
    let mut found = BTreeSet::new();
    collect(&questionnaire.nodes, &mut found);
    found
}

/// One issued case: where it lies in the design, how it ended, what was said.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseRecord {
    pub stratum: String,
    /// Stratum and PSU for variances; a certainty village is its own stratum and its dwellings are the PSUs.
    pub variance_stratum: String,
    pub variance_psu: String,
    /// Former district: the area that results are shown for.
    pub area: String,
    /// The group that most people of the village belong to on the frame.
    pub village_majority: String,
    /// Who interviewed, by a number that means nothing outside this file.
    pub enumerator: Option<String>,
    /// Probability of the dwelling: all stages, released reserves included.
    pub probability: f64,
    pub disposition: Disposition,
    /// Adults of the household, where the roster was given.
    pub adults: Option<usize>,
    /// Answers by question, none without an interview.
    pub answers: Option<IndexMap<String, String>>,
}

/// Puts rows in an order that tells nothing, and replaces the codes of PSUs and enumerators by numbers in that order.
pub fn shuffle_and_scramble(mut records: Vec<CaseRecord>, chance: &mut Chance) -> Vec<CaseRecord> {
    chance.shuffle(&mut records);
    let mut numbers: IndexMap<(String, String), usize> = IndexMap::new();
    let mut enumerators: IndexMap<String, usize> = IndexMap::new();
    for record in &mut records {
        let next = numbers.len() + 1;
        let key = (record.variance_stratum.clone(), record.variance_psu.clone());
        let number = *numbers.entry(key).or_insert(next);
        record.variance_psu = format!("{number:05}");
        if let Some(enumerator) = record.enumerator.take() {
            let next = enumerators.len() + 1;
            record.enumerator = Some(format!("{:04}", enumerators.entry(enumerator).or_insert(next)));
        }
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
