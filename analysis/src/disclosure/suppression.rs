//! Which counts are hidden: first those that must be, then as few others as keep them from being computed.

use super::counts::{Counts, Tree};
use super::dictionary::Dictionary;
use super::earlier::Released;
use super::evidence::Evidence;
use super::fillings::{Changes, Movement, Program};
use super::neighbourhood::Places;
use super::protection::{ProtectError, ProtectionPlan};
use super::unsafe_counts::unsafe_counts;
use indexmap::IndexMap;
use std::collections::{BTreeSet, HashMap};

/// Movable cells up to which the last word is a program with all of them.
const EXACT: usize = 600;
/// Cells that needed others since the sums were solved, after which they are solved anew.
const STALE: usize = 60;
/// Cells of a program that may hide others.
const WIDE: usize = 600;
/// Cells of a program that lifts many of them.
const LIFTED: usize = 1_200;
/// Cells that a lift must make safe to be worth while, and cells that go without one after a poorer one.
const WORTH_LIFTING: usize = 4;
const PAUSE: usize = 10;
/// Multiplications that showing cells again may take in larger tables: a second or two.
const MOST_WORK: u64 = 1_000_000_000;
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
    /// Zeros are among what must be hidden (rule 18).
    hides_zeros: bool,
    /// The sums among the hidden cells, or those hidden when it was made; only in larger tables without hidden zeros,
    /// from which a way leads by a hundred pivots that do not move.
    dictionary: Option<Dictionary>,
    /// Cells that needed others since then.
    stale: usize,
    /// Cells that still go without a lift.
    unlifted: usize,
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
                let down = (cell.n - cell.before) as f64;
                moves.then_some(Movement { down, price, is_limited: cell.before > 0 })
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
            hides_zeros: counts.cells.values().zip(&primary).any(|(cell, hidden)| *hidden && cell.n == 0),
            evidence: Evidence::new(primary.len()),
            primary,
            movement,
            dictionary: None,
            stale: 0,
            unlifted: 0,
        }
    }

    pub fn run(&mut self, plan: &ProtectionPlan) -> Result<Vec<bool>, ProtectError> {
        let mut waiting: Vec<usize> = (0..self.hidden.len()).filter(|i| self.must_be_safe(*i)).collect();
        waiting.sort_by_key(|i| (self.counts.cells[*i].n, *i));
        self.solve_hidden();
        let mut at = 0;
        while let Some(cell) = waiting.get(at).copied() {
            at += 1;
            if self.dictionary.as_ref().is_some_and(|d| !d.holds(cell)) {
                self.solve_hidden();
            }
            if self.is_safe(cell) {
                continue;
            }
            let more = self.cover(cell).ok_or_else(|| self.vanishes(plan, cell))?;
            for i in more {
                self.hide(i);
                waiting.push(i);
            }
            self.stale += 1;
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
    fn program(&self, target: usize, hidden_only: bool, near: usize, along: Option<usize>) -> Program {
        let cells = self.places.near(target, &self.ease(hidden_only), near, along);
        Program::new(&cells, &self.movement, &self.counts.equations, &self.sums_of)
    }

    /// True where the last word can be a program with all cells.
    fn is_small(&self) -> bool {
        self.movement.iter().flatten().count() <= EXACT
    }

    /// Solves the sums among all cells hidden now, where that helps.
    fn solve_hidden(&mut self) {
        self.stale = 0;
        if !self.is_small() && !self.hides_zeros {
            let cells: Vec<usize> = (0..self.hidden.len()).filter(|i| self.hidden[*i]).collect();
            let (equations, sums_of) = (&self.counts.equations, &self.sums_of);
            self.dictionary = Some(Dictionary::new(&cells, &self.movement, equations, sums_of));
        }
    }

    /// Keeps what was found, if it is a filling: the solvers are not taken at their word.
    fn note(&mut self, changes: Changes) -> bool {
        let mut sums: HashMap<usize, f64> = HashMap::new();
        let can =
            |(cell, by): &(usize, f64)| self.movement[*cell].is_some_and(|m| *by >= -m.down - TOLERANCE);
        let is_filling = changes.iter().all(can);
        for (cell, by) in &changes {
            for sum in &self.sums_of[*cell] {
                let factor =
                    self.counts.equations[*sum].iter().find(|(c, _)| c == cell).map_or(0, |(_, a)| *a);
                *sums.entry(*sum).or_default() += by * f64::from(factor);
            }
        }
        let adds_up = sums.values().all(|sum| sum.abs() < 10.0 * TOLERANCE);
        if is_filling && adds_up {
            self.evidence.add(changes);
        }
        is_filling && adds_up
    }

    /// Lifts the target and with it as many others as possible, through the hidden cells around; gives how many became
    /// safe.
    fn lift(&mut self, target: usize) -> usize {
        let program = self.program(target, true, LIFTED, None);
        let needs = program.cells().iter().filter(|i| self.must_be_safe(**i) && !self.is_wide_enough(**i));
        let needs: HashMap<usize, f64> =
            needs.map(|i| (*i, self.threshold - self.evidence.fall(*i))).collect();
        if let Some(changes) = program.lift(&needs) {
            self.note(changes);
        }
        needs.keys().filter(|i| self.is_wide_enough(**i)).count()
    }

    fn is_wide_enough(&self, target: usize) -> bool {
        self.evidence.width(target) >= self.threshold - TOLERANCE
    }

    /// How far the target can fall, as far as it matters.
    fn most_fall(&self, target: usize) -> f64 {
        self.movement[target].map_or(0.0, |m| m.down.min(self.threshold))
    }

    /// True where the target may fall further than is known: else a spread is no more than a rise.
    fn can_fall(&self, target: usize) -> bool {
        self.evidence.fall(target) < self.most_fall(target)
    }

    /// True where the hidden cells are known to leave the target wide enough.
    fn is_safe(&mut self, target: usize) -> bool {
        if self.is_wide_enough(target) {
            return true;
        }
        if self.is_small() {
            return self.is_safe_by_program(target);
        }
        if self.dictionary.is_none() {
            // Where little can be lifted the target needs others; the next ones probably do as well.
            self.unlifted = self.unlifted.saturating_sub(1);
            if self.unlifted == 0 && self.lift(target) < WORTH_LIFTING {
                self.unlifted = PAUSE;
            }
            return self.is_wide_enough(target);
        }
        let most = self.most_fall(target);
        for sign in [1.0, -1.0, 1.0] {
            let need = match sign > 0.0 {
                true => self.threshold - self.evidence.fall(target),
                false if self.evidence.fall(target) < most => most,
                false => break,
            };
            let found = self.dictionary.as_mut().and_then(|d| d.reach(target, sign, need));
            if found.is_some_and(|changes| self.note(changes)) && self.is_wide_enough(target) {
                return true;
            }
        }
        false
    }

    /// True where the hidden cells leave the target wide enough, by a program with all of them.
    fn is_safe_by_program(&mut self, target: usize) -> bool {
        let program = self.program(target, true, usize::MAX, None);
        if let Some(up) = program.rise(target, self.threshold - self.evidence.fall(target)) {
            return self.note(up);
        }
        let found = self.can_fall(target).then(|| program.spread(target, self.threshold)).flatten();
        found.is_some_and(|(up, down)| self.note(up) && self.note(down))
    }

    /// Cells to hide so that the target is safe; empty where it is safe already, `None` where nothing helps.
    fn cover(&mut self, target: usize) -> Option<Vec<usize>> {
        let program = self.program(target, false, if self.is_small() { usize::MAX } else { WIDE }, None);
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
        let is_sound = self.note(up) && self.note(down);
        is_sound.then(|| more.into_iter().collect())
    }

    /// Looks in all tables, and also among the zeros of sensitive columns.
    fn cover_from_afar(&mut self, target: usize) -> Option<(Changes, Changes)> {
        for zero in &self.spare {
            self.movement[*zero].get_or_insert(Movement { down: 0.0, price: 2.0, is_limited: false });
        }
        let amount = self.threshold - self.evidence.fall(target);
        let mut tries = vec![(WIDE, None), (3 * WIDE, None)];
        // What is rare in one column is scattered over another: then all codes of that one are needed.
        tries.extend((0..self.places.columns()).map(|column| (3 * WIDE, Some(column))));
        tries.push((usize::MAX, None));
        let found = tries.iter().find_map(|(size, along)| {
            let program = self.program(target, false, *size, *along);
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
        if !self.is_small() && self.hides_zeros {
            return;
        }
        let mut secondary: Vec<usize> =
            (0..self.hidden.len()).filter(|i| self.hidden[*i] && !self.primary[*i]).collect();
        secondary.sort_by_key(|i| std::cmp::Reverse((self.counts.cells[*i].n, *i)));
        self.solve_hidden();
        for cell in secondary {
            if self.dictionary.as_ref().is_some_and(|d| d.work() > MOST_WORK) {
                break;
            }
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
            self.dictionary.iter_mut().for_each(|d| d.hold(cell));
            let still_safe = affected.into_iter().all(|i| self.is_safe(i));
            if !still_safe {
                self.dictionary.iter_mut().for_each(|d| d.release(cell));
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
