//! Passwords (Argon2id), second factors (TOTP, RFC 6238) and random tokens.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use p256::elliptic_curve::Generate;
use totp_rs::{Builder, Secret};

/// Shortest password, in letters; NIST SP 800-63B asks for 15 where it is the only factor, 8 with a second one.
pub const SHORTEST_PASSWORD: usize = 12;
/// Longest password, in letters: any phrase, and no work for the server.
pub const LONGEST_PASSWORD: usize = 512;
/// Bytes of a TOTP secret (RFC 4226 asks for 160 bits).
pub const SECOND_FACTOR_BYTES: usize = 20;

/// Why a password or code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error(
        "mật khẩu ngắn hơn {SHORTEST_PASSWORD} ký tự; hãy chọn một câu dài hơn (the password has fewer than {SHORTEST_PASSWORD} characters; choose a longer phrase)"
    )]
    Short,
    #[error(
        "mật khẩu dài hơn {LONGEST_PASSWORD} ký tự; hãy chọn câu ngắn hơn (the password has more than {LONGEST_PASSWORD} characters; choose a shorter phrase)"
    )]
    Long,
    #[error("mật khẩu chứa tên đăng nhập; hãy chọn câu khác (the password holds the login; choose another)")]
    HoldsLogin,
    #[error("mật khẩu quá dễ đoán; hãy chọn câu khác (the password is too easy to guess; choose another)")]
    Common,
    #[error("the operating system gave no random numbers; look at its random source and try again")]
    NoChance,
    #[error("what is stored of this account's password or second factor is damaged; reset the account")]
    Damaged,
}

/// Refuses passwords that are guessed first.
pub fn check_password(login: &str, password: &str) -> Result<(), SecretError> {
    let letters = password.chars().count();
    if letters < SHORTEST_PASSWORD {
        return Err(SecretError::Short);
    }
    if letters > LONGEST_PASSWORD {
        return Err(SecretError::Long);
    }
    let lower = password.to_lowercase();
    let name = login.split('@').next().unwrap_or(login).to_lowercase();
    if name.chars().count() >= 3 && lower.contains(&name) {
        return Err(SecretError::HoldsLogin);
    }
    let kinds: std::collections::BTreeSet<char> = lower.chars().collect();
    let plain: String = lower.chars().filter(|c| !c.is_whitespace()).collect();
    let rest = COMMON.iter().fold(plain, |text, word| text.replace(word, ""));
    if kinds.len() < 5 || without_rows(&rest).chars().count() < SHORTEST_PASSWORD / 2 {
        return Err(SecretError::Common);
    }
    Ok(())
}

/// Words that count for nothing in a password: those that lists of stolen passwords begin with, in English and
/// Vietnamese, and those of this program and its province.
const COMMON: [&str; 28] = [
    "password",
    "passw0rd",
    "matkhau",
    "mậtkhẩu",
    "administrator",
    "admin",
    "welcome",
    "letmein",
    "iloveyou",
    "football",
    "baseball",
    "princess",
    "sunshine",
    "superman",
    "dragon",
    "monkey",
    "trustno1",
    "anhyeuem",
    "emyeuanh",
    "khongbiet",
    "quenmatkhau",
    "xinchao",
    "vietnam",
    "việtnam",
    "tuyenquang",
    "tuyênquang",
    "langnghe",
    "lắngnghe",
];

/// The rows that fingers run along.
const ROWS: [&str; 6] = [
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// The text without runs of four letters or more of such a row, forwards or backwards.
fn without_rows(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut rest = String::new();
    let mut at = 0;
    while at < letters.len() {
        let run = (4..=letters.len() - at).rev().find(|length| {
            let part: String = letters[at..at + length].iter().collect();
            let back: String = part.chars().rev().collect();
            ROWS.iter().any(|row| row.contains(&part) || row.contains(&back))
        });
        match run {
            Some(length) => at += length,
            None => {
                rest.push(letters[at]);
                at += 1;
            }
        }
    }
    rest
}

/// Memory 19 MiB, two passes, one lane: the least that OWASP's password storage sheet recommends for Argon2id.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
}

/// The password as an Argon2id string with its salt.
pub fn hash_password(password: &str) -> Result<String, SecretError> {
    let salt = <[u8; 16]>::try_generate().map_err(|_| SecretError::NoChance)?;
    let hash = hasher().hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hash.map_err(|_| SecretError::Damaged)?.to_string())
}

/// Whether the password is the one of this string. Without a string (an unknown login) the same time is spent.
pub fn verify_password(password: &str, hash: Option<&str>) -> bool {
    match hash {
        Some(hash) => hasher().verify_password(password.as_bytes(), hash).is_ok(),
        None => {
            let spent = hasher().hash_password_with_salt(password.as_bytes(), b"nobody's salt 16");
            debug_assert!(spent.is_ok());
            false
        }
    }
}

/// A new secret for an authenticator.
pub fn new_second_factor() -> Result<[u8; SECOND_FACTOR_BYTES], SecretError> {
    <[u8; SECOND_FACTOR_BYTES]>::try_generate().map_err(|_| SecretError::NoChance)
}

/// The secret in base32 and the address that authenticators read.
pub fn second_factor_address(secret: &[u8], login: &str) -> (String, String) {
    let text = Secret::new(secret.into()).to_base32();
    let login: String = login
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let address = format!("otpauth://totp/Lang%20Nghe:{login}?secret={text}&issuer=Lang%20Nghe");
    (text, address)
}

/// The step of a right code, if it is younger than the last one used: a code counts once. `now` in seconds since 1970.
pub fn check_second_factor(
    secret: &[u8],
    code: &str,
    last_step: i64,
    now: i64,
) -> Result<Option<i64>, SecretError> {
    let totp =
        Builder::new().with_secret(secret.to_vec()).with_skew(1).build().map_err(|_| SecretError::Damaged)?;
    let step =
        totp.check(code.trim(), u64::try_from(now).unwrap_or(0)).and_then(|step| i64::try_from(step).ok());
    Ok(step.filter(|step| *step > last_step))
}

/// 64 letters and digits: 381 bits.
pub fn new_token() -> Result<String, SecretError> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$";
    let bytes = <[u8; 64]>::try_generate().map_err(|_| SecretError::NoChance)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect())
}
