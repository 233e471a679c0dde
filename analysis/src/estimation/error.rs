//! What can be wrong with a plan or with the data under it.

use std::path::PathBuf;

use crate::sql::SqlError;
use crate::table::TableError;
use crate::weighting::WeightingError;

/// Where, what, what now.
#[derive(Debug, thiserror::Error)]
pub enum EstimationError {
    #[error("{path}: cannot be read: {reason}; check the path and the file", path = path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{path}: {reason}", path = path.display())]
    PlanSyntax { path: PathBuf, reason: String },
    #[error("the plan names no data; give \"data\": \"file.csv\"")]
    NoData,
    #[error("{0}")]
    Table(#[from] TableError),
    #[error("{0}")]
    Sql(#[from] SqlError),
    #[error("{0}")]
    Weighting(#[from] Box<WeightingError>),
    #[error("request `{id}`: {source}")]
    Request {
        id: String,
        #[source]
        source: Box<EstimationError>,
    },
    #[error("the id `{id}` stands at two requests; rename one")]
    DuplicateId { id: String },
    #[error("design: column `{column}`, row {row} is missing; every row needs its {what}")]
    DesignMissing { column: String, row: usize, what: &'static str },
    #[error("design: column `{column}`, row {row}: {value} is no {what}")]
    DesignValue { column: String, row: usize, value: f64, what: &'static str },
    #[error(
        "design: cluster `{cluster}` lies in the strata `{first}` and `{second}`; correct the codes, or set \
         \"nested\": true when the codes restart in every stratum"
    )]
    ClusterInTwoStrata { cluster: String, first: String, second: String },
    #[error(
        "design: row {row}: the fpc differs inside `{unit}` of stage {stage}; it must be one figure a stratum"
    )]
    FpcDiffers { row: usize, unit: String, stage: usize },
    #[error(
        "design: `{unit}`, stage {stage}: {sampled} units were sampled out of a population of {population}"
    )]
    FpcTooSmall { unit: String, stage: usize, sampled: usize, population: f64 },
    #[error("design: {0}")]
    Design(String),
    #[error(
        "Stratum ({stratum}) has only one PSU at stage {stage}; join it with a neighbour or choose \"single_psu\""
    )]
    SinglePsu { stratum: String, stage: usize },
    #[error("every stratum has only one PSU; \"single_psu\": \"average\" has nothing to average")]
    NothingToAverage,
    #[error("{path}: the joint inclusion probabilities are {rows} × {columns}, {psus} PSUs need {psus} × {psus}", path = path.display())]
    JointShape { path: PathBuf, rows: usize, columns: usize, psus: usize },
    #[error(
        "column `{column}` has {count} missing values in the domain; drop them with \"missing\": \"drop\""
    )]
    MissingValues { column: String, count: usize },
    #[error("no row with a weight is in the domain; check `where`")]
    EmptyDomain,
    #[error("`{field}` is needed for the statistic `{statistic}`")]
    FieldNeeded { field: &'static str, statistic: &'static str },
    #[error("`{field}` holds `{value}`; offered are {offered}")]
    Choice { field: &'static str, value: String, offered: &'static str },
    #[error("column `{column}` holds {value}; a proportion needs 0, 1 or a condition")]
    NotBinary { column: String, value: f64 },
    #[error("column `{column}` has {got} groups in the domain, {needed} are needed")]
    GroupCount { column: String, got: usize, needed: &'static str },
    #[error("there is no request `{id}` above this one to build on")]
    UnknownRequest { id: String },
    #[error("the request `{id}` has no row `{key}`; its rows are {keys}")]
    UnknownKey { id: String, key: String, keys: String },
    #[error("formula `{formula}`: {reason}")]
    Formula { formula: String, reason: String },
    #[error(
        "the regression did not settle after {iterations} rounds; a term may predict the outcome perfectly"
    )]
    RegressionDiverged { iterations: usize },
    #[error("the terms {terms} depend on each other in the domain; leave one out")]
    RedundantTerms { terms: String },
    #[error("the covariance matrix of the test is singular; a cell without rows may be the cause")]
    SingularTest,
    #[error("replicates: {0}")]
    Replicates(String),
    #[error(
        "{what} cannot be had from totals: {reason}; estimate it from the rows, or leave it out with --skip-unsupported"
    )]
    NotFromTotals { what: String, reason: String },
    #[error("{path}: {reason}; print the query of this plan again (--emit-sql), run it and give its whole result", path = path.display())]
    OtherTotals { path: PathBuf, reason: String },
    #[error("index `{name}`: {reason}")]
    Index { name: String, reason: String },
    #[error("{path}: {problem}{more}; see all of it with `langnghe form check`", path = path.display(),
        more = if *others > 0 { format!(" (and {others} more problems)") } else { String::new() })]
    Questionnaire { path: PathBuf, problem: String, others: usize },
    #[error("column `{column}`, row {row}: `{value}` is no choice of this question in the codebook")]
    NoChoice { column: String, row: usize, value: String },
    #[error(
        "no area has two interviewers, or none interviewed twice; leave `within` out or join small areas"
    )]
    Workloads,
    #[error("wave `{wave}`: {source}")]
    Wave {
        wave: String,
        #[source]
        source: Box<EstimationError>,
    },
    #[error("waves: {0}")]
    Waves(String),
    #[error("{0} is not offered yet")]
    NotOffered(String),
}

impl From<WeightingError> for EstimationError {
    fn from(error: WeightingError) -> Self {
        Self::Weighting(Box::new(error))
    }
}
