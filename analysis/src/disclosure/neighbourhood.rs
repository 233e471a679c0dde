//! Which cells are near a cell: those whose codes an attacker would have to change together with it.

use super::counts::{Counts, Tree};
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap};

/// The cells' codes by number, and how codes lie under each other.
pub(super) struct Places {
    /// By column and cell; 0 is the margin.
    code: Vec<Vec<usize>>,
    columns: Vec<Column>,
}

struct Column {
    /// Codes without others below them, by code (the margin has all).
    leaves: Vec<Vec<usize>>,
    parent: Vec<usize>,
}

impl Places {
    pub fn of(counts: &Counts, trees: &IndexMap<String, Tree>) -> Self {
        let mut names: BTreeMap<&String, HashMap<&String, usize>> = BTreeMap::new();
        for (column, code) in counts.cells.keys().flatten() {
            let codes = names.entry(column).or_default();
            let next = codes.len() + 1;
            codes.entry(code).or_insert(next);
        }
        let code = names
            .iter()
            .map(|(column, codes)| {
                counts.cells.keys().map(|key| key.get(*column).map_or(0, |code| codes[code])).collect()
            })
            .collect();
        let columns = names
            .iter()
            .map(|(column, codes)| {
                let above = trees.get(*column).map(|t| &t.parent);
                let mut parent = vec![0; codes.len() + 1];
                for (code, at) in codes {
                    let up = above.and_then(|a| a.get(*code)).and_then(Option::as_ref);
                    parent[*at] = up.and_then(|up| codes.get(up)).copied().unwrap_or(0);
                }
                let mut leaves = vec![Vec::new(); parent.len()];
                for leaf in (1..parent.len()).filter(|leaf| !parent.contains(leaf)) {
                    let mut at = leaf;
                    for _ in 0..parent.len() {
                        leaves[at].push(leaf);
                        if at == 0 {
                            break;
                        }
                        at = parent[at];
                    }
                }
                Column { leaves, parent }
            })
            .collect();
        Self { code, columns }
    }

    /// How many columns the cells have.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Cells that may move, the nearest to `target` first: at most `most` of them, whole blocks only.
    ///
    /// `ease`: by cell, how much it can give when its neighbour rises; 0 cannot move. `along`: a column of which all
    /// codes are near.
    pub fn near(&self, target: usize, ease: &[f64], most: usize, along: Option<usize>) -> Vec<usize> {
        let mut ranks: Vec<Vec<usize>> = self.score(target, ease);
        if let Some(all) = along.and_then(|column| ranks.get_mut(column)) {
            all.fill(0);
        }
        let mut by_level: Vec<(usize, usize)> = (0..ease.len())
            .filter(|i| ease[*i] > 0.0 || *i == target)
            .map(|i| {
                let level = ranks.iter().zip(&self.code).map(|(rank, code)| rank[code[i]]).max();
                (level.unwrap_or(0), i)
            })
            .collect();
        by_level.sort_unstable();
        if by_level.len() > most {
            let level = by_level[most].0;
            let end = by_level.partition_point(|(l, _)| *l < level);
            by_level.truncate(end.max(1));
        }
        by_level.into_iter().map(|(_, i)| i).collect()
    }

    /// Rank of each code of each column, as seen from `target`.
    fn score(&self, target: usize, ease: &[f64]) -> Vec<Vec<usize>> {
        let mut scores: Vec<Vec<f64>> = self.columns.iter().map(|c| vec![0.0; c.parent.len()]).collect();
        for (i, ease) in ease.iter().enumerate().filter(|(_, e)| **e > 0.0) {
            let mut differs = None;
            let mut how_many = 0;
            for (k, code) in self.code.iter().enumerate() {
                scores[k][code[i]] += 1e-4 * ease.min(1.0);
                if code[i] != code[target] {
                    how_many += 1;
                    differs = Some(k);
                }
            }
            if let (Some(k), 1) = (differs, how_many) {
                scores[k][self.code[k][i]] += ease;
            }
        }
        let columns = self.columns.iter().zip(&self.code).zip(scores);
        columns
            .map(|((column, code), mut score)| {
                let own = code[target];
                for leaf in &column.leaves[0] {
                    let beside = column.parent[*leaf] == column.parent[own] && own != 0;
                    score[*leaf] += if beside { 20.0 } else { 0.0 };
                }
                // The target itself, or what lies under it, comes first.
                let under = &column.leaves[own];
                if own != 0
                    && let Some(best) =
                        under.iter().max_by(|a, b| score[**a].total_cmp(&score[**b]).then(b.cmp(a)))
                {
                    score[*best] += 1e6;
                }
                let mut order = column.leaves[0].clone();
                order.sort_by(|a, b| score[*b].total_cmp(&score[*a]).then(a.cmp(b)));
                let mut rank = vec![usize::MAX; column.parent.len()];
                for (at, leaf) in order.into_iter().enumerate() {
                    rank[leaf] = at;
                }
                for code in 0..rank.len() {
                    if let Some(first) = column.leaves[code].iter().map(|leaf| rank[*leaf]).min() {
                        rank[code] = first;
                    }
                }
                rank[0] = 0;
                rank
            })
            .collect()
    }
}
