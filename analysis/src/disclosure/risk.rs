//! How well somebody who knows people could find them in a file: classes of equal keys, the individual risk of a sample,
//! and how much a class tells of sensitive answers.

use serde::Serialize;
use std::collections::BTreeMap;

/// Points of the integral; an even number.
const POINTS: usize = 2_000;

/// Risk that one of `sample` people of a class in the file is the one whom somebody with a list of the population looks
/// for: the expectation of 1/F, where F, the people of the class in the population, is seen only through the sample.
///
/// `sample`: f ≥ 1, respondents of the class. `population`: F̂, the sum of their weights. With p = f / F̂, F given f is
/// negative binomial and the risk is ∫₀¹ u^(f−1) p / (p + (1−p) u) du: (p/q) ln(1/p) for f = 1, and so on by the
/// recurrence (p/q) (1/(f−1) − risk of f−1). A class that is wholly in the sample has 1/f.
///
/// Source: Benedetti and Franconi (1998); Franconi and Polettini (2004), Individual risk estimation in µ-Argus.
pub fn individual_risk(sample: usize, population: f64) -> f64 {
    let f = sample.max(1) as f64;
    let p = if population > f { f / population } else { 1.0 };
    if p >= 0.5 {
        // The recurrence loses digits here, the integrand is smooth.
        let at = |u: f64| u.powf(f - 1.0) * p / (p + (1.0 - p) * u);
        let step = 1.0 / POINTS as f64;
        let inner: f64 = (1..POINTS).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * at(i as f64 * step)).sum();
        let first = if sample <= 1 { 1.0 } else { 0.0 };
        return (first + inner + at(1.0)) * step / 3.0;
    }
    let odds = p / (1.0 - p);
    (2..=sample).fold(odds * (1.0 / p).ln(), |risk, f| odds * (1.0 / (f as f64 - 1.0) - risk))
}

/// Respondents of one class.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    pub rows: Vec<usize>,
    pub weight: f64,
    /// Rows by cluster.
    pub clusters: BTreeMap<String, usize>,
}

impl Class {
    pub fn risk(&self) -> f64 {
        individual_risk(self.rows.len(), self.weight)
    }

    /// Rows of the cluster with the most.
    pub fn largest_cluster(&self) -> usize {
        self.clusters.values().copied().max().unwrap_or(0)
    }
}

/// What the classes of a file allow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRisk {
    pub rows: usize,
    pub classes: usize,
    /// k of k-anonymity: respondents of the smallest class.
    pub smallest_class: usize,
    /// Respondents in classes below the plan's k.
    pub rows_in_small_classes: usize,
    /// Of the individual risk.
    pub largest_risk: f64,
    pub mean_risk: f64,
    /// The sum of the individual risks.
    pub expected_identifications: f64,
}

impl FileRisk {
    pub(super) fn of<'a>(classes: impl IntoIterator<Item = &'a Class>, k: usize) -> Self {
        let mut found = Self {
            rows: 0,
            classes: 0,
            smallest_class: 0,
            rows_in_small_classes: 0,
            largest_risk: 0.0,
            mean_risk: 0.0,
            expected_identifications: 0.0,
        };
        for class in classes {
            let n = class.rows.len();
            found.smallest_class = if found.classes == 0 { n } else { found.smallest_class.min(n) };
            found.classes += 1;
            found.rows += n;
            found.rows_in_small_classes += if n < k { n } else { 0 };
            found.largest_risk = found.largest_risk.max(class.risk());
            found.expected_identifications += class.risk() * n as f64;
        }
        found.mean_risk = found.expected_identifications / found.rows.max(1) as f64;
        found
    }
}

/// How diverse a class's answers to a sensitive question are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Diversity {
    /// Different answers.
    pub distinct: usize,
    /// exp of the entropy of their shares: as many equally frequent answers tell as little.
    pub entropy: f64,
    /// Share of the most frequent.
    pub largest_share: f64,
}

impl Diversity {
    /// Of the answers, none of them missing. Source: Machanavajjhala and others (2007), l-diversity.
    pub fn of<T: Ord>(answers: impl IntoIterator<Item = T>) -> Self {
        let mut counts: BTreeMap<T, usize> = BTreeMap::new();
        answers.into_iter().for_each(|a| *counts.entry(a).or_default() += 1);
        let n = counts.values().sum::<usize>().max(1) as f64;
        let shares = counts.values().map(|c| *c as f64 / n);
        Self {
            distinct: counts.len(),
            entropy: (-shares.clone().map(|s| s * s.ln()).sum::<f64>()).exp(),
            largest_share: shares.fold(0.0, f64::max),
        }
    }
}
