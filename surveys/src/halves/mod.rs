//! Splits a submission's bytes into the field half and the answer half, and rebuilds them.
//!
//! The answer half is the submission with everything cut out that is not an answer: field elements
//! whole, elements that the form does not know, all attributes but the root's `id` and `version`,
//! comments, processing instructions, and the space between elements. It is still well-formed XML.
//! The field half holds what was cut and where. See protection.md, rule 2.

use std::ops::Range;

use crate::expression::{NodeId, Tree};
use crate::form::{Compiled, is_seal};
use crate::submission::{Document, Piece, ReadError, parse, place};

/// First bytes of a field half; the digit is the version of its encoding.
const MARK: &[u8; 4] = b"LNH1";

/// The two halves of one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halves {
    /// The cuts: `LNH1`, then for each its distance from the one before in the answer half, its
    /// length (both LEB128) and its bytes.
    pub field: Vec<u8>,
    /// Well-formed XML with the answers only.
    pub answers: Vec<u8>,
}

/// Why two halves do not make a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    #[error("the field half does not begin with `LNH1`: it is damaged or of a later version")]
    Mark,
    #[error("the field half ends in the middle of a cut: it is damaged")]
    Truncated,
    #[error("the field half puts a cut behind the end of the answer half: the halves do not belong together")]
    Mismatch,
}

/// Splits a submission of `form`.
///
/// Errors: [`ReadError`] for what is no safe, well-formed XML; nothing is split then.
pub fn split(form: &Compiled, xml: &[u8]) -> Result<Halves, ReadError> {
    let Document { mut tree, pieces } = parse(xml)?;
    let mut cut = vec![false; tree.len()];
    place(form, &mut tree, &mut |_, node| cut[node.index()] = true);
    let root = tree.root();
    for node in tree.descendants_or_self(root) {
        let around = tree.get(node).parent.is_some_and(|parent| cut[parent.index()]);
        let meta = &*tree.get(node).name == "meta" && item_of(form, &tree, node).is_none();
        let field = item_of(form, &tree, node).is_some_and(|item| item.field);
        cut[node.index()] |= around || meta || field;
    }
    let mut kept: Vec<Range<usize>> = Vec::new();
    let mut keep = |range: Range<usize>| match kept.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ if range.is_empty() => {}
        _ => kept.push(range),
    };
    for (range, piece) in pieces {
        match piece {
            Piece::Open(node) | Piece::Whole(node) if !cut[node.index()] => {
                tag_parts(xml, range, node == root).into_iter().for_each(&mut keep);
            }
            Piece::Close(node) if !cut[node.index()] => keep(range),
            Piece::Text(node) if !cut[node.index()] && holds_answer(form, &tree, node) => keep(range),
            _ => {}
        }
    }
    Ok(assemble(xml, &kept))
}

fn item_of<'f>(form: &'f Compiled, tree: &Tree, node: NodeId) -> Option<&'f crate::form::Item> {
    tree.get(node).place.map(|place| &form.items[place as usize])
}

/// Text belongs to questions and to seals; elsewhere it is layout or a stranger.
fn holds_answer(form: &Compiled, tree: &Tree, node: NodeId) -> bool {
    match item_of(form, tree, node) {
        Some(item) => item.stored().is_some(),
        None => is_seal(&tree.get(node).name),
    }
}

/// The parts of a start tag that stay: `<name`, the root's `id` and `version`, and `>` or `/>`.
fn tag_parts(xml: &[u8], range: Range<usize>, is_root: bool) -> Vec<Range<usize>> {
    let tag = &xml[range.clone()];
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let end = if tag.ends_with(b"/>") { tag.len() - 2 } else { tag.len() - 1 };
    let mut at = tag[..end].iter().position(is_space).unwrap_or(end);
    let mut parts = vec![(0, at)];
    while at < end {
        let start = at;
        at += tag[at..end].iter().position(|b| !is_space(b)).unwrap_or(end - at);
        let name = at;
        at += tag[at..end].iter().position(|b| is_space(b) || *b == b'=').unwrap_or(end - at);
        let name = &tag[name..at];
        // To the opening quote, then to its pair.
        at += tag[at..end].iter().position(|b| matches!(b, b'"' | b'\'')).unwrap_or(end - at);
        if at < end {
            let quote = tag[at];
            at += 1;
            at += tag[at..end].iter().position(|b| *b == quote).map_or(end - at, |length| length + 1);
        }
        if is_root && (name == b"id" || name == b"version") {
            parts.push((start, at));
        }
    }
    parts.push((end, tag.len()));
    parts.into_iter().map(|(from, to)| from + range.start..to + range.start).collect()
}

fn assemble(xml: &[u8], kept: &[Range<usize>]) -> Halves {
    let mut answers = Vec::new();
    let mut field = MARK.to_vec();
    let (mut done, mut since) = (0, 0);
    for range in kept.iter().cloned().chain(std::iter::once(xml.len()..xml.len())) {
        if range.start > done {
            number(&mut field, answers.len() - since);
            number(&mut field, range.start - done);
            field.extend_from_slice(&xml[done..range.start]);
            since = answers.len();
        }
        answers.extend_from_slice(&xml[range.clone()]);
        done = range.end;
    }
    Halves { field, answers }
}

/// LEB128: seven bits a byte, the lowest first.
fn number(into: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        into.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// Rebuilds the submission, byte for byte.
///
/// Errors: [`JoinError`] for halves that are damaged or do not belong together.
pub fn join(field: &[u8], answers: &[u8]) -> Result<Vec<u8>, JoinError> {
    let mut rest = field.strip_prefix(MARK).ok_or(JoinError::Mark)?;
    let mut answers = answers;
    let mut xml = Vec::with_capacity(field.len() + answers.len());
    while !rest.is_empty() {
        let distance = take_number(&mut rest)?;
        let length = take_number(&mut rest)?;
        if distance > answers.len() {
            return Err(JoinError::Mismatch);
        }
        let (before, after) = answers.split_at(distance);
        xml.extend_from_slice(before);
        answers = after;
        if length > rest.len() {
            return Err(JoinError::Truncated);
        }
        let (cut, after) = rest.split_at(length);
        xml.extend_from_slice(cut);
        rest = after;
    }
    xml.extend_from_slice(answers);
    Ok(xml)
}

fn take_number(rest: &mut &[u8]) -> Result<usize, JoinError> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (first, after) = rest.split_first().ok_or(JoinError::Truncated)?;
        *rest = after;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| JoinError::Truncated);
        }
    }
    Err(JoinError::Truncated)
}
