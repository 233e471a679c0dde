//! CSV text to cells, cells to columns.

use std::borrow::Cow;

use super::categories::CategoryBuilder;
use super::{Column, Declared, TableError, parse_number};

/// One cell in the text: where it lies, and whether it holds doubled quotation marks.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    start: usize,
    end: usize,
    doubled: bool,
}

impl Cell {
    fn text(self, all: &str) -> Cow<'_, str> {
        let text = &all[self.start..self.end];
        if self.doubled { text.replace("\"\"", "\"").into() } else { text.into() }
    }
}

/// Splits the text to the header's names and each column's cells.
pub(super) fn split_cells(
    text: &str,
    separator: u8,
    file: &str,
) -> Result<(Vec<String>, Vec<Vec<Cell>>), TableError> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut line = 1;
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<Vec<Cell>> = Vec::new();
    let mut record: Vec<Cell> = Vec::new();
    while at < bytes.len() {
        let record_line = line;
        record.clear();
        loop {
            let cell = if bytes.get(at) == Some(&b'"') {
                let start = at + 1;
                let opened = line;
                let mut doubled = false;
                at = start;
                loop {
                    match bytes.get(at) {
                        None => return Err(TableError::OpenQuote { file: file.into(), line: opened }),
                        Some(b'"') if bytes.get(at + 1) == Some(&b'"') => {
                            doubled = true;
                            at += 2;
                        }
                        Some(b'"') => break,
                        Some(byte) => {
                            line += usize::from(*byte == b'\n');
                            at += 1;
                        }
                    }
                }
                let end = at;
                at += 1;
                if !matches!(bytes.get(at), None | Some(b'\n' | b'\r')) && bytes.get(at) != Some(&separator) {
                    return Err(TableError::StrayQuote { file: file.into(), line });
                }
                Cell { start, end, doubled }
            } else {
                let start = at;
                while at < bytes.len() && bytes[at] != separator && bytes[at] != b'\n' {
                    at += 1;
                }
                let mut end = at;
                if end > start && bytes[end - 1] == b'\r' && bytes.get(at) != Some(&separator) {
                    end -= 1;
                }
                Cell { start, end, doubled: false }
            };
            record.push(cell);
            if bytes.get(at) == Some(&separator) {
                at += 1;
                continue;
            }
            if bytes.get(at) == Some(&b'\r') {
                at += 1;
            }
            if bytes.get(at) == Some(&b'\n') {
                at += 1;
                line += 1;
            }
            break;
        }
        let blank = record.len() == 1 && record[0].start == record[0].end;
        if names.is_empty() {
            for (position, cell) in record.iter().enumerate() {
                let name = cell.text(text).trim().to_owned();
                if name.is_empty() {
                    return Err(if blank {
                        TableError::Empty { file: file.into() }
                    } else {
                        TableError::UnnamedColumn { position: position + 1 }
                    });
                }
                names.push(name);
            }
            columns = vec![Vec::new(); names.len()];
        } else if blank && names.len() > 1 {
            // An empty line says nothing; editors leave one at the end.
        } else if record.len() != names.len() {
            return Err(TableError::Ragged {
                file: file.into(),
                line: record_line,
                got: record.len(),
                expected: names.len(),
            });
        } else {
            for (column, cell) in columns.iter_mut().zip(&record) {
                column.push(*cell);
            }
        }
    }
    if names.is_empty() {
        return Err(TableError::Empty { file: file.into() });
    }
    Ok((names, columns))
}

/// Numbers if all cells are and nothing else is declared, else a category with the cells' own text.
pub(super) fn column_from_cells(
    text: &str,
    name: &str,
    cells: &[Cell],
    declared: Option<&Declared>,
) -> Result<Column, TableError> {
    if matches!(declared, None | Some(Declared::Number)) {
        let mut numbers = Vec::with_capacity(cells.len());
        for cell in cells {
            let cell = &text[cell.start..cell.end];
            if cell.is_empty() {
                numbers.push(f64::NAN);
            } else if let Some(number) = parse_number(cell) {
                numbers.push(number);
            } else if declared.is_some() {
                return Err(TableError::NotNumeric { name: name.into(), example: cell.into() });
            } else {
                break;
            }
        }
        if numbers.len() == cells.len() {
            return Ok(Column::Number(numbers));
        }
    }
    let mut builder = CategoryBuilder::default();
    for cell in cells {
        let cell = cell.text(text);
        builder.push((!cell.is_empty()).then_some(&*cell));
    }
    let column = builder.finish();
    match declared {
        Some(declared) => column.declare(name, declared),
        None => Ok(column),
    }
}
