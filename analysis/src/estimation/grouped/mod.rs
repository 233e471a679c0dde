//! Another engine does the grouping: the one query that reduces the rows to totals, and the finish from them.
//!
//! The query has one part for every set of classifications that requests share. A part holds all rows of
//! the data, grouped by sampling unit and by those classifications: how many rows, Σw, Σwy and, where
//! asked for, Σwyz. Every row of a part can stand for its rows of the data with weight Σw and value
//! Σwy / Σw, because estimates, raking and linearised errors are linear in y inside such a group. So
//! the parts are finished by the same code as rows are.

mod batch;
mod calibrated;
mod codings;
mod engine;
mod finish;
mod grid;
mod layout;
mod query;
mod totals;

use std::path::Path;

pub use crate::sql::Dialect;
use layout::{Grouping, Layout};
use query::Columns;

use super::{EstimationError, Plan, Results};

/// A query for another engine.
#[derive(Clone, Debug)]
pub struct Query {
    pub sql: String,
    /// What is left out under `skip_unsupported`, one line a request.
    pub left_out: Vec<String>,
}

/// The query over a table named `data` whose result [`finish`] needs.
///
/// The plan's data file, if it is there, tells texts from numbers; else `types` does, and what is not
/// declared is a number where a number is needed. `skip_unsupported` leaves out what is no function of
/// such totals. Errors: [`EstimationError::NotFromTotals`] with the request's id, and the plan's own.
pub fn query(
    plan: &Plan,
    folder: &Path,
    dialect: Dialect,
    skip_unsupported: bool,
) -> Result<Query, EstimationError> {
    let plan = &*plan.with_indices()?;
    let layout = Layout::of(plan, folder, skip_unsupported, Grouping::Elsewhere)?;
    let sql = query::write(&layout, plan, dialect)?;
    Ok(Query { sql, left_out: layout.left_out })
}

/// The results of a plan from the result of its query: the same figures as from the rows.
///
/// `totals`: CSV or Parquet file of the query's result. Requests left out are warnings of the results.
pub fn finish(
    plan: &Plan,
    folder: &Path,
    totals: &Path,
    skip_unsupported: bool,
) -> Result<Results, EstimationError> {
    let plan = &*plan.with_indices()?;
    let layout = Layout::of(plan, folder, skip_unsupported, Grouping::Elsewhere)?;
    let mut results = finish::finish(&layout, plan, folder, totals)?;
    results.warnings.extend(super::assumed::names(plan).into_iter().map(|margin| {
        format!("the margin `{margin}` is assumed, not counted; its runs at ± 5 points need the rows")
    }));
    // The totals no longer carry the mark of the rows; the plan may.
    if plan.probability_sample == Some(false) {
        results.without_errors("the plan says so");
    }
    Ok(results)
}

/// The results of a plan whose Parquet file is grouped here, batch by batch, so that it may be larger
/// than memory; the same figures as from the rows.
///
/// `None` where the rows themselves are needed or grouping does not make them fewer, and where something
/// is wrong: the rows then say what and where.
pub fn from_file(plan: &Plan, folder: &Path) -> Option<Results> {
    let path = folder.join(plan.data.as_ref()?);
    if !crate::table::is_parquet(&path) {
        return None;
    }
    // A sample marked as no probability sample is seen by its rows.
    if crate::table::parquet::ParquetFile::open(&path).ok()?.columns().any(|(name, _)| name == "design") {
        return None;
    }
    let layout = Layout::of(plan, folder, false, Grouping::Here).ok()?;
    let columns = Columns::of(&layout);
    let mut parts = engine::group(&layout, plan, &path, &columns)?.into_iter();
    // The parts are asked for in their order.
    let next = |_| parts.next().ok_or(EstimationError::EmptyDomain);
    finish::answer(&layout, plan, folder, &columns, next).ok()
}
