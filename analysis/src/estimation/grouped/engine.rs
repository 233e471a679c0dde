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

use super::batch::Batch;
use super::calibrated::{Adjusted, Calibration};
use super::codings::{Coding, Codings, Numbered};
use super::grid::Grid;
use super::layout::{Key, Layout, stages};
use super::query::{Columns, columns_read};
use super::totals::{Cells, Totals, add_products, add_together};
use crate::estimation::{Plan, prepare};
use crate::sql::Expression;
use crate::table::parquet::{Batch as Rows, Chunk, ParquetFile, with_numbers};
use crate::table::{MISSING, Table};

/// A lane is worth its cells where it has this many times as many rows.
const ROWS_A_CELL: usize = 4;

const MOST_LANES: usize = 16;

/// Columns whose sums are made side by side.
const TOGETHER: usize = 4;

/// What the numbers of all rows may take from the first pass to the second.
const KEPT_BYTES: usize = 1 << 28;

/// Batches take and give back the same few megabytes again and again. The C library of Linux hands memory
/// over to the system at once unless it has seen a larger block freed, and getting it back costs as much
/// as decoding; so it is shown one, of the greatest size that it learns from.
fn keep_freed_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(std::hint::black_box(vec![0_u8; (32 << 20) - (1 << 16)])));
}

/// One part, grouped.
pub(super) struct Grouped<'a> {
    pub totals: Totals<'a>,
    /// Where the weights of the totals are already adjusted: what the errors need of it.
    pub adjusted: Option<Adjusted<'a>>,
}

/// The totals of every part. `None` where grouping does not pay, where it needs single rows, or where a value
/// is wrong or missing.
pub(super) fn group<'a>(
    layout: &'a Layout,
    plan: &'a Plan,
    path: &Path,
    columns: &Columns<'a>,
) -> Option<Vec<Grouped<'a>>> {
    keep_freed_memory();
    let source = Source::open(layout, plan, path)?;
    let base = Key::Column(plan.design.clusters.get(stages(plan).checked_sub(1)?)?.clone());
    let base: &'a Key = columns.keys.get(&base)?;
    let codings = source.number(columns, base)?;
    direct(&source, &codings).or_else(|| calibrated(&source, &codings))
}

/// Every part grouped by all its classifications.
fn direct<'a>(source: &Source<'a>, codings: &Codings<'a>) -> Option<Vec<Grouped<'a>>> {
    let (layout, plan, rows) = (source.layout, source.plan, source.file.height());
    let grids: Vec<Grid> =
        layout.parts.iter().map(|part| Grid::of_part(part, plan, codings, rows)).collect::<Option<_>>()?;
    let sums = source.sums(&grids, codings, None)?;
    let parts = layout.parts.iter().zip(&grids).zip(sums.cells);
    parts
        .map(|((part, grid), cells)| {
            let totals = grid.totals(part, plan, codings, cells, rows)?;
            Some(Grouped { totals, adjusted: None })
        })
        .collect()
}

/// Every part grouped by its units without the classes of the adjustments, once the weights are adjusted
/// from the totals of these classes; and by its classes without the units.
fn calibrated<'a>(source: &Source<'a>, codings: &Codings<'a>) -> Option<Vec<Grouped<'a>>> {
    let (layout, plan, rows) = (source.layout, source.plan, source.file.height());
    if !Calibration::is_possible(layout, plan, codings) {
        return None;
    }
    let classes = Grid::of_classes(None, &layout.adjusting, plan, codings, rows)?;
    let mut sums = source.sums(std::slice::from_ref(&classes), codings, None)?;
    let calibration = Calibration::of(classes, &sums.cells.pop()?, sums.weights, layout, plan, codings)?;
    let mut grids: Vec<Grid> = Vec::with_capacity(2 * layout.parts.len());
    for part in &layout.parts {
        grids.push(Grid::of_units(part, &layout.adjusting, plan, codings, rows)?);
        grids.push(Grid::of_classes(Some(part), &layout.adjusting, plan, codings, rows)?);
    }
    let sums = source.sums(&grids, codings, Some(&calibration))?;
    let mut cells = sums.cells.into_iter();
    let mut parts = Vec::with_capacity(layout.parts.len());
    for (part, grids) in layout.parts.iter().zip(grids.chunks(2)) {
        let totals = grids[0].totals(part, plan, codings, cells.next()?, rows)?;
        let crossed = grids[1].totals(part, plan, codings, cells.next()?, rows)?;
        let adjusted = calibration.adjusted(crossed, &sums.unit_totals);
        parts.push(Grouped { totals, adjusted: Some(adjusted) });
    }
    Some(parts)
}

/// What one lane, or all of them, added up.
#[derive(Default)]
struct Sums {
    /// Of each grid.
    cells: Vec<Cells>,
    /// Of each calibration: Σ weight × auxiliary variable by unit.
    unit_totals: Vec<Vec<f64>>,
    /// The weights of the rows of each batch; empty where they are not kept.
    weights: Vec<(usize, Vec<f64>)>,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.cells.iter_mut().zip(&other.cells).for_each(|(a, b)| a.add(b));
        for (sum, other) in self.unit_totals.iter_mut().zip(&other.unit_totals) {
            sum.iter_mut().zip(other).for_each(|(a, b)| *a += b);
        }
        self.weights.extend(other.weights);
    }
}

/// What the first pass saw of the classifications in one batch.
struct Seen {
    numbered: Vec<Numbered>,
    /// Code of each unit of the batch, of those that follow from it there.
    follows: Vec<Option<Vec<u32>>>,
}

/// The file and what is made of its columns before the grouping.
pub(super) struct Source<'a> {
    file: ParquetFile,
    pub layout: &'a Layout,
    pub plan: &'a Plan,
    /// Columns of the file that the sums and classifications read.
    columns: IndexSet<String>,
    /// Columns of the file that expressions read.
    inputs: Vec<String>,
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
    fn number<'k>(&self, columns: &Columns<'k>, base: &'k Key) -> Option<Codings<'k>> {
        let keys: Vec<&'k Key> =
            columns.keys.iter().copied().filter(|key| matches!(key, Key::Column(_))).collect();
        let base_place = keys.iter().position(|key| *key == base)?;
        let names: Vec<&str> = keys.iter().filter_map(|key| self.stored(key)).collect();
        let keep = self.file.height() * keys.len() * size_of::<u32>() <= KEPT_BYTES;
        let seen: Vec<Seen> = (0..self.file.batches().len())
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
                Some(Seen { numbered: all, follows })
            })
            .collect::<Option<_>>()?;
        let mut codings = Codings { base, of: HashMap::new(), follows: HashMap::new(), kept: Vec::new() };
        for (place, key) in keys.iter().enumerate() {
            let missing = seen.iter().any(|batch| batch.numbered[place].missing);
            let levels = seen.iter().flat_map(|batch| batch.numbered[place].levels.iter().flatten().cloned());
            codings.of.insert(key, Coding::new(levels.collect(), missing)?);
        }
        let units = &codings.of[keys[base_place]];
        let unit_codes: Vec<Vec<u32>> =
            seen.iter().map(|batch| batch.numbered[base_place].steps(units, 1)).collect::<Option<_>>()?;
        for (place, key) in keys.iter().enumerate().filter(|(place, _)| *place != base_place) {
            let coding = &codings.of[key];
            let mut follows = vec![MISSING; units.size()];
            let holds = seen.iter().zip(&unit_codes).all(|(batch, units)| {
                let codes = batch.numbered[place].steps(coding, 1);
                let (Some(own), Some(codes)) = (&batch.follows[place], codes) else { return false };
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
            let rest = seen.into_iter().map(|batch| {
                let own = keys.iter().copied().zip(batch.numbered);
                let counted = |key: &Key| self.layout.parts.iter().any(|part| part.shares.contains(key));
                own.filter(|(key, _)| !codings.follows.contains_key(key) || counted(key)).collect()
            });
            codings.kept = rest.collect();
        }
        Some(codings)
    }

    /// The file's column behind a classification, if it is not derived.
    fn stored<'k>(&'k self, key: &'k Key) -> Option<&'k str> {
        let Key::Column(name) = key else { return None };
        let name = self.layout.schema.copied(name).unwrap_or(name);
        self.columns.contains(name).then_some(name)
    }

    /// The second pass: the sums of all cells, lane by lane.
    fn sums(
        &self,
        grids: &[Grid<'_>],
        codings: &Codings<'_>,
        calibration: Option<&Calibration<'_>>,
    ) -> Option<Sums> {
        let (rows, batches) = (self.file.height(), self.file.batches().len());
        let cells: usize = grids.iter().map(|g| g.cells * (1 + g.sums.len() + g.width())).sum();
        let lanes = (rows / (ROWS_A_CELL * cells.max(1))).clamp(2, MOST_LANES).min(batches).max(1);
        let lanes: Vec<Sums> = (0..lanes)
            .into_par_iter()
            .map(|lane| {
                let mut sums = Sums {
                    cells: grids.iter().map(|g| g.empty(self.is_weighted())).collect(),
                    unit_totals: calibration.map_or_else(Vec::new, |c| c.no_unit_totals(codings)),
                    weights: Vec::new(),
                };
                for number in (lane..batches).step_by(lanes) {
                    self.add(number, grids, codings, calibration, &mut sums)?;
                }
                Some(sums)
            })
            .collect::<Option<_>>()?;
        lanes.into_iter().reduce(|mut all, lane| {
            all.add(lane);
            all
        })
    }

    /// Adds the rows of a batch to the cells of every grid.
    fn add(
        &self,
        number: usize,
        grids: &[Grid<'_>],
        codings: &Codings<'_>,
        calibration: Option<&Calibration<'_>>,
        sums: &mut Sums,
    ) -> Option<()> {
        // One column of values after the other, so that few are in memory at a time.
        let summed: IndexSet<&str> =
            grids.iter().flat_map(|g| g.sums.iter().filter(|s| s.1.is_none()).map(|s| s.0)).collect();
        let known = calibration.and_then(|c| c.weights(number));
        let classes = calibration.map(|c| &c.classes);
        let lasting: IndexSet<&str> = self.lasting(grids.iter().chain(classes), codings, known.is_none());
        let apart = |name: &&str| !lasting.contains(*name) && self.columns.contains(*name);
        let (later, first): (Vec<&str>, Vec<&str>) = summed.into_iter().partition(apart);
        let batch = self.read(number, &lasting.into_iter().collect::<Vec<_>>())?;
        let mut weights = match known {
            Some(weights) => Some(weights.to_vec()),
            None => batch.weights()?.map(Cow::into_owned),
        };
        if let Some(calibration) = calibration {
            calibration.apply(&batch, codings, weights.as_mut()?, &mut sums.unit_totals)?;
        }
        let cells = &mut sums.cells;
        let mut places: Vec<Vec<u32>> = Vec::with_capacity(grids.len());
        for (grid, cells) in grids.iter().zip(cells.iter_mut()) {
            let mut place = vec![0_u32; batch.rows];
            for (key, stride, _) in &grid.strides {
                batch.place(key, *stride, codings, weights.as_deref(), &mut place)?;
            }
            cells.count(&place, weights.as_deref());
            for ((key, width, drop), share) in grid.shares.iter().zip(&mut cells.shares) {
                batch.share(key, (*width, *drop), codings, weights.as_deref(), &place, share)?;
            }
            places.push(place);
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; batch.rows]);
        for name in first {
            for ((grid, cells), place) in grids.iter().zip(cells.iter_mut()).zip(&places) {
                for ((_, _, drop), sum) in grid.sums_of(name, &mut cells.sums) {
                    batch.sum(name, None, *drop, place, &weights, sum)?;
                }
            }
        }
        let rows = self.batch(number)?;
        for names in later.chunks(TOGETHER) {
            let chunks: Vec<Chunk> =
                names.iter().map(|name| self.file.read(rows, name).ok()).collect::<Option<_>>()?;
            for ((grid, cells), place) in grids.iter().zip(cells.iter_mut()).zip(&places) {
                let wanted: Vec<(&Chunk, bool, usize)> = names
                    .iter()
                    .zip(&chunks)
                    .filter_map(|(name, chunk)| {
                        let own =
                            |(sum, other, _): &(&str, Option<&str>, bool)| sum == name && other.is_none();
                        let at = grid.sums.iter().position(own)?;
                        Some((chunk, grid.sums[at].2, at))
                    })
                    .collect();
                let few = grid.cells - grid.apart <= rows.rows.len() / 2;
                if few && let [a, b, c, d] = wanted[..] {
                    let sums =
                        add_together([a, b, c, d].map(|w| w.0.values()), place, &weights, cells.n.len());
                    if let Some(sums) = sums {
                        for (k, (_, _, at)) in wanted.iter().enumerate() {
                            let own = cells.sums[*at].iter_mut().zip(&sums);
                            own.for_each(|(sum, four)| *sum += four[k]);
                        }
                        continue;
                    }
                }
                for (chunk, drop, at) in wanted {
                    with_numbers!(chunk.values(),
                        numbers => add_products(&mut cells.sums[at], place, &weights, numbers, drop)?,
                        _codes, _levels => return None);
                }
            }
        }
        for ((grid, cells), place) in grids.iter().zip(cells).zip(&places) {
            for ((name, other, drop), sum) in grid.sums.iter().zip(&mut cells.sums) {
                if other.is_some() {
                    batch.sum(name, *other, *drop, place, &weights, sum)?;
                }
            }
        }
        // The classes of adjustments are summed alone, and the weights needed once more.
        if !codings.kept.is_empty() && grids.iter().all(Grid::is_of_classes) {
            sums.weights.push((number, weights));
        }
        Some(())
    }

    /// The file's columns that the second pass reads once for more than a sum of their values.
    fn lasting<'s>(
        &'s self,
        grids: impl Iterator<Item = &'s Grid<'s>>,
        codings: &Codings<'s>,
        weights: bool,
    ) -> IndexSet<&'s str> {
        let design = &self.plan.design;
        let mut names: IndexSet<&str> = IndexSet::new();
        if weights {
            names.extend(design.weights.iter().chain(&design.probabilities).map(String::as_str));
        }
        for grid in grids {
            let pairs = grid.sums.iter().filter_map(|(a, b, _)| Some([*a, (*b)?]));
            names.extend(pairs.flatten());
            let keys = grid.strides.iter().map(|s| s.0).chain(grid.shares.iter().map(|s| s.0));
            for key in keys.chain([codings.base]) {
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
