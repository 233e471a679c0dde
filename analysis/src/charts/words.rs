//! Figures in words: beside marks, and for readers who do not see the drawing.

use super::Unit;
use crate::disclosure::{Figure, Standing};

/// Rows that an alternative text names before it refers to the table.
const NAMED: usize = 12;

/// `62 [58; 66]`; `…` where it is held back, `–` where there is none.
pub(super) fn beside(unit: Unit, figure: &Figure) -> String {
    let Some(estimate) = figure.estimate() else {
        return if figure.is_hidden() { "…".to_owned() } else { "–".to_owned() };
    };
    bracketed(unit, figure, unit.mark(unit.scale(estimate)))
}

/// `62% [58; 66]`, or why there is no number.
pub(super) fn spoken(unit: Unit, figure: &Figure) -> String {
    match (figure.standing(), figure.estimate()) {
        (Standing::Hidden, _) => "không công bố".to_owned(),
        (_, None) => "không có số liệu".to_owned(),
        (standing, Some(estimate)) => {
            let text = bracketed(unit, figure, unit.with_sign(estimate));
            if standing == Standing::Cautious { text + " (ít phiếu)" } else { text }
        }
    }
}

fn bracketed(unit: Unit, figure: &Figure, estimate: String) -> String {
    let mark = |v: f64| unit.mark(unit.scale(v));
    match figure.interval() {
        Some((low, high)) => format!("{estimate} [{}; {}]", mark(low), mark(high)),
        None => estimate,
    }
}

/// What a chart holds, for its alternative text: `kind`, then `label: value` of the first rows.
pub(super) fn listed(kind: &str, rows: impl IntoIterator<Item = (String, String)>) -> String {
    let rows: Vec<String> = rows.into_iter().map(|(label, value)| format!("{label}: {value}")).collect();
    if rows.is_empty() {
        return format!("{kind}: không có số liệu");
    }
    let more = rows.len().saturating_sub(NAMED);
    let end =
        if more > 0 { format!("; và {more} mục khác, xem bảng số liệu") } else { String::new() };
    format!("{kind}. {}{end}", rows[..rows.len() - more].join("; "))
}
