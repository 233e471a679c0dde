//! Weighted means and variances of rows, for design effects and simple moments.

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
pub(crate) fn spreads(
    values: impl Fn(usize) -> f64,
    codes: &[u32],
    weights: &[f64],
    groups: usize,
) -> Vec<Spread> {
    let mut spreads = vec![Spread::default(); groups];
    let used = || (0..codes.len()).filter(|row| codes[*row] != MISSING && weights[*row] != 0.0);
    for row in used() {
        let spread = &mut spreads[codes[row] as usize];
        spread.n += 1.0;
        spread.weight += weights[row];
        spread.mean += weights[row] * values(row);
    }
    spreads.iter_mut().for_each(|s| s.mean /= s.weight);
    for row in used() {
        let spread = &mut spreads[codes[row] as usize];
        spread.variance += weights[row] * (values(row) - spread.mean).powi(2);
    }
    spreads.iter_mut().for_each(|s| s.variance *= s.n / (s.weight * (s.n - 1.0)));
    spreads
}
