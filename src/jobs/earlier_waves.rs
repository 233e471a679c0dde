//! Waves before this program: microdata with their design become an analysis file, printed tables become a table for
//! reviews. What may be compared is decided afterwards, by the concordance, from the labels that the file brought.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use analysis::sql::Expression;
use analysis::table::{Column, Encoding, Labelled, LabelledColumn, Table};
use anyhow::{Context, anyhow, bail, ensure};
use chrono::NaiveDate;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use surveys::chance::Chance;
use surveys::questionnaire::{
    Body, Choice, ChoiceList, ChoiceOrder, ChoiceSource, Logic, Node, Questionnaire, Text, Wording,
};
use surveys::xlsform;

use super::analysis_file::{About, AnalysisFile, CaseRecord, shuffle_and_scramble};
use super::template::Template;
use super::weights::Weighting;
use crate::fieldwork::dispositions::Disposition;

/// What a person writes to bring an earlier wave in; paths are relative to the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportPlan {
    /// `.sav`, `.zsav`, `.dta`, `.csv`, `.xlsx` or `.parquet`, one row a respondent.
    pub data: PathBuf,
    /// Where the file does not say its encoding, or says it wrongly.
    #[serde(default)]
    pub encoding: Option<Encoding>,
    pub year: u16,
    /// Last day of that wave's fieldwork.
    pub taken: NaiveDate,
    /// Folder with `questionnaire.xlsx`, `analysis.json` and `report.json` of this instrument.
    pub instrument: PathBuf,
    /// The form of that year, with this instrument's names of questions; made of the file's labels where none is named.
    #[serde(default)]
    pub questionnaire: Option<PathBuf>,
    pub design: ImportDesign,
    /// The areas that results are shown for: code in the file, then code and name here.
    #[serde(default)]
    pub areas: IndexMap<String, (String, String)>,
    /// Questions of this instrument by their columns in the file.
    pub variables: IndexMap<String, Mapped>,
    /// Whom the questions were asked of, which such a file does not tell.
    #[serde(default)]
    pub asked: Asked,
    /// Stands on every page, when the data are synthetic.
    #[serde(default)]
    pub label: Option<String>,
}

/// Whom the questions of an earlier wave were asked of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Everyone: a question that this instrument asks of some is not comparable by itself.
    #[default]
    Everyone,
    /// A person has looked: the same people as in this instrument, with the same hints.
    AsHere,
}

/// How that wave was drawn and weighted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportDesign {
    /// Final weight of a respondent. A row without one was no respondent and is left out.
    pub weight: String,
    #[serde(default)]
    pub strata: Vec<String>,
    /// Columns that name the primary sampling unit; empty where each respondent was drawn alone.
    pub clusters: Vec<String>,
    /// Column of the area; one area where none is named.
    #[serde(default)]
    pub area: Option<String>,
    /// False for a quota or convenience sample: no errors, no changes, on no trend line.
    #[serde(default = "yes")]
    pub probability_sample: bool,
}

/// Where a question's answers stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Mapped {
    Column(String),
    Coded(Coded),
}

/// A column whose codes or words are not those of this instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coded {
    pub from: String,
    /// The wording as it was asked, where the file's label is missing or cut short.
    #[serde(default)]
    pub label: Option<String>,
    /// Code in the file, then code here; null: the question was not asked. Codes that are not named stay.
    #[serde(default)]
    pub codes: IndexMap<String, Option<String>>,
    /// The words of a code of this instrument as they were read out, where the file has none.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
}

fn yes() -> bool {
    true
}

/// An imported wave, and what the analyst must know.
pub struct Imported {
    pub file: AnalysisFile,
    /// Rows without a weight.
    pub left_out: usize,
    /// Headlines of the instrument that need a question which the file does not have.
    pub without: Vec<String>,
}

/// Reads the microdata of an earlier wave. `folder`: where the plan lies. `project` and `wave`: the number and the name
/// that it gets here.
///
/// Errors: columns and codes that are not there, a missing code that the plan does not place, a row without stratum or
/// PSU, a weight that is not above 0, a column without words.
pub fn import(
    plan: &ImportPlan,
    folder: &Path,
    (project, wave, snapshot): (i64, &str, u32),
    mut chance: Chance,
) -> anyhow::Result<Imported> {
    let data = folder.join(&plan.data);
    let read = Labelled::read(&data, plan.encoding)?;
    let column = |name: &str| {
        read.column(name).ok_or_else(|| {
            let names: Vec<&str> = read.columns.iter().map(|column| column.name.as_str()).collect();
            let near = analysis::table::nearest(name, names.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            anyhow!("{}: there is no column `{name}`{near}", plan.data.display())
        })
    };
    let instrument = folder.join(&plan.instrument);
    let own_form = instrument.join("questionnaire.xlsx");
    let (_, ours) = questionnaire_of(&own_form)?;
    let mut answers = Vec::new();
    for (question, mapped) in &plan.variables {
        let coded = mapped.coded();
        let column = column(&coded.from).with_context(|| format!("variables, {question}"))?;
        answers.push((question.as_str(), Recoded::of(question, &coded, column)?));
    }
    let (name, bytes) = match &plan.questionnaire {
        Some(file) => {
            let (bytes, theirs) = questionnaire_of(&folder.join(file))?;
            check_codes(&file_name(file), &theirs, &answers)?;
            (file_name(file), bytes)
        }
        None => {
            // Made of the file, the form would have whatever code the file has; what this instrument derives knows its own.
            check_codes(&file_name(&own_form), &ours, &answers)?;
            let made = questionnaire(plan, &ours, &answers)?;
            let bytes = xlsform::write(&made).map_err(|problems| anyhow!("{}", told(&problems)))?;
            ("questionnaire.xlsx".to_owned(), bytes)
        }
    };

    let design = &plan.design;
    let weights = column(&design.weight)?.cells.numbers(&design.weight)?.into_owned();
    let texts = |names: &[String]| -> anyhow::Result<Vec<&LabelledColumn>> {
        names.iter().map(|name| column(name)).collect()
    };
    let (strata, clusters) = (texts(&design.strata)?, texts(&design.clusters)?);
    let area = design.area.as_deref().map(&column).transpose()?;
    let areas = areas(plan, area);
    let mut records = Vec::new();
    let mut units = BTreeSet::new();
    let mut left_out = 0;
    for (row, weight) in weights.iter().enumerate() {
        if weight.is_nan() {
            left_out += 1;
            continue;
        }
        ensure!(
            *weight > 0.0 && weight.is_finite(),
            "{}: row {}: the weight is {}; a respondent stands for somebody",
            plan.data.display(),
            row + 1,
            weight
        );
        let joined = |columns: &[&LabelledColumn]| -> anyhow::Result<String> {
            let parts: Vec<String> = columns
                .iter()
                .map(|column| {
                    let text = column.cells.text(row).map(|text| text.into_owned());
                    text.ok_or_else(|| {
                        anyhow!("{}: row {}: `{}` is empty", plan.data.display(), row + 1, column.name)
                    })
                })
                .collect::<anyhow::Result<_>>()?;
            Ok(parts.join("/"))
        };
        let stratum = joined(&strata)?;
        let psu = if clusters.is_empty() { (row + 1).to_string() } else { joined(&clusters)? };
        units.insert((stratum.clone(), psu.clone()));
        let here = match area {
            Some(column) => {
                let own = joined(&[column])?;
                let placed = areas.get(&own).map(|(code, _)| code.clone());
                placed.ok_or_else(|| anyhow!("row {}: the area `{own}` is not in \"areas\"", row + 1))?
            }
            None => String::new(),
        };
        let said = answers
            .iter()
            .filter_map(|(question, recoded)| Some(((*question).to_owned(), recoded.text(row)?.to_owned())));
        records.push(CaseRecord {
            variance_stratum: stratum.clone(),
            stratum,
            variance_psu: psu,
            area: here,
            village_majority: String::new(),
            enumerator: None,
            probability: 1.0 / weight,
            disposition: Disposition::Complete,
            // The file's weight is that of the person already.
            adults: Some(1),
            answers: Some(said.collect()),
        });
    }
    ensure!(!records.is_empty(), "{}: no row has a weight", plan.data.display());
    let known: BTreeSet<&str> = plan.variables.keys().map(String::as_str).chain(["area_large"]).collect();
    let (analysis, derived) = computable(read_json(&instrument.join("analysis.json"))?, &known, design)?;
    let mut template: Template = serde_json::from_value(read_json(&instrument.join("report.json"))?)
        .with_context(|| instrument.join("report.json").display().to_string())?;
    let without = trim(&mut template, &derived, plan.year);
    let mut listed: Vec<(String, String)> = Vec::new();
    for (code, name) in areas.into_values() {
        if !listed.iter().any(|(known, _)| *known == code) {
            listed.push((code, name));
        }
    }
    let about = About {
        project,
        wave: wave.to_owned(),
        snapshot,
        taken: plan.taken,
        label: plan.label.clone(),
        villages: units.len() as u64,
        areas: listed,
        truth: Default::default(),
        provenance: vec![
            (file_name(&plan.data), sha256(&read_bytes(&data)?)),
            ("kế hoạch nhập".to_owned(), sha256(&serde_json::to_vec(plan)?)),
        ],
        imported: true,
    };
    let weighting = Weighting { types: json!({}), derive: IndexMap::new(), margins: Vec::new() };
    let records = shuffle_and_scramble(records, &mut chance);
    let file =
        AnalysisFile { about, records, questionnaire: (name, bytes), plan: analysis, weighting, template };
    Ok(Imported { file, left_out, without })
}

impl Mapped {
    fn coded(&self) -> Coded {
        match self {
            Self::Coded(coded) => coded.clone(),
            Self::Column(from) => {
                Coded { from: from.clone(), label: None, codes: IndexMap::new(), labels: IndexMap::new() }
            }
        }
    }
}

/// The answers of a question in the codes of this instrument.
struct Recoded {
    /// Of each row, its place in `codes`.
    places: Vec<Option<usize>>,
    /// Codes here that occur or are labelled, with the words they had.
    codes: Vec<(String, Vec<String>)>,
    label: String,
}

impl Recoded {
    fn of(question: &str, coded: &Coded, column: &LabelledColumn) -> anyhow::Result<Self> {
        let label = coded.label.clone().unwrap_or_else(|| column.label.clone());
        ensure!(
            !label.trim().is_empty(),
            "variables, {question}: the file has no words for `{}`; give the wording as it was asked as \"label\"",
            coded.from
        );
        let words =
            |own: &str| column.values.iter().find(|(code, _)| code == own).map(|(_, label)| label.clone());
        let mut codes: Vec<(String, Vec<String>)> = Vec::new();
        let mut place_of = |own: &str| -> anyhow::Result<Option<usize>> {
            let here = match coded.codes.get(own) {
                Some(None) => return Ok(None),
                Some(Some(code)) => code.clone(),
                None if column.missing.holds(own) => bail!(
                    "variables, {question}: the file says that `{own}`{} is no answer; say in \"codes\" what it is: \"98\" \
                     (don't know), \"99\" (refused) or null (not asked)",
                    words(own).map(|label| format!(" ({label})")).unwrap_or_default()
                ),
                None => own.to_owned(),
            };
            let place = codes.iter().position(|(code, _)| *code == here).unwrap_or_else(|| {
                codes.push((here.clone(), Vec::new()));
                codes.len() - 1
            });
            let said = coded.labels.get(&here).cloned().or_else(|| words(own));
            if let Some(said) = said.filter(|said| !codes[place].1.contains(said)) {
                codes[place].1.push(said);
            }
            Ok(Some(place))
        };
        // In the file's order of its labels; a label of no answer that nobody gave needs no place.
        let (levels, rows) = column.cells.categories_by_row();
        for (own, _) in &column.values {
            if !column.missing.holds(own) || coded.codes.contains_key(own) {
                place_of(own)?;
            }
        }
        let by_level: Vec<Option<usize>> =
            levels.iter().map(|own| place_of(own)).collect::<anyhow::Result<_>>()?;
        let places = rows.into_iter().map(|level| level.and_then(|level| by_level[level])).collect();
        Ok(Self { places, codes, label })
    }

    /// The choices that were offered then; a scale that is read from either end stays so where it is asked as here.
    fn list(&self, ours: &Questionnaire, known: &[Choice], asked: Asked) -> ChoiceList {
        let label = |words: &[String]| match words.is_empty() {
            true => Text::new(),
            false => words_of(ours, &words.join(" / ")),
        };
        let words = |code: &str| self.codes.iter().find(|(own, _)| own == code).map(|(_, words)| words);
        let mut choices: Vec<Choice> = known
            .iter()
            .filter(|_| asked == Asked::AsHere)
            .filter_map(|choice| Some(Choice { label: label(words(&choice.name)?), ..choice.clone() }))
            .collect();
        for (code, words) in &self.codes {
            if !choices.iter().any(|choice| choice.name == *code) {
                choices.push(Choice { name: code.clone(), label: label(words), ..Choice::default() });
            }
        }
        ChoiceList { choices }
    }

    fn text(&self, row: usize) -> Option<&str> {
        self.places[row].map(|place| self.codes[place].0.as_str())
    }
}

/// The texts of a column and, of each row, its place among them.
trait ByRow {
    fn categories_by_row(&self) -> (Vec<String>, Vec<Option<usize>>);
}

impl ByRow for Column {
    fn categories_by_row(&self) -> (Vec<String>, Vec<Option<usize>>) {
        let (codes, levels) = self.categories();
        let rows =
            codes.iter().map(|code| Some(*code as usize).filter(|place| *place < levels.len())).collect();
        (levels.into_owned(), rows)
    }
}

/// The form of that year as far as the file tells it: the questions that are mapped, in the words of the file.
fn questionnaire(
    plan: &ImportPlan,
    ours: &Questionnaire,
    answers: &[(&str, Recoded)],
) -> anyhow::Result<Questionnaire> {
    let outline = ours.outline();
    let mut made = ours.clone();
    made.settings.version = Some(plan.year.to_string());
    if plan.asked == Asked::Everyone {
        made.nodes.clear();
        made.choice_lists.clear();
        made.external_choice_lists.clear();
        made.settings.instance_name = None;
        made.entities.clear();
    }
    for (question, recoded) in answers {
        let place = outline.named(question).first().map(|place| &outline.places[*place]);
        let place = place.filter(|place| place.node.question().is_some()).ok_or_else(|| {
            let names = outline.places.iter().map(|place| place.node.name.as_str());
            let near = analysis::table::nearest(question, names);
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            anyhow!("variables: this instrument has no question `{question}`{near}")
        })?;
        let mut node: Node = place.node.clone();
        node.wording.label = words_of(ours, &recoded.label);
        let Body::Question(own) = &mut node.body else { continue };
        if plan.asked == Asked::Everyone {
            node.wording = Wording { label: std::mem::take(&mut node.wording.label), ..Wording::default() };
            node.logic = Logic::default();
            own.filter = None;
            if let Some(choices) = &mut own.choices {
                (choices.filter, choices.order) = (None, ChoiceOrder::Given);
            }
        }
        if let Some(choices) = &mut own.choices
            && let ChoiceSource::List(list) = &choices.source
        {
            let known = ours.choice_lists.get(list).map(|list| list.choices.as_slice()).unwrap_or_default();
            let list = recoded.list(ours, known, plan.asked);
            choices.source = ChoiceSource::List((*question).to_owned());
            made.choice_lists.insert((*question).to_owned(), list);
        }
        match plan.asked {
            Asked::Everyone => made.nodes.push(node),
            Asked::AsHere => put(&mut made.nodes, node),
        }
    }
    Ok(made)
}

/// A text in the form's default language.
fn words_of(ours: &Questionnaire, words: &str) -> Text {
    Text::from([(ours.default_language().to_owned(), words.to_owned())])
}

/// Puts a question in the place of the one of its name.
fn put(nodes: &mut [Node], node: Node) {
    let mut open = vec![nodes];
    while let Some(nodes) = open.pop() {
        for known in nodes {
            if known.name == node.name && known.question().is_some() {
                *known = node;
                return;
            }
            open.push(known.children_mut());
        }
    }
}

/// Refuses a code that the question does not have.
fn check_codes(name: &str, form: &Questionnaire, answers: &[(&str, Recoded)]) -> anyhow::Result<()> {
    let codebook = surveys::codebook::Codebook::of(form);
    for (question, recoded) in answers {
        let variable = codebook
            .variables
            .get(*question)
            .ok_or_else(|| anyhow!("{name}: there is no question `{question}` that \"variables\" names"))?;
        if variable.values.is_empty() {
            continue;
        }
        for (code, _) in &recoded.codes {
            ensure!(
                variable.values.iter().any(|value| value.code == *code),
                "variables, {question}: {name} has no code `{code}`; say in \"codes\" what it is here, or give the form of that \
                 year as \"questionnaire\""
            );
        }
    }
    Ok(())
}

/// The instrument's plan as far as the questions are there, and the columns that it derives.
fn computable(
    mut plan: Value,
    known: &BTreeSet<&str>,
    design: &ImportDesign,
) -> anyhow::Result<(Value, BTreeSet<String>)> {
    let mut columns: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
    let mut derived = BTreeSet::new();
    if let Some(derive) = plan["derive"].as_object_mut() {
        let mut kept = serde_json::Map::new();
        for (name, sql) in derive.iter() {
            let parsed =
                Expression::parse(sql.as_str().unwrap_or_default()).context("analysis.json, derive")?;
            if parsed.columns().iter().all(|column| columns.contains(*column)) {
                kept.insert(name.clone(), sql.clone());
                columns.insert(name.clone());
                derived.insert(name.clone());
            }
        }
        *derive = kept;
    }
    if let Some(types) = plan["types"].as_object_mut() {
        types.retain(|name, _| columns.contains(name));
    }
    if let Some(plan) = plan.as_object_mut() {
        plan.remove("indices");
        plan.insert("probability_sample".to_owned(), json!(design.probability_sample));
    }
    if let Some(requests) = plan["requests"].as_array_mut() {
        let names = |value: &Value| -> Vec<String> {
            match value {
                Value::String(name) => vec![name.clone()],
                Value::Array(names) => names.iter().filter_map(|n| Some(n.as_str()?.to_owned())).collect(),
                _ => Vec::new(),
            }
        };
        requests.retain(|request| {
            request["statistic"] == "mean"
                && names(&request["of"])
                    .iter()
                    .chain(&names(&request["by"]))
                    .all(|name| columns.contains(name))
        });
    }
    Ok((plan, derived))
}

/// Leaves of the template what can be computed; returns the headlines that cannot.
fn trim(template: &mut Template, derived: &BTreeSet<String>, year: u16) -> Vec<String> {
    let (kept, gone) =
        std::mem::take(&mut template.headlines).into_iter().partition(|h| derived.contains(&h.id));
    template.headlines = kept;
    template.breakdowns.retain(|breakdown| breakdown.by == "area_large" || derived.contains(&breakdown.by));
    template.sections.clear();
    template.priorities = None;
    template.recommendations = None;
    template.decisions.clear();
    template.judgement.clear();
    template.proposals.clear();
    template.transparency.clear();
    template.year = year;
    let gone: Vec<super::template::Headline> = gone;
    gone.into_iter().map(|headline| headline.id).collect()
}

/// Code and name here by the code in the file.
fn areas(plan: &ImportPlan, area: Option<&LabelledColumn>) -> IndexMap<String, (String, String)> {
    if !plan.areas.is_empty() {
        return plan.areas.clone();
    }
    let Some(column) = area else { return IndexMap::new() };
    let (levels, _) = column.cells.categories_by_row();
    let name = |code: &String| {
        let labelled = column.values.iter().find(|(known, _)| known == code);
        labelled.map_or_else(|| code.clone(), |(_, label)| label.clone())
    };
    levels.iter().map(|code| (code.clone(), (code.clone(), name(code)))).collect()
}

/// What a person writes to bring the printed tables of an earlier wave in; paths are relative to the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePlan {
    /// One row a figure.
    pub data: PathBuf,
    #[serde(default)]
    pub encoding: Option<Encoding>,
    /// Column with the words of the indicator.
    pub indicator: String,
    /// Column with the name of the area.
    #[serde(default)]
    pub area: Option<String>,
    pub estimate: String,
    /// Columns of the error: one of these where it was published.
    #[serde(default)]
    pub se: Option<String>,
    #[serde(default)]
    pub margin: Option<String>,
    #[serde(default)]
    pub interval: Option<(String, String)>,
    /// Of the margin or interval.
    #[serde(default = "usual_level")]
    pub level: f64,
    #[serde(default)]
    pub n: Option<String>,
    /// Figures are 0–100 and not 0–1.
    #[serde(default)]
    pub percent: bool,
    /// Headlines of this instrument by the words of the table.
    pub indicators: IndexMap<String, String>,
    /// Codes of common areas by their names in the table; null is the whole.
    #[serde(default)]
    pub areas: IndexMap<String, Option<String>>,
}

fn usual_level() -> f64 {
    0.95
}

/// The figures as `report years` takes them (`published`), and the indicators and areas that the plan does not name.
///
/// Errors: columns that are not there, two kinds of error, an estimate outside 0–1, an error that is not above 0, one
/// figure twice.
pub fn published(plan: &TablePlan, folder: &Path) -> anyhow::Result<(String, Vec<String>)> {
    let read = Labelled::read(&folder.join(&plan.data), plan.encoding)?;
    let column = |name: &str| {
        read.column(name).ok_or_else(|| anyhow!("{}: there is no column `{name}`", plan.data.display()))
    };
    let words = |column: &LabelledColumn, row: usize| {
        let own = column.cells.text(row).unwrap_or_default().trim().to_owned();
        column.values.iter().find(|(code, _)| *code == own).map_or(own, |(_, label)| label.clone())
    };
    let numbers = |name: &str| -> anyhow::Result<Vec<f64>> {
        let scale = if plan.percent { 100.0 } else { 1.0 };
        Ok(column(name)?.cells.numbers(name)?.iter().map(|number| number / scale).collect())
    };
    ensure!(plan.level > 0.0 && plan.level < 1.0, "\"level\" is {}; write 0.95 for 95%", plan.level);
    let z = analysis::estimation::distributions::normal_quantile(0.5 + plan.level / 2.0);
    let errors: Option<Vec<f64>> = match (&plan.se, &plan.margin, &plan.interval) {
        (None, None, None) => None,
        (Some(se), None, None) => Some(numbers(se)?),
        (None, Some(margin), None) => Some(numbers(margin)?.iter().map(|margin| margin / z).collect()),
        (None, None, Some((low, high))) => {
            let (low, high) = (numbers(low)?, numbers(high)?);
            Some(low.iter().zip(&high).map(|(low, high)| (high - low) / (2.0 * z)).collect())
        }
        _ => bail!("give one of \"se\", \"margin\" and \"interval\""),
    };
    let estimates = numbers(&plan.estimate)?;
    let counts =
        plan.n.as_deref().map(|n| anyhow::Ok(column(n)?.cells.numbers(n)?.into_owned())).transpose()?;
    let (indicator, area) = (column(&plan.indicator)?, plan.area.as_deref().map(&column).transpose()?);
    let mut unnamed: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut csv = "id,variable,common_area,estimate,se,n\n".to_owned();
    for row in 0..read.height {
        let named = words(indicator, row);
        let place = area.map(|column| words(column, row));
        let Some(id) = plan.indicators.get(&named) else {
            unnamed.push(format!("“{named}”"));
            continue;
        };
        let code = match &place {
            None => None,
            Some(place) if place.is_empty() => None,
            Some(place) => match plan.areas.get(place) {
                Some(code) => code.clone(),
                None => {
                    unnamed.push(format!("“{place}”"));
                    continue;
                }
            },
        };
        let told = || format!("{}: row {} (“{named}”)", plan.data.display(), row + 1);
        let estimate = estimates[row];
        if estimate.is_nan() {
            continue;
        }
        ensure!(
            (0.0..=1.0).contains(&estimate),
            "{}: the share is {estimate}; is \"percent\" right?",
            told()
        );
        let se = errors.as_ref().map(|errors| errors[row]).filter(|se| !se.is_nan());
        ensure!(se.is_none_or(|se| se > 0.0), "{}: an error must be above 0", told());
        ensure!(
            seen.insert((id.clone(), code.clone())),
            "{}: the figure stands there twice for one area",
            told()
        );
        let id_here = if code.is_some() { format!("{id}_by_area") } else { id.clone() };
        let number = |number: Option<f64>| number.map(|n| format!("{n:?}")).unwrap_or_default();
        let count = counts.as_ref().map(|n| n[row]).filter(|n| !n.is_nan());
        let count = count.map(|n| format!("{n:.0}")).unwrap_or_default();
        let code = code.unwrap_or_default();
        csv.push_str(&format!("{id_here},{id},{code},{estimate:?},{},{count}\n", number(se)));
    }
    ensure!(!seen.is_empty(), "{}: no row has an indicator that \"indicators\" names", plan.data.display());
    // What was written must be read again.
    Table::parse_csv(&csv, "published", &Default::default())?;
    unnamed.dedup();
    Ok((csv, unnamed))
}

fn questionnaire_of(path: &Path) -> anyhow::Result<(Vec<u8>, Questionnaire)> {
    let bytes = read_bytes(path)?;
    let read = xlsform::read(&file_name(path), &bytes)
        .map_err(|problems| anyhow!("{}: {}", path.display(), told(&problems)))?;
    Ok((bytes, read.questionnaire))
}

fn told(problems: &[xlsform::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|e| anyhow!("{}: cannot be read ({e}); check the path in the plan", path.display()))
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    serde_json::from_slice(&read_bytes(path)?).with_context(|| path.display().to_string())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
