//! How many units each stratum gets: scores, bounds and rounding, as pure functions.
//!
//! Conventions of all functions here: vectors are in stratum order; `population` N_h counts the units that can
//! be drawn; `low` and `high` bound the answer, 0 ≤ low ≤ high ≤ N_h.
//!
//! Evidence: `analysis/tests/sampling_allocation.rs` (R script beside the figures), hand examples below.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Shares proportional to the answer, before bounds. `measure` is N_h, or the stratum's total size.
///
/// Sources: Neyman (1934); Bankier (1988) for power; Kish (1988) for the compromise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Score {
    Equal,
    Proportional,
    Neyman,
    /// N S / sqrt(c).
    Cost,
    /// X^q · CV with X = N · mean; X = measure and CV = 1 where no mean and deviation are known.
    Power(f64),
    SquareRoot,
    /// sqrt(I² W² + 1/H²).
    Kish(f64),
}

/// What is known of the strata, each vector in stratum order.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    pub measure: &'a [f64],
    pub sd: Option<&'a [f64]>,
    pub mean: Option<&'a [f64]>,
    pub cost: Option<&'a [f64]>,
}

/// The scores of `rule`, or the name of the column that it needs.
pub fn scores(rule: Score, known: &Known<'_>) -> Result<Vec<f64>, &'static str> {
    let n = known.measure;
    let total: f64 = n.iter().sum();
    let strata = n.len() as f64;
    Ok(match rule {
        Score::Equal => vec![1.0; n.len()],
        Score::Proportional => n.to_vec(),
        Score::SquareRoot => n.iter().map(|n| n.sqrt()).collect(),
        Score::Kish(importance) => n
            .iter()
            .map(|n| (importance.powi(2) * (n / total).powi(2) + 1.0 / (strata * strata)).sqrt())
            .collect(),
        Score::Neyman => zip(n, known.sd.ok_or("sd")?, |n, s| n * s),
        Score::Cost => {
            let reach = zip(n, known.sd.ok_or("sd")?, |n, s| n * s);
            zip(&reach, known.cost.ok_or("cost")?, |r, c| r / c.sqrt())
        }
        Score::Power(q) => match (known.sd, known.mean) {
            (None, None) => n.iter().map(|n| power(*n, q)).collect(),
            (sd, mean) => {
                let (sd, mean) = (sd.ok_or("sd")?, mean.ok_or("mean")?);
                let size = zip(n, mean, |n, mean| power(n * mean.abs(), q));
                let spread = zip(sd, mean, |s, mean| s / mean.abs());
                zip(&size, &spread, |x, cv| x * cv)
            }
        },
    })
}

/// x^q by square roots where possible: those are exact on every machine, the library's power is not.
fn power(x: f64, q: f64) -> f64 {
    if q == 0.0 {
        1.0
    } else if q == 0.5 {
        x.sqrt()
    } else if q == 1.0 {
        x
    } else {
        x.powf(q)
    }
}

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

/// Shares `total` in proportion to `score` inside the bounds: strata beyond a bound stay at it and the rest is
/// shared again. The sum of the answer is `total` if Σ low ≤ total ≤ Σ high.
///
/// Source: Stenger and Gabler (2005), with bounds as in Wesołowski and others (2021).
pub fn share(score: &[f64], total: f64, low: &[f64], high: &[f64]) -> Vec<f64> {
    bounded(score, low, high, &vec![1.0; score.len()], total)
}

/// The largest scores·λ inside the bounds whose cost Σ c_h n_h is `budget`.
pub fn share_budget(score: &[f64], cost: &[f64], budget: f64, low: &[f64], high: &[f64]) -> Vec<f64> {
    bounded(score, low, high, cost, budget)
}

/// n_h = clamp(λ·score_h, low_h, high_h) with Σ price_h n_h = target. That sum only grows with λ, so the strata
/// that lie at a bound are found between two neighbouring break points, and λ follows in closed form.
fn bounded(score: &[f64], low: &[f64], high: &[f64], price: &[f64], target: f64) -> Vec<f64> {
    let at = |lambda: f64, h: usize| (lambda * score[h]).clamp(low[h], high[h].max(low[h]));
    let spent = |lambda: f64| (0..score.len()).map(|h| price[h] * at(lambda, h)).sum::<f64>();
    let lambda = crossing(score, low, high, |lambda| spent(lambda) >= target);
    let (mut fixed, mut free) = (0.0, 0.0);
    let side = |h: usize| side(score[h], low[h], high[h], lambda);
    for h in 0..score.len() {
        match side(h) {
            Side::Low => fixed += price[h] * low[h],
            Side::High => fixed += price[h] * high[h],
            Side::Free => free += price[h] * score[h],
        }
    }
    (0..score.len())
        .map(|h| match side(h) {
            Side::Low => low[h],
            Side::High => high[h],
            Side::Free => ((target - fixed) * score[h] / free).clamp(low[h], high[h]),
        })
        .collect()
}

/// The smallest λ·score inside the bounds whose variance of the mean is `variance` (finite population included).
pub fn share_variance(
    score: &[f64],
    population: &[f64],
    sd: &[f64],
    variance: f64,
    low: &[f64],
    high: &[f64],
) -> Vec<f64> {
    let all: f64 = population.iter().sum();
    let part: Vec<f64> = zip(population, sd, |n, s| (n / all * s).powi(2));
    let finite: f64 = zip(&part, population, |v, n| v / n).iter().sum();
    let at = |lambda: f64, h: usize| (lambda * score[h]).clamp(low[h], high[h].max(low[h]));
    let got = |lambda: f64| {
        (0..score.len()).filter(|h| part[*h] > 0.0).map(|h| part[h] / at(lambda, h)).sum::<f64>() - finite
    };
    let lambda = crossing(score, low, high, |lambda| got(lambda) <= variance);
    let (mut fixed, mut free) = (0.0, 0.0);
    let side = |h: usize| side(score[h], low[h], high[h], lambda);
    for h in (0..score.len()).filter(|h| part[*h] > 0.0) {
        match side(h) {
            Side::Low => fixed += part[h] / low[h],
            Side::High => fixed += part[h] / high[h],
            Side::Free => free += part[h] / score[h],
        }
    }
    let lambda = free / (variance + finite - fixed);
    (0..score.len())
        .map(|h| match side(h) {
            Side::Low => low[h],
            Side::High => high[h],
            Side::Free => (lambda * score[h]).clamp(low[h], high[h]),
        })
        .collect()
}

enum Side {
    Low,
    Free,
    High,
}

fn side(score: f64, low: f64, high: f64, lambda: f64) -> Side {
    if score <= 0.0 || lambda * score < low {
        Side::Low
    } else if lambda * score > high {
        Side::High
    } else {
        Side::Free
    }
}

/// A λ in the interior of the interval between break points in which `reached` turns true.
fn crossing(score: &[f64], low: &[f64], high: &[f64], reached: impl Fn(f64) -> bool) -> f64 {
    let mut breaks: Vec<f64> = (0..score.len())
        .filter(|h| score[*h] > 0.0)
        .flat_map(|h| [low[h] / score[h], high[h] / score[h]])
        .filter(|b| b.is_finite() && *b > 0.0)
        .collect();
    breaks.sort_by(f64::total_cmp);
    breaks.dedup();
    let after = breaks.partition_point(|b| !reached(*b));
    match (after.checked_sub(1).map(|i| breaks[i]), breaks.get(after)) {
        (Some(a), Some(b)) => a + (b - a) / 2.0,
        (None, Some(b)) => b / 2.0,
        (Some(a), None) => a * 2.0,
        (None, None) => 1.0,
    }
}

/// Whole numbers that sum to `total`: floors, then one more to the largest remainders; ties go to the larger
/// population, then to the earlier stratum.
pub fn largest_remainder(real: &[f64], total: u64, population: &[f64], high: &[f64]) -> Vec<u64> {
    let mut n: Vec<u64> = real.iter().map(|x| (x + 1e-9).floor().max(0.0) as u64).collect();
    let mut order: Vec<usize> = (0..real.len()).collect();
    // Nine digits: remainders that differ by rounding noise are ties.
    let remainder = |h: usize| ((real[h] - n[h] as f64) * 1e9).round();
    let remainders: Vec<f64> = order.iter().map(|h| remainder(*h)).collect();
    order.sort_by(|a, b| {
        remainders[*b]
            .total_cmp(&remainders[*a])
            .then(population[*b].total_cmp(&population[*a]))
            .then(a.cmp(b))
    });
    let mut left = total.saturating_sub(n.iter().sum());
    while left > 0 {
        let before = left;
        for h in &order {
            if left > 0 && ((n[*h] + 1) as f64) <= high[*h] + 1e-9 {
                n[*h] += 1;
                left -= 1;
            }
        }
        if left == before {
            break; // Every stratum is full; the caller compares the sum with the total.
        }
    }
    n
}

/// The whole-number allocation of least variance: from the minimum up, one unit at a time to the stratum where
/// it helps most, (N S)² / (n (n + 1)); ties to the earlier stratum.
///
/// Source: Friedrich, Münnich, de Vries and Wagner (2015); Wright (2017).
pub fn neyman_exact(population: &[f64], sd: &[f64], total: u64, low: &[u64], high: &[u64]) -> Vec<u64> {
    let mut n: Vec<u64> = low.iter().zip(high).map(|(l, h)| (*l).max(1).min(*h)).collect();
    let gain = |h: usize, n: u64| (population[h] * sd[h]).powi(2) / (n as f64 * (n + 1) as f64);
    let mut best: BinaryHeap<(Ordered, Reverse<usize>)> =
        (0..n.len()).filter(|h| n[*h] < high[*h]).map(|h| (Ordered(gain(h, n[h])), Reverse(h))).collect();
    let mut left = total.saturating_sub(n.iter().sum());
    while left > 0 {
        let Some((_, Reverse(h))) = best.pop() else { break };
        n[h] += 1;
        left -= 1;
        if n[h] < high[h] {
            best.push((Ordered(gain(h, n[h])), Reverse(h)));
        }
    }
    n
}

/// A number as the key of a heap.
#[derive(PartialEq)]
pub(super) struct Ordered(pub(super) f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Variance of the stratified mean, Σ N² S² (1/n − 1/N) / (Σ N)²; `None` where a stratum that varies has no unit.
pub fn variance_of_mean(n: &[f64], population: &[f64], sd: &[f64]) -> Option<f64> {
    let all: f64 = population.iter().sum();
    let mut sum = 0.0;
    for h in 0..n.len() {
        if sd[h] == 0.0 || population[h] == 0.0 {
            continue;
        }
        if n[h] <= 0.0 {
            return None;
        }
        sum += population[h].powi(2) * sd[h].powi(2) * (1.0 / n[h] - 1.0 / population[h]);
    }
    Some(sum / (all * all))
}
