//! What can go wrong while weighting: where, what, what now.

use crate::sql::SqlError;
use crate::table::TableError;

#[derive(Debug, thiserror::Error)]
pub enum WeightingError {
    #[error("{0}")]
    Table(#[from] TableError),
    #[error("{0}")]
    Sql(#[from] SqlError),
    #[error("{0}")]
    Design(String),
    #[error("adjust {step}: {source}")]
    Step {
        /// Place in the plan's list, from 1.
        step: usize,
        #[source]
        source: Box<WeightingError>,
    },
    #[error(
        "column `{column}`, row {row} is missing; give it a value (impute, or a category of its own) before weighting"
    )]
    Missing { column: String, row: usize },
    #[error(
        "margin `{margin}`: category `{category}` has target {target} but no respondents; merge it with a \
         neighbouring category or leave the margin out"
    )]
    EmptyCategory { margin: String, category: String, target: f64 },
    #[error("margin `{margin}`: category `{category}` has respondents but no target; add its total")]
    NoTarget { margin: String, category: String },
    #[error("margin `{margin}`: category `{category}` stands there twice")]
    DuplicateTarget { margin: String, category: String },
    #[error("margin `{margin}`: {reason}")]
    BadTarget { margin: String, reason: String },
    #[error(
        "margin `{margin}` sums to {sum}, margin `{first}` to {first_sum}; all margins must describe the same population"
    )]
    MarginsDiffer { margin: String, sum: f64, first: String, first_sum: f64 },
    #[error("margin `{margin}`: the targets look like shares but add up to {sum}, not 1")]
    Shares { margin: String, sum: f64 },
    #[error(
        "margin `{margin}` is still off by {gap:.1e} after {iterations} rounds (tolerance {tolerance:.0e}); merge small categories or drop a margin"
    )]
    RakeNotConverged { margin: String, gap: f64, iterations: usize, tolerance: f64 },
    #[error(
        "calibration: term `{term}` is still off by {gap:.1e} after {iterations} rounds (tolerance {tolerance:.0e}); widen the bounds or take fewer terms"
    )]
    CalibrationNotConverged { term: String, gap: f64, iterations: usize, tolerance: f64 },
    #[error("calibration: no total is given for the term `{term}`")]
    NoTotal { term: String },
    #[error("calibration: the total `{name}` belongs to no term; the terms give {terms}")]
    UnknownTotal { name: String, terms: String },
    #[error("calibration: {0}")]
    Calibration(String),
    #[error("class `{class}` of the nonresponse adjustment has no respondent; merge it with another class")]
    NoRespondent { class: String },
    #[error("trimming: {0}")]
    Trim(String),
    #[error(
        "the data have a column `{name}`, which is where the new weights are written; rename theirs, for instance \
         to `base_{name}`, also in the plan"
    )]
    NameTaken { name: String },
    #[error("replicate {replicate}: {source}")]
    Replicate {
        /// From 1.
        replicate: usize,
        #[source]
        source: Box<WeightingError>,
    },
    #[error(
        "column `{column}`, row {row}: `{code}` is no disposition; give its class (I, P, R, NC, O, U, N) in \"codes\""
    )]
    Disposition { column: String, row: usize, code: String },
    #[error("all weights are zero; nobody responded")]
    NoWeight,
}
