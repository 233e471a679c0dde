//! The grouping done here: two passes over a Parquet file, batch by batch, to the totals of every part.
//!
//! The first pass numbers the values of the classifications, the second adds every row to the cell of its
//! combination: no hashing of rows, no table of them. Batches are dealt to lanes by their number, and
//! lanes are added in order, so the sums are the same at any number of threads.
//!
//! The rows' numbers are kept from one pass to the next while they take little memory; of a larger file the
//! classifications are read twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Once;

use indexmap::{IndexMap, IndexSet};
use rayon::prelude::*;

use super::layout::{Key, Layout, Part, stages};
use super::query::{Columns, columns_read};
use super::totals::{Cells, Coding, Numbered, Totals, add_products};
use crate::estimation::{Plan, prepare};
use crate::sql::Expression;
use crate::table::parquet::{Batch as Rows, Chunk, Number, ParquetFile, Values, with_numbers};
use crate::table::{Column, MISSING, Table};

/// A lane is worth its cells where it has this many times as many rows.
const ROWS_A_CELL: usize = 4;

const MOST_LANES: usize = 16;

/// What the numbers of all rows may take from the first pass to the second.
const KEPT_BYTES: usize = 1 << 28;

/// Batches take and give back the same few megabytes again and again. The C library of Linux hands memory
/// over to the system at once unless it has seen a larger block freed, and getting it back costs as much
/// as decoding; so it is shown one.
fn keep_freed_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(std::hint::black_box(vec![0_u8; 8 << 20])));
}

/// The totals of every part. `None` where grouping does not pay, where it needs single rows, or where a value
/// is wrong or missing.
pub(super) fn group<'a>(
    layout: &'a Layout,
    plan: &Plan,
    path: &Path,
    columns: &Columns<'a>,
) -> Option<Vec<Totals<'a>>> {
    keep_freed_memory();
    let source = Source::open(layout, plan, path)?;
    let base = Key::Column(plan.design.clusters.get(stages(plan).checked_sub(1)?)?.clone());
    let base: &'a Key = columns.keys.get(&base)?;
    let codings = source.number(columns, base)?;
    let rows = source.file.height();
    let grids: Vec<Grid> = layout
        .parts
        .iter()
        .map(|part| Grid::new(part, base, plan, &codings, rows))
        .collect::<Option<_>>()?;
    let cells: usize = grids.iter().map(|g| g.cells * (1 + g.sums.len())).sum();
    let batches = source.file.batches();
    let lanes = (rows / (ROWS_A_CELL * cells.max(1))).clamp(2, MOST_LANES).min(batches.len()).max(1);
    let sums: Vec<Vec<Cells>> = (0..lanes)
        .into_par_iter()
        .map(|lane| {
            let weighted = source.is_weighted();
            let mut cells: Vec<Cells> =
                grids.iter().map(|g| Cells::new(g.cells, g.apart, weighted, g.sums.len())).collect();
            for number in (lane..batches.len()).step_by(lanes) {
                source.add(number, &grids, &codings, &mut cells)?;
            }
            Some(cells)
        })
        .collect::<Option<_>>()?;
    let total = sums.into_iter().reduce(|mut all, lane| {
        all.iter_mut().zip(&lane).for_each(|(a, b)| a.add(b));
        all
    })?;
    let parts = layout.parts.iter().zip(&grids).zip(total);
    parts.map(|((part, grid), cells)| grid.totals(part, plan, &codings, cells, rows)).collect()
}

/// The numberings of the classifications.
struct Codings<'a> {
    of: HashMap<&'a Key, Coding>,
    /// Code of each classification that follows from the sampling unit, by the unit's code.
    follows: HashMap<&'a Key, Vec<u32>>,
    /// The numbers that the first pass gave to the rows of every batch; empty where they are not kept.
    kept: Vec<HashMap<&'a Key, Numbered>>,
}

/// Where the cells of one part lie: the sampling unit slowest, then the other classifications.
struct Grid<'a> {
    base: &'a Key,
    /// Classifications with the distance between their codes and the number of these.
    strides: Vec<(&'a Key, u32, u32)>,
    cells: usize,
    /// How many of the cells, the last ones, are for rows without a weight.
    apart: usize,
    /// One or two columns whose product with the weight is summed, and whether missing values are left out.
    sums: Vec<(&'a str, Option<&'a str>, bool)>,
}

/// The file and what is made of its columns before the grouping.
struct Source<'a> {
    file: ParquetFile,
    layout: &'a Layout,
    plan: &'a Plan,
    /// Columns of the file that the sums and classifications read.
    columns: IndexSet<String>,
    /// Columns of the file that expressions read.
    inputs: Vec<String>,
}

/// The values of one batch.
struct Batch<'a> {
    source: &'a Source<'a>,
    /// Its place among the batches.
    number: usize,
    rows: usize,
    chunks: IndexMap<String, Chunk>,
    /// What expressions read and derive.
    table: Table,
}

impl<'a> Source<'a> {
    fn open(layout: &'a Layout, plan: &'a Plan, path: &Path) -> Option<Self> {
        let file = ParquetFile::open(path).ok()?;
        let in_file: IndexSet<&str> = file.columns().map(|(name, _)| name).collect();
        let in_file_or_copied = |name: &str| -> Option<String> {
            match in_file.contains(name) {
                true => Some(name.to_owned()),
                false => layout.schema.copied(name).filter(|base| in_file.contains(base)).map(str::to_owned),
            }
        };
        let columns: IndexSet<String> =
            columns_read(layout, plan).ok()?.iter().filter_map(|name| in_file_or_copied(name)).collect();
        let mut expressions: Vec<&String> = plan.derive.values().collect();
        for part in &layout.parts {
            expressions.extend(part.keys.iter().filter_map(|key| match key {
                Key::Condition(sql) => Some(sql),
                _ => None,
            }));
        }
        let mut inputs: IndexSet<String> = IndexSet::new();
        for sql in expressions {
            let expression = Expression::parse(sql).ok()?;
            inputs.extend(expression.columns().into_iter().filter_map(in_file_or_copied));
        }
        // The rows say what is wrong with names.
        let known = |name: &String| plan.derive.contains_key(name) || in_file_or_copied(name).is_some();
        let taken = plan.derive.keys().any(|name| in_file.contains(name.as_str()));
        if taken || !plan.types.keys().chain(&plan.design.clusters).all(known) {
            return None;
        }
        // A column declared after its derivation is copied from it.
        let copies = plan
            .types
            .keys()
            .any(|name| layout.schema.copied(name).is_some_and(|base| plan.derive.contains_key(base)));
        if copies {
            return None;
        }
        let inputs = inputs.into_iter().collect();
        Some(Self { file, layout, plan, columns, inputs })
    }

    fn is_weighted(&self) -> bool {
        self.plan.design.weights.is_some() || !self.plan.design.probabilities.is_empty()
    }

    fn read(&self, number: usize, columns: &[&str]) -> Option<Batch<'_>> {
        let rows = self.batch(number)?;
        let mut names: IndexSet<&str> = columns.iter().copied().collect();
        names.extend(self.inputs.iter().map(String::as_str));
        let mut chunks: IndexMap<String, Chunk> = IndexMap::new();
        for name in names {
            chunks.insert(name.to_owned(), self.file.read(rows, name).ok()?);
        }
        let mut table = Table::default();
        for name in &self.inputs {
            table.push(name.clone(), chunks.shift_remove(name)?.into_column()).ok()?;
        }
        if !self.inputs.is_empty() {
            let mut plan =
                Plan { types: self.plan.types.clone(), derive: self.plan.derive.clone(), ..Plan::default() };
            let here = |name: &str| table.get(name).is_some() || plan.derive.contains_key(name);
            let copied = |name: &str| self.layout.schema.copied(name).is_some_and(here);
            let types = plan.types.iter().filter(|(name, _)| here(name) || copied(name));
            plan.types = types.map(|(name, declared)| (name.clone(), declared.clone())).collect();
            table = prepare(Cow::Owned(table), &plan).ok()?;
        } else if !self.plan.derive.is_empty() {
            return None;
        }
        Some(Batch { source: self, number, rows: rows.rows.len(), chunks, table })
    }

    fn batch(&self, number: usize) -> Option<&Rows> {
        self.file.batches().get(number)
    }

    /// The first pass.
    fn number<'k>(&self, columns: &Columns<'k>, base: &Key) -> Option<Codings<'k>> {
        let keys: Vec<&'k Key> =
            columns.keys.iter().copied().filter(|key| matches!(key, Key::Column(_))).collect();
        let base_place = keys.iter().position(|key| *key == base)?;
        let names: Vec<&str> = keys.iter().filter_map(|key| self.stored(key)).collect();
        let keep = self.file.height() * keys.len() * size_of::<u32>() <= KEPT_BYTES;
        let seen: Vec<(Vec<Numbered>, Vec<Option<Vec<u32>>>)> = (0..self.file.batches().len())
            .into_par_iter()
            .map(|number| {
                let batch = self.read(number, &names)?;
                let mut all: Vec<Numbered> = Vec::with_capacity(keys.len());
                for key in &keys {
                    all.push(batch.numbered(key)?);
                }
                let unit = &all[base_place];
                if unit.missing {
                    return None;
                }
                let follows = all.iter().map(|own| own.follows(unit)).collect();
                if !keep {
                    all.iter_mut().for_each(|numbered| numbered.codes = Vec::new());
                }
                Some((all, follows))
            })
            .collect::<Option<_>>()?;
        let mut codings = Codings { of: HashMap::new(), follows: HashMap::new(), kept: Vec::new() };
        for (place, key) in keys.iter().enumerate() {
            let missing = seen.iter().any(|(batch, _)| batch[place].missing);
            let levels = seen.iter().flat_map(|(batch, _)| batch[place].levels.iter().flatten().cloned());
            codings.of.insert(key, Coding::new(levels.collect(), missing)?);
        }
        let units = &codings.of[keys[base_place]];
        let unit_codes: Vec<Vec<u32>> =
            seen.iter().map(|(batch, _)| batch[base_place].steps(units, 1)).collect::<Option<_>>()?;
        for (place, key) in keys.iter().enumerate().filter(|(place, _)| *place != base_place) {
            let coding = &codings.of[key];
            let mut follows = vec![MISSING; units.size()];
            let holds = seen.iter().zip(&unit_codes).all(|((batch, own), units)| {
                let (Some(own), Some(codes)) = (&own[place], batch[place].steps(coding, 1)) else {
                    return false;
                };
                own.iter().zip(units).filter(|(code, _)| **code != MISSING).all(|(code, unit)| {
                    let known = &mut follows[*unit as usize];
                    let code = codes[*code as usize];
                    let same = *known == MISSING || *known == code;
                    *known = code;
                    same
                })
            });
            if holds {
                codings.follows.insert(key, follows);
            }
        }
        if keep {
            let rest = seen.into_iter().map(|(batch, _)| {
                let own = keys.iter().copied().zip(batch);
                own.filter(|(key, _)| !codings.follows.contains_key(key)).collect()
            });
            codings.kept = rest.collect();
        }
        Some(codings)
    }

    /// The file's column behind a classification, if it is not derived.
    fn stored(&self, key: &'a Key) -> Option<&'a str> {
        let Key::Column(name) = key else { return None };
        let name = self.layout.schema.copied(name).unwrap_or(name);
        self.columns.contains(name).then_some(name)
    }

    /// The second pass: adds the rows of a batch to the cells of every part.
    fn add(
        &self,
        number: usize,
        grids: &[Grid<'_>],
        codings: &Codings<'_>,
        cells: &mut [Cells],
    ) -> Option<()> {
        // One column of values after the other, so that few are in memory at a time.
        let summed: IndexSet<&str> =
            grids.iter().flat_map(|g| g.sums.iter().filter(|s| s.1.is_none()).map(|s| s.0)).collect();
        let lasting: IndexSet<&str> = self.lasting(grids, codings);
        let apart = |name: &&str| !lasting.contains(*name) && self.columns.contains(*name);
        let (later, first): (Vec<&str>, Vec<&str>) = summed.into_iter().partition(apart);
        let mut batch = self.read(number, &lasting.into_iter().collect::<Vec<_>>())?;
        let weights = batch.weights()?.map(Cow::into_owned);
        let mut places: Vec<Vec<u32>> = Vec::with_capacity(grids.len());
        for (grid, cells) in grids.iter().zip(cells.iter_mut()) {
            let mut place = vec![0_u32; batch.rows];
            for (key, stride, _) in &grid.strides {
                batch.place(key, *stride, codings, weights.as_deref(), &mut place)?;
            }
            cells.count(&place, weights.as_deref());
            places.push(place);
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; batch.rows]);
        for name in first.into_iter().chain(later) {
            let is_new = self.columns.contains(name) && batch.values(name).is_none();
            if is_new {
                batch.chunks.insert(name.to_owned(), self.file.read(self.batch(number)?, name).ok()?);
            }
            for ((grid, cells), place) in grids.iter().zip(cells.iter_mut()).zip(&places) {
                for ((_, _, drop), sum) in grid.sums_of(name, &mut cells.sums) {
                    batch.sum(name, None, *drop, place, &weights, sum)?;
                }
            }
            if is_new {
                batch.chunks.shift_remove(name);
            }
        }
        for ((grid, cells), place) in grids.iter().zip(cells).zip(&places) {
            for ((name, other, drop), sum) in grid.sums.iter().zip(&mut cells.sums) {
                if other.is_some() {
                    batch.sum(name, *other, *drop, place, &weights, sum)?;
                }
            }
        }
        Some(())
    }

    /// The file's columns that the second pass reads once for more than a sum of their values.
    fn lasting<'s>(&'s self, grids: &[Grid<'s>], codings: &Codings<'_>) -> IndexSet<&'s str> {
        let design = &self.plan.design;
        let mut names: IndexSet<&str> =
            design.weights.iter().chain(&design.probabilities).map(String::as_str).collect();
        for grid in grids {
            let pairs = grid.sums.iter().filter_map(|(a, b, _)| Some([*a, (*b)?]));
            names.extend(pairs.flatten());
            for (key, _, _) in &grid.strides {
                match key {
                    Key::Column(name) if codings.kept.is_empty() => drop(names.insert(name)),
                    Key::Points(_, name) => drop(names.insert(name)),
                    Key::Complete(complete) => names.extend(complete.iter().map(String::as_str)),
                    Key::Column(_) | Key::Row | Key::Weightless | Key::Condition(_) => {}
                }
            }
        }
        let stored = names.into_iter().map(|name| self.layout.schema.copied(name).unwrap_or(name));
        stored.filter(|name| self.columns.contains(*name)).collect()
    }
}

impl Batch<'_> {
    fn values(&self, name: &str) -> Option<Values<'_>> {
        if let Some(column) = self.table.get(name) {
            return Some(match column {
                Column::Number(values) => Values::F64(values),
                Column::Category { codes, levels } => Values::Text { codes, levels },
            });
        }
        let name = self.source.layout.schema.copied(name).unwrap_or(name);
        match self.table.get(name) {
            Some(_) => self.values(name),
            None => self.chunks.get(name).map(Chunk::values),
        }
    }

    fn reals(&self, name: &str) -> Option<Cow<'_, [f64]>> {
        with_numbers!(self.values(name)?,
            numbers => Some(Cow::Owned(numbers.iter().map(|v| v.real()).collect())),
            _codes, _levels => None)
    }

    /// The weights of the rows; `Some(None)` where every row counts 1. `None`: one is no weight.
    fn weights(&self) -> Option<Option<Cow<'_, [f64]>>> {
        let design = &self.source.plan.design;
        if let Some(name) = &design.weights {
            let weights = match self.values(name)? {
                Values::F64(values) => Cow::Borrowed(values),
                _ => self.reals(name)?,
            };
            return weights.iter().all(|w| *w >= 0.0).then_some(Some(weights));
        }
        if design.probabilities.is_empty() {
            return Some(None);
        }
        let mut product = vec![1.0; self.rows];
        for name in &design.probabilities {
            let values = self.reals(name)?;
            if !values.iter().all(|p| *p > 0.0 && *p <= 1.0) {
                return None;
            }
            product.iter_mut().zip(values.iter()).for_each(|(p, v)| *p *= v);
        }
        Some(Some(product.into_iter().map(|p| 1.0 / p).collect::<Vec<_>>().into()))
    }

    /// The values of a classification, numbered.
    fn numbered(&self, key: &Key) -> Option<Numbered> {
        match key {
            Key::Column(name) => Numbered::of(self.values(name)?),
            _ => None,
        }
    }

    /// Adds code × stride of the rows to their cells.
    fn place(
        &self,
        key: &Key,
        stride: u32,
        codings: &Codings<'_>,
        weights: Option<&[f64]>,
        cells: &mut [u32],
    ) -> Option<()> {
        let codes: Vec<u8> = match key {
            Key::Row => return None,
            Key::Column(_) => {
                let again;
                let numbered = match codings.kept.get(self.number).and_then(|kept| kept.get(key)) {
                    Some(kept) => kept,
                    None => {
                        again = self.numbered(key)?;
                        &again
                    }
                };
                let steps = numbered.steps(codings.of.get(key)?, stride)?;
                for (cell, code) in cells.iter_mut().zip(&numbered.codes) {
                    *cell += steps[*code as usize];
                }
                return Some(());
            }
            // They are rare.
            Key::Weightless if !weights?.contains(&0.0) => return Some(()),
            Key::Weightless => weights?.iter().map(|w| u8::from(*w == 0.0)).collect(),
            Key::Condition(sql) => {
                let held = Expression::parse(sql).ok()?.condition(&self.table).ok()?;
                held.into_iter().map(|truth| truth.map_or(2, u8::from)).collect()
            }
            Key::Points(request, name) => {
                let points = points(self.source.plan, *request);
                let code = |x: f64| match x.is_nan() {
                    true => points.len(),
                    false => points[..points.len() - 1].partition_point(|point| *point < x),
                };
                self.reals(name)?.iter().map(|x| code(*x) as u8).collect()
            }
            Key::Complete(names) => {
                let mut codes = vec![1_u8; self.rows];
                for name in names {
                    with_numbers!(self.values(name)?,
                    numbers => {
                                    codes.iter_mut().zip(numbers).for_each(|(c, v)| *c &= u8::from(!v.real().is_nan()));
                    },
                    texts, _levels => {
                        codes.iter_mut().zip(texts).for_each(|(c, t)| *c &= u8::from(*t != MISSING));
                    });
                }
                codes
            }
        };
        if codes.len() != self.rows {
            return None;
        }
        cells.iter_mut().zip(&codes).for_each(|(cell, code)| *cell += stride * u32::from(*code));
        Some(())
    }

    fn sum(
        &self,
        name: &str,
        other: Option<&str>,
        drop: bool,
        place: &[u32],
        weights: &[f64],
        sum: &mut [f64],
    ) -> Option<()> {
        let multiplied: Vec<f64>;
        let weights = match other {
            None => weights,
            Some(other) => {
                let known = |product: f64| match product.is_nan() {
                    true if drop => Some(0.0),
                    true => None,
                    false => Some(product),
                };
                multiplied = with_numbers!(self.values(other)?,
                    numbers => weights.iter().zip(numbers).map(|(w, v)| known(w * v.real())).collect(),
                    _codes, _levels => None)?;
                &multiplied
            }
        };
        with_numbers!(self.values(name)?,
            numbers => add_products(sum, place, weights, numbers, drop),
            _codes, _levels => None)
    }
}

/// A request's points in order, then one above them all: what a number not above any point is given.
fn points(plan: &Plan, request: usize) -> Vec<f64> {
    let mut points = plan.requests.get(request).map(|r| r.at.clone()).unwrap_or_default();
    points.sort_by(f64::total_cmp);
    points.push(points.last().map_or(0.0, |last| last + last.abs().max(1.0)));
    points
}

impl<'a> Grid<'a> {
    /// `None`: the cells would be more than is worth it.
    fn new(part: &'a Part, base: &'a Key, plan: &Plan, codings: &Codings<'_>, rows: usize) -> Option<Self> {
        let most = (2 * rows).max(1 << 18);
        let mut strides = Vec::new();
        let mut cells = 1_usize;
        let others = part.keys.iter().filter(|key| *key != base && **key != Key::Weightless);
        // Zero weights are rare: their cells lie apart and are not touched.
        for key in others.chain([base]).chain(part.keys.iter().filter(|key| **key == Key::Weightless)) {
            if codings.follows.contains_key(key) {
                continue;
            }
            let size = match key {
                Key::Row => return None,
                Key::Column(_) => codings.of.get(key)?.size(),
                Key::Weightless | Key::Complete(_) => 2,
                Key::Condition(_) => 3,
                Key::Points(request, _) => points(plan, *request).len() + 1,
            };
            strides.push((key, cells as u32, size.max(1) as u32));
            cells = cells.checked_mul(size.max(1))?;
            let counted = if *key == Key::Weightless { cells / 2 } else { cells };
            if counted > most || u32::try_from(cells).is_err() {
                return None;
            }
        }
        let drop = |name: &str| {
            part.keys.iter().any(|key| matches!(key, Key::Complete(names) if names.iter().any(|n| n == name)))
        };
        if part.keys.iter().any(|k| matches!(k, Key::Points(r, _) if points(plan, *r).len() > 200)) {
            return None;
        }
        let single = part.sums.iter().map(|name| (name.as_str(), None, drop(name)));
        let pairs = part.products.iter().map(|(a, b)| (a.as_str(), Some(b.as_str()), drop(a) && drop(b)));
        let apart = if part.keys.contains(&Key::Weightless) { cells / 2 } else { 0 };
        Some(Self { base, strides, cells, apart, sums: single.chain(pairs).collect() })
    }

    /// The sums of a single column, with where they are kept.
    fn sums_of<'s>(
        &'s self,
        name: &str,
        sums: &'s mut [Vec<f64>],
    ) -> impl Iterator<Item = (&'s (&'a str, Option<&'a str>, bool), &'s mut Vec<f64>)> {
        self.sums.iter().zip(sums).filter(move |((own, other, _), _)| *own == name && other.is_none())
    }

    /// The cells that hold rows, in their order.
    fn totals(
        &self,
        part: &'a Part,
        plan: &Plan,
        codings: &Codings<'_>,
        cells: Cells,
        rows: usize,
    ) -> Option<Totals<'a>> {
        let (_, inside, units) = self.strides.iter().find(|(key, _, _)| *key == self.base)?;
        let (inside, units) = (*inside as usize, *units as usize);
        // Of every cell that holds rows: the unit, and the place among the cells of a unit.
        let mut filled: Vec<(u32, u32)> = Vec::with_capacity(cells.reach.min(rows));
        for (unit, counts) in cells.n[..cells.reach].chunks(inside).enumerate() {
            let here = (0..).zip(counts).filter(|(_, n)| **n > 0);
            filled.extend(here.map(|(place, _)| ((unit % units) as u32, place)));
        }
        if rows > 1 << 17 && 2 * filled.len() > rows {
            return None;
        }
        let column = |key: &'a Key| -> Option<Column> {
            let own: Vec<u32> = match self.strides.iter().find(|(k, _, _)| *k == key) {
                _ if key == self.base => (0..units as u32).collect(),
                Some((_, stride, size)) => (0..inside as u32).map(|place| place / stride % size).collect(),
                None => codings.follows.get(key)?.clone(),
            };
            let of_unit = key == self.base || codings.follows.contains_key(key);
            let codes = filled.iter().map(|(unit, place)| own[if of_unit { *unit } else { *place } as usize]);
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
        let keys = part.keys.iter().filter(|key| !matches!(key, Key::Row | Key::Weightless));
        let keys = keys.map(|key| Some((key, column(key)?))).collect::<Option<_>>()?;
        let held = || (0..cells.reach).filter(|cell| cells.n[*cell] > 0);
        let n: Vec<usize> = held().map(|cell| cells.n[cell] as usize).collect();
        let weight = match cells.weight.is_empty() {
            true => n.iter().map(|n| *n as f64).collect(),
            false => held().map(|cell| cells.weight[cell]).collect(),
        };
        let mut sums = cells.sums.iter().map(|sum| held().map(|cell| sum[cell]).collect());
        let single = sums.by_ref().take(part.sums.len()).collect();
        Some(Totals { keys, n, weight, sums: single, products: sums.collect() })
    }
}
