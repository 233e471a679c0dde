//! Records as a workbook: codes, the same with labels, the codebook, the notes.

use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};
use surveys::codebook::{Measure, Missing};

use super::columns::{Cells, Item, value_label};
use super::{Audience, Records, RecordsError};

/// Writes the records as a workbook with the sheets `Mã` (codes), `Nhãn` (labels), `Biến` (codebook) and `Ghi chú`
/// (notes). Whole numbers and numbers are numbers, everything else is text and never a formula.
///
/// Errors: [`RecordsError::Format`] where a sheet cannot hold them (1,048,575 rows, 16,384 columns, 32,767 letters).
pub fn xlsx<A: Audience>(records: &Records<A>) -> Result<Vec<u8>, RecordsError> {
    write(records).map_err(|e| RecordsError::Format { format: "XLSX", reason: e.to_string() })
}

fn write<A: Audience>(records: &Records<A>) -> Result<Vec<u8>, XlsxError> {
    let head = Format::new()
        .set_bold()
        .set_text_wrap()
        .set_align(FormatAlign::Top)
        .set_background_color(Color::RGB(0xEEF1F4))
        .set_border_bottom(FormatBorder::Thin);
    let mut workbook = Workbook::new();
    let (year, month, day) = records.notes.created;
    workbook.set_properties(
        &DocProperties::new()
            .set_title(records.heading())
            .set_author(&records.notes.producer)
            .set_creation_datetime(&ExcelDateTime::from_ymd(year, month, day)?),
    );
    for labelled in [false, true] {
        let sheet = workbook.add_worksheet().set_name(if labelled { "Nhãn" } else { "Mã" })?;
        sheet.set_freeze_panes(1, 0)?;
        for (place, item) in (0..).zip(&records.items) {
            sheet.write_string_with_format(0, place, &item.name, &head)?;
            write_column(sheet, place, item, labelled.then(|| records.language()))?;
        }
        footer(sheet, records);
    }
    write_codebook(workbook.add_worksheet().set_name("Biến")?, records, &head)?;
    let notes = workbook.add_worksheet().set_name("Ghi chú")?;
    notes.set_column_width(0, 110)?;
    for (row, line) in (0..).zip(records.lines()) {
        notes.write_string_with_format(row, 0, line, &Format::new().set_text_wrap())?;
    }
    workbook.save_to_buffer()
}

fn footer<A: Audience>(sheet: &mut Worksheet, records: &Records<A>) {
    let notices: Vec<&str> = records.notices().collect();
    // `&` begins a code of Excel's own in a footer.
    sheet.set_footer(format!("&L{}&R&P/&N", notices.join(" – ").replace('&', "&&")));
}

fn write_column(
    sheet: &mut Worksheet,
    column: u16,
    item: &Item,
    language: Option<&str>,
) -> Result<(), XlsxError> {
    match &item.cells {
        Cells::Number(values) => {
            for (row, value) in (1..).zip(values).filter(|(_, value)| !value.is_nan()) {
                sheet.write_number(row, column, *value)?;
            }
        }
        Cells::Coded(places) => {
            let numbers = if language.is_none() { item.whole_codes() } else { None };
            for (row, place) in (1..).zip(places) {
                let Some(value) = item.values.get(*place as usize) else { continue };
                match (&numbers, language) {
                    (Some(numbers), _) => sheet.write_number(row, column, numbers[*place as usize])?,
                    (None, Some(language)) => {
                        sheet.write_string(row, column, value_label(value, language))?
                    }
                    (None, None) => sheet.write_string(row, column, &value.code)?,
                };
            }
        }
        Cells::Text { codes, levels } => {
            for (row, code) in (1..).zip(codes) {
                if let Some(text) = levels.get(*code as usize) {
                    sheet.write_string(row, column, text)?;
                }
            }
        }
    }
    Ok(())
}

/// One line a variable, and below it one a code.
fn write_codebook<A: Audience>(
    sheet: &mut Worksheet,
    records: &Records<A>,
    head: &Format,
) -> Result<(), XlsxError> {
    let languages: Vec<&str> = records.languages.iter().map(String::as_str).collect();
    let mut heads = vec!["Biến".to_owned(), "Mã".to_owned()];
    heads.extend(languages.iter().map(|language| format!("Nhãn ({language})")));
    heads.extend(["Thang đo", "Khuyết", "Hỏi khi", "Cách tính"].map(str::to_owned));
    for (place, text) in (0..).zip(&heads) {
        sheet.write_string_with_format(0, place, text, head)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    let after = 2 + languages.len() as u16;
    for place in 2..after {
        sheet.set_column_width(place, 60)?;
    }
    let mut row = 0;
    for item in &records.items {
        row += 1;
        sheet.write_string(row, 0, &item.name)?;
        for (place, language) in (2..).zip(&languages) {
            sheet.write_string(row, place, item.label.get(*language).map_or("", String::as_str))?;
        }
        sheet.write_string(row, after, measure_word(item.measure))?;
        sheet.write_string(row, after + 2, item.universe.join(" and "))?;
        sheet.write_string(row, after + 3, item.derivation.as_deref().unwrap_or_default())?;
        let numbers = item.whole_codes();
        for (place, value) in item.values.iter().enumerate() {
            row += 1;
            match &numbers {
                Some(numbers) => sheet.write_number(row, 1, numbers[place])?,
                None => sheet.write_string(row, 1, &value.code)?,
            };
            for (column, language) in (2..).zip(&languages) {
                sheet.write_string(row, column, value.label.get(*language).map_or("", String::as_str))?;
            }
            let missing = match value.missing {
                Some(Missing::DontKnow) => "không biết",
                Some(Missing::Refused) => "từ chối",
                None => "",
            };
            sheet.write_string(row, after + 1, missing)?;
        }
    }
    footer(sheet, records);
    Ok(())
}

fn measure_word(measure: Measure) -> &'static str {
    match measure {
        Measure::Nominal => "định danh",
        Measure::Ordinal => "thứ bậc",
        Measure::Number => "số",
        Measure::Text => "chữ",
        Measure::Indicator => "có/không",
        Measure::Other => "khác",
    }
}
