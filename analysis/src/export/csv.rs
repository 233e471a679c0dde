//! CSV for other programs: decimal point, one line a row, no formulas.

use crate::disclosure::{Cell, Figure, SafeTable};

/// Writes a table as CSV (UTF-8, comma, RFC 4180 quoting). Shares stand as 0–1 with six decimals, an interval
/// takes two columns, a hidden figure is `…`, a missing one is empty. A text that a spreadsheet would take for
/// a formula is led by an apostrophe. A `label` (synthetic data) stands in a last column of every row.
pub fn csv(table: &SafeTable, label: Option<&str>) -> String {
    let is_interval: Vec<bool> = (0..table.columns.len())
        .map(|i| {
            table
                .rows()
                .iter()
                .any(|row| matches!(row.get(i), Some(Cell::ShareInterval(_) | Cell::NumberInterval(..))))
        })
        .collect();
    let mut heads = Vec::new();
    for (head, interval) in table.columns.iter().zip(&is_interval) {
        if *interval {
            heads.push(format!("{head} (từ)"));
            heads.push(format!("{head} (đến)"));
        } else {
            heads.push(head.clone());
        }
    }
    heads.extend(label.map(|_| "Ghi chú".to_owned()));
    let mut text = line(heads.iter().map(|h| quoted(h)));
    for row in table.rows() {
        let mut fields = Vec::new();
        for (cell, interval) in row.iter().zip(&is_interval) {
            match cell {
                Cell::ShareInterval(f) | Cell::NumberInterval(f, _) => fields.extend(ends(f)),
                _ => {
                    fields.push(field(cell));
                    if *interval {
                        fields.push(String::new());
                    }
                }
            }
        }
        fields.extend(label.map(quoted));
        text.push_str(&line(fields));
    }
    text
}

fn line(fields: impl IntoIterator<Item = String>) -> String {
    fields.into_iter().collect::<Vec<_>>().join(",") + "\r\n"
}

fn ends(figure: &Figure) -> [String; 2] {
    if figure.is_hidden() {
        return ["…".to_owned(), "…".to_owned()];
    }
    figure.interval().map_or([String::new(), String::new()], |(low, high)| [number(low), number(high)])
}

fn field(cell: &Cell) -> String {
    let figure = |f: &Figure, value: Option<f64>| {
        if f.is_hidden() { "…".to_owned() } else { value.map_or(String::new(), number) }
    };
    match cell {
        Cell::Text(text) => quoted(text),
        Cell::Share(f) | Cell::Number(f, _) => figure(f, f.estimate()),
        Cell::Base(f) => figure(f, f.n().map(|n| n as f64)),
        Cell::ShareInterval(f) | Cell::NumberInterval(f, _) => figure(f, None),
        Cell::Fieldwork(count) => count.to_string(),
        Cell::PublicShare(value) | Cell::PublicNumber(value, _) => number(*value),
        Cell::Empty => String::new(),
    }
}

/// Six decimals, without trailing zeros: the same text on every machine.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The text, led by an apostrophe where a spreadsheet would take it for a formula.
pub(super) fn disarmed(text: &str) -> String {
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r'])
        || text.starts_with(['\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    let text = disarmed(text);
    if text.contains([',', '"', '\n', '\r', ';']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
