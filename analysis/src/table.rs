//! Tables as analysis sees them: numbers and categories in columns, read from CSV, workbooks, Parquet, SPSS and Stata.
//!
//! CSV is parsed here and not by Polars, because a short row must be an error with its line number
//! (Polars fills it with nulls) and because the text of a category must stay as it stands in the
//! file (`08`, not `8`). Parquet goes through Polars, in `parquet.rs`.

mod categories;
mod cells;
mod encoding;
mod labelled;
pub(crate) mod parquet;
pub(crate) mod parquet_write;
mod spss;
mod stata;
pub(crate) mod workbook;
mod zsav;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

pub use encoding::Encoding;
pub use labelled::{Labelled, LabelledColumn, LabelledKind, MissingCodes};

use categories::{CategoryBuilder, categorise};
use cells::{column_from_cells, split_cells};

/// The code of a missing value in [`Column::Category`].
pub const MISSING: u32 = u32::MAX;

/// Columns of equal height under unique names, in file order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: IndexMap<String, Column>,
    height: usize,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// NaN = missing.
    Number(Vec<f64>),
    /// `codes[i]` is a place in `levels`, or [`MISSING`]. Levels are in declared order, else by code point.
    Category { codes: Vec<u32>, levels: Vec<String> },
}

/// Codes (or [`MISSING`]) and the levels they stand for.
pub type Categories<'a> = (Cow<'a, [u32]>, Cow<'a, [String]>);

/// What a plan declares about its columns (`types`).
pub type Types = IndexMap<String, Declared>;

/// One entry of `types`: `"category"`, `"number"`, or the levels in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum Declared {
    Category,
    Number,
    Levels(Vec<String>),
}

/// What can be wrong with a table: where, what, what now.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("{path}: cannot be read: {reason}; check the path and the file", path = path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{path}: cannot be written: {reason}; choose another place for it", path = path.display())]
    Unwritable { path: PathBuf, reason: String },
    #[error("{path}: `.{ending}` is not a table this program reads; give a .csv, .xlsx, .parquet, .sav or .dta file", path = path.display())]
    UnknownEnding { path: PathBuf, ending: String },
    #[error("{file}: line {line} is not UTF-8; save the file again as UTF-8")]
    NotUtf8 { file: String, line: usize },
    #[error("{file}: is empty; the first line must name the columns")]
    Empty { file: String },
    #[error("{file}: line {line} has {got} fields, the header has {expected}")]
    Ragged { file: String, line: usize, got: usize, expected: usize },
    #[error("{file}: the quotation mark opened on line {line} is never closed")]
    OpenQuote { file: String, line: usize },
    #[error(
        "{file}: line {line}: a closing quotation mark is followed by other text; double the mark inside a quoted field"
    )]
    StrayQuote { file: String, line: usize },
    #[error("the column `{name}` stands there twice; rename one")]
    DuplicateColumn { name: String },
    #[error("column {position} of the header has no name")]
    UnnamedColumn { position: usize },
    #[error("there is no column `{name}`{hint}")]
    UnknownColumn { name: String, hint: String },
    #[error("column `{name}` holds text (`{example}`), a number is needed here")]
    NotNumeric { name: String, example: String },
    #[error(
        "column `{name}`, row {row}: `{value}` is not among the declared levels ({levels}); add it to `types` or correct the data"
    )]
    UndeclaredLevel { name: String, row: usize, value: String, levels: String },
    #[error("column `{name}` has {got} rows, the table has {expected}")]
    Height { name: String, got: usize, expected: usize },
    #[error("{path}: column `{name}` has the type {kind}; store it as a number, a text or a condition", path = path.display())]
    ColumnType { path: PathBuf, name: String, kind: String },
}

impl Table {
    /// A table of these columns. Errors: heights that differ, a name twice.
    pub fn from_columns(
        columns: impl IntoIterator<Item = (impl Into<String>, Column)>,
    ) -> Result<Self, TableError> {
        let mut table = Self::default();
        for (name, column) in columns {
            table.push(name.into(), column)?;
        }
        Ok(table)
    }

    /// Reads `.csv`, `.tsv`, `.xlsx` (its first filled sheet), `.parquet`, `.sav`, `.zsav` or `.dta`, by the file's
    /// ending.
    pub fn read(path: &Path, types: &Types) -> Result<Self, TableError> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "csv" | "tsv" | "txt" => Self::read_csv(path, types),
            "parquet" | "pq" => Self::read_parquet(path, types),
            "xlsx" | "xlsm" | "xls" | "ods" => {
                let unreadable = |reason: String| TableError::Unreadable { path: path.into(), reason };
                let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
                let sheet = workbook::first_sheet(&bytes).map_err(unreadable)?;
                Self::parse_csv(&sheet.text, &path.display().to_string(), types)
            }
            "sav" | "zsav" | "dta" => {
                let mut table = Labelled::read(path, None)?.into_table()?;
                table.declare(types)?;
                Ok(table)
            }
            _ => Err(TableError::UnknownEnding { path: path.into(), ending }),
        }
    }

    /// Reads a UTF-8 CSV file with a header line; a byte-order mark is accepted; `.tsv` is parted by tabs.
    pub fn read_csv(path: &Path, types: &Types) -> Result<Self, TableError> {
        let bytes = std::fs::read(path)
            .map_err(|e| TableError::Unreadable { path: path.into(), reason: e.to_string() })?;
        let file = path.display().to_string();
        let text = std::str::from_utf8(&bytes).map_err(|e| TableError::NotUtf8 {
            file: file.clone(),
            line: 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count(),
        })?;
        let separator = if path.extension().is_some_and(|e| e == "tsv") { b'\t' } else { b',' };
        Self::parse_separated(text, separator, &file, types)
    }

    /// Parses CSV text. `file` names it in errors.
    ///
    /// An empty cell is missing. A column whose cells are all numbers is a number unless declared
    /// otherwise; every other column is a category with the file's own text.
    pub fn parse_csv(text: &str, file: &str, types: &Types) -> Result<Self, TableError> {
        Self::parse_separated(text, b',', file, types)
    }

    fn parse_separated(text: &str, separator: u8, file: &str, types: &Types) -> Result<Self, TableError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text: Cow<'_, str> =
            if text.is_ascii() || is_nfc(text) { text.into() } else { text.nfc().collect::<String>().into() };
        let (names, cells) = split_cells(&text, separator, file)?;
        let height = cells.first().map_or(0, Vec::len);
        let columns: Vec<Column> = names
            .par_iter()
            .zip(&cells)
            .map(|(name, cells)| column_from_cells(&text, name, cells, types.get(name)))
            .collect::<Result<_, _>>()?;
        let mut table = Self { columns: IndexMap::with_capacity(names.len()), height };
        for (name, column) in names.into_iter().zip(columns) {
            table.push(name, column)?;
        }
        Ok(table)
    }

    /// Reads a Parquet file: numbers and conditions become numbers, texts become categories.
    pub fn read_parquet(path: &Path, types: &Types) -> Result<Self, TableError> {
        parquet::read(path, types, None)
    }

    /// As [`Table::read`], but of a Parquet file only the columns that are `wanted`.
    pub fn read_wanted(
        path: &Path,
        types: &Types,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, TableError> {
        match is_parquet(path) {
            true => parquet::read(path, types, Some(wanted)),
            false => Self::read(path, types),
        }
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The columns' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The columns in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column))
    }

    /// The columns in order, taken out of the table.
    pub fn into_columns(self) -> impl Iterator<Item = (String, Column)> {
        self.columns.into_iter()
    }

    /// The column, if there is one of that name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The column. Error: no such column, with the nearest name.
    pub fn column(&self, name: &str) -> Result<&Column, TableError> {
        self.columns.get(name).ok_or_else(|| TableError::UnknownColumn {
            name: name.into(),
            hint: nearest(name, self.names()).map_or_else(
                || "; check the spelling, names are matched exactly".into(),
                |near| format!("; did you mean `{near}`?"),
            ),
        })
    }

    /// A column's numbers. A category whose levels are all numbers is read as such.
    /// Errors: no such column, text.
    pub fn numbers(&self, name: &str) -> Result<Cow<'_, [f64]>, TableError> {
        self.column(name)?.numbers(name)
    }

    /// A column's codes and levels. A number column gets one level a value, by code point of its text.
    pub fn categories(&self, name: &str) -> Result<Categories<'_>, TableError> {
        Ok(self.column(name)?.categories())
    }

    /// Takes a column out.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Column> {
        self.columns.shift_remove(name)
    }

    /// Adds a column at the end. Errors: a name twice, another height.
    pub fn push(&mut self, name: impl Into<String>, column: Column) -> Result<(), TableError> {
        let name = name.into();
        if self.columns.contains_key(&name) {
            return Err(TableError::DuplicateColumn { name });
        }
        self.replace(name, column)
    }

    /// Adds a column, or puts it in the place of the one of that name.
    pub fn replace(&mut self, name: impl Into<String>, column: Column) -> Result<(), TableError> {
        let name = name.into();
        if self.columns.is_empty() {
            self.height = column.len();
        }
        if column.len() != self.height {
            return Err(TableError::Height { name, got: column.len(), expected: self.height });
        }
        self.columns.insert(name, column);
        Ok(())
    }

    /// Applies `types` to the columns that are there.
    pub fn declare(&mut self, types: &Types) -> Result<(), TableError> {
        for (name, declared) in types {
            if let Some(column) = self.columns.get_mut(name) {
                let was = std::mem::replace(column, Column::Number(Vec::new()));
                *column = was.declare(name, declared)?;
            }
        }
        Ok(())
    }

    /// The rows at these places, in this order.
    pub fn take(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|(name, column)| (name.clone(), column.take(rows))).collect();
        Self { columns, height: rows.len() }
    }

    /// The table as CSV text: numbers so that they read back exactly, missing cells empty.
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        let names: Vec<String> = self.names().map(quote).collect();
        text.push_str(&names.join(","));
        text.push('\n');
        for row in 0..self.height {
            for (i, column) in self.columns.values().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                match column {
                    Column::Number(values) => text.push_str(&number_text(values[row])),
                    Column::Category { codes, levels } => {
                        if codes[row] != MISSING {
                            text.push_str(&quote(&levels[codes[row] as usize]));
                        }
                    }
                }
            }
            text.push('\n');
        }
        text
    }

    /// Writes `.csv` or `.parquet`, by the file's ending.
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "csv" => self.write_csv(path),
            "parquet" | "pq" => self.write_parquet(path),
            _ => Err(TableError::UnknownEnding { path: path.into(), ending }),
        }
    }

    /// Writes the table as CSV.
    pub fn write_csv(&self, path: &Path) -> Result<(), TableError> {
        std::fs::write(path, self.to_csv())
            .map_err(|e| TableError::Unwritable { path: path.into(), reason: e.to_string() })
    }

    /// Writes the table as Parquet: categories as text, missing as null.
    pub fn write_parquet(&self, path: &Path) -> Result<(), TableError> {
        parquet_write::write(self, path)
    }
}

impl Column {
    /// A category column from texts; `None` is missing. Levels by code point.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut builder = CategoryBuilder::default();
        for text in texts {
            builder.push(text);
        }
        builder.finish()
    }

    /// A category column from codes of unsorted levels, each once; only levels that occur.
    pub(crate) fn of_codes(codes: &[u32], levels: &[String]) -> Self {
        let mut builder = CategoryBuilder::default();
        builder.extend(codes, levels);
        builder.finish()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Category { codes, .. } => codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value of this row is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Number(values) => values[row].is_nan(),
            Self::Category { codes, .. } => codes[row] == MISSING,
        }
    }

    /// The text of one cell; `None` is missing. Whole numbers without a decimal point.
    pub fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Number(values) => (!values[row].is_nan()).then(|| number_text(values[row]).into()),
            Self::Category { codes, levels } => {
                levels.get(codes[row] as usize).map(|level| level.as_str().into())
            }
        }
    }

    /// The numbers; a category whose levels are all numbers is read as such. `name` is for the error.
    pub fn numbers(&self, name: &str) -> Result<Cow<'_, [f64]>, TableError> {
        match self {
            Self::Number(values) => Ok(values.as_slice().into()),
            Self::Category { codes, levels } => {
                let parsed: Vec<f64> = levels
                    .iter()
                    .map(|level| {
                        parse_number(level).ok_or_else(|| TableError::NotNumeric {
                            name: name.into(),
                            example: level.clone(),
                        })
                    })
                    .collect::<Result<_, _>>()?;
                Ok(codes.iter().map(|c| parsed.get(*c as usize).copied().unwrap_or(f64::NAN)).collect())
            }
        }
    }

    /// Codes and levels; a number column gets one level a value, by code point of its text.
    pub fn categories(&self) -> Categories<'_> {
        match self {
            Self::Category { codes, levels } => (codes.as_slice().into(), levels.as_slice().into()),
            Self::Number(values) => {
                let (codes, levels) = categorise(values);
                (codes.into(), levels.into())
            }
        }
    }

    /// The column as a plan declares it. Errors: a value outside the declared levels, text as a number.
    pub fn declare(self, name: &str, declared: &Declared) -> Result<Self, TableError> {
        match (declared, self) {
            (Declared::Category, Self::Number(values)) => {
                let (codes, levels) = categorise(&values);
                Ok(Self::Category { codes, levels })
            }
            (Declared::Category, column) => Ok(column),
            (Declared::Number, column) => Ok(Self::Number(column.numbers(name)?.into_owned())),
            (Declared::Levels(declared), column) => {
                let (mut codes, levels) = match column {
                    Self::Number(values) => categorise(&values),
                    Self::Category { codes, levels } => (codes, levels),
                };
                let place: Vec<u32> = levels
                    .iter()
                    .map(|level| declared.iter().position(|d| d == level).map_or(MISSING, |p| p as u32))
                    .collect();
                for (row, code) in codes.iter_mut().enumerate() {
                    if *code == MISSING {
                        continue;
                    }
                    let to = place[*code as usize];
                    if to == MISSING {
                        return Err(TableError::UndeclaredLevel {
                            name: name.into(),
                            row: row + 1,
                            value: levels[*code as usize].clone(),
                            levels: declared.join(", "),
                        });
                    }
                    *code = to;
                }
                Ok(Self::Category { codes, levels: declared.clone() })
            }
        }
    }

    /// The column with the rows of another of its kind and levels after its own; without one, with `rows`
    /// missing values. `None`: it is of another kind.
    pub(crate) fn followed_by(self, other: Option<&Self>, rows: usize) -> Option<Self> {
        Some(match (self, other) {
            (Self::Number(mut values), None) => {
                values.resize(values.len() + rows, f64::NAN);
                Self::Number(values)
            }
            (Self::Category { mut codes, levels }, None) => {
                codes.resize(codes.len() + rows, MISSING);
                Self::Category { codes, levels }
            }
            (Self::Number(mut values), Some(Self::Number(other))) => {
                values.extend(other);
                Self::Number(values)
            }
            (Self::Category { mut codes, levels }, Some(Self::Category { codes: other, levels: others })) => {
                if levels != *others {
                    return None;
                }
                codes.extend(other);
                Self::Category { codes, levels }
            }
            _ => return None,
        })
    }

    /// The rows at these places, in this order.
    pub fn take(&self, rows: &[usize]) -> Self {
        match self {
            Self::Number(values) => Self::Number(rows.iter().map(|r| values[*r]).collect()),
            Self::Category { codes, levels } => {
                Self::Category { codes: rows.iter().map(|r| codes[*r]).collect(), levels: levels.clone() }
            }
        }
    }
}

/// A number as text that reads back exactly: whole numbers without a decimal point, missing empty.
pub fn number_text(value: f64) -> String {
    if value.is_nan() {
        String::new()
    } else if value == value.trunc() && value.abs() < 1e15 {
        (value as i64).to_string()
    } else {
        format!("{value:?}")
    }
}

/// The name among `names` that is nearest to a mistyped one, if it is near.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + wrong.chars().count() / 4;
    names
        .into_iter()
        .map(|name| (distance(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, change one letter) between two words: Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// Whether the path's ending is that of a Parquet file.
pub(crate) fn is_parquet(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ending.eq_ignore_ascii_case("parquet") || ending.eq_ignore_ascii_case("pq")
}

fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { text.into() } else { text.nfc().collect::<String>().into() }
}

/// A decimal number as people write it; `inf`, `nan` and hexadecimal are text.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let first = text.trim_start_matches(['+', '-']).bytes().next()?;
    if !(first.is_ascii_digit() || first == b'.') {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

pub(crate) fn quote(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl TryFrom<serde_json::Value> for Declared {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(word) if word == "category" => Ok(Self::Category),
            serde_json::Value::String(word) if word == "number" => Ok(Self::Number),
            serde_json::Value::Array(levels) => levels
                .into_iter()
                .map(|level| match level {
                    serde_json::Value::String(text) => Ok(text),
                    serde_json::Value::Number(number) => Ok(number.to_string()),
                    other => Err(format!("types: `{other}` is not a level; give text or numbers")),
                })
                .collect::<Result<_, _>>()
                .map(Self::Levels),
            other => Err(format!(
                "types: `{other}` is not a type; give \"category\", \"number\" or the list of levels in order"
            )),
        }
    }
}

impl From<Declared> for serde_json::Value {
    fn from(declared: Declared) -> Self {
        match declared {
            Declared::Category => "category".into(),
            Declared::Number => "number".into(),
            Declared::Levels(levels) => levels.into(),
        }
    }
}
