//! Quantiles with Woodruff's intervals.
//!
//! Source: Woodruff (1952); the rules are those of Hyndman and Fan (1996) with weights, as R `survey`.

use super::EstimationError;
use super::context::{Answer, Context, Kind, Variable, critical};
use super::proportion::{Sample, interval};
use super::survey::Block;
use crate::table::MISSING;

const RULES: &str = "math, school, hf1, hf2, hf3, hf4, hf5, hf6, hf7, hf8, hf9";
const INTERVALS: &str = "mean, beta, xlogit, asin";

/// Quantiles of numeric columns, a row a probability.
pub(crate) fn quantile(context: &Context) -> Result<Answer, EstimationError> {
    let request = context.request;
    let rule = request.rule.as_deref().unwrap_or("math");
    if !RULES.split(", ").any(|r| r == rule) {
        return Err(EstimationError::Choice { field: "rule", value: rule.into(), offered: RULES });
    }
    let ci = request.ci.as_deref().unwrap_or("mean");
    if !INTERVALS.split(", ").any(|c| c == ci) {
        return Err(EstimationError::Choice { field: "ci", value: ci.into(), offered: INTERVALS });
    }
    if request.probs.is_empty() {
        return Err(EstimationError::FieldNeeded { field: "probs", statistic: "quantile" });
    }
    if let Some(prob) = request.probs.iter().find(|p| !(**p >= 0.0 && **p <= 1.0)) {
        return Err(EstimationError::Choice {
            field: "probs",
            value: prob.to_string(),
            offered: "shares from 0 to 1",
        });
    }
    let names = context.of()?;
    let columns: Vec<Variable> = names
        .iter()
        .map(|name| Ok(Variable { name: name.clone(), kind: Kind::Number(context.number(name)?) }))
        .collect::<Result<_, EstimationError>>()?;
    let kept = context.complete(&columns.iter().collect::<Vec<_>>())?;
    let groups = context.groups.labels.len();
    let counts = context.count(&kept, groups);
    let mut rows = Vec::new();
    for (group, (answered, psus)) in counts.iter().enumerate() {
        let codes: Vec<u32> = kept.iter().map(|c| if *c == group as u32 { 0 } else { MISSING }).collect();
        for variable in &columns {
            let Kind::Number(values) = &variable.kind else { continue };
            let curve = Curve::new(values, &codes, &context.survey.weights);
            for prob in &request.probs {
                let mut row = context.row(group);
                row.variable = Some(variable.name.clone());
                row.more.insert("prob".into(), (*prob).into());
                row.answered = Some(*answered);
                row.psus = Some(*psus);
                let Some(estimate) = curve.at(rule, *prob) else {
                    row.more.insert("reason".into(), "no row with a value is in the domain".into());
                    rows.push(row);
                    continue;
                };
                row.estimate = Some(estimate);
                let (share, variance) = share_below(context, values, &codes, estimate)?;
                let sample = Sample {
                    rows: context.groups.rows[group].len() as f64,
                    answered: *answered as f64,
                    weight_ratio: 1.0,
                    df: context.interval_df(group),
                    level: request.level,
                };
                let (low, high) = interval(ci, share, variance, &sample);
                let limit = |p: f64| if (0.0..=1.0).contains(&p) { curve.at(rule, p) } else { None };
                row.ci_low = limit(low);
                row.ci_high = limit(high);
                if let (Some(low), Some(high)) = (row.ci_low, row.ci_high) {
                    let se = (high - low) / (2.0 * critical(request.level, sample.df));
                    row.se = Some(se).filter(|v| v.is_finite());
                    row.cv = Some(se / estimate).filter(|v| v.is_finite());
                } else {
                    let reason = "the interval of the share below reaches beyond 0 or 1";
                    row.more.insert("reason".into(), reason.into());
                }
                rows.push(row);
            }
        }
    }
    Ok(Answer::new(context, rows, None))
}

/// The share of values not above `point`, and its variance.
fn share_below(
    context: &Context,
    values: &[f64],
    codes: &[u32],
    point: f64,
) -> Result<(f64, f64), EstimationError> {
    let below: Vec<f64> = values.iter().map(|v| f64::from(u8::from(*v <= point))).collect();
    let blocks = [
        Block { values: None, codes: codes.into(), levels: 1 },
        Block { values: Some(below.into()), codes: codes.into(), levels: 1 },
    ];
    let estimated = context.survey.smooth(
        &blocks,
        false,
        |totals| vec![totals[1] / totals[0]],
        |totals, values| vec![vec![(1, 1.0 / totals[0]), (0, -values[0] / totals[0])]],
    )?;
    Ok((estimated.values[0], estimated.variance.at(0, 0)))
}

/// A weighted distribution: values in order with their weights and running sums.
pub(crate) struct Curve {
    values: Vec<f64>,
    weights: Vec<f64>,
    sums: Vec<f64>,
}

impl Curve {
    /// Of the rows with code 0 and a weight.
    pub fn new(values: &[f64], codes: &[u32], weights: &[f64]) -> Self {
        let mut rows: Vec<usize> =
            (0..values.len()).filter(|r| codes[*r] == 0 && weights[*r] != 0.0).collect();
        rows.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let weights: Vec<f64> = rows.iter().map(|r| weights[*r]).collect();
        // Neumaier's compensated sums: whether a share is met exactly decides which value is the quantile.
        let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
        let sums = weights
            .iter()
            .map(|w| {
                let next: f64 = sum + w;
                lost += if sum.abs() >= w.abs() { (sum - next) + w } else { (w - next) + sum };
                sum = next;
                sum + lost
            })
            .collect();
        Self { values: rows.iter().map(|r| values[*r]).collect(), weights, sums }
    }

    /// The quantile by a rule; `None` without values.
    pub fn at(&self, rule: &str, p: f64) -> Option<f64> {
        let n = self.values.len();
        let total = *self.sums.last()?;
        let last = self.weights[n - 1];
        // The knot of the k-th value, as a share of the weights.
        let knot = |k: usize| -> f64 {
            let (sum, weight) = (self.sums[k], self.weights[k]);
            match rule {
                "hf4" => sum / total,
                "hf5" => (sum - weight / 2.0) / total,
                "hf6" => sum / (total + last),
                "hf7" => (sum - weight) / (total - last),
                "hf8" => (sum - weight / 3.0) / (total + last / 3.0),
                _ => (sum - 3.0 * weight / 8.0) / (total + last / 4.0),
            }
        };
        if matches!(rule, "math" | "hf1" | "school" | "hf2" | "hf3") {
            let target = p * total;
            let place = self.sums.partition_point(|s| *s < target).min(n - 1);
            let exact = self.sums[place] == target;
            return Some(match rule {
                "school" | "hf2" if exact && place + 1 < n => {
                    (self.values[place] + self.values[place + 1]) / 2.0
                }
                "hf3" if place > 0 => {
                    // The nearer of the two sums; at a tie the even order number.
                    let below = target - self.sums[place - 1];
                    let above = self.sums[place] - target;
                    let tie = below == above;
                    let lower = below < above && !tie || tie && place.is_multiple_of(2);
                    self.values[if lower { place - 1 } else { place }]
                }
                _ => self.values[place],
            });
        }
        let place = (0..n).collect::<Vec<_>>().partition_point(|k| knot(*k) < p);
        if place == 0 {
            return Some(self.values[0]);
        }
        if place == n {
            return Some(self.values[n - 1]);
        }
        let (left, right) = (knot(place - 1), knot(place));
        let share = if right > left { (p - left) / (right - left) } else { 1.0 };
        Some(self.values[place - 1] + share * (self.values[place] - self.values[place - 1]))
    }
}
