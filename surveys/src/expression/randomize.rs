//! The shuffle of `randomize(nodeset, seed)`, the same on every client.

use sha2::{Digest, Sha256};

use crate::chance::Chance;

const MODULUS: i64 = 2_147_483_647;

/// Puts the items in the order that the seed gives: inside-out Fisher–Yates on Park–Miller numbers.
pub(super) fn seeded<T: Clone>(items: &[T], seed: i64) -> Vec<T> {
    let mut state = seed % MODULUS;
    if state <= 0 {
        state += MODULUS - 1;
    }
    shuffled(items, || {
        state = state * 16_807 % MODULUS;
        (state - 1) as f64 / (MODULUS - 1) as f64
    })
}

/// Puts the items in any order.
pub(super) fn unseeded<T: Clone>(items: &[T], chance: &mut Chance) -> Vec<T> {
    shuffled(items, || chance.unit())
}

fn shuffled<T: Clone>(items: &[T], mut draw: impl FnMut() -> f64) -> Vec<T> {
    let mut order: Vec<T> = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let j = (draw() * (i + 1) as f64).floor() as usize;
        if j >= i {
            order.push(item.clone());
        } else {
            let moved = order[j].clone();
            order.push(moved);
            order[j] = item.clone();
        }
    }
    order
}

/// The seed that a value stands for: a number is truncated, blank is 0, a text is hashed.
pub(super) fn seed_of(number: f64, text: &str) -> i64 {
    if !number.is_nan() {
        // Both engines take the seed modulo 2³¹ − 1 after truncation; the cast saturates.
        return number.trunc() as i64;
    }
    if text.is_empty() {
        return 0;
    }
    let hash = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

/// A random UUID (version 4) from the stream.
pub(crate) fn uuid(chance: &mut Chance) -> String {
    let high = (chance.bits() & !0xf000) | 0x4000;
    let low = (chance.bits() & (u64::MAX >> 2)) | (1 << 63);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
