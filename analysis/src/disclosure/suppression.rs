//! Which counts are hidden: first those that must be, then as few others as keep them from being computed.

use super::counts::{Counts, Key, MOST_CELLS};
use super::protection::{ProtectError, ProtectionPlan, Released};
use super::simplex::Simplex;
use std::collections::{BTreeMap, BTreeSet};

/// Rule 18: an answer with more than this share …
const DOMINATING_SHARE: f64 = 0.9;
/// … of a base smaller than this.
const DOMINATED_BASE: usize = 100;

pub(super) struct Suppression<'a> {
    counts: &'a Counts,
    threshold: f64,
    /// Must be hidden whatever happens to the others.
    primary: Vec<bool>,
    hidden: Vec<bool>,
    /// More than anyone's count can be.
    ceiling: f64,
}

impl<'a> Suppression<'a> {
    pub fn new(
        counts: &'a Counts,
        plan: &ProtectionPlan,
        released: &[Released],
    ) -> Result<Self, ProtectError> {
        if counts.cells.len() > MOST_CELLS {
            return Err(ProtectError::TooLarge { cells: counts.cells.len(), limit: MOST_CELLS });
        }
        let mut primary: Vec<bool> = counts
            .cells
            .values()
            .map(|c| c.n > 0 && (c.n < plan.threshold || c.clusters < plan.min_clusters))
            .collect();
        for column in &plan.sensitive {
            hide_dominated(counts, column, &mut primary);
        }
        // Today's count and an earlier one give away the few who came or went between them.
        for (key, n) in released.iter().flat_map(Released::shown) {
            if let Some(i) = counts.cells.get_index_of(&key) {
                let apart = counts.cells[i].n.abs_diff(n);
                primary[i] |= apart > 0 && apart < plan.threshold;
            }
        }
        // What earlier answers held back stays so, and is still unknown to the attacker.
        let own: BTreeSet<usize> = counts.tables.iter().flatten().copied().collect();
        for (i, is_primary) in primary.iter_mut().enumerate() {
            *is_primary |= !own.contains(&i);
        }
        // What is known already cannot be protected, and does not protect others.
        for (i, cell) in counts.cells.values().enumerate() {
            primary[i] &= !cell.released;
        }
        let most = counts.cells.values().map(|c| c.n).max().unwrap_or(0);
        Ok(Self {
            counts,
            threshold: plan.threshold as f64,
            hidden: primary.clone(),
            primary,
            ceiling: (most + plan.threshold) as f64 * 10.0,
        })
    }

    pub fn run(mut self, plan: &ProtectionPlan) -> Result<Vec<bool>, ProtectError> {
        while let Some(open) = self.first_open(&self.hidden) {
            let used = self.cheapest_cover(open);
            if used.is_empty() {
                return Err(self.vanishes(plan, open));
            }
            used.into_iter().for_each(|i| self.hidden[i] = true);
        }
        self.show_again();
        for (request, cells) in plan.tables.iter().zip(&self.counts.tables) {
            let some = cells.iter().any(|i| self.counts.cells[*i].n > 0);
            let all_gone = cells.iter().all(|i| self.hidden[*i] || self.counts.cells[*i].n == 0);
            if some && all_gone {
                return Err(ProtectError::Vanishes { table: request.id.clone() });
            }
        }
        Ok(self.hidden)
    }

    fn vanishes(&self, plan: &ProtectionPlan, cell: usize) -> ProtectError {
        let at = self.counts.tables.iter().position(|t| t.contains(&cell)).unwrap_or(0);
        ProtectError::Vanishes { table: plan.tables.get(at).map(|t| t.id.clone()).unwrap_or_default() }
    }

    /// Lets go the largest secondary cells that turn out not to be needed. Showing a cell only narrows the
    /// others' intervals, so one pass leaves none that could be shown.
    fn show_again(&mut self) {
        let mut secondary: Vec<usize> =
            (0..self.hidden.len()).filter(|i| self.hidden[*i] && !self.primary[*i]).collect();
        secondary.sort_by_key(|i| std::cmp::Reverse((self.counts.cells[*i].n, *i)));
        for i in secondary {
            let mut without = self.hidden.clone();
            without[i] = false;
            if self.first_open(&without).is_none() {
                self.hidden = without;
            }
        }
    }

    /// The first hidden cell that an attacker can bound too tightly, when `hidden` is hidden.
    fn first_open(&self, hidden: &[bool]) -> Option<usize> {
        let cells: Vec<usize> = (0..hidden.len()).filter(|i| hidden[*i]).collect();
        let place: BTreeMap<usize, usize> = cells.iter().enumerate().map(|(v, c)| (*c, v)).collect();
        let equations: Vec<Vec<(usize, f64)>> = self
            .counts
            .equations
            .iter()
            .map(|e| e.iter().filter_map(|(c, a)| Some((*place.get(c)?, *a))).collect::<Vec<_>>())
            .filter(|e| !e.is_empty())
            .collect();
        let low: Vec<f64> = cells.iter().map(|c| -(self.counts.cells[*c].n as f64)).collect();
        let high = vec![self.ceiling; cells.len()];
        let mut simplex = Simplex::new(&equations, low, high);
        // Every feasible point widens what is known to be possible for all cells at once.
        let mut least = vec![0.0_f64; cells.len()];
        let mut most = vec![0.0_f64; cells.len()];
        let widen = |simplex: &Simplex, least: &mut [f64], most: &mut [f64]| {
            for (v, value) in simplex.value.iter().enumerate() {
                least[v] = least[v].min(*value);
                most[v] = most[v].max(*value);
            }
        };
        for v in (0..cells.len()).filter(|v| !self.counts.cells[cells[*v]].imagined) {
            for direction in [1.0, -1.0] {
                if most[v] - least[v] >= self.threshold - 1e-6 {
                    break;
                }
                let mut gains = vec![0.0; cells.len()];
                gains[v] = direction;
                let wide = self.threshold - 1e-6;
                let (bottom, top) = (least[v], most[v]);
                simplex.maximize(&gains, |value| value[v].max(top) - value[v].min(bottom) >= wide);
                widen(&simplex, &mut least, &mut most);
            }
            if most[v] - least[v] < self.threshold - 1e-6 {
                return Some(cells[v]);
            }
        }
        None
    }

    /// Cells that must be hidden so that `open` can vary by the threshold: the cheapest pattern of changes that
    /// leaves all sums as they are. Already hidden cells change for nothing. Empty where no pattern exists.
    fn cheapest_cover(&self, open: usize) -> Vec<usize> {
        let mut hidden = self.hidden.clone();
        let up = self.pattern(open, 1.0, self.threshold, &hidden);
        let reached = up.get(&open).copied().unwrap_or(0.0);
        up.keys().for_each(|i| hidden[*i] = true);
        if reached < self.threshold - 1e-6 {
            let down = self.pattern(open, -1.0, self.threshold - reached, &hidden);
            let reached = reached - down.get(&open).copied().unwrap_or(0.0);
            if reached < self.threshold - 1e-6 {
                return Vec::new();
            }
            down.keys().for_each(|i| hidden[*i] = true);
        }
        (0..hidden.len()).filter(|i| hidden[*i] && !self.hidden[*i]).collect()
    }

    /// Changes by cell that move `open` by up to `amount` in `direction` at the least cost.
    fn pattern(&self, open: usize, direction: f64, amount: f64, hidden: &[bool]) -> BTreeMap<usize, f64> {
        let cells = &self.counts.cells;
        // Shown zeros are known, and so is what was released. A shown cell takes two variables, up and down,
        // so that each direction costs.
        let (mut owner, mut sign, mut low, mut high, mut gains) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut add = |cell: usize, s: f64, l: f64, h: f64, gain: f64| {
            owner.push(cell);
            sign.push(s);
            low.push(l);
            high.push(h);
            gains.push(gain);
        };
        // Reaching the amount is worth any cost.
        let prize = 1e5;
        let n_of = |i: usize| cells[i].n as f64;
        let (l, h) = if direction > 0.0 { (0.0, amount) } else { (-amount.min(n_of(open)), 0.0) };
        add(open, 1.0, l, h, prize * direction);
        for i in (0..cells.len()).filter(|i| *i != open && hidden[*i]) {
            add(i, 1.0, -n_of(i), self.ceiling, 0.0);
        }
        let keys: Vec<&Key> = cells.keys().collect();
        let widest = keys.iter().map(|k| k.len()).max().unwrap_or(0);
        for i in (0..cells.len()).filter(|i| !hidden[*i] && cells[*i].n > 0 && !cells[*i].released) {
            // Margins and large counts tell readers more, so they are dearer to hide.
            let depth = (widest - keys[i].len()) as f64;
            let cost = if keys[i].is_empty() { 50.0 } else { 1.0 + depth + (1.0 + n_of(i)).ln() / 10.0 };
            add(i, 1.0, 0.0, self.ceiling, -cost);
            add(i, -1.0, 0.0, n_of(i), -cost);
        }
        let mut of_cell: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (v, cell) in owner.iter().enumerate() {
            of_cell.entry(*cell).or_default().push(v);
        }
        let equations: Vec<Vec<(usize, f64)>> = self
            .counts
            .equations
            .iter()
            .map(|e| {
                e.iter()
                    .flat_map(|(cell, a)| {
                        let variables = of_cell.get(cell).map_or(&[][..], Vec::as_slice);
                        variables.iter().map(|v| (*v, a * sign[*v])).collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>()
            })
            .filter(|e| !e.is_empty())
            .collect();
        let mut simplex = Simplex::new(&equations, low, high);
        simplex.maximize(&gains, |_| false);
        let mut changes: BTreeMap<usize, f64> = BTreeMap::new();
        for (v, value) in simplex.value.iter().enumerate() {
            *changes.entry(owner[v]).or_default() += sign[v] * value;
        }
        changes.retain(|_, change| change.abs() > 1e-6);
        changes
    }
}

/// Rule 18 over every distribution of a sensitive column, at each level of its codes' detail.
fn hide_dominated(counts: &Counts, column: &str, primary: &mut [bool]) {
    let mut distributions: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (i, key) in counts.cells.keys().enumerate().filter(|(_, k)| k.contains_key(column)) {
        let mut base = key.clone();
        base.remove(column);
        distributions.entry(base).or_default().push(i);
    }
    for (base, answers) in distributions {
        let n = counts.cells.get(&base).map_or(0, |c| c.n);
        let dominates = |i: &usize| {
            let is_single = counts.cells.get_index(*i).is_some_and(|(key, _)| !counts.is_sum(column, key));
            is_single && counts.cells[*i].n as f64 > DOMINATING_SHARE * n as f64
        };
        if n > 0 && n < DOMINATED_BASE && answers.iter().any(dominates) {
            answers.iter().for_each(|i| primary[*i] = true);
        }
    }
}
