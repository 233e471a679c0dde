//! Margins that are assumed, not counted: what would change if they were otherwise.
//!
//! Census figures are of all ages and of their year; a survey of adults takes their shares over. Each
//! share of such a margin is moved by 5 points up and down, the others in proportion, and the weights
//! are made again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::estimation::plan::{Adjustment, Plan};

/// How far a share is moved.
const POINTS: f64 = 0.05;

/// One run with one share of an assumed margin moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AssumedRun {
    /// The margin's columns joined by `, `.
    pub margin: String,
    pub category: String,
    /// The share as assumed, and in this run; never moved beyond half of itself or half of the rest.
    pub share: f64,
    pub moved_to: f64,
    /// `None` where the run failed.
    pub kish_effect: Option<f64>,
    pub effective_n: Option<f64>,
    /// Why the run failed.
    pub reason: Option<String>,
}

/// Every run of a plan, with the plan that it makes.
pub(crate) fn runs(plan: &Plan) -> Vec<(AssumedRun, Plan)> {
    let mut runs = Vec::new();
    for (step, adjustment) in plan.adjust.iter().enumerate() {
        match adjustment {
            Adjustment::Poststratify { by, totals, assumed: true, .. } => {
                moved(by, totals, &mut runs, plan, |plan, moved| {
                    if let Adjustment::Poststratify { totals, .. } = &mut plan.adjust[step] {
                        *totals = moved;
                    }
                });
            }
            Adjustment::Rake { margins, .. } => {
                for (place, margin) in margins.iter().enumerate().filter(|(_, margin)| margin.assumed) {
                    moved(&margin.by, &margin.totals, &mut runs, plan, |plan, moved| {
                        if let Adjustment::Rake { margins, .. } = &mut plan.adjust[step] {
                            margins[place].totals = moved;
                        }
                    });
                }
            }
            _ => {}
        }
    }
    runs
}

fn moved(
    by: &[String],
    totals: &[Map<String, Value>],
    runs: &mut Vec<(AssumedRun, Plan)>,
    plan: &Plan,
    put: impl Fn(&mut Plan, Vec<Map<String, Value>>),
) {
    let numbers: Vec<f64> =
        totals.iter().map(|entry| entry.get("total").and_then(Value::as_f64).unwrap_or(0.0)).collect();
    let sum: f64 = numbers.iter().sum();
    for (place, number) in numbers.iter().enumerate() {
        let share = number / sum;
        // Of two shares each run of the one is a run of the other.
        if !(share > 0.0 && share < 1.0) || numbers.len() == 2 && place == 1 {
            continue;
        }
        let category = by
            .iter()
            .map(|column| match totals[place].get(column) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            })
            .collect::<Vec<_>>()
            .join(", ");
        for moved_to in [(share - POINTS).max(share / 2.0), (share + POINTS).min((1.0 + share) / 2.0)] {
            let others = (1.0 - moved_to) / (1.0 - share);
            let totals = totals
                .iter()
                .enumerate()
                .map(|(other, entry)| {
                    let mut entry = entry.clone();
                    let total = if other == place { moved_to * sum } else { numbers[other] * others };
                    entry.insert("total".into(), total.into());
                    entry
                })
                .collect();
            let mut own = plan.clone();
            put(&mut own, totals);
            let run = AssumedRun {
                margin: by.join(", "),
                category: category.clone(),
                share,
                moved_to,
                ..AssumedRun::default()
            };
            runs.push((run, own));
        }
    }
}

impl AssumedRun {
    /// With the weights of the run.
    pub(crate) fn with(mut self, weights: &[f64]) -> Self {
        let alive = weights.iter().filter(|w| **w != 0.0);
        let (n, sum, squares) =
            alive.fold((0.0, 0.0, 0.0), |(n, sum, squares), w| (n + 1.0, sum + w, squares + w * w));
        self.kish_effect = Some(n * squares / (sum * sum));
        self.effective_n = Some(sum * sum / squares);
        self
    }
}
