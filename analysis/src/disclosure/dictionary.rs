//! The sums among the hidden cells solved for some of them, from which one hidden cell after the other is moved.
//!
//! A dictionary in the sense of the simplex method: every hidden cell is either free or a sum of free ones. The same
//! dictionary serves all questions, each of which starts from the true counts and needs few pivots. What it gives is a
//! filling, checked against the sums themselves, so that a wrong pivot can leave a cell unproven but never make it
//! look safe.

use super::expansion::{Expansion, Scratch, Terms, ZERO};
use super::fillings::{Changes, Movement};
use std::collections::HashMap;

/// Pivots after which a question stays open …
const MOST_PIVOTS: usize = 60;
/// … and after which it stays open if not a tenth of the way is done.
const FIRST_PIVOTS: usize = 20;
/// How far a filling may be off in a sum or below zero.
const OFF: f64 = 1e-7;
/// Counts are lowered by about this while pivoting, each by another amount, so that no two cells reach zero at once
/// and no pivot stays on the spot.
const APART: f64 = 1e-5;

pub(super) struct Dictionary {
    /// Cells by local number.
    cells: Vec<usize>,
    local: HashMap<usize, usize>,
    /// How far each can fall.
    down: Vec<f64>,
    /// Cells that are sums of others that cannot become negative.
    is_sum: Vec<bool>,
    /// Cells that must stay as they are.
    held: Vec<bool>,
    /// The cells' equations, in local numbers.
    sums: Vec<Terms>,
    /// Dependent cells by row, free cells by column, and where each cell stands.
    rows: Vec<usize>,
    columns: Vec<usize>,
    place: Vec<Place>,
    /// Row by row: the dependent cell's factors of the free ones.
    entries: Vec<f64>,
    /// Multiplications so far: the same on every machine.
    work: u64,
}

#[derive(Clone, Copy)]
enum Place {
    Row(usize),
    Column(usize),
}

/// Where the cells stand in the course of one question, by local number.
struct Point {
    /// With the counts lowered a little.
    value: Vec<f64>,
    /// Free cells that went to the end of their way down.
    at_end: Vec<bool>,
    /// How far other free cells were taken.
    taken: Vec<f64>,
}

impl Point {
    fn start(cells: usize) -> Self {
        Self { value: vec![0.0; cells], at_end: vec![false; cells], taken: vec![0.0; cells] }
    }
}

impl Dictionary {
    /// Of the given cells. `movement`: by cell, how it can change; none cannot. `equations` and `sums_of` (by cell,
    /// the equations it stands in) as in `Counts`.
    pub fn new(
        cells: &[usize],
        movement: &[Option<Movement>],
        equations: &[Vec<(usize, i8)>],
        sums_of: &[Vec<usize>],
    ) -> Self {
        let local: HashMap<usize, usize> = cells.iter().enumerate().map(|(at, c)| (*c, at)).collect();
        let mut touched: Vec<usize> = cells.iter().flat_map(|c| &sums_of[*c]).copied().collect();
        touched.sort_unstable();
        touched.dedup();
        let within = |sum: &usize| -> Terms {
            equations[*sum].iter().filter_map(|(c, a)| Some((*local.get(c)?, f64::from(*a)))).collect()
        };
        let sums: Vec<Terms> = touched.iter().map(within).collect();
        let mut dictionary = Self {
            down: cells.iter().map(|c| movement[*c].map_or(0.0, |m| m.down)).collect(),
            is_sum: cells.iter().map(|c| movement[*c].is_some_and(|m| !m.is_limited)).collect(),
            held: cells.iter().map(|c| movement[*c].is_none()).collect(),
            cells: cells.to_vec(),
            local,
            sums,
            rows: Vec::new(),
            columns: Vec::new(),
            place: vec![Place::Column(0); cells.len()],
            entries: Vec::new(),
            work: 0,
        };
        dictionary.solve();
        dictionary
    }

    pub fn work(&self) -> u64 {
        self.work
    }

    /// Solves the sums: first each total for its parts, then what is left for one part after the other.
    fn solve(&mut self) {
        let n = self.cells.len();
        let expansion = Expansion::of(n, &self.sums);
        let mut scratch = Scratch::new(n);
        for (is_sum, parts) in self.is_sum.iter_mut().zip(&expansion.parts) {
            *is_sum &= parts.is_some();
        }
        let left = expansion.left;
        let mut how_often = vec![0_usize; n];
        left.iter().flatten().for_each(|(cell, _)| how_often[*cell] += 1);
        let mut solved: Vec<(usize, Terms)> = Vec::new();
        let mut solved_at: Vec<Option<usize>> = vec![None; n];
        for terms in left {
            terms.iter().for_each(|(cell, factor)| scratch.add(*cell, *factor));
            scratch.substitute(&solved, &solved_at);
            let terms = scratch.take();
            let most = terms.iter().map(|(_, f)| f.abs()).fold(0.0, f64::max);
            let fits = terms.iter().filter(|(_, f)| f.abs() > 0.5 * most);
            let Some((cell, factor)) = fits.min_by_key(|(cell, _)| (how_often[*cell], *cell)).copied() else {
                continue;
            };
            let others = terms.into_iter().filter(|(c, _)| *c != cell).map(|(c, f)| (c, -f / factor));
            solved_at[cell] = Some(solved.len());
            solved.push((cell, others.collect()));
        }
        for at in (0..solved.len()).rev() {
            solved[at].1.iter().for_each(|(cell, factor)| scratch.add(*cell, *factor));
            scratch.substitute_last(&solved, &solved_at);
            solved[at].1 = scratch.take();
        }
        for (cell, parts) in expansion.parts.iter().enumerate() {
            let Some(parts) = parts else { continue };
            parts.iter().for_each(|(part, factor)| scratch.add(*part, *factor));
            scratch.substitute_last(&solved[..], &solved_at);
            solved.push((cell, scratch.take()));
        }
        let mut is_dependent = vec![false; n];
        solved.iter().for_each(|(cell, _)| is_dependent[*cell] = true);
        self.columns = (0..n).filter(|c| !is_dependent[*c]).collect();
        self.columns.iter().enumerate().for_each(|(at, c)| self.place[*c] = Place::Column(at));
        self.entries = vec![0.0; solved.len() * self.columns.len()];
        for (row, (cell, terms)) in solved.into_iter().enumerate() {
            self.rows.push(cell);
            self.place[cell] = Place::Row(row);
            for (free, factor) in terms {
                if let Place::Column(column) = self.place[free] {
                    self.entries[row * self.columns.len() + column] = factor;
                }
            }
        }
    }

    /// True where the cell was hidden when the dictionary was made.
    pub fn holds(&self, cell: usize) -> bool {
        self.local.contains_key(&cell)
    }

    fn row(&self, row: usize) -> &[f64] {
        let width = self.columns.len();
        &self.entries[row * width..(row + 1) * width]
    }

    fn low(&self, cell: usize) -> f64 {
        let spread = (cell as f64 * 0.618_033_988_749_895).fract();
        -self.down[cell] - APART * (0.5 + spread)
    }

    /// Keeps the cell as it is from now on.
    pub fn hold(&mut self, cell: usize) {
        let Some(cell) = self.local.get(&cell).copied() else { return };
        if let Place::Row(row) = self.place[cell] {
            let entries = self.row(row).iter().enumerate();
            let open = entries.filter(|(column, e)| e.abs() > ZERO && !self.held[self.columns[*column]]);
            let best = open.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()).then(b.0.cmp(&a.0)));
            if let Some((column, _)) = best {
                self.pivot(row, column);
            }
        }
        self.held[cell] = true;
    }

    /// Lets the cell move again.
    pub fn release(&mut self, cell: usize) {
        if let Some(cell) = self.local.get(&cell) {
            self.held[*cell] = false;
        }
    }

    /// Changes in which the cell moves in the direction of `sign` by `need`, or as far as was found in a limited
    /// number of pivots. `None` where it does not move.
    pub fn reach(&mut self, cell: usize, sign: f64, need: f64) -> Option<Changes> {
        let target = *self.local.get(&cell)?;
        if self.held[target] {
            return None;
        }
        let mut point = Point::start(self.cells.len());
        let mut best = None;
        for pivots in 0..MOST_PIVOTS {
            let is_slow = pivots >= FIRST_PIVOTS && sign * point.value[target] < 0.1 * need;
            if is_slow || !self.step(target, sign, need, &mut point) {
                break;
            }
            if sign * point.value[target] >= need - 1e-3 {
                best = self.filling(&point).filter(|f| sign * f[target] >= need - OFF);
                if best.is_some() {
                    break;
                }
            }
        }
        let best = best.or_else(|| self.filling(&point))?;
        let changes = best.iter().enumerate().filter(|(_, change)| change.abs() > OFF);
        let changes: Changes = changes.map(|(at, change)| (self.cells[at], *change)).collect();
        (!changes.is_empty()).then_some(changes)
    }

    /// One step towards moving `target`; false where there is none.
    fn step(&mut self, target: usize, sign: f64, need: f64, point: &mut Point) -> bool {
        let gains = |factor: f64, cell: usize| -> f64 {
            let gain = sign * factor;
            let can = gain > ZERO || !point.at_end[cell];
            if gain.abs() > ZERO && can && !self.held[cell] { gain } else { 0.0 }
        };
        let entering = match self.place[target] {
            Place::Column(column) => Some((column, gains(1.0, target))),
            Place::Row(row) => {
                let all =
                    self.row(row).iter().zip(&self.columns).map(|(e, cell)| gains(*e, *cell)).enumerate();
                all.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()).then(b.0.cmp(&a.0)))
            }
        };
        let Some((column, gain)) = entering.filter(|(_, gain)| gain.abs() > ZERO) else { return false };
        let (free, direction) = (self.columns[column], gain.signum());
        let width = self.columns.len();
        let mut most = match direction > 0.0 {
            true => f64::INFINITY,
            false => point.value[free] - self.low(free),
        };
        let mut leaving = None;
        let mut moving = Vec::new();
        for (row, dependent) in self.rows.iter().enumerate() {
            let entry = self.entries[row * width + column];
            if entry == 0.0 {
                continue;
            }
            let rate = direction * entry;
            moving.push((*dependent, rate));
            if rate < -ZERO && !self.is_sum[*dependent] {
                let room = ((point.value[*dependent] - self.low(*dependent)) / -rate).max(0.0);
                if room < most {
                    (most, leaving) = (room, Some(row));
                }
            }
        }
        self.work += self.rows.len() as u64;
        let is_endless = most.is_infinite();
        if is_endless {
            most = (2.0 * need / gain.abs()).ceil();
        }
        point.value[free] += direction * most;
        point.at_end[free] = false;
        moving.into_iter().for_each(|(cell, rate)| point.value[cell] += rate * most);
        match leaving {
            Some(row) => {
                let out = self.rows[row];
                point.taken[free] = 0.0;
                point.at_end[out] = true;
                self.pivot(row, column);
            }
            None if is_endless => point.taken[free] += direction * most,
            None => point.at_end[free] = true,
        }
        true
    }

    /// The point with the true counts, by local number; `None` where it does not keep the sums.
    fn filling(&self, point: &Point) -> Option<Vec<f64>> {
        let mut changes = vec![0.0; self.cells.len()];
        for cell in &self.columns {
            changes[*cell] = if point.at_end[*cell] { -self.down[*cell] } else { point.taken[*cell] };
        }
        let moved: Vec<(usize, f64)> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, c)| (at, changes[*c]))
            .filter(|(_, by)| *by != 0.0)
            .collect();
        for (row, cell) in self.rows.iter().enumerate() {
            let entries = self.row(row);
            let change: f64 = moved.iter().map(|(column, by)| entries[*column] * by).sum();
            let whole = change.round();
            changes[*cell] = if (change - whole).abs() < OFF { whole } else { change };
        }
        let is_positive = changes.iter().zip(&self.down).all(|(change, down)| *change >= -down - OFF);
        let is_held = changes.iter().zip(&self.held).all(|(change, held)| !held || change.abs() < OFF);
        let adds_up =
            |terms: &Terms| terms.iter().map(|(c, a)| a * changes[*c]).sum::<f64>().abs() < OFF * 10.0;
        (is_positive && is_held && self.sums.iter().all(adds_up)).then_some(changes)
    }

    /// Makes the dependent cell of `row` free and the free cell of `column` dependent.
    fn pivot(&mut self, row: usize, column: usize) {
        let width = self.columns.len();
        let at = row * width;
        let by = 1.0 / self.entries[at + column];
        let mut changed: Vec<(usize, f64)> = Vec::new();
        for (j, entry) in self.entries[at..at + width].iter_mut().enumerate() {
            if j == column {
                *entry = by;
            } else if *entry != 0.0 {
                *entry *= -by;
                if entry.abs() < ZERO {
                    *entry = 0.0;
                } else {
                    changed.push((j, *entry));
                }
            }
        }
        for other in (0..self.rows.len()).filter(|r| *r != row) {
            let line = &mut self.entries[other * width..(other + 1) * width];
            let factor = line[column];
            if factor == 0.0 {
                continue;
            }
            line[column] = factor * by;
            for (j, entry) in &changed {
                let sum = line[*j] + factor * entry;
                line[*j] = if sum.abs() < ZERO { 0.0 } else { sum };
            }
            self.work += changed.len() as u64;
        }
        self.work += self.rows.len() as u64;
        let (out, into) = (self.rows[row], self.columns[column]);
        self.rows[row] = into;
        self.columns[column] = out;
        self.place[into] = Place::Row(row);
        self.place[out] = Place::Column(column);
    }
}
