//! DOCX: the parts of the package around the text.

use super::docx_body::Body;
use super::pack::pack;
use super::{Report, ReportError, escape};

const STYLES: &str = include_str!("../../templates/docx-styles.xml");
const NUMBERING: &str = include_str!("../../templates/docx-numbering.xml");
const MAIN: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// Writes the report as a Word document: real headings, captions, a table of contents, repeated header rows,
/// alternative texts. The same report gives the same bytes.
///
/// Errors: [`ReportError::Picture`] for a chart that cannot be rendered.
pub fn docx(report: &Report) -> Result<Vec<u8>, ReportError> {
    docx_with_pages(report, &[])
}

/// As [`docx`], with the page of every heading in the table of contents ([`super::heading_pages`]); where there are
/// not as many pages as headings, the table waits for Word to fill it.
pub fn docx_with_pages(report: &Report, pages: &[u32]) -> Result<Vec<u8>, ReportError> {
    let body = Body::write(report, pages)?;
    let mut files = vec![
        ("[Content_Types].xml".to_owned(), content_types()),
        ("_rels/.rels".to_owned(), package_relations()),
        ("docProps/core.xml".to_owned(), properties(report)),
        ("docProps/app.xml".to_owned(), application()),
        ("word/document.xml".to_owned(), body.document),
        ("word/styles.xml".to_owned(), STYLES.to_owned()),
        ("word/numbering.xml".to_owned(), NUMBERING.to_owned()),
        ("word/settings.xml".to_owned(), settings()),
        ("word/header.xml".to_owned(), header(true)),
        ("word/header-first.xml".to_owned(), header(false)),
        ("word/footer.xml".to_owned(), footer(report.front.label.as_deref())),
        ("word/_rels/document.xml.rels".to_owned(), document_relations(body.pictures.len())),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.into_bytes()))
    .collect::<Vec<_>>();
    for (i, picture) in body.pictures.into_iter().enumerate() {
        files.push((format!("word/media/figure{}.png", i + 1), picture));
    }
    Ok(pack(&files)?)
}

fn xml(content: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n{content}")
}

fn content_types() -> String {
    let word = "application/vnd.openxmlformats-officedocument.wordprocessingml";
    let mut parts = String::new();
    for (name, kind) in [
        ("document", "document.main"),
        ("styles", "styles"),
        ("numbering", "numbering"),
        ("settings", "settings"),
        ("header", "header"),
        ("header-first", "header"),
        ("footer", "footer"),
    ] {
        parts.push_str(&format!(
            "<Override PartName=\"/word/{name}.xml\" ContentType=\"{word}.{kind}+xml\"/>"
        ));
    }
    xml(&format!(
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
         <Default Extension=\"png\" ContentType=\"image/png\"/>{parts}\
         <Override PartName=\"/docProps/core.xml\" ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\"/>\
         <Override PartName=\"/docProps/app.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.extended-properties+xml\"/>\
         </Types>"
    ))
}

fn relations(list: &[(String, String, String)]) -> String {
    let items: String = list
        .iter()
        .map(|(id, kind, target)| format!("<Relationship Id=\"{id}\" Type=\"{kind}\" Target=\"{target}\"/>"))
        .collect();
    xml(&format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{items}</Relationships>"
    ))
}

fn package_relations() -> String {
    let package = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties";
    relations(&[
        ("rId1".into(), format!("{OFFICE}/officeDocument"), "word/document.xml".into()),
        ("rId2".into(), package.into(), "docProps/core.xml".into()),
        ("rId3".into(), format!("{OFFICE}/extended-properties"), "docProps/app.xml".into()),
    ])
}

fn document_relations(pictures: usize) -> String {
    let mut list: Vec<(String, String, String)> = [
        ("styles", "styles.xml"),
        ("numbering", "numbering.xml"),
        ("settings", "settings.xml"),
        ("header", "header.xml"),
        ("header", "header-first.xml"),
        ("footer", "footer.xml"),
    ]
    .into_iter()
    .enumerate()
    .map(|(i, (kind, target))| (format!("rId{}", i + 1), format!("{OFFICE}/{kind}"), target.to_owned()))
    .collect();
    for i in 1..=pictures {
        list.push((format!("figure{i}"), format!("{OFFICE}/image"), format!("media/figure{i}.png")));
    }
    relations(&list)
}

fn properties(report: &Report) -> String {
    let front = &report.front;
    let title = escape(&format!("{} {}", front.kind, front.about));
    let created = escape(&front.created);
    xml(&format!(
        "<cp:coreProperties xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><dc:title>{title}</dc:title>\
         <dc:creator>{}</dc:creator><dc:description>{}</dc:description><dc:language>vi-VN</dc:language>\
         <dcterms:created xsi:type=\"dcterms:W3CDTF\">{created}</dcterms:created>\
         <dcterms:modified xsi:type=\"dcterms:W3CDTF\">{created}</dcterms:modified></cp:coreProperties>",
        escape(&front.issuing_body),
        escape(front.label.as_deref().unwrap_or("")),
    ))
}

fn application() -> String {
    xml("<Properties xmlns=\"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties\">\
         <Application>Lắng Nghe</Application></Properties>")
}

fn settings() -> String {
    xml(&format!(
        "<w:settings xmlns:w=\"{MAIN}\"><w:defaultTabStop w:val=\"720\"/><w:characterSpacingControl \
         w:val=\"doNotCompress\"/><w:compat><w:compatSetting w:name=\"compatibilityMode\" \
         w:uri=\"http://schemas.microsoft.com/office/word\" w:val=\"15\"/></w:compat>\
         <w:themeFontLang w:val=\"vi-VN\"/></w:settings>"
    ))
}

/// Page number in the top margin; the first page has none.
fn header(numbered: bool) -> String {
    let number = if numbered {
        "<w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText xml:space=\"preserve\"> PAGE \
         </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r><w:r><w:t>2</w:t></w:r>\
         <w:r><w:fldChar w:fldCharType=\"end\"/></w:r>"
    } else {
        ""
    };
    xml(&format!(
        "<w:hdr xmlns:w=\"{MAIN}\"><w:p><w:pPr><w:pStyle w:val=\"Header\"/></w:pPr>{number}</w:p></w:hdr>"
    ))
}

fn footer(label: Option<&str>) -> String {
    let text = label.map_or(String::new(), |label| format!("<w:r><w:t>{}</w:t></w:r>", escape(label)));
    xml(&format!(
        "<w:ftr xmlns:w=\"{MAIN}\"><w:p><w:pPr><w:pStyle w:val=\"Footer\"/></w:pPr>{text}</w:p></w:ftr>"
    ))
}
