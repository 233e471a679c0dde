//! The files in the programs that officials open them with: LibreOffice sets DOCX and XLSX as PDF, chromium prints
//! the HTML. Long tests: `./dev test --all`.

use crate::chart_cases::{Case, each};
use crate::report::large;
use analysis::disclosure::SafeTable;
use analysis::export::{About, xlsx};
use analysis::report::{Block, Layout, Report, docx, docx_with_pages, heading_pages, html};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of its own for each test, emptied first.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs a program; its standard output.
fn run(program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; `./dev test --all` installs it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// Sets a file as PDF in LibreOffice; no word of complaint is allowed.
fn set(folder: &Path, file: &str, content: &[u8]) -> PathBuf {
    let source = folder.join(file);
    std::fs::write(&source, content).expect("a file");
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.display());
    let (said, complaints) = run(
        "soffice",
        &[
            &profile,
            "--headless",
            "--convert-to",
            "pdf",
            "--outdir",
            &folder.display().to_string(),
            &source.display().to_string(),
        ],
    );
    // That LibreOffice finds no Java of its own says nothing about the file.
    let complaints: Vec<&str> =
        complaints.lines().filter(|l| !l.contains("javaldx") && !l.is_empty()).collect();
    assert!(complaints.is_empty() && !said.to_lowercase().contains("error"), "{said} {complaints:?}");
    source.with_extension("pdf")
}

/// The text of each page, its spaces and line ends made one space.
fn pages(pdf: &Path) -> Vec<String> {
    let (text, _) = run("pdftotext", &["-layout", &pdf.display().to_string(), "-"]);
    let mut pages: Vec<String> =
        text.split('\u{c}').map(|page| page.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    pages.pop();
    pages
}

fn headings(report: &Report) -> Vec<String> {
    let blocks = report.blocks.iter();
    blocks.filter_map(|b| if let Block::Heading(_, text) = b { Some(text.clone()) } else { None }).collect()
}

/// Every font that the PDF names is in it, and no letter was replaced by a box.
fn letters_are_whole(pdf: &Path, pages: &[String]) {
    let (fonts, _) = run("pdffonts", &[&pdf.display().to_string()]);
    for font in fonts.lines().skip(2) {
        // … type, encoding, embedded, subset, Unicode, object and generation.
        let columns: Vec<&str> = font.split_whitespace().rev().collect();
        assert_eq!(columns.get(4), Some(&"yes"), "not embedded: {font}");
        assert_eq!(columns.get(2), Some(&"yes"), "letters without meaning: {font}");
    }
    assert!(!pages.join("").contains(['\u{fffd}', '\u{25a1}']));
}

#[test]
#[ignore = "needs LibreOffice and poppler"]
fn libreoffice_sets_the_report_and_its_contents_name_the_right_pages() {
    for layout in [Layout::Party, Layout::State] {
        let report = large(layout);
        let folder = folder(&format!("office-{layout:?}"));
        let once = set(&folder, "once.docx", &docx(&report).expect("a document"));
        let found = heading_pages(&std::fs::read(&once).expect("the PDF"));
        let wanted = headings(&report);
        assert_eq!(found.len(), wanted.len(), "{found:?}");

        let twice = set(&folder, "twice.docx", &docx_with_pages(&report, &found).expect("a document"));
        let pages = pages(&twice);
        assert!((10..40).contains(&pages.len()), "{} pages", pages.len());
        assert_eq!(heading_pages(&std::fs::read(&twice).expect("the PDF")), found, "numbers moved the pages");
        for (heading, page) in wanted.iter().zip(&found) {
            assert!(pages[*page as usize - 1].contains(heading.as_str()), "{heading} is not on page {page}");
        }
        let contents = &pages[1];
        assert!(contents.starts_with("2 MỤC LỤC"), "{contents}");
        for block in report.blocks.iter().filter(|b| matches!(b, Block::Heading(..))).zip(&found) {
            let (Block::Heading(level, text), page) = block else { continue };
            // Dots lead from the heading to its page.
            let at = contents
                .find(text.as_str())
                .map(|at| contents[at + text.len()..].trim_start_matches(['.', ' ']));
            let shown = at.is_some_and(|rest| rest.starts_with(&page.to_string()));
            assert_eq!(shown, *level <= 2, "{text} {page}: {contents}");
        }
        assert!(!contents.contains('…'));
        letters_are_whole(&twice, &pages);
        // Ink of the last table's page: the lying one.
        let (size, _) = run("pdfinfo", &["-l", "99", &twice.display().to_string()]);
        assert!(size.contains("841.89 x 595.3"), "no lying page: {size}");
    }
}

#[test]
#[ignore = "needs LibreOffice and poppler"]
fn libreoffice_opens_the_workbook() {
    let tables: Vec<SafeTable> = each(Case::Hidden).iter().map(|(_, chart)| chart.table()).collect();
    let about = About { title: "Bảng số liệu".into(), created: (2026, 11, 23), ..About::default() };
    let folder = folder("office-workbook");
    let pdf = set(&folder, "tables.xlsx", &xlsx(&tables, &about).expect("a workbook"));
    let pages = pages(&pdf);
    assert!(pages.len() > tables.len(), "a page for each sheet: {}", pages.len());
    let all = pages.join(" ");
    for word in ["Hoàng Su Phì cũ", "Xín Mần cũ", "…", "1.912", "Bảng số liệu"] {
        assert!(all.contains(word), "{word}");
    }
    letters_are_whole(&pdf, &pages);
}

#[test]
#[ignore = "needs chromium and poppler"]
fn the_page_prints_on_a4_with_every_heading_and_no_phone_drawings() {
    let report = large(Layout::Party);
    let folder = folder("office-print");
    let (page, pdf) = (folder.join("report.html"), folder.join("report.pdf"));
    std::fs::write(&page, html(&report)).expect("a file");
    run(
        "chromium",
        &[
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-pdf-header-footer",
            &format!("--user-data-dir={}", folder.join("profile").display()),
            &format!("--print-to-pdf={}", pdf.display()),
            &format!("file://{}", page.display()),
        ],
    );
    let pages = pages(&pdf);
    assert!((8..40).contains(&pages.len()), "{} pages", pages.len());
    let label = report.front.label.as_deref().expect("a label");
    for (i, page) in pages.iter().enumerate() {
        assert!(page.contains(label), "page {}", i + 1);
    }
    // What stands at the right edge of the upright pages is not cut off, a lying page among them or not.
    assert!(pages[0].contains("ĐẢNG CỘNG SẢN VIỆT NAM"), "{}", pages[0]);
    let all = pages.join(" ");
    for heading in headings(&report) {
        assert!(all.contains(&heading), "{heading}");
    }
    // A drawing's source stands once a chart: those for telephones are not printed.
    let source = "Nguồn: khảo sát năm 2026; mẫu xác suất hai giai đoạn";
    let tables = report
        .blocks
        .iter()
        .filter(|b| matches!(b, Block::Table(t) if t.notes.iter().any(|n| n.contains("mẫu xác suất"))));
    assert_eq!(all.matches(source).count(), each(Case::Hidden).len() + tables.count());
    let (size, _) = run("pdfinfo", &[&pdf.display().to_string()]);
    assert!(size.contains("A4"), "{size}");
    letters_are_whole(&pdf, &pages);
}
