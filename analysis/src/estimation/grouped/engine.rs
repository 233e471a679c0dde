//! The grouping done here: two passes over a Parquet file, batch by batch, to the totals of every part.
//!
//! The first pass numbers the values of the classifications, the second adds every row to the cell of its
//! combination: no hashing of rows, no table of them. Batches are dealt to lanes by their number, and
//! lanes are added in order, so the sums are the same at any number of threads.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Once;

use indexmap::{IndexMap, IndexSet};
use rayon::prelude::*;

use super::layout::{Key, Layout, Part, stages};
use super::query::{Columns, columns_read};
use super::totals::{Cells, Coding, Levels, Numbered, add_products};
use crate::estimation::{Plan, prepare};
use crate::sql::Expression;
use crate::table::parquet::{Batch as Rows, Chunk, Number, ParquetFile, Values, with_numbers};
use crate::table::{Column, MISSING, Table};

/// What all lanes together may take for their cells.
const CELL_BYTES: usize = 1 << 25;

const MOST_LANES: usize = 16;

/// Batches take and give back the same few megabytes again and again. The C library of Linux hands memory
/// over to the system at once unless it has seen a larger block freed, and getting it back costs as much
/// as decoding; so it is shown one.
fn keep_freed_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(std::hint::black_box(vec![0_u8; 8 << 20])));
}

/// The rows of every part, with the columns of the query's result. `None` where grouping does not pay, where
/// it needs single rows, or where a value is wrong or missing.
pub(super) fn group(layout: &Layout, plan: &Plan, path: &Path, columns: &Columns) -> Option<Vec<Table>> {
    keep_freed_memory();
    let source = Source::open(layout, plan, path)?;
    let base = Key::Column(plan.design.clusters.get(stages(plan).checked_sub(1)?)?.clone());
    let codings = source.number(columns, &base)?;
    let grids: Vec<Grid> = layout
        .parts
        .iter()
        .map(|part| Grid::new(part, &base, plan, &codings, source.file.height()))
        .collect::<Option<_>>()?;
    let bytes: usize = grids.iter().map(|g| g.cells * (12 + 8 * g.sums.len())).sum();
    let batches = source.file.batches();
    let lanes = (CELL_BYTES / bytes.max(1)).clamp(2, MOST_LANES).min(batches.len()).max(1);
    let sums: Vec<Vec<Cells>> = (0..lanes)
        .into_par_iter()
        .map(|lane| {
            let weighted = source.is_weighted();
            let mut cells: Vec<Cells> =
                grids.iter().map(|g| Cells::new(g.cells, weighted, g.sums.len())).collect();
            for batch in batches.iter().skip(lane).step_by(lanes) {
                source.add(batch, &grids, &codings, &mut cells)?;
            }
            Some(cells)
        })
        .collect::<Option<_>>()?;
    let total = sums.into_iter().reduce(|mut all, lane| {
        all.iter_mut().zip(&lane).for_each(|(a, b)| a.add(b));
        all
    })?;
    let rows = source.file.height();
    let parts = layout.parts.iter().zip(&grids).zip(total);
    parts.map(|((part, grid), cells)| grid.table(part, columns, plan, &codings, cells, rows)).collect()
}

/// The numberings of the classifications.
struct Codings<'a> {
    of: HashMap<&'a Key, Coding>,
    /// Code of each classification that follows from the sampling unit, by the unit's code.
    follows: HashMap<&'a Key, Vec<u32>>,
}

/// Where the cells of one part lie: the sampling unit slowest, then the other classifications.
struct Grid<'a> {
    base: &'a Key,
    /// Classifications with the distance between their codes and the number of these.
    strides: Vec<(&'a Key, u32, u32)>,
    cells: usize,
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

    fn read(&self, rows: &Rows, columns: &[&str]) -> Option<Batch<'_>> {
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
        Some(Batch { source: self, rows: rows.rows.len(), chunks, table })
    }

    /// The first pass.
    fn number<'k>(&self, columns: &Columns<'k>, base: &Key) -> Option<Codings<'k>> {
        let keys: Vec<&'k Key> =
            columns.keys.iter().copied().filter(|key| matches!(key, Key::Column(_))).collect();
        let base_place = keys.iter().position(|key| *key == base)?;
        let names: Vec<&str> = keys.iter().filter_map(|key| self.stored(key)).collect();
        let seen: Vec<Vec<Numbered>> = self
            .file
            .batches()
            .par_iter()
            .map(|rows| {
                let batch = self.read(rows, &names)?;
                let mut all: Vec<Numbered> = Vec::with_capacity(keys.len());
                for key in &keys {
                    let Key::Column(name) = key else { return None };
                    all.push(Numbered::of(batch.values(name)?)?);
                }
                // What follows from the unit, a code of the unit each; the rows' own codes are no longer needed.
                let units = std::mem::take(&mut all[base_place].codes);
                if all[base_place].missing {
                    return None;
                }
                for numbered in &mut all {
                    let mut follows = vec![MISSING; numbered_units(&units)];
                    let holds = units.iter().zip(&numbered.codes).all(|(unit, code)| {
                        let place = &mut follows[*unit as usize];
                        let same = *place == MISSING || *place == *code;
                        *place = *code;
                        same && *code != MISSING
                    });
                    numbered.codes = if holds { follows } else { Vec::new() };
                }
                Some(all)
            })
            .collect::<Option<_>>()?;
        let mut codings = Codings { of: HashMap::new(), follows: HashMap::new() };
        for (place, key) in keys.iter().enumerate() {
            let missing = seen.iter().any(|batch| batch[place].missing);
            let levels = seen.iter().flat_map(|batch| batch[place].levels.iter().flatten().cloned());
            codings.of.insert(key, Coding::new(levels.collect(), missing)?);
        }
        let units = &codings.of[keys[base_place]];
        for (place, key) in keys.iter().enumerate().filter(|(place, _)| *place != base_place) {
            let coding = &codings.of[key];
            let mut follows = vec![MISSING; units.size()];
            let holds = seen.iter().all(|batch| {
                let (base, own) = (&batch[base_place].levels, &batch[place]);
                !own.codes.is_empty()
                    && own.codes.iter().zip(base).all(|(code, unit)| {
                        let level = own.levels.get(*code as usize).and_then(Option::as_ref);
                        let (Some(level), Some(unit)) = (level, unit) else { return true };
                        let (Some(code), Some(unit)) = (coding.code_of(level), units.code_of(unit)) else {
                            return false;
                        };
                        let known = &mut follows[unit as usize];
                        let same = *known == MISSING || *known == code;
                        *known = code;
                        same
                    })
            });
            if holds && !coding.missing {
                codings.follows.insert(key, follows);
            }
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
    fn add(&self, rows: &Rows, grids: &[Grid<'_>], codings: &Codings<'_>, cells: &mut [Cells]) -> Option<()> {
        // One column of values after the other, so that few are in memory at a time.
        let summed: IndexSet<&str> =
            grids.iter().flat_map(|g| g.sums.iter().filter(|s| s.1.is_none()).map(|s| s.0)).collect();
        let apart = |name: &&str| !self.is_classified(name) && self.columns.contains(*name);
        let (later, first): (Vec<&str>, Vec<&str>) = summed.into_iter().partition(apart);
        let lasting = self.columns.iter().map(String::as_str).filter(|name| !later.contains(name));
        let mut batch = self.read(rows, &lasting.collect::<Vec<_>>())?;
        let weights = batch.weights()?.map(Cow::into_owned);
        let mut places: Vec<Vec<u32>> = Vec::with_capacity(grids.len());
        for (grid, cells) in grids.iter().zip(cells.iter_mut()) {
            let mut place = vec![0_u32; batch.rows];
            for (key, stride, _) in &grid.strides {
                batch.coded(key, *stride, codings, weights.as_deref())?.place(&mut place);
            }
            cells.count(&place, weights.as_deref());
            places.push(place);
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; batch.rows]);
        for name in first.into_iter().chain(later) {
            let is_new = self.columns.contains(name) && batch.values(name).is_none();
            if is_new {
                batch.chunks.insert(name.to_owned(), self.file.read(rows, name).ok()?);
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

    /// Whether more than one sum of a value is made of the column.
    fn is_classified(&self, name: &str) -> bool {
        let design = &self.plan.design;
        design.weights.iter().chain(&design.probabilities).any(|other| other == name)
            || self.layout.parts.iter().any(|part| {
                part.products.iter().any(|(a, b)| a == name || b == name)
                    || part.keys.iter().any(|key| match key {
                        Key::Column(column) | Key::Points(_, column) => {
                            self.layout.schema.copied(column).unwrap_or(column) == name
                        }
                        Key::Complete(columns) => columns.iter().any(|column| column == name),
                        Key::Row | Key::Weightless | Key::Condition(_) => false,
                    })
            })
    }
}

/// Units of a batch, by the greatest code.
fn numbered_units(units: &[u32]) -> usize {
    units.iter().max().map_or(0, |most| *most as usize + 1)
}

/// One classification of a batch.
enum Coded<'a> {
    Column { coding: &'a Coding, values: Values<'a>, translation: Vec<u32>, stride: u32 },
    Own { codes: Vec<u8>, stride: u32 },
}

impl Coded<'_> {
    fn place(&self, cells: &mut [u32]) {
        match self {
            Self::Column { coding, values, translation, stride } => {
                coding.place(*values, translation, *stride, cells);
            }
            Self::Own { codes, stride } => {
                cells.iter_mut().zip(codes).for_each(|(cell, code)| *cell += stride * u32::from(*code));
            }
        }
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

    fn coded<'b>(
        &'b self,
        key: &Key,
        stride: u32,
        codings: &'b Codings<'_>,
        weights: Option<&[f64]>,
    ) -> Option<Coded<'b>> {
        Some(match key {
            Key::Row => return None,
            Key::Column(name) => {
                let (coding, values) = (codings.of.get(key)?, self.values(name)?);
                let is_text = matches!(values, Values::Text { .. });
                if is_text != matches!(coding.levels, Levels::Texts(_))
                    && coding.size() > usize::from(coding.missing)
                {
                    return None;
                }
                Coded::Column { coding, values, translation: coding.translation(values), stride }
            }
            Key::Weightless => {
                let codes = weights?.iter().map(|w| u8::from(*w == 0.0)).collect();
                Coded::Own { codes, stride }
            }
            Key::Condition(sql) => {
                let held = Expression::parse(sql).ok()?.condition(&self.table).ok()?;
                let codes = held.into_iter().map(|truth| truth.map_or(2, u8::from)).collect::<Vec<_>>();
                if codes.len() != self.rows {
                    return None;
                }
                Coded::Own { codes, stride }
            }
            Key::Points(request, name) => {
                let points = points(self.source.plan, *request);
                let code = |x: f64| match x.is_nan() {
                    true => points.len(),
                    false => points[..points.len() - 1].partition_point(|point| *point < x),
                };
                let codes = self.reals(name)?.iter().map(|x| code(*x) as u8).collect();
                Coded::Own { codes, stride }
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
                Coded::Own { codes, stride }
            }
        })
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
        Some(Self { base, strides, cells, sums: single.chain(pairs).collect() })
    }

    /// The sums of a single column, with where they are kept.
    fn sums_of<'s>(
        &'s self,
        name: &str,
        sums: &'s mut [Vec<f64>],
    ) -> impl Iterator<Item = (&'s (&'a str, Option<&'a str>, bool), &'s mut Vec<f64>)> {
        self.sums.iter().zip(sums).filter(move |((own, other, _), _)| *own == name && other.is_none())
    }

    /// The cells that hold rows, as the rows of the part's totals.
    fn table(
        &self,
        part: &Part,
        columns: &Columns,
        plan: &Plan,
        codings: &Codings<'_>,
        cells: Cells,
        rows: usize,
    ) -> Option<Table> {
        let filled: Vec<u32> = (0..self.cells as u32).filter(|cell| cells.n[*cell as usize] > 0).collect();
        if rows > 1 << 17 && 2 * filled.len() > rows {
            return None;
        }
        let codes_of = |key: &Key| -> Option<Vec<u32>> {
            let (_, stride, size) = self.strides.iter().find(|(k, _, _)| *k == key)?;
            Some(filled.iter().map(|cell| cell / stride % size).collect())
        };
        let units = codes_of(self.base)?;
        let of_numbers = |codes: Vec<u32>, numbers: &[f64]| {
            let number = |code: u32| numbers.get(code as usize).copied().unwrap_or(f64::NAN);
            Column::Number(codes.into_iter().map(number).collect())
        };
        let mut table = Table::default();
        for key in part.keys.iter().filter(|key| **key != Key::Weightless) {
            let column = match (key, codings.follows.get(key)) {
                (_, Some(follows)) => codings.of.get(key)?.column(units.iter().map(|u| follows[*u as usize])),
                (Key::Column(_), None) => codings.of.get(key)?.column(codes_of(key)?.into_iter()),
                (Key::Points(request, _), None) => of_numbers(codes_of(key)?, &points(plan, *request)),
                (_, None) => of_numbers(codes_of(key)?, &[0.0, 1.0]),
            };
            table.push(format!("k{}", columns.keys.get_index_of(key)? + 1), column).ok()?;
        }
        let mut push = |name: String, value: &dyn Fn(usize) -> f64| {
            let values = filled.iter().map(|cell| value(*cell as usize)).collect();
            table.push(name, Column::Number(values)).ok()
        };
        push("n".into(), &|cell| f64::from(cells.n[cell]))?;
        push("bad_weights".into(), &|_| 0.0)?;
        match cells.weight.is_empty() {
            true => push("w".into(), &|cell| f64::from(cells.n[cell]))?,
            false => push("w".into(), &|cell| cells.weight[cell])?,
        }
        let (single, pairs) = cells.sums.split_at(part.sums.len());
        for (name, sum) in part.sums.iter().zip(single) {
            push(format!("s{}", columns.sums.get_index_of(name.as_str())? + 1), &|cell| sum[cell])?;
        }
        for (pair, sum) in part.products.iter().zip(pairs) {
            push(format!("p{}", columns.products.get_index_of(pair)? + 1), &|cell| sum[cell])?;
        }
        Some(table)
    }
}
