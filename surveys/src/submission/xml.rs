//! Parses instance XML within limits, keeping the place of every piece in the bytes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::expression::{NodeId, Tree};

const MOST_BYTES: usize = 20 * 1024 * 1024;
const DEEPEST: usize = 64;
const MOST_NODES: usize = 500_000;
/// Of one element; each is compared with those before it.
const MOST_ATTRIBUTES: usize = 1_000;

/// Why bytes are not read as a submission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the submission has {got} bytes; the most is {MOST_BYTES}")]
    TooLarge { got: usize },
    #[error("byte {at}: elements are nested deeper than {DEEPEST}")]
    TooDeep { at: usize },
    #[error("the submission has more than {MOST_NODES} elements")]
    TooManyNodes,
    #[error("byte {at}: document types and entity declarations are not accepted")]
    EntityDeclaration { at: usize },
    #[error("byte {at}: the entity `&{name};` is not declared; only lt, gt, amp, apos and quot are known")]
    UnknownEntity { at: usize, name: String },
    #[error("byte {at}: the text is not UTF-8")]
    NotUtf8 { at: usize },
    #[error("byte {at}: the XML is not well-formed: {message}")]
    Malformed { at: usize, message: String },
    #[error("the submission has no element")]
    Empty,
}

/// What a run of bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Open(NodeId),
    /// `<a/>`
    Whole(NodeId),
    Close(NodeId),
    /// Text, CDATA or a reference inside an element.
    Text(NodeId),
    /// Declaration, comment, processing instruction, or space outside the root.
    Other,
}

/// A parsed document; the pieces cover its bytes from first to last, in order.
pub(crate) struct Document {
    pub tree: Tree,
    pub pieces: Vec<(Range<usize>, Piece)>,
}

pub(crate) fn parse(xml: &[u8]) -> Result<Document, ReadError> {
    if xml.len() > MOST_BYTES {
        return Err(ReadError::TooLarge { got: xml.len() });
    }
    let text = std::str::from_utf8(xml).map_err(|error| ReadError::NotUtf8 { at: error.valid_up_to() })?;
    let (bom, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (3, rest),
        None => (0, text),
    };
    let mut parser = Parser {
        tree: None,
        pieces: if bom > 0 { vec![(0..bom, Piece::Other)] } else { Vec::new() },
        open: Vec::new(),
        names: HashMap::new(),
        closed: false,
    };
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut start = bom;
    loop {
        let event = reader.read_event().map_err(|error| ReadError::Malformed {
            at: reader.error_position() as usize + bom,
            message: error.to_string(),
        })?;
        let end = reader.buffer_position() as usize + bom;
        if !parser.take(event, start..end)? {
            break;
        }
        start = end;
    }
    if let Some(node) = parser.open.last() {
        let name = parser.tree.as_ref().map_or_else(String::new, |tree| tree.get(*node).name.to_string());
        let message = format!("the element `{name}` is not closed");
        return Err(ReadError::Malformed { at: xml.len(), message });
    }
    let tree = parser.tree.ok_or(ReadError::Empty)?;
    Ok(Document { tree, pieces: parser.pieces })
}

struct Parser {
    tree: Option<Tree>,
    pieces: Vec<(Range<usize>, Piece)>,
    open: Vec<NodeId>,
    names: HashMap<String, Arc<str>>,
    closed: bool,
}

impl Parser {
    /// False at the end of the document.
    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Result<bool, ReadError> {
        let at = range.start;
        let piece = match event {
            Event::Start(tag) => {
                let node = self.element(&tag, at)?;
                self.open.push(node);
                if self.open.len() > DEEPEST {
                    return Err(ReadError::TooDeep { at });
                }
                Piece::Open(node)
            }
            Event::Empty(tag) => {
                let node = self.element(&tag, at)?;
                self.closed |= self.open.is_empty();
                Piece::Whole(node)
            }
            Event::End(_) => {
                let Some(node) = self.open.pop() else {
                    return Err(ReadError::Malformed {
                        at,
                        message: "an end tag without its start".to_owned(),
                    });
                };
                self.closed |= self.open.is_empty();
                Piece::Close(node)
            }
            Event::Text(text) => self.text(&text.xml10_content(), at)?,
            Event::CData(text) => self.text(&text.xml10_content(), at)?,
            Event::GeneralRef(reference) => {
                let malformed =
                    |error: quick_xml::Error| ReadError::Malformed { at, message: error.to_string() };
                let character = match reference.resolve_char_ref().map_err(malformed)? {
                    Some(character) => character,
                    None => match &*reference.xml10_content() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "apos" => '\'',
                        "quot" => '"',
                        name => return Err(ReadError::UnknownEntity { at, name: name.to_owned() }),
                    },
                };
                self.text(character.encode_utf8(&mut [0; 4]), at)?
            }
            Event::DocType(_) => return Err(ReadError::EntityDeclaration { at }),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => Piece::Other,
            Event::Eof => return Ok(false),
        };
        self.pieces.push((range, piece));
        Ok(true)
    }

    fn text(&mut self, text: &str, at: usize) -> Result<Piece, ReadError> {
        let (Some(node), Some(tree)) = (self.open.last(), self.tree.as_mut()) else {
            if text.trim().is_empty() {
                return Ok(Piece::Other);
            }
            return Err(ReadError::Malformed { at, message: "text outside the root element".to_owned() });
        };
        // Space between the children of a group is layout.
        if tree.children(*node).is_empty() || !text.trim().is_empty() {
            tree.get_mut(*node).text.push_str(text);
        }
        Ok(Piece::Text(*node))
    }

    fn element(&mut self, tag: &BytesStart<'_>, at: usize) -> Result<NodeId, ReadError> {
        if self.closed {
            return Err(ReadError::Malformed { at, message: "a second root element".to_owned() });
        }
        let name = self.name(tag.local_name().into_inner());
        let node = match (&mut self.tree, self.open.last()) {
            (None, _) => {
                let (tree, root) = Tree::new(&name);
                self.tree = Some(tree);
                root
            }
            (Some(tree), Some(parent)) => {
                if tree.len() > MOST_NODES {
                    return Err(ReadError::TooManyNodes);
                }
                if tree.get(*parent).text.trim().is_empty() {
                    tree.get_mut(*parent).text.clear();
                }
                tree.add(*parent, name)
            }
            (Some(_), None) => {
                return Err(ReadError::Malformed { at, message: "a second root element".to_owned() });
            }
        };
        for (number, attribute) in tag.attributes().enumerate() {
            if number >= MOST_ATTRIBUTES {
                let message = format!("an element has more than {MOST_ATTRIBUTES} attributes");
                return Err(ReadError::Malformed { at, message });
            }
            let attribute =
                attribute.map_err(|error| ReadError::Malformed { at, message: error.to_string() })?;
            if attribute.key.as_ref().starts_with("xmlns") {
                continue;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| ReadError::Malformed { at, message: error.to_string() })?;
            let name = self.name(attribute.key.local_name().into_inner());
            if let Some(tree) = &mut self.tree {
                tree.get_mut(node).attributes.push((name, value.into_owned()));
            }
        }
        Ok(node)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let new: Arc<str> = Arc::from(name);
        self.names.insert(name.to_owned(), new.clone());
        new
    }
}
