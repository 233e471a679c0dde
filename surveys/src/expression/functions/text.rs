//! Functions of text. Lengths and positions count UTF-16 units, as both engines do.

use std::collections::HashMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::expression::budget;
use crate::expression::evaluate::EvaluateError;
use crate::expression::function::Function;
use crate::expression::values::Value;

use super::{Call, Result};

const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    let text = match call.function {
        Function::Concat => join(call, "", 0)?,
        Function::Join => join(call, &call.text(0)?, 1)?,
        Function::Text => call.text(0)?,
        Function::Substr => substr(call)?,
        Function::Substring => substring(call)?,
        Function::SubstringBefore => {
            let (text, mark) = (call.text(0)?, call.text(1)?);
            text.split_once(&mark).map_or_else(String::new, |(before, _)| before.to_owned())
        }
        Function::SubstringAfter => {
            let (text, mark) = (call.text(0)?, call.text(1)?);
            text.split_once(&mark).map_or_else(String::new, |(_, after)| after.to_owned())
        }
        Function::Translate => {
            let (from, to): (Vec<char>, Vec<char>) =
                (call.text(1)?.chars().collect(), call.text(2)?.chars().collect());
            let mut swaps = HashMap::new();
            for (i, c) in from.into_iter().enumerate() {
                swaps.entry(c).or_insert_with(|| to.get(i).copied());
            }
            let swap = |c: char| swaps.get(&c).copied().unwrap_or(Some(c));
            call.text(0)?.chars().filter_map(swap).collect()
        }
        Function::StringLength => {
            return Ok(Value::Number(call.text(0)?.encode_utf16().count() as f64));
        }
        Function::NormalizeSpace => call.text(0)?.split_whitespace().collect::<Vec<_>>().join(" "),
        Function::Contains => return Ok(Value::Boolean(call.text(0)?.contains(&call.text(1)?))),
        Function::StartsWith => return Ok(Value::Boolean(call.text(0)?.starts_with(&call.text(1)?))),
        Function::EndsWith => return Ok(Value::Boolean(call.text(0)?.ends_with(&call.text(1)?))),
        Function::Uuid => uuid(call)?,
        Function::Digest => digest(call)?,
        Function::Base64Decode => {
            let text = call.text(0)?;
            // The tablet reads it without the `=` at the end too.
            let engine = if call.is_javarosa() { STANDARD } else { UNPADDED };
            let bytes = engine.decode(text.trim()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    Ok(Value::Text(text))
}

fn join(call: &Call<'_, '_>, separator: &str, from: usize) -> std::result::Result<String, EvaluateError> {
    let mut text = String::new();
    for (i, part) in call.values_from(from)?.into_iter().enumerate() {
        if i > 0 {
            text.push_str(separator);
        }
        text.push_str(&part.text(call.scope)?);
        budget::check_length(text.len())?;
    }
    Ok(text)
}

/// From 0, the end excluded; negative numbers count from the end.
fn substr(call: &Call<'_, '_>) -> std::result::Result<String, EvaluateError> {
    let units: Vec<u16> = call.text(0)?.encode_utf16().collect();
    let length = units.len() as i64;
    // The tablet gives nothing where a place is no number; a cast makes NaN 0 in JavaRosa.
    let places = [call.number(1)?, if call.len() > 2 { call.number(2)? } else { 0.0 }];
    if !call.is_javarosa() && places.iter().any(|place| !place.is_finite()) {
        return Ok(String::new());
    }
    let place = |number: f64| {
        let number = number.trunc() as i64;
        let number = if number < 0 { length.saturating_add(number) } else { number };
        number.clamp(0, length)
    };
    let start = place(places[0]);
    let end = if call.len() > 2 { place(places[1]) } else { length };
    let part = if start <= end { &units[start as usize..end as usize] } else { &[] };
    Ok(String::from_utf16_lossy(part))
}

/// XPath's own: from 1, by length.
fn substring(call: &Call<'_, '_>) -> std::result::Result<String, EvaluateError> {
    let units: Vec<u16> = call.text(0)?.encode_utf16().collect();
    let round = |number: f64| (number + 0.5).floor();
    let first = round(call.number(1)?);
    let end = if call.len() > 2 { first + round(call.number(2)?) } else { f64::INFINITY };
    let inside = |i: usize| {
        let position = (i + 1) as f64;
        position >= first && position < end
    };
    let part: Vec<u16> = units.iter().enumerate().filter(|(i, _)| inside(*i)).map(|(_, u)| *u).collect();
    Ok(String::from_utf16_lossy(&part))
}

/// A random UUID, or a random text of that many letters and digits.
fn uuid(call: &Call<'_, '_>) -> std::result::Result<String, EvaluateError> {
    let mut chance = call.scope.environment.chance.borrow_mut();
    if call.len() == 0 {
        return Ok(crate::expression::randomize::uuid(&mut chance));
    }
    drop(chance);
    let length = call.number(0)?;
    if length.is_nan() {
        return Err(EvaluateError::new("`uuid()` needs a number of characters"));
    }
    let mut chance = call.scope.environment.chance.borrow_mut();
    let length = length.clamp(0.0, 10_000.0) as usize;
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    Ok((0..length).map(|_| char::from(LETTERS[chance.below(36)])).collect())
}

fn digest(call: &Call<'_, '_>) -> std::result::Result<String, EvaluateError> {
    let (text, mut algorithm) = (call.text(0)?, call.text(1)?);
    if call.is_javarosa() {
        algorithm.make_ascii_uppercase();
    }
    let bytes = match algorithm.as_str() {
        "MD5" => Md5::digest(text.as_bytes()).to_vec(),
        "SHA-1" => Sha1::digest(text.as_bytes()).to_vec(),
        "SHA-256" => Sha256::digest(text.as_bytes()).to_vec(),
        "SHA-384" => Sha384::digest(text.as_bytes()).to_vec(),
        "SHA-512" => Sha512::digest(text.as_bytes()).to_vec(),
        other => {
            return Err(EvaluateError::new(format!(
                "`digest()` knows MD5, SHA-1, SHA-256, SHA-384 and SHA-512, not `{other}`"
            )));
        }
    };
    let mut encoding = if call.len() > 2 { call.text(2)? } else { "base64".to_owned() };
    if call.is_javarosa() {
        encoding.make_ascii_lowercase();
    }
    match encoding.as_str() {
        "base64" => Ok(STANDARD.encode(bytes)),
        "hex" => Ok(bytes.iter().map(|b| format!("{b:02x}")).collect()),
        other => Err(EvaluateError::new(format!("`digest()` writes base64 or hex, not `{other}`"))),
    }
}
