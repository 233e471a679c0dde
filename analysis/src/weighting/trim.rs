//! Trimming: extreme weights are cut to a bound, what is cut off is shared over the untrimmed.

use super::WeightingError;
use crate::estimation::plan::Bound;

/// Cuts weights to the bounds; the sum stays. A trimmed weight stays at its bound. With `repeat`,
/// weights that the sharing pushed over a bound are trimmed again. Zero stays zero.
/// Returns how many weights were trimmed.
///
/// Errors: bounds that cross, or that leave no weight to share over.
pub(crate) fn trim(
    weights: &mut [f64],
    lower: Option<Bound>,
    upper: Option<Bound>,
    repeat: bool,
) -> Result<usize, WeightingError> {
    let mut used: Vec<f64> = weights.iter().copied().filter(|w| *w != 0.0).collect();
    if used.is_empty() {
        return Err(WeightingError::NoWeight);
    }
    used.sort_by(f64::total_cmp);
    let middle = used.len() / 2;
    let median = if used.len() % 2 == 1 { used[middle] } else { (used[middle - 1] + used[middle]) / 2.0 };
    let value = |bound: Option<Bound>, otherwise: f64| match bound {
        None => otherwise,
        Some(Bound::Number(number)) => number,
        Some(Bound::Times { times_median }) => times_median * median,
    };
    let (low, high) = (value(lower, f64::NEG_INFINITY), value(upper, f64::INFINITY));
    if low.is_nan() || high.is_nan() || low >= high {
        return Err(WeightingError::Trim(format!(
            "the lower bound {low} is not below the upper bound {high}"
        )));
    }
    let mut trimmed = vec![false; weights.len()];
    loop {
        let mut cut = 0.0;
        let mut any = false;
        for (weight, trimmed) in weights.iter_mut().zip(&mut trimmed) {
            if *weight != 0.0 && !*trimmed && (*weight < low || *weight > high) {
                let to = weight.clamp(low, high);
                cut += *weight - to;
                *weight = to;
                *trimmed = true;
                any = true;
            }
        }
        if !any {
            break;
        }
        let free = weights.iter().zip(&trimmed).filter(|(w, t)| **w != 0.0 && !**t).count();
        if free == 0 {
            return Err(WeightingError::Trim(format!(
                "every weight lies outside the bounds {low} and {high}; nothing is left to share over"
            )));
        }
        let share = cut / free as f64;
        for (weight, trimmed) in weights.iter_mut().zip(&trimmed) {
            if *weight != 0.0 && !*trimmed {
                *weight += share;
            }
        }
        if !repeat {
            break;
        }
    }
    Ok(trimmed.iter().filter(|t| **t).count())
}
