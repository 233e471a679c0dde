//! Records as an SPSS system file (`.sav`).
//!
//! Written from the description of the format in PSPP's developers' manual ("System File Format"): little-endian,
//! UTF-8, bytecode-compressed. Codes that are whole numbers are numbers; others (`08`) stay text.

use surveys::codebook::{Measure, Missing};

use super::columns::{Cells, Item, value_label};
use super::texts::{cut_bytes, one_line, wrapped};
use super::{Audience, Records, RecordsError, names};
use crate::table::MISSING;

/// Bytes of a text in one variable record; longer ones are parted.
const SEGMENT: usize = 255;
/// The longest text of SPSS.
const LONGEST: usize = 32_767;
/// Longest label of a variable and of a value, in bytes.
const LABEL: usize = 255;
const VALUE_LABEL: usize = 120;

/// One variable as SPSS sees it.
struct Column<'a> {
    item: &'a Item,
    long: String,
    short: String,
    /// Bytes of a text, 0 for a number.
    width: usize,
    /// The codes as numbers.
    codes: Option<Vec<i32>>,
    /// Place of its first record, from 1.
    index: i32,
}

/// Writes the records as a system file of SPSS: labels, measures, don't know and refused as user-missing values,
/// not asked as system-missing, the weight switched on, the notes as documents. A label longer than SPSS takes is
/// cut; its whole text is in the documents.
///
/// Errors: [`RecordsError::Format`] for a text over 32,767 bytes or more than three missing codes of one variable.
pub fn sav<A: Audience>(records: &Records<A>) -> Result<Vec<u8>, RecordsError> {
    let failed = |reason: String| RecordsError::Format { format: "SPSS", reason };
    let columns = columns(records);
    for column in &columns {
        if column.width > LONGEST {
            return Err(failed(format!(
                "column `{}` holds a text of {} bytes, SPSS takes {LONGEST}; shorten it",
                column.item.name, column.width
            )));
        }
        if missing_codes(column.item).count() > 3 {
            return Err(failed(format!(
                "column `{}` has more than three codes for don't know and refused",
                column.item.name
            )));
        }
    }
    let count = i32::try_from(records.height).map_err(|_| failed("more than 2,147,483,647 rows".into()))?;
    let mut out = Output::default();
    header(&mut out, records, &columns, count);
    let language = records.language();
    columns.iter().for_each(|column| variable(&mut out, column, language));
    columns.iter().for_each(|column| value_labels(&mut out, column, language));
    documents(&mut out, records, &columns);
    extensions(&mut out, &columns, language, records.height);
    out.i32(999);
    out.i32(0);
    data(&mut out, records.height, &columns);
    Ok(out.bytes)
}

fn columns<A>(records: &Records<A>) -> Vec<Column<'_>> {
    let long = names::spss(records.items.iter().map(|item| item.name.as_str()));
    let short = names::short(&long);
    let mut index = 1;
    records
        .items
        .iter()
        .zip(long.into_iter().zip(short))
        .map(|(item, (long, short))| {
            let codes = matches!(item.cells, Cells::Coded(_)).then(|| item.whole_codes()).flatten();
            let width = match &item.cells {
                Cells::Number(_) => 0,
                Cells::Coded(_) if codes.is_some() => 0,
                Cells::Coded(_) => item.values.iter().map(|v| v.code.len()).max().unwrap_or(1).max(1),
                Cells::Text { levels, .. } => levels.iter().map(String::len).max().unwrap_or(1).max(1),
            };
            let column = Column { item, long, short, width, codes, index };
            index += column.segments().iter().map(|width| eights(*width) as i32).sum::<i32>();
            column
        })
        .collect()
}

impl Column<'_> {
    /// Widths of its variable records.
    fn segments(&self) -> Vec<usize> {
        if self.width <= SEGMENT {
            return vec![self.width];
        }
        // Of each segment but the last 252 bytes count, though it holds 255.
        let count = self.width.div_ceil(252);
        let mut widths = vec![SEGMENT; count - 1];
        widths.push(self.width - (count - 1) * 252);
        widths
    }

    /// Short names of its segments; the later ones are no names of variables.
    fn segment_name(&self, segment: usize) -> String {
        if segment == 0 { self.short.clone() } else { format!("@{:04X}{:02X}", self.index, segment) }
    }
}

/// Units of eight bytes that a value takes.
fn eights(width: usize) -> usize {
    width.div_ceil(8).max(1)
}

fn missing_codes(item: &Item) -> impl Iterator<Item = (usize, Missing)> {
    item.values.iter().enumerate().filter_map(|(place, value)| Some((place, value.missing?)))
}

fn header<A: Audience>(out: &mut Output, records: &Records<A>, columns: &[Column<'_>], count: i32) {
    let weight = records.design.as_ref().map(|design| design.weight.as_str());
    let weight =
        columns.iter().find(|c| Some(c.item.name.as_str()) == weight && c.width == 0).map_or(0, |c| c.index);
    let units: usize = columns.iter().flat_map(Column::segments).map(eights).sum();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = records.notes.created;
    let month = months.get(usize::from(month).saturating_sub(1)).unwrap_or(&"Jan");
    out.text("$FL2", 4);
    out.text(&format!("@(#) SPSS DATA FILE {}", records.notes.program), 60);
    out.i32(2);
    out.i32(units as i32);
    out.i32(1);
    out.i32(weight);
    out.i32(count);
    out.f64(100.0);
    out.text(&format!("{day:02} {month} {:02}", year % 100), 9);
    out.text("00:00:00", 8);
    out.text(&records.heading(), 64);
    out.bytes.extend([0; 3]);
}

fn variable(out: &mut Output, column: &Column<'_>, language: &str) {
    for (segment, width) in column.segments().into_iter().enumerate() {
        let label = cut_bytes(&one_line(column.item.label(language)), LABEL);
        let missing: Vec<usize> = if segment == 0 && column.width <= 8 {
            missing_codes(column.item).map(|(p, _)| p).collect()
        } else {
            Vec::new()
        };
        out.i32(2);
        out.i32(width as i32);
        out.i32(i32::from(segment == 0));
        out.i32(missing.len() as i32);
        let format = format(column, width);
        out.i32(format);
        out.i32(format);
        out.text(&column.segment_name(segment), 8);
        if segment == 0 {
            out.i32(label.len() as i32);
            out.text(&label, label.len().next_multiple_of(4));
        }
        for place in missing {
            match &column.codes {
                Some(codes) => out.f64(f64::from(codes[place])),
                None => out.text(&column.item.values[place].code, 8),
            }
        }
        for _ in 1..eights(width) {
            [2, -1, 0, 0, 0, 0].into_iter().for_each(|number| out.i32(number));
            out.text("", 8);
        }
    }
}

/// Kind, width and decimals as one number: `A` is 1, `F` is 5.
fn format(column: &Column<'_>, width: usize) -> i32 {
    if column.width > 0 {
        return (1 << 16) | ((width as i32) << 8);
    }
    let (whole, decimals) = match (&column.item.cells, &column.codes) {
        (Cells::Number(values), _) => {
            let fractions = values.iter().any(|v| !v.is_nan() && *v != v.trunc());
            let largest = values.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
            (format!("{largest:.0}").len() + 1, if fractions { 6 } else { 0 })
        }
        (_, codes) => (codes.iter().flatten().map(|c| c.to_string().len()).max().unwrap_or(1), 0),
    };
    let width = (whole + if decimals > 0 { decimals + 1 } else { 0 }).clamp(1, 40);
    (5 << 16) | ((width as i32) << 8) | decimals as i32
}

fn value_labels(out: &mut Output, column: &Column<'_>, language: &str) {
    if column.item.values.is_empty() || column.width > 8 {
        return;
    }
    out.i32(3);
    out.i32(column.item.values.len() as i32);
    for (place, value) in column.item.values.iter().enumerate() {
        match &column.codes {
            Some(codes) => out.f64(f64::from(codes[place])),
            None => out.text(&value.code, 8),
        }
        let label = cut_bytes(&one_line(value_label(value, language)), VALUE_LABEL);
        out.bytes.push(label.len() as u8);
        out.text(&label, (label.len() + 1).next_multiple_of(8) - 1);
    }
    out.i32(4);
    out.i32(1);
    out.i32(column.index);
}

/// The notes, and the labels that had to be cut.
fn documents<A: Audience>(out: &mut Output, records: &Records<A>, columns: &[Column<'_>]) {
    let language = records.language();
    let mut lines = records.lines();
    for column in columns {
        let label = one_line(column.item.label(language));
        if label.len() > LABEL {
            lines.push(format!("{}: {label}", column.long));
        }
        for value in &column.item.values {
            let label = one_line(value_label(value, language));
            if label.len() > VALUE_LABEL {
                lines.push(format!("{} = {}: {label}", column.long, value.code));
            }
        }
        if column.long != column.item.name {
            lines.push(format!("{}: tên trong phiếu hỏi là {}", column.long, column.item.name));
        }
    }
    let lines: Vec<String> = lines.iter().flat_map(|line| wrapped(line, 80)).collect();
    if lines.is_empty() {
        return;
    }
    out.i32(6);
    out.i32(lines.len() as i32);
    lines.iter().for_each(|line| out.text(line, 80));
}

fn extensions(out: &mut Output, columns: &[Column<'_>], language: &str, height: usize) {
    // Version 20.0.0; machine unknown; IEEE; compressed; little-endian; UTF-8.
    let integers = [20, 0, 0, -1, 1, 1, 2, 65_001];
    out.extension(3, 4, &integers.iter().flat_map(|n: &i32| n.to_le_bytes()).collect::<Vec<u8>>());
    // System-missing, highest and lowest of all numbers.
    let floats = [-f64::MAX, f64::MAX, f64::from_bits((-f64::MAX).to_bits() - 1)];
    out.extension(4, 8, &floats.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>());
    let mut display = Vec::new();
    for column in columns {
        for width in column.segments() {
            let measure = match (column.item.measure, &column.item.cells) {
                (Measure::Ordinal, _) => 2,
                (Measure::Number, Cells::Number(_)) => 3,
                _ => 1,
            };
            let (columns, right) = if width > 0 { (width.clamp(8, 32) as i32, 0) } else { (8, 1) };
            display.extend([measure, columns, right].into_iter().flat_map(i32::to_le_bytes));
        }
    }
    out.extension(11, 4, &display);
    let long: Vec<String> = columns.iter().map(|c| format!("{}={}", c.short, c.long)).collect();
    out.extension(13, 1, long.join("\t").as_bytes());
    let very_long: String = columns
        .iter()
        .filter(|c| c.width > SEGMENT)
        .map(|c| format!("{}={:05}\0\t", c.short, c.width))
        .collect();
    if !very_long.is_empty() {
        out.extension(14, 1, very_long.as_bytes());
    }
    let counts = [1_u64, height as u64];
    out.extension(16, 8, &counts.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>());
    out.extension(20, 1, b"UTF-8");
    // Labels and missing values of texts over eight bytes have records of their own.
    let (mut labels, mut missing) = (Output::default(), Output::default());
    for column in columns.iter().filter(|c| c.width > 8 && !c.item.values.is_empty()) {
        labels.counted(&column.long);
        labels.i32(column.width as i32);
        labels.i32(column.item.values.len() as i32);
        for value in &column.item.values {
            labels.i32(column.width as i32);
            labels.text(&value.code, column.width);
            labels.counted(&cut_bytes(&one_line(value_label(value, language)), VALUE_LABEL));
        }
        let codes: Vec<&str> =
            missing_codes(column.item).map(|(place, _)| column.item.values[place].code.as_str()).collect();
        if !codes.is_empty() {
            missing.counted(&column.long);
            missing.bytes.push(codes.len() as u8);
            missing.i32(8);
            codes.iter().for_each(|code| missing.text(code, 8));
        }
    }
    if !labels.bytes.is_empty() {
        out.extension(21, 1, &labels.bytes);
    }
    if !missing.bytes.is_empty() {
        out.extension(22, 1, &missing.bytes);
    }
}

fn data(out: &mut Output, height: usize, columns: &[Column<'_>]) {
    let mut block = Block::default();
    for row in 0..height {
        for column in columns {
            match &column.item.cells {
                Cells::Number(values) => block.number(out, values[row]),
                Cells::Coded(places) => match &column.codes {
                    Some(codes) => {
                        let code = codes.get(places[row] as usize);
                        block.number(out, code.map_or(f64::NAN, |code| f64::from(*code)));
                    }
                    None => block.text(out, column.item.text(row).unwrap_or_default(), column),
                },
                Cells::Text { codes, levels } => {
                    let text = if codes[row] == MISSING { "" } else { &levels[codes[row] as usize] };
                    block.text(out, text, column);
                }
            }
        }
    }
    block.end(out);
}

/// Eight instructions, then the values that need more than an instruction.
#[derive(Default)]
struct Block {
    instructions: Vec<u8>,
    values: Vec<u8>,
}

impl Block {
    fn push(&mut self, out: &mut Output, instruction: u8, value: Option<[u8; 8]>) {
        self.instructions.push(instruction);
        self.values.extend(value.into_iter().flatten());
        if self.instructions.len() == 8 {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Output) {
        self.instructions.resize(8, 0);
        out.bytes.append(&mut self.instructions);
        out.bytes.append(&mut self.values);
    }

    fn number(&mut self, out: &mut Output, value: f64) {
        if value.is_nan() {
            self.push(out, 255, None);
        } else if value == value.trunc() && (-99.0..=151.0).contains(&value) {
            self.push(out, (value + 100.0) as u8, None);
        } else {
            self.push(out, 253, Some(value.to_le_bytes()));
        }
    }

    fn text(&mut self, out: &mut Output, text: &str, column: &Column<'_>) {
        let mut rest = text.as_bytes();
        for width in column.segments() {
            let mut bytes = vec![b' '; eights(width) * 8];
            let taken = rest.len().min(width);
            bytes[..taken].copy_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            for eight in bytes.chunks_exact(8) {
                match <[u8; 8]>::try_from(eight) {
                    Ok(value) if value != *b"        " => self.push(out, 253, Some(value)),
                    _ => self.push(out, 254, None),
                }
            }
        }
    }

    fn end(mut self, out: &mut Output) {
        if !self.instructions.is_empty() {
            self.flush(out);
        }
    }
}

#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
}

impl Output {
    fn i32(&mut self, number: i32) {
        self.bytes.extend(number.to_le_bytes());
    }

    fn f64(&mut self, number: f64) {
        self.bytes.extend(number.to_le_bytes());
    }

    /// Exactly `width` bytes: cut between letters, padded with spaces.
    fn text(&mut self, text: &str, width: usize) {
        let end = (0..=width.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.bytes.extend(&text.as_bytes()[..end]);
        self.bytes.extend(std::iter::repeat_n(b' ', width - end));
    }

    /// A text after its number of bytes.
    fn counted(&mut self, text: &str) {
        self.i32(text.len() as i32);
        self.bytes.extend(text.as_bytes());
    }

    fn extension(&mut self, kind: i32, size: i32, data: &[u8]) {
        self.i32(7);
        self.i32(kind);
        self.i32(size);
        self.i32(data.len() as i32 / size);
        self.bytes.extend(data);
    }
}
