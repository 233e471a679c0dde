//! What stands before the cases of a system file: variables, labels, missing codes, names, encoding.

use std::collections::HashMap;

use crate::table::Encoding;

/// How the cases are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Bytecode,
    Zlib,
}

/// The raw dictionary; texts are bytes until the encoding is known.
pub(super) struct Dictionary {
    pub big_endian: bool,
    pub packing: Packing,
    /// Number of cases, where the file tells it.
    pub cases: Option<u64>,
    /// What a bytecode is more than its number.
    pub bias: f64,
    pub title: Vec<u8>,
    /// Where the cases begin.
    pub data: usize,
    pub long_names: Vec<u8>,
    pub very_long: Vec<u8>,
    slots: Vec<Slot>,
    labels: Vec<Labels>,
    encoding_name: Vec<u8>,
    code_page: Option<i32>,
    long_labels: Vec<u8>,
    long_missing: Vec<u8>,
}

/// A variable record; a text over eight bytes is followed by records of no other meaning.
struct Slot {
    /// −1 continues the text before it, 0 is a number, else the bytes of a text.
    width: i32,
    name: Vec<u8>,
    label: Vec<u8>,
    format: u8,
    missing: Vec<[u8; 8]>,
    range: bool,
}

/// Value labels and the places of their variables.
struct Labels {
    values: Vec<([u8; 8], Vec<u8>)>,
    places: Vec<usize>,
}

/// A code.
pub(super) enum Value {
    Number(f64),
    Text(Vec<u8>),
}

pub(super) enum Missing {
    Code(Value),
    Range(f64, f64),
}

/// A variable with all its segments.
pub(super) struct Variable {
    pub name: Vec<u8>,
    pub label: Vec<u8>,
    pub format: u8,
    /// Bytes of each segment of a text; none for a number.
    pub segments: Vec<usize>,
    /// Bytes of the whole text.
    pub width: usize,
    pub labels: Vec<(Value, Vec<u8>)>,
    pub missing: Vec<Missing>,
}

/// Labels and missing codes of a text over eight bytes.
pub(super) struct LongText {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub missing: Vec<String>,
}

/// Bytes read one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken =
            taken.ok_or_else(|| "the file is cut off before its cases begin; get it again".to_owned())?;
        self.at += count;
        Ok(taken)
    }

    fn eight(&mut self) -> Result<[u8; 8], String> {
        let bytes = self.take(8)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    fn int(&mut self) -> Result<i32, String> {
        let bytes = self.take(4)?;
        let four = std::array::from_fn(|i| bytes[i]);
        Ok(if self.big_endian { i32::from_be_bytes(four) } else { i32::from_le_bytes(four) })
    }

    /// A number of things or bytes. Err: negative.
    fn count(&mut self) -> Result<usize, String> {
        let number = self.int()?;
        usize::try_from(number).map_err(|_| {
            format!("a count of {number} at byte {}; the file is damaged, get it again", self.at)
        })
    }

    fn counted(&mut self) -> Result<&'a [u8], String> {
        let count = self.count()?;
        self.take(count)
    }
}

/// A number as the file writes it.
pub(super) fn number(bytes: [u8; 8], big_endian: bool) -> f64 {
    if big_endian { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) }
}

impl Dictionary {
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes, at: 0, big_endian: false };
        let magic = reader.take(4)?;
        if !matches!(magic, b"$FL2" | b"$FL3") {
            return Err("is no SPSS system file; save it in SPSS as .sav".into());
        }
        reader.take(60)?;
        let layout = reader.int()?;
        if !matches!(layout, 2 | 3) {
            reader.big_endian = true;
        }
        let units = reader.int()?;
        let packing = match (magic, reader.int()?) {
            (b"$FL3", _) | (_, 2) => Packing::Zlib,
            (_, 0) => Packing::None,
            (_, 1) => Packing::Bytecode,
            (_, other) => return Err(format!("its cases are packed in a way ({other}) that is not known")),
        };
        reader.int()?;
        let cases = u64::try_from(reader.int()?).ok();
        let bias = number(reader.eight()?, reader.big_endian);
        reader.take(9 + 8)?;
        let title = reader.take(64)?.to_vec();
        reader.take(3)?;
        let mut dictionary = Self {
            big_endian: reader.big_endian,
            packing,
            cases,
            bias: if bias.is_finite() { bias } else { 100.0 },
            title,
            data: 0,
            long_names: Vec::new(),
            very_long: Vec::new(),
            slots: Vec::new(),
            labels: Vec::new(),
            encoding_name: Vec::new(),
            code_page: None,
            long_labels: Vec::new(),
            long_missing: Vec::new(),
        };
        loop {
            match reader.int()? {
                2 => dictionary.slot(&mut reader)?,
                3 => dictionary.value_labels(&mut reader)?,
                6 => {
                    let lines = reader.count()?;
                    reader.take(lines.saturating_mul(80))?;
                }
                7 => dictionary.extension(&mut reader)?,
                999 => {
                    reader.int()?;
                    break;
                }
                other => {
                    return Err(format!(
                        "a record of the unknown kind {other} at byte {}; the file is damaged, get it again",
                        reader.at
                    ));
                }
            }
        }
        // Some programs write 0 or −1 for the number of units.
        if units > 0 && usize::try_from(units) != Ok(dictionary.slots.len()) {
            return Err(format!(
                "it says {units} units a case and describes {}; the file is damaged, get it again",
                dictionary.slots.len()
            ));
        }
        dictionary.data = reader.at;
        Ok(dictionary)
    }

    fn slot(&mut self, reader: &mut Reader<'_>) -> Result<(), String> {
        let width = reader.int()?;
        let labelled = reader.int()?;
        let missing = reader.int()?;
        let print = reader.int()?;
        reader.int()?;
        let name = reader.take(8)?.to_vec();
        if !(-1..=255).contains(&width) || !(-3..=3).contains(&missing) {
            return Err(format!("a variable record at byte {} is damaged; get the file again", reader.at));
        }
        let mut label = Vec::new();
        if labelled == 1 {
            let length = reader.count()?;
            label = reader.take(length)?.to_vec();
            reader.take(length.next_multiple_of(4) - length)?;
        }
        let codes = (0..missing.unsigned_abs()).map(|_| reader.eight()).collect::<Result<_, _>>()?;
        let format = (print >> 16) as u8;
        self.slots.push(Slot { width, name, label, format, missing: codes, range: missing < -1 });
        Ok(())
    }

    fn value_labels(&mut self, reader: &mut Reader<'_>) -> Result<(), String> {
        let count = reader.count()?;
        let mut values = Vec::new();
        for _ in 0..count {
            let value = reader.eight()?;
            let length = usize::from(reader.take(1)?[0]);
            values.push((value, reader.take(length)?.to_vec()));
            reader.take((length + 1).next_multiple_of(8) - 1 - length)?;
        }
        if reader.int()? != 4 {
            return Err(format!(
                "value labels at byte {} belong to no variable; get the file again",
                reader.at
            ));
        }
        let count = reader.count()?;
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(reader.count()?.wrapping_sub(1));
        }
        self.labels.push(Labels { values, places });
        Ok(())
    }

    fn extension(&mut self, reader: &mut Reader<'_>) -> Result<(), String> {
        let kind = reader.int()?;
        let (size, count) = (reader.count()?, reader.count()?);
        let data = reader.take(size.saturating_mul(count))?;
        match kind {
            3 if data.len() >= 32 => {
                let mut inside = Reader { bytes: data, at: 28, big_endian: self.big_endian };
                self.code_page = Some(inside.int()?);
            }
            13 => self.long_names = data.to_vec(),
            14 => self.very_long = data.to_vec(),
            16 if data.len() >= 16 && self.cases.is_none() => {
                let mut inside = Reader { bytes: data, at: 8, big_endian: self.big_endian };
                let eight = inside.eight()?;
                let cases =
                    if self.big_endian { i64::from_be_bytes(eight) } else { i64::from_le_bytes(eight) };
                self.cases = u64::try_from(cases).ok();
            }
            20 => self.encoding_name = data.to_vec(),
            21 => self.long_labels = data.to_vec(),
            22 => self.long_missing = data.to_vec(),
            _ => {}
        }
        Ok(())
    }

    /// The encoding that the file names. Err: it names one that is not known here.
    pub fn encoding(&self) -> Result<Encoding, String> {
        let name = String::from_utf8_lossy(&self.encoding_name);
        if let Some(encoding) = Encoding::named(&name) {
            return Ok(encoding);
        }
        match (name.is_empty(), self.code_page) {
            // Old programs write 2 or 3 ("some ASCII"), whatever the letters are: UTF-8 or an error.
            (true, None | Some(0..=3)) => Ok(Encoding::Utf8),
            (true, Some(page)) => {
                Encoding::named(&page.to_string()).ok_or_else(|| unknown(&page.to_string()))
            }
            (false, _) if name.trim().eq_ignore_ascii_case("us-ascii") => Ok(Encoding::Utf8),
            (false, _) => Err(unknown(name.trim())),
        }
    }

    /// The variables, with segments of very long texts joined. `very_long` tells the whole width of such a text.
    pub fn variables(
        &self,
        very_long: impl Fn(&str) -> Option<usize>,
        text: &dyn Fn(&[u8]) -> Result<String, String>,
    ) -> Result<Vec<Variable>, String> {
        let mut variables: Vec<Variable> = Vec::new();
        let mut place_of: HashMap<usize, usize> = HashMap::new();
        let mut place = 0;
        while let Some(slot) = self.slots.get(place) {
            let start = place;
            let width = usize::try_from(slot.width).map_err(|_| {
                format!("unit {} of a case belongs to no variable; get the file again", place + 1)
            })?;
            place += self.units(place)?;
            let mut segments = Vec::new();
            let mut whole = width;
            if width > 0 {
                segments.push(width);
                whole = very_long(&text(&slot.name)?.to_uppercase()).unwrap_or(width);
                // Of the room of 255 bytes in each segment, 252 count.
                let count = if whole > 255 { whole.div_ceil(252) } else { 1 };
                if whole < width || count > 200 {
                    return Err(format!("a text of {whole} bytes; the file is damaged, get it again"));
                }
                for _ in 1..count {
                    let next = self.slots.get(place).and_then(|slot| usize::try_from(slot.width).ok());
                    let next = next.filter(|width| *width > 0);
                    segments.push(next.ok_or("a part of a long text is missing; get the file again")?);
                    place += self.units(place)?;
                }
            }
            let value = |bytes: [u8; 8]| match width {
                0 => Value::Number(number(bytes, self.big_endian)),
                _ => Value::Text(bytes.to_vec()),
            };
            let mut missing: Vec<Missing> = Vec::new();
            let mut codes = slot.missing.as_slice();
            if let ([low, high, rest @ ..], true) = (codes, slot.range) {
                missing.push(Missing::Range(number(*low, self.big_endian), number(*high, self.big_endian)));
                codes = rest;
            }
            missing.extend(codes.iter().map(|code| Missing::Code(value(*code))));
            place_of.insert(start, variables.len());
            variables.push(Variable {
                name: slot.name.clone(),
                label: slot.label.clone(),
                format: slot.format,
                segments,
                width: whole,
                labels: Vec::new(),
                missing,
            });
        }
        for labels in &self.labels {
            for variable in labels.places.iter().filter_map(|place| place_of.get(place)) {
                let variable = &mut variables[*variable];
                for (value, label) in &labels.values {
                    let value = match variable.width {
                        0 => Value::Number(number(*value, self.big_endian)),
                        _ => Value::Text(value.to_vec()),
                    };
                    variable.labels.push((value, label.clone()));
                }
            }
        }
        if variables.is_empty() {
            return Err("describes no variable".into());
        }
        Ok(variables)
    }

    /// Units of eight bytes that the variable at this place takes. Err: its continuations are not there.
    fn units(&self, place: usize) -> Result<usize, String> {
        let width = self.slots.get(place).map_or(0, |slot| slot.width.max(0)) as usize;
        let units = width.div_ceil(8).max(1);
        let continued = self.slots.get(place + 1..place + units);
        match continued.is_some_and(|slots| slots.iter().all(|slot| slot.width == -1)) {
            true => Ok(units),
            false => Err("a text is not as long as it says; the file is damaged, get it again".into()),
        }
    }

    /// What stands of texts over eight bytes in records of their own.
    pub fn long_texts(&self, encoding: Encoding) -> Result<Vec<LongText>, String> {
        let decode = |bytes: &[u8]| -> Result<String, String> {
            let text = encoding.decode(bytes).ok_or("the labels of a text are in another encoding")?;
            Ok(text.trim_end_matches(' ').to_owned())
        };
        let mut found = Vec::new();
        let mut reader = Reader { bytes: &self.long_labels, at: 0, big_endian: self.big_endian };
        while reader.at < self.long_labels.len() {
            let name = decode(reader.counted()?)?;
            reader.int()?;
            let count = reader.count()?;
            let mut labels = Vec::new();
            for _ in 0..count {
                let (value, label) = (decode(reader.counted()?)?, reader.counted()?);
                labels.push((value, decode(label)?));
            }
            found.push(LongText { name, labels, missing: Vec::new() });
        }
        let mut reader = Reader { bytes: &self.long_missing, at: 0, big_endian: self.big_endian };
        while reader.at < self.long_missing.len() {
            let name = decode(reader.counted()?)?;
            let count = usize::from(reader.take(1)?[0]);
            let length = reader.count()?;
            let mut missing = Vec::new();
            for _ in 0..count {
                missing.push(decode(reader.take(length)?)?);
            }
            found.push(LongText { name, labels: Vec::new(), missing });
        }
        Ok(found)
    }
}

fn unknown(name: &str) -> String {
    format!(
        "its letters are in the encoding `{name}`, which is not known here; save it again in SPSS as UTF-8, or say in the \
         plan \"encoding\": \"windows-1258\" or \"windows-1252\""
    )
}
