//! Page numbers for the table of contents.
//!
//! Only a program that sets the pages knows them. Word renews the table when it opens the document; for a PDF,
//! LibreOffice sets the document once, its PDF says where the headings stand, and [`super::docx_with_pages`] writes
//! the numbers in before it is set again.

/// The page of every heading, counted from 1, in the order of the document, from the outline of a PDF written by
/// LibreOffice. Empty where the PDF has no outline or is written in another way.
pub fn heading_pages(pdf: &[u8]) -> Vec<u32> {
    let Some(pages) = between(pdf, b"/Type/Pages", b"endobj").and_then(|root| between(root, b"/Kids[", b"]"))
    else {
        return Vec::new();
    };
    let kids: Vec<u32> = references(pages);
    let mut found = Vec::new();
    let mut rest = pdf;
    // Entries stand in the order of the headings; each is an object with a title and the page it leads to.
    while let Some(at) = position(rest, b"/Title<") {
        rest = &rest[at..];
        let entry = &rest[..position(rest, b"endobj").unwrap_or(rest.len())];
        if let Some(goal) = between(entry, b"/Dest[", b"/XYZ")
            && let Some(page) = references(goal).first().and_then(|p| kids.iter().position(|kid| kid == p))
        {
            found.push(page as u32 + 1);
        }
        rest = &rest[1..];
    }
    found
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn between<'a>(bytes: &'a [u8], from: &[u8], to: &[u8]) -> Option<&'a [u8]> {
    let rest = &bytes[position(bytes, from)? + from.len()..];
    Some(&rest[..position(rest, to)?])
}

/// Object numbers of references: `7 0 R 14 0 R`.
fn references(bytes: &[u8]) -> Vec<u32> {
    let words: Vec<&str> =
        bytes.split(u8::is_ascii_whitespace).filter_map(|w| std::str::from_utf8(w).ok()).collect();
    words
        .windows(3)
        .filter(|w| w[1] == "0" && w[2].starts_with('R'))
        .filter_map(|w| w[0].parse().ok())
        .collect()
}
