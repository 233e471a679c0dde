//! The XML of a form as a tree: namespaces by their usual prefix, every element with its line.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::xform::LN_NAMESPACE;
use crate::xlsform::Problem;

const MOST_BYTES: usize = 64 * 1024 * 1024;
const DEEPEST: usize = 128;
const MOST_ELEMENTS: usize = 2_000_000;
/// Of one element; each is compared with those before it.
const MOST_ATTRIBUTES: usize = 1_000;

/// The prefix under which the reader knows a namespace.
const PREFIXES: [(&str, &str); 7] = [
    ("http://www.w3.org/2002/xforms", ""),
    ("http://www.w3.org/1999/xhtml", "h"),
    ("http://openrosa.org/javarosa", "jr"),
    ("http://openrosa.org/xforms", "orx"),
    ("http://www.opendatakit.org/xforms", "odk"),
    (crate::xform::entities::NAMESPACE, "entities"),
    (LN_NAMESPACE, "ln"),
];

/// An element.
#[derive(Clone, Debug, Default)]
pub(super) struct Tag {
    /// With its usual prefix: `h:head`, `odk:rank`, `bind`.
    pub name: String,
    /// In the order of the file; declarations of namespaces stay on the root of the file only.
    pub attributes: Vec<(String, String)>,
    pub content: Vec<Content>,
    /// Line of its start in the file, from 1.
    pub line: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Tag(Tag),
    Text(String),
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The elements directly inside.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.content.iter().filter_map(|content| match content {
            Content::Tag(tag) => Some(tag),
            Content::Text(_) => None,
        })
    }

    pub fn find(&self, name: &str) -> Option<&Tag> {
        self.tags().find(|tag| tag.name == name)
    }

    pub fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Tag> {
        self.tags().filter(move |tag| tag.name == name)
    }

    /// The text directly inside, as it stands.
    pub fn text(&self) -> String {
        let texts = self.content.iter().filter_map(|content| match content {
            Content::Text(text) => Some(text.as_str()),
            Content::Tag(_) => None,
        });
        texts.collect()
    }
}

/// Reads a whole document.
///
/// Errors: XML that is not well-formed, too large or too deep, or that declares entities.
pub(super) fn parse(xml: &[u8]) -> Result<Tag, Box<Problem>> {
    if xml.len() > MOST_BYTES {
        return Err(broken(
            None,
            format!("tệp lớn hơn {MOST_BYTES} byte"),
            format!("the file has more than {MOST_BYTES} bytes"),
        ));
    }
    let text = std::str::from_utf8(xml).map_err(|error| {
        let line = 1 + xml[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        broken(Some(line as u32), "không phải UTF-8".to_owned(), "the text is not UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut builder = Builder { open: Vec::new(), scopes: Vec::new(), root: None, elements: 0, line: 1 };
    let mut from = 0;
    loop {
        let event = reader.read_event().map_err(|error| builder.malformed(&error.to_string()))?;
        let to = usize::try_from(reader.buffer_position()).unwrap_or(from).min(text.len());
        if matches!(event, Event::Eof) {
            break;
        }
        builder.take(event)?;
        builder.line += text.as_bytes()[from..to].iter().filter(|&&byte| byte == b'\n').count() as u32;
        from = to;
    }
    if let Some(open) = builder.open.last() {
        return Err(builder.malformed(&format!("<{}> of line {} is not closed", open.name, open.line)));
    }
    let empty = builder.malformed("there is no element");
    builder.root.ok_or(empty)
}

fn broken(line: Option<u32>, vietnamese: String, english: String) -> Box<Problem> {
    let problem = Problem::new("xform", vietnamese, english);
    Box::new(match line {
        Some(line) => problem.row(line),
        None => problem,
    })
}

struct Builder {
    open: Vec<Tag>,
    /// Namespaces that each open element declares, by prefix.
    scopes: Vec<HashMap<String, String>>,
    root: Option<Tag>,
    elements: usize,
    line: u32,
}

impl Builder {
    fn malformed(&self, message: &str) -> Box<Problem> {
        broken(
            Some(self.line),
            format!("XML không đúng cú pháp: {message}"),
            format!("the XML is not well-formed: {message}"),
        )
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Box<Problem>> {
        match event {
            Event::Start(start) => self.open(&start),
            Event::Empty(start) => {
                self.open(&start)?;
                self.close()
            }
            Event::End(_) => self.close(),
            Event::Text(text) => {
                self.text(&text.xml10_content());
                Ok(())
            }
            Event::CData(text) => {
                self.text(&text.xml10_content());
                Ok(())
            }
            Event::GeneralRef(reference) => {
                let character =
                    reference.resolve_char_ref().map_err(|error| self.malformed(&error.to_string()))?;
                let character = match character {
                    Some(character) => character,
                    None => match &*reference.xml10_content() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "apos" => '\'',
                        "quot" => '"',
                        name => return Err(self.malformed(&format!("unknown entity &{name};"))),
                    },
                };
                self.text(character.encode_utf8(&mut [0; 4]));
                Ok(())
            }
            Event::DocType(_) => Err(self.malformed("document types and entity declarations are refused")),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Box<Problem>> {
        self.elements += 1;
        if self.open.len() >= DEEPEST || self.elements > MOST_ELEMENTS {
            return Err(self.malformed("too many elements, or nested too deeply"));
        }
        let mut declared = HashMap::new();
        let mut attributes = Vec::new();
        for (number, attribute) in start.attributes().enumerate() {
            if number >= MOST_ATTRIBUTES {
                return Err(self.malformed("an element has too many attributes"));
            }
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_err(|error| self.malformed(&error.to_string()))?;
            let name: &str = attribute.key.as_ref();
            match name.strip_prefix("xmlns") {
                Some("") => drop(declared.insert(String::new(), value.to_string())),
                Some(prefix) if prefix.starts_with(':') => {
                    declared.insert(prefix[1..].to_owned(), value.to_string());
                }
                _ => {}
            }
            attributes.push((name.to_owned(), value.into_owned()));
        }
        self.scopes.push(declared);
        for (name, _) in &mut attributes {
            if name.contains(':') && !name.starts_with("xmlns") {
                *name = self.usual(name);
            }
        }
        let name = self.usual(start.name().as_ref());
        self.open.push(Tag { name, attributes, content: Vec::new(), line: self.line });
        Ok(())
    }

    /// A name with the usual prefix of its namespace; another prefix stays as it is.
    fn usual(&self, name: &str) -> String {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let uri = self.scopes.iter().rev().find_map(|scope| scope.get(prefix));
        match uri.and_then(|uri| PREFIXES.iter().find(|(known, _)| known == uri)) {
            Some((_, "")) => local.to_owned(),
            Some((_, usual)) => format!("{usual}:{local}"),
            None => name.to_owned(),
        }
    }

    fn close(&mut self) -> Result<(), Box<Problem>> {
        self.scopes.pop();
        let Some(mut tag) = self.open.pop() else {
            return Err(self.malformed("an end tag without its start"));
        };
        // Space between elements is layout.
        let blank = |content: &Content| matches!(content, Content::Text(text) if text.trim().is_empty());
        if tag.content.iter().any(|content| matches!(content, Content::Tag(_)))
            && tag.content.iter().all(|content| blank(content) || matches!(content, Content::Tag(_)))
            && !matches!(tag.name.as_str(), "value" | "label" | "hint")
        {
            tag.content.retain(|content| !blank(content));
        }
        match self.open.last_mut() {
            Some(parent) => parent.content.push(Content::Tag(tag)),
            None if self.root.is_none() => self.root = Some(tag),
            None => return Err(self.malformed("a second root element")),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let Some(tag) = self.open.last_mut() else { return };
        match tag.content.last_mut() {
            Some(Content::Text(before)) => before.push_str(text),
            _ => tag.content.push(Content::Text(text.to_owned())),
        }
    }
}
