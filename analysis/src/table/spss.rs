//! SPSS system files (`.sav`, `.zsav`), plain, bytecode-compressed and zlib-compressed.
//!
//! Written from the description of the format in PSPP's developers' manual ("System File Format"). Nothing in the
//! file is believed: every count is held against the bytes that are there.

mod cases;
mod dictionary;

use std::collections::HashMap;

use chrono::NaiveDate;

use super::labelled::{LabelledColumn, MissingCodes, moment};
use super::{Column, Encoding, Labelled, number_text};
use cases::Filled;
use dictionary::{Dictionary, Missing, Value};

/// Reads a system file. `encoding`: in place of the one that the file names. Err: the reason.
pub(super) fn read(bytes: &[u8], encoding: Option<Encoding>) -> Result<Labelled, String> {
    let dictionary = Dictionary::read(bytes)?;
    let encoding = match encoding {
        Some(encoding) => encoding,
        None => dictionary.encoding()?,
    };
    let text = |bytes: &[u8]| -> Result<String, String> {
        let text = encoding.decode(bytes).ok_or_else(|| {
            "its letters are not UTF-8; say in the plan in which \"encoding\" it was saved (windows-1258, windows-1252)"
                .to_owned()
        })?;
        Ok(text.trim_end_matches([' ', '\0']).to_owned())
    };
    let long_names = pairs(&text(&dictionary.long_names)?, '\t');
    let widths = pairs(&text(&dictionary.very_long)?, '\t');
    let variables =
        dictionary.variables(|short| widths.get(short).and_then(|width| width.parse().ok()), &text)?;
    let filled = cases::read(&dictionary, &variables, bytes, encoding)?;
    let mut columns = Vec::with_capacity(variables.len());
    let mut height = 0;
    for (variable, cells) in variables.iter().zip(filled) {
        let short = text(&variable.name)?;
        let name = long_names.get(&short.to_uppercase()).cloned().unwrap_or(short);
        let written = |value: &Value| match value {
            Value::Number(number) => Ok(number_text(*number)),
            Value::Text(bytes) => text(bytes),
        };
        let mut values = Vec::new();
        for (value, label) in &variable.labels {
            values.push((written(value)?, text(label)?));
        }
        let mut missing = MissingCodes::default();
        for own in &variable.missing {
            match own {
                Missing::Code(value) => missing.codes.push(written(value)?),
                Missing::Range(low, high) => missing.range = Some((*low, *high)),
            }
        }
        let cells = match cells {
            Filled::Numbers(numbers) => numbers_or_dates(numbers, variable.format),
            Filled::Texts(column) => column,
        };
        height = cells.len();
        columns.push(LabelledColumn { name, label: text(&variable.label)?, values, missing, cells });
    }
    // Records that hold labels of long texts name their variables by the long names.
    for long in dictionary.long_texts(encoding)? {
        if let Some(column) = columns.iter_mut().find(|column| column.name == long.name) {
            column.values.extend(long.labels);
            column.missing.codes.extend(long.missing);
        }
    }
    Ok(Labelled { title: text(&dictionary.title)?, columns, height })
}

/// `NAME=value` parted by `separator`; names in capitals.
fn pairs(text: &str, separator: char) -> HashMap<String, String> {
    text.split(separator)
        .filter_map(|pair| pair.trim_matches('\0').split_once('='))
        .map(|(name, value)| (name.to_uppercase(), value.trim_matches('\0').to_owned()))
        .collect()
}

/// Dates are seconds since the beginning of the Gregorian calendar.
fn numbers_or_dates(numbers: Vec<f64>, format: u8) -> Column {
    let time = match format {
        20 | 23 | 24 | 38 | 39 => false,
        22 => true,
        _ => return Column::Number(numbers),
    };
    let Some(zero) = NaiveDate::from_ymd_opt(1582, 10, 14) else { return Column::Number(numbers) };
    let texts: Vec<Option<String>> = numbers.iter().map(|n| moment(zero, *n, time)).collect();
    Column::from_texts(texts.iter().map(Option::as_deref))
}
