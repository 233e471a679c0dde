//! XLSX: a sheet a table with its base, interval, source and label, and a first sheet that lists them.

use crate::disclosure::{Cell, Figure, SafeTable};
use crate::report::cells;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Url, Workbook, Worksheet,
    XlsxError,
};

/// What the workbook says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub title: String,
    pub author: String,
    /// Lines on the first sheet: survey, population, method, n.
    pub notes: Vec<String>,
    /// On every sheet, when the data are synthetic.
    pub label: Option<String>,
    /// Year, month, day of the properties: given, so that the same tables give the same bytes.
    pub created: (u16, u8, u8),
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("table {number} (“{title}”) could not be written to the workbook: {source}")]
    Table { number: usize, title: String, source: Box<XlsxError> },
    #[error("the workbook could not be written: {0}")]
    Workbook(#[from] XlsxError),
}

struct Formats {
    title: Format,
    label: Format,
    head: Format,
    text: Format,
    note: Format,
}

impl Formats {
    fn new() -> Self {
        let border =
            |format: Format| format.set_border(FormatBorder::Thin).set_border_color(Color::RGB(0xB8C0C8));
        let wrapped = || Format::new().set_text_wrap().set_align(FormatAlign::Top);
        Self {
            title: Format::new().set_bold().set_font_size(13),
            label: Format::new().set_bold().set_font_color(Color::RGB(0x9A4A00)),
            head: border(wrapped())
                .set_bold()
                .set_background_color(Color::RGB(0xEEF1F4))
                .set_align(FormatAlign::Center),
            text: border(wrapped()),
            note: Format::new().set_italic().set_font_color(Color::RGB(0x5B646D)),
        }
    }

    /// Numbers with a thousands separator, or per cent; Excel shows both as the reader's country writes them.
    fn number(&self, picture: &str, cautious: bool) -> Format {
        let format = Format::new()
            .set_num_format(picture)
            .set_border(FormatBorder::Thin)
            .set_border_color(Color::RGB(0xB8C0C8))
            .set_align(FormatAlign::Top);
        if cautious { format.set_font_color(Color::RGB(0x5B646D)).set_italic() } else { format }
    }
}

/// Writes the tables as one workbook. Numbers are numbers; a hidden figure is the text `…`.
///
/// Errors: [`ExportError`] when a table does not fit a sheet.
pub fn xlsx(tables: &[SafeTable], about: &About) -> Result<Vec<u8>, ExportError> {
    let formats = Formats::new();
    let mut workbook = Workbook::new();
    let (year, month, day) = about.created;
    let created = ExcelDateTime::from_ymd(year, month, day)?;
    workbook.set_properties(
        &DocProperties::new()
            .set_title(&about.title)
            .set_author(&about.author)
            .set_comment(about.label.as_deref().unwrap_or(""))
            .set_creation_datetime(&created),
    );
    write_list(workbook.add_worksheet(), tables, about, &formats)?;
    for (i, table) in tables.iter().enumerate() {
        let number = i + 1;
        write_table(workbook.add_worksheet(), number, table, about, &formats).map_err(|source| {
            ExportError::Table { number, title: table.title.clone(), source: Box::new(source) }
        })?;
    }
    Ok(workbook.save_to_buffer()?)
}

fn sheet_name(number: usize) -> String {
    format!("Bảng {number}")
}

fn write_list(
    sheet: &mut Worksheet,
    tables: &[SafeTable],
    about: &About,
    formats: &Formats,
) -> Result<(), XlsxError> {
    sheet.set_name("Mục lục")?;
    sheet.set_print_fit_to_pages(1, 0).set_paper_size(9);
    sheet.set_column_width(0, 12)?.set_column_width(1, 90)?;
    sheet.write_string_with_format(0, 0, &about.title, &formats.title)?;
    let mut row = 1;
    if let Some(label) = &about.label {
        sheet.write_string_with_format(row, 0, label, &formats.label)?;
        row += 1;
    }
    for note in &about.notes {
        sheet.write_string_with_format(row, 0, note, &formats.note)?;
        row += 1;
    }
    row += 1;
    for (i, table) in tables.iter().enumerate() {
        let name = sheet_name(i + 1);
        sheet.write_url(row, 0, Url::new(format!("internal:'{name}'!A1")).set_text(&name))?;
        sheet.write_string(row, 1, &table.title)?;
        row += 1;
    }
    Ok(())
}

/// Lines that a text takes in a column of so many letters; a word that does not fit leaves room.
fn lines(letters: usize, width: f64) -> f64 {
    (letters as f64 * 1.15 / width).ceil().max(1.0)
}

/// Columns that a table's column takes: two for an interval.
fn spans(table: &SafeTable) -> Vec<u16> {
    (0..table.columns.len())
        .map(|i| {
            let interval = |row: &Vec<Cell>| {
                matches!(row.get(i), Some(Cell::ShareInterval(_) | Cell::NumberInterval(..)))
            };
            if table.rows().iter().any(interval) { 2 } else { 1 }
        })
        .collect()
}

fn write_table(
    sheet: &mut Worksheet,
    number: usize,
    table: &SafeTable,
    about: &About,
    formats: &Formats,
) -> Result<(), XlsxError> {
    sheet.set_name(sheet_name(number))?;
    sheet.write_string_with_format(0, 0, &table.title, &formats.title)?;
    let mut row = 1;
    if let Some(label) = &about.label {
        sheet.write_string_with_format(row, 0, label, &formats.label)?;
        row += 1;
    }
    let spans = spans(table);
    let head_row = row + 1;
    let mut column = 0;
    let (mut head_lines, mut widths) = (1.0_f64, Vec::new());
    for (i, (head, span)) in table.columns.iter().zip(&spans).enumerate() {
        let widest = table
            .rows()
            .iter()
            .filter_map(|r| r.get(i))
            .map(|c| cells::written(c).chars().count())
            .max()
            .unwrap_or(0);
        let width = (widest.max(8) as f64 * 1.1).clamp(10.0, 60.0);
        if *span == 2 {
            sheet.write_string_with_format(head_row, column, format!("{head} (từ)"), &formats.head)?;
            sheet.write_string_with_format(head_row, column + 1, format!("{head} (đến)"), &formats.head)?;
            sheet.set_column_width(column, 12)?.set_column_width(column + 1, 12)?;
        } else {
            sheet.write_string_with_format(head_row, column, head, &formats.head)?;
            sheet.set_column_width(column, width)?;
        }
        // Rows of wrapped text do not grow by themselves in every program.
        let head = head.chars().count() + if *span == 2 { 6 } else { 0 };
        let width = if *span == 2 { 12.0 } else { width };
        head_lines = head_lines.max(lines(head, width));
        widths.push(width);
        column += span;
    }
    sheet.set_row_height(head_row, 15.0 * head_lines)?;
    row = head_row + 1;
    for cells in table.rows() {
        let tallest = cells.iter().zip(&widths).map(|(cell, width)| match cell {
            Cell::Text(text) => lines(text.chars().count(), *width),
            _ => 1.0,
        });
        sheet.set_row_height(row, 15.0 * tallest.fold(1.0, f64::max))?;
        let mut column = 0;
        for (cell, span) in cells.iter().zip(&spans) {
            write_cell(sheet, (row, column), cell, *span, formats)?;
            column += span;
        }
        row += 1;
    }
    sheet.set_freeze_panes(head_row + 1, 1)?;
    sheet.set_repeat_rows(head_row, head_row)?;
    sheet.set_landscape().set_print_fit_to_pages(1, 0).set_paper_size(9);
    if let Some(label) = &about.label {
        // `&` leads a code in Excel's footers.
        sheet.set_footer(format!("&C{}", label.replace('&', "&&")));
    }
    for note in cells::notes(table) {
        let note = note.replace("Số trong ngoặc đơn", "Số nghiêng, màu xám");
        sheet.write_string_with_format(row, 0, &note, &formats.note)?;
        row += 1;
    }
    Ok(())
}

fn write_cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    cell: &Cell,
    span: u16,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let picture = |digits: usize| match digits {
        0 => "#,##0".to_owned(),
        n => format!("#,##0.{}", "0".repeat(n)),
    };
    let mut figure = |at: u16, f: &Figure, value: Option<f64>, picture: &str| -> Result<(), XlsxError> {
        let cautious = cell.standing() == Some(crate::disclosure::Standing::Cautious);
        match value {
            Some(value) => {
                sheet.write_number_with_format(row, at, value, &formats.number(picture, cautious))?;
            }
            None => {
                let mark = if f.is_hidden() { cells::HIDDEN } else { cells::ABSENT };
                let format = formats.text.clone().set_align(FormatAlign::Right);
                sheet.write_string_with_format(row, at, mark, &format)?;
            }
        }
        Ok(())
    };
    match cell {
        Cell::Share(f) => figure(column, f, f.estimate(), "0%")?,
        Cell::Number(f, digits) => figure(column, f, f.estimate(), &picture(*digits))?,
        Cell::Base(f) => figure(column, f, f.n().map(|n| n as f64), "#,##0")?,
        Cell::ShareInterval(f) | Cell::NumberInterval(f, _) => {
            let picture =
                if let Cell::NumberInterval(_, digits) = cell { picture(*digits) } else { "0%".to_owned() };
            figure(column, f, f.interval().map(|i| i.0), &picture)?;
            figure(column + 1, f, f.interval().map(|i| i.1), &picture)?;
        }
        Cell::Text(text) => {
            sheet.write_string_with_format(row, column, text, &formats.text)?;
        }
        Cell::Fieldwork(count) => {
            sheet.write_number_with_format(row, column, *count as f64, &formats.number("#,##0", false))?;
        }
        Cell::PublicShare(value) => {
            sheet.write_number_with_format(row, column, *value, &formats.number("0.0%", false))?;
        }
        Cell::PublicNumber(value, digits) => {
            let format = formats.number(&picture(*digits), false);
            sheet.write_number_with_format(row, column, *value, &format)?;
        }
        Cell::Empty => {
            for at in column..column + span {
                sheet.write_blank(row, at, &formats.text)?;
            }
        }
    }
    Ok(())
}
