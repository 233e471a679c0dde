//! The cases of a system file, unit of eight bytes by unit.

use std::borrow::Cow;

use super::dictionary::{Dictionary, Packing, Variable, number};
use crate::table::categories::CategoryBuilder;
use crate::table::labelled::MOST_CELLS;
use crate::table::{Column, Encoding, zsav};

/// A column of cells.
pub(super) enum Filled {
    Numbers(Vec<f64>),
    Texts(Column),
}

/// Eight bytes of a case.
enum Unit {
    Raw([u8; 8]),
    /// By bytecode.
    Number(f64),
    Spaces,
    Missing,
}

enum Filling {
    Numbers(Vec<f64>),
    Texts(CategoryBuilder),
}

/// One column a variable. Err: the reason.
pub(super) fn read(
    dictionary: &Dictionary,
    variables: &[Variable],
    file: &[u8],
    encoding: Encoding,
) -> Result<Vec<Filled>, String> {
    let mut units = Units::new(dictionary, file)?;
    let mut columns: Vec<Filling> = variables
        .iter()
        .map(|variable| match variable.segments.is_empty() {
            true => Filling::Numbers(Vec::new()),
            false => Filling::Texts(CategoryBuilder::default()),
        })
        .collect();
    let mut rows = 0_u64;
    let mut text = Vec::new();
    while dictionary.cases.is_none_or(|cases| rows < cases) {
        let Some(mut unit) = units.next()? else {
            match dictionary.cases {
                Some(cases) => {
                    return Err(format!(
                        "the file ends after row {rows} of {cases}; it was cut off, get it again"
                    ));
                }
                None => break,
            }
        };
        if usize::try_from(rows).map_or(MOST_CELLS, |rows| rows.saturating_mul(columns.len())) >= MOST_CELLS {
            return Err(format!("it holds more than {MOST_CELLS} cells; take the columns that are needed"));
        }
        let cut = || format!("the file ends inside row {}; it was cut off, get it again", rows + 1);
        let mut first = true;
        for (variable, column) in variables.iter().zip(&mut columns) {
            match column {
                Filling::Numbers(numbers) => {
                    if !std::mem::take(&mut first) {
                        unit = units.next()?.ok_or_else(cut)?;
                    }
                    numbers.push(units.number(&unit));
                }
                Filling::Texts(texts) => {
                    text.clear();
                    for width in &variable.segments {
                        let end = text.len() + width;
                        for _ in 0..width.div_ceil(8) {
                            if !std::mem::take(&mut first) {
                                unit = units.next()?.ok_or_else(cut)?;
                            }
                            match unit {
                                Unit::Raw(bytes) => text.extend(bytes),
                                Unit::Number(number) => text.extend(number.to_le_bytes()),
                                Unit::Spaces | Unit::Missing => text.extend(b"        "),
                            }
                        }
                        text.truncate(end);
                    }
                    text.truncate(variable.width);
                    let bare = text.trim_ascii_end();
                    let told = encoding.decode(bare).ok_or_else(|| {
                        format!(
                            "row {}: a text is in another encoding than the file says; name the right \"encoding\" in the plan",
                            rows + 1
                        )
                    })?;
                    texts.push(Some(told.as_str()).filter(|text| !text.is_empty()));
                }
            }
        }
        rows += 1;
    }
    Ok(columns
        .into_iter()
        .map(|column| match column {
            Filling::Numbers(numbers) => Filled::Numbers(numbers),
            Filling::Texts(texts) => Filled::Texts(texts.finish()),
        })
        .collect())
}

/// Units one after the other, however they are packed.
struct Units<'a> {
    file: &'a [u8],
    /// Compressed blocks that are still closed, last first.
    blocks: Vec<zsav::Block>,
    open: Cow<'a, [u8]>,
    at: usize,
    packed: bool,
    instructions: [u8; 8],
    next: usize,
    bias: f64,
    big_endian: bool,
}

impl<'a> Units<'a> {
    fn new(dictionary: &Dictionary, file: &'a [u8]) -> Result<Self, String> {
        let rest = file.get(dictionary.data..).unwrap_or_default();
        let (mut blocks, open) = match dictionary.packing {
            Packing::Zlib => (zsav::blocks(file, rest)?, Cow::Borrowed(&[][..])),
            Packing::None | Packing::Bytecode => (Vec::new(), Cow::Borrowed(rest)),
        };
        blocks.reverse();
        Ok(Self {
            file,
            blocks,
            open,
            at: 0,
            packed: dictionary.packing != Packing::None,
            instructions: [0; 8],
            next: 8,
            bias: dictionary.bias,
            big_endian: dictionary.big_endian,
        })
    }

    fn number(&self, unit: &Unit) -> f64 {
        let number = match unit {
            Unit::Raw(bytes) => number(*bytes, self.big_endian),
            Unit::Number(number) => *number,
            Unit::Spaces | Unit::Missing => f64::NAN,
        };
        // The lowest number of all stands for "no value".
        if number == -f64::MAX || !number.is_finite() { f64::NAN } else { number }
    }

    /// The next unit; none at the end.
    fn next(&mut self) -> Result<Option<Unit>, String> {
        if !self.packed {
            return Ok(self.eight()?.map(Unit::Raw));
        }
        loop {
            if self.next == 8 {
                let Some(instructions) = self.eight()? else { return Ok(None) };
                (self.instructions, self.next) = (instructions, 0);
            }
            let instruction = self.instructions[self.next];
            self.next += 1;
            return Ok(Some(match instruction {
                0 => continue,
                252 => return Ok(None),
                253 => match self.eight()? {
                    Some(bytes) => Unit::Raw(bytes),
                    None => return Ok(None),
                },
                254 => Unit::Spaces,
                255 => Unit::Missing,
                number => Unit::Number(f64::from(number) - self.bias),
            }));
        }
    }

    fn eight(&mut self) -> Result<Option<[u8; 8]>, String> {
        let mut eight = [0; 8];
        let mut filled = 0;
        while filled < 8 {
            if self.at == self.open.len() {
                let Some(block) = self.blocks.pop() else { return Ok(None) };
                (self.open, self.at) = (Cow::Owned(zsav::open(self.file, &block)?), 0);
                continue;
            }
            let count = (8 - filled).min(self.open.len() - self.at);
            eight[filled..filled + count].copy_from_slice(&self.open[self.at..self.at + count]);
            (filled, self.at) = (filled + count, self.at + count);
        }
        Ok(Some(eight))
    }
}
