//! Rounding in the place of hiding: every count becomes a multiple of the base, up or down by chance.
//!
//! An attacker knows the rule and all published counts, not the seed. A published zero stands for 0 … base, any other
//! count for one base to either side, and at least one respondent. What these intervals of all linked cells together
//! tell about a count that hiding would have hidden is tried out with linear programs ([`People`]); where it were
//! too much, that count or one around it is rounded the other way.

use super::counts::{Columns, Counts, Tree};
use super::earlier::Released;
use super::protection::{ProtectError, ProtectionPlan};
use super::unsafe_counts::unsafe_counts;
use super::worlds::{Changes, Moving, People, Target, reach};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use surveys::chance::Chance;

/// Codes a column that the programs move, one after the other.
const BREADTHS: [usize; 3] = [1, 2, 4];
/// Draws that are tried before the tables are refused.
const ATTEMPTS: usize = 4;
/// How often one count is rounded anew in one of them.
const MOST_TURNS: usize = 4;
const TOLERANCE: f64 = 1e-6;

pub(super) struct Rounding<'a> {
    plan: &'a ProtectionPlan,
    counts: &'a Counts,
    people: People,
    base: usize,
    /// By cell of a table.
    published: BTreeMap<usize, usize>,
    /// Told by an earlier answer.
    fixed: BTreeMap<usize, usize>,
    targets: BTreeMap<usize, Target>,
    /// Counts that hiding would hide.
    must_be_open: BTreeSet<usize>,
    /// Fillings other than the truth, `None` where they no longer fit.
    fillings: Vec<Option<Changes>>,
    /// By cell, the fillings in which it was found least and most, with its change there.
    found: BTreeMap<usize, [Option<(usize, f64)>; 2]>,
}

/// The rounded count of each cell of `counts.tables`, by cell.
///
/// `plan`: its tables, those of the earlier answers behind them. `counts`: of that plan.
///
/// Errors: [`ProtectError::NotRounded`] where no way of rounding keeps a count open; [`ProtectError::OtherRounding`]
/// where an earlier answer does not fit.
pub(super) fn round(
    plan: &ProtectionPlan,
    counts: &Counts,
    data: &Columns,
    trees: &IndexMap<String, Tree>,
    released: &[Released],
    seed: &str,
) -> Result<BTreeMap<usize, usize>, ProtectError> {
    let tables: Vec<Vec<String>> = plan.tables.iter().map(|t| t.by.clone()).collect();
    let people = People::of(&tables, counts, data, trees)?;
    let base = plan.base.unwrap_or(plan.threshold);
    let mut fixed = BTreeMap::new();
    for answer in released {
        for (key, n) in answer.shown() {
            let Some(cell) = counts.cells.get_index_of(&key) else { continue };
            let is_possible = n % base == 0 && counts.cells[cell].n.abs_diff(n) <= base;
            if !is_possible || fixed.insert(cell, n).is_some_and(|before| before != n) {
                return Err(ProtectError::OtherRounding { file: answer.file().to_owned() });
            }
        }
    }
    let is_unsafe = unsafe_counts(counts, plan, &[]);
    let mut rounding = Rounding {
        targets: people.targets(),
        must_be_open: counts.tables.iter().flatten().copied().filter(|cell| is_unsafe[*cell]).collect(),
        published: BTreeMap::new(),
        fillings: Vec::new(),
        found: BTreeMap::new(),
        plan,
        counts,
        people,
        base,
        fixed,
    };
    let mut attempt = 1;
    loop {
        rounding.draw(seed, attempt);
        match rounding.repair() {
            Ok(()) => return Ok(rounding.published),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

/// Up or down with the probabilities that leave the expectation as it is; one multiple of the base in `base` goes up
/// by a whole base, and one down, so that no published count says that it is exact. Nobody stays nobody.
fn draw(n: usize, base: usize, chance: &mut Chance) -> usize {
    let (multiple, rest) = (n / base * base, n % base);
    let at = chance.unit() * base as f64;
    match (n, rest) {
        (0, _) => 0,
        (_, 0) if at < 1.0 => n - base,
        (_, 0) if at < 2.0 => n + base,
        (_, rest) if at < rest as f64 => multiple + base,
        _ => multiple,
    }
}

/// What a published count says of the true one: least and most.
fn stands_for(published: usize, base: usize) -> (f64, f64) {
    match published {
        0 => (0.0, base as f64),
        n => (n.saturating_sub(base).max(1) as f64, (n + base) as f64),
    }
}

impl Rounding<'_> {
    /// Rounds every cell of the tables by chance; a cell that an earlier answer told stays as it was.
    fn draw(&mut self, seed: &str, attempt: usize) {
        self.fillings.clear();
        self.found.clear();
        for cell in self.counts.tables.iter().flatten() {
            if let Some((key, count)) = self.counts.cells.get_index(*cell) {
                let label = format!("rounding {attempt}\n{seed}\n{}\n{key:?}", count.n);
                self.published.insert(*cell, draw(count.n, self.base, &mut Chance::new(0, &label)));
            }
        }
        self.published.extend(&self.fixed);
    }

    /// Rounds anew what could be bounded, until nothing can.
    fn repair(&mut self) -> Result<(), ProtectError> {
        let mut waiting: Vec<usize> = self.must_be_open.iter().copied().collect();
        waiting.sort_by_key(|i| (self.counts.cells[*i].n, *i));
        let mut waiting: VecDeque<usize> = waiting.into();
        // A cell turns only so often, so this ends.
        let mut turned: BTreeMap<usize, usize> = BTreeMap::new();
        while let Some(cell) = waiting.pop_front() {
            if self.is_open(cell) {
                continue;
            }
            let turn = self.turn(cell, &turned).ok_or_else(|| self.not_rounded(cell))?;
            turn.keys().for_each(|c| *turned.entry(*c).or_default() += 1);
            self.published.extend(turn);
            waiting.push_front(cell);
            waiting.extend(self.drop_what_no_longer_fits());
        }
        Ok(())
    }

    fn not_rounded(&self, cell: usize) -> ProtectError {
        let at = self.counts.tables.iter().position(|t| t.contains(&cell)).unwrap_or(0);
        let table = self.plan.tables.get(at).map(|t| t.id.clone()).unwrap_or_default();
        ProtectError::NotRounded { table, base: self.base }
    }

    /// How far a cell can fall and rise from its true count.
    fn room(&self, cell: usize) -> (f64, f64) {
        let free = (-(self.counts.cells[cell].n as f64), f64::INFINITY);
        self.published.get(&cell).map_or(free, |v| self.room_of(cell, *v))
    }

    /// The same, were it published as `v`.
    fn room_of(&self, cell: usize, v: usize) -> (f64, f64) {
        let n = self.counts.cells[cell].n as f64;
        let (low, high) = stands_for(v, self.base);
        (low - n, high - n)
    }

    /// The same over all multiples that also allow the change `also`.
    fn any_room(&self, cell: usize, also: f64) -> (f64, f64) {
        let rooms = self.multiples(cell).into_iter().map(|v| self.room_of(cell, v));
        let fitting = rooms.filter(|(fall, rise)| also >= fall - TOLERANCE && also <= rise + TOLERANCE);
        fitting.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_else(|| self.room(cell))
    }

    /// The multiples that may stand for the cell's count, the nearest first.
    fn multiples(&self, cell: usize) -> Vec<usize> {
        let (n, base) = (self.counts.cells[cell].n, self.base);
        let near = [n / base * base, n.div_ceil(base) * base, n.saturating_sub(base), n + base];
        let may = |v: &usize| v.is_multiple_of(base) && n.abs_diff(*v) <= base && (n > 0 || *v == 0);
        let all: BTreeSet<usize> = near.into_iter().filter(may).collect();
        let mut all: Vec<usize> = all.into_iter().collect();
        all.sort_by_key(|v| n.abs_diff(*v));
        all
    }

    fn width(&self, cell: usize) -> f64 {
        let [low, high] = self.found.get(&cell).copied().unwrap_or_default();
        high.map_or(0.0, |h| h.1) - low.map_or(0.0, |l| l.1)
    }

    fn is_wide(&self, cell: usize) -> bool {
        self.is_enough(self.width(cell))
    }

    fn is_enough(&self, width: f64) -> bool {
        width >= self.plan.threshold as f64 - TOLERANCE
    }

    /// True where the published counts leave the cell open, known or found now.
    fn is_open(&mut self, cell: usize) -> bool {
        for breadth in BREADTHS {
            if self.is_wide(cell) {
                return true;
            }
            let Some(moving) = self.moving(cell, breadth) else { return false };
            for sign in [-1.0, 1.0] {
                if let Some(changes) = reach(&moving, sign, &|c| self.room(c)) {
                    self.note(changes);
                }
                if self.is_wide(cell) {
                    return true;
                }
            }
        }
        self.is_wide(cell)
    }

    fn moving(&self, cell: usize, breadth: usize) -> Option<Vec<Moving>> {
        self.targets.get(&cell).map(|target| self.people.moving(target, breadth))
    }

    /// Keeps a filling, and for every cell where it is the widest so far.
    fn note(&mut self, changes: Changes) {
        let at = self.fillings.len();
        for (cell, by) in &changes {
            let [low, high] = self.found.entry(*cell).or_default();
            if *by < low.map_or(0.0, |l| l.1) - TOLERANCE {
                *low = Some((at, *by));
            }
            if *by > high.map_or(0.0, |h| h.1) + TOLERANCE {
                *high = Some((at, *by));
            }
        }
        self.fillings.push(Some(changes));
    }

    /// Forgets fillings outside of what is published now; gives the cells that relied on them.
    fn drop_what_no_longer_fits(&mut self) -> Vec<usize> {
        let fits = |changes: &Changes| {
            changes.iter().all(|(cell, by)| {
                let (fall, rise) = self.room(*cell);
                *by >= fall - TOLERANCE && *by <= rise + TOLERANCE
            })
        };
        let gone: BTreeSet<usize> = self
            .fillings
            .iter()
            .enumerate()
            .filter(|(_, f)| f.as_ref().is_some_and(|changes| !fits(changes)))
            .map(|(at, _)| at)
            .collect();
        gone.iter().for_each(|at| self.fillings[*at] = None);
        let mut relied = Vec::new();
        for (cell, ends) in &mut self.found {
            for end in ends {
                if end.is_some_and(|(at, _)| gone.contains(&at)) {
                    *end = None;
                    relied.push(*cell);
                }
            }
        }
        relied.dedup();
        relied.retain(|cell| self.must_be_open.contains(cell));
        relied
    }

    /// Counts to be rounded otherwise so that the cell is open.
    ///
    /// Those that may still turn are let go as far as any of their multiples allows; the two fillings found so say
    /// which multiples they need.
    fn turn(&self, cell: usize, turned: &BTreeMap<usize, usize>) -> Option<BTreeMap<usize, usize>> {
        let may_turn =
            |c: usize| !self.fixed.contains_key(&c) && turned.get(&c).is_none_or(|times| *times < MOST_TURNS);
        for breadth in BREADTHS {
            let moving = self.moving(cell, breadth)?;
            for first in [-1.0, 1.0] {
                let loose =
                    |c: usize, also: f64| if may_turn(c) { self.any_room(c, also) } else { self.room(c) };
                let Some(one) = reach(&moving, first, &|c| loose(c, 0.0)) else {
                    continue;
                };
                let at = |changes: &Changes, c: usize| changes.get(&c).copied().unwrap_or(0.0);
                let other = reach(&moving, -first, &|c| loose(c, at(&one, c)));
                let Some(other) = other else { continue };
                if !self.is_enough((at(&one, cell) - at(&other, cell)).abs()) {
                    continue;
                }
                let touched: BTreeSet<usize> = one.keys().chain(other.keys()).copied().collect();
                let needed = touched.into_iter().filter_map(|c| {
                    let fits = |v: usize| {
                        let (fall, rise) = self.room_of(c, v);
                        let inside = |by: f64| by >= fall - TOLERANCE && by <= rise + TOLERANCE;
                        inside(at(&one, c)) && inside(at(&other, c))
                    };
                    let now = self.published.get(&c).copied()?;
                    let other = self.multiples(c).into_iter().find(|v| fits(*v))?;
                    (!fits(now)).then_some((c, other))
                });
                let needed: BTreeMap<usize, usize> = needed.collect();
                if !needed.is_empty() {
                    return Some(needed);
                }
            }
        }
        None
    }
}
