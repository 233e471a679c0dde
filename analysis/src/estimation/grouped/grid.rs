//! Where the cells of one grouping lie, and the sums that are kept for each.

use rayon::prelude::*;

use super::codings::Codings;
use super::layout::{Key, Part};
use super::totals::{Cells, Totals};
use crate::estimation::Plan;
use crate::table::{Column, MISSING, Table};

/// Where the cells of one grouping lie: the classifications fastest first, the sampling unit slowest.
pub(super) struct Grid<'a> {
    /// The sampling unit, if the rows are grouped by it.
    base: Option<&'a Key>,
    /// Classifications with the distance between their codes and the number of these.
    pub strides: Vec<(&'a Key, u32, u32)>,
    pub cells: usize,
    /// How many of the cells, the last ones, are for rows without a weight.
    pub apart: usize,
    /// One or two columns whose product with the weight is summed, and whether missing values are left out.
    pub sums: Vec<(&'a str, Option<&'a str>, bool)>,
    /// Columns counted by category: how many categories, and whether missing values are left out.
    pub shares: Vec<(&'a Key, usize, bool)>,
}

/// The classes of adjustments that hold rows.
pub(super) struct Classes {
    pub table: Table,
    /// Σw of each.
    pub weights: Vec<f64>,
    /// Row in the table of every cell.
    pub row_of: Vec<u32>,
}

static WEIGHTLESS: Key = Key::Weightless;

/// More cells than these are no gain.
fn most(rows: usize) -> usize {
    (2 * rows).max(1 << 18)
}

/// A request's points in order, then one above them all: what a number not above any point is given.
pub(super) fn points(plan: &Plan, request: usize) -> Vec<f64> {
    let mut points = plan.requests.get(request).map(|r| r.at.clone()).unwrap_or_default();
    points.sort_by(f64::total_cmp);
    points.push(points.last().map_or(0.0, |last| last + last.abs().max(1.0)));
    points
}

impl<'a> Grid<'a> {
    /// The cells of a part: its classifications, then the unit.
    pub fn of_part(part: &'a Part, plan: &Plan, codings: &Codings<'a>, rows: usize) -> Option<Self> {
        let keys = part.keys.iter().filter(|key| **key != Key::Weightless).collect();
        let weightless = part.keys.contains(&Key::Weightless);
        Self::new(keys, Some(codings.base), weightless, rows, plan, codings)?.with_sums(part, rows, codings)
    }

    /// As [`Self::of_part`], without the classes that only the adjustments need.
    pub fn of_units(
        part: &'a Part,
        adjusting: &[Key],
        plan: &Plan,
        codings: &Codings<'a>,
        rows: usize,
    ) -> Option<Self> {
        let needed = |key: &&Key| part.own.contains(key) || !adjusting.contains(key);
        let keys = part.keys.iter().filter(|key| **key != Key::Weightless).filter(needed).collect();
        // An adjustment can take the weight off a row.
        Self::new(keys, Some(codings.base), true, rows, plan, codings)?.with_sums(part, rows, codings)
    }

    /// The classes of the adjustments and, with a part, those that its requests ask for.
    pub fn of_classes(
        part: Option<&'a Part>,
        adjusting: &'a [Key],
        plan: &Plan,
        codings: &Codings<'a>,
        rows: usize,
    ) -> Option<Self> {
        let own = part.into_iter().flat_map(|part| &part.own).filter(|key| !adjusting.contains(key));
        let grid = Self::new(adjusting.iter().chain(own).collect(), None, false, rows, plan, codings)?;
        match part {
            Some(part) => grid.with_sums(part, rows, codings),
            None => Some(grid),
        }
    }

    /// `None`: the cells would be more than is worth it.
    fn new(
        mut keys: Vec<&'a Key>,
        base: Option<&'a Key>,
        weightless: bool,
        rows: usize,
        plan: &Plan,
        codings: &Codings<'a>,
    ) -> Option<Self> {
        if let Some(base) = base {
            keys.retain(|key| *key != base && !codings.follows.contains_key(key));
            keys.push(base);
        }
        let mut strides = Vec::new();
        let mut cells = 1_usize;
        for key in keys {
            let size = match key {
                Key::Row | Key::Weightless => return None,
                Key::Column(_) => codings.of.get(key)?.size(),
                Key::Complete(_) => 2,
                Key::Condition(_) => 3,
                Key::Points(request, _) => points(plan, *request).len() + 1,
            };
            if matches!(key, Key::Points(..)) && size > 200 {
                return None;
            }
            strides.push((key, cells as u32, size.max(1) as u32));
            cells = cells.checked_mul(size.max(1))?;
            if cells > most(rows) || u32::try_from(2 * cells).is_err() {
                return None;
            }
        }
        let mut apart = 0;
        if weightless {
            // Zero weights are rare: their cells lie apart and are not touched.
            strides.push((&WEIGHTLESS, cells as u32, 2));
            apart = cells;
            cells *= 2;
        }
        Some(Self { base, strides, cells, apart, sums: Vec::new(), shares: Vec::new() })
    }

    fn with_sums(mut self, part: &'a Part, rows: usize, codings: &Codings<'_>) -> Option<Self> {
        let drop = |name: &str| {
            part.keys.iter().any(|key| matches!(key, Key::Complete(names) if names.iter().any(|n| n == name)))
        };
        let single = part.sums.iter().map(|name| (name.as_str(), None, drop(name)));
        let pairs = part.products.iter().map(|(a, b)| (a.as_str(), Some(b.as_str()), drop(a) && drop(b)));
        self.sums = single.chain(pairs).collect();
        for key in &part.shares {
            let Key::Column(name) = key else { return None };
            self.shares.push((key, codings.of.get(key)?.size(), drop(name)));
        }
        // As many as a classification of a few categories would have cells.
        ((self.cells - self.apart).checked_mul(self.width())? <= 4 * most(rows)).then_some(self)
    }

    /// Whether it has the classes of the adjustments and nothing else.
    pub fn is_of_classes(&self) -> bool {
        self.base.is_none() && self.sums.is_empty() && self.shares.is_empty()
    }

    /// Categories of all columns that are counted by category.
    pub fn width(&self) -> usize {
        self.shares.iter().map(|(_, width, _)| width).sum()
    }

    pub fn empty(&self, weighted: bool) -> Cells {
        let widths: Vec<usize> = self.shares.iter().map(|(_, width, _)| *width).collect();
        Cells::new(self.cells, self.apart, weighted, self.sums.len(), &widths)
    }

    /// The sums of a single column, with where they are kept.
    pub fn sums_of<'s>(
        &'s self,
        name: &str,
        sums: &'s mut [Vec<f64>],
    ) -> impl Iterator<Item = (&'s (&'a str, Option<&'a str>, bool), &'s mut Vec<f64>)> {
        self.sums.iter().zip(sums).filter(move |((own, other, _), _)| *own == name && other.is_none())
    }

    /// The classes of the cells that hold rows, in their order.
    pub fn classes(&self, part: &Part, plan: &Plan, codings: &Codings<'_>, cells: &Cells) -> Option<Classes> {
        let held: Vec<u32> = (0..self.cells as u32).filter(|cell| cells.n[*cell as usize] > 0).collect();
        let mut table = Table::default();
        for (key, stride, size) in &self.strides {
            let Key::Column(name) = key else { return None };
            let codes = held.iter().map(|cell| cell / stride % size);
            let column = codings.of.get(key)?.column(codes, part.only_classifies(name, plan));
            table.push(name.clone(), column).ok()?;
        }
        let mut row_of = vec![MISSING; self.cells];
        held.iter().zip(0..).for_each(|(cell, row)| row_of[*cell as usize] = row);
        let weights = held.iter().map(|cell| cells.weight[*cell as usize]).collect();
        Some(Classes { table, weights, row_of })
    }

    /// The cells that hold rows, in their order.
    pub fn totals(
        &self,
        part: &'a Part,
        plan: &Plan,
        codings: &Codings<'_>,
        cells: Cells,
        rows: usize,
    ) -> Option<Totals<'a>> {
        let unit = self.strides.iter().find(|(key, _, _)| Some(*key) == self.base);
        let (inside, units) =
            unit.map_or((self.cells, 1), |(_, inside, units)| (*inside as usize, *units as usize));
        // Of every cell that holds rows: the unit, and the place among the cells of a unit.
        let mut places: Vec<(u32, u32)> = Vec::with_capacity(cells.reach.min(rows));
        for (unit, counts) in cells.n[..cells.reach].chunks(inside).enumerate() {
            let here = (0..).zip(counts).filter(|(_, n)| **n > 0);
            places.extend(here.map(|(place, _)| ((unit % units) as u32, place)));
        }
        if self.base.is_some() && rows > 1 << 17 && 2 * places.len() > rows {
            return None;
        }
        let column = |key: &'a Key| -> Option<Column> {
            let follows = codings.follows.get(key).filter(|_| self.base.is_some());
            let own: Vec<u32> = match (self.strides.iter().find(|(k, _, _)| *k == key), follows) {
                _ if Some(key) == self.base => (0..units as u32).collect(),
                (Some((_, stride, size)), _) => {
                    (0..inside as u32).map(|place| place / stride % size).collect()
                }
                (None, follows) => follows?.clone(),
            };
            let of_unit = Some(key) == self.base || follows.is_some();
            let codes = places.iter().map(|(unit, place)| own[if of_unit { *unit } else { *place } as usize]);
            let of_numbers = |numbers: &[f64]| {
                let number = |code: u32| numbers.get(code as usize).copied().unwrap_or(f64::NAN);
                Column::Number(codes.clone().map(number).collect())
            };
            Some(match key {
                Key::Column(name) => codings.of.get(key)?.column(codes, part.only_classifies(name, plan)),
                Key::Points(request, _) => of_numbers(&points(plan, *request)),
                _ => of_numbers(&[0.0, 1.0]),
            })
        };
        // A class that the rows are not grouped by has no column.
        let keys = part.keys.par_iter().filter_map(|key| Some((key, column(key)?))).collect();
        let held: Vec<usize> = (0..cells.reach).filter(|cell| cells.n[*cell] > 0).collect();
        let of = |values: &[f64]| -> Vec<f64> { held.iter().map(|cell| values[*cell]).collect() };
        let n: Vec<usize> = held.iter().map(|cell| cells.n[*cell] as usize).collect();
        let weight = match cells.weight.is_empty() {
            true => n.iter().map(|n| *n as f64).collect(),
            false => of(&cells.weight),
        };
        let mut sums = cells.sums.iter().map(|sum| of(sum));
        let single = sums.by_ref().take(part.sums.len()).collect();
        let products = sums.collect();
        let mut shares = Vec::with_capacity(self.shares.len());
        for ((key, width, _), counted) in self.shares.iter().zip(&cells.shares) {
            let (Key::Column(name), Some(coding)) = (key, codings.of.get(key)) else { return None };
            // The categories in their order, as a column that holds each of them once.
            let mut column = coding.column(0..coding.count() as u32, true);
            if let Some(declared) = plan.types.get(name) {
                column = column.declare(name, declared).ok()?;
            }
            let Column::Category { codes, levels } = column else { return None };
            let level = |(level, name): (usize, String)| {
                let code = codes.iter().position(|c| *c as usize == level);
                let sum = |cell: &usize| code.map_or(0.0, |code| counted[cell * width + code]);
                (name, held.iter().map(sum).collect())
            };
            shares.push((*key, levels.into_iter().enumerate().map(level).collect()));
        }
        Some(Totals { keys, n, weight, sums: single, products, shares, places })
    }
}
