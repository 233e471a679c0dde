//! Stata datasets (`.dta`) of Stata 8 (2003) and later, through the crate `dta`.
//!
//! The crate believes the lengths that a file states; [`lengths`] holds them against the bytes that are there before
//! it reads.

mod lengths;

use std::collections::HashMap;
use std::io::Cursor;

use chrono::NaiveDate;
use dta::stata::dta::dta_reader::DtaReader;
use dta::stata::dta::long_string_ref::LongStringRef;
use dta::stata::dta::value::Value;
use dta::stata::dta::variable_type::VariableType;
use dta::stata::missing_value::MissingValue;
use dta::stata::stata_byte::StataByte;
use dta::stata::stata_double::StataDouble;
use dta::stata::stata_float::StataFloat;
use dta::stata::stata_int::StataInt;
use dta::stata::stata_long::StataLong;

use super::categories::CategoryBuilder;
use super::labelled::{LabelledColumn, MOST_CELLS, MissingCodes, day, moment};
use super::{Column, Encoding, Labelled, number_text, parse_number};

/// More columns than Stata itself has.
const MOST_COLUMNS: u32 = 120_000;

/// A column while its rows come.
enum Filling {
    /// Numbers, and the rows whose value is `.a`–`.z`.
    Numbers(Vec<f64>, Vec<(usize, MissingValue)>),
    Texts(CategoryBuilder),
    /// Texts that stand at the file's end.
    Long(Vec<LongStringRef>),
}

/// Reads a dataset. `encoding`: of a file from before Stata 14, where the letters are not Windows-1252. Err: the reason.
pub(super) fn read(bytes: &[u8], encoding: Option<Encoding>) -> Result<Labelled, String> {
    let damaged = |e: dta::stata::dta::dta_error::DtaError| {
        format!("{e}; the file is damaged or cut off, get it again")
    };
    let modern = lengths::check_head(bytes)?;
    // The crate read old letters as Windows-1252; what they are is known here.
    let text = |text: &str| -> String {
        let read = || encoding.filter(|_| !modern)?.decode(&Encoding::bytes_of_1252(text)?);
        read().unwrap_or_else(|| Encoding::Utf8.decode(text.as_bytes()).unwrap_or_default())
    };
    let header = DtaReader::new().from_reader(Cursor::new(bytes)).read_header().map_err(damaged)?;
    let (variables, rows) = (header.header().variable_count(), header.header().observation_count());
    if variables == 0 || variables > MOST_COLUMNS || variables as usize > bytes.len() {
        return Err(format!("it says {variables} variables; the file is damaged, get it again"));
    }
    if u64::from(variables).saturating_mul(rows) > MOST_CELLS as u64 {
        return Err(format!(
            "it says {rows} rows of {variables} columns, more than {MOST_CELLS} cells; take the columns that are needed"
        ));
    }
    let title = text(header.header().dataset_label());
    let characteristics = header.read_schema().map_err(damaged)?;
    let schema = characteristics.schema().clone();
    lengths::check(bytes, schema.variables().iter().map(|v| width(v.variable_type())).sum(), rows)?;
    let mut records = characteristics.seek_records().map_err(damaged)?;
    let mut columns: Vec<Filling> = schema
        .variables()
        .iter()
        .map(|variable| match variable.variable_type() {
            VariableType::FixedString(_) => Filling::Texts(CategoryBuilder::default()),
            VariableType::LongString => Filling::Long(Vec::new()),
            _ => Filling::Numbers(Vec::new(), Vec::new()),
        })
        .collect();
    let mut height = 0;
    while let Some(record) = records.read_record().map_err(damaged)? {
        for (value, column) in record.values().iter().zip(&mut columns) {
            match (value, column) {
                (Value::String(cell), Filling::Texts(texts)) => {
                    let cell = text(cell.trim_end());
                    texts.push(Some(cell.as_str()).filter(|cell| !cell.is_empty()));
                }
                (Value::LongStringRef(place), Filling::Long(places)) => places.push(*place),
                (value, Filling::Numbers(numbers, marked)) => match number(value) {
                    Ok(number) => numbers.push(number),
                    Err(missing) => {
                        if missing != MissingValue::System {
                            marked.push((height, missing));
                        }
                        numbers.push(f64::NAN);
                    }
                },
                _ => return Err(format!("row {} does not fit its columns; get the file again", height + 1)),
            }
        }
        height += 1;
    }
    let mut long: HashMap<(u32, u64), String> = HashMap::new();
    let mut labels = if columns.iter().any(|column| matches!(column, Filling::Long(_))) {
        let mut texts = records.seek_long_strings().map_err(damaged)?;
        while let Some(found) = texts.read_long_string().map_err(damaged)? {
            let own = match (modern, encoding) {
                (true, _) => Encoding::Utf8,
                (false, encoding) => encoding.unwrap_or(Encoding::Windows1252),
            };
            let bytes = found.data().strip_suffix(b"\0").unwrap_or(found.data());
            if found.is_text()
                && let Some(text) = own.decode(bytes)
            {
                long.insert((found.variable(), found.observation()), text);
            }
        }
        texts.into_value_label_reader().map_err(damaged)?
    } else {
        records.seek_value_labels().map_err(damaged)?
    };
    let mut sets: HashMap<String, Vec<(i32, String)>> = HashMap::new();
    while let Some(set) = labels.read_value_label_set().map_err(damaged)? {
        let entries = set.entries().iter().map(|entry| (entry.value(), text(entry.label())));
        sets.insert(set.name().to_owned(), entries.collect());
    }
    let columns = schema
        .variables()
        .iter()
        .zip(columns)
        .map(|(variable, column)| {
            let set = sets.get(variable.value_label_name());
            let values: Vec<(String, String)> =
                set.into_iter().flatten().map(|(value, label)| (code(*value), label.clone())).collect();
            let marks = values.iter().map(|(code, _)| code).filter(|code| code.starts_with('.'));
            let mut missing = MissingCodes { codes: marks.cloned().collect(), range: None };
            let cells = match column {
                Filling::Texts(texts) => texts.finish(),
                Filling::Long(places) => {
                    let cell = |place: &LongStringRef| long.get(&(place.variable(), place.observation()));
                    Column::from_texts(places.iter().map(|place| cell(place).map(String::as_str)))
                }
                Filling::Numbers(numbers, marked) => {
                    with_marks(numbers, &marked, variable.format(), &mut missing)
                }
            };
            LabelledColumn {
                name: text(variable.name()),
                label: text(variable.label()),
                values,
                missing,
                cells,
            }
        })
        .collect();
    Ok(Labelled { title, columns, height })
}

/// The numbers of a column whose marks (`.a`) are no values; `None` where there is other text.
pub(super) fn numbers(cells: &Column) -> Option<Vec<f64>> {
    let Column::Category { codes, levels } = cells else { return None };
    let parsed: Vec<f64> = levels
        .iter()
        .map(|level| if mark(level) { Some(f64::NAN) } else { parse_number(level) })
        .collect::<Option<_>>()?;
    Some(codes.iter().map(|code| parsed.get(*code as usize).copied().unwrap_or(f64::NAN)).collect())
}

fn mark(level: &str) -> bool {
    matches!(level.as_bytes(), [b'.', b'a'..=b'z'])
}

/// Numbers, dates as text, and text where a value is marked `.a`–`.z`.
fn with_marks(
    numbers: Vec<f64>,
    marked: &[(usize, MissingValue)],
    format: &str,
    missing: &mut MissingCodes,
) -> Column {
    let zero = NaiveDate::from_ymd_opt(1960, 1, 1).unwrap_or_default();
    let format = format.trim_start_matches(['%', '-']);
    let (days, times) = (format.starts_with("td") || format.starts_with('d'), format.starts_with("tc"));
    let dates = days || times;
    let date = |n: f64| if days { day(zero, n) } else { moment(zero, n / 1000.0, true) };
    if marked.is_empty() && !dates {
        return Column::Number(numbers);
    }
    let mut texts: Vec<Option<String>> = numbers
        .iter()
        .map(|n| {
            if n.is_nan() {
                None
            } else if dates {
                date(*n)
            } else {
                Some(number_text(*n))
            }
        })
        .collect();
    for (row, mark) in marked {
        let mark = mark.to_string();
        if !missing.codes.contains(&mark) {
            missing.codes.push(mark.clone());
        }
        texts[*row] = Some(mark);
    }
    Column::from_texts(texts.iter().map(Option::as_deref))
}

/// A value label's number as a code: `.a`–`.z` stand behind the largest number that a variable can hold.
fn code(value: i32) -> String {
    const FIRST: i32 = 2_147_483_622;
    match u8::try_from(value.wrapping_sub(FIRST)) {
        Ok(place @ 0..26) => format!(".{}", char::from(b'a' + place)),
        _ => value.to_string(),
    }
}

fn number(value: &Value<'_>) -> Result<f64, MissingValue> {
    Ok(match value {
        Value::Byte(StataByte::Present(n)) => f64::from(*n),
        Value::Int(StataInt::Present(n)) => f64::from(*n),
        Value::Long(StataLong::Present(n)) => f64::from(*n),
        // 0.1 was meant, not 0.10000000149.
        Value::Float(StataFloat::Present(n)) => n.to_string().parse().unwrap_or(f64::from(*n)),
        Value::Double(StataDouble::Present(n)) => *n,
        Value::Byte(StataByte::Missing(missing))
        | Value::Int(StataInt::Missing(missing))
        | Value::Long(StataLong::Missing(missing))
        | Value::Float(StataFloat::Missing(missing))
        | Value::Double(StataDouble::Missing(missing)) => return Err(*missing),
        Value::String(_) | Value::LongStringRef(_) => return Err(MissingValue::System),
    })
}

fn width(kind: VariableType) -> u64 {
    match kind {
        VariableType::Byte => 1,
        VariableType::Int => 2,
        VariableType::Long | VariableType::Float => 4,
        VariableType::Double | VariableType::LongString => 8,
        VariableType::FixedString(length) => u64::from(length),
    }
}
