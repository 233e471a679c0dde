//! Totals by their parts: what the sums among some cells say once every total is put in for.

use std::collections::{BTreeSet, HashMap};

/// Smaller numbers are zero.
pub(super) const ZERO: f64 = 1e-9;

/// A sum of cells: their numbers and factors.
pub(super) type Terms = Vec<(usize, f64)>;

/// Every total as a sum of parts that have no parts themselves.
pub(super) struct Expansion {
    /// By cell; `None` for what has no parts.
    pub parts: Vec<Option<Terms>>,
    /// Sums of parts that are zero and do not follow from the above, shorter ones first, each once.
    pub left: Vec<Terms>,
}

impl Expansion {
    /// Of the cells 0 … `n` − 1. `sums`: terms that add up to zero, the total with factor −1, its parts with 1.
    pub fn of(n: usize, sums: &[Terms]) -> Self {
        let mut totals = vec![None; n];
        for (sum, terms) in sums.iter().enumerate() {
            for (cell, _) in terms.iter().filter(|(_, a)| *a < 0.0) {
                totals[*cell].get_or_insert(sum);
            }
        }
        let mut parts = vec![None; n];
        (0..n).for_each(|cell| define(cell, sums, &totals, &mut parts));
        let mut is_definition = vec![false; sums.len()];
        totals.iter().flatten().for_each(|sum| is_definition[*sum] = true);
        let mut scratch = Scratch::new(n);
        let mut left: Vec<Terms> = Vec::new();
        for (sum, _) in is_definition.iter().enumerate().filter(|(_, is)| !**is) {
            for (cell, factor) in &sums[sum] {
                match &parts[*cell] {
                    Some(parts) => parts.iter().for_each(|(part, f)| scratch.add(*part, f * factor)),
                    None => scratch.add(*cell, *factor),
                }
            }
            let terms = scratch.take();
            if !terms.is_empty() {
                left.push(terms);
            }
        }
        let cells = |terms: &Terms| -> Vec<usize> { terms.iter().map(|(cell, _)| *cell).collect() };
        left.sort_by_cached_key(|terms| (terms.len(), cells(terms)));
        left.dedup();
        Self { parts, left }
    }
}

fn define(cell: usize, sums: &[Terms], totals: &[Option<usize>], parts: &mut Vec<Option<Terms>>) {
    let Some(sum) = totals[cell].filter(|_| parts[cell].is_none()) else { return };
    let mut all: HashMap<usize, f64> = HashMap::new();
    for (part, _) in sums[sum].iter().filter(|(c, _)| *c != cell) {
        define(*part, sums, totals, parts);
        match &parts[*part] {
            Some(parts) => parts.iter().for_each(|(p, f)| *all.entry(*p).or_insert(0.0) += f),
            None => *all.entry(*part).or_insert(0.0) += 1.0,
        }
    }
    let mut terms: Terms = all.into_iter().collect();
    terms.sort_unstable_by_key(|(cell, _)| *cell);
    parts[cell] = Some(terms);
}

/// A sum being gathered.
pub(super) struct Scratch {
    factor: Vec<f64>,
    used: Vec<usize>,
    is_used: Vec<bool>,
}

impl Scratch {
    pub fn new(n: usize) -> Self {
        Self { factor: vec![0.0; n], used: Vec::new(), is_used: vec![false; n] }
    }

    pub fn add(&mut self, cell: usize, factor: f64) {
        self.factor[cell] += factor;
        if !std::mem::replace(&mut self.is_used[cell], true) {
            self.used.push(cell);
        }
    }

    /// Puts in what is solved, in order: a later one holds no earlier one.
    pub fn substitute(&mut self, solved: &[(usize, Terms)], solved_at: &[Option<usize>]) {
        let mut waiting: BTreeSet<usize> = self.used.iter().filter_map(|c| solved_at[*c]).collect();
        while let Some(at) = waiting.pop_first() {
            let (cell, terms) = &solved[at];
            let by = std::mem::take(&mut self.factor[*cell]);
            if by.abs() < ZERO {
                continue;
            }
            for (other, factor) in terms {
                self.add(*other, by * factor);
                waiting.extend(solved_at[*other].filter(|o| *o > at));
            }
        }
    }

    /// Puts in what is solved down to free cells.
    pub fn substitute_last(&mut self, solved: &[(usize, Terms)], solved_at: &[Option<usize>]) {
        let known: Vec<usize> = self.used.iter().filter_map(|c| solved_at[*c]).collect();
        for at in known {
            let (cell, terms) = &solved[at];
            let by = std::mem::take(&mut self.factor[*cell]);
            if by != 0.0 {
                terms.iter().for_each(|(other, factor)| self.add(*other, by * factor));
            }
        }
    }

    /// The sum in the order of cells, without what vanished; empty again afterwards.
    pub fn take(&mut self) -> Terms {
        let mut used = std::mem::take(&mut self.used);
        used.sort_unstable();
        let mut terms = Terms::new();
        for cell in used {
            self.is_used[cell] = false;
            let factor = std::mem::take(&mut self.factor[cell]);
            if factor.abs() > ZERO {
                terms.push((cell, factor));
            }
        }
        terms
    }
}
