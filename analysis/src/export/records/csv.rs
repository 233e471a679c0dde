//! Records as CSV: codes as they stand in the codebook, numbers that read back exactly, nothing that a spreadsheet
//! would run.

use super::columns::Cells;
use super::{Audience, Records};
use crate::export::csv::disarmed;
use crate::table::{number_text, quote};

/// Writes the records as CSV (UTF-8, comma, RFC 4180, lines ended by CR LF). `mark`: begins with a byte-order mark,
/// by which Excel knows UTF-8. A missing value is an empty cell. A text that begins with `= + - @`, a tab or a
/// carriage return and is no number is led by an apostrophe.
pub fn csv<A: Audience>(records: &Records<A>, mark: bool) -> Vec<u8> {
    let mut text = String::from(if mark { "\u{feff}" } else { "" });
    let line = |text: &mut String, cells: &mut dyn Iterator<Item = String>| {
        for (place, cell) in cells.enumerate() {
            if place > 0 {
                text.push(',');
            }
            text.push_str(&cell);
        }
        text.push_str("\r\n");
    };
    line(&mut text, &mut records.names().map(|name| quote(&disarmed(name))));
    for row in 0..records.height {
        let mut cells = records.items.iter().map(|item| match &item.cells {
            Cells::Number(values) => number_text(values[row]),
            _ => item.text(row).map_or_else(String::new, safe),
        });
        line(&mut text, &mut cells);
    }
    text.into_bytes()
}

fn safe(text: &str) -> String {
    // `-1` is a number to a spreadsheet as to us; `-1+cmd` is not.
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite) && !text.starts_with('+');
    if is_number { text.to_owned() } else { quote(&disarmed(text)) }
}
