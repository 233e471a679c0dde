//! Estimates with their design-based errors: every figure of an estimation plan.
//!
//! [`run`] answers a plan from its files, [`estimate`] from a table in memory.

pub mod algebra;
mod assumed;
pub mod codebook;
mod comparison;
mod context;
mod contrast;
mod crosstab;
pub mod design;
pub mod distributions;
mod error;
pub mod format;
mod formula;
pub mod grouped;
mod independence;
pub mod index;
mod interviewer;
mod mark;
mod means;
mod moments;
mod names;
pub mod plan;
mod proportion;
mod quantile;
mod regression;
pub(crate) mod replicates;
pub mod result;
mod survey;
mod variance;
mod weighted_sums;
pub mod years;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

pub use assumed::{Assumed, Move};
pub use codebook::read_codebook;
pub use error::EstimationError;
pub use plan::{Plan, Request, Statistic};
pub use result::{Covariance, DesignSummary, Results, Row, WaveSummary};

use crate::sql;
use crate::table::Table;
use context::Answer;
use survey::Survey;

/// Reads a plan's JSON text. `path` names it in errors.
pub fn read_plan(text: &str, path: &Path) -> Result<Plan, EstimationError> {
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
        .map_err(|e| EstimationError::PlanSyntax { path: path.into(), reason: e.to_string() })
}

/// Reads a plan from a JSON file.
pub fn load_plan(path: &Path) -> Result<Plan, EstimationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| EstimationError::Unreadable { path: path.into(), reason: e.to_string() })?;
    read_plan(&text, path)
}

/// Reads the table a plan names, its multiple responses parted where the plan names a codebook. `folder`:
/// where the plan lies.
pub fn read_data(plan: &Plan, folder: &Path) -> Result<Table, EstimationError> {
    let data = plan.data.as_deref().ok_or(EstimationError::NoData)?;
    let mut table = Table::read(&folder.join(data), &plan.types)?;
    if plan.codebook.is_some()
        && let Some(book) = read_codebook(plan, folder)?
    {
        codebook::part_responses(&mut table, &book)?;
    }
    Ok(table)
}

/// As [`read_data`], but of a Parquet file only the columns whose names stand somewhere in the plan.
fn read_named(plan: &Plan, folder: &Path) -> Result<Table, EstimationError> {
    let data = plan.data.as_deref().ok_or(EstimationError::NoData)?;
    let named = names::Named::of(plan);
    Ok(Table::read_wanted(&folder.join(data), &plan.types, &|name| named.contains(name))?)
}

/// Answers a plan from its data file. `folder`: where the plan lies; paths in it are relative to that.
///
/// Errors: [`EstimationError`], with the request's id where one request is at fault.
pub fn run(plan: &Plan, folder: &Path) -> Result<Results, EstimationError> {
    if !plan.waves.is_empty() {
        return years::run(plan, folder, None);
    }
    check_ids(plan)?;
    let plan = &*plan.with_indices()?;
    let needs_rows =
        plan.codebook.is_some() || plan.probability_sample.is_some() || !assumed::names(plan).is_empty();
    if needs_rows {
        return answer_plan(Cow::Owned(read_data(plan, folder)?), plan, Some(folder));
    }
    // On a thread of the pool, so that the work is not handed over and waited for at every step.
    if let (Some(results), ()) = rayon::join(|| grouped::from_file(plan, folder), || ()) {
        return Ok(results);
    }
    let answer =
        read_named(plan, folder).and_then(|table| answer_plan(Cow::Owned(table), plan, Some(folder)));
    // What is wrong is said with all columns in sight.
    answer.or_else(|_| answer_plan(Cow::Owned(read_data(plan, folder)?), plan, Some(folder)))
}

/// Answers a plan from a table in memory; `plan.data` is not read.
///
/// `types` and `derive` of the plan are applied here. Rows of the answer stand in the order of the
/// requests, groups (the first `by` column fastest), variables, categories.
pub fn estimate(table: &Table, plan: &Plan) -> Result<Results, EstimationError> {
    estimate_in(table, plan, None)
}

/// As [`estimate`]; `folder` is where the plan's other files (joint probabilities, replicates) lie.
pub fn estimate_in(table: &Table, plan: &Plan, folder: Option<&Path>) -> Result<Results, EstimationError> {
    answer_plan(Cow::Borrowed(table), plan, folder)
}

/// Answers a plan of several waves from tables in memory, one for each wave that is not `published`, in
/// their order. `folder`: where the plan's other files lie.
pub fn estimate_waves(tables: Vec<Table>, plan: &Plan, folder: &Path) -> Result<Results, EstimationError> {
    years::run(plan, folder, Some(tables))
}

fn answer_plan(
    table: Cow<'_, Table>,
    plan: &Plan,
    folder: Option<&Path>,
) -> Result<Results, EstimationError> {
    check_ids(plan)?;
    if !plan.waves.is_empty() {
        return Err(EstimationError::Waves(
            "each has a table of its own; answer the plan with `run` or `estimate_waves`".into(),
        ));
    }
    let plan = &*plan.with_indices()?;
    let mark = mark::mark_of(&table, plan)?;
    let plan = &*match mark {
        Some(_) => Cow::Owned(mark::without_errors(plan)),
        None => Cow::Borrowed(plan),
    };
    let survey = Survey::build(table, plan, folder, None)?;
    let mut results = answer_survey(&survey, plan)?;
    results.assumed = assumed::assumed(&survey, plan, folder, &results);
    results.warnings.extend(assumed::warnings(&results.assumed));
    if let Some(why) = mark {
        results.without_errors(&why);
    }
    Ok(results)
}

fn check_ids(plan: &Plan) -> Result<(), EstimationError> {
    let mut seen = HashSet::new();
    match plan.requests.iter().find(|r| !seen.insert(&r.id)) {
        Some(twice) => Err(EstimationError::DuplicateId { id: twice.id.clone() }),
        None => Ok(()),
    }
}

fn answer_survey(survey: &Survey, plan: &Plan) -> Result<Results, EstimationError> {
    // Requests others build on keep their covariances, asked or not.
    let bases: HashSet<&str> = plan.requests.iter().filter_map(|r| r.between.as_deref()).collect();
    let within = |request: &Request, source: EstimationError| EstimationError::Request {
        id: request.id.clone(),
        source: Box::new(source),
    };
    let answers = || -> Result<Vec<Option<Answer>>, EstimationError> {
        plan.requests
            .par_iter()
            .map(|request| {
                if request.statistic == Statistic::Contrast {
                    return Ok(None);
                }
                answer(survey, request, bases.contains(request.id.as_str()))
                    .map(Some)
                    .map_err(|e| within(request, e))
            })
            .collect()
    };
    let (direct, design) = rayon::join(answers, || survey.summary());
    let direct = direct?;
    let mut results = Results { design, warnings: survey.design.warnings.clone(), ..Results::default() };
    let mut answers: Vec<(&str, Answer)> = Vec::with_capacity(plan.requests.len());
    for (request, direct) in plan.requests.iter().zip(direct) {
        let answer = match direct {
            Some(answer) => answer,
            None => contrast::contrast(request, &answers).map_err(|e| within(request, e))?,
        };
        if request.covariance
            && let Some(matrix) = &answer.covariance
        {
            let keys = answer.rows.iter().map(Row::key).collect();
            results.covariances.insert(request.id.clone(), Covariance { keys, matrix: matrix.to_rows() });
        }
        answers.push((&request.id, answer));
    }
    results.results = answers.into_iter().flat_map(|(_, answer)| answer.rows).collect();
    Ok(results)
}

fn answer(survey: &Survey, request: &Request, base: bool) -> Result<Answer, EstimationError> {
    let context = context::Context::new(survey, request, base)?;
    match request.statistic {
        Statistic::Mean | Statistic::Total => means::means(&context),
        Statistic::Ratio => means::ratio(&context),
        Statistic::Proportion => proportion::proportion(&context),
        Statistic::Quantile => quantile::quantile(&context),
        Statistic::Variance => moments::variance(&context),
        Statistic::Cdf => moments::cdf(&context),
        Statistic::Table => crosstab::table(&context),
        Statistic::Independence => independence::independence(&context),
        Statistic::Ttest => comparison::ttest(&context),
        Statistic::Ranktest => comparison::ranktest(&context),
        Statistic::Regression => regression::regression(&context),
        Statistic::Icc => interviewer::icc(&context),
        Statistic::Contrast => Err(EstimationError::NotOffered("a contrast without its base".into())),
    }
}

/// The table as the plan sees it: types declared, columns derived.
pub(crate) fn prepare(table: Cow<'_, Table>, plan: &Plan) -> Result<Table, EstimationError> {
    let mut table = table.into_owned();
    table.declare(&plan.types)?;
    categorised_copies(&mut table, plan)?;
    sql::derive(&mut table, &plan.derive, &plan.types)?;
    categorised_copies(&mut table, plan)?;
    if let Some(unknown) = plan.types.keys().find(|name| table.get(name).is_none()) {
        table.column(unknown)?;
    }
    Ok(table)
}

/// `types` may name `q1_cat` where the data have only `q1`: the number as a category beside itself, as
/// shared plans use it.
fn categorised_copies(table: &mut Table, plan: &Plan) -> Result<(), EstimationError> {
    for (name, declared) in &plan.types {
        if table.get(name).is_some() || plan.derive.contains_key(name) {
            continue;
        }
        if let Some(column) = name.strip_suffix("_cat").and_then(|base| table.get(base)) {
            let copy = column.clone().declare(name, declared)?;
            table.push(name.clone(), copy)?;
        }
    }
    Ok(())
}
