//! Writes the instance of an interview as ODK Collect sends it.

use crate::expression::NodeId;
use crate::form::Interview;

const NAMESPACES: &str = concat!(
    " xmlns:h=\"http://www.w3.org/1999/xhtml\"",
    " xmlns:jr=\"http://openrosa.org/javarosa\"",
    " xmlns:orx=\"http://openrosa.org/xforms\"",
    " xmlns:odk=\"http://www.opendatakit.org/xforms\"",
);

/// Text inside an element or a double-quoted attribute; characters that XML cannot hold are dropped.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(c),
            '\r' => escaped.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

pub(crate) fn instance(interview: &Interview<'_>) -> String {
    let form = interview.form;
    let mut xml = String::from("<?xml version='1.0' ?>");
    let root = interview.tree.root();
    xml.push('<');
    xml.push_str(&form.root);
    xml.push_str(NAMESPACES);
    xml.push_str(&format!(" id=\"{}\"", escape(&form.form_id)));
    if let Some(version) = &form.version {
        xml.push_str(&format!(" version=\"{}\"", escape(version)));
    }
    xml.push('>');
    for child in interview.tree.children(root) {
        element(interview, *child, &mut xml);
    }
    xml.push_str(&format!("</{}>", form.root));
    xml
}

fn element(interview: &Interview<'_>, node: NodeId, xml: &mut String) {
    let data = interview.tree.get(node);
    if !data.relevant {
        return;
    }
    if data.children.is_empty() && data.text.is_empty() {
        xml.push_str(&format!("<{} />", data.name));
        return;
    }
    xml.push_str(&format!("<{}>", data.name));
    xml.push_str(&escape(&data.text));
    for child in &data.children {
        element(interview, *child, xml);
    }
    xml.push_str(&format!("</{}>", data.name));
}
