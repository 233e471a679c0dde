//! What an estimation plan answers (contract: "Result").

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::assumed::Assumed;

/// The answer to a whole plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub design: DesignSummary,
    pub results: Vec<Row>,
    pub warnings: Vec<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub covariances: IndexMap<String, Covariance>,
    /// What ± 5 points of each assumed margin would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<Assumed>,
    /// The waves of a plan of several years, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveSummary>,
}

/// One year of a plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WaveSummary {
    pub wave: String,
    pub probability: bool,
    /// `None` where only a table exists.
    pub design: Option<DesignSummary>,
}

/// The design as the engine understood it, after adjustment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DesignSummary {
    /// Respondents (rows with a weight).
    pub n: usize,
    pub psus: usize,
    /// 1 without strata.
    pub strata: usize,
    pub df: f64,
    pub sum_of_weights: f64,
}

/// One figure with its error, or one test. A value that does not exist is `None`, with a `reason`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub statistic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Values of the `by` columns (or `stratum` of a separate ratio).
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub group: IndexMap<String, String>,
    pub estimate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub se: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cv: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_high: Option<f64>,
    /// A number for estimates; a list for tests (see the contract).
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub df: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deff: Option<f64>,
    /// Respondents behind the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<usize>,
    /// Respondents behind the figure who answered: `n` counts the domain, as the contract's reference
    /// does, also rows that `"missing": "drop"` left out. For the gate, not part of the contract's JSON.
    #[serde(skip)]
    pub answered: Option<usize>,
    /// PSUs with such respondents; for the gate, not part of the contract's JSON.
    #[serde(skip)]
    pub psus: Option<usize>,
    /// Fields of single statistics: `prob`, `at`, `row`, `col`, `measure`, `term`, `test`, `value`, `p_value`, `reason`.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// Covariance of a request's rows, asked by `"covariance": true`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Covariance {
    pub keys: Vec<String>,
    pub matrix: Vec<Vec<f64>>,
}

/// Why figures of a quota or convenience sample stand without errors.
pub const NOT_PROBABILITY: &str = "not a probability sample: no margin of error";

impl Results {
    /// The results of a quota or convenience sample, and what tells that it is one.
    pub(crate) fn without_errors(&mut self, why: &str) {
        self.results.iter_mut().for_each(Row::without_errors);
        self.covariances.clear();
        self.assumed.iter_mut().flat_map(|a| &mut a.moves).for_each(|m| m.in_errors = None);
        self.warnings.insert(
            0,
            format!("not a probability sample ({why}): figures describe those who answered, without a margin of error"),
        );
    }
}

impl Row {
    /// Takes off all that only a probability sample has: errors, intervals, tests.
    pub(crate) fn without_errors(&mut self) {
        (self.se, self.cv, self.ci_low, self.ci_high, self.deff) = (None, None, None, None, None);
        self.df = serde_json::Value::Null;
        for field in ["value", "p_value"] {
            if let Some(value) = self.more.get_mut(field) {
                *value = serde_json::Value::Null;
            }
        }
        self.more.insert("probability".into(), false.into());
        self.more.insert("reason".into(), NOT_PROBABILITY.into());
    }

    /// Respondents that really stand behind the figure, after dropping missing answers; what the gate and reports
    /// count. `n` of the contract counts the domain.
    pub fn base(&self) -> Option<usize> {
        self.answered.or(self.n)
    }

    /// `variable=category@by1=v1,by2=v2`: the row's key, for contrasts and covariances.
    pub fn key(&self) -> String {
        let mut key = self.variable.clone().unwrap_or_default();
        if let Some(category) = &self.category {
            key.push('=');
            key.push_str(category);
        }
        for (i, (by, value)) in self.group.iter().enumerate() {
            key.push(if i == 0 { '@' } else { ',' });
            key.push_str(by);
            key.push('=');
            key.push_str(value);
        }
        key
    }
}
