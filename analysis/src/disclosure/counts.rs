//! Counts of respondents in linked tables: cells, margins, and the sums that tie them.

use super::protection::{ProtectError, ProtectionPlan, Released, no_column};
use indexmap::{IndexMap, IndexSet};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond this the dense programs take too long.
pub(super) const MOST_CELLS: usize = 1_000;

/// A cell by its fixed columns; columns not named are summed over. The same cell of two tables has one key.
pub(super) type Key = BTreeMap<String, String>;

/// Answers as text, a column each.
pub(super) type Columns = IndexMap<String, Vec<String>>;

/// Parent of each code of a column, and the codes without one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub parent: IndexMap<String, Option<String>>,
}

impl Tree {
    /// The code and all above it.
    fn line(&self, code: &str) -> Vec<String> {
        let mut line = vec![code.to_owned()];
        let mut at = code;
        while let Some(Some(parent)) = self.parent.get(at) {
            if line.contains(parent) {
                break;
            }
            line.push(parent.clone());
            at = parent;
        }
        line
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct CellCount {
    pub n: usize,
    pub clusters: usize,
    /// Known to the attacker from an earlier answer: can be used against others, but not hidden any more.
    pub released: bool,
    /// In no table: only there because its count cannot be negative.
    pub imagined: bool,
}

pub(super) struct Counts {
    pub cells: IndexMap<Key, CellCount>,
    /// Each sums to zero: a total (−1) and its parts (+1), as cell indices.
    pub equations: Vec<Vec<(usize, f64)>>,
    /// Cells of each table of the plan, in order.
    pub tables: Vec<Vec<usize>>,
    /// Codes that stand above others in their column's tree.
    sums: BTreeMap<String, BTreeSet<String>>,
}

/// A table's columns with the codes on each, by level of detail.
struct Frame<'a> {
    by: &'a [String],
    codes: Vec<Vec<String>>,
}

impl Counts {
    pub fn of(
        plan: &ProtectionPlan,
        data: &Columns,
        trees: &IndexMap<String, Tree>,
        released: &[Released],
    ) -> Result<Self, ProtectError> {
        let sums = trees
            .iter()
            .map(|(column, tree)| (column.clone(), tree.parent.values().flatten().cloned().collect()))
            .collect();
        let mut counts = Self { cells: IndexMap::new(), equations: Vec::new(), tables: Vec::new(), sums };
        let mut equations: IndexSet<Vec<(usize, i8)>> = IndexSet::new();
        let earlier: Vec<Vec<String>> = released.iter().flat_map(Released::tables).collect();
        let own = plan.tables.iter().map(|t| t.by.as_slice());
        refuse_answers_above_others(data, trees)?;
        for (at, by) in own.chain(earlier.iter().map(Vec::as_slice)).enumerate() {
            let frame = Frame { by, codes: codes(by, data, trees)? };
            let tally = tally(&frame, plan.cluster.as_deref(), data, trees);
            let indices = counts.insert(&frame, &tally);
            if at < plan.tables.len() {
                counts.tables.push(indices);
            }
            counts.tie(&frame, trees, &mut equations);
        }
        let all: Vec<&[String]> =
            plan.tables.iter().map(|t| t.by.as_slice()).chain(earlier.iter().map(Vec::as_slice)).collect();
        if is_cyclic(&all) {
            counts.tie_people(&all, plan, data, &mut equations)?;
        }
        counts.equations = equations
            .into_iter()
            .map(|e| e.into_iter().map(|(cell, sign)| (cell, f64::from(sign))).collect())
            .collect();
        for (key, n) in released.iter().flat_map(Released::shown) {
            if let Some(cell) = counts.cells.get_mut(&key)
                && cell.n == n
            {
                cell.released = true;
            }
        }
        Ok(counts)
    }

    /// True where the cell's code of `column` sums up other codes.
    pub fn is_sum(&self, column: &str, key: &Key) -> bool {
        key.get(column).is_some_and(|code| self.sums.get(column).is_some_and(|s| s.contains(code)))
    }

    /// Tables that share columns in a circle (a×b, b×c, a×c) tell more together than their margins do: no count
    /// of people with one combination of all columns is negative. Those counts join as cells of their own,
    /// which no table shows.
    fn tie_people(
        &mut self,
        tables: &[&[String]],
        plan: &ProtectionPlan,
        data: &Columns,
        equations: &mut IndexSet<Vec<(usize, i8)>>,
    ) -> Result<(), ProtectError> {
        let union: IndexSet<String> = tables.iter().flat_map(|by| by.iter().cloned()).collect();
        let by: Vec<String> = union.into_iter().collect();
        let ends = Frame { by: &by, codes: codes(&by, data, &IndexMap::new())? };
        let size = ends.codes.iter().map(Vec::len).product::<usize>() + self.cells.len();
        if size > MOST_CELLS {
            return Err(ProtectError::TooLarge { cells: size, limit: MOST_CELLS });
        }
        let people = tally(&ends, plan.cluster.as_deref(), data, &IndexMap::new());
        let atoms: Vec<Key> = ends.keys().into_iter().filter(|k| k.len() == by.len()).collect();
        for key in &atoms {
            let (n, clusters) = people.get(key).copied().unwrap_or((0, 0));
            self.cells.entry(key.clone()).or_insert(CellCount {
                n,
                clusters,
                released: false,
                imagined: true,
            });
        }
        for table in tables {
            let inner = Frame { by: table, codes: codes(table, data, &IndexMap::new())? };
            for key in inner.keys().into_iter().filter(|k| k.len() == table.len()) {
                let Some(total) = self.cells.get_index_of(&key) else { continue };
                let parts =
                    atoms.iter().filter(|a| key.iter().all(|(column, code)| a.get(column) == Some(code)));
                let mut equation: Vec<(usize, i8)> =
                    parts.filter_map(|a| Some((self.cells.get_index_of(a)?, 1))).collect();
                equation.push((total, -1));
                equation.sort_unstable();
                equations.insert(equation);
            }
        }
        Ok(())
    }

    fn insert(&mut self, frame: &Frame<'_>, tally: &BTreeMap<Key, (usize, usize)>) -> Vec<usize> {
        let mut indices = Vec::new();
        for key in frame.keys() {
            let (n, clusters) = tally.get(&key).copied().unwrap_or((0, 0));
            let entry = self.cells.entry(key);
            indices.push(entry.index());
            entry.or_insert(CellCount { n, clusters, released: false, imagined: false });
        }
        indices
    }

    /// Adds, for each column and each choice on the others, the sums along its tree.
    fn tie(
        &self,
        frame: &Frame<'_>,
        trees: &IndexMap<String, Tree>,
        equations: &mut IndexSet<Vec<(usize, i8)>>,
    ) {
        let empty = Tree::default();
        for (column, codes) in frame.by.iter().zip(&frame.codes) {
            let tree = trees.get(column).unwrap_or(&empty);
            let mut children: IndexMap<Option<&String>, Vec<&String>> = IndexMap::new();
            for code in codes {
                let parent = tree.parent.get(code).and_then(Option::as_ref);
                children.entry(parent.filter(|p| codes.contains(p))).or_default().push(code);
            }
            for key in frame.keys().into_iter().filter(|k| !k.contains_key(column)) {
                for (parent, parts) in &children {
                    let at = |code: Option<&String>| {
                        let mut key = key.clone();
                        if let Some(code) = code {
                            key.insert(column.clone(), code.clone());
                        }
                        self.cells.get_index_of(&key)
                    };
                    let total = at(*parent).map(|i| (i, -1_i8));
                    let mut equation: Vec<(usize, i8)> = total
                        .into_iter()
                        .chain(parts.iter().filter_map(|p| Some((at(Some(p))?, 1))))
                        .collect();
                    equation.sort_unstable();
                    equations.insert(equation);
                }
            }
        }
    }
}

impl Frame<'_> {
    /// All cells with all margins, in the order of the codes, margins first.
    fn keys(&self) -> Vec<Key> {
        let mut keys = vec![Key::new()];
        for (column, codes) in self.by.iter().zip(&self.codes) {
            let mut longer = Vec::with_capacity(keys.len() * (codes.len() + 1));
            for key in &keys {
                longer.push(key.clone());
                for code in codes {
                    let mut key = key.clone();
                    key.insert(column.clone(), code.clone());
                    longer.push(key);
                }
            }
            keys = longer;
        }
        keys
    }
}

/// True where the tables' columns form a circle. Source: the reduction of Graham, and of Yu and Özsoyoğlu.
fn is_cyclic(tables: &[&[String]]) -> bool {
    let mut left: Vec<BTreeSet<&String>> = tables.iter().map(|by| by.iter().collect()).collect();
    loop {
        let before: usize = left.len() + left.iter().map(BTreeSet::len).sum::<usize>();
        for i in 0..left.len() {
            let shared =
                |column: &&String| left.iter().enumerate().any(|(j, t)| j != i && t.contains(column));
            let kept: BTreeSet<&String> = left[i].iter().copied().filter(|c| shared(c)).collect();
            left[i] = kept;
        }
        let mut i = 0;
        while i < left.len() {
            let inside = left.iter().enumerate().any(|(j, t)| j != i && left[i].is_subset(t));
            if inside || left[i].is_empty() {
                left.remove(i);
            } else {
                i += 1;
            }
        }
        let after: usize = left.len() + left.iter().map(BTreeSet::len).sum::<usize>();
        if after == before {
            return !left.is_empty();
        }
    }
}

/// An answer must stand at the end of its tree: else a sum would be more than its parts.
fn refuse_answers_above_others(data: &Columns, trees: &IndexMap<String, Tree>) -> Result<(), ProtectError> {
    for (column, tree) in trees {
        let values = data.get(column).ok_or_else(|| no_column(column, data))?;
        let seen: BTreeSet<&String> = values.iter().collect();
        if let Some(code) = tree.parent.values().flatten().find(|code| seen.contains(code)) {
            return Err(ProtectError::MixedLevels { column: column.clone(), code: code.clone() });
        }
    }
    Ok(())
}

/// Codes of each column: those of the answers and all above them.
fn codes(
    by: &[String],
    data: &Columns,
    trees: &IndexMap<String, Tree>,
) -> Result<Vec<Vec<String>>, ProtectError> {
    by.iter()
        .map(|column| {
            let values = data.get(column).ok_or_else(|| no_column(column, data))?;
            let seen: BTreeSet<&String> = values.iter().collect();
            let all: BTreeSet<String> = seen
                .into_iter()
                .flat_map(|code| trees.get(column).map_or_else(|| vec![code.clone()], |t| t.line(code)))
                .collect();
            Ok(all.into_iter().collect())
        })
        .collect()
}

/// Respondents and clusters of each cell that has any.
fn tally(
    frame: &Frame<'_>,
    cluster: Option<&str>,
    data: &Columns,
    trees: &IndexMap<String, Tree>,
) -> BTreeMap<Key, (usize, usize)> {
    let rows = data.values().next().map_or(0, Vec::len);
    let clusters = cluster.and_then(|c| data.get(c));
    let mut people: BTreeMap<Key, (usize, BTreeSet<String>)> = BTreeMap::new();
    for row in 0..rows {
        let mut keys = vec![Key::new()];
        for column in frame.by {
            let code = &data[column][row];
            let line = trees.get(column).map_or_else(|| vec![code.clone()], |t| t.line(code));
            let mut longer = keys.clone();
            for key in &keys {
                for code in &line {
                    let mut key = key.clone();
                    key.insert(column.clone(), code.clone());
                    longer.push(key);
                }
            }
            keys = longer;
        }
        // Without a cluster column each respondent is a cluster of its own.
        let unit = clusters.map_or_else(|| row.to_string(), |c| c[row].clone());
        for key in keys {
            let cell = people.entry(key).or_default();
            cell.0 += 1;
            cell.1.insert(unit.clone());
        }
    }
    people.into_iter().map(|(key, (n, units))| (key, (n, units.len()))).collect()
}
