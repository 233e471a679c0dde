//! Indices of several items as derived columns: mean, satisfied share, score from 1 to 10.
//!
//! An index is a number a respondent, so its mean has the errors of any mean. It is written as SQL, so
//! that another engine derives the same.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::EstimationError;
use super::plan::{Plan, one_or_many};

/// One index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexPlan {
    /// Columns that hold steps of one scale; categories are read as their numbers.
    #[serde(deserialize_with = "one_or_many")]
    pub items: Vec<String>,
    #[serde(default)]
    pub measure: Measure,
    /// Lowest and highest step. Codes outside it (98, 99) are no answers.
    #[serde(default = "five_points")]
    pub scale: [f64; 2],
    /// Fewest items with an answer; who answered fewer has no index. Default: half of them, rounded up.
    #[serde(default)]
    pub min_answered: Option<usize>,
    /// Items whose scale runs the other way.
    #[serde(default, deserialize_with = "one_or_many")]
    pub reverse: Vec<String>,
    /// `satisfied` only: the lowest step that counts. Default: the upper two fifths of the scale.
    #[serde(default)]
    pub satisfied_from: Option<f64>,
}

/// What an index says of a respondent's answered items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// Their mean, on the items' scale.
    #[default]
    #[serde(rename = "mean")]
    Mean,
    /// The share of them at or above `satisfied_from`, 0–1.
    #[serde(rename = "satisfied")]
    Satisfied,
    /// Their mean, the scale stretched to 1–10 (as PAPI's dimensions are).
    #[serde(rename = "1-10")]
    OneToTen,
}

fn five_points() -> [f64; 2] {
    [1.0, 5.0]
}

impl IndexPlan {
    /// The index as an expression over its items.
    fn sql(&self, name: &str) -> Result<String, EstimationError> {
        let wrong = |reason: String| EstimationError::Index { name: name.into(), reason };
        let [low, high] = self.scale;
        if self.items.is_empty() {
            return Err(wrong("\"items\" names no column".into()));
        }
        if low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) || !(high - low).is_finite() {
            return Err(wrong(format!("the scale {low} to {high} does not rise")));
        }
        if let Some(stranger) = self.reverse.iter().find(|item| !self.items.contains(item)) {
            return Err(wrong(format!("`{stranger}` is reversed but not among its items")));
        }
        let least = self.min_answered.unwrap_or(self.items.len().div_ceil(2));
        if least == 0 || least > self.items.len() {
            return Err(wrong(format!(
                "min_answered is {least}; it lies between 1 and the {} items",
                self.items.len()
            )));
        }
        let from = self.satisfied_from.unwrap_or(high - (high - low + 1.0) / 5.0 * 2.0 + 1.0);
        let (mut answered, mut sum) = (Vec::new(), Vec::new());
        for item in &self.items {
            let step = format!("CAST(\"{}\" AS DOUBLE PRECISION)", item.replace('"', "\"\""));
            let inside = format!("{step} BETWEEN {low} AND {high}");
            let value = match self.reverse.contains(item) {
                true => format!("({} - {step})", low + high),
                false => step.clone(),
            };
            let counted = match self.measure {
                Measure::Satisfied => format!("CASE WHEN {value} >= {from} THEN 1 ELSE 0 END"),
                Measure::Mean | Measure::OneToTen => value,
            };
            answered.push(format!("(CASE WHEN {inside} THEN 1 ELSE 0 END)"));
            sum.push(format!("(CASE WHEN {inside} THEN {counted} ELSE 0 END)"));
        }
        let answered = answered.join(" + ");
        let mean = format!("({}) / ({answered})", sum.join(" + "));
        let value = match self.measure {
            Measure::OneToTen => format!("1 + 9 * ({mean} - {low}) / {}", high - low),
            Measure::Mean | Measure::Satisfied => mean,
        };
        Ok(format!("CASE WHEN {answered} >= {least} THEN {value} END"))
    }
}

impl Plan {
    /// The plan with its indices as derived columns.
    pub(crate) fn with_indices(&self) -> Result<Cow<'_, Self>, EstimationError> {
        if self.indices.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut plan = self.clone();
        for (name, index) in std::mem::take(&mut plan.indices) {
            if plan.derive.insert(name.clone(), index.sql(&name)?).is_some() {
                return Err(EstimationError::Index { name, reason: "`derive` has that name too".into() });
            }
        }
        Ok(Cow::Owned(plan))
    }
}
