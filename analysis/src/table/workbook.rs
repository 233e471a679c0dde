//! The first filled sheet of an Excel workbook as CSV text.

use std::io::Cursor;

use calamine::{Data, Reader, Sheets};

use super::{number_text, quote};

/// Cells to the right of these, and rows below, are no table of this program.
const MOST_COLUMNS: usize = 2_000;
const MOST_ROWS: usize = 1_048_576;

/// A sheet as CSV text; empty rows between filled ones stay, so that row numbers are the sheet's.
pub(crate) struct Sheet {
    pub text: String,
    /// The sheet's row with the header, from 1: the first one with a cell.
    pub header_row: usize,
}

/// Reads the first sheet that has a cell. Numbers are written so that they read back exactly, dates as
/// 2026-11-23, yes and no as 1 and 0. Err: the reason.
pub(crate) fn first_sheet(bytes: &[u8]) -> Result<Sheet, String> {
    let mut workbook: Sheets<_> =
        calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    for name in workbook.sheet_names() {
        let mut rows: Vec<Vec<String>> = Vec::new();
        if let Sheets::Xlsx(workbook) = &mut workbook {
            // Cell by cell: a lone cell in the last corner must not cost the memory of the whole sheet.
            let mut cells = workbook.worksheet_cells_reader(&name).map_err(|e| e.to_string())?;
            while let Some(next) = cells.next_cell().map_err(|e| e.to_string())? {
                let (row, column) = next.get_position();
                put(
                    &mut rows,
                    row as usize,
                    column as usize,
                    text_of(&Data::from(next.get_value().clone())),
                )?;
            }
        } else {
            let range = workbook.worksheet_range(&name).map_err(|e| e.to_string())?;
            let (first_row, first_column) = range.start().unwrap_or_default();
            for (row, column, value) in range.used_cells() {
                put(&mut rows, first_row as usize + row, first_column as usize + column, text_of(value))?;
            }
        }
        if let Some(header) = rows.iter().position(|row| !row.is_empty()) {
            return Ok(Sheet { text: csv(&rows[header..]), header_row: header + 1 });
        }
    }
    Err("no sheet has a cell".into())
}

fn put(rows: &mut Vec<Vec<String>>, row: usize, column: usize, text: String) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if column >= MOST_COLUMNS || row >= MOST_ROWS {
        return Err(format!(
            "`{text}` stands in row {}, column {}, far outside a table",
            row + 1,
            column + 1
        ));
    }
    if rows.len() <= row {
        rows.resize_with(row + 1, Vec::new);
    }
    let cells = &mut rows[row];
    if cells.len() <= column {
        cells.resize(column + 1, String::new());
    }
    cells[column] = text;
    Ok(())
}

fn text_of(value: &Data) -> String {
    let text = match value {
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number_text(*number),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(yes) => u8::from(*yes).to_string(),
        Data::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            }
        }
        Data::Error(error) => error.to_string(),
        Data::Empty => String::new(),
    };
    text.replace('\u{a0}', " ").trim().to_owned()
}

fn csv(rows: &[Vec<String>]) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        for column in 0..width {
            if column > 0 {
                text.push(',');
            }
            text.push_str(&quote(row.get(column).map_or("", String::as_str)));
        }
        text.push('\n');
    }
    text
}
