//! The annual assessment: from gated figures and fieldwork to the blocks of the report.

use super::{Block, Drawing, Finding, Front, Report, sentences};
use crate::charts::{Chart, numerals};
use crate::disclosure::{Cell, Figure, SafeTable};
use crate::estimation::result::DesignSummary;

/// Everything the report of one year is made from. Words typed by analysts stand as they were typed.
pub struct AnnualInput<'a> {
    pub front: Front,
    pub year: u16,
    /// Whom the figures stand for, "Người từ 18 tuổi trở lên, thường trú tại …".
    pub population: String,
    /// Purpose and grounds, a paragraph each.
    pub purpose: Vec<String>,
    /// The headline statements; the first three open page one.
    pub headlines: Vec<Statement>,
    pub sections: Vec<Section<'a>>,
    pub fieldwork: Fieldwork,
    pub design: DesignSummary,
    /// How sample, weights and errors were made, a paragraph each.
    pub method: Vec<String>,
    /// Charts of the method annex: funnel, weights, pyramid.
    pub method_charts: Vec<&'a dyn Chart>,
    /// Proposals with owner and date, typed by analysts; empty where none are decided.
    pub proposals: Vec<String>,
    /// Tables of the annex.
    pub tables: Vec<SafeTable>,
    /// Name and hash of data, weights, plan, questionnaire, program.
    pub provenance: Vec<(String, String)>,
}

/// One figure with its subject.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Without figure or full stop: "Tỷ lệ người dân hài lòng với cuộc sống gia đình".
    pub subject: String,
    pub figure: Figure,
    /// The wave before, with its name ("năm 2025").
    pub before: Option<(String, Figure)>,
    /// The same by large area (former districts), in their official order.
    pub areas: Vec<(String, Figure)>,
    pub higher_is_better: bool,
}

/// One field of the results.
pub struct Section<'a> {
    pub title: String,
    /// Typed by analysts; the program drafts no judgement.
    pub comments: Vec<String>,
    pub statements: Vec<Statement>,
    pub charts: Vec<&'a dyn Chart>,
}

/// What happened to the cases. Counts of fieldwork, not of answers.
#[derive(Clone, Debug, Default)]
pub struct Fieldwork {
    /// "từ ngày … đến ngày …".
    pub period: String,
    pub drawn: u64,
    pub completed: u64,
    pub villages: u64,
    pub dispositions: Vec<Disposition>,
    /// AAPOR RR3, 0–1.
    pub response_rate: f64,
    pub response_rate_weighted: Option<f64>,
}

#[derive(Clone, Debug)]
pub struct Disposition {
    /// `1.1`, `2.1` …
    pub code: String,
    pub label: String,
    pub cases: u64,
}

const NOT_FOR_RANKING: &str = "Số liệu là ước lượng từ mẫu, không dùng để xếp hạng xã, cán bộ.";

/// Builds the report: page one, contents, how it was done, results by field, proposals, annexes.
///
/// Sentences follow [`sentences`]; nothing is judged, small areas are neither named nor ranked.
pub fn annual(input: &AnnualInput<'_>) -> Report {
    let mut blocks = page_one(input);
    blocks.extend([Block::PageBreak, Block::Contents, Block::PageBreak]);
    blocks.push(heading(1, "I. MỤC ĐÍCH, CĂN CỨ"));
    blocks.extend(input.purpose.iter().cloned().map(Block::Paragraph));
    blocks.push(heading(1, "II. TỔ CHỨC THỰC HIỆN"));
    blocks.extend(fieldwork(input));
    blocks.push(heading(1, "III. KẾT QUẢ"));
    blocks.push(Block::Paragraph(
        "Mỗi tỷ lệ là ước lượng có trọng số cho toàn bộ dân số khảo sát, kèm khoảng tin cậy 95% và số phiếu (n). \
         Dấu “…” là số liệu không công bố để không lộ người trả lời; số trong ngoặc đơn dựa trên ít phiếu."
            .to_owned(),
    ));
    for (i, section) in input.sections.iter().enumerate() {
        blocks.push(heading(2, &format!("{}. {}", i + 1, section.title)));
        blocks.extend(section.comments.iter().cloned().map(Block::Paragraph));
        for statement in &section.statements {
            let mut text = sentences::statement(&statement.subject, &statement.figure);
            if let Some((since, before)) = &statement.before {
                text.push_str(&format!(
                    " {}.",
                    capital(&sentences::change(since, before, &statement.figure))
                ));
            }
            blocks.push(Block::Paragraph(text));
        }
        blocks.extend(section.charts.iter().map(|chart| Block::Figure(Drawing::of(*chart))));
    }
    blocks.push(heading(1, "IV. ĐỀ XUẤT, KIẾN NGHỊ"));
    if input.proposals.is_empty() {
        blocks.push(Block::Paragraph(
            "Phần này do cơ quan chủ trì viết sau khi thảo luận kết quả; chương trình không tự đưa ra nhận định."
                .to_owned(),
        ));
    } else {
        blocks.push(Block::Items(input.proposals.clone()));
    }
    blocks.extend(annex(input));
    Report { front: input.front.clone(), blocks }
}

fn heading(level: u8, text: &str) -> Block {
    Block::Heading(level, text.to_owned())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn page_one(input: &AnnualInput<'_>) -> Vec<Block> {
    let findings = input
        .headlines
        .iter()
        .take(3)
        .map(|statement| {
            let mut lines = vec![capital(&format!("{}.", interval(&statement.figure)))];
            if let Some((since, before)) = &statement.before {
                lines.push(capital(&format!("{}.", sentences::change(since, before, &statement.figure))));
            }
            if !statement.areas.is_empty() {
                lines.push(sentences::worse_areas(
                    &statement.figure,
                    &statement.areas,
                    statement.higher_is_better,
                ));
            }
            let headline = format!("{}: {}", statement.subject, sentences::share(&statement.figure));
            Finding { headline, lines }
        })
        .collect();
    let rate = response_sentence(&input.fieldwork);
    let mut blocks = vec![
        Block::Paragraph(format!(
            "Khảo sát năm {}: {} phiếu hoàn thành trên {} trường hợp được chọn, tại {} thôn, tổ dân phố. {rate} Đối \
             tượng: {}.",
            input.year,
            numerals::whole(input.fieldwork.completed),
            numerals::whole(input.fieldwork.drawn),
            numerals::whole(input.fieldwork.villages),
            lower(input.population.trim_end_matches('.')),
        )),
        Block::Findings(findings),
        Block::Notice(NOT_FOR_RANKING.to_owned()),
    ];
    if !input.proposals.is_empty() {
        blocks.push(Block::Paragraph("Việc cần quyết định:".to_owned()));
        blocks.push(Block::Items(input.proposals.iter().take(3).cloned().collect()));
    }
    blocks
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

fn interval(figure: &Figure) -> String {
    let n = figure.n().map_or(String::new(), |n| format!("; n\u{a0}=\u{a0}{}", numerals::whole(n as u64)));
    match figure.interval() {
        Some((low, high)) => format!(
            "khoảng tin cậy 95%: từ {} đến {}{n}",
            numerals::percent(low, 0),
            numerals::percent(high, 0)
        ),
        None => format!("không có khoảng tin cậy{n}"),
    }
}

fn response_sentence(fieldwork: &Fieldwork) -> String {
    let plain = numerals::percent(fieldwork.response_rate, 1);
    match fieldwork.response_rate_weighted {
        Some(weighted) => {
            format!("Tỷ lệ trả lời (AAPOR RR3) {plain}, có trọng số {}.", numerals::percent(weighted, 1))
        }
        None => format!("Tỷ lệ trả lời (AAPOR RR3) {plain}."),
    }
}

fn fieldwork(input: &AnnualInput<'_>) -> Vec<Block> {
    let work = &input.fieldwork;
    let mut table = SafeTable::new("Kết quả tiếp xúc của mẫu", ["Mã", "Kết quả", "Số trường hợp", "Tỷ lệ"]);
    let all: u64 = work.dispositions.iter().map(|d| d.cases).sum();
    for disposition in &work.dispositions {
        let share =
            if all == 0 { Cell::Empty } else { Cell::PublicShare(disposition.cases as f64 / all as f64) };
        table.push(vec![
            Cell::text(&disposition.code),
            Cell::text(&disposition.label),
            Cell::Fieldwork(disposition.cases),
            share,
        ]);
    }
    table.push(vec![Cell::Empty, Cell::text("Cộng"), Cell::Fieldwork(all), Cell::Empty]);
    let table = table.note("Mã kết quả theo danh mục của phiếu, quy đổi được sang định nghĩa của AAPOR.");
    let mut blocks = vec![Block::Paragraph(format!(
        "Thời gian: {}. Chọn {} trường hợp tại {} thôn, tổ dân phố; hoàn thành {} phiếu. {}",
        work.period.trim_end_matches('.'),
        numerals::whole(work.drawn),
        numerals::whole(work.villages),
        numerals::whole(work.completed),
        response_sentence(work)
    ))];
    blocks.push(Block::Paragraph(format!("Đối tượng: {}.", lower(input.population.trim_end_matches('.')))));
    if !work.dispositions.is_empty() {
        blocks.push(Block::Table(table));
    }
    blocks
}

fn annex(input: &AnnualInput<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::PageBreak, heading(1, "PHỤ LỤC 1. PHƯƠNG PHÁP")];
    blocks.extend(input.method.iter().cloned().map(Block::Paragraph));
    let design = &input.design;
    blocks.push(Block::Paragraph(format!(
        "Thiết kế khi ước lượng: {} phiếu, {} đơn vị mẫu cấp một, {} tầng, {} bậc tự do; tổng quyền số {}.",
        numerals::whole(design.n as u64),
        numerals::whole(design.psus as u64),
        numerals::whole(design.strata as u64),
        numerals::decimal(design.df, 0),
        numerals::decimal(design.sum_of_weights, 0),
    )));
    blocks.extend(input.method_charts.iter().map(|chart| Block::Figure(Drawing::of(*chart))));
    if !input.provenance.is_empty() {
        let mut table = SafeTable::new("Nguồn để kiểm chứng báo cáo", ["Tệp", "SHA-256"]);
        for (name, hash) in &input.provenance {
            // Broken into groups, so that a narrow column can wrap it.
            let groups: Vec<String> =
                hash.chars().collect::<Vec<_>>().chunks(16).map(|c| c.iter().collect()).collect();
            table.push(vec![Cell::text(name), Cell::text(groups.join(" "))]);
        }
        blocks.push(Block::Table(table));
    }
    blocks.push(heading(1, "PHỤ LỤC 2. BẢNG SỐ LIỆU"));
    if !input.headlines.is_empty() {
        blocks.push(Block::Table(headline_table(input)));
    }
    for section in &input.sections {
        blocks.extend(section.charts.iter().map(|chart| Block::Table(chart.table())));
    }
    blocks.extend(input.tables.iter().cloned().map(Block::Table));
    blocks
}

fn headline_table(input: &AnnualInput<'_>) -> SafeTable {
    let columns = ["Chỉ tiêu", "Ước lượng", "KTC 95%", "Sai số chuẩn (điểm %)", "Hệ số thiết kế", "n"];
    let mut table = SafeTable::new(format!("Các chỉ tiêu chính năm {}", input.year), columns);
    for statement in &input.headlines {
        let figure = &statement.figure;
        let public = |value: Option<f64>, digits| {
            if figure.is_hidden() {
                Cell::Number(figure.clone(), digits)
            } else {
                value.map_or(Cell::Empty, |v| Cell::PublicNumber(v, digits))
            }
        };
        table.push(vec![
            Cell::text(&statement.subject),
            Cell::Share(figure.clone()),
            Cell::ShareInterval(figure.clone()),
            public(figure.se().map(|se| se * 100.0), 1),
            public(figure.deff(), 2),
            Cell::Base(figure.clone()),
        ]);
    }
    table
}
