//! `${name}` in expressions and texts: finding them, and turning them into paths as pyxform does.

use super::{Outline, Questionnaire};

/// One `${name}` or `${last-saved#name}` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'t> {
    pub name: &'t str,
    pub last_saved: bool,
    /// Byte range of the whole `${…}`.
    pub start: usize,
    pub end: usize,
}

/// Why a `${…}` gives no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("`{text}` is not a reference: write `${{name}}`")]
    Malformed { text: String },
    #[error("`${{{name}}}` is not a question")]
    Unknown { name: String },
    #[error("`${{{name}}}` could mean {} nodes: give each its own name", paths.len())]
    Ambiguous { name: String, paths: Vec<String> },
}

/// How a reference is written out where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// Any bind or action.
    #[default]
    Expression,
    /// A `choice_filter`: relative paths start at `current()`.
    Filter,
    /// The nodeset of `select_one ${q}`: relative to the parent of the common repeat, so that all
    /// instances are seen.
    Nodeset,
    /// A `choice_filter` of such a select.
    NodesetFilter,
}

/// Where an expression stands that belongs to no node of the outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standpoint {
    /// The group or repeat around it, `None` = the root.
    pub container: Option<usize>,
    /// Steps up to that container: 1 for its children.
    pub steps: usize,
}

/// A text with references, cut for `<output value="…"/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragment {
    Text(String),
    Output(String),
}

/// Whether `name` is an XML name, with at most one namespace prefix.
pub fn is_xml_name(name: &str) -> bool {
    let mut parts = name.split(':');
    let valid = |part: &str| {
        let mut characters = part.chars();
        characters.next().is_some_and(is_name_start) && characters.all(is_name_character)
    };
    parts.next().is_some_and(valid) && parts.next().is_none_or(valid) && parts.next().is_none()
}

fn is_name_start(c: char) -> bool {
    c == '_'
        || c.is_ascii_alphabetic()
        || matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

fn is_name_character(c: char) -> bool {
    is_name_start(c)
        || c.is_ascii_digit()
        || matches!(c, '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// All references of a text in order. `${` without its `}` or with something else than a name
/// inside is an error.
pub fn references(text: &str) -> Result<Vec<Reference<'_>>, ReferenceError> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = text[from..].find("${") {
        let start = from + offset;
        let malformed = |end: usize| ReferenceError::Malformed { text: text[start..end].to_owned() };
        let Some(length) = text[start..].find('}') else { return Err(malformed(text.len())) };
        let end = start + length + 1;
        let inside = &text[start + 2..end - 1];
        let (name, last_saved) = match inside.strip_prefix("last-saved#") {
            Some(name) => (name, true),
            None => (inside, false),
        };
        if !is_xml_name(name) || name.contains(':') {
            return Err(malformed(end));
        }
        found.push(Reference { name, last_saved, start, end });
        from = end;
    }
    Ok(found)
}

/// The name in a text that is exactly one `${name}`.
pub fn single_reference(text: &str) -> Option<&str> {
    match references(text).as_deref() {
        Ok([only]) if only.start == 0 && only.end == text.len() => Some(only.name),
        _ => None,
    }
}

/// Whether a default is an expression: it has an operator, a call or a `${}`. A hyphen does not
/// count in a date or place (`2026-01-31`).
pub fn is_dynamic(default: &str, kind: crate::question_type::QuestionType) -> bool {
    use crate::question_type::QuestionType::{Date, DateTime, Geopoint, Geoshape, Geotrace};
    let hyphen_is_static = matches!(kind, Date | DateTime | Geopoint | Geotrace | Geoshape);
    let bytes = default.as_bytes();
    let mut at = 0;
    while let Some(rest) = default.get(at..).filter(|rest| !rest.is_empty()) {
        let first = bytes[at];
        if let Some(length) = number_or_date(rest) {
            at += length;
            continue;
        }
        match first {
            b'-' if hyphen_is_static => return false,
            b'*' | b'+' | b'-' | b'|' => return true,
            _ if rest.starts_with(" mod ") || rest.starts_with(" div ") => return true,
            b'"' | b'\'' => {
                let closing = rest[1..].find(char::from(first));
                at += closing.map_or(1, |length| length + 2);
            }
            b'$' => {
                let name =
                    rest.strip_prefix("${").and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
                if name.is_some_and(|name| is_xml_name(name.trim_start_matches("last-saved#"))) {
                    return true;
                }
                at += 1;
            }
            _ => {
                let length: usize =
                    rest.chars().take_while(|&c| is_name_character(c) || c == ':').map(char::len_utf8).sum();
                if length == 0 || !rest.starts_with(is_name_start) {
                    at += rest.chars().next().map_or(1, char::len_utf8);
                    continue;
                }
                if rest[length..].starts_with('(') {
                    return true;
                }
                at += length;
            }
        }
    }
    false
}

/// Bytes of a number, date or time at the start of `text`; a leading hyphen belongs to it.
fn number_or_date(text: &str) -> Option<usize> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let shape = |pattern: &str| {
        let matches = unsigned.len() >= pattern.len()
            && pattern
                .bytes()
                .zip(unsigned.bytes())
                .all(|(p, c)| if p == b'9' { c.is_ascii_digit() } else { p == c });
        matches.then_some(pattern.len())
    };
    // Behind a clock time: `Z`, `+07:00`, `-07:00`.
    let with_zone = |length: usize| {
        let zone = &unsigned.as_bytes()[length..];
        let is_offset = zone.len() >= 6
            && matches!(zone[0], b'+' | b'-')
            && zone[3] == b':'
            && [1, 2, 4, 5].iter().all(|&at| zone[at].is_ascii_digit());
        length + if is_offset { 6 } else { usize::from(zone.first() == Some(&b'Z')) }
    };
    if let Some(length) = shape("9999-99-99T99:99:99").map(with_zone).or_else(|| shape("9999-99-99")) {
        return Some(sign + length);
    }
    if sign == 0 && shape("99:99:99").is_some() {
        return Some(with_zone(8));
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let after = &unsigned[whole..];
    let fraction = after.strip_prefix('.').map(digits);
    match (whole, fraction) {
        (0, None | Some(0)) => None,
        (whole, Some(fraction)) => Some(sign + whole + 1 + fraction),
        (whole, None) => Some(sign + whole),
    }
}

impl<'a> Outline<'a> {
    /// The one node called `name`.
    pub fn resolve(&self, name: &str) -> Result<usize, ReferenceError> {
        match self.named(name) {
            [only] => Ok(*only),
            [] => Err(ReferenceError::Unknown { name: name.to_owned() }),
            several => Err(ReferenceError::Ambiguous {
                name: name.to_owned(),
                paths: several.iter().map(|&index| self.places[index].path.clone()).collect(),
            }),
        }
    }

    /// An expression with every `${name}` written as a path, as it stands at node `context`
    /// (an index of [`Outline::places`]; `None` = at the root). A reference is relative exactly
    /// when both nodes lie in one repeat.
    ///
    /// Errors: the first reference that gives no path.
    pub fn xpath(&self, context: Option<usize>, text: &str, usage: Usage) -> Result<String, ReferenceError> {
        self.xpath_from(self.standpoint(context), text, usage)
    }

    fn standpoint(&self, context: Option<usize>) -> Standpoint {
        Standpoint { container: context.and_then(|context| self.places[context].parent), steps: 1 }
    }

    /// As [`Outline::xpath`], for an expression that belongs to no node of the outline.
    ///
    /// Errors: the first reference that gives no path.
    pub fn xpath_from(
        &self,
        context: Standpoint,
        text: &str,
        usage: Usage,
    ) -> Result<String, ReferenceError> {
        if !text.contains("${") {
            return Ok(text.to_owned());
        }
        let mut out = String::with_capacity(text.len() + 32);
        let mut from = 0;
        for reference in references(text)? {
            out.push_str(&text[from..reference.start]);
            out.push_str(&self.path_of(context, text, &reference, usage)?);
            from = reference.end;
        }
        out.push_str(&text[from..]);
        Ok(out)
    }

    /// A label, hint or message with its references as outputs.
    ///
    /// Errors: the first reference that gives no path.
    pub fn fragments(&self, context: Option<usize>, text: &str) -> Result<Vec<Fragment>, ReferenceError> {
        let mut out = Vec::new();
        let mut from = 0;
        let push_text = |out: &mut Vec<Fragment>, text: &str| {
            if !text.is_empty() {
                out.push(Fragment::Text(text.to_owned()));
            }
        };
        while let Some((start, end)) = instance_path(text, from) {
            self.push_references(context, text, from..start, &mut out)?;
            let path = self.xpath(context, &text[start..end], Usage::Expression)?;
            out.push(Fragment::Output(path));
            from = end;
        }
        self.push_references(context, text, from..text.len(), &mut out)?;
        if out.is_empty() {
            push_text(&mut out, text);
        }
        Ok(out)
    }

    fn push_references(
        &self,
        context: Option<usize>,
        text: &str,
        range: std::ops::Range<usize>,
        out: &mut Vec<Fragment>,
    ) -> Result<(), ReferenceError> {
        let mut from = range.start;
        for reference in references(text)? {
            if reference.start < range.start || reference.end > range.end {
                continue;
            }
            if from < reference.start {
                out.push(Fragment::Text(text[from..reference.start].to_owned()));
            }
            let standpoint = self.standpoint(context);
            out.push(Fragment::Output(self.path_of(standpoint, text, &reference, Usage::Expression)?));
            from = reference.end;
        }
        if from < range.end {
            out.push(Fragment::Text(text[from..range.end].to_owned()));
        }
        Ok(())
    }

    fn path_of(
        &self,
        context: Standpoint,
        text: &str,
        reference: &Reference<'_>,
        usage: Usage,
    ) -> Result<String, ReferenceError> {
        let target = self.resolve(reference.name)?;
        if reference.last_saved {
            return Ok(format!(" instance('__last-saved'){} ", self.places[target].path));
        }
        let relative =
            if stays_absolute(text, reference) { None } else { self.relative(context, target, usage) };
        Ok(match relative {
            Some(path) => {
                let filter = matches!(usage, Usage::Filter | Usage::NodesetFilter);
                let current = filter || in_instance_predicate(text, reference);
                format!(" {}{path} ", if current { "current()/" } else { "" })
            }
            None => format!(" {} ", self.places[target].path),
        })
    }

    /// `../../b` from `source` to `target`, if both lie in one repeat.
    fn relative(&self, source: Standpoint, target: usize, usage: Usage) -> Option<String> {
        let around_target: Vec<usize> = self.ancestors(target).collect();
        let around_source: Vec<usize> = source
            .container
            .into_iter()
            .flat_map(|at| std::iter::once(at).chain(self.ancestors(at)))
            .collect();
        let repeat = |index: &&usize| self.places[**index].node.is_repeat();
        let common_repeat = *around_source.iter().filter(repeat).find(|at| around_target.contains(at))?;
        let steps_to =
            |at: usize| around_source.iter().position(|&around| around == at).map(|at| at + source.steps);
        if matches!(usage, Usage::Nodeset | Usage::NodesetFilter) {
            let nearest_of_source = around_source.iter().find(repeat);
            let nearest_of_target = around_target.iter().find(repeat);
            let outermost = self.repeats_around(common_repeat).next().is_none();
            if nearest_of_target == Some(&common_repeat)
                && (outermost || nearest_of_source != Some(&common_repeat))
            {
                let base = self.places[common_repeat].parent.map_or_else(
                    || self.questionnaire.settings.root.len() + 1,
                    |parent| self.places[parent].path.len(),
                );
                let down = &self.places[target].path[base..];
                return Some(format!("{}{down}", up(steps_to(common_repeat)? + 1)));
            }
        }
        let common = *around_source.iter().find(|at| around_target.contains(at))?;
        let down = &self.places[target].path[self.places[common].path.len()..];
        Some(format!("{}{down}", up(steps_to(common)?)))
    }
}

fn up(steps: usize) -> String {
    vec![".."; steps].join("/")
}

/// In `indexed-repeat` the question (1st argument) and the repeats (2nd, 4th, 6th) stay absolute.
fn stays_absolute(text: &str, reference: &Reference<'_>) -> bool {
    let mut from = 0;
    while let Some(offset) = text[from..].find("indexed-repeat(") {
        let start = from + offset;
        let inside = start + "indexed-repeat(".len();
        let Some(length) = text[inside..].find(')') else { return false };
        let end = inside + length;
        if reference.start >= inside && reference.end <= end {
            let name = &text[reference.start..reference.end];
            let argument =
                text[inside..end].split(',').enumerate().filter(|(_, argument)| argument.contains(name));
            return argument.last().is_some_and(|(index, _)| matches!(index, 0 | 1 | 3 | 5));
        }
        from = end;
    }
    false
}

/// Whether a reference stands in the brackets of a path into a secondary instance.
fn in_instance_predicate(text: &str, reference: &Reference<'_>) -> bool {
    let Some(instance) = text.find("instance(") else { return false };
    // pyxform asks for something after the name of the instance.
    if text[instance + "instance(".len()..].trim_end_matches(')').is_empty() {
        return false;
    }
    let mut from = 0;
    while let Some(offset) = text[from..].find('[') {
        let start = from + offset;
        let Some(length) = text[start..].find(']') else { return false };
        let end = start + length + 1;
        if start <= reference.start && reference.end <= end {
            return true;
        }
        from = end;
    }
    false
}

/// The byte range of a path `instance('x')/root/item[…]/label` in a text, from `from` on.
fn instance_path(text: &str, from: usize) -> Option<(usize, usize)> {
    let start = from + text[from..].find("instance(")?;
    let bytes = text.as_bytes();
    let mut at = start + "instance(".len();
    let mut depth = 1_i32;
    let mut quote = None;
    let mut after_first_call = false;
    while at < bytes.len() {
        let c = bytes[at];
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                b'"' | b'\'' => quote = Some(c),
                b'(' | b'[' => depth += 1,
                b')' | b']' => {
                    depth -= 1;
                    after_first_call = true;
                }
                _ if depth == 0 && (c.is_ascii_whitespace() || matches!(c, b',' | b';' | b'<' | b'>')) => {
                    break;
                }
                _ => {}
            },
        }
        at += 1;
    }
    let path = &text[start..at];
    (after_first_call && path.contains(")/")).then_some((start, at))
}

impl Questionnaire {
    /// The name in `names` nearest to `wanted`, for "did you mean"; `None` when none is near.
    pub fn nearest<'n>(names: impl IntoIterator<Item = &'n str>, wanted: &str) -> Option<&'n str> {
        let wanted = wanted.to_lowercase();
        let length = wanted.chars().count();
        let limit = (length / 3).max(1);
        let alike = names.into_iter().filter(|name| name.chars().count().abs_diff(length) <= limit);
        let near = alike.map(|name| (distance(&name.to_lowercase(), &wanted), name));
        near.filter(|(distance, _)| *distance <= limit)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name)
    }
}

/// Edits (insert, delete, replace) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
