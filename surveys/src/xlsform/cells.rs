//! Cells of a workbook as text, sheet by sheet, from .xlsx, .xls, .csv and Markdown tables.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, ExcelDateTime, ExcelDateTimeType, Reader, Sheets, Xls, Xlsx};

use super::{Problem, limits};

/// The sheets that mean something in an XLSForm.
pub const SHEETS: [&str; 6] = ["survey", "choices", "settings", "external_choices", "entities", "osm"];

/// One sheet: its header and the rows that have any cell.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub name: String,
    /// Header texts by column; `None` where the header cell is empty.
    pub header: Vec<Option<String>>,
    pub rows: Vec<Row>,
}

/// One row: cells by column, `None` where empty.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Counted from 1, the header is row 1.
    pub number: u32,
    pub cells: Vec<Option<String>>,
}

/// All sheets of a file that an XLSForm uses, and the names of the others.
#[derive(Clone, Debug, Default)]
pub struct Workbook {
    pub sheets: Vec<Sheet>,
    pub other_names: Vec<String>,
}

impl Workbook {
    pub fn sheet(&self, name: &str) -> Option<&Sheet> {
        self.sheets.iter().find(|sheet| sheet.name == name)
    }
}

/// Empty columns after which the header ends, and empty rows after which a sheet ends.
const EMPTY_COLUMNS: usize = 20;
const EMPTY_ROWS: usize = 60;

/// First bytes of an .xls.
const COMPOUND: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Columns behind these are not read.
const MOST_COLUMNS: usize = 2_000;
/// Cells of one sheet, counted from its left edge.
const MOST_CELLS: usize = 5_000_000;

/// Reads a file by the ending of its name.
///
/// Errors: the file is not what its name says, or a header stands twice.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<Workbook, Vec<Problem>> {
    let ending = file_name.rsplit_once('.').map_or("", |(_, ending)| ending).to_lowercase();
    let raw = match ending.as_str() {
        "xlsx" | "xlsm" | "xls" => spreadsheet(bytes),
        "csv" => text(bytes).map(|text| csv(&text)),
        "md" => text(bytes).map(|text| markdown(&text)),
        _ => Err(vec![Problem::new(
            "",
            format!("`{file_name}`: chỉ đọc được tệp .xlsx, .xls, .csv, .md, hoặc XForm .xml"),
            format!(
                "`{file_name}`: only .xlsx, .xls, .csv, .md, or an XForm .xml, can be read; save it as one of these"
            ),
        )]),
    };
    sheets(raw?, ending == "csv")
}

/// A sheet as it lies in the file; the first row is the header.
struct RawSheet {
    name: String,
    rows: Vec<Vec<String>>,
}

fn text(bytes: &[u8]) -> Result<String, Vec<Problem>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        vec![Problem::new(
            "",
            format!("tệp không phải là văn bản UTF-8 (sai từ byte {at}); hãy lưu lại với mã UTF-8"),
            format!("the file is not UTF-8 text (wrong from byte {at}); save it as UTF-8"),
        )]
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn spreadsheet(bytes: &[u8]) -> Result<Vec<RawSheet>, Vec<Problem>> {
    let unreadable = |error: &dyn std::fmt::Display| {
        vec![Problem::new(
            "",
            format!(
                "không mở được tệp bảng tính ({error}); hãy mở bằng Excel hoặc LibreOffice rồi lưu lại dạng .xlsx"
            ),
            format!(
                "the workbook cannot be opened ({error}); open it in Excel or LibreOffice and save it as .xlsx"
            ),
        )]
    };
    let is_xls = bytes.starts_with(&COMPOUND);
    let bounded = match is_xls {
        true => limits::bounded_xls(bytes),
        false => limits::check_xlsx(bytes).map(|()| bytes.into()),
    };
    let bytes = &*bounded.map_err(|(vietnamese, english)| vec![Problem::new("", vietnamese, english)])?;
    // The library may panic on a damaged file; to the user that is a file that cannot be opened.
    let opened = catch_unwind(AssertUnwindSafe(|| raw_sheets(bytes, is_xls)));
    opened.unwrap_or_else(|_| Err("the file is damaged".to_owned())).map_err(|error| unreadable(&error))
}

fn raw_sheets(bytes: &[u8], is_xls: bool) -> Result<Vec<RawSheet>, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let mut workbook = if is_xls {
        Sheets::Xls(Xls::new(Cursor::new(bytes)).map_err(|error| told(&error))?)
    } else {
        Sheets::Xlsx(Xlsx::new(Cursor::new(bytes)).map_err(|error| told(&error))?)
    };
    let mut sheets = Vec::new();
    for name in workbook.sheet_names() {
        let mut rows = Rows::default();
        if let Sheets::Xlsx(workbook) = &mut workbook {
            // Cell by cell: a lone cell in the last corner must not cost the memory of the whole sheet.
            let mut cells = workbook.worksheet_cells_reader(&name).map_err(|error| told(&error))?;
            while let Some(next) = cells.next_cell().map_err(|error| told(&error))? {
                rows.put(next.get_position(), cell(&Data::from(next.get_value().clone())))?;
            }
        } else {
            let range = workbook.worksheet_range(&name).map_err(|error| told(&error))?;
            let (first_row, first_column) = range.start().unwrap_or_default();
            for (row, column, value) in range.used_cells() {
                let at = |first: u32, offset: usize| {
                    first.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
                };
                let text = match value {
                    Data::DateTime(time) => cell(&Data::DateTime(to_the_second(time))),
                    other => cell(other),
                };
                rows.put((at(first_row, row), at(first_column, column)), text)?;
            }
        }
        sheets.push(RawSheet { name, rows: rows.rows });
    }
    Ok(sheets)
}

/// Rows that grow with their cells.
#[derive(Default)]
struct Rows {
    rows: Vec<Vec<String>>,
    cells: usize,
}

impl Rows {
    /// Cells come row by row. Those behind a gap that ends a sheet, or far to the right, are left out.
    /// So are those that stand under no header.
    fn put(&mut self, (row, column): (u32, u32), value: String) -> Result<(), String> {
        let (row, column) = (row as usize, column as usize);
        let width = if row == 0 { MOST_COLUMNS } else { self.rows.first().map_or(0, Vec::len) };
        if value.is_empty() || row > self.rows.len() + EMPTY_ROWS || column >= width {
            return Ok(());
        }
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Vec::new);
        }
        let cells = &mut self.rows[row];
        if cells.len() <= column {
            self.cells += column + 1 - cells.len();
            if self.cells > MOST_CELLS {
                return Err(format!("a sheet has more than {MOST_CELLS} cells"));
            }
            cells.resize_with(column + 1, String::new);
        }
        cells[column] = value;
        Ok(())
    }
}

/// A cell's value as XLSForm reads it.
fn cell(value: &Data) -> String {
    let text = match value {
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number_text(*number),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(true) => "TRUE".to_owned(),
        Data::Bool(false) => "FALSE".to_owned(),
        Data::DateTime(time) => date_time(time),
        Data::Error(error) => error.to_string(),
        Data::Empty => String::new(),
    };
    text.trim().replace('\u{a0}', " ")
}

/// Whole numbers without a fraction.
fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { number.to_string() }
}

/// A time of the old format (.xls), which XLSForm reads to the nearest second.
fn to_the_second(time: &ExcelDateTime) -> ExcelDateTime {
    let year = |time: &ExcelDateTime| time.to_ymd_hms_milli().0;
    // Which of the two calendars a workbook counts days in shows in the year alone.
    let since_1900 = ExcelDateTime::new(time.as_f64(), ExcelDateTimeType::DateTime, false);
    let is_1904 = year(&since_1900) != year(time);
    let seconds = (time.as_f64() * 86_400.0).round();
    ExcelDateTime::new(seconds / 86_400.0, ExcelDateTimeType::DateTime, is_1904)
}

/// `YYYY-MM-DD hh:mm:ss`, or `hh:mm:ss` for a time alone.
fn date_time(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, thousandths) = time.to_ymd_hms_milli();
    let mut clock = format!("{hour:02}:{minute:02}:{second:02}");
    if thousandths > 0 {
        clock.push_str(&format!(".{thousandths:03}000"));
    }
    if time.as_f64() < 1.0 { clock } else { format!("{year:04}-{month:02}-{day:02} {clock}") }
}

/// Rows of a csv file, sorted into sheets by the first column.
fn csv(text: &str) -> Vec<RawSheet> {
    let mut sheets: Vec<RawSheet> = Vec::new();
    for mut row in crate::csv::rows(text) {
        let first = if row.is_empty() { Default::default() } else { row.remove(0) };
        if !first.trim().is_empty() {
            sheets.push(RawSheet { name: first.trim().to_owned(), rows: Vec::new() });
        }
        let cells: Vec<String> = row.iter().map(|cell| cell.trim().replace('\u{a0}', " ")).collect();
        if let Some(sheet) = sheets.last_mut()
            && cells.iter().any(|cell| !cell.is_empty())
        {
            sheet.rows.push(cells);
        }
    }
    sheets
}

/// Rows of Markdown tables, sorted into sheets by the first column. Lines that begin with `#` are
/// comments, `\|` is a bar inside a cell.
fn markdown(text: &str) -> Vec<RawSheet> {
    let mut sheets: Vec<RawSheet> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        // What stands behind the last bar is a remark.
        let Some(inside) = line.strip_prefix('|').and_then(|rest| rest.rfind('|').map(|end| &rest[..end]))
        else {
            continue;
        };
        if inside.chars().all(|c| c == '|' || c == '-') {
            continue;
        }
        let mut cells = markdown_cells(inside);
        let first = cells.remove(0);
        if !first.is_empty() {
            sheets.push(RawSheet { name: first, rows: Vec::new() });
        }
        if let Some(sheet) = sheets.last_mut()
            && cells.iter().any(|cell| !cell.is_empty())
        {
            sheet.rows.push(cells);
        }
    }
    sheets
}

fn markdown_cells(inside: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut characters = inside.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, cells.last_mut()) {
            ('\\', Some(cell)) if characters.peek() == Some(&'|') => {
                characters.next();
                cell.push('|');
            }
            ('|', _) => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
    }
    cells.iter().map(|cell| cell.trim().replace('\u{a0}', " ")).collect()
}

fn sheets(raw: Vec<RawSheet>, names_needed: bool) -> Result<Workbook, Vec<Problem>> {
    let alone = raw.len() == 1 && !names_needed;
    let mut workbook = Workbook::default();
    let mut problems = Vec::new();
    for RawSheet { name, rows } in raw {
        let known = name.to_lowercase();
        let known = if SHEETS.contains(&known.as_str()) {
            known
        } else if alone {
            "survey".to_owned()
        } else {
            workbook.other_names.push(name);
            continue;
        };
        let mut rows = rows.into_iter();
        let header = header(rows.next().unwrap_or_default());
        for (index, text) in header.iter().enumerate() {
            if text.is_some() && header[..index].contains(text) {
                let text = text.clone().unwrap_or_default();
                problems.push(
                    Problem::new(
                        &known,
                        "cột này có hai lần; hãy xóa một cột hoặc đổi tên",
                        "the column stands twice; delete or rename one of them",
                    )
                    .row(1)
                    .column(text),
                );
            }
        }
        let mut sheet = Sheet { name: known.clone(), header, rows: Vec::new() };
        for (number, cells) in (2..).zip(rows) {
            let cells: Vec<Option<String>> = cells
                .into_iter()
                .take(sheet.header.len())
                .map(|cell| Some(cell).filter(|cell| !cell.is_empty()))
                .collect();
            let used =
                cells.iter().zip(&sheet.header).any(|(cell, header)| cell.is_some() && header.is_some());
            if used {
                sheet.rows.push(Row { number, cells });
            }
        }
        // A later sheet of the same name replaces the earlier one, as in pyxform.
        workbook.sheets.retain(|earlier| earlier.name != known);
        workbook.sheets.push(sheet);
    }
    if problems.is_empty() { Ok(workbook) } else { Err(problems) }
}

fn header(cells: Vec<String>) -> Vec<Option<String>> {
    let mut header = Vec::new();
    let mut empty = 0;
    for cell in cells {
        let text = single_spaces(cell.trim());
        empty = if text.is_empty() { empty + 1 } else { 0 };
        header.push(Some(text).filter(|text| !text.is_empty()));
        if empty > EMPTY_COLUMNS || header.len() >= MOST_COLUMNS {
            break;
        }
    }
    while header.last().is_some_and(Option::is_none) {
        header.pop();
    }
    header
}

/// Runs of spaces as one space.
pub fn single_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}
