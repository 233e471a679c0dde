//! The frame: read with its own text kept, derived columns added, every fault named at once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::plan::{Plan, Stage};
use super::problem::{Problem, SamplingError, suggestion};
use super::{area_codes, area_history};
use crate::sql;
use crate::table::{Column, Declared, MISSING, Table, TableError, Types, number_text, workbook};

/// A list of units, as it stands in the file and as it is computed with.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Name in messages.
    pub file: String,
    /// SHA-256 of the file's bytes (of the CSV text for a table in memory), hexadecimal.
    pub sha256: String,
    /// The file's own text in every cell, then the columns that the plan adds.
    pub written: Written,
    /// What the reader should know: spellings that were matched, codes that were carried.
    pub notes: Vec<String>,
    /// The file's row of the header, from 1.
    header_row: usize,
}

/// The columns of a frame with their own writing: `1.50` stays, while the number is 1.5.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Numbers as numbers; codes with leading zeros stay text.
    typed: Table,
    /// Columns whose text is not what their numbers would print.
    own: IndexMap<String, Column>,
}

impl Written {
    /// A column with the file's text in its cells.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.own.get(name).or_else(|| self.typed.get(name))
    }

    /// The columns' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.typed.names()
    }

    /// The columns in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.typed.columns().map(|(name, column)| (name, self.own.get(name).unwrap_or(column)))
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.typed.height()
    }
}

/// Most units below one unit of the frame; more is a slip of the keyboard, and each would be numbered.
pub(super) const MOST_UNITS: f64 = 1e7;

/// Shares of a row may miss 1 by this much: they are rounded in the file.
const SHARE_ROUNDING: f64 = 1e-3;

impl Frame {
    /// Reads a CSV, Excel or Parquet file; `shown` is its name in messages.
    pub fn read(path: &Path, shown: &str, types: &Types) -> Result<Self, SamplingError> {
        let unreadable = |reason: String| SamplingError::Unreadable { file: shown.into(), reason };
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        let sha256 = hash_of(path).map_err(|e| unreadable(e.to_string()))?;
        let (written, header_row) = match ending.as_str() {
            // Texts and numbers are apart in the file already.
            "parquet" | "pq" => {
                let typed = Table::read(path, types).map_err(|e| unreadable(e.to_string()))?;
                (Written { typed, own: IndexMap::new() }, 1)
            }
            "xlsx" | "xlsm" | "xls" | "ods" => {
                let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
                let sheet = workbook::first_sheet(&bytes).map_err(unreadable)?;
                let read = |types: &Types| Table::parse_csv(&sheet.text, shown, types);
                (two_ways(read, types).map_err(|e| unreadable(e.to_string()))?, sheet.header_row)
            }
            _ => {
                let read = |types: &Types| Table::read(path, types);
                (two_ways(read, types).map_err(|e| unreadable(e.to_string()))?, 1)
            }
        };
        Ok(Self { file: shown.into(), sha256, written, notes: Vec::new(), header_row })
    }

    /// A frame that is in memory already.
    pub fn of(table: &Table, shown: &str) -> Self {
        let written = Written { typed: table.clone(), own: IndexMap::new() };
        let sha256 = hex(table.to_csv().as_bytes());
        Self { file: shown.into(), sha256, written, notes: Vec::new(), header_row: 1 }
    }

    /// The columns as they are computed with.
    pub fn typed(&self) -> &Table {
        &self.written.typed
    }

    /// Adds a column at the end. Error: there is one of that name.
    pub(super) fn add(&mut self, name: &str, column: Column) -> Result<(), SamplingError> {
        self.written
            .typed
            .push(name, column)
            .map_err(|e| SamplingError::one(&self.file, e.to_string(), "rename the frame's column"))
    }

    /// The file's line or row that holds this row of the table.
    pub(super) fn line(&self, row: usize) -> usize {
        row + 1 + self.header_row
    }

    /// The frame with the plan's areas resolved and columns derived. What is wrong with it goes to `problems`, all of
    /// it at once; the frame is then of no use.
    pub(super) fn prepared(
        mut self,
        plan: &Plan,
        problems: &mut Vec<Problem>,
    ) -> Result<Self, SamplingError> {
        let carried = match area_history::resolve(&mut self, plan) {
            Ok(()) => true,
            Err(SamplingError::Problems(wrong)) => {
                problems.extend(wrong);
                false
            }
            Err(other) => return Err(other),
        };
        if carried {
            let wrong = |e: String| SamplingError::one("`derive`", e, "correct the expression");
            sql::derive(&mut self.written.typed, &plan.derive, &plan.types)
                .map_err(|e| wrong(e.to_string()))?;
        }
        if self.typed().height() == 0 {
            problems.push(Problem::new(&self.file, "has no rows", "give at least one unit"));
        }
        self.unknown_columns(plan, carried, problems);
        self.units(plan, problems);
        for column in plan.strata.iter().filter(|c| self.written.get(c).is_some()) {
            self.empty_cells(column, plan, "every unit belongs to a stratum: fill it in", problems);
        }
        for stage in &plan.stages {
            if let Some(size) = &stage.size {
                self.sizes(size, plan, false, problems);
            }
            if let Some(of) = &stage.of {
                self.sizes(of, plan, true, problems);
            }
            for column in stage.coordinates.iter().flatten() {
                self.places(column, plan, problems);
            }
        }
        self.shares(plan, problems);
        for (part, whole) in [("adults", "persons"), ("households", "persons")] {
            self.parts(part, whole, plan, problems);
        }
        problems.extend(area_codes::problems(&self, plan));
        Ok(self)
    }

    /// `complete`: the columns that the plan adds are there.
    fn unknown_columns(&self, plan: &Plan, complete: bool, problems: &mut Vec<Problem>) {
        let mut needed: Vec<(String, &str)> = Vec::new();
        for column in &plan.strata {
            needed.push(("`strata`".into(), column));
        }
        for (i, stage) in plan.stages.iter().enumerate() {
            for (field, column) in [("size", &stage.size), ("of", &stage.of)] {
                if let Some(column) = column {
                    needed.push((format!("stage {}, `{field}`", i + 1), column));
                }
            }
            if stage.of.is_none() {
                needed.push((format!("stage {}, `unit`", i + 1), &stage.unit));
            }
            for column in stage.order.iter().chain(stage.coordinates.iter().flatten()) {
                needed.push((format!("stage {}", i + 1), column));
            }
            for column in stage.allocation.iter().flat_map(|a| &a.variables) {
                needed.push((format!("stage {}, `variables`", i + 1), column));
            }
        }
        let to_come = |column: &str| {
            !complete && (plan.derive.contains_key(column) || area_history::adds(plan, column))
        };
        for (place, column) in needed.into_iter().filter(|(_, column)| !to_come(column)) {
            if self.typed().get(column).is_none() {
                let what = format!("there is no column `{column}` in {}", self.file);
                problems.push(Problem::new(place, what, suggestion(column, self.typed().names())));
            }
        }
        for stage in plan.stages.iter().filter(|s| s.of.is_some()) {
            if self.typed().get(&stage.unit).is_some() {
                let what = format!("`{}` is a column of {} already", stage.unit, self.file);
                problems.push(Problem::new(
                    "`unit`",
                    what,
                    "drop `of`, or give the serial numbers another name",
                ));
            }
        }
    }

    /// Names without text and names that stand twice.
    fn units(&self, plan: &Plan, problems: &mut Vec<Problem>) {
        let listed = &plan.stages[..plan.listed_stages().min(plan.stages.len())];
        let columns: Vec<&Column> = listed.iter().filter_map(|s| self.written.get(&s.unit)).collect();
        if columns.is_empty() || columns.len() < listed.len() {
            return;
        }
        for stage in listed {
            self.empty_cells(&stage.unit, plan, "every row needs its unit: fill it in", problems);
        }
        let codes: Vec<Cow<'_, [u32]>> = columns.iter().map(|c| c.categories().0).collect();
        let mut first: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut single = vec![usize::MAX; if codes.len() == 1 { self.written.height() } else { 0 }];
        for row in 0..self.written.height() {
            if codes.iter().any(|c| c[row] == MISSING) {
                continue;
            }
            // Most frames have one column of names, whose codes are places already.
            let before = match single.get_mut(codes[0][row] as usize) {
                Some(place) => Some(std::mem::replace(place, (*place).min(row))).filter(|p| *p != usize::MAX),
                None => {
                    let path = codes.iter().map(|c| c[row]).collect();
                    let before = first.get(&path).copied();
                    first.entry(path).or_insert(row);
                    before
                }
            };
            if let Some(before) = before {
                let shown: Vec<Cow<'_, str>> = columns.iter().filter_map(|c| c.text(row)).collect();
                problems.push(Problem::new(
                    format!("{}, line {}", self.file, self.line(row)),
                    format!("the unit `{}` stands on line {} already", shown.join("/"), self.line(before)),
                    "give each unit one row with its own name",
                ));
            }
        }
    }

    fn empty_cells(&self, column: &str, plan: &Plan, remedy: &str, problems: &mut Vec<Problem>) {
        let Some(cells) = self.written.get(column) else { return };
        for row in (0..cells.len()).filter(|row| cells.is_missing(*row)) {
            problems.push(Problem::new(self.cell(row, column, plan), "is empty", remedy));
        }
    }

    /// Numbers that are missing, negative or (for counts) not whole.
    fn sizes(&self, column: &str, plan: &Plan, whole: bool, problems: &mut Vec<Problem>) {
        let Some(cells) = self.typed().get(column) else { return };
        let kind = if whole { "a whole number from 0 to 10,000,000" } else { "a number, 0 or more" };
        let good = |value: f64| {
            value.is_finite() && value >= 0.0 && !(whole && (value.fract() != 0.0 || value > MOST_UNITS))
        };
        for row in 0..cells.len() {
            let what = match (cells, cells.text(row)) {
                (_, None) => "is empty".to_owned(),
                (Column::Number(values), Some(text)) => {
                    if good(values[row]) {
                        continue;
                    }
                    format!("is `{text}`")
                }
                (Column::Category { .. }, Some(text)) => match crate::table::parse_number(&text) {
                    Some(value) if good(value) => continue,
                    _ => format!("is `{text}`"),
                },
            };
            problems.push(Problem::new(
                self.cell(row, column, plan),
                what,
                format!("give {kind} (0 keeps the unit out of the draw)"),
            ));
        }
    }

    fn places(&self, column: &str, plan: &Plan, problems: &mut Vec<Problem>) {
        let Some(cells) = self.typed().get(column) else { return };
        for row in 0..cells.len() {
            let number = cells.text(row).and_then(|text| crate::table::parse_number(&text));
            if number.is_none() {
                let remedy = "give the coordinate, in metres or degrees";
                problems.push(Problem::new(self.cell(row, column, plan), "is no number", remedy));
            }
        }
    }

    /// `share_*` columns are parts of one whole.
    fn shares(&self, plan: &Plan, problems: &mut Vec<Problem>) {
        let names: Vec<&str> = self
            .typed()
            .names()
            .filter(|n| n.starts_with("share_") && !plan.derive.contains_key(*n))
            .collect();
        let columns: Vec<Cow<'_, [f64]>> =
            names.iter().filter_map(|n| self.typed().numbers(n).ok()).collect();
        if names.len() < 2 || columns.len() < names.len() {
            return;
        }
        for row in 0..self.typed().height() {
            for (name, column) in names.iter().zip(&columns) {
                if !(0.0..=1.0).contains(&column[row]) {
                    let text = self.typed().get(name).and_then(|c| c.text(row)).unwrap_or_default();
                    let what = format!("is `{text}`");
                    problems.push(Problem::new(self.cell(row, name, plan), what, "give a share from 0 to 1"));
                }
            }
            let sum: f64 = columns.iter().map(|c| c[row]).sum();
            if sum.is_finite() && (sum - 1.0).abs() > SHARE_ROUNDING {
                problems.push(Problem::new(
                    self.cell(row, "share_*", plan),
                    format!("the shares add to {:.4}, not to 1", sum),
                    "correct them, put the rest into a last group, or rename columns that are no parts of one whole",
                ));
            }
        }
    }

    /// Nobody has more adults, or more households, than persons.
    fn parts(&self, part: &str, whole: &str, plan: &Plan, problems: &mut Vec<Problem>) {
        let (Ok(parts), Ok(wholes)) = (self.typed().numbers(part), self.typed().numbers(whole)) else {
            return;
        };
        for row in (0..parts.len()).filter(|row| parts[*row] > wholes[*row]) {
            let what = format!("is {}, more than the {} `{whole}`", parts[row], wholes[row]);
            problems.push(Problem::new(self.cell(row, part, plan), what, "correct one of the two"));
        }
    }

    fn cell(&self, row: usize, column: &str, plan: &Plan) -> String {
        format!("{}, column `{column}`", self.place(row, plan))
    }

    /// File, line and unit of a row.
    pub(super) fn place(&self, row: usize, plan: &Plan) -> String {
        let unit = plan.listed_stages().checked_sub(1).and_then(|i| {
            let name = &plan.stages[i].unit;
            Some(format!(" ({name} {})", self.written.get(name)?.text(row)?))
        });
        format!("{}, line {}{}", self.file, self.line(row), unit.unwrap_or_default())
    }

    /// The column's numbers. The caller has checked that they are numbers.
    pub(super) fn numbers(&self, column: &str) -> Result<Cow<'_, [f64]>, SamplingError> {
        self.typed()
            .numbers(column)
            .map_err(|e| SamplingError::one(&self.file, e.to_string(), "correct the frame"))
    }

    /// The text of a cell as it stands in the file; empty where missing.
    pub(super) fn text(&self, column: &str, row: usize) -> String {
        self.written.get(column).and_then(|c| c.text(row)).unwrap_or_default().into_owned()
    }

    /// Sorts rows by the stage's `order` columns; equal ones keep the frame's order.
    pub(super) fn sort(&self, rows: &mut [usize], stage: &Stage) {
        let columns: Vec<&Column> = stage.order.iter().filter_map(|c| self.typed().get(c)).collect();
        rows.sort_by(|a, b| {
            columns
                .iter()
                .map(|column| match column {
                    Column::Number(values) => values[*a].total_cmp(&values[*b]),
                    Column::Category { codes, .. } => codes[*a].cmp(&codes[*b]),
                })
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
}

/// A code keeps its leading zeros: `024` is no number.
fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 1 && bytes[0] == b'0' && bytes[1].is_ascii_digit()
}

/// The text as numbers where it is, and the text itself where the numbers would print another.
fn two_ways(
    read: impl Fn(&Types) -> Result<Table, TableError>,
    types: &Types,
) -> Result<Written, TableError> {
    let mut typed = read(types)?;
    let text: Types = typed.names().map(|name| (name.to_owned(), Declared::Category)).collect();
    let mut own = IndexMap::new();
    for (name, column) in read(&text)?.into_columns() {
        let Column::Category { codes, levels } = &column else { continue };
        if !types.contains_key(&name) && levels.iter().any(|level| is_code(level)) {
            typed.replace(name, column)?;
        } else if let Some(Column::Number(values)) = typed.get(&name) {
            let printed = |(code, value): (&u32, &f64)| {
                levels.get(*code as usize).map_or("", String::as_str) == number_text(*value)
            };
            if !codes.iter().zip(values).all(printed) {
                own.insert(name, column);
            }
        }
    }
    Ok(Written { typed, own })
}

/// SHA-256 of the bytes, hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    written_hex(&Sha256::digest(bytes))
}

fn hash_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0_u8; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(written_hex(&hash.finalize())),
            length => hash.update(&block[..length]),
        }
    }
}

fn written_hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
