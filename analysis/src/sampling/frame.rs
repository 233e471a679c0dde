//! The frame: read with its own text kept, derived columns added, every fault named at once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::area_codes;
use super::plan::{Plan, Stage};
use super::problem::{Problem, SamplingError, suggestion};
use crate::sql;
use crate::table::{Column, Declared, Table, Types};

/// A list of units: the columns twice, as they stand in the file and as they are computed with.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Name in messages.
    pub file: String,
    /// SHA-256 of the file's bytes (of the CSV text for a table in memory), hexadecimal.
    pub sha256: String,
    /// The file's own text in every cell, then the derived columns.
    pub written: Table,
    /// Numbers as numbers; codes with leading zeros stay text.
    pub typed: Table,
}

/// Most units below one unit of the frame; more is a slip of the keyboard, and each would be numbered.
pub(super) const MOST_UNITS: f64 = 1e7;

/// Shares of a row may miss 1 by this much: they are rounded in the file.
const SHARE_ROUNDING: f64 = 1e-3;

impl Frame {
    /// Reads a CSV or Parquet file; `shown` is its name in messages.
    pub fn read(path: &Path, shown: &str, types: &Types) -> Result<Self, SamplingError> {
        let unreadable = |reason: String| SamplingError::Unreadable { file: shown.into(), reason };
        let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
        let mut typed = Table::read(path, types).map_err(|e| unreadable(e.to_string()))?;
        let text: Types = typed.names().map(|name| (name.to_owned(), Declared::Category)).collect();
        let written = Table::read(path, &text).map_err(|e| unreadable(e.to_string()))?;
        for (name, column) in written.columns() {
            let Column::Category { levels, .. } = column else { continue };
            if !types.contains_key(name) && levels.iter().any(|level| is_code(level)) {
                typed.replace(name, column.clone()).map_err(|e| unreadable(e.to_string()))?;
            }
        }
        Ok(Self { file: shown.into(), sha256: hex(&bytes), written, typed })
    }

    /// A frame that is in memory already.
    pub fn of(table: &Table, shown: &str) -> Self {
        let sha256 = hex(table.to_csv().as_bytes());
        Self { file: shown.into(), sha256, written: table.clone(), typed: table.clone() }
    }

    /// Adds the plan's derived columns.
    pub(super) fn derive(&mut self, plan: &Plan) -> Result<(), SamplingError> {
        let wrong = |e: String| SamplingError::one("`derive`", e, "correct the expression");
        let before: Vec<String> = self.typed.names().map(str::to_owned).collect();
        sql::derive(&mut self.typed, &plan.derive, &plan.types).map_err(|e| wrong(e.to_string()))?;
        for (name, column) in self.typed.columns().filter(|(name, _)| !before.iter().any(|b| b == name)) {
            self.written.push(name, column.clone()).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(())
    }

    /// Everything that is wrong with the frame under this plan.
    pub(super) fn problems(&self, plan: &Plan) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.typed.height() == 0 {
            problems.push(Problem::new(&self.file, "has no rows", "give at least one unit"));
        }
        self.unknown_columns(plan, &mut problems);
        self.units(plan, &mut problems);
        for column in plan.strata.iter().filter(|c| self.written.get(c).is_some()) {
            self.empty_cells(column, plan, "every unit belongs to a stratum: fill it in", &mut problems);
        }
        for stage in &plan.stages {
            if let Some(size) = &stage.size {
                self.sizes(size, plan, false, &mut problems);
            }
            if let Some(of) = &stage.of {
                self.sizes(of, plan, true, &mut problems);
            }
            for column in stage.coordinates.iter().flatten() {
                self.places(column, plan, &mut problems);
            }
        }
        self.shares(plan, &mut problems);
        problems.extend(area_codes::problems(self, plan));
        problems
    }

    fn unknown_columns(&self, plan: &Plan, problems: &mut Vec<Problem>) {
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
        for (place, column) in needed {
            if self.typed.get(column).is_none() {
                let what = format!("there is no column `{column}` in {}", self.file);
                problems.push(Problem::new(place, what, suggestion(column, self.typed.names())));
            }
        }
        for stage in plan.stages.iter().filter(|s| s.of.is_some()) {
            if self.typed.get(&stage.unit).is_some() {
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
        let mut first: HashMap<Vec<Cow<'_, str>>, usize> = HashMap::new();
        for row in 0..self.written.height() {
            let Some(path) = columns.iter().map(|c| c.text(row)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let shown = path.join("/");
            if let Some(before) = first.get(&path) {
                problems.push(Problem::new(
                    format!("{}, line {}", self.file, row + 2),
                    format!("the unit `{shown}` stands on line {} already", before + 2),
                    "give each unit one row with its own name",
                ));
            } else {
                first.insert(path, row);
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
        let Some(cells) = self.typed.get(column) else { return };
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
        let Some(cells) = self.typed.get(column) else { return };
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
        let names: Vec<&str> =
            self.typed.names().filter(|n| n.starts_with("share_") && !plan.derive.contains_key(*n)).collect();
        let columns: Vec<Cow<'_, [f64]>> = names.iter().filter_map(|n| self.typed.numbers(n).ok()).collect();
        if names.len() < 2 || columns.len() < names.len() {
            return;
        }
        for row in 0..self.typed.height() {
            for (name, column) in names.iter().zip(&columns) {
                if !(0.0..=1.0).contains(&column[row]) {
                    let text = self.typed.get(name).and_then(|c| c.text(row)).unwrap_or_default();
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

    fn cell(&self, row: usize, column: &str, plan: &Plan) -> String {
        format!("{}, column `{column}`", self.place(row, plan))
    }

    /// File, line and unit of a row.
    pub(super) fn place(&self, row: usize, plan: &Plan) -> String {
        let unit = plan.listed_stages().checked_sub(1).and_then(|i| {
            let name = &plan.stages[i].unit;
            Some(format!(" ({name} {})", self.written.get(name)?.text(row)?))
        });
        format!("{}, line {}{}", self.file, row + 2, unit.unwrap_or_default())
    }

    /// The column's numbers. The caller has checked that they are numbers.
    pub(super) fn numbers(&self, column: &str) -> Result<Cow<'_, [f64]>, SamplingError> {
        self.typed
            .numbers(column)
            .map_err(|e| SamplingError::one(&self.file, e.to_string(), "correct the frame"))
    }

    /// The text of a cell as it stands in the file; empty where missing.
    pub(super) fn text(&self, column: &str, row: usize) -> String {
        self.written.get(column).and_then(|c| c.text(row)).unwrap_or_default().into_owned()
    }

    /// Sorts rows by the stage's `order` columns; equal ones keep the frame's order.
    pub(super) fn sort(&self, rows: &mut [usize], stage: &Stage) {
        let columns: Vec<&Column> = stage.order.iter().filter_map(|c| self.typed.get(c)).collect();
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

/// SHA-256 of the bytes, hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
