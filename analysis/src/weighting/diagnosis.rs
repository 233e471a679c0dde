//! What an analyst looks at before trusting weights: distribution, Kish's effect, margins before and
//! after, convergence, extreme weights by stratum.

use serde::{Deserialize, Serialize};

use super::Adjusted;
use super::assumed::AssumedRun;
use super::response::Response;
use super::steps::Step;
use crate::estimation::design::Design;
use crate::table::MISSING;

/// The diagnosis page of a weighting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Rows with a weight above zero.
    pub respondents: usize,
    pub rows: usize,
    pub sum_of_weights: f64,
    pub base: Distribution,
    pub r#final: Distribution,
    /// Final weight over base weight.
    pub factor: Distribution,
    /// 1 + cv² of the weights: how much variance unequal weights cost (Kish 1992).
    pub kish_effect: f64,
    /// Respondents / Kish effect.
    pub effective_n: f64,
    pub steps: Vec<StepReport>,
    pub margins: Vec<MarginCheck>,
    /// The heaviest weight of each stratum beside the stratum's median.
    pub extremes: Vec<Extreme>,
    /// Response rates, where the plan names dispositions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// What ± 5 points of each assumed margin would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<AssumedRun>,
    /// Final weights of the respondents, for the picture of their distribution.
    #[serde(skip)]
    pub weights: Vec<f64>,
}

/// Quantiles of weights; quantiles are data values (the smallest that reaches the share).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    pub min: f64,
    pub p5: f64,
    pub p25: f64,
    pub median: f64,
    pub mean: f64,
    pub p75: f64,
    pub p95: f64,
    pub max: f64,
    /// Standard deviation over mean.
    pub cv: f64,
}

/// How one step went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub method: String,
    pub iterations: usize,
    /// Largest relative gap that is left.
    pub gap: f64,
    pub trimmed: usize,
}

/// One margin of raking or poststratification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarginCheck {
    pub margin: String,
    pub categories: Vec<Category>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Category {
    pub category: String,
    pub respondents: usize,
    /// Weighted counts before any adjustment (all rows of the sample), and after all of them.
    pub before: f64,
    pub after: f64,
    pub target: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    pub stratum: String,
    /// Row of the data, from 1.
    pub row: usize,
    pub weight: f64,
    pub stratum_median: f64,
    /// Rows of the stratum with more than five times its median.
    #[serde(default)]
    pub above_five_medians: usize,
}

impl Distribution {
    /// Of these values; all zeros when there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        if n == 0 {
            return Self::default();
        }
        let at = |share: f64| values[((share * n as f64).ceil() as usize).clamp(1, n) - 1];
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        Self {
            min: values[0],
            p5: at(0.05),
            p25: at(0.25),
            median: at(0.5),
            mean,
            p75: at(0.75),
            p95: at(0.95),
            max: values[n - 1],
            cv: variance.sqrt() / mean,
        }
    }
}

impl Diagnosis {
    pub(crate) fn of(design: &Design, steps: &[Step], adjusted: &Adjusted) -> Self {
        let weights = &adjusted.weights;
        let base = &design.base_weights;
        let alive: Vec<usize> = (0..weights.len()).filter(|row| weights[*row] != 0.0).collect();
        let sum: f64 = alive.iter().map(|r| weights[*r]).sum();
        let squares: f64 = alive.iter().map(|r| weights[*r].powi(2)).sum();
        let kish_effect = alive.len() as f64 * squares / (sum * sum);
        let margins = steps
            .iter()
            .flat_map(Step::margins)
            .map(|margin| {
                let mut categories: Vec<Category> = margin
                    .names
                    .iter()
                    .zip(&margin.totals)
                    .map(|(name, target)| Category {
                        category: name.clone(),
                        target: *target,
                        ..Category::default()
                    })
                    .collect();
                for (row, code) in margin.codes.iter().enumerate().filter(|(_, c)| **c != MISSING) {
                    let category = &mut categories[*code as usize];
                    category.before += base[row];
                    category.after += weights[row];
                    category.respondents += usize::from(weights[row] != 0.0);
                }
                MarginCheck { margin: margin.margin.clone(), categories }
            })
            .collect();
        let reports = steps
            .iter()
            .zip(&adjusted.outcomes)
            .map(|(step, outcome)| StepReport {
                method: step.method().to_owned(),
                iterations: outcome.iterations,
                gap: outcome.gap,
                trimmed: outcome.trimmed,
            })
            .collect();
        let mut by_stratum: Vec<Vec<usize>> = vec![Vec::new(); design.stratum_names.len()];
        for row in &alive {
            by_stratum[design.strata[*row] as usize].push(*row);
        }
        let extremes = by_stratum
            .iter()
            .zip(&design.stratum_names)
            .filter_map(|(rows, stratum)| {
                let row = *rows.iter().max_by(|a, b| weights[**a].total_cmp(&weights[**b]).then(b.cmp(a)))?;
                let median = Distribution::of(rows.iter().map(|r| weights[*r])).median;
                Some(Extreme {
                    stratum: stratum.clone(),
                    row: row + 1,
                    weight: weights[row],
                    stratum_median: median,
                    above_five_medians: rows.iter().filter(|r| weights[**r] > 5.0 * median).count(),
                })
            })
            .collect();
        Self {
            respondents: alive.len(),
            rows: weights.len(),
            sum_of_weights: sum,
            base: Distribution::of(alive.iter().map(|r| base[*r])),
            r#final: Distribution::of(alive.iter().map(|r| weights[*r])),
            factor: Distribution::of(alive.iter().map(|r| weights[*r] / base[*r])),
            kish_effect,
            effective_n: alive.len() as f64 / kish_effect,
            steps: reports,
            margins,
            extremes,
            response: None,
            assumed: Vec::new(),
            weights: alive.iter().map(|r| weights[*r]).collect(),
        }
    }
}
