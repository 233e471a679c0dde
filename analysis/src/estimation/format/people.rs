//! Results as tables that people read, in Vietnamese or English, with the codebook's labels.

use serde_json::Value;
use surveys::codebook::Codebook;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::json_value;
use crate::estimation::result::{Results, Row};

/// Letters of a label before it goes on in the next line.
const LABEL: usize = 52;
const HEADING: usize = 100;

/// Words of the table in one language.
struct Words {
    estimate: &'static str,
    se: &'static str,
    interval: &'static str,
    deff: &'static str,
    n: &'static str,
    df: &'static str,
    p_value: &'static str,
    value: &'static str,
    design: &'static str,
    sum: &'static str,
    shares: &'static str,
    warning: &'static str,
    row: &'static str,
    all: &'static str,
    change: &'static str,
    adjusted: &'static str,
    changed: &'static str,
    assumed: &'static str,
}

const VIETNAMESE: Words = Words {
    estimate: "Ước lượng",
    se: "Sai số chuẩn",
    interval: "Khoảng tin cậy",
    deff: "Hệ số thiết kế",
    n: "Số người trả lời",
    df: "Bậc tự do",
    p_value: "Giá trị p",
    value: "Thống kê",
    design: "Thiết kế: {n} dòng, {psus} đơn vị mẫu cấp một, {strata} tầng, {df} bậc tự do",
    sum: "Tổng trọng số",
    shares: "Tỷ lệ tính bằng %",
    warning: "Lưu ý",
    row: "Chỉ tiêu",
    all: "Chung",
    change: "Thay đổi",
    adjusted: "p (hiệu chỉnh)",
    changed: "* khác 0 sau khi hiệu chỉnh cho {tests} phép so sánh ({method}). Tỷ lệ: điểm phần trăm",
    assumed: "Cơ cấu giả định, lệch 5 điểm",
};

const ENGLISH: Words = Words {
    estimate: "Estimate",
    se: "Std. error",
    interval: "Confidence interval",
    deff: "Design effect",
    n: "n",
    df: "df",
    p_value: "p-value",
    value: "Statistic",
    design: "Design: {n} rows, {psus} PSUs, {strata} strata, {df} degrees of freedom",
    sum: "Sum of weights",
    shares: "Shares in %",
    warning: "Note",
    row: "Item",
    all: "All",
    change: "Change",
    adjusted: "p (adjusted)",
    changed: "* other than 0 after adjusting for {tests} comparisons ({method}). Shares: percentage points",
    assumed: "Assumed margins, off by 5 points",
};

/// What the lines of a table need to know.
struct Reader<'a> {
    words: &'static Words,
    book: Option<&'a Codebook>,
    language: &'a str,
    vietnamese: bool,
}

enum Line {
    /// The label of a variable whose rows follow.
    Heading(String),
    Cells(Vec<String>),
}

/// A table for people, with labels of the codebook where there is one. `language`: `vi`, else English.
pub fn table(results: &Results, codebook: Option<&Codebook>, language: &str) -> String {
    let vietnamese = language.starts_with("vi");
    let words = if vietnamese { &VIETNAMESE } else { &ENGLISH };
    let reader = Reader { words, book: codebook, language, vietnamese };
    let mut text = String::new();
    if results.waves.is_empty() {
        text.push_str(&reader.design(&results.design));
    }
    for wave in &results.waves {
        text.push_str(&format!("{}. ", wave.wave));
        text.push_str(&wave.design.as_ref().map_or_else(|| "–\n".to_owned(), |d| reader.design(d)));
    }
    for warning in &results.warnings {
        text.push_str(&format!("{}: {warning}\n", words.warning));
    }
    let mut start = 0;
    while start < results.results.len() {
        let first = &results.results[start];
        let same = |row: &&Row| row.id == first.id && row.statistic == first.statistic;
        let end = start + results.results[start..].iter().take_while(same).count();
        text.push_str(&reader.block(&results.results[start..end]));
        start = end;
    }
    if !results.assumed.is_empty() {
        text.push_str(&reader.assumed(results));
    }
    text
}

impl Reader<'_> {
    fn number(&self, value: f64, digits: usize) -> String {
        grouped(value, digits, self.vietnamese)
    }

    fn optional(&self, value: Option<f64>, digits: usize) -> String {
        value.map_or_else(|| "–".to_owned(), |v| self.number(v, digits))
    }

    fn design(&self, design: &crate::estimation::DesignSummary) -> String {
        let text = self
            .words
            .design
            .replace("{n}", &self.number(design.n as f64, 0))
            .replace("{psus}", &self.number(design.psus as f64, 0))
            .replace("{strata}", &self.number(design.strata as f64, 0))
            .replace("{df}", &self.number(design.df, 0));
        format!("{text}. {}: {}.\n", self.words.sum, self.number(design.sum_of_weights, 0))
    }

    /// The rows of one request and statistic.
    fn block(&self, rows: &[Row]) -> String {
        let first = &rows[0];
        let is_test = super::is_test(first);
        let is_change = first.statistic == "change";
        let percent = rows.iter().all(is_share);
        let mut text = format!("\n{} ({})", first.id, first.statistic);
        text.push_str(&if percent { format!(". {}\n", self.words.shares) } else { "\n".to_owned() });
        let words = self.words;
        let head: Vec<&str> = if is_test {
            vec![words.row, words.value, words.df, words.p_value]
        } else if is_change {
            vec![words.row, words.change, words.se, words.interval, words.adjusted, words.n]
        } else {
            vec![words.row, words.estimate, words.se, words.interval, words.deff, words.n]
        };
        let mut lines = vec![Line::Cells(head.into_iter().map(str::to_owned).collect())];
        let mut start = 0;
        while start < rows.len() {
            let same = |row: &&Row| row.variable == rows[start].variable;
            let end = start + rows[start..].iter().take_while(same).count();
            let alone = end - start == 1;
            let name = self.name(rows[start].variable.as_deref().unwrap_or_default());
            if !alone {
                wrapped(&name, HEADING).into_iter().for_each(|line| lines.push(Line::Heading(line)));
            }
            for row in &rows[start..end] {
                let label = match (self.detail(row), alone) {
                    (detail, true) if detail.is_empty() => name.clone(),
                    (detail, true) => format!("{name}: {detail}"),
                    (detail, false) => detail,
                };
                let figures = if is_test { self.test(row) } else { self.figures(row, percent) };
                let (indent, width) = if alone { ("", LABEL) } else { ("  ", LABEL - 2) };
                for (i, part) in wrapped(&label, width).into_iter().enumerate() {
                    let mut cells = vec![format!("{indent}{part}")];
                    if i == 0 {
                        cells.extend(figures.iter().cloned());
                    }
                    lines.push(Line::Cells(cells));
                }
            }
            start = end;
        }
        text.push_str(&aligned(&lines));
        if let Some(row) = rows.iter().find(|row| row.more.contains_key("adjustment")).filter(|_| is_change) {
            let told =
                |key: &str| row.more.get(key).map(|v| v.to_string().replace('"', "")).unwrap_or_default();
            let note =
                words.changed.replace("{tests}", &told("tests")).replace("{method}", &told("adjustment"));
            text.push_str(&format!("  {note}\n"));
        }
        for row in rows {
            if let Some(Value::String(reason)) = row.more.get("reason") {
                let detail = self.detail(row);
                let of = if detail.is_empty() { row.variable.clone().unwrap_or_default() } else { detail };
                text.push_str(&format!("  {}: {of}: {reason}\n", words.warning));
            }
        }
        text
    }

    fn name(&self, variable: &str) -> String {
        let own = |name: &str| self.book.map_or(name, |book| book.label(name, self.language)).to_owned();
        // Two variables in one name: a ratio, a table, a covariance.
        for joint in ['/', '*', ':'] {
            let parts: Vec<&str> = variable.split(joint).collect();
            if self
                .book
                .is_some_and(|b| parts.len() > 1 && parts.iter().any(|p| b.variables.contains_key(*p)))
            {
                return parts.into_iter().map(own).collect::<Vec<_>>().join(&format!(" {joint} "));
            }
        }
        own(variable)
    }

    fn value(&self, variable: &str, code: &str) -> String {
        self.book.map_or(code, |book| book.value_label(variable, code, self.language)).to_owned()
    }

    /// What tells a row from the others of its variable.
    fn detail(&self, row: &Row) -> String {
        let variable = row.variable.as_deref().unwrap_or_default();
        let mut parts: Vec<String> = Vec::new();
        parts.extend(row.category.as_ref().map(|category| self.value(variable, category)));
        for key in ["row", "col"] {
            if let Some(level) = row.more.get(key) {
                let columns: Vec<&str> = variable.split('*').collect();
                let column = columns.get(usize::from(key == "col")).copied().unwrap_or_default();
                parts.push(
                    level.as_str().map_or_else(|| self.words.all.to_owned(), |l| self.value(column, l)),
                );
            }
        }
        for key in ["measure", "prob", "at", "term"] {
            // The term of a regression is its row's name already.
            if let Some(level) = row.more.get(key).filter(|level| level.as_str() != Some(variable)) {
                parts.push(level.as_str().map_or_else(|| json_value(level), str::to_owned));
            }
        }
        if let (Some(from), Some(to)) = (row.more.get("from"), row.more.get("to")) {
            let plain = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            parts.push(format!("{} → {}", plain(from), plain(to)));
        }
        let mut text = parts.join(" · ");
        for (by, code) in &row.group {
            // A question's whole wording before every value would bury the value.
            let name = Some(self.name(by)).filter(|name| width(name) <= 24).unwrap_or_else(|| by.clone());
            let group = format!("{name}: {}", self.value(by, code));
            text = if text.is_empty() { group } else { format!("{text} | {group}") };
        }
        text
    }

    fn figures(&self, row: &Row, percent: bool) -> Vec<String> {
        let factor = if percent { 100.0 } else { 1.0 };
        let size = row.se.or(row.estimate).unwrap_or(1.0).abs() * factor;
        let digits = match size {
            s if percent || s >= 100.0 => usize::from(percent),
            s if s >= 1.0 => 1,
            s if s >= 0.01 => 3,
            _ => 5,
        };
        let show = |value: Option<f64>| self.optional(value.map(|v| v * factor), digits);
        let between = if self.vietnamese { " đến " } else { " to " };
        let interval = match (row.ci_low, row.ci_high) {
            (None, None) => "–".to_owned(),
            (low, high) => format!("{}{between}{}", show(low), show(high)),
        };
        let fourth = match row.more.get("p_adjusted").and_then(Value::as_f64) {
            Some(p) => {
                let changed = row.more.get("changed").and_then(Value::as_bool).unwrap_or(false);
                format!("{}{}", if changed { "* " } else { "" }, self.number(p, 4))
            }
            None => self.optional(row.deff, 2),
        };
        let n = row.n.map_or_else(|| "–".to_owned(), |n| self.number(n as f64, 0));
        vec![show(row.estimate), show(row.se), interval, fourth, n]
    }

    fn test(&self, row: &Row) -> Vec<String> {
        let show = |key: &str, digits| self.optional(row.more.get(key).and_then(Value::as_f64), digits);
        let df = match &row.df {
            Value::Array(items) => items.iter().filter_map(Value::as_f64).collect(),
            other => other.as_f64().into_iter().collect::<Vec<f64>>(),
        };
        let df: Vec<String> =
            df.iter().map(|d| self.number(*d, if *d == d.trunc() { 0 } else { 2 })).collect();
        vec![show("value", 3), if df.is_empty() { "–".into() } else { df.join("; ") }, show("p_value", 4)]
    }

    fn assumed(&self, results: &Results) -> String {
        let mut text = format!("\n{}\n", self.words.assumed);
        let share = |value: f64| self.number(100.0 * value, 1) + "%";
        for assumed in &results.assumed {
            let run = &assumed.run;
            let label = self.value(&run.margin, &run.category);
            text.push_str(&format!(
                "  {}: {label}: {} → {} (Kish {})\n",
                self.name(&run.margin),
                share(run.share),
                share(run.moved_to),
                self.optional(run.kish_effect, 3)
            ));
            if let Some(reason) = &run.reason {
                text.push_str(&format!("    {}: {reason}\n", self.words.warning));
            }
            let lines: Vec<Line> = assumed
                .largest(5)
                .into_iter()
                .map(|m| {
                    let errors = self.optional(m.in_errors, 2);
                    let figures = [
                        self.optional(m.estimate, 4),
                        self.optional(m.difference, 4),
                        format!("{errors} se"),
                    ];
                    Line::Cells([format!("  {} {}", m.id, m.row)].into_iter().chain(figures).collect())
                })
                .collect();
            text.push_str(&aligned(&lines));
        }
        text
    }
}

fn is_share(row: &Row) -> bool {
    let statistic = match row.statistic.as_str() {
        "change" => row.more.get("base").and_then(Value::as_str).unwrap_or_default(),
        own => own,
    };
    match statistic {
        "proportion" | "cdf" => true,
        "mean" => row.category.is_some(),
        "table" => row.more.get("measure").and_then(Value::as_str) != Some("count"),
        _ => false,
    }
}

/// A number with grouped thousands: 1.234,5 in Vietnamese, 1,234.5 in English.
fn grouped(value: f64, digits: usize, vietnamese: bool) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let plain = format!("{:.digits$}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let (thousands, point) = if vietnamese { ('.', ',') } else { (',', '.') };
    let mut text = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(thousands);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push(point);
        text.push_str(fraction);
    }
    let is_zero = plain.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !is_zero { format!("−{text}") } else { text }
}

/// Letters as they stand in a line: a mark that sits on the letter before it takes no room.
fn width(text: &str) -> usize {
    text.nfc().filter(|letter| !is_combining_mark(*letter)).count()
}

/// The text in lines of at most so many letters, parted at spaces; a longer word stays whole.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// Columns padded to their widest cell: the first to the left, the others to the right.
fn aligned(lines: &[Line]) -> String {
    let cells =
        || lines.iter().filter_map(|line| if let Line::Cells(cells) = line { Some(cells) } else { None });
    let columns = cells().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| cells().filter_map(|line| line.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let mut out = String::from("  ");
        match line {
            Line::Heading(heading) => out.push_str(heading),
            Line::Cells(cells) => {
                for (column, cell) in cells.iter().enumerate() {
                    let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
                    match column {
                        0 => out.push_str(&format!("{cell}{padding}")),
                        _ => out.push_str(&format!("   {padding}{cell}")),
                    }
                }
            }
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}
