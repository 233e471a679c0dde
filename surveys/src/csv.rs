//! Comma-separated values (RFC 4180), read without copying cells that hold no quotes.

use std::borrow::Cow;

/// The rows of a text. A cell may stand in `"`, with `""` for a quote inside; lines end in `\n`,
/// `\r\n` or `\r`.
pub(crate) fn rows(text: &str) -> Vec<Vec<Cow<'_, str>>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (cell, after) = if rest.starts_with('"') { quoted(rest) } else { plain(rest) };
        row.push(cell);
        let mut end_of_row = true;
        rest = if let Some(after) = after.strip_prefix(',') {
            end_of_row = false;
            if after.is_empty() || after.starts_with(['\n', '\r']) {
                row.push(Cow::Borrowed(""));
                end_of_row = true;
            }
            if end_of_row { skip_line_end(after) } else { after }
        } else {
            skip_line_end(after)
        };
        if end_of_row {
            rows.push(std::mem::take(&mut row));
        }
    }
    rows
}

fn skip_line_end(text: &str) -> &str {
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix(['\n', '\r'])).unwrap_or(text)
}

fn plain(text: &str) -> (Cow<'_, str>, &str) {
    let end = text.find([',', '\n', '\r']).unwrap_or(text.len());
    (Cow::Borrowed(&text[..end]), &text[end..])
}

/// A cell that begins with a quote. What follows its closing quote up to the comma belongs to it too.
fn quoted(text: &str) -> (Cow<'_, str>, &str) {
    let mut rest = &text[1..];
    let mut cell: Cow<'_, str> = Cow::Borrowed("");
    loop {
        let end = rest.find('"').unwrap_or(rest.len());
        cell += &rest[..end];
        let after = rest.get(end + 1..).unwrap_or_default();
        if let Some(next) = after.strip_prefix('"') {
            cell += "\"";
            rest = next;
            continue;
        }
        let (tail, after) = plain(after);
        cell += tail;
        return (cell, after);
    }
}
