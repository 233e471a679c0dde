//! Weighted generalised linear models with design-based errors.
//!
//! Coefficients by iteratively reweighted least squares, errors by linearisation (Binder 1983) or
//! by refitting in every replicate.

use super::EstimationError;
use super::algebra::Matrix;
use super::context::{Answer, Context, critical, set_figures};
use super::distributions::{normal_cdf, normal_quantile, t_two_sided};
use super::formula::{Formula, ModelMatrix};
use super::plan::{Family, Interval, MissingRule};
use crate::table::MISSING;

const FAMILIES: &str = "gaussian, binomial, quasibinomial, poisson, quasipoisson";
const LINKS: &str = "identity, log, logit, probit, cloglog";

#[derive(Clone, Copy, PartialEq)]
enum Spread {
    Constant,
    Binomial,
    Poisson,
}

#[derive(Clone, Copy, PartialEq)]
enum Link {
    Identity,
    Log,
    Logit,
    Probit,
    Cloglog,
}

#[derive(Clone, Copy)]
struct Model {
    spread: Spread,
    link: Link,
}

impl Model {
    fn of(family: Option<&Family>) -> Result<Self, EstimationError> {
        let (name, link) = match family {
            None => ("gaussian", None),
            Some(Family::Name(name)) => (name.as_str(), None),
            Some(Family::Linked { name, link }) => (name.as_str(), Some(link.as_str())),
        };
        let (spread, natural) = match name {
            "gaussian" => (Spread::Constant, Link::Identity),
            "binomial" | "quasibinomial" => (Spread::Binomial, Link::Logit),
            "poisson" | "quasipoisson" => (Spread::Poisson, Link::Log),
            _ => {
                return Err(EstimationError::Choice {
                    field: "family",
                    value: name.into(),
                    offered: FAMILIES,
                });
            }
        };
        let link = match link {
            None => natural,
            Some("identity") => Link::Identity,
            Some("log") => Link::Log,
            Some("logit") => Link::Logit,
            Some("probit") => Link::Probit,
            Some("cloglog") => Link::Cloglog,
            Some(other) => {
                return Err(EstimationError::Choice { field: "link", value: other.into(), offered: LINKS });
            }
        };
        Ok(Self { spread, link })
    }

    fn variance(self, mean: f64) -> f64 {
        match self.spread {
            Spread::Constant => 1.0,
            Spread::Binomial => mean * (1.0 - mean),
            Spread::Poisson => mean,
        }
    }

    /// The mean at a linear predictor, and its slope.
    fn mean(self, eta: f64) -> (f64, f64) {
        match self.link {
            Link::Identity => (eta, 1.0),
            Link::Log => (eta.exp(), eta.exp()),
            Link::Logit => {
                let mean = 1.0 / (1.0 + (-eta).exp());
                (mean, (mean * (1.0 - mean)).max(f64::EPSILON))
            }
            Link::Probit => {
                let slope = (-0.5 * eta * eta).exp() / (2.0 * std::f64::consts::PI).sqrt();
                let mean = normal_cdf(eta).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                (mean, slope.max(f64::EPSILON))
            }
            Link::Cloglog => {
                let e = eta.min(700.0).exp();
                let mean = (-(-e).exp_m1()).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                (mean, (e * (-e).exp()).max(f64::EPSILON))
            }
        }
    }

    fn link(self, mean: f64) -> f64 {
        match self.link {
            Link::Identity => mean,
            Link::Log => mean.ln(),
            Link::Logit => (mean / (1.0 - mean)).ln(),
            Link::Probit => normal_quantile(mean),
            Link::Cloglog => (-(-mean).ln_1p()).ln(),
        }
    }

    /// Deviance of one outcome.
    fn deviance(self, y: f64, mean: f64) -> f64 {
        let part = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
        match self.spread {
            Spread::Constant => (y - mean).powi(2),
            Spread::Binomial => 2.0 * (part(y, mean) + part(1.0 - y, 1.0 - mean)),
            Spread::Poisson => 2.0 * (part(y, mean) - (y - mean)),
        }
    }

    /// R's starting means; `weight` is relative to the mean weight.
    fn start(self, y: f64, weight: f64) -> f64 {
        match self.spread {
            Spread::Constant => y,
            Spread::Binomial => (weight * y + 0.5) / (weight + 1.0),
            Spread::Poisson => y + 0.1,
        }
    }
}

/// Coefficients, (X′WX)⁻¹ and the working residuals times working weights of the rows used.
struct Fit {
    coefficients: Vec<f64>,
    bread: Matrix,
    residual: Vec<f64>,
}

pub(crate) fn regression(context: &Context) -> Result<Answer, EstimationError> {
    let formula = Formula::parse(context.needed(context.request.formula.as_deref(), "formula")?)?;
    let model = Model::of(context.request.family.as_ref())?;
    let survey = context.survey;
    let mut rows = Vec::new();
    let mut covariance = None;
    for group in 0..context.groups.labels.len() {
        let here: Vec<bool> = context.groups.codes.iter().map(|c| *c == group as u32).collect();
        let matrix = formula.matrix(&survey.table, &here)?;
        let used: Vec<usize> = (0..here.len()).filter(|r| matrix.complete[*r]).collect();
        let lost = context.groups.rows[group].len() - used.len();
        if lost > 0 && context.request.missing == MissingRule::Error {
            return Err(EstimationError::MissingValues { column: formula.text.clone(), count: lost });
        }
        check_outcome(&matrix, model, &used, &formula)?;
        let fit = fit(&matrix, model, &used, &survey.weights)?;
        let p = fit.coefficients.len();
        let variance = match &survey.replicates {
            Some(replicates) => {
                let estimates = (0..replicates.count())
                    .map(|r| fit_coefficients(&matrix, model, &used, &replicates.row_weights(r)))
                    .collect::<Result<Vec<_>, _>>()?;
                replicates.variance(&fit.coefficients, &estimates, true)
            }
            None => {
                let mut influence = vec![vec![0.0; here.len()]; p];
                for row in &used {
                    for (i, column) in influence.iter_mut().enumerate() {
                        let score: f64 = (0..p).map(|j| fit.bread.at(i, j) * matrix.columns[j][*row]).sum();
                        column[*row] = score * fit.residual[*row];
                    }
                }
                let codes: Vec<u32> = matrix.complete.iter().map(|c| if *c { 0 } else { MISSING }).collect();
                survey.linear(influence, &codes)?
            }
        };
        let df = context.request.df.unwrap_or(context.groups.df[group] + 1.0 - p as f64);
        let interval_df = if context.request.interval == Interval::Z { f64::INFINITY } else { df };
        let codes: Vec<u32> = matrix.complete.iter().map(|c| if *c { 0 } else { MISSING }).collect();
        let (answered, psus) = context.count(&codes, 1)[0];
        for (i, name) in matrix.names.iter().enumerate() {
            let mut row = context.row(group);
            row.variable = Some(name.clone());
            row.more.insert("term".into(), name.clone().into());
            row.df = df.into();
            let (value, v) = (fit.coefficients[i], variance.at(i, i));
            set_figures(&mut row, value, v, Some(critical(context.request.level, interval_df)));
            let p_value = t_two_sided(value / v.sqrt(), df);
            row.more.insert("p_value".into(), p_value.into());
            row.answered = Some(answered);
            row.psus = Some(psus);
            rows.push(row);
        }
        covariance = (context.groups.labels.len() == 1).then_some(variance);
    }
    Ok(Answer::new(context, rows, covariance))
}

fn check_outcome(
    matrix: &ModelMatrix,
    model: Model,
    used: &[usize],
    formula: &Formula,
) -> Result<(), EstimationError> {
    let fits = |y: f64| match model.spread {
        Spread::Constant => true,
        Spread::Binomial => (0.0..=1.0).contains(&y),
        Spread::Poisson => y >= 0.0,
    };
    match used.iter().find(|r| !fits(matrix.response[**r])) {
        None if used.is_empty() => Err(EstimationError::EmptyDomain),
        None => Ok(()),
        Some(row) => Err(EstimationError::Formula {
            formula: formula.text.clone(),
            reason: format!(
                "the outcome is {} in row {}; the family needs {}",
                matrix.response[*row],
                row + 1,
                if model.spread == Spread::Binomial { "values from 0 to 1" } else { "values not below 0" }
            ),
        }),
    }
}

fn fit_coefficients(
    matrix: &ModelMatrix,
    model: Model,
    used: &[usize],
    weights: &[f64],
) -> Result<Vec<f64>, EstimationError> {
    fit(matrix, model, used, weights).map(|f| f.coefficients)
}

const ROUNDS: usize = 100;

fn fit(matrix: &ModelMatrix, model: Model, used: &[usize], weights: &[f64]) -> Result<Fit, EstimationError> {
    let p = matrix.columns.len();
    let mean_weight = used.iter().map(|r| weights[*r]).sum::<f64>() / used.len() as f64;
    let start = |row: &usize| model.link(model.start(matrix.response[*row], weights[*row] / mean_weight));
    let mut eta: Vec<f64> = used.iter().map(start).collect();
    let deviance_at = |eta: &[f64]| -> f64 {
        let of = |(row, eta): (&usize, &f64)| {
            weights[*row] / mean_weight * model.deviance(matrix.response[*row], model.mean(*eta).0)
        };
        used.iter().zip(eta).map(of).sum()
    };
    let mut deviance = deviance_at(&eta);
    for _ in 0..ROUNDS {
        let before = eta.clone();
        let mut cross = Matrix::zeros(p, p);
        let mut right = Matrix::zeros(p, 1);
        for (row, eta) in used.iter().zip(&eta) {
            let (mean, slope) = model.mean(*eta);
            let working = weights[*row] * slope * slope / model.variance(mean);
            if working == 0.0 {
                continue;
            }
            let target = eta - matrix.offset[*row] + (matrix.response[*row] - mean) / slope;
            for i in 0..p {
                let x = working * matrix.columns[i][*row];
                if x == 0.0 {
                    continue;
                }
                right.values[i] += x * target;
                for j in 0..=i {
                    cross.values[i * p + j] += x * matrix.columns[j][*row];
                }
            }
        }
        for i in 0..p {
            for j in 0..i {
                cross.set(j, i, cross.at(i, j));
            }
        }
        let redundant = || EstimationError::RedundantTerms { terms: matrix.names.join(", ") };
        // Unit diagonal first, so that the check does not depend on the units of the columns.
        let scale: Vec<f64> = (0..p).map(|i| cross.at(i, i).sqrt()).collect();
        if scale.iter().any(|s| *s == 0.0 || s.is_nan()) {
            return Err(redundant());
        }
        let scaled = Matrix::from_fn(p, p, |i, j| cross.at(i, j) / (scale[i] * scale[j]));
        if scaled.cholesky().is_none_or(|f| (0..p).any(|i| f.at(i, i) < 1e-7)) {
            return Err(redundant());
        }
        let scaled_inverse = scaled.inverse().ok_or_else(redundant)?;
        let bread = Matrix::from_fn(p, p, |i, j| scaled_inverse.at(i, j) / (scale[i] * scale[j]));
        let scaled_right = Matrix::from_fn(p, 1, |i, _| right.at(i, 0) / scale[i]);
        let solved = scaled.solve(&scaled_right).ok_or_else(redundant)?;
        let next: Vec<f64> = (0..p).map(|i| solved.at(i, 0) / scale[i]).collect();
        for (row, eta) in used.iter().zip(&mut eta) {
            *eta = matrix.offset[*row] + (0..p).map(|i| next[i] * matrix.columns[i][*row]).sum::<f64>();
        }
        let now = deviance_at(&eta);
        if now.is_nan() {
            break;
        }
        // R's rule for the end, and R's mix: working residuals of the last round, weights of the one
        // before; so that the figures agree beyond the sixth digit.
        let settled = (now - deviance).abs() / (now.abs() + 0.1) < 1e-8;
        deviance = now;
        if settled {
            let mut residual = vec![0.0; matrix.response.len()];
            for ((row, eta), before) in used.iter().zip(&eta).zip(&before) {
                let (mean, slope) = model.mean(*eta);
                let (mean_before, slope_before) = model.mean(*before);
                let working = slope_before * slope_before / model.variance(mean_before);
                residual[*row] = (matrix.response[*row] - mean) / slope * working;
            }
            return Ok(Fit { coefficients: next, bread, residual });
        }
    }
    Err(EstimationError::RegressionDiverged { iterations: ROUNDS })
}
