//! Reads instance XML safely and judges it by the form's own rules.

mod check;
mod values;
mod xml;

use std::ops::Range;

use crate::expression::{NodeId, Tree};
use crate::form::{Compiled, is_seal};

pub use check::{Judge, Problem, Rule, check, check_with, refusal};
pub use values::{Answer, AnswerValue, DONT_KNOW, REFUSED, answers};
pub use xml::ReadError;

pub(crate) use xml::{Document, Piece, parse};

/// A submission as it came, matched to its form.
#[derive(Clone, Debug)]
pub struct Submission {
    pub head: Head,
    /// The instance; nodes that the form knows carry its item.
    pub tree: Tree,
    /// Paths of elements that the form does not know, each topmost one.
    pub unknown: Vec<String>,
}

/// What a submission says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Attribute `id` of the root.
    pub form_id: String,
    /// Attribute `version` of the root; blank where there is none.
    pub version: String,
    pub instance_id: Option<String>,
    pub deprecated_id: Option<String>,
    pub instance_name: Option<String>,
}

/// Reads what intake needs, for any form.
///
/// Errors: [`ReadError`] for what is no safe, well-formed XML.
pub fn head(xml: &[u8]) -> Result<Head, ReadError> {
    Ok(head_of(&parse(xml)?.tree))
}

/// The name of the audit file that a submission says it has, in `meta/audit`.
pub fn audit_file(xml: &[u8]) -> Option<String> {
    let tree = parse(xml).ok()?.tree;
    let meta = tree.named(tree.root(), "meta").next()?;
    let audit = tree.named(meta, "audit").next()?;
    Some(tree.text(audit).trim().to_owned()).filter(|name| !name.is_empty())
}

/// What a submission says that the device encrypted (ODK's encrypted forms): its answers lie in its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The key of the files, encrypted to the form's public key, in base64.
    pub key: String,
    /// Names of the encrypted files beside the answers, in their order.
    pub media: Vec<String>,
    /// Name of the encrypted file with the answers.
    pub answers: String,
    /// The encrypted digest over all of it, in base64.
    pub signature: Option<String>,
}

/// How a submission was encrypted on the device; `None` for one that is readable.
pub fn encryption(xml: &[u8]) -> Option<Encryption> {
    // Every interview is asked this, and nearly none need be parsed for it.
    const ATTRIBUTE: &[u8] = b"encrypted";
    if !xml.windows(ATTRIBUTE.len()).any(|window| window == ATTRIBUTE) {
        return None;
    }
    let tree = parse(xml).ok()?.tree;
    let root = tree.root();
    let attributes = &tree.get(root).attributes;
    if !attributes.iter().any(|(name, value)| &**name == "encrypted" && value == "yes") {
        return None;
    }
    let text = |node: NodeId| tree.text(node).trim().to_owned();
    let only = |name: &str| tree.named(root, name).next().map(text).filter(|text| !text.is_empty());
    let media = tree.named(root, "media").flat_map(|media| tree.named(media, "file").collect::<Vec<_>>());
    Some(Encryption {
        key: only("base64EncryptedKey").unwrap_or_default(),
        media: media.map(text).filter(|name| !name.is_empty()).collect(),
        answers: only("encryptedXmlFile").unwrap_or_default(),
        signature: only("base64EncryptedElementSignature"),
    })
}

/// Names of the files that such a submission comes with; `None` for one that is readable.
pub fn encrypted_files(xml: &[u8]) -> Option<Vec<String>> {
    let Encryption { media, answers, .. } = encryption(xml)?;
    Some(media.into_iter().chain(Some(answers).filter(|name| !name.is_empty())).collect())
}

fn head_of(tree: &Tree) -> Head {
    let root = tree.root();
    let attribute = |name: &str| {
        let found = tree.get(root).attributes.iter().find(|(n, _)| &**n == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let meta = tree.named(root, "meta").next();
    let of_meta = |name: &str| {
        let node = tree.named(meta?, name).next()?;
        let text = tree.text(node);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    Head {
        form_id: attribute("id"),
        version: attribute("version"),
        instance_id: of_meta("instanceID"),
        deprecated_id: of_meta("deprecatedID"),
        instance_name: of_meta("instanceName"),
    }
}

/// Reads a submission of `form`. Elements are matched by local name, whatever their namespace.
///
/// Errors: [`ReadError`] for what is no safe, well-formed XML. A submission of another form or with
/// unknown elements is read all the same; [`check`] says what is wrong with it.
pub fn read(form: &Compiled, xml: &[u8]) -> Result<Submission, ReadError> {
    let mut tree = parse(xml)?.tree;
    let mut unknown = Vec::new();
    place(form, &mut tree, &mut |tree, node| unknown.push(tree.path(node, &|_| false)));
    Ok(Submission { head: head_of(&tree), tree, unknown })
}

/// Where in the bytes the content of the first element at `path` (`/data/l`) lies: between its start
/// and its end tag. `None` where there is no such element or it is empty (`<l/>`).
///
/// A sealed block is made by putting `<ln_sealed>…</ln_sealed>` in place of that content.
///
/// Errors: [`ReadError`] for what is no safe, well-formed XML.
pub fn content_range(xml: &[u8], path: &str) -> Result<Option<Range<usize>>, ReadError> {
    let Document { tree, pieces } = parse(xml)?;
    let wanted = pieces.iter().find_map(|(range, piece)| match piece {
        Piece::Open(node) if tree.path(*node, &|_| false) == path => Some((*node, range.end)),
        _ => None,
    });
    let Some((node, start)) = wanted else { return Ok(None) };
    let end = pieces.iter().find(|(_, piece)| *piece == Piece::Close(node)).map(|(range, _)| range.start);
    Ok(end.map(|end| start..end))
}

/// Gives each node the form's item; `stranger` is told of each topmost element without one.
pub(crate) fn place(form: &Compiled, tree: &mut Tree, stranger: &mut dyn FnMut(&Tree, NodeId)) {
    let root = tree.root();
    let mut open: Vec<(NodeId, Around)> = vec![(root, Around::Root)];
    while let Some((parent, around)) = open.pop() {
        for child in tree.children(parent).to_vec() {
            let name = tree.get(child).name.clone();
            let found = match around {
                Around::Root if &*name == "meta" => {
                    open.push((child, Around::Meta));
                    continue;
                }
                Around::Root => form.child(None, &name),
                // Written by clients: edits name the instance before, entities hang under any `meta`.
                Around::Meta if matches!(&*name, "deprecatedID" | "rootUuid") => {
                    open.push((child, Around::Leaf));
                    continue;
                }
                Around::Meta if &*name == "entity" => continue,
                Around::Item(item) if &*name == "meta" && form.items[item].stored().is_none() => continue,
                Around::Meta => form.in_meta(&name),
                Around::Item(item) if is_seal(&name) && form.items[item].sealed == Some(item) => {
                    open.push((child, Around::Leaf));
                    continue;
                }
                Around::Leaf => None,
                Around::Item(item) => form.child(Some(item), &name),
            };
            match found {
                Some(item) => {
                    tree.get_mut(child).place = u32::try_from(item).ok();
                    open.push((child, Around::Item(item)));
                }
                None => stranger(tree, child),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Around {
    Root,
    Meta,
    Item(usize),
    /// An element that the program knows without the form; nothing may lie in it.
    Leaf,
}
