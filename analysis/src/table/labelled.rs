//! Files of respondents from other programs with what they say of their columns: labels of variables and codes, and
//! which codes are no answers.

use std::path::Path;

use chrono::{Days, NaiveDate, TimeDelta};

use super::{Column, Encoding, Table, TableError, Types, spss, stata};

/// More numbers than this, about 800 MB, are no survey.
pub(super) const MOST_CELLS: usize = 100_000_000;

/// A table with the words of its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    pub title: String,
    pub columns: Vec<LabelledColumn>,
    pub height: usize,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledColumn {
    pub name: String,
    /// Empty where the file has none.
    pub label: String,
    /// Codes with their labels, in the file's order.
    pub values: Vec<(String, String)>,
    pub missing: MissingCodes,
    /// Codes that are no answers stay what they are; a Stata value like `.a` is the text `.a`.
    pub cells: Column,
}

/// The codes that a file declares to be no answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MissingCodes {
    pub codes: Vec<String>,
    /// Lowest and highest of a range of numbers.
    pub range: Option<(f64, f64)>,
}

impl MissingCodes {
    /// Whether the code is no answer.
    pub fn holds(&self, code: &str) -> bool {
        let within = |(low, high): (f64, f64)| code.parse::<f64>().is_ok_and(|n| low <= n && n <= high);
        self.codes.iter().any(|known| known == code) || self.range.is_some_and(within)
    }
}

impl Labelled {
    /// Reads `.sav`, `.zsav` (SPSS), `.dta` (Stata), or a file that [`Table::read`] reads, which says nothing of its
    /// columns. `encoding`: that of the letters, where the file does not say it or says it wrongly.
    ///
    /// Errors: no file of that kind, cut off or contradicting itself, letters of another encoding, more than
    /// 100,000,000 cells.
    pub fn read(path: &Path, encoding: Option<Encoding>) -> Result<Self, TableError> {
        let kind = LabelledKind::of(path);
        let Some(kind) = kind else {
            let table = Table::read(path, &Types::new())?;
            let height = table.height();
            let plain = |(name, cells): (String, Column)| LabelledColumn {
                name,
                label: String::new(),
                values: Vec::new(),
                missing: MissingCodes::default(),
                cells,
            };
            return Ok(Self {
                title: String::new(),
                columns: table.into_columns().map(plain).collect(),
                height,
            });
        };
        let unreadable = |reason: String| TableError::Unreadable { path: path.into(), reason };
        let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
        Self::from_bytes(&bytes, kind, encoding).map_err(unreadable)
    }

    /// Reads the bytes of such a file. Err: the reason.
    pub fn from_bytes(bytes: &[u8], kind: LabelledKind, encoding: Option<Encoding>) -> Result<Self, String> {
        match kind {
            LabelledKind::Spss => spss::read(bytes, encoding),
            LabelledKind::Stata => stata::read(bytes, encoding),
        }
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&LabelledColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The cells alone. What Stata marks as no answer (`.a`) is missing in a column of numbers.
    pub(super) fn into_table(self) -> Result<Table, TableError> {
        Table::from_columns(self.columns.into_iter().map(|column| {
            let numbers = match column.missing.codes.iter().any(|code| code.starts_with('.')) {
                true => stata::numbers(&column.cells),
                false => None,
            };
            (column.name, numbers.map_or(column.cells, Column::Number))
        }))
    }
}

/// The kinds of files with labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelledKind {
    Spss,
    Stata,
}

impl LabelledKind {
    /// By the file's ending.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "sav" | "zsav" => Some(Self::Spss),
            "dta" => Some(Self::Stata),
            _ => None,
        }
    }
}

/// A moment so many seconds after the beginning of a day: a date where `time` is false.
pub(super) fn moment(zero: NaiveDate, seconds: f64, time: bool) -> Option<String> {
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return None;
    }
    let at =
        zero.and_hms_opt(0, 0, 0)?.checked_add_signed(TimeDelta::try_seconds(seconds.floor() as i64)?)?;
    Some(at.format(if time { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d" }).to_string())
}

/// A day so many days after another.
pub(super) fn day(zero: NaiveDate, days: f64) -> Option<String> {
    if !days.is_finite() || days.abs() > 1e7 {
        return None;
    }
    let distance = Days::new(days.abs().floor() as u64);
    let at = if days < 0.0 { zero.checked_sub_days(distance) } else { zero.checked_add_days(distance) };
    at.map(|day| day.format("%Y-%m-%d").to_string())
}
