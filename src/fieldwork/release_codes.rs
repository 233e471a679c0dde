//! Codes that a supervisor reads out and a tablet checks without network: a reserve dwelling stays hidden on the tablet
//! until the code of its place in the order is typed.
//!
//! Eight letters are 40 bits; each guess costs 2,000 rounds of HMAC-SHA-256. That keeps an enumerator from choosing a
//! dwelling, and is not meant to stop a laboratory.

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

/// 32 letters without those that sound or look alike.
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const ROUNDS: u32 = 2_000;

/// A reserve dwelling, hidden. PBKDF2-HMAC-SHA-256 of the code (letters alone) with this salt and these rounds gives 32
/// bytes: the first 16 are `check`; of the next 8, XORed with `hidden`, comes the dwelling's number, big-endian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    pub salt: String,
    pub rounds: u32,
    pub check: String,
    pub hidden: String,
}

/// The code that a keyed name gives: `K7QM-2XHD`.
pub fn code(name: &[u8; 32]) -> String {
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    let (first, second) = name[..8].split_at(4);
    format!(
        "{}-{}",
        first.iter().map(letter).collect::<String>(),
        second.iter().map(letter).collect::<String>()
    )
}

/// Hides a dwelling behind a code; `salt` is different for each.
pub fn lock(code: &str, salt: &str, household: i64) -> Lock {
    let key = stretched(code, salt);
    let hidden: Vec<u8> = household.to_be_bytes().iter().zip(&key[16..24]).map(|(a, b)| a ^ b).collect();
    Lock { salt: salt.to_owned(), rounds: ROUNDS, check: hex(&key[..16]), hidden: hex(&hidden) }
}

/// The dwelling, where the code is the right one. Small letters, spaces and hyphens do not matter.
pub fn open(lock: &Lock, code: &str) -> Option<i64> {
    let key = stretched(code, &lock.salt);
    if hex(&key[..16]) != lock.check {
        return None;
    }
    let hidden = u64::from_str_radix(&lock.hidden, 16).ok()?.to_be_bytes();
    let mut number = [0; 8];
    for (i, byte) in number.iter_mut().enumerate() {
        *byte = hidden[i] ^ key[16 + i];
    }
    Some(i64::from_be_bytes(number))
}

/// PBKDF2 (RFC 8018) with HMAC-SHA-256, one block.
fn stretched(code: &str, salt: &str) -> [u8; 32] {
    let letters: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let mut block = [0; 64];
    let length = letters.len().min(64);
    block[..length].copy_from_slice(&letters.as_bytes()[..length]);
    let keyed = <Hmac<Sha256> as KeyInit>::new(&block.into());
    let round = |parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut last = round(&[salt.as_bytes(), &1_u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..ROUNDS {
        last = round(&[&last]);
        sum.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_opens_its_own_dwelling_and_no_other() {
        let (one, other) = (code(&[7; 32]), code(&[8; 32]));
        assert_eq!(one.len(), 9);
        let locked = lock(&one, "case-1", 412);
        assert_eq!(open(&locked, &one), Some(412));
        assert_eq!(open(&locked, &one.to_lowercase().replace('-', " ")), Some(412));
        assert_eq!(open(&locked, &other), None);
        assert_ne!(lock(&one, "case-2", 412).hidden, locked.hidden);
    }

    /// What WebCrypto's PBKDF2 (and Python's `hashlib.pbkdf2_hmac("sha256", b"K7QM2XHD", b"case-1", 2000)`) gives.
    #[test]
    fn the_tablet_computes_the_same() {
        let locked = lock("K7QM-2XHD", "case-1", 412);
        assert_eq!(locked.check, "161f9ab6b943bde315f1e32adf31ccab");
        assert_eq!(locked.hidden, "187f3f6fc004db7b");
    }
}
