//! The draws themselves: each takes probabilities and a stream of chance, and gives the units in drawing order.
//!
//! Units are numbers 0 … N − 1 in the order of the input. Units with probability 1 are always taken and those
//! with 0 never; every method handles the rest.

use serde::{Deserialize, Serialize};
use surveys::chance::Chance;

use super::probabilities::{CERTAIN, systematic};

/// How the units of a stage are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Simple random, without replacement.
    Srs,
    /// Every N/n-th unit in the order given, random start.
    Systematic,
    /// The same along cumulated sizes.
    PpsSystematic,
    /// Sampford's rejective design, drawn without rejections.
    PpsSampford,
    /// Brewer's draw by draw.
    PpsBrewer,
    /// Each unit by itself: the sample size is random.
    PpsPoisson,
    /// Correlated Poisson: unit by unit, fixed size; can be drawn by permanent numbers.
    PpsCorrelated,
    /// Spread in space: neighbours exclude one another.
    LocalPivotal,
}

impl Method {
    /// The name in a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::Srs => "srs",
            Self::Systematic => "systematic",
            Self::PpsSystematic => "pps_systematic",
            Self::PpsSampford => "pps_sampford",
            Self::PpsBrewer => "pps_brewer",
            Self::PpsPoisson => "pps_poisson",
            Self::PpsCorrelated => "pps_correlated",
            Self::LocalPivotal => "local_pivotal",
        }
    }

    /// Whether a size column is needed.
    pub fn needs_size(self) -> bool {
        matches!(
            self,
            Self::PpsSystematic
                | Self::PpsSampford
                | Self::PpsBrewer
                | Self::PpsPoisson
                | Self::PpsCorrelated
        )
    }

    /// Whether it can be drawn by permanent numbers with the stated probabilities kept exactly.
    pub fn takes_numbers(self) -> bool {
        matches!(self, Self::Srs | Self::PpsPoisson | Self::PpsCorrelated)
    }

    /// Whether the order of the units matters for the draw.
    pub fn is_systematic(self) -> bool {
        matches!(self, Self::Systematic | Self::PpsSystematic)
    }
}

/// Draws by `method` with the inclusion probabilities `pi`.
///
/// `start` fixes a systematic draw's start (0–1); `coordinates` are the places of the units, for the local
/// pivotal method. Returns the drawn units: for `srs` in random order, else in the order given.
pub fn select(
    method: Method,
    pi: &[f64],
    start: Option<f64>,
    coordinates: &[(f64, f64)],
    chance: &mut Chance,
) -> Vec<usize> {
    if method == Method::Srs {
        let n = pi.iter().sum::<f64>().round() as usize;
        return simple_random(pi.len(), n, chance);
    }
    let open: Vec<usize> = (0..pi.len()).filter(|i| pi[*i] > 0.0 && pi[*i] < CERTAIN).collect();
    let rest: Vec<f64> = open.iter().map(|i| pi[*i]).collect();
    let drawn = match method {
        Method::Srs => Vec::new(),
        Method::Systematic | Method::PpsSystematic => {
            systematic(&rest, start.unwrap_or_else(|| chance.unit()))
        }
        Method::PpsSampford => sampford(&rest, chance),
        Method::PpsBrewer => brewer(&rest, chance),
        Method::PpsPoisson => (0..rest.len()).filter(|i| chance.happens(rest[*i])).collect(),
        Method::PpsCorrelated => {
            let numbers: Vec<f64> = rest.iter().map(|_| chance.unit()).collect();
            correlated(&rest, &numbers)
        }
        Method::LocalPivotal => {
            let places: Vec<(f64, f64)> = open.iter().map(|i| coordinates[*i]).collect();
            local_pivotal(&rest, &places, chance)
        }
    };
    let mut all: Vec<usize> = (0..pi.len()).filter(|i| pi[*i] >= CERTAIN).collect();
    all.extend(drawn.into_iter().map(|i| open[i]));
    all.sort_unstable();
    all
}

/// Draws by numbers that the units bring along, uniform on 0–1 and independent of one another and of `pi`: a unit
/// with a small number comes early. The inclusion probabilities are exactly `pi`; a unit whose number stays and whose
/// probability does not fall tends to be drawn again.
///
/// For `srs` all units in the order of their numbers (the first Σ π are the sample); else the drawn units in the order
/// given. Methods: those that [`Method::takes_numbers`].
pub fn select_by_numbers(method: Method, pi: &[f64], numbers: &[f64]) -> Vec<usize> {
    if method == Method::Srs {
        let mut all: Vec<usize> = (0..pi.len()).collect();
        all.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
        return all;
    }
    let open: Vec<usize> = (0..pi.len()).filter(|i| pi[*i] > 0.0 && pi[*i] < CERTAIN).collect();
    let drawn: Vec<usize> = if method == Method::PpsPoisson {
        (0..open.len()).filter(|i| numbers[open[*i]] < pi[open[*i]]).collect()
    } else {
        let (p, u): (Vec<f64>, Vec<f64>) = open.iter().map(|i| (pi[*i], numbers[*i])).unzip();
        correlated(&p, &u)
    };
    let mut all: Vec<usize> = (0..pi.len()).filter(|i| pi[*i] >= CERTAIN).collect();
    all.extend(drawn.into_iter().map(|i| open[i]));
    all.sort_unstable();
    all
}

/// The first `n` of the numbers 0 … `units` − 1 after a shuffle (Fisher–Yates from the end), in that order.
/// The tablet draws dwellings in the same way.
pub fn simple_random(units: usize, n: usize, chance: &mut Chance) -> Vec<usize> {
    let mut all: Vec<usize> = (0..units).collect();
    chance.shuffle(&mut all);
    all.truncate(n);
    all
}

/// `n` units one after another with probability proportional to `size` among those left; for reserves.
pub fn successive(size: &[f64], n: usize, chance: &mut Chance) -> Vec<usize> {
    let mut left = size.to_vec();
    let mut drawn = Vec::new();
    while drawn.len() < n {
        let Some(i) = chance.weighted(&left) else { break };
        left[i] = 0.0;
        drawn.push(i);
    }
    drawn
}

/// Most units of one stratum for `local_pivotal` and `pps_correlated`: each step looks at all that are left.
pub const STEPWISE_UNITS: usize = 20_000;

/// Largest number of table cells (units × sample size) for Sampford's design in one stratum: 400 MB.
pub const SAMPFORD_CELLS: usize = 25_000_000;

/// Sampford's design in one pass. A sample's probability is a sum over its members of the product that chooses
/// one "first" member with weight π (1 − π), the others with π and the non-members with 1 − π; so units are
/// decided in order, with the chance of still completing the sample as table `paths[units left][n left][first
/// chosen]`.
fn sampford(pi: &[f64], chance: &mut Chance) -> Vec<usize> {
    let n = pi.iter().sum::<f64>().round() as usize;
    let units = pi.len();
    let width = n + 1;
    let at = |i: usize, k: usize, first: usize| (i * width + k) * 2 + first;
    let mut paths = vec![0.0_f64; (units + 1) * width * 2];
    paths[at(units, 0, 1)] = 1.0;
    for i in (0..units).rev() {
        let p = pi[i];
        for k in 0..=n.min(units - i) {
            for first in 0..2 {
                let mut sum = (1.0 - p) * paths[at(i + 1, k, first)];
                if k > 0 {
                    sum += p * paths[at(i + 1, k - 1, first)];
                    if first == 0 {
                        sum += p * (1.0 - p) * paths[at(i + 1, k - 1, 1)];
                    }
                }
                paths[at(i, k, first)] = sum;
            }
        }
    }
    let (mut k, mut first) = (n, 0);
    let mut drawn = Vec::with_capacity(n);
    for (i, p) in pi.iter().enumerate() {
        if k == 0 {
            break;
        }
        let member = p * paths[at(i + 1, k - 1, first)];
        let leader = if first == 0 { p * (1.0 - p) * paths[at(i + 1, k - 1, 1)] } else { 0.0 };
        let point = chance.unit() * paths[at(i, k, first)];
        if point < member + leader {
            drawn.push(i);
            k -= 1;
            if point >= member {
                first = 1;
            }
        }
    }
    drawn
}

/// Brewer's method for any sample size. Source: Brewer (1975); Tillé (2006), algorithm 6.10.
fn brewer(pi: &[f64], chance: &mut Chance) -> Vec<usize> {
    let n = pi.iter().sum::<f64>().round() as usize;
    let mut drawn = vec![false; pi.len()];
    let mut taken = 0.0;
    let mut weights = vec![0.0; pi.len()];
    for step in 1..=n {
        let open = n as f64 - taken;
        let after = (n - step + 1) as f64;
        for (i, p) in pi.iter().enumerate() {
            // At the last step the factor is 1; rounding must not turn the bracket negative before.
            weights[i] = if drawn[i] { 0.0 } else { (p * (open - p) / (open - p * after)).max(0.0) };
        }
        let Some(i) = chance.weighted(&weights) else { break };
        drawn[i] = true;
        taken += pi[i];
    }
    (0..pi.len()).filter(|i| drawn[*i]).collect()
}

/// Correlated Poisson sampling: unit after unit is taken if its number is below its probability, and what the decision
/// adds to or leaves of the expected size is shared among the units after it, in proportion to π (1 − π) as far as their
/// probabilities stay within 0 and 1. Each share is fixed before the decision, so every probability keeps its mean; and
/// the shares sum to 1, so the size is Σ π.
///
/// Source: Bondesson and Thorburn (2008); the bounds as in Grafström (2012).
fn correlated(pi: &[f64], numbers: &[f64]) -> Vec<usize> {
    const NOTHING: f64 = 1e-9;
    let mut p = pi.to_vec();
    let mut share = vec![0.0; p.len()];
    let mut drawn = Vec::new();
    for i in 0..p.len() {
        let own = p[i];
        let decided = own <= NOTHING || own >= 1.0 - NOTHING;
        let taken = if decided { own > 0.5 } else { numbers[i] < own };
        if taken {
            drawn.push(i);
        }
        if decided {
            continue;
        }
        shares(own, &p[i + 1..], &mut share[i + 1..]);
        let change = own - f64::from(u8::from(taken));
        for (p, share) in p[i + 1..].iter_mut().zip(&share[i + 1..]) {
            *p = (*p + change * share).clamp(0.0, 1.0);
        }
    }
    drawn
}

/// Shares proportional to π (1 − π) that sum to 1; whoever reaches its bound stays there and the others share the rest.
fn shares(own: f64, p: &[f64], share: &mut [f64]) {
    let weight = |x: f64| x * (1.0 - x);
    let most = |x: f64| (x / (1.0 - own)).min((1.0 - x) / own);
    let mut left = 1.0;
    let mut spread: f64 = p.iter().map(|x| weight(*x)).sum();
    // Negative: not at its bound.
    share.fill(-1.0);
    loop {
        let each = if spread > 1e-15 { left / spread } else { 0.0 };
        let (mut taken, mut gone) = (0.0, 0.0);
        for (x, share) in p.iter().zip(share.iter_mut()).filter(|(_, share)| **share < 0.0) {
            if each * weight(*x) > most(*x) {
                *share = most(*x);
                taken += *share;
                gone += weight(*x);
            }
        }
        if gone == 0.0 {
            for (x, share) in p.iter().zip(share.iter_mut()).filter(|(_, share)| **share < 0.0) {
                *share = each * weight(*x);
            }
            return;
        }
        left = (left - taken).max(0.0);
        spread -= gone;
    }
}

/// Local pivotal method (variant 2): a random undecided unit and its nearest undecided neighbour settle between
/// them which one keeps the probability. Source: Grafström, Lundström and Schelin (2012).
fn local_pivotal(pi: &[f64], places: &[(f64, f64)], chance: &mut Chance) -> Vec<usize> {
    const NOTHING: f64 = 1e-9;
    let mut p = pi.to_vec();
    let mut undecided: Vec<usize> = (0..p.len()).collect();
    let mut drawn = Vec::new();
    while undecided.len() > 1 {
        let a = undecided[chance.below(undecided.len())];
        let b = nearest(a, &undecided, places, chance);
        let sum = p[a] + p[b];
        if sum < 1.0 {
            let (keeps, gives) = if chance.happens(p[b] / sum) { (b, a) } else { (a, b) };
            p[keeps] = sum;
            p[gives] = 0.0;
        } else {
            let (full, left) = if chance.happens((1.0 - p[b]) / (2.0 - sum)) { (a, b) } else { (b, a) };
            p[full] = 1.0;
            p[left] = sum - 1.0;
        }
        undecided.retain(|i| {
            if *i != a && *i != b {
                return true;
            }
            if p[*i] >= 1.0 - NOTHING {
                drawn.push(*i);
            }
            p[*i] > NOTHING && p[*i] < 1.0 - NOTHING
        });
    }
    // Σ π is whole for fixed sizes, so what is left of the last unit is rounding; else it decides by itself.
    drawn.extend(undecided.into_iter().filter(|i| chance.happens(p[*i])));
    drawn
}

/// The nearest of `others` to `a`; one at random among equally near ones.
fn nearest(a: usize, others: &[usize], places: &[(f64, f64)], chance: &mut Chance) -> usize {
    let mut best = f64::INFINITY;
    let mut ties: Vec<usize> = Vec::new();
    for i in others.iter().copied().filter(|i| *i != a) {
        let (dx, dy) = (places[i].0 - places[a].0, places[i].1 - places[a].1);
        let distance = dx * dx + dy * dy;
        if distance < best {
            best = distance;
            ties.clear();
        }
        if distance == best {
            ties.push(i);
        }
    }
    if ties.len() == 1 { ties[0] } else { ties[chance.below(ties.len())] }
}
