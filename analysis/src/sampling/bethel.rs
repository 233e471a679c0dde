//! The cheapest sample that meets several precision targets at once (Bethel 1989, solved after Chromy 1987).
//!
//! Minimise Σ c_h n_h subject to Σ_h a_jh / n_h ≤ b_j for each target j and low ≤ n ≤ high. That is convex, so
//! the dual bound proves how near an answer is to the optimum; see [`Solution::gap`].

/// One precision target: Σ share / n over its strata must not exceed `limit`.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// (stratum, W² S²) of the strata that belong to the domain, each once.
    pub shares: Vec<(usize, f64)>,
    /// Target variance plus the finite-population part Σ W² S² / N.
    pub limit: f64,
}

impl Constraint {
    /// Σ a/n relative to the limit: at most 1 when the target is met.
    pub fn load(&self, n: impl Fn(usize) -> f64) -> f64 {
        self.shares.iter().map(|(h, a)| a / n(*h)).sum::<f64>() / self.limit
    }
}

/// The optimum, real and in whole numbers.
#[derive(Clone, Debug)]
pub struct Solution {
    pub real: Vec<f64>,
    /// Meets every target too.
    pub n: Vec<u64>,
    /// Positions of the constraints that determine the answer.
    pub binding: Vec<usize>,
    /// The real answer costs at most this share more than any other.
    pub gap: f64,
}

const ROUNDS: usize = 20_000;
const SLACK: f64 = 1e-9;

/// Solves the problem. `cost` > 0 a unit; `low` ≥ 1; `high` whole numbers.
///
/// Err: the position of a constraint that even `high` does not meet.
pub fn solve(cost: &[f64], constraints: &[Constraint], low: &[f64], high: &[f64]) -> Result<Solution, usize> {
    if let Some(j) = constraints.iter().position(|c| c.load(|h| high[h]) > 1.0 + SLACK) {
        return Err(j);
    }
    let targets = constraints.len().max(1) as f64;
    // Alone, each constraint has this multiplier exactly.
    let mut lambda: Vec<f64> = constraints
        .iter()
        .map(|c| {
            let root: f64 = c.shares.iter().map(|(h, a)| (a * cost[*h] / c.limit).sqrt()).sum();
            root * root / targets
        })
        .collect();
    let mut best: Option<(f64, Vec<f64>)> = None;
    let mut bound = f64::NEG_INFINITY;
    for round in 0..ROUNDS {
        let weight = weights(&lambda, constraints, cost.len());
        let n: Vec<f64> =
            (0..cost.len()).map(|h| (weight[h] / cost[h]).sqrt().clamp(low[h], high[h])).collect();
        let loads: Vec<f64> = constraints.iter().map(|c| c.load(|h| n[h])).collect();
        if round % 10 == 9 || round == 0 {
            let dual = (0..cost.len()).map(|h| cost[h] * n[h] + weight[h] / n[h]).sum::<f64>()
                - lambda.iter().sum::<f64>();
            bound = bound.max(dual);
            let feasible = repaired(&n, &loads, constraints, low, high);
            let price = spent(cost, &feasible);
            if best.as_ref().is_none_or(|(least, _)| price < *least) {
                best = Some((price, feasible));
            }
            if best.as_ref().is_some_and(|(least, _)| (least - bound) / least < 1e-9) {
                break;
            }
        }
        for (multiplier, load) in lambda.iter_mut().zip(&loads) {
            *multiplier *= load * load;
        }
    }
    let (price, real) = best.unwrap_or_else(|| (spent(cost, high), high.to_vec()));
    let binding = (0..constraints.len()).filter(|j| constraints[*j].load(|h| real[h]) > 1.0 - 1e-4).collect();
    let n = rounded(&real, cost, constraints, low, high);
    Ok(Solution { n, binding, gap: ((price - bound) / price).max(0.0), real })
}

fn spent(cost: &[f64], n: &[f64]) -> f64 {
    cost.iter().zip(n).map(|(c, n)| c * n).sum()
}

/// Σ_j λ_j a_jh / b_j.
fn weights(lambda: &[f64], constraints: &[Constraint], strata: usize) -> Vec<f64> {
    let mut weight = vec![0.0; strata];
    for (multiplier, constraint) in lambda.iter().zip(constraints) {
        for (h, a) in &constraint.shares {
            weight[*h] += multiplier * a / constraint.limit;
        }
    }
    weight
}

/// Scales `n` up until every constraint holds; `high` does, so this ends.
fn repaired(n: &[f64], loads: &[f64], constraints: &[Constraint], low: &[f64], high: &[f64]) -> Vec<f64> {
    let mut n = n.to_vec();
    let mut worst = loads.iter().copied().fold(0.0, f64::max);
    for _ in 0..200 {
        if worst <= 1.0 + 1e-12 {
            return n;
        }
        for h in 0..n.len() {
            n[h] = (n[h] * worst).clamp(low[h], high[h]);
        }
        worst = constraints.iter().map(|c| c.load(|h| n[h])).fold(0.0, f64::max);
    }
    high.to_vec()
}

/// Rounds up, then takes a unit away again where all targets still hold, the dearest and least needed first.
fn rounded(real: &[f64], cost: &[f64], constraints: &[Constraint], low: &[f64], high: &[f64]) -> Vec<u64> {
    let mut n: Vec<f64> =
        (0..real.len()).map(|h| (real[h] - 1e-9).ceil().max(low[h].ceil()).min(high[h])).collect();
    let mut member: Vec<Vec<(usize, f64)>> = vec![Vec::new(); real.len()];
    for (j, constraint) in constraints.iter().enumerate() {
        for (h, a) in &constraint.shares {
            member[*h].push((j, a / constraint.limit));
        }
    }
    let mut loads: Vec<f64> = constraints.iter().map(|c| c.load(|h| n[h])).collect();
    let mut order: Vec<usize> = (0..real.len()).collect();
    let spare = |h: usize, n: f64| cost[h] * (n - real[h]);
    let spares: Vec<f64> = order.iter().map(|h| spare(*h, n[*h])).collect();
    order.sort_by(|a, b| spares[*b].total_cmp(&spares[*a]).then(a.cmp(b)));
    for h in order {
        let fewer = n[h] - 1.0;
        if fewer < low[h].max(1.0) {
            continue;
        }
        let more = |a: f64| a / fewer - a / n[h];
        if member[h].iter().all(|(j, a)| loads[*j] + more(*a) <= 1.0 + SLACK) {
            for (j, a) in &member[h] {
                loads[*j] += more(*a);
            }
            n[h] = fewer;
        }
    }
    n.into_iter().map(|n| n as u64).collect()
}
