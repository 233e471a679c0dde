//! Joint inclusion probabilities of pairs, for the methods that give them, and the variances they allow.
//!
//! All matrices are square over the units asked for, in their order, with π_i on the diagonal.

/// A square matrix, row by row.
pub type Matrix = Vec<Vec<f64>>;

fn matrix(n: usize, diagonal: impl Fn(usize) -> f64, pair: impl Fn(usize, usize) -> f64) -> Matrix {
    let cell = |i: usize, j: usize| if i == j { diagonal(i) } else { pair(i.max(j), i.min(j)) };
    (0..n).map(|i| (0..n).map(|j| cell(i, j)).collect()).collect()
}

/// Simple random sampling of `n` from `units`: π_ij = n (n − 1) / (N (N − 1)); for `asked` units.
pub fn simple_random(units: usize, n: usize, asked: usize) -> Matrix {
    let (size, n) = (units as f64, n as f64);
    let pair = if units > 1 { n * (n - 1.0) / (size * (size - 1.0)) } else { 1.0 };
    matrix(asked, |_| n / size, |_, _| pair)
}

/// Independent draws: π_ij = π_i π_j; of the units `asked`.
pub fn poisson(pi: &[f64], asked: &[usize]) -> Matrix {
    matrix(asked.len(), |a| pi[asked[a]], |a, b| pi[asked[a]] * pi[asked[b]])
}

/// Systematic draws in the order given: the length of starts that take both. Many pairs may have 0.
pub fn systematic(pi: &[f64], asked: &[usize]) -> Matrix {
    // Unit k is taken for starts in (C_{k−1}, C_k] modulo 1: one or two intervals of [0, 1).
    let mut cumulated = 0.0;
    let intervals: Vec<Vec<(f64, f64)>> = pi
        .iter()
        .map(|p| {
            let from = cumulated - f64::floor(cumulated + 1e-12);
            cumulated += p;
            let (from, to) = (from.max(0.0), from.max(0.0) + p);
            if to <= 1.0 + 1e-12 { vec![(from, to.min(1.0))] } else { vec![(from, 1.0), (0.0, to - 1.0)] }
        })
        .collect();
    let overlap = |i: usize, j: usize| -> f64 {
        intervals[i]
            .iter()
            .flat_map(|a| intervals[j].iter().map(move |b| (a.1.min(b.1) - a.0.max(b.0)).max(0.0)))
            .sum()
    };
    matrix(asked.len(), |a| pi[asked[a]], |a, b| overlap(asked[a], asked[b]))
}

/// Hartley and Rao's first-order approximation, for randomly ordered systematic draws of fixed size Σ π:
/// the closed form needs no order. Source: Hartley and Rao (1962).
pub fn hartley_rao(pi: &[f64], asked: &[usize]) -> Matrix {
    let n: f64 = pi.iter().sum();
    let squares: f64 = pi.iter().map(|p| p * p).sum();
    let once = (n - 1.0) / n;
    matrix(
        asked.len(),
        |a| pi[asked[a]],
        |a, b| {
            let (p, q) = (pi[asked[a]], pi[asked[b]]);
            p * q * (once + (p + q) * once / n - once / (n * n) * squares)
        },
    )
}

/// Sampford's design of fixed size n = Σ π, exactly.
///
/// p(s) ∝ Σ_{l∈s}(1 − π_l) · Π_{i∈s} π_i · Π_{i∉s} (1 − π_i). So the pair's probability needs, for the units
/// without the pair, the Poisson–binomial probabilities Q(m) and T(m) = E[Σ_{l∈s}(1 − π_l); |s| = m]. Both are
/// coefficients of Π (1 − π + π z (1 + ε (1 − π))) with ε² = 0, from which single units are divided out again,
/// from the end where the division is stable. Units with π = 1 pair as π_ij = π_i; π = 0 never come.
///
/// Source: Sampford (1967); Hájek (1981) for the form of p(s).
pub fn sampford(pi: &[f64], asked: &[usize]) -> Matrix {
    let open: Vec<f64> = pi.iter().copied().filter(|p| *p > 0.0 && *p < 1.0).collect();
    let n = open.iter().sum::<f64>().round() as usize;
    let mut all = Dual { q: vec![1.0], t: vec![0.0] };
    for p in &open {
        all = all.times(*p);
    }
    let inside = |p: f64| p > 0.0 && p < 1.0;
    // T of all units at n is the norming constant: each sample of size n, weighted by its Σ (1 − π).
    let norm = all.t.get(n).copied().unwrap_or(0.0);
    let without: Vec<Option<Dual>> =
        asked.iter().map(|i| inside(pi[*i]).then(|| all.without(pi[*i]))).collect();
    matrix(
        asked.len(),
        |a| pi[asked[a]],
        |a, b| {
            let (p, q) = (pi[asked[a]], pi[asked[b]]);
            let Some(rest) = without[a].as_ref().filter(|_| inside(q)) else { return p * q };
            if n < 2 {
                return 0.0;
            }
            let rest = rest.without(q);
            p * q * ((2.0 - p - q) * rest.q[n - 2] + rest.t[n - 2]) / norm
        },
    )
}

/// Coefficients of a product of (1 − π + π z (1 + ε (1 − π))): `q` those without ε, `t` those with it.
struct Dual {
    q: Vec<f64>,
    t: Vec<f64>,
}

impl Dual {
    fn times(&self, p: f64) -> Dual {
        let len = self.q.len() + 1;
        let at = |v: &[f64], k: usize| v.get(k).copied().unwrap_or(0.0);
        let before = |v: &[f64], k: usize| if k == 0 { 0.0 } else { v[k - 1] };
        let q = (0..len).map(|k| at(&self.q, k) * (1.0 - p) + before(&self.q, k) * p).collect();
        let t = (0..len)
            .map(|k| at(&self.t, k) * (1.0 - p) + before(&self.t, k) * p + before(&self.q, k) * p * (1.0 - p))
            .collect();
        Dual { q, t }
    }

    /// The product without one factor: the inverse of [`Dual::times`].
    fn without(&self, p: f64) -> Dual {
        let q = divided(&self.q, p);
        let spare: Vec<f64> = (0..self.t.len())
            .map(|k| self.t[k] - if k == 0 { 0.0 } else { q[k - 1] * p * (1.0 - p) })
            .collect();
        let t = divided(&spare, p);
        Dual { q, t }
    }
}

/// Divides a polynomial by 1 − p + p z, from the low end if p ≤ 1/2, else from the high end: the error then
/// shrinks from step to step.
fn divided(v: &[f64], p: f64) -> Vec<f64> {
    let len = v.len() - 1;
    let mut out = vec![0.0; len];
    if p <= 0.5 {
        let mut last = 0.0;
        for k in 0..len {
            last = (v[k] - p * last) / (1.0 - p);
            out[k] = last;
        }
    } else {
        let mut last = 0.0;
        for k in (0..len).rev() {
            last = (v[k + 1] - (1.0 - p) * last) / p;
            out[k] = last;
        }
    }
    out
}

/// Variance of the Horvitz–Thompson total over all samples of a fixed size design:
/// −½ Σ_ij (π_ij − π_i π_j)(y_i/π_i − y_j/π_j)²; `joint` over the whole population.
pub fn design_variance(pi: &[f64], joint: &Matrix, y: &[f64]) -> f64 {
    -0.5 * pairs(pi, y, |i, j| (joint[i][j] - pi[i] * pi[j]) * (y[i] / pi[i] - y[j] / pi[j]).powi(2))
}

/// Estimated variance of a total after Yates, Grundy and Sen; all vectors over the drawn units.
pub fn yates_grundy(pi: &[f64], joint: &Matrix, y: &[f64]) -> f64 {
    -0.5 * pairs(pi, y, |i, j| (1.0 - pi[i] * pi[j] / joint[i][j]) * (y[i] / pi[i] - y[j] / pi[j]).powi(2))
}

/// Estimated variance of a total after Horvitz and Thompson; all vectors over the drawn units.
pub fn horvitz_thompson(pi: &[f64], joint: &Matrix, y: &[f64]) -> f64 {
    pairs(pi, y, |i, j| (1.0 - pi[i] * pi[j] / joint[i][j]) * y[i] / pi[i] * y[j] / pi[j])
}

fn pairs(pi: &[f64], y: &[f64], f: impl Fn(usize, usize) -> f64) -> f64 {
    let n = pi.len().min(y.len());
    (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| f(i, j)).sum()
}
