//! Which counts are hidden: first those that must be, then as few others as keep them from being computed.

use super::counts::{Counts, Tree};
use super::evidence::Evidence;
use super::fillings::{Changes, Movement, Program, Solved};
use super::neighbourhood::Places;
use super::protection::{ProtectError, ProtectionPlan, Released};
use super::unsafe_counts::unsafe_counts;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// Movable cells up to which the last word is a program with all of them.
const EXACT: usize = 600;
/// Cells of a program that looks for a way through hidden cells only, in larger tables.
const NEAR: usize = 220;
/// Cells found safe by others hidden since the program was solved, after which it is solved anew.
const STALE: usize = 3;
/// Cells of a program that may hide others.
const WIDE: usize = 600;
/// Numbers of the programs closer than this are equal.
const TOLERANCE: f64 = 1e-6;

pub(super) struct Suppression<'a> {
    counts: &'a Counts,
    threshold: f64,
    places: Places,
    /// By cell, the equations it stands in.
    sums_of: Vec<Vec<usize>>,
    /// Must be hidden whatever happens to the others.
    primary: Vec<bool>,
    hidden: Vec<bool>,
    /// By cell: hidden ones move freely, shown ones at a price, known ones not at all.
    movement: Vec<Option<Movement>>,
    /// Shown zeros of sensitive columns: hidden only where nothing else helps.
    spare: Vec<usize>,
    evidence: Evidence,
    /// The program of the hidden cells, of all or of those hidden when it was made.
    solved: Option<Solved>,
    /// Cells that turned out to be safe by cells hidden since.
    stale: usize,
}

impl<'a> Suppression<'a> {
    pub fn new(
        counts: &'a Counts,
        trees: &IndexMap<String, Tree>,
        plan: &ProtectionPlan,
        released: &[Released],
    ) -> Self {
        let primary = unsafe_counts(counts, plan, released);
        let mut sums_of = vec![Vec::new(); counts.cells.len()];
        for (sum, equation) in counts.equations.iter().enumerate() {
            equation.iter().for_each(|(cell, _)| sums_of[*cell].push(sum));
        }
        let widest = counts.cells.keys().map(|k| k.len()).max().unwrap_or(0);
        let movement = counts
            .cells
            .iter()
            .zip(&primary)
            .map(|((key, cell), hidden)| {
                let price = if *hidden { 0.0 } else { price(cell.n, widest - key.len(), key.is_empty()) };
                let moves = *hidden || (cell.n > 0 && !cell.released);
                moves.then_some(Movement { down: cell.n as f64, price })
            })
            .collect();
        let spare = counts.cells.iter().enumerate().filter(|(i, (key, cell))| {
            cell.n == 0
                && !cell.released
                && !primary[*i]
                && plan.sensitive.iter().any(|c| key.contains_key(c))
        });
        let spare = spare.map(|(i, _)| i).collect();
        Self {
            spare,
            counts,
            threshold: plan.threshold as f64,
            places: Places::of(counts, trees),
            sums_of,
            hidden: primary.clone(),
            evidence: Evidence::new(primary.len()),
            primary,
            movement,
            solved: None,
            stale: 0,
        }
    }

    pub fn run(&mut self, plan: &ProtectionPlan) -> Result<Vec<bool>, ProtectError> {
        let mut waiting: Vec<usize> = (0..self.hidden.len()).filter(|i| self.must_be_safe(*i)).collect();
        waiting.sort_by_key(|i| (self.counts.cells[*i].n, *i));
        self.solve_hidden();
        let mut at = 0;
        while let Some(cell) = waiting.get(at).copied() {
            at += 1;
            if self.is_safe(cell) {
                continue;
            }
            let more = self.cover(cell).ok_or_else(|| self.vanishes(plan, cell))?;
            for i in more {
                self.hide(i);
                waiting.push(i);
            }
            if self.stale > STALE {
                self.solve_hidden();
            }
        }
        self.show_again();
        for (request, cells) in plan.tables.iter().zip(&self.counts.tables) {
            let some = cells.iter().any(|i| self.counts.cells[*i].n > 0);
            let all_gone = cells.iter().all(|i| self.hidden[*i] || self.counts.cells[*i].n == 0);
            if some && all_gone {
                return Err(ProtectError::Vanishes { table: request.id.clone() });
            }
        }
        Ok(self.hidden.clone())
    }

    fn vanishes(&self, plan: &ProtectionPlan, cell: usize) -> ProtectError {
        let at = self.counts.tables.iter().position(|t| t.contains(&cell)).unwrap_or(0);
        ProtectError::Vanishes { table: plan.tables.get(at).map(|t| t.id.clone()).unwrap_or_default() }
    }

    fn must_be_safe(&self, cell: usize) -> bool {
        self.hidden[cell] && !self.counts.cells[cell].imagined
    }

    fn hide(&mut self, cell: usize) {
        self.hidden[cell] = true;
        if let Some(movement) = &mut self.movement[cell] {
            movement.price = 0.0;
        }
    }

    /// How much each cell can give when a neighbour rises.
    fn ease(&self, hidden_only: bool) -> Vec<f64> {
        let of = |(i, m): (usize, &Option<Movement>)| match m {
            Some(m) if self.hidden[i] => m.down.min(self.threshold) + 0.5,
            Some(_) if !hidden_only => 0.5,
            _ => 0.0,
        };
        self.movement.iter().enumerate().map(of).collect()
    }

    /// The program of the cells around `target`, about `near` of them.
    fn program(&self, target: usize, hidden_only: bool, near: usize) -> Program {
        let cells = self.places.near(target, &self.ease(hidden_only), near);
        Program::new(&cells, &self.movement, &self.counts.equations, &self.sums_of)
    }

    /// How many cells the last word may hold: all, where that is not too slow.
    fn wide(&self) -> usize {
        let movable = self.movement.iter().flatten().count();
        if movable <= EXACT { usize::MAX } else { WIDE }
    }

    /// Solves the program of all cells hidden now.
    fn solve_hidden(&mut self) {
        if self.wide() < usize::MAX {
            return;
        }
        let cells: Vec<usize> = (0..self.hidden.len()).filter(|i| self.hidden[*i]).collect();
        let program = Program::new(&cells, &self.movement, &self.counts.equations, &self.sums_of);
        self.solved = Solved::new(&program, self.hidden.len());
        self.stale = 0;
    }

    fn is_wide_enough(&self, target: usize) -> bool {
        self.evidence.width(target) >= self.threshold - TOLERANCE
    }

    /// True where the target may fall further than is known: else a spread is no more than a rise.
    fn can_fall(&self, target: usize) -> bool {
        self.evidence.fall(target) < (self.counts.cells[target].n as f64).min(self.threshold)
    }

    /// Tries to move the target through hidden cells; what was found is kept.
    fn shift(&mut self, target: usize, amount: f64) -> bool {
        let changes = self.solved.as_ref().and_then(|s| s.shift(target, amount));
        let found = changes.is_some();
        changes.into_iter().for_each(|c| self.evidence.add(c));
        found
    }

    /// True where the hidden cells leave the target wide enough.
    fn is_safe(&mut self, target: usize) -> bool {
        if self.is_wide_enough(target) {
            return true;
        }
        if self.wide() < usize::MAX {
            return self.is_safe_nearby(target);
        }
        if self.shift(target, self.threshold - self.evidence.fall(target)) {
            return true;
        }
        let most = (self.counts.cells[target].n as f64).min(self.threshold);
        if self.evidence.fall(target) < most
            && self.shift(target, -most)
            && (self.is_wide_enough(target)
                || self.shift(target, self.threshold - self.evidence.fall(target)))
        {
            return true;
        }
        let program = self.program(target, true, usize::MAX);
        let rise = program.furthest(target, 1.0, self.threshold);
        rise.into_iter().for_each(|c| self.evidence.add(c));
        if self.evidence.fall(target) < most {
            let fall = program.furthest(target, -1.0, most);
            fall.into_iter().for_each(|c| self.evidence.add(c));
        }
        self.is_wide_enough(target)
    }

    /// True where the hidden cells around the target leave it wide enough.
    fn is_safe_nearby(&mut self, target: usize) -> bool {
        let program = self.program(target, true, NEAR);
        if let Some(up) = program.rise(target, self.threshold - self.evidence.fall(target)) {
            self.evidence.add(up);
            return true;
        }
        let found = self.can_fall(target).then(|| program.spread(target, self.threshold)).flatten();
        let Some((up, down)) = found else { return false };
        self.evidence.add(up);
        self.evidence.add(down);
        true
    }

    /// Cells to hide so that the target is safe; empty where it is safe already, `None` where nothing helps.
    fn cover(&mut self, target: usize) -> Option<Vec<usize>> {
        let program = self.program(target, false, self.wide());
        let rise = program.rise(target, self.threshold - self.evidence.fall(target));
        let (up, down) = match rise {
            Some(up) => (up, Vec::new()),
            None => match self.can_fall(target).then(|| program.spread(target, self.threshold)).flatten() {
                Some(found) => found,
                None => self.cover_from_afar(target)?,
            },
        };
        let more: BTreeSet<usize> =
            up.iter().chain(&down).map(|(i, _)| *i).filter(|i| !self.hidden[*i]).collect();
        self.evidence.add(up);
        self.evidence.add(down);
        if more.is_empty() {
            self.stale += 1;
        }
        Some(more.into_iter().collect())
    }

    /// Looks in all tables, and also among the zeros of sensitive columns.
    fn cover_from_afar(&mut self, target: usize) -> Option<(Changes, Changes)> {
        for zero in &self.spare {
            self.movement[*zero].get_or_insert(Movement { down: 0.0, price: 2.0 });
        }
        let amount = self.threshold - self.evidence.fall(target);
        let found = [WIDE, 3 * WIDE, usize::MAX].iter().find_map(|size| {
            let program = self.program(target, false, *size);
            let up = program.rise(target, amount).map(|up| (up, Changes::new()));
            up.or_else(|| self.can_fall(target).then(|| program.spread(target, self.threshold)).flatten())
        });
        for zero in &self.spare {
            let used = |changes: &Changes| changes.iter().any(|(cell, _)| cell == zero);
            let is_needed = found.as_ref().is_some_and(|(up, down)| used(up) || used(down));
            if !is_needed && !self.hidden[*zero] {
                self.movement[*zero] = None;
            }
        }
        found
    }

    /// Lets go the dearest secondary cells that turn out not to be needed. Showing a cell only narrows the
    /// others' intervals, so one pass leaves none that could be shown.
    fn show_again(&mut self) {
        let mut secondary: Vec<usize> =
            (0..self.hidden.len()).filter(|i| self.hidden[*i] && !self.primary[*i]).collect();
        secondary.sort_by_key(|i| std::cmp::Reverse((self.counts.cells[*i].n, *i)));
        self.solve_hidden();
        for cell in secondary {
            if self.lays_bare(cell) {
                continue;
            }
            let movement = self.movement[cell].take();
            self.hidden[cell] = false;
            let mut affected = self.evidence.without(cell);
            affected.retain(|i| self.must_be_safe(*i) && !self.is_wide_enough(*i));
            let beside: BTreeSet<usize> = self.sums_of[cell]
                .iter()
                .flat_map(|s| self.counts.equations[*s].iter().map(|(c, _)| *c))
                .collect();
            affected.sort_by_key(|i| (!beside.contains(i), self.counts.cells[*i].n, *i));
            let without = self.solved.as_ref().and_then(|s| s.without(cell));
            let with = std::mem::replace(&mut self.solved, without);
            let still_safe = affected.into_iter().all(|i| self.is_safe(i));
            if !still_safe {
                self.solved = with;
                self.movement[cell] = movement;
                self.hidden[cell] = true;
                self.evidence.restore();
            } else {
                self.evidence.settle();
            }
        }
    }

    /// True where the cell is one of only two that can move in some sum, so that showing it shows the other.
    fn lays_bare(&self, cell: usize) -> bool {
        self.sums_of[cell].iter().any(|sum| {
            let others = self.counts.equations[*sum].iter().filter(|(c, _)| *c != cell && self.hidden[*c]);
            let others: Vec<usize> = others.map(|(c, _)| *c).take(2).collect();
            others.len() == 1 && others.iter().all(|c| self.must_be_safe(*c))
        })
    }
}

/// Margins and large counts tell readers more, so they are dearer to hide.
fn price(n: usize, depth: usize, is_total: bool) -> f64 {
    if is_total { 50.0 } else { 1.0 + 0.25 * depth as f64 + (1.0 + n as f64).ln() / 10.0 }
}
