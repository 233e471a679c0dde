//! Which counts may not be seen, whatever happens to the others.

use super::counts::{Counts, Key};
use super::earlier::Released;
use super::protection::ProtectionPlan;
use std::collections::{BTreeMap, BTreeSet};

/// Rule 18: an answer with more than this share …
const DOMINATING_SHARE: f64 = 0.9;
/// … of a base smaller than this.
const DOMINATED_BASE: usize = 100;

/// By cell: hidden under rule 17 or 18, told apart from an earlier answer by too few (rule 20), or held back earlier.
pub(super) fn unsafe_counts(counts: &Counts, plan: &ProtectionPlan, released: &[Released]) -> Vec<bool> {
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
        *is_primary |= !own.contains(&i) || counts.cells[i].held_back;
    }
    // What is known already cannot be protected, and does not protect others.
    for (i, cell) in counts.cells.values().enumerate() {
        primary[i] &= !cell.released;
    }
    primary
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
