//! Seeded chance, the same on every machine: draws, weights and simulated interviews are functions of a seed.
//!
//! A stream is ChaCha8 keyed with SHA-256 of the seed and a label, so that two uses of one seed
//! ("villages", "households/SYN-00017") never share numbers and adding one use does not move another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// One stream of chance.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream named `label` under `seed`.
    pub fn new(seed: u64, label: &str) -> Self {
        let mut key = Sha256::new();
        key.update(seed.to_le_bytes());
        key.update(label.as_bytes());
        Self(ChaCha8Rng::from_seed(key.finalize().into()))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1): the upper 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform among 0 … n − 1 without modulo bias. `n` must be positive.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "a draw among nothing");
        let n = n as u64;
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let bits = self.bits();
            if bits < limit {
                return (bits % n) as usize;
            }
        }
    }

    /// True with probability `p`.
    pub fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (Box–Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let u = 1.0 - self.unit();
        let v = self.unit();
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Puts the items in random order (Fisher–Yates from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Index drawn with probability proportional to `weights`; `None` when they sum to nothing.
    pub fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let total: f64 = weights.iter().sum();
        if total.is_nan() || total <= 0.0 {
            return None;
        }
        let mut point = self.unit() * total;
        let mut last = None;
        for (i, w) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            if point < *w {
                return Some(i);
            }
            point -= w;
            last = Some(i);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other machines and the tablet must draw these very numbers.
    #[test]
    fn a_stream_is_fixed_for_ever() {
        let mut chance = Chance::new(2026, "villages");
        let first: Vec<u64> = (0..3).map(|_| chance.bits()).collect();
        let mut again = Chance::new(2026, "villages");
        assert_eq!(first, (0..3).map(|_| again.bits()).collect::<Vec<_>>());
        assert_ne!(first[0], Chance::new(2026, "households").bits());
    }

    #[test]
    fn each_place_is_equally_likely_after_a_shuffle() {
        let mut chance = Chance::new(1, "shuffle");
        let mut seen = [0_u32; 4];
        for _ in 0..4_000 {
            let mut items = [0, 1, 2, 3];
            chance.shuffle(&mut items);
            seen[items.iter().position(|i| *i == 0).expect("0 is among them")] += 1;
        }
        assert!(seen.iter().all(|n| (880..=1120).contains(n)), "{seen:?}");
    }
}
