//! Do counts of drawn units agree with stated probabilities? Chi-square at one in a thousand.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// How often each unit came, and each pair.
pub struct Counts {
    pub pairs: Vec<Vec<f64>>,
    draws: f64,
}

impl Counts {
    pub fn new(units: usize) -> Self {
        Self { pairs: vec![vec![0.0; units]; units], draws: 0.0 }
    }

    pub fn add(&mut self, drawn: &[usize]) {
        self.draws += 1.0;
        for i in drawn {
            for j in drawn {
                self.pairs[*i][*j] += 1.0;
            }
        }
    }

    /// Chi-square of the counts against R π with the covariances that the draws themselves show:
    /// (O − Rπ)ᵀ (R Σ)⁻ (O − Rπ), as many degrees of freedom as Σ has ranks. It holds for every design: fixed sizes
    /// and the ties of systematic draws are combinations without variance, which are left out.
    pub fn assert_fit(&self, what: &str, pi: &[f64]) {
        let (n, runs) = (pi.len(), self.draws);
        let share = |i: usize, j: usize| self.pairs[i][j] / runs;
        for i in (0..n).filter(|i| pi[*i] == 0.0 || pi[*i] == 1.0) {
            assert_eq!(share(i, i), pi[i], "{what}: unit {i} is certain or impossible");
        }
        let mut covariance: Vec<Vec<f64>> =
            (0..n).map(|i| (0..n).map(|j| share(i, j) - share(i, i) * share(j, j)).collect()).collect();
        let mut off: Vec<f64> = (0..n).map(|i| (share(i, i) - pi[i]) * runs.sqrt()).collect();
        let (mut statistic, mut degrees) = (0.0, 0.0);
        let mut open: Vec<usize> = (0..n).collect();
        while let Some(at) = (0..open.len())
            .max_by(|a, b| covariance[open[*a]][open[*a]].total_cmp(&covariance[open[*b]][open[*b]]))
        {
            let k = open[at];
            let variance = covariance[k][k];
            if variance < 1e-9 {
                break;
            }
            open.swap_remove(at);
            statistic += off[k] * off[k] / variance;
            degrees += 1.0;
            for i in &open {
                let slope = covariance[*i][k] / variance;
                off[*i] -= slope * off[k];
                for j in &open {
                    covariance[*i][*j] -= slope * covariance[k][*j];
                }
            }
        }
        for i in open {
            // What never varied may be a rare combination that did not come: worth a few draws at most.
            let missed = off[i].abs() * runs.sqrt();
            assert!(missed < 10.0, "{what}: unit {i} is off by {missed} draws where nothing varied");
        }
        if degrees > 0.0 {
            assert_below(what, statistic, degrees);
        }
    }
}

/// A chi-square statistic under its quantile at one in a thousand.
pub fn assert_below(what: &str, statistic: f64, degrees: f64) {
    let bound = ChiSquared::new(degrees).expect("degrees").inverse_cdf(0.999);
    assert!(statistic < bound, "{what}: {statistic:.1} is above {bound:.1} ({degrees} degrees of freedom)");
}
