//! A small XML tree and its one way of being printed.

/// An element with its attributes in the order they are written.
#[derive(Clone, Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Child>,
}

#[derive(Clone, Debug)]
pub enum Child {
    Element(Element),
    Text(String),
}

impl Element {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets an attribute, in its old place if it is there already.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name, value)),
        }
    }

    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Child::Text(text.into()));
        self
    }

    pub fn child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    pub fn push(&mut self, child: Self) {
        self.children.push(Child::Element(child));
    }

    pub fn extend(&mut self, children: impl IntoIterator<Item = Self>) {
        self.children.extend(children.into_iter().map(Child::Element));
    }

    /// The document, indented by two spaces; an element with text in it stays on one line.
    pub fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\"?>\n");
        self.print(&mut out, Some(0));
        out
    }

    /// `indent`: the depth, `None` inside text.
    fn print(&self, out: &mut String, indent: Option<usize>) {
        let margin = |out: &mut String, depth: usize| out.extend(std::iter::repeat_n("  ", depth));
        if let Some(depth) = indent {
            margin(out, depth);
        }
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
        } else {
            out.push('>');
            let mixed = self.children.iter().any(|child| matches!(child, Child::Text(_)));
            let inner = indent.filter(|_| !mixed);
            if inner.is_some() {
                out.push('\n');
            }
            for child in &self.children {
                match child {
                    Child::Text(text) => escape(out, text, false),
                    Child::Element(element) => element.print(out, inner.map(|depth| depth + 1)),
                }
            }
            if let Some(depth) = inner {
                margin(out, depth);
            }
            out.push_str("</");
            out.push_str(&self.name);
            out.push('>');
        }
        if indent.is_some() {
            out.push('\n');
        }
    }
}

/// Characters that XML cannot carry are left out.
fn escape(out: &mut String, text: &str, attribute: bool) {
    // Most texts have nothing to escape, so that they are taken over as they are.
    let odd = |b: u8| matches!(b, b'&' | b'<' | b'>' | b'"' | 0..b' ' | 0xef);
    if !text.bytes().any(odd) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
}
