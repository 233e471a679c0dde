//! The estimation plan: what is read, how it was sampled, how it is weighted, what is asked.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::index::IndexPlan;
use super::years::{Comparison, WavePlan};
use crate::table::Types;
use crate::weighting::response::DispositionPlan;

/// A whole plan, as the contract has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// CSV or Parquet file, relative to the plan's folder.
    pub data: Option<String>,
    pub types: Types,
    /// New columns by SQL expression, in order.
    pub derive: IndexMap<String, String>,
    /// Named indices of items, derived after `derive`, in order.
    pub indices: IndexMap<String, IndexPlan>,
    /// Questionnaire (.xlsx, .xls, .csv, .md, .xml) or codebook (.json): labels, and the choices of
    /// multiple-response and ranking questions as columns.
    pub codebook: Option<String>,
    /// Labels of columns that the codebook does not have.
    pub labels: IndexMap<String, Label>,
    /// How cases ended, for response rates.
    pub dispositions: Option<DispositionPlan>,
    pub design: DesignPlan,
    /// `false`: figures get no margin of error. Data that carry the mark of `sample draw` are known without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability_sample: Option<bool>,
    /// Weight adjustments in order.
    pub adjust: Vec<Adjustment>,
    pub replicates: Option<ReplicatePlan>,
    /// SQL condition: the domain of all requests.
    pub r#where: Option<String>,
    /// Surveys of several years, in order of time; each inherits from the plan what it does not state.
    pub waves: Vec<WavePlan>,
    /// How waves are compared.
    pub comparison: Comparison,
    pub requests: Vec<Request>,
}

/// A text in one language, or by language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Label {
    Text(String),
    ByLanguage(IndexMap<String, String>),
}

/// How the sample was drawn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DesignPlan {
    /// One column a stage; empty = every row is its own unit.
    #[serde(deserialize_with = "one_or_many")]
    pub clusters: Vec<String>,
    /// Columns crossed, first stage.
    #[serde(deserialize_with = "one_or_many")]
    pub strata: Vec<String>,
    pub weights: Option<String>,
    /// One column a stage; weight = 1 / product.
    #[serde(deserialize_with = "one_or_many")]
    pub probabilities: Vec<String>,
    /// One column or number a stage: population sizes, or fractions (all ≤ 1).
    #[serde(deserialize_with = "one_or_many")]
    pub fpc: Vec<ColumnOrNumber>,
    /// Cluster codes restart in every stratum.
    pub nested: bool,
    pub pps: Option<Pps>,
    pub variance: Option<PpsVariance>,
    pub single_psu: SinglePsu,
    /// Applies `single_psu` to strata left with one PSU in a domain too.
    pub domain_single_psu: bool,
}

/// A column's name or the same number for every row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ColumnOrNumber {
    Number(f64),
    Column(String),
}

/// Variance forms of sampling with unequal probabilities without replacement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pps {
    Brewer,
    Overton,
    /// Sum of squared inclusion probabilities of the population over n, or `"estimated"`.
    HartleyRao(HartleyRao),
    /// File with the square matrix of joint inclusion probabilities in row order.
    Joint(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HartleyRao {
    Number(f64),
    Word(EstimatedWord),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EstimatedWord {
    Estimated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PpsVariance {
    HorvitzThompson,
    YatesGrundy,
}

/// What a stratum with a single PSU contributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinglePsu {
    /// The plan fails and names the stratum.
    #[default]
    Error,
    Remove,
    Certainty,
    /// Its deviation from the mean of all PSU totals.
    Adjust,
    /// The average of the other strata.
    Average,
}

/// One step of weighting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Adjustment {
    Nonresponse {
        responded: String,
        #[serde(default, deserialize_with = "one_or_many")]
        classes: Vec<String>,
        #[serde(default)]
        before_replicates: bool,
    },
    Poststratify {
        #[serde(deserialize_with = "one_or_many")]
        by: Vec<String>,
        totals: Vec<Map<String, Value>>,
        /// The totals are assumed, not counted: figures come with runs at ± 5 points of each share.
        #[serde(default)]
        assumed: bool,
        #[serde(default)]
        before_replicates: bool,
    },
    Rake {
        margins: Vec<Margin>,
        #[serde(default = "rake_tolerance")]
        tolerance: f64,
        #[serde(default = "rake_iterations")]
        max_iterations: usize,
        #[serde(default)]
        before_replicates: bool,
    },
    Calibrate {
        #[serde(default)]
        distance: Distance,
        #[serde(deserialize_with = "one_or_many")]
        terms: Vec<String>,
        totals: IndexMap<String, f64>,
        #[serde(default)]
        bounds: Option<[f64; 2]>,
        /// A stage counted from 1, within which all rows keep one factor.
        #[serde(default)]
        same_within_stage: Option<usize>,
        /// Residual variance proportional to this column.
        #[serde(default)]
        variance_by: Option<String>,
        #[serde(default = "calibrate_tolerance")]
        tolerance: f64,
        #[serde(default = "calibrate_iterations")]
        max_iterations: usize,
        #[serde(default)]
        before_replicates: bool,
    },
    Trim {
        #[serde(default)]
        lower: Option<Bound>,
        #[serde(default)]
        upper: Option<Bound>,
        #[serde(default)]
        repeat: bool,
        #[serde(default)]
        before_replicates: bool,
    },
}

impl Adjustment {
    /// Made once on the full sample and carried into the replicates as it is.
    pub fn before_replicates(&self) -> bool {
        match self {
            Self::Nonresponse { before_replicates, .. }
            | Self::Poststratify { before_replicates, .. }
            | Self::Rake { before_replicates, .. }
            | Self::Calibrate { before_replicates, .. }
            | Self::Trim { before_replicates, .. } => *before_replicates,
        }
    }
}

/// A bound of weights: a number or a multiple of the median weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    Number(f64),
    Times { times_median: f64 },
}

/// Known population totals of one classification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    #[serde(deserialize_with = "one_or_many")]
    pub by: Vec<String>,
    /// Each holds a value for every `by` column and `total`.
    pub totals: Vec<Map<String, Value>>,
    /// The totals are assumed, not counted: figures come with runs at ± 5 points of each share.
    #[serde(default)]
    pub assumed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    #[default]
    Linear,
    Raking,
    Logit,
}

fn rake_tolerance() -> f64 {
    1e-9
}

fn rake_iterations() -> usize {
    2000
}

fn calibrate_tolerance() -> f64 {
    1e-12
}

fn calibrate_iterations() -> usize {
    200
}

/// Replicate weights: made from the design, or given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicatePlan {
    pub method: ReplicateMethod,
    #[serde(default)]
    pub fay_rho: Option<f64>,
    #[serde(default)]
    pub count: Option<usize>,
    #[serde(default)]
    pub seed: Option<u64>,
    #[serde(default)]
    pub mse: bool,
    /// `given` only: names in the header of `file`, or of the data.
    #[serde(default, deserialize_with = "one_or_many")]
    pub columns: Vec<String>,
    #[serde(default)]
    pub file: Option<String>,
    #[serde(default)]
    pub r#type: Option<ReplicateType>,
    /// Whether the columns already contain the weight.
    #[serde(default = "yes")]
    pub combined: bool,
    #[serde(default)]
    pub scale: Option<f64>,
    #[serde(default)]
    pub rscales: Option<Vec<f64>>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicateMethod {
    Jk1,
    Jkn,
    Brr,
    Fay,
    Bootstrap,
    Subbootstrap,
    MultistageBootstrap,
    Given,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicateType {
    #[serde(rename = "BRR")]
    Brr,
    Fay,
    #[serde(rename = "JK1")]
    Jk1,
    #[serde(rename = "JKn")]
    Jkn,
    #[serde(rename = "bootstrap")]
    Bootstrap,
    #[serde(rename = "other")]
    Other,
}

/// What a request computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    Mean,
    Total,
    Proportion,
    Ratio,
    Quantile,
    Variance,
    Cdf,
    Table,
    Independence,
    Ttest,
    Ranktest,
    Regression,
    Contrast,
    /// Intra-interviewer correlation.
    Icc,
}

/// One request; fields that a statistic does not use must be absent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub id: String,
    pub statistic: Statistic,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#where: Option<String>,
    #[serde(default)]
    pub missing: MissingRule,
    #[serde(default = "level")]
    pub level: f64,
    #[serde(default)]
    pub interval: Interval,
    /// Overrides the degrees of freedom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub df: Option<f64>,
    #[serde(default)]
    pub covariance: bool,
    #[serde(default)]
    pub deff: Deff,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub numerator: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub denominator: Vec<String>,
    #[serde(default)]
    pub separate: bool,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub probs: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<String>,
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
    /// `icc`: columns within whose combinations interviewers are compared.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<IndexMap<String, f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

fn level() -> f64 {
    0.95
}

impl Request {
    /// A request with every option at its default.
    pub fn new(id: impl Into<String>, statistic: Statistic) -> Self {
        Self {
            id: id.into(),
            statistic,
            of: Vec::new(),
            by: Vec::new(),
            r#where: None,
            missing: MissingRule::default(),
            level: level(),
            interval: Interval::default(),
            df: None,
            covariance: false,
            deff: Deff::default(),
            method: None,
            numerator: Vec::new(),
            denominator: Vec::new(),
            separate: false,
            probs: Vec::new(),
            rule: None,
            ci: None,
            at: Vec::new(),
            rows: None,
            cols: None,
            test: None,
            groups: None,
            within: Vec::new(),
            formula: None,
            family: None,
            between: None,
            weights: None,
            expression: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingRule {
    /// A missing value in the domain fails the request.
    #[default]
    Error,
    /// Rows with a missing value leave the domain, not the design.
    Drop,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    #[default]
    T,
    Z,
}

/// Design effects: none, against (1 − n/N)s²/n, or against s²/n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Deff {
    #[default]
    No,
    Yes,
    Replace,
}

impl TryFrom<Value> for Deff {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Bool(false) | Value::Null => Ok(Self::No),
            Value::Bool(true) => Ok(Self::Yes),
            Value::String(word) if word == "replace" => Ok(Self::Replace),
            other => Err(format!("deff: `{other}` is not one of true, false, \"replace\"")),
        }
    }
}

impl From<Deff> for Value {
    fn from(deff: Deff) -> Self {
        match deff {
            Deff::No => false.into(),
            Deff::Yes => true.into(),
            Deff::Replace => "replace".into(),
        }
    }
}

/// A regression's family, by name or with its link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Family {
    Name(String),
    Linked { name: String, link: String },
}

pub(crate) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
        Nothing(()),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(many) => many,
        OneOrMany::One(one) => vec![one],
        OneOrMany::Nothing(()) => Vec::new(),
    })
}
