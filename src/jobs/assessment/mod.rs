//! The annual assessment: from weighted interviews through the gate to charts, tables and the report.

use std::collections::{BTreeMap, BTreeSet};

use analysis::charts::{Chart, Width};
use analysis::disclosure::{self, Rules, SafeRow, SafeTable};
use analysis::estimation::{self, Results};
use analysis::report::{self, AnnualInput, Front, Layout, Section};
use analysis::table::Table;
use analysis::weighting::Diagnosis;
use anyhow::{Context, anyhow};
use chrono::Datelike;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use surveys::codebook::{Codebook, Missing};

use super::analysis_file::{AnalysisFile, CaseRecord, outcomes, questions, sensitive, weighting_table};
use super::template::{Battery, LayoutName, Template};
use super::weights::{Margin, Weighted, weight};
use crate::fieldwork::dispositions::Outcomes;
use view::View;

mod view;

/// What an assessment is made from.
struct Input<'a> {
    template: &'a Template,
    codebook: &'a Codebook,
    /// The instrument's estimation plan.
    plan: &'a Value,
    weighted: &'a Weighted,
    records: &'a [CaseRecord],
    margins: &'a [Margin],
    /// Questions whose answers are sensitive (protection.md rule 18).
    sensitive: &'a BTreeSet<String>,
    /// Names of areas by code, in their official order.
    areas: &'a [(String, String)],
    /// On every page and file, when the data are synthetic.
    label: Option<String>,
    /// The known values of a simulated population, by headline.
    truth: &'a BTreeMap<String, f64>,
    villages: u64,
    /// Name and hash of what the numbers come from.
    provenance: Vec<(String, String)>,
    /// Date of the files' properties: year, month, day.
    created: (u16, u8, u8),
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

/// Weights the wave and assesses it.
pub fn assess(file: &AnalysisFile) -> anyhow::Result<Assessment> {
    let questionnaire = file.read_questionnaire()?;
    let codebook = Codebook::of(&questionnaire);
    let weighted = weight(&weighting_table(&file.records, &questions(&codebook))?, &file.weighting)?;
    let about = &file.about;
    let weights = weighted.table(about.label.is_some())?;
    let mut provenance = about.provenance.clone();
    provenance.push(("weights.csv".to_owned(), sha256(weights.to_csv().as_bytes())));
    provenance.push(("Chương trình".to_owned(), format!("langnghe {}", env!("CARGO_PKG_VERSION"))));
    let (unweighted, weighted_outcomes) = outcomes(&file.records);
    let input = Input {
        template: &file.template,
        codebook: &codebook,
        plan: &file.plan,
        weighted: &weighted,
        records: &file.records,
        margins: &file.weighting.margins,
        sensitive: &sensitive(&questionnaire),
        areas: &about.areas,
        label: about.label.clone(),
        truth: &about.truth,
        villages: about.villages,
        provenance,
        created: (about.taken.year() as u16, about.taken.month() as u8, about.taken.day() as u8),
    };
    let input = &input;
    let plan = full_plan(input)?;
    let results = estimation::estimate(&input.weighted.respondents, &plan).context("estimates")?;
    let rules = rules(input);
    let safe = disclosure::gate(&results.results, &rules)?;
    let sample = sample_as_it_is(input, &rules)?;
    let view = View { input, safe: &safe };

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
        for battery in &section.likert {
            own.push(charts.len());
            charts.push((battery.file.clone(), Box::new(view.likert(battery))));
        }
        section_charts.push(own);
    }
    let method_from = charts.len();
    charts.push(("tiep-xuc".into(), Box::new(view.funnel(&unweighted))));
    charts.push(("quyen-so".into(), Box::new(view.weights(&rules)?)));
    charts.push(("thap-tuoi".into(), Box::new(view.pyramid(&sample)?)));

    let mut tables: Vec<(String, SafeTable)> = vec![("chi-tieu-chinh".into(), view.headline_table())];
    for breakdown in &input.template.breakdowns {
        tables.push((format!("chi-tieu-theo-{}", breakdown.file), view.breakdown_table(breakdown)));
    }
    for (name, chart) in charts.iter().skip(1) {
        tables.push((name.clone(), chart.table()));
    }

    let sections = input
        .template
        .sections
        .iter()
        .zip(&section_charts)
        .map(|(section, own)| {
            Ok(Section {
                title: section.title.clone(),
                comments: Vec::new(),
                statements: section
                    .statements
                    .iter()
                    .map(|id| view.statement(id))
                    .collect::<anyhow::Result<_>>()?,
                charts: own.iter().map(|i| charts[*i].1.as_ref()).collect(),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let annual = report::annual(&AnnualInput {
        front: front(input),
        year: input.template.year,
        population: input.template.population.clone(),
        purpose: input.template.purpose.clone(),
        headlines: input
            .template
            .headlines
            .iter()
            .map(|h| view.statement(&h.id))
            .collect::<anyhow::Result<_>>()?,
        sections,
        fieldwork: view.fieldwork(&unweighted, &weighted_outcomes),
        design: results.design.clone(),
        method: input.template.method.clone(),
        method_charts: charts[method_from..].iter().map(|(_, chart)| chart.as_ref()).collect(),
        proposals: Vec::new(),
        tables: tables[1..=input.template.breakdowns.len()].iter().map(|(_, table)| table.clone()).collect(),
        provenance: input.provenance.clone(),
    });
    let docx = report::docx(&annual)?;
    let html = report::html(&annual);
    let all: Vec<SafeTable> = tables.iter().map(|(_, table)| table.clone()).collect();
    let xlsx = analysis::export::xlsx(
        &all,
        &analysis::export::About {
            title: format!("Bảng số liệu: {}", input.template.front.about),
            author: input.template.front.issuing_body.clone(),
            notes: vec![view.source(results.design.n)],
            label: input.label.clone(),
            created: input.created,
        },
    )?;
    let headlines =
        input.template.headlines.iter().map(|h| view.row(&h.id).cloned()).collect::<anyhow::Result<_>>()?;
    drop(annual);
    Ok(Assessment {
        charts,
        tables,
        docx,
        html,
        xlsx,
        headlines,
        sample,
        results,
        unweighted,
        weighted: weighted_outcomes,
        weights,
        diagnosis: weighted.diagnosis,
    })
}

/// The instrument's plan with the batteries of the template: shares on the scale alone, and the share off it.
fn full_plan(input: &Input<'_>) -> anyhow::Result<estimation::Plan> {
    let mut plan = input.plan.clone();
    let batteries: Vec<&Battery> = input.template.sections.iter().flat_map(|s| &s.likert).collect();
    for question in batteries.iter().flat_map(|b| b.items.keys()) {
        let (scale, silent) = scale_of(input.codebook, question)?;
        let quoted = |codes: &[String]| codes.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
        plan["types"][format!("{question}_scale")] = json!(scale);
        plan["derive"][format!("{question}_scale")] =
            json!(format!("CASE WHEN {question} IN ({}) THEN {question} END", quoted(&scale)));
        plan["derive"][format!("{question}_silent")] = json!(format!(
            "CASE WHEN {question} IN ({}) THEN 1 WHEN {question} IS NOT NULL THEN 0 END",
            quoted(&silent)
        ));
        let requests =
            plan["requests"].as_array_mut().ok_or_else(|| anyhow!("the plan has no `requests`"))?;
        for column in ["scale", "silent"] {
            let column = format!("{question}_{column}");
            requests.push(json!({ "id": column, "statistic": "mean", "of": [column], "missing": "drop" }));
        }
    }
    input.weighted.plan(&plan)
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

fn rules(input: &Input<'_>) -> Rules {
    let mut sensitive = input.sensitive.clone();
    // A derived column is as sensitive as what it is made of.
    if let Some(derive) = input.plan["derive"].as_object() {
        for (name, expression) in derive {
            let expression = expression.as_str().unwrap_or_default();
            let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.into_iter().any(|word| input.sensitive.contains(word)) {
                sensitive.insert(name.clone());
            }
        }
    }
    for question in input.sensitive {
        sensitive.extend([format!("{question}_scale"), format!("{question}_silent")]);
    }
    Rules {
        sensitive,
        ethnicity: ["ethnic_large", "b3"].into_iter().map(str::to_owned).collect(),
        ..Rules::default()
    }
}

/// The sample as it is, each respondent counting once, through the gate: its sex and age, and the headlines as
/// somebody would count them who knows nothing of the design.
fn sample_as_it_is(input: &Input<'_>, rules: &Rules) -> anyhow::Result<Vec<SafeRow>> {
    let mut plan = input.plan.clone();
    plan["derive"]["sex_age"] =
        json!("CASE WHEN b1 IN ('1','2') AND b2 IN ('1','2','3','4','5','6') THEN b1 || '/' || b2 END");
    plan["derive"]["each"] = json!("1");
    plan["design"] =
        json!({ "clusters": ["psu"], "strata": ["stratum"], "weights": "each", "single_psu": "adjust" });
    let requests = input.template.headlines.iter().map(|h| h.id.as_str()).chain(["sex_age"]);
    plan["requests"] =
        requests.map(|id| json!({ "id": id, "statistic": "mean", "of": [id], "missing": "drop" })).collect();
    let plan: estimation::Plan = serde_json::from_value(plan)?;
    let results =
        estimation::estimate(&input.weighted.respondents, &plan).context("the sample without weights")?;
    Ok(disclosure::gate(&results.results, rules)?)
}

fn front(input: &Input<'_>) -> Front {
    let head = &input.template.front;
    let (year, month, day) = input.created;
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
        label: input.label.clone(),
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
