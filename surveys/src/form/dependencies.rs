//! Which items read which, and an order in which each is computed after what it reads.

use std::collections::HashMap;

use crate::expression::{Expression, Reference};

use super::{Item, Role};

/// For each item the items that read it, and for each item its rank.
///
/// Items in a cycle are ranked by their place in the form; recomputation then settles or is cut off.
pub(super) fn order(items: &[Item], by_path: &HashMap<String, usize>) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut dependents = vec![Vec::new(); items.len()];
    let mut waiting = vec![0_usize; items.len()];
    let mut add = |read: usize, by: usize| {
        let list: &mut Vec<usize> = &mut dependents[read];
        // Items come in order, so that one that stands there already stands last.
        if list.last() != Some(&by) {
            list.push(by);
            if read != by {
                waiting[by] += 1;
            }
        }
    };
    for (index, item) in items.iter().enumerate() {
        let count = match &item.role {
            Role::Repeat(count) => count.as_ref(),
            _ => None,
        };
        // A triggered calculation runs when its trigger changes, not when what it reads does.
        let calculation = item.calculation.as_ref().filter(|_| item.triggers.is_empty());
        for expression in [item.relevant.as_ref(), calculation, count].into_iter().flatten() {
            for read in read_by(expression, item, items, by_path) {
                add(read, index);
            }
        }
    }
    let mut rank = vec![usize::MAX; items.len()];
    let mut next = 0;
    let mut ready: std::collections::BTreeSet<usize> =
        (0..items.len()).filter(|index| waiting[*index] == 0).collect();
    let mut left: std::collections::BTreeSet<usize> = (0..items.len()).collect();
    while let Some(first) = ready.pop_first().or_else(|| left.first().copied()) {
        if !left.remove(&first) {
            continue;
        }
        rank[first] = next;
        next += 1;
        for dependent in &dependents[first] {
            waiting[*dependent] = waiting[*dependent].saturating_sub(1);
            if waiting[*dependent] == 0 && left.contains(dependent) {
                ready.insert(*dependent);
            }
        }
    }
    (dependents, rank)
}

/// Items that an expression reads: those at its paths, all below a path that ends in a group, and
/// the groups around them (their relevance decides what is read).
pub(super) fn read_by(
    expression: &Expression,
    item: &Item,
    items: &[Item],
    by_path: &HashMap<String, usize>,
) -> Vec<usize> {
    let mut found = Vec::new();
    for reference in expression.references(&item.path) {
        let Reference::Path(path) = reference else { continue };
        if path.contains(['*']) || path.contains("//") {
            let cut = path.find(['*']).into_iter().chain(path.find("//")).min().unwrap_or(0);
            let prefix = &path[..cut];
            found.extend((0..items.len()).filter(|i| items[*i].path.starts_with(prefix)));
        } else if let Some(index) = by_path.get(&path) {
            found.push(*index);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
