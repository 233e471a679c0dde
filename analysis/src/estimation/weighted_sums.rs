//! Weighted means and variances of rows, for design effects and simple moments.

use super::survey::Survey;
use crate::table::MISSING;

/// Of one group: rows, Σw, weighted mean, and s² = Σw(y − ȳ)²/Σw · n/(n − 1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    pub n: f64,
    pub weight: f64,
    pub mean: f64,
    pub variance: f64,
}

/// The spread of `values` in every group; rows with code [`MISSING`] or weight 0 are left out.
///
/// `within`: variance of the value among the rows of the data behind a row, 0 unless they are grouped.
pub(crate) fn spreads(
    values: impl Fn(usize) -> f64,
    within: impl Fn(usize) -> f64,
    codes: &[u32],
    survey: &Survey,
    groups: usize,
) -> Vec<Spread> {
    let weights = &survey.weights;
    let mut spreads = vec![Spread::default(); groups];
    let used = || (0..codes.len()).filter(|row| codes[*row] != MISSING && weights[*row] != 0.0);
    for row in used() {
        let spread = &mut spreads[codes[row] as usize];
        spread.n += survey.rows_behind(row) as f64;
        spread.weight += weights[row];
        spread.mean += weights[row] * values(row);
    }
    spreads.iter_mut().for_each(|s| s.mean /= s.weight);
    for row in used() {
        let spread = &mut spreads[codes[row] as usize];
        spread.variance += weights[row] * ((values(row) - spread.mean).powi(2) + within(row));
    }
    spreads.iter_mut().for_each(|s| s.variance *= s.n / (s.weight * (s.n - 1.0)));
    spreads
}
