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
    /// What people want done first, by competent authority.
    pub priorities: Vec<Authority>,
    /// What became of the last recommendations, a sentence each; empty where no register is kept.
    pub recommendations: Vec<String>,
    /// Decisions asked, with owner and date, typed by analysts.
    pub decisions: Vec<String>,
    /// Assessment and outlook, typed by analysts.
    pub judgement: Vec<String>,
    /// Proposals, typed by analysts.
    pub proposals: Vec<String>,
    /// Items of the method that a reader must know, and what is said to each.
    pub transparency: Vec<(String, String)>,
    /// Questions in the form's order: wording and choices.
    pub questionnaire: Vec<(String, String)>,
    /// False for a quota or convenience sample: nothing in the report has a margin of error.
    pub probability: bool,
    /// What is compared with the wave before; none for the first.
    pub changes: Option<SafeTable>,
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
    /// Against the wave before.
    pub change: Option<Change>,
    /// The same by large area (former districts), in their official order.
    pub areas: Vec<(String, Figure)>,
    pub higher_is_better: bool,
}

/// A difference between two waves, later less earlier.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `năm 2025`.
    pub since: String,
    /// On the scale of shares, with the error of the difference; absent where nothing is measured.
    pub difference: Figure,
    /// It holds among all changes that are looked at together.
    pub holds: bool,
    /// Why there is none, for readers.
    pub obstacle: Option<String>,
}

/// A competent authority and the matters that fall to it: name and share of the people who named it.
#[derive(Clone, Debug, PartialEq)]
pub struct Authority {
    pub name: String,
    pub matters: Vec<(String, Figure)>,
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

/// Stands on page one of every report.
pub const NOT_FOR_RANKING: &str = "Số liệu là ước lượng từ mẫu, không dùng để xếp hạng xã, cán bộ.";
/// Stands on page one of a report on a quota or convenience sample.
pub const NOT_A_PROBABILITY_SAMPLE: &str = "Mẫu này không phải mẫu xác suất: số liệu chỉ mô tả những người đã trả lời, \
     không suy rộng ra dân số và không có sai số chọn mẫu.";
const NO_REGISTER: &str =
    "Kiến nghị của báo cáo trước: chưa có sổ theo dõi nên không nêu số đã trả lời, số quá hạn.";
/// Matters of an authority that page one names.
const MATTERS: usize = 3;

/// Builds the report: page one, contents, how it was done, results by field, what is asked for, annexes.
///
/// Sentences follow [`sentences`]; nothing is judged, small areas are neither named nor ranked.
pub fn annual(input: &AnnualInput<'_>) -> Report {
    let mut blocks = page_one(input);
    blocks.extend([Block::PageBreak, Block::Contents, Block::PageBreak]);
    let mut number = Numbers::default();
    blocks.push(number.part("MỤC ĐÍCH, CĂN CỨ"));
    blocks.extend(input.purpose.iter().cloned().map(Block::Paragraph));
    blocks.push(number.part("TỔ CHỨC THỰC HIỆN"));
    blocks.extend(fieldwork(input));
    blocks.push(number.part("KẾT QUẢ"));
    let error = if input.probability {
        ", kèm khoảng tin cậy 95% và số phiếu (n)"
    } else {
        ", kèm số phiếu (n)"
    };
    let scope = if input.probability {
        "ước lượng có trọng số cho toàn bộ dân số khảo sát"
    } else {
        "tỷ lệ của những người đã trả lời"
    };
    blocks.push(Block::Paragraph(format!(
        "Mỗi tỷ lệ là {scope}{error}. Dấu “…” là số liệu không công bố để không lộ người trả lời; số trong ngoặc đơn \
         dựa trên ít phiếu."
    )));
    for (i, section) in input.sections.iter().enumerate() {
        blocks.push(heading(2, &format!("{}. {}", i + 1, section.title)));
        blocks.extend(section.comments.iter().cloned().map(Block::Paragraph));
        for statement in &section.statements {
            let mut text = sentences::statement(&statement.subject, &statement.figure);
            if let Some(change) = &statement.change {
                text.push_str(&format!(" {}.", capital(&sentences::change(change))));
            }
            blocks.push(Block::Paragraph(text));
        }
        blocks.extend(section.charts.iter().map(|chart| Block::Figure(Drawing::of(*chart))));
    }
    blocks.push(number.part("Ý KIẾN, KIẾN NGHỊ CỦA NHÂN DÂN THEO THẨM QUYỀN"));
    blocks.extend(authorities(input));
    blocks.push(Block::Paragraph(capital(&recommendations(input).join(" "))));
    if let Some(changes) = &input.changes {
        blocks.push(number.part("SO SÁNH VỚI ĐỢT TRƯỚC"));
        blocks.push(Block::Paragraph(
            "Chênh lệch tính từ số liệu chưa làm tròn. Thay đổi được đánh dấu khi còn giữ được sau khi xét đồng thời \
             tất cả các so sánh trong bảng (Holm)."
                .to_owned(),
        ));
        blocks.push(Block::Table(changes.clone()));
    }
    blocks.push(number.part("ĐÁNH GIÁ, DỰ BÁO"));
    blocks.extend(typed(&input.judgement).into_iter().map(Block::Paragraph));
    blocks.push(number.part("ĐỀ XUẤT, KIẾN NGHỊ"));
    if input.proposals.is_empty() {
        blocks.extend(typed(&[]).into_iter().map(Block::Paragraph));
    } else {
        blocks.push(Block::Items(input.proposals.clone()));
    }
    blocks.extend(annex(input));
    Report { front: input.front.clone(), blocks }
}

/// Counts the parts of a report.
#[derive(Default)]
pub struct Numbers(usize);

impl Numbers {
    /// The next part's heading, `III. KẾT QUẢ`.
    pub fn part(&mut self, title: &str) -> Block {
        const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
        self.0 += 1;
        heading(1, &format!("{}. {title}", ROMAN.get(self.0 - 1).copied().unwrap_or("–")))
    }
}

/// What analysts typed, or the line that says that nobody did.
pub fn typed(paragraphs: &[String]) -> Vec<String> {
    if !paragraphs.is_empty() {
        return paragraphs.to_vec();
    }
    let line =
        "Phần này do cơ quan chủ trì viết sau khi thảo luận kết quả; chương trình không tự đưa ra nhận định.";
    vec![line.to_owned()]
}

fn heading(level: u8, text: &str) -> Block {
    Block::Heading(level, text.to_owned())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn page_one(input: &AnnualInput<'_>) -> Vec<Block> {
    let mut blocks = vec![
        Block::Paragraph(format!(
            "Khảo sát năm {}: {} phiếu hoàn thành trên {} trường hợp được chọn, tại {} thôn, tổ dân phố.{} Đối tượng: {}.",
            input.year,
            numerals::whole(input.fieldwork.completed),
            numerals::whole(input.fieldwork.drawn),
            numerals::whole(input.fieldwork.villages),
            response_sentence(input),
            lower(input.population.trim_end_matches('.')),
        )),
        Block::Findings(findings(&input.headlines, input.probability)),
    ];
    let mut lines: Vec<String> = input
        .priorities
        .iter()
        .filter(|authority| !authority.matters.is_empty())
        .map(|authority| {
            let matters: Vec<String> = authority
                .matters
                .iter()
                .take(MATTERS)
                .map(|(name, figure)| format!("{} ({})", lower(name), sentences::share(figure)))
                .collect();
            format!("Dân mong làm trước, thuộc {}: {}.", authority.name, matters.join("; "))
        })
        .collect();
    lines.push(recommendations(input).join(" "));
    blocks.push(Block::Items(lines));
    if input.decisions.is_empty() {
        blocks.push(Block::Paragraph("Việc xin quyết định: cơ quan chủ trì chưa ghi.".to_owned()));
    } else {
        blocks.push(Block::Paragraph("Việc xin quyết định:".to_owned()));
        blocks.push(Block::Items(input.decisions.clone()));
    }
    if !input.probability {
        blocks.push(Block::Notice(NOT_A_PROBABILITY_SAMPLE.to_owned()));
    }
    blocks.push(Block::Notice(NOT_FOR_RANKING.to_owned()));
    blocks
}

/// The first three statements as page one shows them: interval, change, large areas that stand worse.
pub fn findings(statements: &[Statement], probability: bool) -> Vec<Finding> {
    let finding = |statement: &Statement| {
        let mut lines = vec![capital(&format!("{}.", interval(&statement.figure)))];
        if let Some(change) = &statement.change {
            lines.push(format!("{}.", capital(&sentences::change(change))));
        }
        if probability && !statement.areas.is_empty() {
            lines.push(sentences::worse_areas(
                &statement.figure,
                &statement.areas,
                statement.higher_is_better,
            ));
        }
        let headline = format!("{}: {}", statement.subject, sentences::share(&statement.figure));
        Finding { headline, lines }
    };
    statements.iter().take(3).map(finding).collect()
}

fn authorities(input: &AnnualInput<'_>) -> Vec<Block> {
    if input.priorities.iter().all(|authority| authority.matters.is_empty()) {
        return vec![Block::Paragraph("Mẫu báo cáo không nêu câu hỏi về việc cần làm trước.".to_owned())];
    }
    let columns: &[&str] = if input.probability {
        &["Cấp có thẩm quyền", "Việc", "Tỷ lệ chọn", "KTC 95%", "n"]
    } else {
        &["Cấp có thẩm quyền", "Việc", "Tỷ lệ chọn", "n"]
    };
    let mut table =
        SafeTable::new("Việc Nhân dân mong chính quyền làm trước, theo cấp có thẩm quyền", columns.to_vec());
    for authority in &input.priorities {
        for (name, figure) in &authority.matters {
            let mut row = vec![Cell::text(&authority.name), Cell::text(name), Cell::Share(figure.clone())];
            if input.probability {
                row.push(Cell::ShareInterval(figure.clone()));
            }
            row.push(Cell::Base(figure.clone()));
            table.push(row);
        }
    }
    let table = table.note("Mỗi người chọn tối đa ba việc, nên các tỷ lệ cộng lại hơn 100%.");
    vec![Block::Table(table)]
}

fn recommendations(input: &AnnualInput<'_>) -> Vec<String> {
    match input.recommendations.is_empty() {
        true => vec![NO_REGISTER.to_owned()],
        false => input.recommendations.clone(),
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

fn interval(figure: &Figure) -> String {
    let n = figure.n().map(|n| format!("n\u{a0}=\u{a0}{}", numerals::whole(n as u64)));
    let interval = figure.interval().map(|(low, high)| {
        format!("khoảng tin cậy 95%: từ {} đến {}", numerals::percent(low, 0), numerals::percent(high, 0))
    });
    let told: Vec<String> = interval.into_iter().chain(n).collect();
    if told.is_empty() { sentences::NOT_PUBLISHED.to_owned() } else { told.join("; ") }
}

fn response_sentence(input: &AnnualInput<'_>) -> String {
    if !input.probability {
        return String::new();
    }
    let plain = numerals::percent(input.fieldwork.response_rate, 1);
    match input.fieldwork.response_rate_weighted {
        Some(weighted) => {
            format!(" Tỷ lệ trả lời (AAPOR RR3) {plain}, có trọng số {}.", numerals::percent(weighted, 1))
        }
        None => format!(" Tỷ lệ trả lời (AAPOR RR3) {plain}."),
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
        "Thời gian: {}. Chọn {} trường hợp tại {} thôn, tổ dân phố; hoàn thành {} phiếu.{}",
        work.period.trim_end_matches('.'),
        numerals::whole(work.drawn),
        numerals::whole(work.villages),
        numerals::whole(work.completed),
        response_sentence(input)
    ))];
    blocks.push(Block::Paragraph(format!("Đối tượng: {}.", lower(input.population.trim_end_matches('.')))));
    if !work.dispositions.is_empty() {
        blocks.push(Block::Table(table));
    }
    blocks
}

fn annex(input: &AnnualInput<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::PageBreak, heading(1, "PHỤ LỤC 1. PHƯƠNG PHÁP")];
    if !input.probability {
        blocks.push(Block::Notice(NOT_A_PROBABILITY_SAMPLE.to_owned()));
    }
    blocks.extend(input.method.iter().cloned().map(Block::Paragraph));
    if !input.transparency.is_empty() {
        let mut table =
            SafeTable::new("Thông tin công bố về cuộc khảo sát (theo AAPOR)", ["Mục", "Nội dung"]);
        for (item, text) in &input.transparency {
            table.push(vec![Cell::text(item), Cell::text(text)]);
        }
        blocks.push(Block::Table(table));
    }
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
    blocks.extend(provenance(&input.provenance));
    let mut annex = 2;
    if !input.questionnaire.is_empty() {
        blocks.push(heading(1, &format!("PHỤ LỤC {annex}. PHIẾU HỎI")));
        annex += 1;
        let mut table = SafeTable::new("Câu hỏi và phương án trả lời", ["Câu hỏi", "Phương án (mã và lời)"]);
        for (question, choices) in &input.questionnaire {
            table.push(vec![Cell::text(question), Cell::text(choices)]);
        }
        blocks.push(Block::Table(table));
    }
    blocks.push(heading(1, &format!("PHỤ LỤC {annex}. BẢNG SỐ LIỆU")));
    if !input.headlines.is_empty() {
        blocks.push(Block::Table(headline_table(input)));
    }
    for section in &input.sections {
        blocks
            .extend(section.charts.iter().map(|chart| Block::Table(plain(chart.table(), input.probability))));
    }
    blocks.extend(input.tables.iter().cloned().map(Block::Table));
    blocks
}

/// The table that names what the report was made from; nothing without sources.
pub fn provenance(sources: &[(String, String)]) -> Option<Block> {
    if sources.is_empty() {
        return None;
    }
    let mut table = SafeTable::new(PROVENANCE_TITLE, ["Nguồn", "SHA-256 hoặc phiên bản"]);
    for (name, hash) in sources {
        // Broken into groups, so that a narrow column can wrap it.
        let groups: Vec<String> =
            hash.chars().collect::<Vec<_>>().chunks(16).map(|c| c.iter().collect()).collect();
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        table.push(vec![Cell::text(name), Cell::text(if is_hash { groups.join(" ") } else { hash.clone() })]);
    }
    Some(Block::Table(table))
}

/// Caption of the table of sources.
pub const PROVENANCE_TITLE: &str = "Nguồn để kiểm chứng báo cáo";

/// The table as it is, or for a sample without errors without the columns that would hold them.
pub fn plain(table: SafeTable, probability: bool) -> SafeTable {
    if probability {
        return table;
    }
    const OF_ERRORS: [&str; 4] = ["KTC 95%", "Khoảng tin cậy 95%", "Sai số chuẩn (điểm %)", "Hệ số thiết kế"];
    let kept: Vec<usize> =
        (0..table.columns.len()).filter(|i| !OF_ERRORS.contains(&table.columns[*i].as_str())).collect();
    let columns = kept.iter().map(|i| table.columns[*i].clone());
    let mut plain = SafeTable::new(table.title.clone(), columns);
    for row in table.rows() {
        plain.push(kept.iter().filter_map(|i| row.get(*i).cloned()).collect());
    }
    plain.notes = table.notes;
    plain
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
    plain(table, input.probability)
}
