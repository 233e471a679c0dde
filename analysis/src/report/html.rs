//! HTML: one file with everything inside, for screen, telephone and paper.

use super::{Block, Drawing, Finding, Report, cells, escape};
use crate::charts::{REGULAR_WOFF2, SEMIBOLD_WOFF2};
use crate::disclosure::{SafeTable, Standing};

const STYLE: &str = include_str!("../../templates/report.css");

/// Writes the report as one HTML document: fonts, pictures and styles inside, no address outside is read.
/// The same report gives the same bytes.
pub fn html(report: &Report) -> String {
    let front = &report.front;
    let mut page = Page::default();
    page.letterhead(report);
    for block in &report.blocks {
        page.block(block, report);
    }
    page.closing(report);
    let label = front
        .label
        .as_deref()
        .map_or(String::new(), |label| format!("<p class=\"label\" role=\"note\">{}</p>\n", escape(label)));
    // Under every printed page, also of a lying one.
    let running = front.label.as_deref().map_or(String::new(), |label| {
        format!(
            "@media print {{ @page {{ @bottom-center {{ content: {}; color: #9a4a00; font: 600 9.5pt \"Be Vietnam \
             Pro\", sans-serif; }} }} }}\n",
            css_text(label)
        )
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"vi\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <title>{title}</title>\n<style>\n{fonts}{STYLE}{running}</style>\n</head>\n<body>\n{label}<main>\n{body}</main>\n\
         </body>\n</html>\n",
        title = escape(&format!("{} {}", front.kind, front.about)),
        fonts = fonts(),
        body = page.text,
    )
}

/// A text between quotation marks of CSS, safe inside a style element.
fn css_text(text: &str) -> String {
    let mut safe = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '<' | '>' | '&' | '\n' | '\r' => safe.push_str(&format!("\\{:x} ", c as u32)),
            c => safe.push(c),
        }
    }
    safe + "\""
}

pub(crate) fn fonts() -> String {
    // Charts ask for bold, which in this family is the semibold face.
    [("400", REGULAR_WOFF2), ("600 700", SEMIBOLD_WOFF2)]
        .into_iter()
        .map(|(weight, font)| {
            format!(
                "@font-face {{ font-family: \"Be Vietnam Pro\"; font-weight: {weight}; font-display: swap; \
                 src: url(data:font/woff2;base64,{}) format(\"woff2\"); }}\n",
                base64(font)
            )
        })
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for i in 0..4 {
            let is_padding = i > chunk.len();
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if is_padding { '=' } else { char::from(letter) });
        }
    }
    text
}

#[derive(Default)]
struct Page {
    text: String,
    tables: usize,
    figures: usize,
    headings: usize,
}

impl Page {
    fn element(&mut self, tag: &str, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.text.push_str(&format!("<{tag}{class}>{}</{tag}>\n", escape(text)));
    }

    fn letterhead(&mut self, report: &Report) {
        let front = &report.front;
        self.text.push_str("<header>\n");
        if !front.issuing_body.is_empty() {
            self.issuer(report);
        }
        self.text.push_str("<h1>");
        self.text.push_str(&escape(&front.kind));
        self.text.push_str("<br><span>");
        self.text.push_str(&escape(&front.about));
        self.text.push_str("</span></h1>\n</header>\n");
    }

    fn issuer(&mut self, report: &Report) {
        let front = &report.front;
        let (heading, motto) = front.heading();
        self.text.push_str("<div class=\"letterhead\">\n<div>\n");
        self.element("p", "", &front.parent_body.to_uppercase());
        self.element("p", "strong", &front.issuing_body.to_uppercase());
        self.element("p", "", if motto.is_none() { "*" } else { "―――――" });
        self.element("p", "", &front.number);
        self.text.push_str("</div>\n<div>\n");
        self.element("p", if motto.is_none() { "strong ruled" } else { "strong" }, heading);
        if let Some(motto) = motto {
            self.element("p", "strong ruled", motto);
        }
        self.element("p", "date", &front.place_and_date);
        self.text.push_str("</div>\n</div>\n");
    }

    fn block(&mut self, block: &Block, report: &Report) {
        match block {
            Block::Heading(level, text) => {
                self.headings += 1;
                let (tag, id) = (level.clamp(&1, &3) + 1, self.headings);
                self.text.push_str(&format!("<h{tag} id=\"muc-{id}\">{}</h{tag}>\n", escape(text)));
            }
            Block::Paragraph(text) => self.element("p", "", text),
            Block::Items(items) => {
                self.text.push_str("<ul>\n");
                items.iter().for_each(|item| self.element("li", "", item));
                self.text.push_str("</ul>\n");
            }
            Block::Findings(findings) => self.findings(findings),
            Block::Notice(text) => self.element("p", "notice", text),
            Block::Table(table) => self.table(table),
            Block::Figure(drawing) => self.figure(drawing),
            Block::Contents => self.contents(report),
            Block::PageBreak => self.text.push_str("<div class=\"page-break\"></div>\n"),
        }
    }

    fn contents(&mut self, report: &Report) {
        self.text.push_str("<nav aria-label=\"Mục lục\">\n<p class=\"strong\">MỤC LỤC</p>\n<ol>\n");
        let headings = report.blocks.iter().filter_map(|b| match b {
            Block::Heading(level, text) => Some((level, text)),
            _ => None,
        });
        for (i, (level, text)) in headings.enumerate().filter(|(_, (level, _))| **level <= 2) {
            self.text.push_str(&format!(
                "<li class=\"level-{level}\"><a href=\"#muc-{}\">{}</a></li>\n",
                i + 1,
                escape(text)
            ));
        }
        self.text.push_str("</ol>\n</nav>\n");
    }

    fn findings(&mut self, findings: &[Finding]) {
        self.text.push_str("<ol class=\"findings\">\n");
        for finding in findings {
            self.text.push_str("<li>\n");
            self.element("p", "strong", &finding.headline);
            finding.lines.iter().for_each(|line| self.element("p", "", line));
            self.text.push_str("</li>\n");
        }
        self.text.push_str("</ol>\n");
    }

    fn figure(&mut self, drawing: &Drawing) {
        self.figures += 1;
        self.text.push_str(&format!(
            "<figure>\n<div class=\"on-page\">{}</div>\n<div class=\"on-phone\">{}</div>\n<figcaption>Hình {}. \
             {}</figcaption>\n</figure>\n",
            drawing.page,
            drawing.phone,
            self.figures,
            escape(&drawing.title)
        ));
    }

    fn table(&mut self, table: &SafeTable) {
        self.tables += 1;
        // Very many columns are printed on a lying page.
        let class = if table.columns.len() > 9 { "table wide" } else { "table" };
        self.text.push_str(&format!(
            "<div class=\"{class}\">\n<table>\n<caption>Bảng {}. {}</caption>\n<thead>\n<tr>",
            self.tables,
            escape(&table.title)
        ));
        for column in &table.columns {
            self.text.push_str(&format!("<th scope=\"col\">{}</th>", escape(&cells::head(column))));
        }
        self.text.push_str("</tr>\n</thead>\n<tbody>\n");
        for row in table.rows() {
            self.text.push_str("<tr>");
            for (i, cell) in row.iter().enumerate() {
                let text = escape(&cells::written(cell));
                if i == 0 {
                    self.text.push_str(&format!("<th scope=\"row\">{text}</th>"));
                    continue;
                }
                let class = match (cells::is_number(cell), cell.standing()) {
                    (true, Some(Standing::Cautious)) => " class=\"number cautious\"",
                    (true, Some(Standing::Hidden)) => " class=\"number hidden-figure\"",
                    (true, _) => " class=\"number\"",
                    (false, _) => "",
                };
                self.text.push_str(&format!("<td{class}>{text}</td>"));
            }
            self.text.push_str("</tr>\n");
        }
        self.text.push_str("</tbody>\n</table>\n</div>\n");
        for note in cells::notes(table) {
            self.element("p", "table-note", &note);
        }
    }

    fn closing(&mut self, report: &Report) {
        let front = &report.front;
        if front.signature.is_none() && front.recipients.is_empty() {
            return;
        }
        self.text.push_str("<footer>\n<div>\n");
        if !front.recipients.is_empty() {
            self.element("p", "strong date", "Nơi nhận:");
            for recipient in &front.recipients {
                self.element("p", "recipient", &format!("- {recipient}"));
            }
        }
        self.text.push_str("</div>\n<div class=\"signature\">\n");
        if let Some(signature) = &front.signature {
            self.element("p", "strong", &signature.authority.to_uppercase());
            self.element("p", "strong", &signature.position.to_uppercase());
            self.element("p", "strong name", &signature.name);
        }
        self.text.push_str("</div>\n</footer>\n");
    }
}
