//! Proportions with every interval of R's `svyciprop`.

use super::EstimationError;
use super::context::{Answer, Context, Kind, Variable, critical, set_figures};
use super::distributions::{beta_quantile, t_quantile};
use super::survey::Block;
use crate::sql::Expression;
use crate::table::Column;

const METHODS: &str = "logit, likelihood, asin, beta, mean, xlogit, wilson";

/// A condition or a 0/1 column; `se` is the proportion's for every interval.
pub(crate) fn proportion(context: &Context) -> Result<Answer, EstimationError> {
    let method = context.request.method.as_deref().unwrap_or("logit");
    if !METHODS.split(", ").any(|m| m == method) {
        return Err(EstimationError::Choice { field: "method", value: method.into(), offered: METHODS });
    }
    let variables: Vec<Variable> =
        context.of()?.iter().map(|of| binary(context, of)).collect::<Result<_, _>>()?;
    let kept = context.complete(&variables.iter().collect::<Vec<_>>())?;
    let per_group = variables.len();
    let estimated = context.in_groups(&kept, per_group, |codes, groups| {
        let mut blocks = vec![Block { values: None, codes: codes.into(), levels: groups }];
        for variable in &variables {
            if let Kind::Number(values) = &variable.kind {
                blocks.push(Block {
                    values: Some(values.as_slice().into()),
                    codes: codes.into(),
                    levels: groups,
                });
            }
        }
        let places: Vec<(usize, usize)> =
            (0..groups).flat_map(|g| (0..per_group).map(move |v| (g, (v + 1) * groups + g))).collect();
        context.survey.smooth(
            &blocks,
            context.full,
            |totals| places.iter().map(|(g, p)| totals[*p] / totals[*g]).collect(),
            |totals, values| {
                places
                    .iter()
                    .zip(values)
                    .map(|((g, p), value)| vec![(*p, 1.0 / totals[*g]), (*g, -value / totals[*g])])
                    .collect()
            },
        )
    })?;
    let counts = context.count(&kept, context.groups.labels.len());
    let mut rows = Vec::with_capacity(estimated.values.len());
    for (group, (answered, psus)) in counts.iter().enumerate() {
        for (v, variable) in variables.iter().enumerate() {
            let place = group * per_group + v;
            let (p, variance) = (estimated.values[place], estimated.variance.at(place, place));
            let mut row = context.row(group);
            row.variable = Some(variable.name.clone());
            set_figures(&mut row, p, variance, None);
            let sample = Sample {
                rows: context.groups.rows[group]
                    .iter()
                    .map(|row| context.survey.rows_behind(*row) as f64)
                    .sum(),
                answered: *answered as f64,
                weight_ratio: weight_ratio(context, &kept, group),
                df: context.interval_df(group),
                level: context.request.level,
            };
            if *answered > 0 {
                let (low, high) = if p <= 0.0 || p >= 1.0 {
                    row.more.insert(
                        "reason".into(),
                        format!(
                            "all {answered} answers are alike; the limits are those of Clopper and Pearson"
                        )
                        .into(),
                    );
                    clopper_pearson(p, sample.answered, sample.level)
                } else {
                    interval(method, p, variance, &sample)
                };
                row.ci_low = Some(low).filter(|v| v.is_finite());
                row.ci_high = Some(high).filter(|v| v.is_finite());
            }
            row.answered = Some(*answered);
            row.psus = Some(*psus);
            rows.push(row);
        }
    }
    Ok(Answer::new(context, rows, Some(estimated.variance)))
}

fn weight_ratio(context: &Context, kept: &[u32], group: usize) -> f64 {
    let rows = &context.groups.rows[group];
    let weights = &context.survey.weights;
    let mean = |rows: &mut dyn Iterator<Item = &usize>| {
        let (sum, n) = rows.fold((0.0, 0.0), |(sum, n), row| {
            (sum + weights[*row], n + context.survey.rows_behind(*row) as f64)
        });
        sum / n
    };
    mean(&mut rows.iter().filter(|row| kept[**row] == group as u32)) / mean(&mut rows.iter())
}

/// A 0/1 column of that name, else a condition in SQL.
pub(super) fn binary(context: &Context, of: &str) -> Result<Variable, EstimationError> {
    let column = match context.survey.table.get(of) {
        Some(column) => column.clone(),
        None => Expression::parse(of)?.column(&context.survey.table)?,
    };
    let values = match column {
        Column::Number(values) => values,
        Column::Category { .. } => {
            return Err(EstimationError::Choice {
                field: "of",
                value: of.into(),
                offered: "a 0/1 column or a condition such as \"sex\" = 'F'",
            });
        }
    };
    if let Some(value) = values.iter().find(|v| !v.is_nan() && **v != 0.0 && **v != 1.0) {
        return Err(EstimationError::NotBinary { column: of.into(), value: *value });
    }
    Ok(Variable { name: of.into(), category: None, kind: Kind::Number(values) })
}

pub(crate) struct Sample {
    /// Rows of the domain (R's `nrow(design)`).
    pub rows: f64,
    /// Rows with an answer.
    pub answered: f64,
    /// Mean weight of the rows with an answer over that of all rows of the domain.
    pub weight_ratio: f64,
    pub df: f64,
    pub level: f64,
}

/// Limits of a proportion strictly between 0 and 1.
pub(crate) fn interval(method: &str, p: f64, variance: f64, sample: &Sample) -> (f64, f64) {
    let t = critical(sample.level, sample.df);
    let se = variance.sqrt();
    let odd = p * (1.0 - p);
    match method {
        "asin" => {
            let middle = p.sqrt().asin();
            let half = t * se / (2.0 * odd.sqrt());
            ((middle - half).sin().powi(2), (middle + half).sin().powi(2))
        }
        "beta" => {
            let alpha = 1.0 - sample.level;
            let lost = t_quantile(alpha / 2.0, sample.rows - 1.0) / t_quantile(alpha / 2.0, sample.df);
            let n = odd / variance * lost * lost;
            (
                beta_quantile(alpha / 2.0, n * p, n * (1.0 - p) + 1.0),
                beta_quantile(1.0 - alpha / 2.0, n * p + 1.0, n * (1.0 - p)),
            )
        }
        "wilson" => {
            // Effective n and the t value of the design (Dean and Pagano 2015).
            let n = odd / variance;
            let middle = (p + t * t / (2.0 * n)) / (1.0 + t * t / n);
            let half = t / (1.0 + t * t / n) * (odd / n + t * t / (4.0 * n * n)).sqrt();
            (middle - half, middle + half)
        }
        "likelihood" => likelihood(p, variance, sample.answered, t, sample.weight_ratio),
        "mean" => (p - t * se, p + t * se),
        // A logistic regression on a constant is the logit of the proportion.
        _ => {
            let middle = (p / (1.0 - p)).ln();
            let half = t * se / odd;
            (logistic(middle - half), logistic(middle + half))
        }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Where the deviance, scaled by the design effect, reaches t² (Rao and Scott 1984).
fn likelihood(p: f64, variance: f64, n: f64, t: f64, weight_ratio: f64) -> (f64, f64) {
    let effect = variance * n / (p * (1.0 - p));
    let deviance = |q: f64| {
        let part = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
        2.0 * n * (part(p, q) + part(1.0 - p, 1.0 - q))
    };
    // R scales the deviance by the Pearson dispersion, n / (n − 1) here, under weights relative to the
    // mean of all rows.
    let target = t * t * effect * n / (n - 1.0) * weight_ratio;
    let solve = |mut inside: f64, mut outside: f64| {
        for _ in 0..200 {
            let middle = 0.5 * (inside + outside);
            if deviance(middle) < target {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        0.5 * (inside + outside)
    };
    (solve(p, 0.0), solve(p, 1.0))
}

fn clopper_pearson(p: f64, n: f64, level: f64) -> (f64, f64) {
    let alpha = 1.0 - level;
    let x = (p * n).round();
    (beta_quantile(alpha / 2.0, x, n - x + 1.0), beta_quantile(1.0 - alpha / 2.0, x + 1.0, n - x))
}
