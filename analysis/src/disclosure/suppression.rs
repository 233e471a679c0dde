//! Which counts are hidden: first those that must be, then as few others as keep them from being computed.

use super::counts::{Counts, Tree};
use super::evidence::Evidence;
use super::fillings::{Changes, Movement, Program};
use super::neighbourhood::Places;
use super::protection::{ProtectError, ProtectionPlan, Released};
use super::unsafe_counts::unsafe_counts;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// Movable cells up to which every program holds all of them, so that its answer is final.
const EXACT: usize = 450;
/// Cells of a program that looks for a way through hidden cells only.
const NEAR: usize = 220;
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
    evidence: Evidence,
    pub stat: [usize; 8],
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
        Self {
            counts,
            threshold: plan.threshold as f64,
            places: Places::of(counts, trees),
            sums_of,
            hidden: primary.clone(),
            evidence: Evidence::new(primary.len()),
            primary,
            movement,
            stat: [0; 8],
        }
    }

    pub fn run(&mut self, plan: &ProtectionPlan) -> Result<Vec<bool>, ProtectError> {
        let mut waiting: Vec<usize> = (0..self.hidden.len()).filter(|i| self.must_be_safe(*i)).collect();
        waiting.sort_by_key(|i| (self.counts.cells[*i].n, *i));
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

    /// The program of the cells around `target`: `near` of them, or all where they are few.
    fn program(&self, target: usize, hidden_only: bool, near: usize) -> Option<Program> {
        let ease = self.ease(hidden_only);
        let movable = ease.iter().filter(|e| **e > 0.0).count();
        let cells: Vec<usize> = if movable <= EXACT {
            (0..ease.len()).filter(|i| ease[*i] > 0.0).collect()
        } else {
            self.places.near(target, &ease, near)
        };
        Program::new(target, &cells, &self.movement, &self.counts.equations, &self.sums_of)
    }

    /// True where the hidden cells around the target leave it wide enough; what was found is kept.
    fn is_safe(&mut self, target: usize) -> bool {
        let width = self.evidence.width(target);
        if width >= self.threshold - TOLERANCE {
            return true;
        }
        let Some(program) = self.program(target, true, NEAR) else { return false };
        self.stat[0] += 1;
        self.stat[1] += program.size();
        if let Some(changes) = program.shift(self.threshold - self.evidence.fall(target)) {
            self.learn(changes);
            return true;
        }
        self.stat[2] += 1;
        let Some((up, down)) = program.spread(self.threshold) else { return false };
        self.stat[3] += 1;
        self.learn(up);
        self.learn(down);
        true
    }

    fn learn(&mut self, changes: Changes) {
        self.evidence.add(changes);
    }

    /// Cells to hide so that the target is safe; empty where it is safe already, `None` where nothing helps.
    fn cover(&mut self, target: usize) -> Option<Vec<usize>> {
        let program = self.program(target, false, WIDE);
        self.stat[4] += 1;
        self.stat[5] += program.as_ref().map_or(0, Program::size);
        let found = program.and_then(|p| p.spread(self.threshold));
        let (up, down) = match found {
            Some(found) => found,
            None => {
                self.stat[6] += 1;
                self.program(target, false, usize::MAX)?.spread(self.threshold)?
            }
        };
        let more: BTreeSet<usize> =
            up.iter().chain(&down).map(|(i, _)| *i).filter(|i| !self.hidden[*i]).collect();
        self.learn(up);
        self.learn(down);
        Some(more.into_iter().collect())
    }

    /// Lets go the dearest secondary cells that turn out not to be needed. Showing a cell only narrows the
    /// others' intervals, so one pass leaves none that could be shown.
    fn show_again(&mut self) {
        let mut secondary: Vec<usize> =
            (0..self.hidden.len()).filter(|i| self.hidden[*i] && !self.primary[*i]).collect();
        secondary.sort_by_key(|i| std::cmp::Reverse((self.counts.cells[*i].n, *i)));
        for cell in secondary {
            if self.lays_bare(cell) {
                continue;
            }
            let movement = self.movement[cell].take();
            self.hidden[cell] = false;
            let affected = self.evidence.without(cell);
            let mut affected: Vec<usize> = affected
                .into_iter()
                .filter(|i| self.must_be_safe(*i) && self.evidence.width(*i) < self.threshold - TOLERANCE)
                .collect();
            let beside: BTreeSet<usize> = self.sums_of[cell]
                .iter()
                .flat_map(|s| self.counts.equations[*s].iter().map(|(c, _)| *c))
                .collect();
            affected.sort_by_key(|i| (!beside.contains(i), self.counts.cells[*i].n, *i));
            self.stat[7] += 1;
            let still_safe = affected.into_iter().all(|i| self.is_safe(i));
            if !still_safe {
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
