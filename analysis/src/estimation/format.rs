//! Results as JSON, CSV, and tables for people.

use serde_json::Value;
use surveys::codebook::Codebook;

use super::result::{Results, Row};
use crate::table::number_text;

/// A number so that it reads back exactly; what is not finite is null.
fn number(value: f64) -> String {
    if value.is_finite() { number_text(value) } else { "null".into() }
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

fn json_value(value: &Value) -> String {
    match value {
        Value::Number(n) => n.as_f64().map_or_else(|| "null".into(), number),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json_value).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether the row is a test, which has a statistic in place of an estimate with an error.
fn is_test(row: &Row) -> bool {
    row.more.contains_key("test")
}

/// The contract's JSON: one result a line, fields in the contract's order, absent values null.
pub fn json(results: &Results) -> String {
    let design = &results.design;
    let mut text = format!(
        "{{\n\"design\": {{\"n\": {}, \"psus\": {}, \"strata\": {}, \"df\": {}, \"sum_of_weights\": {}}},\n\"results\": [",
        design.n,
        design.psus,
        design.strata,
        number(design.df),
        number(design.sum_of_weights)
    );
    for (i, row) in results.results.iter().enumerate() {
        text.push_str(if i == 0 { "\n" } else { ",\n" });
        text.push_str(&row_json(row));
    }
    text.push_str("\n],\n");
    if !results.covariances.is_empty() {
        text.push_str("\"covariances\": {");
        for (i, (id, covariance)) in results.covariances.iter().enumerate() {
            let keys: Vec<String> = covariance.keys.iter().map(|k| json_text(k)).collect();
            let rows: Vec<String> = covariance
                .matrix
                .iter()
                .map(|row| format!("[{}]", row.iter().map(|v| number(*v)).collect::<Vec<_>>().join(", ")))
                .collect();
            text.push_str(&format!(
                "{}\n{}: {{\"keys\": [{}], \"matrix\": [{}]}}",
                if i == 0 { "" } else { "," },
                json_text(id),
                keys.join(", "),
                rows.join(", ")
            ));
        }
        text.push_str("\n},\n");
    }
    let warnings: Vec<String> = results.warnings.iter().map(|w| json_text(w)).collect();
    text.push_str(&format!("\"warnings\": [{}]\n}}\n", warnings.join(", ")));
    text
}

fn row_json(row: &Row) -> String {
    let optional = |value: Option<f64>| value.map_or_else(|| "null".to_owned(), number);
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "null".to_owned(), json_text);
    let mut fields: Vec<(&str, String)> =
        vec![("id", json_text(&row.id)), ("statistic", json_text(&row.statistic))];
    let group = || {
        let parts: Vec<String> =
            row.group.iter().map(|(by, value)| format!("{}: {}", json_text(by), json_text(value))).collect();
        if parts.is_empty() { "null".to_owned() } else { format!("{{{}}}", parts.join(", ")) }
    };
    let n = || row.n.map_or_else(|| "null".to_owned(), |n| n.to_string());
    if is_test(row) {
        for key in ["test", "value"] {
            fields.push((key, row.more.get(key).map_or_else(|| "null".into(), json_value)));
        }
        fields.push(("df", json_value(&row.df)));
        fields.push(("p_value", row.more.get("p_value").map_or_else(|| "null".into(), json_value)));
        fields.push(("estimate", optional(row.estimate)));
        fields.push(("variable", text(&row.variable)));
        fields.push(("group", group()));
        fields.push(("n", n()));
    } else {
        fields.push(("variable", text(&row.variable)));
        fields.push(("category", text(&row.category)));
        fields.push(("group", group()));
        fields.push(("estimate", optional(row.estimate)));
        fields.push(("se", optional(row.se)));
        fields.push(("cv", optional(row.cv)));
        fields.push(("ci_low", optional(row.ci_low)));
        fields.push(("ci_high", optional(row.ci_high)));
        fields.push(("df", json_value(&row.df)));
        fields.push(("deff", optional(row.deff)));
        fields.push(("n", n()));
    }
    for (key, value) in &row.more {
        if !fields.iter().any(|(k, _)| k == key) {
            fields.push((key, json_value(value)));
        }
    }
    let fields: Vec<String> =
        fields.iter().map(|(key, value)| format!("{}: {value}", json_text(key))).collect();
    format!("{{{}}}", fields.join(", "))
}

/// One line a row; groups as `by=value` pairs joined by commas; absent values empty.
pub fn csv(results: &Results) -> String {
    const MORE: [&str; 11] =
        ["prob", "at", "row", "col", "measure", "term", "test", "value", "p_value", "method", "reason"];
    let mut text = format!(
        "id,statistic,variable,category,group,estimate,se,cv,ci_low,ci_high,df,deff,n,{}\n",
        MORE.join(",")
    );
    for row in &results.results {
        let optional =
            |value: Option<f64>| value.filter(|v| v.is_finite()).map_or_else(String::new, number_text);
        let group: Vec<String> = row.group.iter().map(|(by, value)| format!("{by}={value}")).collect();
        let plain = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(json_value).collect::<Vec<_>>().join(" "),
            other => json_value(other),
        };
        let mut cells = vec![
            row.id.clone(),
            row.statistic.clone(),
            row.variable.clone().unwrap_or_default(),
            row.category.clone().unwrap_or_default(),
            group.join(","),
            optional(row.estimate),
            optional(row.se),
            optional(row.cv),
            optional(row.ci_low),
            optional(row.ci_high),
            plain(&row.df),
            optional(row.deff),
            row.n.map_or_else(String::new, |n| n.to_string()),
        ];
        cells.extend(MORE.iter().map(|key| row.more.get(*key).map_or_else(String::new, plain)));
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| match cell.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", cell.replace('"', "\"\"")),
                false => cell.clone(),
            })
            .collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

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
};

/// A table for people, with labels of the codebook where there is one. `language`: `vi`, else English.
pub fn table(results: &Results, codebook: Option<&Codebook>, language: &str) -> String {
    let vietnamese = language.starts_with("vi");
    let words = if vietnamese { &VIETNAMESE } else { &ENGLISH };
    let design = &results.design;
    let mut text = words
        .design
        .replace("{n}", &grouped(design.n as f64, 0, vietnamese))
        .replace("{psus}", &grouped(design.psus as f64, 0, vietnamese))
        .replace("{strata}", &grouped(design.strata as f64, 0, vietnamese))
        .replace("{df}", &grouped(design.df, 0, vietnamese));
    text.push_str(&format!(". {}: {}.\n", words.sum, grouped(design.sum_of_weights, 0, vietnamese)));
    for warning in &results.warnings {
        text.push_str(&format!("{}: {warning}\n", words.warning));
    }
    let mut start = 0;
    while start < results.results.len() {
        let first = &results.results[start];
        let end = start + results.results[start..].iter().take_while(|r| r.id == first.id).count();
        let rows = &results.results[start..end];
        start = end;
        text.push_str(&format!("\n{} ({})", first.id, first.statistic));
        let percent = rows.iter().all(is_share);
        text.push_str(&if percent { format!(". {}\n", words.shares) } else { "\n".to_owned() });
        let lines: Vec<Vec<String>> = if is_test(first) {
            std::iter::once(vec![words.row, words.value, words.df, words.p_value])
                .map(|line| line.into_iter().map(str::to_owned).collect())
                .chain(rows.iter().map(|row| test_line(row, codebook, language, words)))
                .collect()
        } else {
            let header = [words.row, words.estimate, words.se, words.interval, words.deff, words.n];
            std::iter::once(header.iter().map(|s| (*s).to_owned()).collect())
                .chain(rows.iter().map(|row| line(row, codebook, language, percent)))
                .collect()
        };
        text.push_str(&aligned(&lines));
        for row in rows {
            if let Some(Value::String(reason)) = row.more.get("reason") {
                text.push_str(&format!(
                    "  {}: {}: {reason}\n",
                    words.warning,
                    label(row, codebook, language, words)
                ));
            }
        }
    }
    text
}

fn is_share(row: &Row) -> bool {
    match row.statistic.as_str() {
        "proportion" | "cdf" => true,
        "mean" => row.category.is_some(),
        "table" => row.more.get("measure").and_then(Value::as_str) != Some("count"),
        _ => false,
    }
}

fn label(row: &Row, codebook: Option<&Codebook>, language: &str, words: &Words) -> String {
    let name = |variable: &str| match codebook {
        Some(book) => book.label(variable, language).to_owned(),
        None => variable.to_owned(),
    };
    let value = |variable: &str, code: &str| match codebook {
        Some(book) => book.value_label(variable, code, language).to_owned(),
        None => code.to_owned(),
    };
    let variable = row.variable.as_deref().unwrap_or_default();
    let mut text = name(variable);
    if let Some(category) = &row.category {
        text = format!("{text}: {}", value(variable, category));
    }
    for key in ["row", "col"] {
        if let Some(level) = row.more.get(key) {
            let parts: Vec<&str> = variable.split('*').collect();
            let column = parts.get(usize::from(key == "col")).copied().unwrap_or_default();
            let level = level.as_str().map_or_else(|| words.all.to_owned(), |l| value(column, l));
            text = format!("{text} · {level}");
        }
    }
    for key in ["measure", "prob", "at"] {
        if let Some(level) = row.more.get(key) {
            text = format!("{text} · {}", level.as_str().map_or_else(|| json_value(level), str::to_owned));
        }
    }
    for (by, code) in &row.group {
        text = format!("{text} | {}: {}", name(by), value(by, code));
    }
    text
}

fn line(row: &Row, codebook: Option<&Codebook>, language: &str, percent: bool) -> Vec<String> {
    let vietnamese = language.starts_with("vi");
    let words = if vietnamese { &VIETNAMESE } else { &ENGLISH };
    let factor = if percent { 100.0 } else { 1.0 };
    let size = row.se.or(row.estimate).unwrap_or(1.0).abs() * factor;
    let digits = match size {
        s if percent || s >= 100.0 => usize::from(percent),
        s if s >= 1.0 => 1,
        s if s >= 0.01 => 3,
        _ => 5,
    };
    let show = |value: Option<f64>| {
        value.map_or_else(|| "–".to_owned(), |v| grouped(v * factor, digits, vietnamese))
    };
    let between = if vietnamese { " đến " } else { " to " };
    let interval = match (row.ci_low, row.ci_high) {
        (None, None) => "–".to_owned(),
        (low, high) => format!("{}{between}{}", show(low), show(high)),
    };
    vec![
        label(row, codebook, language, words),
        show(row.estimate),
        show(row.se),
        interval,
        row.deff.map_or_else(|| "–".to_owned(), |d| grouped(d, 2, vietnamese)),
        row.n.map_or_else(|| "–".to_owned(), |n| grouped(n as f64, 0, vietnamese)),
    ]
}

fn test_line(row: &Row, codebook: Option<&Codebook>, language: &str, words: &Words) -> Vec<String> {
    let vietnamese = language.starts_with("vi");
    let show = |key: &str, digits| {
        let value = row.more.get(key).and_then(Value::as_f64);
        value.map_or_else(|| "–".to_owned(), |v| grouped(v, digits, vietnamese))
    };
    let df = match &row.df {
        Value::Array(items) => items.iter().filter_map(Value::as_f64).collect(),
        other => other.as_f64().into_iter().collect::<Vec<f64>>(),
    };
    let df: Vec<String> =
        df.iter().map(|d| grouped(*d, if *d == d.trunc() { 0 } else { 2 }, vietnamese)).collect();
    vec![
        label(row, codebook, language, words),
        show("value", 3),
        if df.is_empty() { "–".into() } else { df.join("; ") },
        show("p_value", 4),
    ]
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

/// Columns padded to their widest cell: the first to the left, the others to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|l| l.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        text.push_str("  ");
        for (column, cell) in line.iter().enumerate() {
            let padding = " ".repeat(widths[column] - cell.chars().count());
            if column == 0 {
                text.push_str(&format!("{cell}{padding}"));
            } else {
                text.push_str(&format!("   {padding}{cell}"));
            }
        }
        text.push('\n');
    }
    text
}
