//! Calibration: factors near 1 whose weighted auxiliary totals are the known ones.

use super::WeightingError;
use super::auxiliary::Auxiliary;
use crate::estimation::algebra::Matrix;
use crate::estimation::plan::Distance;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub distance: Distance,
    /// Least and greatest new / old weight.
    pub bounds: Option<(f64, f64)>,
    pub tolerance: f64,
    pub max_iterations: usize,
}

pub(crate) struct Fit {
    /// New / old weight of every row.
    pub factors: Vec<f64>,
    pub iterations: usize,
    /// Largest |gap| / (1 + |total|).
    pub gap: f64,
}

impl Settings {
    /// The factor and its derivative at u = z′λ / σ².
    fn factor(&self, u: f64) -> (f64, f64) {
        match (self.distance, self.bounds) {
            (Distance::Linear, None) => (1.0 + u, 1.0),
            (Distance::Linear, Some((low, high))) => {
                let inside = 1.0 + u > low && 1.0 + u < high;
                ((1.0 + u).clamp(low, high), f64::from(u8::from(inside)))
            }
            (Distance::Raking, None) => (u.exp(), u.exp()),
            (Distance::Raking, Some((low, high))) => {
                let factor = u.exp();
                let inside = factor > low && factor < high;
                (factor.clamp(low, high), if inside { factor } else { 0.0 })
            }
            (Distance::Logit, bounds) => {
                let (low, high) = bounds.unwrap_or((0.0, f64::INFINITY));
                let speed = (high - low) / ((1.0 - low) * (high - 1.0));
                // Divided through by the exponential when it is large, so that it cannot overflow.
                let e = (-(speed * u).abs()).exp();
                let (below, above, far) = if u >= 0.0 {
                    ((high - 1.0) * e, 1.0 - low, e)
                } else {
                    (high - 1.0, (1.0 - low) * e, e)
                };
                let bottom = below + above;
                let factor = (low * below + high * above) / bottom;
                let slope = (high - low) * (high - 1.0) * (1.0 - low) * speed * far / (bottom * bottom);
                (factor, slope)
            }
        }
    }
}

/// Newton's method on the calibration equations with halved steps.
///
/// `weights`: before calibration, zero for rows outside. `totals`: known, one a column of `auxiliary`.
/// Errors: no convergence; nothing is returned then.
///
/// Source: Deville and Särndal (1992).
pub(crate) fn factors(
    auxiliary: &Auxiliary,
    weights: &[f64],
    totals: &[f64],
    sigma_squared: Option<&[f64]>,
    settings: &Settings,
) -> Result<Fit, WeightingError> {
    let q = auxiliary.width();
    let sigma = |row: usize| sigma_squared.map_or(1.0, |s| s[row]);
    let at = |lambda: &[f64]| -> Vec<(f64, f64)> {
        (0..weights.len()).map(|row| settings.factor(auxiliary.dot(row, lambda) / sigma(row))).collect()
    };
    let gaps = |factors: &[(f64, f64)]| -> Vec<f64> {
        let new: Vec<f64> = weights.iter().zip(factors).map(|(w, (f, _))| w * f).collect();
        totals.iter().zip(auxiliary.totals(&new)).map(|(t, found)| t - found).collect()
    };
    let size = |gaps: &[f64]| {
        gaps.iter().zip(totals).fold(0.0_f64, |m, (g, t)| {
            let relative = g.abs() / (1.0 + t.abs());
            if relative.is_nan() { f64::INFINITY } else { m.max(relative) }
        })
    };
    let mut lambda = vec![0.0; q];
    let mut current = at(&lambda);
    let mut gap = gaps(&current);
    let mut iterations = 0;
    // One step past the tolerance, while it still helps, ends at the precision of the machine.
    let mut polishing = false;
    while iterations < settings.max_iterations {
        let worst = size(&gap);
        if worst <= settings.tolerance {
            if polishing || worst == 0.0 {
                break;
            }
            polishing = true;
        }
        iterations += 1;
        let slopes: Vec<f64> =
            (0..weights.len()).map(|row| weights[row] * current[row].1 / sigma(row)).collect();
        let inverse = auxiliary.cross_products(&slopes).generalised_inverse();
        let step = inverse.times(&Matrix { rows: q, columns: 1, values: gap.clone() }).values;
        let mut length = 1.0;
        let mut improved = false;
        while length > 1e-6 {
            let next: Vec<f64> = lambda.iter().zip(&step).map(|(l, s)| l + length * s).collect();
            let factors = at(&next);
            let next_gap = gaps(&factors);
            if size(&next_gap) < worst {
                (lambda, current, gap) = (next, factors, next_gap);
                improved = true;
                break;
            }
            length /= 2.0;
        }
        if !improved {
            break;
        }
    }
    let worst = size(&gap);
    if worst > settings.tolerance.max(1e-14) {
        let term = (0..q)
            .max_by(|a, b| {
                let relative = |i: usize| gap[i].abs() / (1.0 + totals[i].abs());
                relative(*a).total_cmp(&relative(*b))
            })
            .unwrap_or(0);
        return Err(WeightingError::CalibrationNotConverged {
            term: auxiliary.names[term].clone(),
            gap: gap[term],
            iterations,
            tolerance: settings.tolerance,
        });
    }
    Ok(Fit { factors: current.into_iter().map(|(f, _)| f).collect(), iterations, gap: worst })
}
