//! What a wave is analysed by: estimation plan, weighting with its margins, report template, names of areas. They are
//! checked against the published questionnaire when they are given, so that the freeze and the report meet no surprise.

use std::collections::{BTreeMap, BTreeSet};

use analysis::estimation;
use analysis::sql::Expression;
use analysis::table::nearest;
use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use serde_json::Value;
use surveys::codebook::{Codebook, Missing};

use super::analysis_file::questions;
use super::template::Template;
use super::weights::{Margin, Weighting};
use crate::db::{FieldDb, FieldVault};

pub const PLAN: &str = "analysis.json";
pub const WEIGHTING: &str = "weighting.json";
pub const TEMPLATE: &str = "report.json";
pub const AREAS: &str = "areas.json";
/// Id of the questionnaire's form.
pub const FORM: &str = "form.txt";

/// Columns of the design that stand beside the answers when a wave is weighted and estimated.
const COLUMNS: [&str; 11] = [
    "design_stratum",
    "stratum",
    "psu",
    "area_large",
    "village_majority",
    "disposition",
    "responded",
    "adults",
    "base",
    "person_weight",
    "weight",
];

/// The documents that a wave is analysed by.
#[derive(Clone, Debug)]
pub struct WaveDesign {
    pub form_id: String,
    pub plan: Value,
    pub weighting: Weighting,
    pub template: Template,
    /// Codes and names in their official order.
    pub areas: Vec<(String, String)>,
}

impl WaveDesign {
    /// Everything that does not fit together, or does not fit the questionnaire.
    pub fn problems(&self, codebook: &Codebook) -> Vec<String> {
        let mut known: BTreeSet<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        known.extend(questions(codebook).into_iter().map(str::to_owned));
        let mut problems = Vec::new();
        self.check_weighting(codebook, &mut known, &mut problems);
        self.check_plan(&mut known, &mut problems);
        self.check_template(codebook, &known, &mut problems);
        problems
    }

    fn check_weighting(&self, codebook: &Codebook, known: &mut BTreeSet<String>, problems: &mut Vec<String>) {
        check_types(WEIGHTING, &self.weighting.types, known, problems);
        for (column, expression) in &self.weighting.derive {
            check_expression(WEIGHTING, &format!("derive `{column}`"), expression, known, problems);
            known.insert(column.clone());
            if !self.weighting.margins.iter().any(|margin| margin.by == *column) {
                problems.push(format!(
                    "{WEIGHTING}: raking column `{column}` has no margin; add to margins \
                     {{\"by\": \"{column}\", \"totals\": [[\"1\", 1234.0], …]}}"
                ));
            }
        }
        for margin in &self.weighting.margins {
            self.check_margin(codebook, margin, problems);
        }
        let sum = |margin: &Margin| margin.totals.iter().map(|(_, total)| total).sum::<f64>();
        if let Some(first) = self.weighting.margins.first() {
            for margin in &self.weighting.margins[1..] {
                if (sum(margin) / sum(first) - 1.0).abs() > 1e-6 {
                    problems.push(format!(
                        "{WEIGHTING}: margin `{}` sums to {}, margin `{}` to {}; all margins count the same population",
                        margin.by,
                        sum(margin),
                        first.by,
                        sum(first)
                    ));
                }
            }
        }
    }

    fn check_margin(&self, codebook: &Codebook, margin: &Margin, problems: &mut Vec<String>) {
        let mut say = |what: String| problems.push(format!("{WEIGHTING}, margin `{}`: {what}", margin.by));
        let Some(expression) = self.weighting.derive.get(&margin.by) else {
            return say("there is no raking column of that name under derive".to_owned());
        };
        let mut seen = BTreeSet::new();
        for (category, total) in &margin.totals {
            if !seen.insert(category) {
                say(format!("category `{category}` stands twice"));
            }
            if !total.is_finite() || *total <= 0.0 {
                say(format!("category `{category}` has the total {total}; a count of adults is more than 0"));
            }
        }
        // Where a raking column is a column as it is, its categories are known.
        let categories: Option<BTreeSet<String>> = match expression.trim() {
            "area_large" => Some(self.areas.iter().map(|(code, _)| code.clone()).collect()),
            name => codebook.variables.get(name).map(|variable| {
                let silent = |missing: &Option<Missing>| missing.is_some();
                let codes = variable.values.iter().filter(|value| !silent(&value.missing));
                codes.map(|value| value.code.clone()).collect()
            }),
        };
        match categories {
            Some(categories) => {
                for category in categories.iter().filter(|category| !seen.contains(category)) {
                    say(format!("category `{category}` of `{expression}` has no total"));
                }
                for category in seen.iter().filter(|category| !categories.contains(**category)) {
                    say(format!("`{expression}` has no category `{category}`"));
                }
            }
            None => {
                for category in seen.iter().filter(|c| !expression.contains(&format!("'{c}'"))) {
                    say(format!("the expression under derive never gives `{category}`"));
                }
            }
        }
    }

    fn check_plan(&self, known: &mut BTreeSet<String>, problems: &mut Vec<String>) {
        let plan: estimation::Plan = match serde_json::from_value(self.plan.clone()) {
            Ok(plan) => plan,
            Err(error) => return problems.push(format!("{PLAN}: is not a valid plan: {error}")),
        };
        for (column, expression) in &plan.derive {
            check_expression(PLAN, &format!("derive `{column}`"), expression, known, problems);
            known.insert(column.clone());
        }
        known.extend(plan.indices.keys().cloned());
        check_types(PLAN, &self.plan["types"], known, problems);
        for request in self.plan["requests"].as_array().into_iter().flatten() {
            let id = request["id"].as_str().unwrap_or_default();
            for field in ["of", "by", "where", "numerator", "denominator", "rows", "cols", "groups"] {
                let values = match &request[field] {
                    Value::Array(values) => values.iter().collect(),
                    value => vec![value],
                };
                for expression in values.into_iter().filter_map(Value::as_str) {
                    check_expression(PLAN, &format!("request `{id}`, {field}"), expression, known, problems);
                }
            }
        }
    }

    fn check_template(&self, codebook: &Codebook, known: &BTreeSet<String>, problems: &mut Vec<String>) {
        let template = &self.template;
        let requests: BTreeSet<&str> = self.plan["requests"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|request| request["id"].as_str())
            .collect();
        let statements = template.sections.iter().flat_map(|section| &section.statements);
        let headlines: BTreeSet<&str> =
            template.headlines.iter().map(|headline| headline.id.as_str()).collect();
        for id in &headlines {
            if !requests.contains(id) {
                problems.push(format!(
                    "{TEMPLATE}: headline `{id}` is no request of {PLAN}{}",
                    hint(id, &requests)
                ));
            }
        }
        for id in statements.filter(|id| !headlines.contains(id.as_str())) {
            problems.push(format!("{TEMPLATE}: statement `{id}` is no headline{}", hint(id, &headlines)));
        }
        for breakdown in &template.breakdowns {
            if !known.contains(&breakdown.by) {
                let names = known.iter().map(String::as_str).collect();
                problems.push(format!(
                    "{TEMPLATE}: breakdown by `{}`, which is no column{}",
                    breakdown.by,
                    hint(&breakdown.by, &names)
                ));
            }
        }
        let names: BTreeSet<&str> = codebook.variables.keys().map(String::as_str).collect();
        for item in template.sections.iter().flat_map(|s| &s.likert).flat_map(|b| b.items.keys()) {
            if !names.contains(item.as_str()) {
                problems.push(format!("{TEMPLATE}: there is no question `{item}`{}", hint(item, &names)));
            }
        }
    }
}

fn check_types(file: &str, types: &Value, known: &BTreeSet<String>, problems: &mut Vec<String>) {
    for column in types.as_object().into_iter().flat_map(|types| types.keys()) {
        if !known.contains(column) {
            let names = known.iter().map(String::as_str).collect();
            problems
                .push(format!("{file}: types names `{column}`, which is no column{}", hint(column, &names)));
        }
    }
}

fn check_expression(
    file: &str,
    place: &str,
    expression: &str,
    known: &BTreeSet<String>,
    problems: &mut Vec<String>,
) {
    match Expression::parse(expression) {
        Err(error) => problems.push(format!("{file}, {place}: {error}")),
        Ok(parsed) => {
            for column in parsed.columns().into_iter().filter(|column| !known.contains(*column)) {
                let names = known.iter().map(String::as_str).collect();
                problems.push(format!(
                    "{file}, {place}: `{column}` is neither a question of the form nor a column of the design{}",
                    hint(column, &names)
                ));
            }
        }
    }
}

fn hint(wrong: &str, names: &BTreeSet<&str>) -> String {
    nearest(wrong, names.iter().copied()).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The documents as they came, by name; what is kept in the field vault.
pub type Files = BTreeMap<&'static str, Vec<u8>>;

/// Reads the four documents.
pub fn read_files(files: &Files) -> anyhow::Result<WaveDesign> {
    let file = |name: &'static str| files.get(name).ok_or_else(|| anyhow!("{name} is missing"));
    let form_id = String::from_utf8(file(FORM)?.clone()).context(FORM)?;
    Ok(WaveDesign {
        form_id: form_id.trim().to_owned(),
        plan: json(file(PLAN)?, PLAN)?,
        weighting: json(file(WEIGHTING)?, WEIGHTING)?,
        template: json(file(TEMPLATE)?, TEMPLATE)?,
        areas: json(file(AREAS)?, AREAS)?,
    })
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8], name: &str) -> anyhow::Result<T> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| anyhow!("{name}: {error}; correct it there"))
}

/// Stores the documents, each as its next version where it changed.
pub fn keep(
    db: &mut FieldDb<'_>,
    project: i64,
    files: &Files,
    now: DateTime<Utc>,
) -> Result<(), crate::db::Error> {
    files.iter().try_for_each(|(name, content)| db.keep_document(project, name, content, now).map(drop))
}

/// The stored documents of a wave.
pub fn stored(field: &FieldVault, project: i64) -> anyhow::Result<(WaveDesign, Files)> {
    let mut files = Files::new();
    for name in [FORM, PLAN, WEIGHTING, TEMPLATE, AREAS] {
        let found = field.read(|db| db.find_document(project, name))?;
        let found = found.ok_or_else(|| {
            anyhow!("wave {project} has no design ({name} is missing); give it with `langnghe wave design {project} FOLDER`")
        })?;
        files.insert(name, found.content);
    }
    Ok((read_files(&files)?, files))
}
