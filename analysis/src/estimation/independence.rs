//! Tests of independence in two-way tables: Rao–Scott and Wald.
//!
//! Sources: Rao and Scott (1984); Koch, Freeman and Freeman (1975) for the Wald tests; Ruben (1962) for
//! sums of weighted chi-squares; Kuonen (1999) for their saddlepoint approximation.

use serde_json::Value;

use super::EstimationError;
use super::algebra::Matrix;
use super::context::{Answer, Context};
use super::crosstab::Cells;
use super::distributions::{chi_square_upper, f_upper, normal_cdf};
use super::survey::{Block, Gradient};
use crate::table::MISSING;

const TESTS: &str = "F, Chisq, Wald, adjWald, lincom, saddlepoint";

pub(crate) fn independence(context: &Context) -> Result<Answer, EstimationError> {
    let test = context.request.test.as_deref().unwrap_or("F");
    if !TESTS.split(", ").any(|t| t == test) {
        return Err(EstimationError::Choice { field: "test", value: test.into(), offered: TESTS });
    }
    let cells = Cells::of(context)?;
    let mut rows = Vec::new();
    for group in 0..context.groups.labels.len() {
        rows.push(one(context, &cells, group, test)?);
    }
    Ok(Answer::new(context, rows, None))
}

fn one(
    context: &Context,
    cells: &Cells,
    group: usize,
    test: &str,
) -> Result<super::result::Row, EstimationError> {
    let columns = cells.col_levels.len() as u32;
    let mut seen = (vec![false; cells.row_levels.len()], vec![false; cells.col_levels.len()]);
    let mut n = 0_usize;
    for (row, (kept, cell)) in cells.kept.iter().zip(&cells.cell).enumerate() {
        if *kept == group as u32 {
            seen.0[(cell / columns) as usize] = true;
            seen.1[(cell % columns) as usize] = true;
            n += context.survey.rows_behind(row);
        }
    }
    // Levels without rows are no part of the test.
    let renumber = |seen: &[bool]| -> Vec<u32> {
        let mut next = 0;
        seen.iter()
            .map(|s| {
                next += u32::from(*s);
                if *s { next - 1 } else { MISSING }
            })
            .collect()
    };
    let (row_of, col_of) = (renumber(&seen.0), renumber(&seen.1));
    let count = |seen: &[bool]| seen.iter().filter(|s| **s).count();
    let (r, c) = (count(&seen.0), count(&seen.1));
    for (variable, got) in [(&cells.rows, r), (&cells.cols, c)] {
        if got < 2 {
            let column = variable.name.clone();
            return Err(EstimationError::GroupCount { column, got, needed: "at least 2" });
        }
    }
    let codes: Vec<u32> = cells
        .kept
        .iter()
        .zip(&cells.cell)
        .map(|(kept, cell)| {
            if *kept != group as u32 {
                return MISSING;
            }
            row_of[(cell / columns) as usize] * c as u32 + col_of[(cell % columns) as usize]
        })
        .collect();
    let size = r * c;
    let in_group: Vec<u32> = codes.iter().map(|code| if *code == MISSING { MISSING } else { 0 }).collect();
    let shares = context.survey.smooth(
        &[
            Block { values: None, codes: codes.as_slice().into(), levels: size },
            // All cells have a total of their own, so that the derivative of a share has two entries.
            Block { values: None, codes: in_group.as_slice().into(), levels: 1 },
        ],
        true,
        |t| {
            let total: f64 = t[..size].iter().sum();
            t[..size].iter().map(|v| v / total).collect()
        },
        |t, values| {
            let total: f64 = t[..size].iter().sum();
            let slopes =
                |(i, value): (usize, &f64)| -> Gradient { vec![(i, 1.0 / total), (size, -value / total)] };
            values.iter().enumerate().map(slopes).collect()
        },
    )?;
    let p = &shares.values;
    let v = &shares.variance;
    let of_row: Vec<f64> = (0..r).map(|i| (0..c).map(|j| p[i * c + j]).sum()).collect();
    let of_col: Vec<f64> = (0..c).map(|j| (0..r).map(|i| p[i * c + j]).sum()).collect();
    let k = (r - 1) * (c - 1);
    let nu = context.df(group);
    let (value, df, p_value) = if test == "Wald" || test == "adjWald" {
        let statistic = wald(context, &codes, r, c)?;
        let k_real = k as f64;
        if test == "Wald" {
            let f = statistic / k_real;
            (f, Value::from(vec![k_real, nu]), f_upper(f, k_real, nu))
        } else {
            let below = nu - k_real + 1.0;
            let f = statistic * below / (k_real * nu);
            (f, Value::from(vec![k_real, below]), f_upper(f, k_real, below))
        }
    } else {
        // R scales the table to all rows of the domain, also those that miss a value; p is unchanged by it.
        let scaled_to: f64 =
            context.groups.rows[group].iter().map(|row| context.survey.rows_behind(*row) as f64).sum();
        let pearson: f64 = scaled_to
            * (0..size)
                .map(|i| {
                    let expected = of_row[i / c] * of_col[i % c];
                    (p[i] - expected).powi(2) / expected
                })
                .sum::<f64>();
        let effects = design_effects(p, v, r, c, scaled_to)?;
        // The sums of the eigenvalues and of their squares need no eigenvalue.
        let trace = effects.trace();
        let squares: f64 = effects.values.iter().map(|e| e * e).sum();
        match test {
            "F" => {
                let d0 = trace * trace / squares;
                let f = pearson / trace;
                (f, Value::from(vec![d0, d0 * nu]), f_upper(f, d0, d0 * nu))
            }
            "Chisq" => {
                let tail = chi_square_upper(pearson / (trace / k as f64), k as f64);
                (pearson, Value::from(vec![k as f64]), tail)
            }
            // The denominator has the degrees of freedom of the F form.
            "lincom" => {
                let below = trace * trace / squares * nu;
                let effects = effects.symmetric_eigenvalues();
                (pearson, Value::Null, weighted_f_upper(pearson, &effects, below)?)
            }
            _ => {
                let below = trace * trace / squares * nu;
                (pearson, Value::Null, saddlepoint_upper(pearson, &effects.symmetric_eigenvalues(), below))
            }
        }
    };
    let mut row = context.row(group);
    row.variable = Some(format!("{}*{}", cells.rows.name, cells.cols.name));
    row.df = df;
    row.more.insert("test".into(), test.into());
    row.more.insert("value".into(), value.into());
    row.more.insert("p_value".into(), p_value.into());
    row.answered = Some(n);
    row.psus = Some(context.count(&in_group, 1)[0].1);
    Ok(row)
}

/// The symmetric matrix whose eigenvalues are the generalised design effects, those of
/// (C′D⁻¹C/n)⁻¹ C′D⁻¹VD⁻¹C, with C the interaction contrasts.
fn design_effects(p: &[f64], v: &Matrix, r: usize, c: usize, n: f64) -> Result<Matrix, EstimationError> {
    let size = r * c;
    let k = (r - 1) * (c - 1);
    let contrast = Matrix::from_fn(size, k, |cell, column| {
        let (i, j) = (cell / c, cell % c);
        let (a, b) = (column / (c - 1), column % (c - 1));
        let part = |at: usize, own: usize, last: usize| match at {
            at if at == own => 1.0,
            at if at == last => -1.0,
            _ => 0.0,
        };
        part(i, a, r - 1) * part(j, b, c - 1)
    });
    let scaled =
        Matrix::from_fn(
            size,
            k,
            |cell, column| {
                if p[cell] > 0.0 { contrast.at(cell, column) / p[cell] } else { 0.0 }
            },
        );
    let simple = contrast.transposed().times(&scaled);
    let actual = scaled.transposed().times(v).times(&scaled);
    let factor = simple.cholesky().ok_or(EstimationError::SingularTest)?;
    let half = factor.solve(&actual).ok_or(EstimationError::SingularTest)?;
    let whole = factor.solve(&half.transposed()).ok_or(EstimationError::SingularTest)?;
    Ok(Matrix::from_fn(k, k, |i, j| n * 0.5 * (whole.at(i, j) + whole.at(j, i))))
}

/// Quadratic form of N_ij − N_i N_j / N over all but the last row and column.
fn wald(context: &Context, codes: &[u32], r: usize, c: usize) -> Result<f64, EstimationError> {
    let k = (r - 1) * (c - 1);
    let margins = |t: &[f64]| -> (Vec<f64>, Vec<f64>, f64) {
        let rows: Vec<f64> = (0..r).map(|i| t[i * c..(i + 1) * c].iter().sum()).collect();
        let cols = (0..c).map(|j| (0..r).map(|i| t[i * c + j]).sum()).collect();
        let total = rows.iter().sum();
        (rows, cols, total)
    };
    let residuals = context.survey.smooth(
        &[Block { values: None, codes: codes.into(), levels: r * c }],
        true,
        |t| {
            let (rows, cols, total) = margins(t);
            (0..k)
                .map(|column| (column / (c - 1), column % (c - 1)))
                .map(|(a, b)| t[a * c + b] - rows[a] * cols[b] / total)
                .collect()
        },
        |t, _| {
            let (rows, cols, total) = margins(t);
            (0..k)
                .map(|column| (column / (c - 1), column % (c - 1)))
                .map(|(a, b)| -> Gradient {
                    (0..r * c)
                        .map(|cell| {
                            let (own_row, own_col) = (cell / c == a, cell % c == b);
                            let mut slope = rows[a] * cols[b] / (total * total);
                            if own_row && own_col {
                                slope += 1.0;
                            }
                            if own_row {
                                slope -= cols[b] / total;
                            }
                            if own_col {
                                slope -= rows[a] / total;
                            }
                            (cell, slope)
                        })
                        .collect()
                })
                .collect()
        },
    )?;
    let residual = Matrix { rows: k, columns: 1, values: residuals.values };
    let solved = residuals.variance.solve(&residual).ok_or(EstimationError::SingularTest)?;
    Ok(residual.transposed().times(&solved).at(0, 0))
}

/// P(Σ λ χ²₁ > x χ²_d / d), exact: Ruben's mixture of chi-squares, whose terms are all positive.
fn weighted_f_upper(x: f64, effects: &[f64], d: f64) -> Result<f64, EstimationError> {
    let largest = effects.iter().fold(0.0_f64, |m, e| m.max(*e));
    let effects: Vec<f64> = effects.iter().copied().filter(|e| *e > 1e-9 * largest).collect();
    if effects.is_empty() {
        return Err(EstimationError::SingularTest);
    }
    let beta = effects.iter().fold(f64::INFINITY, |m, e| m.min(*e));
    let m = effects.len() as f64;
    let ratios: Vec<f64> = effects.iter().map(|e| 1.0 - beta / e).collect();
    let mut powers = vec![1.0; ratios.len()];
    let mut weights = vec![effects.iter().map(|e| (beta / e).sqrt()).product::<f64>()];
    let mut sums: Vec<f64> = Vec::new();
    let mut mass = weights[0];
    let mut tail = weights[0] * f_upper(x / (beta * m), m, d);
    for k in 1..20_000 {
        if 1.0 - mass < 1e-15 {
            break;
        }
        powers.iter_mut().zip(&ratios).for_each(|(p, r)| *p *= r);
        sums.push(powers.iter().sum());
        let weight: f64 = (0..k).map(|j| sums[k - 1 - j] * weights[j]).sum::<f64>() / (2.0 * k as f64);
        weights.push(weight);
        mass += weight;
        let wider = m + 2.0 * k as f64;
        tail += weight * f_upper(x / (beta * wider), wider, d);
        if weight < 1e-17 && k > 50 {
            break;
        }
    }
    Ok(tail)
}

/// The same tail by Kuonen's saddlepoint: Σ λ χ²₁ − (x / d) χ²_d above 0.
fn saddlepoint_upper(x: f64, effects: &[f64], d: f64) -> f64 {
    let largest = effects.iter().fold(0.0_f64, |m, e| m.max(*e));
    let parts: Vec<(f64, f64)> = effects.iter().map(|e| (*e, 1.0)).chain([(-x / d, d)]).collect();
    let cumulant = |z: f64| -> f64 { parts.iter().map(|(e, n)| -0.5 * n * (1.0 - 2.0 * e * z).ln()).sum() };
    let slope = |z: f64| -> f64 { parts.iter().map(|(e, n)| n * e / (1.0 - 2.0 * e * z)).sum() };
    let bend =
        |z: f64| -> f64 { parts.iter().map(|(e, n)| 2.0 * n * (e / (1.0 - 2.0 * e * z)).powi(2)).sum() };
    let mut low = -(1.0 - 1e-12) * d / (2.0 * x);
    let mut high = (1.0 - 1e-12) / (2.0 * largest);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let z = 0.5 * (low + high);
    let w = z.signum() * (-2.0 * cumulant(z)).max(0.0).sqrt();
    let v = z * bend(z).sqrt();
    if w.abs() < 1e-6 { 0.5 } else { normal_cdf(-(w + (v / w).ln() / w)) }
}
