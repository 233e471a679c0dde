//! DOCX: the text itself, from blocks to WordprocessingML.

use super::{Block, Drawing, Finding, Report, ReportError, cells, escape};
use crate::charts;
use crate::disclosure::SafeTable;
use rayon::prelude::*;

/// `word/document.xml` and the pictures it shows, in order.
pub(super) struct Body {
    pub document: String,
    pub pictures: Vec<Vec<u8>>,
}

/// Text width between the margins (30 and 20 mm on A4), in twentieths of a point and in EMU.
const TEXT_TWIPS: usize = 9071;
const TEXT_EMU: f64 = 5_760_000.0;
/// Text width of a page that lies, for tables that are too wide: 20 mm on each side.
const LYING_TWIPS: usize = 14_570;
/// 1,140 pixels over 16 cm, 180 to the inch: crisp in print.
const SCALE: f32 = 1.5;

struct Writer {
    xml: String,
    pictures: Vec<Vec<u8>>,
    figures: usize,
    tables: usize,
    headings: usize,
    /// Sections ended so far: the page number is hidden on the first page of the first one only.
    sections: usize,
}

impl Body {
    pub fn write(report: &Report, pages: &[u32]) -> Result<Self, ReportError> {
        let drawings: Vec<&Drawing> = report
            .blocks
            .iter()
            .filter_map(|b| if let Block::Figure(drawing) = b { Some(drawing) } else { None })
            .collect();
        // Rendering takes most of the time; the order of the pictures stays that of the report.
        let pictures: Vec<Vec<u8>> = drawings
            .par_iter()
            .enumerate()
            .map(|(i, drawing)| {
                charts::png(&drawing.page, SCALE).map_err(|source| ReportError::Picture {
                    number: i + 1,
                    title: drawing.title.clone(),
                    source,
                })
            })
            .collect::<Result<_, _>>()?;
        let mut writer =
            Writer { xml: String::new(), pictures, figures: 0, tables: 0, headings: 0, sections: 0 };
        writer.letterhead(report);
        for block in &report.blocks {
            match block {
                Block::Heading(level, text) => writer.heading(*level, text),
                Block::Paragraph(text) => writer.paragraph("BodyText", text),
                Block::Items(items) => items.iter().for_each(|item| writer.paragraph("ListBullet", item)),
                Block::Findings(findings) => writer.findings(findings),
                Block::Notice(text) => writer.paragraph("Notice", text),
                Block::Table(table) => writer.table(table),
                Block::Figure(drawing) => writer.figure(drawing),
                Block::Contents => writer.contents(report, pages),
                Block::PageBreak => writer.xml.push_str("<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p>"),
            }
        }
        writer.closing(report);
        let last = section(false, writer.sections == 0);
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document \
             xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" \
             xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\" \
             xmlns:wp=\"http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing\" \
             xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" \
             xmlns:pic=\"http://schemas.openxmlformats.org/drawingml/2006/picture\"><w:body>{}{}</w:body></w:document>",
            writer.xml, last
        );
        Ok(Self { document, pictures: writer.pictures })
    }
}

/// A4; margins upright: top, bottom and right 20 mm, left 30 mm (both layouts allow them); lying: 20 mm beside, and
/// the binding edge on top.
fn section(lies: bool, is_first: bool) -> String {
    let page = if lies {
        "<w:pgSz w:w=\"16838\" w:h=\"11906\" w:orient=\"landscape\"/><w:pgMar w:top=\"1701\" w:right=\"1134\" \
         w:bottom=\"1134\" w:left=\"1134\" w:header=\"567\" w:footer=\"567\" w:gutter=\"0\"/>"
    } else {
        "<w:pgSz w:w=\"11906\" w:h=\"16838\"/><w:pgMar w:top=\"1134\" w:right=\"1134\" w:bottom=\"1134\" \
         w:left=\"1701\" w:header=\"567\" w:footer=\"567\" w:gutter=\"0\"/>"
    };
    let first = if is_first { "<w:titlePg/>" } else { "" };
    format!(
        "<w:sectPr><w:headerReference w:type=\"default\" r:id=\"rId4\"/><w:headerReference w:type=\"first\" \
         r:id=\"rId5\"/><w:footerReference w:type=\"default\" r:id=\"rId6\"/><w:footerReference w:type=\"first\" \
         r:id=\"rId6\"/>{page}{first}</w:sectPr>"
    )
}

fn run(text: &str, properties: &str) -> String {
    let properties =
        if properties.is_empty() { String::new() } else { format!("<w:rPr>{properties}</w:rPr>") };
    format!("<w:r>{properties}<w:t xml:space=\"preserve\">{}</w:t></w:r>", escape(text))
}

fn field(instruction: &str, shown: &str) -> String {
    format!(
        "<w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText xml:space=\"preserve\"> {instruction} \
         </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r>{}<w:r><w:fldChar \
         w:fldCharType=\"end\"/></w:r>",
        run(shown, "")
    )
}

fn sized(points: u32, more: &str) -> String {
    format!("{more}<w:sz w:val=\"{0}\"/><w:szCs w:val=\"{0}\"/>", points * 2)
}

fn centered(content: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"Letterhead\"/></w:pPr>{content}</w:p>")
}

/// The line under a name: a low paragraph with a border, indented to be as short as the layouts ask.
fn rule(indent: u32) -> String {
    format!(
        "<w:p><w:pPr><w:pStyle w:val=\"Letterhead\"/><w:pBdr><w:top w:val=\"single\" w:sz=\"6\" w:space=\"1\" \
         w:color=\"000000\"/></w:pBdr><w:spacing w:before=\"20\" w:line=\"120\" w:lineRule=\"exact\"/><w:ind \
         w:left=\"{indent}\" w:right=\"{indent}\"/></w:pPr></w:p>"
    )
}

/// A name on one line, or parted at the space nearest its middle where it has more letters than fit.
fn halves(name: &str, most: usize) -> Vec<&str> {
    if name.chars().count() <= most {
        return vec![name];
    }
    let middle = name.len() / 2;
    match name.match_indices(' ').map(|(at, _)| at).min_by_key(|at| at.abs_diff(middle)) {
        Some(at) => vec![&name[..at], &name[at + 1..]],
        None => vec![name],
    }
}

impl Writer {
    fn paragraph(&mut self, style: &str, text: &str) {
        self.xml
            .push_str(&format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>{}</w:p>", run(text, "")));
    }

    /// Who issues the document, where somebody does; then what it is.
    fn letterhead(&mut self, report: &Report) {
        let front = &report.front;
        if !front.issuing_body.is_empty() {
            self.issuer(report);
        }
        let [.., kind_size, about_size] = front.sizes();
        let bold = "<w:b/><w:bCs/>";
        for (style, text, size) in [("Title", &front.kind, kind_size), ("Subtitle", &front.about, about_size)]
        {
            self.xml.push_str(&format!(
                "<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>{}</w:p>",
                run(text, &sized(size, bold))
            ));
        }
        self.xml.push_str(&centered(&run("-----", "")));
    }

    fn issuer(&mut self, report: &Report) {
        let front = &report.front;
        let [heading_size, parent_size, body_size, small_size, ..] = front.sizes();
        let (heading, motto) = front.heading();
        let bold = "<w:b/><w:bCs/>";
        // The State's name is long, the Party's bodies are.
        let w_left = TEXT_TWIPS * if motto.is_some() { 42 } else { 46 } / 100;
        let w_right = TEXT_TWIPS - w_left;
        let mut left = String::new();
        for (name, size, weight) in
            [(&front.parent_body, parent_size, ""), (&front.issuing_body, body_size, bold)]
        {
            let name = name.to_uppercase();
            for line in halves(&name, w_left / (size as usize * 15)).into_iter().filter(|l| !l.is_empty()) {
                left.push_str(&centered(&run(line, &sized(size, weight))));
            }
        }
        if motto.is_none() {
            left.push_str(&centered(&run("*", &sized(small_size, ""))));
        } else {
            left.push_str(&rule(1200));
        }
        left.push_str(&centered(&run(&front.number, &sized(small_size, ""))));
        let mut right = centered(&run(heading, &sized(heading_size, bold)));
        if let Some(motto) = motto {
            right.push_str(&centered(&run(motto, &sized(14, bold))));
            right.push_str(&rule(1150));
        } else {
            right.push_str(&rule(380));
        }
        right.push_str(&centered(&run(&front.place_and_date, &sized(small_size, "<w:i/><w:iCs/>"))));
        let cell = |width: usize, content: &str| {
            format!("<w:tc><w:tcPr><w:tcW w:w=\"{width}\" w:type=\"dxa\"/></w:tcPr>{content}</w:tc>")
        };
        self.xml.push_str(&format!(
            "<w:tbl><w:tblPr><w:tblW w:w=\"{TEXT_TWIPS}\" w:type=\"dxa\"/><w:tblLayout w:type=\"fixed\"/>\
             <w:tblCellMar><w:left w:w=\"28\" w:type=\"dxa\"/><w:right w:w=\"28\" w:type=\"dxa\"/></w:tblCellMar></w:tblPr>\
             <w:tblGrid><w:gridCol w:w=\"{w_left}\"/><w:gridCol w:w=\"{w_right}\"/></w:tblGrid><w:tr>{}{}</w:tr></w:tbl>",
            cell(w_left, &left),
            cell(w_right, &right)
        ));
    }

    fn heading(&mut self, level: u8, text: &str) {
        let level = level.clamp(1, 3);
        self.headings += 1;
        let id = self.headings;
        self.xml.push_str(&format!(
            "<w:p><w:pPr><w:pStyle w:val=\"Heading{level}\"/></w:pPr><w:bookmarkStart w:id=\"{id}\" \
             w:name=\"_Toc{id:06}\"/>{}<w:bookmarkEnd w:id=\"{id}\"/></w:p>",
            run(text, "")
        ));
    }

    /// Entries are written out with fields for their pages, so that the table is whole before Word renews it.
    fn contents(&mut self, report: &Report, pages: &[u32]) {
        self.paragraph("ContentsTitle", "MỤC LỤC");
        let headings: Vec<(u8, &String)> = report
            .blocks
            .iter()
            .filter_map(|b| if let Block::Heading(level, text) = b { Some((*level, text)) } else { None })
            .collect();
        let known = pages.len() == headings.len();
        let shown: Vec<(usize, u8, &String)> = headings
            .into_iter()
            .enumerate()
            .filter(|(_, (level, _))| *level <= 2)
            .map(|(i, (level, text))| (i + 1, level, text))
            .collect();
        let last = shown.len();
        for (at, (id, level, text)) in shown.into_iter().enumerate() {
            let begin = if at == 0 {
                "<w:r><w:fldChar w:fldCharType=\"begin\" w:dirty=\"true\"/></w:r><w:r><w:instrText xml:space=\"preserve\"> TOC \\o \
                 \"1-2\" \\h \\z \\u </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r>"
            } else {
                ""
            };
            // Without pages the entry leads to its heading; the number comes when Word renews the table.
            let page = pages.get(id - 1).filter(|_| known).map_or(String::new(), |page| {
                let number = field(&format!("PAGEREF _Toc{id:06} \\h"), &page.to_string());
                format!("<w:r><w:tab/></w:r>{number}")
            });
            let end = if at + 1 == last { "<w:r><w:fldChar w:fldCharType=\"end\"/></w:r>" } else { "" };
            self.xml.push_str(&format!(
                "<w:p><w:pPr><w:pStyle w:val=\"TOC{level}\"/></w:pPr>{begin}<w:hyperlink w:anchor=\"_Toc{id:06}\" \
                 w:history=\"1\">{}{page}</w:hyperlink>{end}</w:p>",
                run(text, ""),
            ));
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        for (i, finding) in findings.iter().enumerate() {
            self.paragraph("Finding", &format!("{}. {}", i + 1, finding.headline));
            finding.lines.iter().for_each(|line| self.paragraph("FindingLine", line));
        }
    }

    fn caption(&mut self, word: &str, number: usize, title: &str) {
        self.xml.push_str(&format!(
            "<w:p><w:pPr><w:pStyle w:val=\"Caption\"/>{}</w:pPr>{}{}{}</w:p>",
            if word == "Bảng" { "<w:keepNext/>" } else { "" },
            run(&format!("{word} "), ""),
            field(&format!("SEQ {word} \\* ARABIC"), &number.to_string()),
            run(&format!(". {title}"), "")
        ));
    }

    /// Ends the section so far; an empty paragraph carries what it looks like.
    fn end_section(&mut self, lies: bool) {
        let section = section(lies, self.sections == 0);
        self.sections += 1;
        self.xml.push_str(&format!(
            "<w:p><w:pPr><w:spacing w:before=\"0\" w:after=\"0\" w:line=\"20\" w:lineRule=\"exact\"/>{section}</w:pPr></w:p>"
        ));
    }

    /// A table whose words need more than the upright page has gets a lying page of its own.
    fn table(&mut self, table: &SafeTable) {
        let lies = columns(table).iter().map(|c| c.least).sum::<usize>() > TEXT_TWIPS;
        if lies {
            self.end_section(false);
        }
        self.upright_or_lying_table(table, if lies { LYING_TWIPS } else { TEXT_TWIPS });
        if lies {
            self.end_section(true);
        }
    }

    fn upright_or_lying_table(&mut self, table: &SafeTable, width: usize) {
        self.tables += 1;
        self.caption("Bảng", self.tables, &table.title);
        let widths = column_widths(table, width);
        let grid: String = widths.iter().map(|w| format!("<w:gridCol w:w=\"{w}\"/>")).collect();
        let mut rows = String::new();
        let cell = |width: usize, style: &str, text: &str, shade: &str| {
            format!(
                "<w:tc><w:tcPr><w:tcW w:w=\"{width}\" w:type=\"dxa\"/>{shade}<w:vAlign w:val=\"center\"/></w:tcPr><w:p><w:pPr>\
                 <w:pStyle w:val=\"{style}\"/></w:pPr>{}</w:p></w:tc>",
                run(text, "")
            )
        };
        let shade = "<w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"EEF1F4\"/>";
        let head: String = table
            .columns
            .iter()
            .zip(&widths)
            .map(|(c, w)| cell(*w, "TableHead", &cells::head(c), shade))
            .collect();
        rows.push_str(&format!("<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{head}</w:tr>"));
        for row in table.rows() {
            let line: String = row
                .iter()
                .zip(&widths)
                .map(|(c, w)| {
                    let style = if cells::is_number(c) { "TableNumber" } else { "TableText" };
                    cell(*w, style, &cells::written(c), "")
                })
                .collect();
            rows.push_str(&format!("<w:tr><w:trPr><w:cantSplit/></w:trPr>{line}</w:tr>"));
        }
        self.xml.push_str(&format!(
            "<w:tbl><w:tblPr><w:tblStyle w:val=\"TableGrid\"/><w:tblW w:w=\"{width}\" w:type=\"dxa\"/><w:tblLayout \
             w:type=\"fixed\"/><w:tblLook w:val=\"0420\" w:firstRow=\"1\" w:lastRow=\"0\" w:firstColumn=\"0\" \
             w:lastColumn=\"0\" w:noHBand=\"0\" w:noVBand=\"1\"/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>"
        ));
        for note in cells::notes(table) {
            self.paragraph("TableNote", &note);
        }
        self.xml.push_str("<w:p><w:pPr><w:pStyle w:val=\"TableNote\"/></w:pPr></w:p>");
    }

    fn figure(&mut self, drawing: &Drawing) {
        self.figures += 1;
        let number = self.figures;
        let (width, height) = self.pictures.get(number - 1).map_or((1, 1), |p| picture_size(p));
        let tall = TEXT_EMU * f64::from(height) / f64::from(width.max(1));
        // A drawing with very many rows is made narrower, so that it stays on one page.
        let shrink = (8_300_000.0 / tall).min(1.0);
        let (cx, cy) = ((TEXT_EMU * shrink).round() as u64, (tall * shrink).round() as u64);
        let text = escape(&drawing.alternative_text);
        self.xml.push_str(&format!(
            "<w:p><w:pPr><w:pStyle w:val=\"Figure\"/></w:pPr><w:r><w:drawing><wp:inline distT=\"0\" distB=\"0\" distL=\"0\" \
             distR=\"0\"><wp:extent cx=\"{cx}\" cy=\"{cy}\"/><wp:docPr id=\"{number}\" name=\"Hình {number}\" descr=\"{text}\"/>\
             <a:graphic><a:graphicData uri=\"http://schemas.openxmlformats.org/drawingml/2006/picture\"><pic:pic>\
             <pic:nvPicPr><pic:cNvPr id=\"{number}\" name=\"figure{number}.png\" descr=\"{text}\"/><pic:cNvPicPr/></pic:nvPicPr>\
             <pic:blipFill><a:blip r:embed=\"figure{number}\"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr>\
             <a:xfrm><a:off x=\"0\" y=\"0\"/><a:ext cx=\"{cx}\" cy=\"{cy}\"/></a:xfrm><a:prstGeom prst=\"rect\"><a:avLst/>\
             </a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
        ));
        self.caption("Hình", number, &drawing.title);
    }

    /// Recipients on the left, signature on the right.
    fn closing(&mut self, report: &Report) {
        let front = &report.front;
        if front.signature.is_none() && front.recipients.is_empty() {
            return;
        }
        let line = |text: &str, properties: &str, style: &str| {
            format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>{}</w:p>", run(text, properties))
        };
        let mut left = String::new();
        if !front.recipients.is_empty() {
            left.push_str(&line("Nơi nhận:", &sized(12, "<w:b/><w:bCs/><w:i/><w:iCs/>"), "Recipients"));
            for recipient in &front.recipients {
                left.push_str(&line(&format!("- {recipient}"), &sized(11, ""), "Recipients"));
            }
        }
        if left.is_empty() {
            left = line("", "", "Recipients");
        }
        let mut right = String::new();
        if let Some(signature) = &front.signature {
            let bold = sized(14, "<w:b/><w:bCs/>");
            right.push_str(&line(&signature.authority.to_uppercase(), &bold, "Letterhead"));
            right.push_str(&line(&signature.position.to_uppercase(), &bold, "Letterhead"));
            for _ in 0..3 {
                right.push_str(&line("", "", "Letterhead"));
            }
            right.push_str(&line(&signature.name, &bold, "Letterhead"));
        } else {
            right = line("", "", "Letterhead");
        }
        let half = TEXT_TWIPS / 2;
        self.xml.push_str(&format!(
            "<w:p/><w:tbl><w:tblPr><w:tblW w:w=\"{TEXT_TWIPS}\" w:type=\"dxa\"/><w:tblLayout w:type=\"fixed\"/></w:tblPr><w:tblGrid>\
             <w:gridCol w:w=\"{half}\"/><w:gridCol w:w=\"{half}\"/></w:tblGrid><w:tr><w:trPr><w:cantSplit/></w:trPr><w:tc><w:tcPr>\
             <w:tcW w:w=\"{half}\" w:type=\"dxa\"/></w:tcPr>{left}</w:tc><w:tc><w:tcPr><w:tcW w:w=\"{half}\" w:type=\"dxa\"/>\
             </w:tcPr>{right}</w:tc></w:tr></w:tbl><w:p/>"
        ));
    }
}

/// What a column needs, in twentieths of a point: for its longest word, and for its longest text on one line.
struct Needs {
    least: usize,
    wish: usize,
}

/// Width of a text in Times New Roman of 11 points, in twentieths of a point, nearly.
fn width(text: &str) -> usize {
    let letter = |c: char| match c {
        '%' | 'm' | 'w' | 'M' | 'W' => 190,
        'i' | 'l' | 't' | 'j' | 'f' | '.' | ',' | ';' | ':' | '(' | ')' | '[' | ']' | '-' | ' ' => 75,
        c if c.is_uppercase() => 155,
        _ => 112,
    };
    text.chars().map(letter).sum()
}

fn columns(table: &SafeTable) -> Vec<Needs> {
    // With the margins of a cell and its lines.
    let margins = 200;
    let longest_word = |text: &str| text.split([' ', '\n']).map(width).max().unwrap_or(0);
    let mut all: Vec<Needs> = table
        .columns
        .iter()
        .map(|head| Needs {
            // Heads are bold.
            least: longest_word(&cells::head(head)) * 11 / 10 + margins,
            wish: width(head).min(2_800) + margins,
        })
        .collect();
    for row in table.rows() {
        for (cell, needs) in row.iter().zip(&mut all) {
            let text = cells::written(cell);
            // A figure is one word: an interval is not parted.
            let word = if cells::is_number(cell) { width(&text) } else { longest_word(&text) };
            needs.least = needs.least.max(word.min(4_500) + margins);
            needs.wish = needs.wish.max(width(&text).min(6_500) + margins);
        }
    }
    all.iter_mut().for_each(|needs| needs.wish = needs.wish.max(needs.least));
    all
}

/// Every column gets what its longest word needs, and of what is left a share by its wish.
fn column_widths(table: &SafeTable, width: usize) -> Vec<usize> {
    let all = columns(table);
    let least: usize = all.iter().map(|c| c.least).sum();
    let wish: usize = all.iter().map(|c| c.wish).sum();
    if least >= width || wish == least {
        return all.iter().map(|c| c.least * width / least.max(1)).collect();
    }
    let left = width - least;
    all.iter().map(|c| c.least + (c.wish - c.least) * left / (wish - least)).collect()
}

/// Width and height from the PNG's header chunk.
fn picture_size(png: &[u8]) -> (u32, u32) {
    let number = |from: usize| {
        png.get(from..from + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).map_or(1, u32::from_be_bytes)
    };
    (number(16), number(20))
}
