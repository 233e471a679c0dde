//! Functions of truth.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use crate::expression::evaluate::EvaluateError;
use crate::expression::function::Function;
use crate::expression::values::Value;

use super::{Call, Result};

pub(super) fn call(call: &Call<'_, '_>) -> Result {
    Ok(Value::Boolean(match call.function {
        Function::True => true,
        Function::False => false,
        Function::Boolean => call.boolean(0)?,
        Function::Not => !call.boolean(0)?,
        Function::BooleanFromString => {
            let text = call.text(0)?;
            text == "1" || text == "true" || (call.is_javarosa() && text.eq_ignore_ascii_case("true"))
        }
        Function::Regex => matches(&call.text(0)?, &call.text(1)?, call.is_javarosa())?,
        Function::Checklist => checklist(call)?,
        Function::WeightedChecklist => weighted(call)?,
        Function::If => return call.value(if call.boolean(0)? { 1 } else { 2 }),
        Function::Coalesce => {
            let first = call.value(0)?;
            let blank = first.text(call.scope)?;
            return if blank.is_empty() { call.value(1) } else { Ok(first) };
        }
        Function::Once => {
            let kept = call.scope.main.text(call.scope.node);
            return if kept.is_empty() { call.value(0) } else { Ok(Value::Text(kept.into_owned())) };
        }
        _ => false,
    }))
}

/// Bytes that one compiled pattern may take.
const MOST_PATTERN: usize = 1 << 20;

thread_local! {
    /// Patterns are few and their compilation is slow.
    static PATTERNS: RefCell<HashMap<(String, bool), Regex>> = RefCell::default();
}

fn matches(text: &str, pattern: &str, whole: bool) -> std::result::Result<bool, EvaluateError> {
    PATTERNS.with_borrow_mut(|patterns| {
        let key = (pattern.to_owned(), whole);
        if let Some(known) = patterns.get(&key) {
            return Ok(known.is_match(text));
        }
        let source = if whole { format!("^(?:{pattern})$") } else { pattern.to_owned() };
        // `\d` and `\w` mean ASCII in both engines, while letters of any script stand for themselves.
        let source = ascii_classes(&source);
        let compiled = RegexBuilder::new(&source).size_limit(MOST_PATTERN).build().map_err(|_| {
            EvaluateError::new(format!("`{pattern}` is not a regular expression that can be read"))
        })?;
        let answer = compiled.is_match(text);
        if patterns.len() > 200 {
            patterns.clear();
        }
        patterns.insert(key, compiled);
        Ok(answer)
    })
}

fn ascii_classes(pattern: &str) -> String {
    let mut text = String::new();
    let mut characters = pattern.chars();
    let mut inside = false;
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('d') => text.push_str(if inside { "0-9" } else { "[0-9]" }),
                Some('D') if !inside => text.push_str("[^0-9]"),
                Some('w') => text.push_str(if inside { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('W') if !inside => text.push_str("[^0-9A-Za-z_]"),
                // Rust's parser refuses escapes of letters it does not know; `\/` and the like are plain.
                Some(other) if !other.is_ascii_alphanumeric() && !"\\.+*?()|[]{}^$#&-~".contains(other) => {
                    text.push(other);
                }
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            '[' => {
                if inside {
                    text.push('\\');
                }
                inside = true;
                text.push('[');
            }
            ']' => {
                inside = false;
                text.push(']');
            }
            other => text.push(other),
        }
    }
    text
}

fn checklist(call: &Call<'_, '_>) -> std::result::Result<bool, EvaluateError> {
    let (fewest, most) = (call.number(0)?, call.number(1)?);
    let mut count = 0.0;
    for factor in call.values_from(2)? {
        count += f64::from(u8::from(truth(&factor, call)?));
    }
    Ok((fewest < 0.0 || count >= fewest) && (most < 0.0 || count <= most))
}

/// A node's text counts by its boolean meaning, where a nodeset is spread.
fn truth(value: &Value, call: &Call<'_, '_>) -> std::result::Result<bool, EvaluateError> {
    value.boolean(call.scope)
}

fn weighted(call: &Call<'_, '_>) -> std::result::Result<bool, EvaluateError> {
    let (lowest, highest) = (call.number(0)?, call.number(1)?);
    let mut total = 0.0;
    if call.len() == 4
        && let (Value::Nodes(flags), Value::Nodes(weights)) = (call.value(2)?, call.value(3)?)
    {
        let (flags, weights) = (flags.texts(call.scope), weights.texts(call.scope));
        if flags.len() != weights.len() {
            return Err(EvaluateError::new("`weighted-checklist()` has not one weight for each factor"));
        }
        for (flag, weight) in flags.into_iter().zip(weights) {
            if truth(&Value::Text(flag), call)? {
                total += Value::Text(weight).number(call.scope)?;
            }
        }
    } else {
        for i in (2..call.len()).step_by(2) {
            if call.boolean(i)? {
                total += call.number(i + 1)?;
            }
        }
    }
    Ok(total >= lowest && total <= highest)
}
