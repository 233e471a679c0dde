//! What a reader of a report sees, taken out of the file again: paragraphs, tables, drawings. Files that went through
//! an office program are read too.

use std::io::{Cursor, Read};

use anyhow::{Context, anyhow};
use zip::ZipArchive;

/// A report as it stands on paper.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Printed {
    /// Headings, paragraphs, list items and captions outside tables, in reading order, without their own numbers.
    pub paragraphs: Vec<String>,
    pub tables: Vec<PrintedTable>,
    /// Drawings that are text (SVG); pictures are not looked into.
    pub drawings: Vec<String>,
}

/// A table with its caption, without the number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrintedTable {
    pub caption: String,
    pub rows: Vec<Vec<String>>,
}

/// Reads a DOCX or an HTML file, by its first bytes.
///
/// Errors: another format, a damaged file.
pub fn read(bytes: &[u8]) -> anyhow::Result<Printed> {
    if bytes.starts_with(b"PK") {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).context("the file is no DOCX")?;
        let mut xml = String::new();
        zip.by_name("word/document.xml")
            .map_err(|_| anyhow!("the file is a ZIP but no DOCX: it has no word/document.xml"))?
            .read_to_string(&mut xml)
            .context("word/document.xml cannot be read")?;
        return Ok(printed(&xml, &WORD));
    }
    if bytes.starts_with(b"%PDF") {
        return Err(anyhow!("a PDF cannot be verified; verify the DOCX or the HTML that it was made from"));
    }
    let text = std::str::from_utf8(bytes).context("the file is neither DOCX nor UTF-8 HTML")?;
    if !text.contains("<html") {
        return Err(anyhow!("the file is neither DOCX nor HTML"));
    }
    Ok(printed(text, &WEB))
}

/// Names of the elements in a format.
struct Dialect {
    /// Text stands in these only; everywhere where there are none.
    text: &'static [&'static str],
    paragraph: &'static [&'static str],
    table: &'static str,
    row: &'static str,
    cell: &'static [&'static str],
    caption: &'static str,
    /// Not shown, or written by the office program.
    skipped: &'static [&'static str],
    drawing: &'static str,
    space: &'static [&'static str],
}

const WORD: Dialect = Dialect {
    text: &["w:t"],
    paragraph: &["w:p"],
    table: "w:tbl",
    row: "w:tr",
    cell: &["w:tc"],
    caption: "",
    skipped: &["w:del", "w:instrText", "mc:Fallback"],
    drawing: "",
    space: &["w:tab", "w:br"],
};

const WEB: Dialect = Dialect {
    text: &[],
    paragraph: &["p", "li", "h1", "h2", "h3", "h4", "figcaption"],
    table: "table",
    row: "tr",
    cell: &["td", "th"],
    caption: "caption",
    skipped: &["style", "script", "title", "nav"],
    drawing: "svg",
    space: &["br"],
};

fn printed(source: &str, names: &Dialect) -> Printed {
    let mut printed = Printed::default();
    let mut open = Open::default();
    let mut rest = source;
    while let Some(start) = rest.find('<') {
        let (text, after) = rest.split_at(start);
        if open.skipped == 0 && (names.text.is_empty() || open.text) && open.drawing == 0 {
            open.words.push_str(&unescape(text));
        }
        let end =
            if after.starts_with("<!--") { after.find("-->").map(|end| end + 2) } else { after.find('>') };
        let Some(end) = end else { break };
        let inside = &after[1..end];
        rest = &after[end + 1..];
        if inside.starts_with(['!', '?']) {
            continue;
        }
        let closing = inside.starts_with('/');
        let empty = inside.ends_with('/');
        let name = inside
            .trim_start_matches('/')
            .split(|c: char| c.is_whitespace() || c == '/')
            .next()
            .unwrap_or_default();
        // A line of the table of contents repeats a heading; the office program counts its page.
        open.contents |= name == "w:hyperlink" && inside.contains("_Toc");
        open.tag(name, closing, empty, names, &mut printed);
        if name == names.drawing && !names.drawing.is_empty() {
            if !closing && open.drawing == 0 {
                open.drawing_from = source.len() - rest.len();
            }
            open.drawing = if closing { open.drawing.saturating_sub(1) } else { open.drawing + 1 };
            if closing && open.drawing == 0 {
                let to = source.len() - rest.len();
                printed.drawings.push(source[open.drawing_from..to].to_owned());
            }
        }
    }
    for paragraph in &mut printed.paragraphs {
        *paragraph = without_number(paragraph).to_owned();
    }
    printed
}

/// What is open at a place of the file.
#[derive(Default)]
struct Open {
    words: String,
    text: bool,
    skipped: usize,
    /// In a line of the table of contents.
    contents: bool,
    drawing: usize,
    drawing_from: usize,
    /// Tables inside each other; the outermost is read, the inner ones are words of its cells.
    tables: usize,
    table: PrintedTable,
    row: Vec<String>,
}

impl Open {
    fn tag(&mut self, name: &str, closing: bool, empty: bool, names: &Dialect, printed: &mut Printed) {
        if names.skipped.contains(&name) && !empty {
            self.skipped = if closing { self.skipped.saturating_sub(1) } else { self.skipped + 1 };
        } else if names.text.contains(&name) {
            self.text = !closing && !empty;
        } else if names.space.contains(&name) {
            self.words.push(' ');
        } else if name == names.table {
            self.table_tag(closing, printed);
        } else if self.tables == 1 && name == names.caption {
            let words = self.take();
            if closing {
                self.table.caption = words;
            }
        } else if self.tables == 1 && name == names.row && closing {
            self.table.rows.push(std::mem::take(&mut self.row));
        } else if self.tables == 1 && names.cell.contains(&name) {
            let words = self.take();
            if closing {
                self.row.push(words);
            }
        } else if names.paragraph.contains(&name) {
            if self.tables > 0 {
                self.words.push(' ');
                return;
            }
            // What stands between paragraphs belongs to none.
            let words = self.take();
            let in_contents = std::mem::take(&mut self.contents);
            if closing && !words.is_empty() && !in_contents {
                printed.paragraphs.push(words);
            }
        }
    }

    fn table_tag(&mut self, closing: bool, printed: &mut Printed) {
        if !closing {
            self.tables += 1;
            if self.tables == 1 {
                self.words.clear();
                self.table = PrintedTable::default();
            }
            return;
        }
        self.tables = self.tables.saturating_sub(1);
        if self.tables > 0 {
            return;
        }
        let mut table = std::mem::take(&mut self.table);
        // In Word the caption is the paragraph before the table.
        let before = printed.paragraphs.last().filter(|_| table.caption.is_empty());
        if before.is_some_and(|words| words.starts_with("Bảng ")) {
            table.caption = printed.paragraphs.pop().unwrap_or_default();
        }
        table.caption = without_number(&table.caption).to_owned();
        printed.tables.push(table);
    }

    /// The words so far, with single spaces.
    fn take(&mut self) -> String {
        let words = self.words.split_whitespace().collect::<Vec<_>>().join(" ");
        self.words.clear();
        words
    }
}

/// What a numbered line says: `Bảng 3. Title`, `2. Title` → `Title`. Numbers of lines move when something is taken out.
fn without_number(line: &str) -> &str {
    let words =
        ["Bảng ", "Hình ", "PHỤ LỤC "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    match words.split_once(". ") {
        Some((number, title)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => title,
        _ => line,
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let known = rest.find(';').filter(|end| *end < 10).and_then(|end| {
            let name = &rest[1..end];
            let letter = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "nbsp" => Some('\u{a0}'),
                _ => name
                    .strip_prefix("#x")
                    .map(|hex| u32::from_str_radix(hex, 16))
                    .or_else(|| name.strip_prefix('#').map(str::parse))
                    .and_then(|number| char::from_u32(number.ok()?)),
            };
            letter.map(|letter| (letter, end))
        });
        match known {
            Some((letter, end)) => {
                plain.push(letter);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_is_seen() {
        let page = "<!DOCTYPE html><html><head><title>x</title><style>p > b {}</style></head><body><!-- 1 > 0 -->\
                    <p>Một\u{a0}&amp; <b>hai</b></p><table><caption>Bảng 2. Tên</caption><tr><th>A</th></tr><tr><td>1<br>2</td></tr>\
                    </table><figure><svg><text>3</text></svg></figure></body></html>";
        let read = read(page.as_bytes()).expect("it is a page");
        assert_eq!(read.paragraphs, ["Một & hai"]);
        assert_eq!(read.tables.len(), 1);
        assert_eq!(read.tables[0].caption, "Tên");
        assert_eq!(read.tables[0].rows, [["A"], ["1 2"]]);
        assert_eq!(read.drawings, ["<text>3</text></svg>"]);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(read(b"%PDF-1.7").is_err_and(|e| e.to_string().contains("DOCX")));
        assert!(read(b"PK nothing").is_err());
        assert!(read(b"text").is_err());
    }
}
