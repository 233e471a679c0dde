//! Cells of a table as readers see them.

use crate::charts::numerals;
use crate::disclosure::{Cell, Figure, SafeTable, Standing};

/// What stands for a figure that is held back.
pub const HIDDEN: &str = "…";
/// What stands for a figure that does not exist.
pub const ABSENT: &str = "–";

/// A column's head; one of a few letters (`KTC 95%`) stays on one line.
pub fn head(text: &str) -> String {
    if text.chars().count() <= 9 { text.replace(' ', "\u{a0}") } else { text.to_owned() }
}

/// The cell in Vietnamese: shares in whole per cent, hidden `…`, absent `–`, a small base in brackets.
pub fn written(cell: &Cell) -> String {
    let shown = |figure: &Figure, text: &dyn Fn(&Figure) -> Option<String>| match figure.standing() {
        Standing::Hidden => HIDDEN.to_owned(),
        Standing::Absent => ABSENT.to_owned(),
        Standing::Cautious => text(figure).map_or(ABSENT.to_owned(), |t| format!("({t})")),
        Standing::Shown => text(figure).unwrap_or_else(|| ABSENT.to_owned()),
    };
    let plain = |figure: &Figure, text: &dyn Fn(&Figure) -> Option<String>| {
        if figure.is_hidden() { HIDDEN.to_owned() } else { text(figure).unwrap_or_else(|| ABSENT.to_owned()) }
    };
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Share(f) => shown(f, &|f| f.estimate().map(|e| numerals::percent(e, 0))),
        Cell::Number(f, digits) => shown(f, &|f| f.estimate().map(|e| numerals::decimal(e, *digits))),
        Cell::Base(f) => plain(f, &|f| f.n().map(|n| numerals::whole(n as u64))),
        Cell::ShareInterval(f) => plain(f, &|f| {
            f.interval().map(|(low, high)| {
                format!("{}–{}", numerals::decimal(low * 100.0, 0), numerals::percent(high, 0))
            })
        }),
        Cell::NumberInterval(f, digits) => plain(f, &|f| {
            f.interval().map(|(low, high)| {
                format!("{}–{}", numerals::decimal(low, *digits), numerals::decimal(high, *digits))
            })
        }),
        Cell::Fieldwork(count) => numerals::whole(*count),
        Cell::PublicShare(share) => numerals::percent(*share, 1),
        Cell::PublicNumber(value, digits) => numerals::decimal(*value, *digits),
        Cell::Empty => String::new(),
    }
}

/// True for cells that stand on the right like numbers.
pub fn is_number(cell: &Cell) -> bool {
    !matches!(cell, Cell::Text(_) | Cell::Empty)
}

/// The lines under a table: its own notes and those that its marks ask for.
pub fn notes(table: &SafeTable) -> Vec<String> {
    let mut notes: Vec<String> = table.notes.iter().filter(|n| !n.is_empty()).cloned().collect();
    if table.has_hidden() {
        notes.push("“…”: số liệu không công bố.".to_owned());
    }
    if table.has_cautious() {
        notes.push("Số trong ngoặc đơn: ít phiếu, cần thận trọng khi so sánh.".to_owned());
    }
    notes
}
