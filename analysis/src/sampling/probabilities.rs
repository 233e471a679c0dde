//! Inclusion probabilities: proportional to size, with the units that are certain found one round after another.

/// A unit at least this close to 1 is certain.
pub const CERTAIN: f64 = 1.0 - 1e-12;

/// π_i = n x_i / Σ x; units that reach 1 become certain and the rest is shared again until none does.
///
/// `size`: in frame order, none negative; size 0 gives probability 0. The answer sums to `n`.
/// `None` when fewer than `n` units have a size.
///
/// Source: Särndal, Swensson and Wretman (1992), 3.6.2. Evidence: `analysis/tests/sampling_probabilities.rs`.
pub fn proportional_to_size(size: &[f64], n: usize) -> Option<Vec<f64>> {
    let drawable = size.iter().filter(|x| **x > 0.0).count();
    if n > drawable {
        return None;
    }
    if n == drawable {
        return Some(size.iter().map(|x| f64::from(u8::from(*x > 0.0))).collect());
    }
    let mut certain = vec![false; size.len()];
    let mut left = n;
    loop {
        let total: f64 = size.iter().zip(&certain).filter(|(_, c)| !**c).map(|(x, _)| x).sum();
        let pi = |i: usize| left as f64 * size[i] / total;
        let new: Vec<usize> =
            (0..size.len()).filter(|i| !certain[*i] && left > 0 && pi(*i) >= CERTAIN).collect();
        if new.is_empty() {
            return Some((0..size.len()).map(|i| if certain[i] { 1.0 } else { pi(i) }).collect());
        }
        // More cannot become certain than are left: with sizes this close the largest go first, in frame order.
        for i in new {
            if left > 0 {
                certain[i] = true;
                left -= 1;
            }
        }
    }
}

/// π = n / N for each of `units`.
pub fn equal(units: usize, n: usize) -> Option<Vec<f64>> {
    (n <= units).then(|| vec![if n == units { 1.0 } else { n as f64 / units as f64 }; units])
}

/// The units a systematic draw takes: unit k when some `start` + j, j = 0, 1, …, lies in (C_{k−1}, C_k], C the
/// cumulated probabilities in the order given. `start` in [0, 1].
pub fn systematic(pi: &[f64], start: f64) -> Vec<usize> {
    let mut before = -start;
    let mut cumulated = 0.0;
    let mut taken = Vec::new();
    for (k, p) in pi.iter().enumerate() {
        cumulated += p;
        let after = cumulated - start;
        if (after + 1e-12).floor() > (before + 1e-12).floor() {
            taken.push(k);
        }
        before = after;
    }
    taken
}
