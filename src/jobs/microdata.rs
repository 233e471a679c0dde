//! Public microdata of a wave (protection.md rule 21): the reduced file, what it risks, and generalised variances in place
//! of PSUs and replicates.

use std::collections::BTreeSet;

use analysis::disclosure::{
    self, MicrodataPlan, ReleaseError, RiskReport, SafeMicrodata, SafeTable, Step, Variable, variance_curves,
    variance_table,
};
use analysis::estimation::{self, Plan};
use analysis::export::records::{Public, Records};
use analysis::table::{Declared, Table};
use anyhow::{Context, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use surveys::codebook::Measure;

use super::analysis_file::AnalysisFile;
use super::assessment::Wave;
use super::assessment::provenance::json_sha256;
use super::export;
use super::releases::Releases;

/// Fewest respondents of an ethnic group that stands alone (rule 19).
const ALONE: usize = 50;

/// What an installation chooses to release; of everything else the program decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePlan {
    /// What somebody may know of a person, the most important for readers first: the last is left out first.
    pub keys: Vec<Variable>,
    /// Answers; those to sensitive questions are recognised.
    pub answers: Vec<Variable>,
    /// Weights are averaged within the combinations of these keys.
    pub weight_cells: Vec<String>,
}

/// A reduced file that waits for its approval.
pub struct Released {
    pub records: Records<Public>,
    pub risk: RiskReport,
    /// Generalised variances.
    pub variances: SafeTable,
    pub plan: ReleasePlan,
}

/// Reduces a wave's respondents. Without a plan of the installation's own: the columns of the report's breakdowns as keys,
/// its headlines and scales as answers. The file's rows count as known from then on.
///
/// Errors: a plan that names what never leaves, a file of which nothing safe is left, one that would tell what earlier
/// releases hid.
pub fn released(
    file: &AnalysisFile,
    plan: Option<&ReleasePlan>,
    releases: &mut Releases,
) -> anyhow::Result<Released> {
    let wave = Wave::of(file)?;
    if let Some(plan) = plan {
        return reduce(file, &wave, plan.clone(), releases);
    }
    let mut plan = default_plan(file, &wave);
    loop {
        match reduce(file, &wave, plan.clone(), releases) {
            // With fewer keys less can be counted.
            Err(error) if plan.keys.len() > 1 && tells_hidden(&error) => {
                if let Some(key) = plan.keys.pop() {
                    plan.weight_cells.retain(|cell| *cell != key.column);
                }
            }
            decided => return decided,
        }
    }
}

fn tells_hidden(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ReleaseError::File { .. }))
}

fn reduce(
    file: &AnalysisFile,
    wave: &Wave<'_>,
    plan: ReleasePlan,
    releases: &mut Releases,
) -> anyhow::Result<Released> {
    check(&plan, wave)?;
    let respondents = wave.respondents()?;
    let (reduced, risk) = disclosure::microdata(&respondents, &whole_plan(&plan, file, wave))?;
    check_groups(&reduced, &wave.rules.ethnicity)?;
    releases.add_file(file, wave.table(), &wave.plan, &reduced, &json_sha256(&plan)?, &wave.rules)?;
    let variances = variances(&plan, wave, &respondents)?;
    let records = export::public(file, &reduced, &wave.plan)?;
    Ok(Released { records, risk, variances, plan })
}

/// Columns that tell the place of an interview, beside PSU, stratum and weight.
const PLACES: [&str; 6] =
    ["stratum", "design_stratum", "village_majority", "base", "person_weight", "adults"];

fn whole_plan(plan: &ReleasePlan, file: &AnalysisFile, wave: &Wave<'_>) -> MicrodataPlan {
    let is_sensitive = |variable: &&Variable| wave.rules.sensitive.contains(&variable.column);
    // Raking columns know the village where the answer is missing.
    let raking = file.weighting.derive.keys().cloned();
    MicrodataPlan {
        sensitive: plan.answers.iter().filter(is_sensitive).cloned().collect(),
        others: plan.answers.iter().filter(|variable| !is_sensitive(variable)).cloned().collect(),
        strata: PLACES.iter().map(|name| (*name).to_owned()).chain(raking).collect(),
        ..MicrodataPlan::new(plan.keys.clone(), "weight", "psu", plan.weight_cells.clone())
    }
}

fn check(plan: &ReleasePlan, wave: &Wave<'_>) -> anyhow::Result<()> {
    for answer in &plan.answers {
        let name = &answer.column;
        ensure!(
            !wave.rules.ethnicity.contains(name),
            "`{name}` is the ethnic group: it may stand among \"keys\" only (protection.md rule 19)"
        );
    }
    for variable in plan.keys.iter().chain(&plan.answers) {
        let name = &variable.column;
        let closed = wave.codebook().variables.get(name).is_none_or(|variable| {
            !variable.field
                && matches!(variable.measure, Measure::Nominal | Measure::Ordinal | Measure::Number)
        });
        ensure!(
            closed,
            "`{name}` is answered in free words or of the fieldwork; only closed answers are released"
        );
    }
    for key in &plan.keys {
        // The ethnic group is what others know of a person.
        ensure!(
            !wave.rules.sensitive.contains(&key.column) || wave.rules.ethnicity.contains(&key.column),
            "`{}` is sensitive: it may stand among \"answers\" only",
            key.column
        );
    }
    Ok(())
}

/// Rule 19: a small group is shown together with others.
fn check_groups(reduced: &SafeMicrodata, ethnicity: &BTreeSet<String>) -> anyhow::Result<()> {
    let table = reduced.to_table();
    for name in ethnicity.iter().filter(|name| table.get(name).is_some()) {
        let (codes, levels) = table.categories(name)?;
        let few = (0..levels.len() as u32).filter(|level| {
            let n = codes.iter().filter(|code| *code == level).count();
            n > 0 && n < ALONE
        });
        let few = few.count();
        ensure!(
            few == 0,
            "`{name}`: {few} groups would have fewer than {ALONE} respondents; put them together with a step \
             \"groups\" (protection.md rule 19)"
        );
    }
    Ok(())
}

/// Keys: the report's breakdowns, the ethnic group last, so that it is the first to be left out. Answers: the headlines
/// and the scales of the report.
fn default_plan(file: &AnalysisFile, wave: &Wave<'_>) -> ReleasePlan {
    let template = &file.template;
    let mut keys: Vec<&str> = template.breakdowns.iter().map(|breakdown| breakdown.by.as_str()).collect();
    keys.sort_by_key(|name| wave.rules.ethnicity.contains(*name));
    let headlines = template.headlines.iter().map(|headline| &headline.id);
    let scales = template.sections.iter().flat_map(|section| &section.likert).flat_map(|b| b.items.keys());
    let mut answers: Vec<&String> = Vec::new();
    for name in headlines.chain(scales) {
        if !answers.contains(&name) {
            answers.push(name);
        }
    }
    let plain = |column: &str| Variable { column: column.to_owned(), steps: Vec::new() };
    ReleasePlan {
        weight_cells: keys
            .iter()
            .filter(|k| !wave.rules.ethnicity.contains(**k))
            .take(3)
            .map(|k| (*k).to_owned())
            .collect(),
        keys: keys
            .iter()
            .map(|key| Variable { column: (*key).to_owned(), steps: steps(key, wave) })
            .collect(),
        answers: answers.into_iter().map(|name| plain(name)).collect(),
    }
}

/// What is as it was, then neighbours of a declared order two by two, then everybody.
fn steps(key: &str, wave: &Wave<'_>) -> Vec<Step> {
    let mut steps = vec![Step::Groups(IndexMap::new())];
    if let Some(Declared::Levels(levels)) = wave.plan.types.get(key)
        && !wave.rules.ethnicity.contains(key)
        && levels.len() > 3
    {
        let pairs = levels.chunks(2).map(|pair| (pair.join(" + "), pair.to_vec()));
        steps.push(Step::Groups(pairs.collect()));
    }
    steps
}

/// Curves of the totals of the released answers, over all and by key.
fn variances(plan: &ReleasePlan, wave: &Wave<'_>, respondents: &Table) -> anyhow::Result<SafeTable> {
    let shares = plan.answers.iter().map(|answer| &answer.column).filter(|name| {
        let is_share = |values: &[f64]| values.iter().all(|v| v.is_nan() || *v == 0.0 || *v == 1.0);
        respondents.numbers(name).is_ok_and(|values| is_share(&values))
    });
    let shares: Vec<&String> = shares.collect();
    let by = plan.keys.iter().map(|key| vec![key.column.as_str()]);
    let requests: Vec<_> = std::iter::once(Vec::new())
        .chain(by)
        .enumerate()
        .flat_map(|(at, by)| {
            shares.iter().map(move |name| {
                json!({ "id": format!("{name}-{at}"), "statistic": "total", "of": [name], "by": by, "deff": true, "missing": "drop" })
            })
        })
        .collect();
    let asked = Plan { requests: serde_json::from_value(json!(requests))?, ..wave.plan.clone() };
    let results =
        estimation::estimate(wave.table(), &asked).context("totals for the generalised variances")?;
    // Of these totals nothing leaves but the two numbers of a curve through many of them.
    let safe = disclosure::gate(&results.results, &wave.rules)?;
    Ok(variance_table(&variance_curves(&safe)))
}
