//! The annual assessment and its smaller relatives: from weighted interviews through the gate to charts, tables and
//! the report.

use std::collections::{BTreeMap, BTreeSet};

use analysis::charts::{Chart, Width};
use analysis::disclosure::{Rules, SafeRow, SafeTable};
use analysis::estimation::{self, Results};
use analysis::report::{self, AnnualInput, Front, Layout, Report, Section};
use analysis::table::Table;
use analysis::weighting::Diagnosis;
use anyhow::{Context, anyhow};
use chrono::Datelike;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use surveys::codebook::{Codebook, Missing};

use super::analysis_file::{AnalysisFile, CaseRecord, outcomes, questions, sensitive, weighting_table};
use super::releases::Releases;
use super::template::{LayoutName, Letterhead, Template};
use super::weights::{Margin, Weighted, weight};
use crate::fieldwork::dispositions::Outcomes;
use provenance::Provenance;
use view::View;
use years::{Compared, YearWave};

mod interviewers;
pub mod pdf;
mod pictures;
pub mod provenance;
pub mod reading;
pub mod review;
mod short;
pub mod verify;
mod view;
pub mod years;

/// What a report is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The assessment of the year, with everything.
    Annual,
    /// First tables, soon after a snapshot.
    Quick,
    /// A small monthly or quarterly wave.
    Pulse,
}

impl Kind {
    /// Each kind with its name on the command line.
    pub const ALL: [(Self, &str); 3] =
        [(Self::Annual, "annual"), (Self::Quick, "quick"), (Self::Pulse, "pulse")];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("annual", |(_, name)| *name)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// What is asked for.
pub struct Order<'a> {
    pub kind: Kind,
    pub file: &'a AnalysisFile,
    /// Waves before, oldest first; changes are measured from the last one.
    pub earlier: &'a [AnalysisFile],
    /// In place of the template inside the analysis file.
    pub template: Option<&'a Template>,
}

/// A wave, weighted, with all that its figures are made from.
pub(super) struct Input<'a> {
    file: &'a AnalysisFile,
    template: &'a Template,
    codebook: Codebook,
    /// The instrument's estimation plan.
    plan: &'a Value,
    weighted: Weighted,
    /// For the analysts' room: one row a respondent, place in the design and weights, no answers.
    weights: Table,
    records: &'a [CaseRecord],
    margins: &'a [Margin],
    /// Questions whose answers are sensitive (protection.md rule 18).
    sensitive: BTreeSet<String>,
    /// Names of areas by code, in their official order.
    areas: &'a [(String, String)],
    /// On every page and file, when the data are synthetic.
    label: Option<String>,
    /// The known values of a simulated population, by headline.
    truth: &'a BTreeMap<String, f64>,
    villages: u64,
}

/// Everything that leaves: all of it passed the gate.
pub struct Assessment {
    /// File name without ending, and chart.
    pub charts: Vec<(String, Box<dyn Chart>)>,
    /// File name without ending, and table.
    pub tables: Vec<(String, SafeTable)>,
    pub docx: Vec<u8>,
    pub html: String,
    pub xlsx: Vec<u8>,
    /// The headline figures in the template's order.
    pub headlines: Vec<SafeRow>,
    /// The sample without weights: the headlines and `sex_age`.
    pub sample: Vec<SafeRow>,
    pub results: Results,
    pub unweighted: Outcomes,
    pub weighted: Outcomes,
    /// For the analysts' room: one row a respondent, place in the design and weights, no answers.
    pub weights: Table,
    pub diagnosis: Diagnosis,
}

/// Weights the wave and assesses it: the annual report without earlier waves.
pub fn assess(file: &AnalysisFile, releases: &mut Releases) -> anyhow::Result<Assessment> {
    let order = Order { kind: Kind::Annual, file, earlier: &[], template: None };
    let input = Input::of(file, &file.template)?;
    let figures = Figures::of(&input, releases)?;
    let draft = annual(&order, &input, &figures, None)?;
    let docx = report::docx(&draft.report)?;
    let html = report::html(&draft.report);
    let all: Vec<SafeTable> = draft.tables.iter().map(|(_, table)| table.clone()).collect();
    let view = View { input: &input, safe: &figures.safe, probability: figures.probability };
    let xlsx = analysis::export::xlsx(
        &all,
        &analysis::export::About {
            title: format!("Bảng số liệu: {}", file.template.front.about),
            author: file.template.front.issuing_body.clone(),
            notes: vec![view.source(figures.results.design.n)],
            label: input.label.clone(),
            created: created(file),
        },
    )?;
    let headlines =
        file.template.headlines.iter().map(|h| view.row(&h.id).cloned()).collect::<anyhow::Result<_>>()?;
    let (unweighted, weighted) = outcomes(&file.records);
    Ok(Assessment {
        charts: draft.charts,
        tables: draft.tables,
        docx,
        html,
        xlsx,
        headlines,
        sample: figures.sample,
        results: figures.results,
        unweighted,
        weighted,
        weights: input.weights,
        diagnosis: input.weighted.diagnosis,
    })
}

/// The report alone, to be written as DOCX or HTML. `warn` hears what an analyst must know of the comparison.
pub fn report(
    order: &Order<'_>,
    releases: &mut Releases,
    warn: &mut dyn FnMut(&str),
) -> anyhow::Result<Report> {
    anyhow::ensure!(
        !order.file.about.imported,
        "đợt {} được nhập từ tệp cũ, chỉ dùng để so sánh (an imported wave stands in comparisons only): name it with \
         --previous, or in a plan of `report years`",
        order.file.about.project
    );
    let template = order.template.unwrap_or(&order.file.template);
    let input = Input::of(order.file, template)?;
    let figures = Figures::of(&input, releases)?;
    let compared = compared(order, &input, releases)?;
    for line in compared.iter().flat_map(|compared| &compared.warnings) {
        warn(line);
    }
    match order.kind {
        Kind::Annual => Ok(annual(order, &input, &figures, compared.as_ref())?.report),
        Kind::Quick | Kind::Pulse => short::short(order, &input, &figures, compared.as_ref()),
    }
}

/// Charts, tables and the report they stand in.
struct Draft {
    charts: Vec<(String, Box<dyn Chart>)>,
    tables: Vec<(String, SafeTable)>,
    report: Report,
}

/// The headlines of this wave beside those of the earlier ones.
fn compared(
    order: &Order<'_>,
    input: &Input<'_>,
    releases: &mut Releases,
) -> anyhow::Result<Option<Compared>> {
    if order.earlier.is_empty() {
        return Ok(None);
    }
    let earlier: Vec<Input<'_>> =
        order.earlier.iter().map(|file| Input::of(file, &file.template)).collect::<anyhow::Result<_>>()?;
    let inputs: Vec<&Input<'_>> = earlier.iter().chain([input]).collect();
    let names = years::names(&inputs);
    let waves: Vec<YearWave<'_>> =
        inputs.iter().zip(names).map(|(input, name)| YearWave::Rows { name, input, areas: None }).collect();
    let ids: Vec<&str> = input.template.headlines.iter().map(|h| h.id.as_str()).collect();
    years::compare(&waves, &ids, &estimation::years::Comparison::default(), releases).map(Some)
}

fn annual(
    order: &Order<'_>,
    input: &Input<'_>,
    figures: &Figures,
    compared: Option<&Compared>,
) -> anyhow::Result<Draft> {
    let view = View { input, safe: &figures.safe, probability: figures.probability };
    let (unweighted, weighted_outcomes) = outcomes(input.records);
    let mut charts: Vec<(String, Box<dyn Chart>)> = Vec::new();
    charts.push(("chi-tieu-chinh".into(), Box::new(view.headline_chart())));
    let mut section_charts: Vec<Vec<usize>> = Vec::new();
    for section in &input.template.sections {
        let mut own = Vec::new();
        for dots in &section.dots {
            let breakdown = view.breakdown(&dots.by)?;
            own.push(charts.len());
            charts.push((
                format!("{}-{}", dots.id.replace('_', "-"), breakdown.file),
                Box::new(view.dots(&dots.id, breakdown)?),
            ));
        }
        for id in &section.maps {
            own.push(charts.len());
            charts.push((format!("{}-ban-do", id.replace('_', "-")), Box::new(view.map(id)?)));
        }
        for bars in &section.bars {
            own.push(charts.len());
            charts.push((bars.file.clone(), Box::new(view.bars(bars)?)));
        }
        for battery in &section.likert {
            own.push(charts.len());
            charts.push((battery.file.clone(), Box::new(view.likert(battery))));
        }
        for id in &section.trends {
            if let Some(trend) = view.over_waves(id, compared)? {
                own.push(charts.len());
                charts.push((format!("{}-qua-cac-dot", id.replace('_', "-")), Box::new(trend)));
            }
        }
        section_charts.push(own);
    }
    let method_from = charts.len();
    charts.push(("tiep-xuc".into(), Box::new(view.funnel(&unweighted))));
    charts.push(("quyen-so".into(), Box::new(view.weights(&figures.rules)?)));
    charts.push(("thap-tuoi".into(), Box::new(view.pyramid(&figures.sample)?)));

    let mut tables: Vec<(String, SafeTable)> = vec![("chi-tieu-chinh".into(), view.headline_table())];
    for breakdown in &input.template.breakdowns {
        tables.push((format!("chi-tieu-theo-{}", breakdown.file), view.breakdown_table(breakdown)));
    }
    for (name, chart) in charts.iter().skip(1) {
        tables.push((name.clone(), report::plain(chart.table(), figures.probability)));
    }
    let statement = |id: &str| view.statement(id, compared.and_then(|compared| compared.last_change(id)));
    let sections = input
        .template
        .sections
        .iter()
        .zip(&section_charts)
        .map(|(section, own)| {
            Ok(Section {
                title: section.title.clone(),
                comments: section.comments.clone(),
                statements: section
                    .statements
                    .iter()
                    .map(|id| statement(id))
                    .collect::<anyhow::Result<_>>()?,
                charts: own.iter().map(|i| charts[*i].1.as_ref()).collect(),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let report = report::annual(&AnnualInput {
        front: front(&input.template.front, input.label.as_deref(), created(input.file)),
        year: input.template.year,
        population: input.template.population.clone(),
        purpose: input.template.purpose.clone(),
        headlines: input
            .template
            .headlines
            .iter()
            .map(|h| statement(&h.id))
            .collect::<anyhow::Result<_>>()?,
        sections,
        fieldwork: view.fieldwork(&unweighted, &weighted_outcomes),
        design: figures.results.design.clone(),
        method: input.template.method.clone(),
        method_charts: charts[method_from..].iter().map(|(_, chart)| chart.as_ref()).collect(),
        priorities: view.priorities(),
        recommendations: view.recommendations(),
        decisions: view.decisions(),
        judgement: input.template.judgement.clone(),
        proposals: input.template.proposals.clone(),
        transparency: view.transparency(&unweighted, &figures.results.design, &figures.rules)?,
        questionnaire: view.questionnaire(),
        probability: figures.probability,
        changes: compared.map(|compared| compared.table(&view.names())),
        tables: tables[1..=input.template.breakdowns.len()].iter().map(|(_, table)| table.clone()).collect(),
        provenance: Provenance::of(order, &input.weights)?.rows(),
    });
    Ok(Draft { charts, tables, report })
}

impl<'a> Input<'a> {
    /// Reads the questionnaire and weights the wave.
    fn of(file: &'a AnalysisFile, template: &'a Template) -> anyhow::Result<Self> {
        let questionnaire = file.read_questionnaire()?;
        let codebook = Codebook::of(&questionnaire);
        let weighted = weight(&weighting_table(&file.records, &questions(&codebook))?, &file.weighting)?;
        let about = &file.about;
        let weights = weighted.table(about.label.is_some())?;
        Ok(Self {
            file,
            template,
            plan: &file.plan,
            weights,
            weighted,
            records: &file.records,
            margins: &file.weighting.margins,
            sensitive: sensitive(&questionnaire),
            codebook,
            areas: &about.areas,
            label: about.label.clone(),
            truth: &about.truth,
            villages: about.villages,
        })
    }
}

/// A wave as its figures are made, for other outputs than reports.
pub(super) struct Wave<'a> {
    input: Input<'a>,
    /// All that the report derives, with the wave's design.
    pub plan: estimation::Plan,
    pub rules: Rules,
}

impl<'a> Wave<'a> {
    pub(super) fn of(file: &'a AnalysisFile) -> anyhow::Result<Self> {
        let input = Input::of(file, &file.template)?;
        let plan = full_plan(&input)?;
        let rules = rules(&input, &plan);
        let plan = input.weighted.plan(&plan)?;
        Ok(Self { input, plan, rules })
    }

    pub(super) fn codebook(&self) -> &Codebook {
        &self.input.codebook
    }

    /// The weighted respondents as they are.
    pub(super) fn table(&self) -> &Table {
        &self.input.weighted.respondents
    }

    /// The weighted respondents with what the plan derives.
    pub(super) fn respondents(&self) -> anyhow::Result<Table> {
        let mut table = self.table().clone();
        table.declare(&self.plan.types)?;
        analysis::sql::derive(&mut table, &self.plan.derive, &self.plan.types)?;
        Ok(table)
    }
}

/// What the gate let through of one wave.
struct Figures {
    results: Results,
    rules: Rules,
    safe: Vec<SafeRow>,
    sample: Vec<SafeRow>,
    /// False where the plan or the data say that this is no probability sample.
    probability: bool,
}

impl Figures {
    fn of(input: &Input<'_>, releases: &mut Releases) -> anyhow::Result<Self> {
        let plan = full_plan(input)?;
        let rules = rules(input, &plan);
        let plan = input.weighted.plan(&plan)?;
        let respondents = &input.weighted.respondents;
        let results = estimation::estimate(respondents, &plan).context("estimates")?;
        let safe = releases.gate(input.file, respondents, &plan, &results.results, &rules)?;
        let sample = sample_as_it_is(input, &plan, &rules, releases)?;
        let probability =
            !results.results.iter().any(|row| row.more.get("probability") == Some(&json!(false)));
        Ok(Self { results, rules, safe, sample, probability })
    }
}

fn created(file: &AnalysisFile) -> (u16, u8, u8) {
    let taken = file.about.taken;
    (taken.year() as u16, taken.month() as u8, taken.day() as u8)
}

/// The instrument's plan with the batteries of the template (shares on the scale alone, and the share off it) and its
/// priorities (the share of people who named a matter at any place).
fn full_plan(input: &Input<'_>) -> anyhow::Result<Value> {
    let mut plan = input.plan.clone();
    let mut columns: Vec<String> = Vec::new();
    for question in input.template.sections.iter().flat_map(|s| &s.likert).flat_map(|b| b.items.keys()) {
        let (scale, silent) = scale_of(&input.codebook, question)?;
        let quoted = |codes: &[String]| codes.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
        plan["types"][format!("{question}_scale")] = json!(scale);
        plan["derive"][format!("{question}_scale")] =
            json!(format!("CASE WHEN {question} IN ({}) THEN {question} END", quoted(&scale)));
        plan["derive"][format!("{question}_silent")] = json!(format!(
            "CASE WHEN {question} IN ({}) THEN 1 WHEN {question} IS NOT NULL THEN 0 END",
            quoted(&silent)
        ));
        columns.extend([format!("{question}_scale"), format!("{question}_silent")]);
    }
    if let Some(priorities) = &input.template.priorities {
        let first = priorities
            .columns
            .first()
            .ok_or_else(|| anyhow!("the report's template names no columns of `priorities`"))?;
        for code in priorities.authorities.values().flatten() {
            let any: Vec<String> =
                priorities.columns.iter().map(|column| format!("{column} = '{code}'")).collect();
            let column = priority_column(code);
            plan["derive"][&column] =
                json!(format!("CASE WHEN {} THEN 1 WHEN {first} IS NOT NULL THEN 0 END", any.join(" OR ")));
            columns.push(column);
        }
    }
    // One set of definitions for all figures of a wave, so that the gate counts each answer once.
    plan["derive"][SEX_AGE] =
        json!("CASE WHEN b1 IN ('1','2') AND b2 IN ('1','2','3','4','5','6') THEN b1 || '/' || b2 END");
    plan["derive"][EACH] = json!("1");
    let requests = plan["requests"].as_array_mut().ok_or_else(|| anyhow!("the plan has no `requests`"))?;
    for column in columns {
        requests.push(json!({ "id": column, "statistic": "mean", "of": [column], "missing": "drop" }));
    }
    Ok(plan)
}

/// Sex and age group of the sample, and the weight of those who count once.
const SEX_AGE: &str = "sex_age";
const EACH: &str = "each";

/// The column that says whether a matter was named.
fn priority_column(code: &str) -> String {
    format!("priority_{code}")
}

/// Codes on the scale of a question, and those of don't know and refused. 95–97 (does not apply, other) are neither.
fn scale_of(codebook: &Codebook, question: &str) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let variable =
        codebook.variables.get(question).ok_or_else(|| anyhow!("there is no question `{question}`"))?;
    let mut scale = Vec::new();
    let mut silent = Vec::new();
    for value in &variable.values {
        match value.missing {
            Some(Missing::DontKnow | Missing::Refused) => silent.push(value.code.clone()),
            None if matches!(value.code.as_str(), "95" | "96" | "97") => {}
            None => scale.push(value.code.clone()),
        }
    }
    scale.sort_by_key(|code| code.parse::<u32>().unwrap_or(u32::MAX));
    scale.dedup();
    Ok((scale, silent))
}

/// The gate's thresholds with this wave's sensitive columns; `plan` holds all that is derived.
fn rules(input: &Input<'_>, plan: &Value) -> Rules {
    let mut sensitive = input.sensitive.clone();
    // A derived column is as sensitive as what it is made of.
    for (name, expression) in plan["derive"].as_object().into_iter().flatten() {
        let expression = expression.as_str().unwrap_or_default();
        let mut words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| input.sensitive.contains(word)) {
            sensitive.insert(name.clone());
        }
    }
    Rules {
        sensitive,
        ethnicity: ["ethnic_large", "b3"].into_iter().map(str::to_owned).collect(),
        ..Rules::default()
    }
}

/// The sample as it is, each respondent counting once, through the gate: its sex and age, and the headlines as
/// somebody would count them who knows nothing of the design. `weighted`: the plan with the design.
fn sample_as_it_is(
    input: &Input<'_>,
    weighted: &estimation::Plan,
    rules: &Rules,
    releases: &mut Releases,
) -> anyhow::Result<Vec<SafeRow>> {
    let requests = input.template.headlines.iter().map(|h| h.id.as_str()).chain([SEX_AGE]);
    let requests: Value =
        requests.map(|id| json!({ "id": id, "statistic": "mean", "of": [id], "missing": "drop" })).collect();
    let plan = estimation::Plan {
        design: serde_json::from_value(
            json!({ "clusters": ["psu"], "strata": ["stratum"], "weights": EACH, "single_psu": "adjust" }),
        )?,
        adjust: Vec::new(),
        requests: serde_json::from_value(requests)?,
        ..weighted.clone()
    };
    let respondents = &input.weighted.respondents;
    let results = estimation::estimate(respondents, &plan).context("the sample without weights")?;
    releases.gate(input.file, respondents, &plan, &results.results, rules)
}

fn front(head: &Letterhead, label: Option<&str>, (year, month, day): (u16, u8, u8)) -> Front {
    Front {
        layout: match head.layout {
            LayoutName::Party => Layout::Party,
            LayoutName::State => Layout::State,
        },
        parent_body: head.parent_body.clone(),
        issuing_body: head.issuing_body.clone(),
        number: head.number.clone(),
        place_and_date: head.place_and_date.clone(),
        kind: head.kind.clone(),
        about: head.about.clone(),
        label: label.map(str::to_owned),
        signature: None,
        recipients: head.recipients.clone(),
        created: format!("{year:04}-{month:02}-{day:02}T00:00:00Z"),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SVG of a chart for a page.
pub fn svg(chart: &dyn Chart) -> String {
    chart.svg(Width::Page)
}
