//! Records as a Stata dataset (`.dta`, format 118: Stata 14 and later).
//!
//! Written from Stata's own description of the format (`help dta`). Don't know becomes `.a`, refused `.b`, not asked
//! `.`; every code is a number with a label.

use surveys::codebook::{Missing, Value};

use super::columns::{Cells, Item, missing_words, value_label};
use super::texts::{cut_bytes, cut_letters, one_line};
use super::{Audience, Records, RecordsError, names};
use crate::table::MISSING;

/// Longest text in a column; longer ones stand once, at the end of the file.
const LONGEST: usize = 2045;
/// Longest label of data and variables, in code points.
const LABEL: usize = 80;
/// Longest label of a value, in bytes.
const VALUE_LABEL: usize = 32_000;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Byte,
    Int,
    Long,
    Double,
    Text(usize),
    /// Texts that stand at the end of the file.
    LongText,
}

struct Column<'a> {
    item: &'a Item,
    name: String,
    kind: Kind,
    /// Number of each of the item's values.
    codes: Vec<i32>,
}

/// Writes the records as a Stata dataset: value labels and labels of variables in all languages of the codebook
/// (`label language`), the whole text of what Stata cuts at 80 letters in the variable's notes, the notes of the
/// survey in those of the dataset.
///
/// Errors: [`RecordsError::Format`] for more than 32,767 columns.
pub fn dta<A: Audience>(records: &Records<A>) -> Result<Vec<u8>, RecordsError> {
    let failed = |reason: &str| RecordsError::Format { format: "Stata", reason: reason.into() };
    let count = u16::try_from(records.items.len()).map_err(|_| failed("more than 32,767 columns"))?;
    let columns = columns(records);
    let mut out = Vec::new();
    let mut map = vec![0_u64];
    out.extend(b"<stata_dta><header><release>118</release><byteorder>LSF</byteorder><K>");
    out.extend(count.to_le_bytes());
    out.extend(b"</K><N>");
    out.extend((records.height as u64).to_le_bytes());
    out.extend(b"</N><label>");
    let title = cut_letters(&one_line(&records.heading()), LABEL);
    out.extend((title.len() as u16).to_le_bytes());
    out.extend(title.as_bytes());
    out.extend(b"</label><timestamp>");
    let stamp = timestamp(records.notes.created);
    out.push(stamp.len() as u8);
    out.extend(stamp.as_bytes());
    out.extend(b"</timestamp></header>");
    map.push(out.len() as u64);
    let places = out.len() + "<map>".len();
    out.extend(b"<map>");
    out.extend([0; 14 * 8]);
    out.extend(b"</map>");
    section(&mut out, &mut map, "variable_types", |out| {
        columns.iter().for_each(|c| out.extend(c.kind.number().to_le_bytes()));
    });
    section(&mut out, &mut map, "varnames", |out| columns.iter().for_each(|c| padded(out, &c.name, 129)));
    section(&mut out, &mut map, "sortlist", |out| out.extend(vec![0; 2 * (columns.len() + 1)]));
    section(&mut out, &mut map, "formats", |out| {
        columns.iter().for_each(|c| padded(out, &c.kind.format(), 57))
    });
    section(&mut out, &mut map, "value_label_names", |out| {
        for column in &columns {
            padded(out, if column.codes.is_empty() { "" } else { &column.name }, 129);
        }
    });
    section(&mut out, &mut map, "variable_labels", |out| {
        columns.iter().for_each(|c| padded(out, &variable_label(c.item, records.language()), 321));
    });
    section(&mut out, &mut map, "characteristics", |out| characteristics(out, records, &columns));
    let mut long = Vec::new();
    section(&mut out, &mut map, "data", |out| data(out, &mut long, records.height, &columns));
    section(&mut out, &mut map, "strls", |out| out.extend(&long));
    section(&mut out, &mut map, "value_labels", |out| {
        for (place, language) in records.languages.iter().enumerate() {
            for column in columns.iter().filter(|c| !c.codes.is_empty()) {
                label_set(out, column, &label_name(&column.name, place, language), language);
            }
        }
    });
    map.push(out.len() as u64);
    out.extend(b"</stata_dta>");
    map.push(out.len() as u64);
    for (place, offset) in map.iter().enumerate() {
        out[places + 8 * place..places + 8 * place + 8].copy_from_slice(&offset.to_le_bytes());
    }
    Ok(out)
}

/// Numbers of an item's codes in a Stata dataset: the code itself where it is one, else its place from 1.
///
/// Don't know and refused are not among them: they are `.a` and `.b`.
pub(super) fn code_numbers(item: &Item) -> Vec<i32> {
    if !matches!(item.cells, Cells::Coded(_)) {
        return Vec::new();
    }
    let parsed: Option<Vec<i32>> = item.values.iter().map(|v| v.code.parse().ok()).collect();
    let usable = |codes: &Vec<i32>| {
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] < pair[1]) && sorted.iter().all(|c| c.abs() <= 2_000_000_000)
    };
    parsed.filter(usable).unwrap_or_else(|| (1..=item.values.len() as i32).collect())
}

fn columns<A>(records: &Records<A>) -> Vec<Column<'_>> {
    let names = names::stata(records.items.iter().map(|item| item.name.as_str()));
    records
        .items
        .iter()
        .zip(names)
        .map(|(item, name)| {
            let codes = code_numbers(item);
            let kind = match &item.cells {
                Cells::Coded(_) => {
                    let asked = item.values.iter().zip(&codes).filter(|(v, _)| v.missing.is_none());
                    whole(asked.map(|(_, code)| f64::from(*code)))
                }
                Cells::Number(values) => {
                    let given = || values.iter().copied().filter(|v| !v.is_nan());
                    match given().all(|v| v == v.trunc() && v.abs() <= 2_147_483_620.0) {
                        true => whole(given()),
                        false => Kind::Double,
                    }
                }
                Cells::Text { levels, .. } => {
                    match levels.iter().map(String::len).max().unwrap_or(0).max(1) {
                        width if width <= LONGEST => Kind::Text(width),
                        _ => Kind::LongText,
                    }
                }
            };
            Column { item, name, kind, codes }
        })
        .collect()
}

/// The smallest kind for these whole numbers.
fn whole(numbers: impl Iterator<Item = f64>) -> Kind {
    numbers.fold(Kind::Byte, |kind, number| match number {
        n if (-127.0..=100.0).contains(&n) => kind,
        n if (-32_767.0..=32_740.0).contains(&n) && kind != Kind::Long => Kind::Int,
        _ => Kind::Long,
    })
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Self::Text(width) => width as u16,
            Self::LongText => 32_768,
            Self::Double => 65_526,
            Self::Long => 65_528,
            Self::Int => 65_529,
            Self::Byte => 65_530,
        }
    }

    fn format(self) -> String {
        match self {
            Self::Text(width) => format!("%-{width}s"),
            Self::LongText => "%-9s".into(),
            Self::Double => "%10.0g".into(),
            Self::Long => "%12.0g".into(),
            Self::Int | Self::Byte => "%8.0g".into(),
        }
    }
}

/// A cell: a number, or the missing value so many after `.`.
fn number(out: &mut Vec<u8>, kind: Kind, value: Result<f64, u8>) {
    match (kind, value) {
        (Kind::Byte, Ok(value)) => out.push(value as i8 as u8),
        (Kind::Byte, Err(kind)) => out.push(101 + kind),
        (Kind::Int, Ok(value)) => out.extend((value as i16).to_le_bytes()),
        (Kind::Int, Err(kind)) => out.extend((32_741 + i16::from(kind)).to_le_bytes()),
        (Kind::Long, Ok(value)) => out.extend((value as i32).to_le_bytes()),
        (Kind::Long, Err(kind)) => out.extend(long_missing(kind).to_le_bytes()),
        (_, Ok(value)) => out.extend(value.to_le_bytes()),
        (_, Err(kind)) => out.extend((0x7fe0_0000_0000_0000_u64 + (u64::from(kind) << 40)).to_le_bytes()),
    }
}

fn long_missing(kind: u8) -> i32 {
    2_147_483_621 + i32::from(kind)
}

/// How many after `.` a missing value stands: `.a`, `.b`.
fn missing_place(missing: Missing) -> u8 {
    match missing {
        Missing::DontKnow => 1,
        Missing::Refused => 2,
    }
}

fn data(out: &mut Vec<u8>, long: &mut Vec<u8>, height: usize, columns: &[Column<'_>]) {
    for row in 0..height {
        for (place, column) in (1_u16..).zip(columns) {
            match &column.item.cells {
                Cells::Number(values) => {
                    let value = if values[row].is_nan() { Err(0) } else { Ok(values[row]) };
                    number(out, column.kind, value);
                }
                Cells::Coded(places) => {
                    let value = match column.item.values.get(places[row] as usize) {
                        Some(Value { missing: Some(missing), .. }) => Err(missing_place(*missing)),
                        Some(_) => Ok(f64::from(column.codes[places[row] as usize])),
                        None => Err(0),
                    };
                    number(out, column.kind, value);
                }
                Cells::Text { codes, levels } => {
                    let text = if codes[row] == MISSING { "" } else { levels[codes[row] as usize].as_str() };
                    match column.kind {
                        Kind::Text(width) => padded(out, text, width),
                        _ if text.is_empty() => out.extend([0; 8]),
                        _ => {
                            let observation = row as u64 + 1;
                            out.extend(place.to_le_bytes());
                            out.extend(&observation.to_le_bytes()[..6]);
                            long.extend(b"GSO");
                            long.extend(u32::from(place).to_le_bytes());
                            long.extend(observation.to_le_bytes());
                            long.push(130);
                            long.extend((text.len() as u32 + 1).to_le_bytes());
                            long.extend(text.as_bytes());
                            long.push(0);
                        }
                    }
                }
            }
        }
    }
}

fn variable_label(item: &Item, language: &str) -> String {
    cut_letters(&one_line(item.label(language)), LABEL)
}

/// The set of value labels in one language; the first language's is named as the variable.
fn label_name(variable: &str, place: usize, language: &str) -> String {
    if place == 0 {
        return variable.to_owned();
    }
    let language: String = language.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let room = 32 - language.len() - 1;
    format!("{}_{language}", &variable[..variable.len().min(room)])
}

fn characteristics<A: Audience>(out: &mut Vec<u8>, records: &Records<A>, columns: &[Column<'_>]) {
    let mut put = |variable: &str, name: &str, text: &str| {
        let text = cut_bytes(text, 67_783);
        out.extend(b"<ch>");
        out.extend((2 * 129 + text.len() as u32 + 1).to_le_bytes());
        padded(out, variable, 129);
        padded(out, name, 129);
        out.extend(text.as_bytes());
        out.push(0);
        out.extend(b"</ch>");
    };
    let mut notes = |variable: &str, lines: &[String]| {
        for (number, line) in lines.iter().enumerate() {
            put(variable, &format!("note{}", number + 1), line);
        }
        if !lines.is_empty() {
            put(variable, "note0", &lines.len().to_string());
        }
    };
    notes("_dta", &records.lines());
    for column in columns {
        let mut lines = Vec::new();
        let label = one_line(column.item.label(records.language()));
        if label.chars().count() > LABEL {
            lines.push(label);
        }
        if column.name != column.item.name {
            lines.push(format!("Tên trong phiếu hỏi: {}", column.item.name));
        }
        if !column.item.universe.is_empty() {
            lines.push(format!("Hỏi khi: {}", column.item.universe.join(" and ")));
        }
        if let Some(sql) = &column.item.derivation {
            lines.push(format!("Cách tính: {sql}"));
        }
        let mut values = column.item.values.iter().zip(&column.codes);
        if values.any(|(value, code)| value.missing.is_none() && value.code != code.to_string()) {
            let pairs: Vec<String> = column
                .item
                .values
                .iter()
                .zip(&column.codes)
                .filter(|(value, _)| value.missing.is_none())
                .map(|(value, code)| format!("{code} = {}", value.code))
                .collect();
            lines.push(format!("Mã trong phiếu hỏi: {}", pairs.join(", ")));
        }
        notes(&column.name, &lines);
    }
    if records.languages.len() < 2 {
        return;
    }
    put("_dta", "_lang_c", records.language());
    put("_dta", "_lang_list", &records.languages.join(" "));
    for (place, language) in records.languages.iter().enumerate().skip(1) {
        for column in columns {
            put(&column.name, &format!("_lang_v_{language}"), &variable_label(column.item, language));
            if !column.codes.is_empty() {
                put(&column.name, &format!("_lang_l_{language}"), &label_name(&column.name, place, language));
            }
        }
    }
}

fn label_set(out: &mut Vec<u8>, column: &Column<'_>, name: &str, language: &str) {
    let mut entries: Vec<(i32, String)> = column
        .item
        .values
        .iter()
        .zip(&column.codes)
        .map(|(value, code)| match value.missing {
            Some(missing) => {
                let label = super::texts::said(&value.label, language, missing_words(missing, language));
                (long_missing(missing_place(missing)), label.to_owned())
            }
            None => (*code, value_label(value, language).to_owned()),
        })
        .collect();
    entries.sort();
    entries.dedup_by_key(|(code, _)| *code);
    let mut text = Vec::new();
    let mut offsets = Vec::new();
    for (_, label) in &entries {
        offsets.extend((text.len() as i32).to_le_bytes());
        text.extend(cut_bytes(&one_line(label), VALUE_LABEL).as_bytes());
        text.push(0);
    }
    out.extend(b"<lbl>");
    out.extend((8 + 8 * entries.len() as u32 + text.len() as u32).to_le_bytes());
    padded(out, name, 129);
    out.extend([0; 3]);
    out.extend((entries.len() as i32).to_le_bytes());
    out.extend((text.len() as i32).to_le_bytes());
    out.extend(offsets);
    entries.iter().for_each(|(code, _)| out.extend(code.to_le_bytes()));
    out.extend(text);
    out.extend(b"</lbl>");
}

fn section(out: &mut Vec<u8>, map: &mut Vec<u64>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    map.push(out.len() as u64);
    out.extend(format!("<{name}>").as_bytes());
    write(out);
    out.extend(format!("</{name}>").as_bytes());
}

/// The text in `width` bytes, filled up with zeros.
fn padded(out: &mut Vec<u8>, text: &str, width: usize) {
    let end = (0..=width.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    out.extend(&text.as_bytes()[..end]);
    out.resize(out.len() + width - end, 0);
}

fn timestamp((year, month, day): (u16, u8, u8)) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.get(usize::from(month).saturating_sub(1)).unwrap_or(&"Jan");
    format!("{day:02} {month} {year:04} 00:00")
}
