//! Rows of a frame as units of a stage: names, sizes, places, strata.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::frame::Frame;
use super::plan::{Plan, Stage};
use super::problem::{Problem, SamplingError};
use crate::table::Column;

/// A unit of a stage: its name and the frame's rows that belong to it.
pub(super) struct Unit {
    pub name: String,
    pub rows: Vec<usize>,
}

/// Groups rows to units of the stage `depth` (from 0), in order of appearance; the last listed stage has a unit a row.
pub(super) fn units(frame: &Frame, plan: &Plan, depth: usize, rows: &[usize]) -> Vec<Unit> {
    let stage = &plan.stages[depth];
    let name = |row: usize| frame.text(&stage.unit, row);
    if depth + 1 == plan.listed_stages() {
        return rows.iter().map(|row| Unit { name: name(*row), rows: vec![*row] }).collect();
    }
    let mut units: Vec<Unit> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let at = *place.entry(name(*row)).or_insert_with_key(|name| {
            units.push(Unit { name: name.clone(), rows: Vec::new() });
            units.len() - 1
        });
        units[at].rows.push(*row);
    }
    units
}

/// A column summed over each unit's rows.
pub(super) fn totals(frame: &Frame, units: &[Unit], column: &str) -> Result<Vec<f64>, SamplingError> {
    let values = frame.numbers(column)?;
    Ok(units.iter().map(|u| u.rows.iter().map(|row| values[*row]).sum()).collect())
}

/// The places of rows; empty for a stage without coordinates.
pub(super) fn places(
    frame: &Frame,
    stage: &Stage,
    rows: impl Iterator<Item = usize>,
) -> Result<Vec<(f64, f64)>, SamplingError> {
    let Some([x, y]) = &stage.coordinates else { return Ok(Vec::new()) };
    let (x, y) = (frame.numbers(x)?, frame.numbers(y)?);
    Ok(rows.map(|row| (x[row], y[row])).collect())
}

/// The strata before merging: values of the strata columns and positions of the units. A unit must lie in one stratum.
pub(super) fn strata_cells(
    frame: &Frame,
    plan: &Plan,
    units: &[Unit],
) -> Result<BTreeMap<Vec<String>, Vec<usize>>, SamplingError> {
    let columns: Vec<&Column> = plan.strata.iter().filter_map(|c| frame.written.get(c)).collect();
    let codes: Vec<Cow<'_, [u32]>> = columns.iter().map(|c| c.categories().0).collect();
    let path = |row: usize| -> Vec<u32> { codes.iter().map(|c| c[row]).collect() };
    let of = |row: usize| -> Vec<String> {
        columns.iter().map(|c| c.text(row).unwrap_or_default().into_owned()).collect()
    };
    let mut problems = Vec::new();
    let mut groups: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
    for (at, unit) in units.iter().enumerate() {
        let own = path(unit.rows[0]);
        if let Some(row) = unit.rows.iter().skip(1).find(|row| path(**row) != own) {
            problems.push(Problem::new(
                format!("{}, line {}", frame.file, frame.line(*row)),
                format!(
                    "the unit `{}` lies in the strata `{}` and `{}`",
                    unit.name,
                    of(unit.rows[0]).join("/"),
                    of(*row).join("/")
                ),
                "a first-stage unit belongs to one stratum: correct the row, or give the units other names",
            ));
        }
        groups.entry(own).or_default().push(at);
    }
    if !problems.is_empty() {
        return Err(SamplingError::Problems(problems));
    }
    // Two codes may have one text (1 and 1.0 in a column of numbers).
    let mut cells: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for group in groups.into_values() {
        cells.entry(of(units[group[0]].rows[0])).or_default().extend(group);
    }
    cells.values_mut().for_each(|group| group.sort_unstable());
    Ok(cells)
}
