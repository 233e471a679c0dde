//! The regular expressions of `regex()`, which both engines leave to their language: Java and JavaScript.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use crate::expression::evaluate::EvaluateError;

/// Bytes that one compiled pattern may take.
const MOST_PATTERN: usize = 1 << 20;

/// A pattern with the conditions that look ahead from its beginning.
struct Pattern {
    /// Each with whether it has to be met.
    ahead: Vec<(Regex, bool)>,
    rest: Regex,
}

thread_local! {
    /// Patterns are few and their compilation is slow.
    static PATTERNS: RefCell<HashMap<(String, bool), Pattern>> = RefCell::default();
}

/// Whether the pattern fits: the whole text as in JavaRosa (`java`), or a part of it as on the tablet.
///
/// Errors: patterns that neither engine reads, and those with references back or a look ahead or
/// behind in their middle, which need an unbounded search.
pub(super) fn matches(text: &str, pattern: &str, java: bool) -> Result<bool, EvaluateError> {
    PATTERNS.with_borrow_mut(|patterns| {
        let key = (pattern.to_owned(), java);
        if !patterns.contains_key(&key) {
            if patterns.len() > 200 {
                patterns.clear();
            }
            let compiled = Pattern::compile(pattern, java).ok_or_else(|| {
                EvaluateError::new(format!("`{pattern}` is not a regular expression that can be read"))
            })?;
            patterns.insert(key.clone(), compiled);
        }
        Ok(patterns.get(&key).is_some_and(|pattern| pattern.is_match(text)))
    })
}

/// Whether [`matches`] can read the pattern, in both dialects.
pub(in crate::expression) fn is_readable(pattern: &str) -> bool {
    Pattern::compile(pattern, true).is_some() && Pattern::compile(pattern, false).is_some()
}

impl Pattern {
    fn compile(pattern: &str, java: bool) -> Option<Self> {
        let (ahead, rest) = looks_ahead(pattern, java);
        let ahead: Option<Vec<(Regex, bool)>> = ahead
            .into_iter()
            .map(|(inner, due)| Some((sized(&rust(&format!("^(?:{inner})"), java))?, due)))
            .collect();
        let rest = if java { format!("^(?:{rest})$") } else { rest };
        Some(Self { ahead: ahead?, rest: sized(&rust(&rest, java))? })
    }

    fn is_match(&self, text: &str) -> bool {
        self.ahead.iter().all(|(inner, due)| inner.is_match(text) == *due) && self.rest.is_match(text)
    }
}

fn sized(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(MOST_PATTERN).build().ok()
}

/// Takes `(?=…)` and `(?!…)` off the beginning of an anchored pattern: each holds or fails for itself.
fn looks_ahead(pattern: &str, java: bool) -> (Vec<(&str, bool)>, String) {
    let whole = || (Vec::new(), pattern.to_owned());
    let (anchor, mut rest) = match pattern.strip_prefix('^') {
        Some(rest) => ("^", rest),
        None if java => ("", pattern),
        None => return whole(),
    };
    let mut found = Vec::new();
    while let Some((inside, due)) =
        rest.strip_prefix("(?=").map(|i| (i, true)).or_else(|| rest.strip_prefix("(?!").map(|i| (i, false)))
    {
        let Some(end) = closing(inside) else { return whole() };
        found.push((&inside[..end], due));
        rest = &inside[end + 1..];
    }
    // With `a|b` at the top the conditions would belong to `a` alone.
    if found.is_empty()
        || closing(&format!("{rest})")).is_some_and(|end| end != rest.len())
        || alternates(rest)
    {
        return whole();
    }
    (found, format!("{anchor}{rest}"))
}

/// Where the group ends whose beginning has been taken off.
fn closing(pattern: &str) -> Option<usize> {
    let mut depth = 0;
    outside_classes(pattern).find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
        None
    })
}

/// Whether a `|` stands outside all groups.
fn alternates(pattern: &str) -> bool {
    let mut depth = 0;
    outside_classes(pattern).any(|(_, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == '|' && depth == 0
    })
}

/// The characters of a pattern that are neither escaped nor in `[…]`.
fn outside_classes(pattern: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut escaped, mut inside) = (false, false);
    pattern.char_indices().filter(move |(_, c)| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match c {
            '\\' => escaped = true,
            '[' if !inside => inside = true,
            ']' => inside = false,
            _ => return !inside,
        }
        false
    })
}

/// The pattern as Rust's engine reads it. `\d` and `\w` mean ASCII in both languages, while letters of
/// any script stand for themselves; Java has classes within classes.
fn rust(pattern: &str, java: bool) -> String {
    let mut text = String::new();
    let mut characters = pattern.chars();
    let mut depth = 0_usize;
    while let Some(c) = characters.next() {
        let inside = depth > 0;
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
            '[' if inside && !java => text.push_str("\\["),
            '[' => {
                depth += 1;
                text.push('[');
            }
            ']' => {
                depth = depth.saturating_sub(1);
                text.push(']');
            }
            other => text.push(other),
        }
    }
    text
}
