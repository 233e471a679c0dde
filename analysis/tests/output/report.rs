//! The annual assessment: sentences, DOCX, HTML.

use crate::chart_cases::{Case, each};
use crate::figures::figure;
use analysis::charts::{Caption, DotInterval, DotRow, Order, Unit};
use analysis::disclosure::{Cell, Figure, SafeTable};
use analysis::estimation::result::DesignSummary;
use analysis::report::{
    AnnualInput, Block, Change, Disposition, Drawing, Fieldwork, Front, Layout, Report, Section, Signature,
    Statement, annual, docx, html, sentences,
};
use resvg::usvg::roxmltree;
use std::io::Read as _;
use std::sync::LazyLock;

const LABEL: &str = "DỮ LIỆU MÔ PHỎNG – chỉ phạm vi tỉnh Hà Giang cũ";

/// The text of one part of a zip.
pub fn part(archive: &[u8], name: &str) -> String {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("a zip");
    let mut text = String::new();
    zip.by_name(name).expect("the part").read_to_string(&mut text).expect("UTF-8");
    text
}

fn front(layout: Layout) -> Front {
    Front {
        layout,
        parent_body: "Tỉnh ủy Tuyên Quang".into(),
        issuing_body: "Ban Tuyên giáo & Dân vận".into(),
        number: "Số …-BC/BTGDVTU".into(),
        place_and_date: "Tuyên Quang, ngày … tháng … năm 2026".into(),
        kind: "BÁO CÁO".into(),
        about: "kết quả khảo sát <2026>".into(),
        label: Some(LABEL.into()),
        signature: Some(Signature {
            authority: "T/M Ban".into(),
            position: "Trưởng ban".into(),
            name: "Nguyễn Văn A".into(),
        }),
        recipients: vec!["Lưu Văn phòng.".into()],
        created: "2026-11-23T00:00:00Z".into(),
    }
}

fn statement(subject: &str, now: Figure) -> Statement {
    Statement {
        subject: subject.into(),
        figure: now,
        change: Some(Change {
            since: "năm 2025".into(),
            difference: figure(0.12, 0.03, 1800),
            holds: true,
            obstacle: None,
        }),
        areas: vec![
            ("Đồng Văn cũ".into(), figure(0.40, 0.05, 200)),
            ("Bắc Quang cũ".into(), figure(0.63, 0.05, 200)),
        ],
        higher_is_better: true,
    }
}

pub fn report(layout: Layout) -> Report {
    let chart = DotInterval {
        caption: Caption { title: "Phần lớn hài lòng \"nhất\"".into(), ..Caption::default() },
        unit: Unit::Percent,
        rows: vec![
            DotRow { label: "A".into(), figure: figure(0.6, 0.05, 300), truth: None },
            DotRow { label: "B".into(), figure: figure(0.6, 0.05, 12), truth: None },
        ],
        order: Order::Given,
        overall: None,
        truth_label: None,
    };
    annual(&AnnualInput {
        front: front(layout),
        year: 2026,
        population: "Người từ 18 tuổi trở lên".into(),
        purpose: vec!["Thực hiện kế hoạch.".into()],
        headlines: ["Một", "Hai", "Ba", "Bốn"].map(|s| statement(s, figure(0.62, 0.02, 1912))).to_vec(),
        sections: vec![Section {
            title: "Đời sống".into(),
            comments: vec![],
            statements: vec![statement("Tỷ lệ hài lòng", figure(0.51, 0.02, 1912))],
            charts: vec![&chart],
        }],
        fieldwork: Fieldwork {
            period: "tháng 9".into(),
            drawn: 1920,
            completed: 1612,
            villages: 120,
            dispositions: vec![Disposition { code: "1.1".into(), label: "Hoàn thành".into(), cases: 1612 }],
            response_rate: 0.8612,
            response_rate_weighted: None,
        },
        design: DesignSummary::default(),
        method: vec![],
        method_charts: vec![],
        priorities: vec![],
        recommendations: vec![],
        decisions: vec![],
        judgement: vec![],
        proposals: vec![],
        transparency: vec![],
        questionnaire: vec![],
        probability: true,
        changes: None,
        tables: vec![],
        provenance: vec![("answers.csv".into(), "9f86d081".repeat(8))],
    })
}

/// A report with every kind of block and of chart, a wide table among them.
pub fn large(layout: Layout) -> Report {
    let mut large = report(layout);
    for (i, (kind, chart)) in each(Case::Hidden).into_iter().enumerate() {
        large.blocks.push(Block::Heading(1 + (i % 3) as u8, format!("{}. Phần về {kind}", i + 1)));
        large.blocks.push(Block::Paragraph(
            "Một đoạn văn để mục có nội dung, dài hơn một dòng của trang in. ".repeat(4),
        ));
        large.blocks.push(Block::Figure(Drawing::of(chart.as_ref())));
        large.blocks.push(Block::Table(chart.table()));
    }
    let mut wide = SafeTable::new("Bảng rất rộng", (0..16).map(|i| format!("Chỉ tiêu {i}")));
    for name in ["Hoàng Su Phì cũ", "Vị Xuyên cũ"] {
        let mut row = vec![Cell::text(name)];
        row.resize(16, Cell::ShareInterval(figure(0.61, 0.02, 900)));
        wide.push(row);
    }
    large.blocks.push(Block::Table(wide));
    large.blocks.push(Block::Items(vec!["Một việc.".into(), "Hai việc.".into()]));
    large
}

/// The document of [`large`] for a Party body, made once for all tests.
pub fn large_docx() -> &'static [u8] {
    static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| docx(&large(Layout::Party)).expect("a document"));
    &DOCUMENT
}

#[test]
fn a_table_too_wide_for_the_page_gets_a_lying_one() {
    let upright = part(&docx(&report(Layout::Party)).expect("a document"), "word/document.xml");
    assert_eq!(upright.matches("<w:sectPr>").count(), 1);
    let text = part(large_docx(), "word/document.xml");
    assert_eq!(text.matches("w:orient=\"landscape\"").count(), 1);
    assert_eq!(text.matches("<w:sectPr>").count(), 3);
    assert_eq!(text.matches("<w:titlePg/>").count(), 1, "only the first page has no number");
    assert!(html(&large(Layout::Party)).contains("<div class=\"table wide\">"));
}

#[test]
fn a_share_is_said_in_whole_per_cent_with_interval_and_base() {
    assert_eq!(
        sentences::statement("Tỷ lệ hài lòng", &figure(0.6249, 0.02, 1912)),
        "Tỷ lệ hài lòng: 62% (khoảng tin cậy 95%: từ 60% đến 64%; n\u{a0}=\u{a0}1.912)."
    );
}

fn measured(difference: Figure, holds: bool) -> Change {
    Change { since: "năm 2025".into(), difference, holds, obstacle: None }
}

/// 0.624 − 0.546 = 7.8 points, said 8; from rounded figures it would be 62 − 55 = 7.
#[test]
fn a_change_comes_from_unrounded_figures() {
    let text = sentences::change(&measured(figure(0.624 - 0.546, 0.028, 1800), true));
    assert_eq!(text, "so với năm 2025: tăng 8 điểm phần trăm (khoảng tin cậy 95%: từ 5 đến 11)");
}

#[test]
fn a_change_within_its_error_is_never_called_no_change() {
    let text = sentences::change(&measured(figure(0.02, 0.028, 1800), false));
    assert_eq!(text, "so với năm 2025: chưa đủ căn cứ kết luận có thay đổi");
}

#[test]
fn a_change_that_holds_alone_only_says_so() {
    let text = sentences::change(&measured(figure(0.05, 0.045, 1800), false));
    assert!(text.contains("tăng 5 điểm") && text.contains("chưa giữ được khi xét đồng thời"), "{text}");
}

#[test]
fn a_hidden_figure_is_said_to_be_unpublished() {
    assert_eq!(sentences::statement("Tỷ lệ", &figure(0.7, 0.1, 12)), "Tỷ lệ: không công bố.");
    let text = sentences::change(&measured(figure(0.1, 0.1, 12), false));
    assert!(text.ends_with("không so sánh được"));
}

/// Areas keep the order given, not that of their figures.
#[test]
fn worse_areas_are_named_without_ranking_them() {
    let areas =
        [("C", 0.50), ("A", 0.40), ("B", 0.60)].map(|(name, e)| (name.to_owned(), figure(e, 0.03, 200)));
    let text = sentences::worse_areas(&figure(0.6, 0.02, 1900), &areas, true);
    assert!(text.starts_with("Thấp hơn mức chung (ngoài sai số): C (50%), A (40%);"), "{text}");
    let none = sentences::worse_areas(&figure(0.41, 0.02, 1900), &areas[1..2], true);
    assert_eq!(none, "Theo địa bàn: chưa đủ căn cứ kết luận có khác biệt so với mức chung.");
}

#[test]
fn page_one_has_three_findings_and_the_warning() {
    let report = report(Layout::Party);
    let end = report.blocks.iter().position(|b| matches!(b, Block::PageBreak)).expect("a page break");
    let findings = report.blocks[..end].iter().find_map(|b| match b {
        Block::Findings(findings) => Some(findings),
        _ => None,
    });
    assert_eq!(findings.map(Vec::len), Some(3));
    let warned = report.blocks[..end]
        .iter()
        .any(|b| matches!(b, Block::Notice(text) if text.contains("không dùng để xếp hạng xã, cán bộ")));
    assert!(warned);
}

#[test]
fn every_part_of_the_document_is_well_formed() {
    for layout in [Layout::Party, Layout::State] {
        let bytes = docx(&report(layout)).expect("a document");
        for name in [
            "[Content_Types].xml",
            "_rels/.rels",
            "docProps/core.xml",
            "docProps/app.xml",
            "word/document.xml",
            "word/styles.xml",
            "word/numbering.xml",
            "word/settings.xml",
            "word/header.xml",
            "word/header-first.xml",
            "word/footer.xml",
            "word/_rels/document.xml.rels",
        ] {
            let text = part(&bytes, name);
            assert!(roxmltree::Document::parse(&text).is_ok(), "{name}");
        }
    }
}

#[test]
fn every_style_that_the_document_names_is_defined() {
    let bytes = docx(&report(Layout::State)).expect("a document");
    let (document, styles) = (part(&bytes, "word/document.xml"), part(&bytes, "word/styles.xml"));
    let named = roxmltree::Document::parse(&document).expect("well-formed");
    let word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    let mut seen = 0;
    for node in named.descendants().filter(|n| n.has_tag_name((word, "pStyle"))) {
        let id = node.attribute((word, "val")).expect("a style id");
        assert!(styles.contains(&format!("w:styleId=\"{id}\"")), "{id}");
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn the_document_has_headings_contents_captions_and_alternative_text() {
    let bytes = docx(&report(Layout::Party)).expect("a document");
    let text = part(&bytes, "word/document.xml");
    for needed in
        ["Heading1", "Heading2", " TOC \\o", " SEQ Hình", " SEQ Bảng", "<w:tblHeader/>", "<w:titlePg/>"]
    {
        assert!(text.contains(needed), "{needed}");
    }
    assert!(text.contains(
        "descr=\"Phần lớn hài lòng &quot;nhất&quot;. Biểu đồ điểm và khoảng tin cậy. A: 60% [55; 65]; B: không công bố.\""
    ));
    assert!(part(&bytes, "word/styles.xml").contains("Times New Roman"));
}

#[test]
fn the_label_stands_on_every_page_of_both_forms() {
    let report = report(Layout::Party);
    let bytes = docx(&report).expect("a document");
    assert!(part(&bytes, "word/footer.xml").contains(LABEL));
    assert_eq!(part(&bytes, "word/document.xml").matches("<w:footerReference").count(), 2);
    let page = html(&report);
    assert!(page.contains(&format!("<p class=\"label\" role=\"note\">{LABEL}</p>")));
    assert!(page.contains(&format!("@bottom-center {{ content: \"{LABEL}\";")));
    let mut wicked = report;
    wicked.front.label = Some("\"; } </style><script>".into());
    assert!(!html(&wicked).contains("<script"), "the label ends neither the text nor the style");
}

#[test]
fn the_layouts_differ_as_the_rules_say() {
    let text = |layout| part(&docx(&report(layout)).expect("a document"), "word/document.xml");
    let (party, state) = (text(Layout::Party), text(Layout::State));
    assert!(party.contains("ĐẢNG CỘNG SẢN VIỆT NAM") && !party.contains("CỘNG HÒA XÃ HỘI"));
    assert!(state.contains("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"));
    assert!(state.contains("Độc lập - Tự do - Hạnh phúc"));
}

#[test]
fn a_long_name_of_the_issuer_is_parted_in_the_middle() {
    let text = part(large_docx(), "word/document.xml");
    assert!(text.contains(">BAN TUYÊN GIÁO<") && text.contains(">&amp; DÂN VẬN<"));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let (first, second) = (report(Layout::Party), report(Layout::Party));
    assert_eq!(docx(&first).expect("a document"), docx(&second).expect("a document"));
    assert_eq!(html(&first), html(&second));
}

#[test]
fn the_page_is_vietnamese_and_reads_nothing_from_outside() {
    let page = html(&report(Layout::Party));
    assert!(page.contains("<html lang=\"vi\">"));
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http://") && !outside.contains("https://") && !outside.contains("<script"));
    assert!(page.contains("kết quả khảo sát &lt;2026&gt;"), "words are escaped");
    assert_eq!(page.matches("<svg ").count(), 2, "a drawing for the page and one for the telephone");
}

#[test]
fn a_hidden_row_is_dots_in_the_tables_of_both_forms() {
    let report = report(Layout::Party);
    let text = part(&docx(&report).expect("a document"), "word/document.xml");
    assert!(text.contains(">…</w:t>"));
    assert!(html(&report).contains("<td class=\"number hidden-figure\">…</td>"));
}
