//! Counts of respondents in linked tables: cells, margins, and the sums that tie them.

use super::earlier::Released;
use super::protection::{ProtectError, ProtectionPlan, no_column};
use indexmap::{IndexMap, IndexSet};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Linked cells that are protected at once, those that no table shows included.
pub(super) const MOST_CELLS: usize = 20_000;

/// A cell by its fixed columns; columns not named are summed over. The same cell of two tables has one key.
pub(super) type Key = BTreeMap<String, String>;

/// Cells with their signs that add up to zero: a total (−1) and its parts (+1).
pub(super) type Sum = Vec<(usize, i8)>;

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
    /// Clusters of its respondents, counted up to the plan's `min_clusters`.
    pub clusters: usize,
    /// Known to the attacker from an earlier answer: can be used against others, but not hidden any more.
    pub released: bool,
    /// In no table: only there because its count cannot be negative.
    pub imagined: bool,
    /// Earlier answers about other data counted so many; where they hid the count, all of them could be.
    pub before: usize,
    /// An earlier answer about other data hid it.
    pub held_back: bool,
}

pub(super) struct Counts {
    pub cells: IndexMap<Key, CellCount>,
    pub equations: Vec<Sum>,
    /// Cells of each table of the plan, in order.
    pub tables: Vec<Vec<usize>>,
    /// Codes that stand above others in their column's tree.
    sums: BTreeMap<String, BTreeSet<String>>,
}

impl Counts {
    pub fn of(
        plan: &ProtectionPlan,
        data: &Columns,
        trees: &IndexMap<String, Tree>,
        released: &[Released],
    ) -> Result<Self, ProtectError> {
        refuse_answers_above_others(data, trees)?;
        let sums = trees
            .iter()
            .map(|(column, tree)| (column.clone(), tree.parent.values().flatten().cloned().collect()))
            .collect();
        let mut counts = Self { cells: IndexMap::new(), equations: Vec::new(), tables: Vec::new(), sums };
        let mut equations: IndexSet<Sum> = IndexSet::new();
        let earlier = released.iter().flat_map(Released::tables);
        let all: Vec<Vec<String>> = plan.tables.iter().map(|t| t.by.clone()).chain(earlier).collect();
        let clusters = Clusters::of(plan, data)?;
        for (at, by) in all.iter().enumerate() {
            let frame = Frame::of(by, data, trees)?;
            if frame.size > MOST_CELLS {
                return Err(ProtectError::TooLarge { cells: frame.size, limit: MOST_CELLS });
            }
            let indices = counts.insert(&frame, &frame.tally(&clusters), false);
            frame.tie(&indices, &mut equations);
            if at < plan.tables.len() {
                counts.tables.push(indices);
            }
        }
        let core = cyclic_core(&all);
        if !core.is_empty() {
            counts.tie_people(&core, data, &clusters, &mut equations)?;
        }
        if counts.cells.len() > MOST_CELLS {
            return Err(ProtectError::TooLarge { cells: counts.cells.len(), limit: MOST_CELLS });
        }
        counts.equations = equations.into_iter().collect();
        for answer in released {
            counts.hear(answer)?;
        }
        counts.infer();
        Ok(counts)
    }

    /// Takes in what an earlier answer told: its counts, or what was there before.
    fn hear(&mut self, answer: &Released) -> Result<(), ProtectError> {
        if !answer.is_of_other_data(self) {
            for (key, _) in answer.shown() {
                self.cells.entry(key).and_modify(|cell| cell.released = true);
            }
            return Ok(());
        }
        answer.refuse_if_too_near(self)?;
        for (key, n) in answer.cells() {
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.held_back |= n.is_none();
            // Where fewer are left than were there, people went, and how many stayed is not known.
            let before = n.unwrap_or(cell.n);
            if before <= cell.n {
                cell.before = cell.before.max(before);
            }
        }
        Ok(())
    }

    /// Today's count; nobody where no table has the cell.
    pub fn today(&self, key: &Key) -> usize {
        self.cells.get(key).map_or(0, |cell| cell.n)
    }

    /// Marks what earlier answers tell without being asked: the parts of a released zero, and the last unknown
    /// part of a sum.
    fn infer(&mut self) {
        let mut sums_of = vec![Vec::new(); self.cells.len()];
        for (sum, equation) in self.equations.iter().enumerate() {
            equation.iter().for_each(|(cell, _)| sums_of[*cell].push(sum));
        }
        let mut waiting: Vec<usize> = (0..self.cells.len()).filter(|i| self.cells[*i].released).collect();
        while let Some(cell) = waiting.pop() {
            for sum in &sums_of[cell] {
                let equation = &self.equations[*sum];
                let nobody =
                    |(i, a): &(usize, i8)| *a < 0 && self.cells[*i].released && self.cells[*i].n == 0;
                let unknown: Vec<usize> =
                    equation.iter().map(|(i, _)| *i).filter(|i| !self.cells[*i].released).collect();
                if unknown.len() == 1 || equation.iter().any(nobody) {
                    for i in unknown {
                        self.cells[i].released = true;
                        waiting.push(i);
                    }
                }
            }
        }
    }

    /// True where the cell's code of `column` sums up other codes.
    pub fn is_sum(&self, column: &str, key: &Key) -> bool {
        key.get(column).is_some_and(|code| self.sums.get(column).is_some_and(|s| s.contains(code)))
    }

    /// Tables that share columns in a circle (a×b, b×c, a×c) tell more together than their margins do: no count
    /// of people with one combination of the circle's columns is negative. Those counts join as cells of their
    /// own, which no table shows.
    fn tie_people(
        &mut self,
        core: &[BTreeSet<String>],
        data: &Columns,
        clusters: &Clusters,
        equations: &mut IndexSet<Sum>,
    ) -> Result<(), ProtectError> {
        let union: BTreeSet<&String> = core.iter().flatten().collect();
        let by: Vec<String> = union.into_iter().cloned().collect();
        let people = Frame::of(&by, data, &IndexMap::new())?;
        let size = people.size.saturating_add(self.cells.len());
        if size > MOST_CELLS {
            return Err(ProtectError::TooLarge { cells: size, limit: MOST_CELLS });
        }
        let indices = self.insert(&people, &people.tally(clusters), true);
        let mut parts: BTreeMap<(usize, Vec<usize>), Sum> = BTreeMap::new();
        for (at, cell) in indices.into_iter().enumerate().filter(|(_, i)| *i != usize::MAX) {
            let place = people.place(at);
            for (e, edge) in core.iter().enumerate() {
                let of_edge = by.iter().zip(&place).filter(|(c, _)| edge.contains(*c)).map(|(_, p)| *p);
                parts.entry((e, of_edge.collect())).or_default().push((cell, 1));
            }
        }
        for ((e, place), mut equation) in parts {
            let codes = by.iter().enumerate().filter(|(_, c)| core[e].contains(*c));
            let key: Key = codes
                .zip(place)
                .map(|((column, name), at)| (name.clone(), people.axes[column].codes[at - 1].clone()))
                .collect();
            if let Some(total) = self.cells.get_index_of(&key) {
                equation.push((total, -1));
                equation.sort_unstable();
                equations.insert(equation);
            }
        }
        Ok(())
    }

    /// Adds the frame's cells and gives the index of each. Imagined ones are only those without margins; the
    /// others have no index (`usize::MAX`).
    fn insert(&mut self, frame: &Frame, tally: &[(usize, usize)], imagined: bool) -> Vec<usize> {
        let mut indices = Vec::with_capacity(frame.size);
        for (at, (n, clusters)) in tally.iter().copied().enumerate() {
            let place = frame.place(at);
            if imagined && place.contains(&0) {
                indices.push(usize::MAX);
                continue;
            }
            let fixed = frame.by.iter().zip(&frame.axes).zip(place).filter(|(_, p)| *p > 0);
            let key: Key = fixed.map(|((c, axis), p)| (c.clone(), axis.codes[p - 1].clone())).collect();
            let entry = self.cells.entry(key);
            indices.push(entry.index());
            entry.or_insert(CellCount { n, clusters, imagined, ..CellCount::default() });
        }
        indices
    }
}

/// The cluster of each respondent, by number; without a column each respondent is a cluster of its own.
struct Clusters {
    of_row: Vec<usize>,
    /// More need not be told apart.
    enough: usize,
}

impl Clusters {
    fn of(plan: &ProtectionPlan, data: &Columns) -> Result<Self, ProtectError> {
        let rows = data.values().next().map_or(0, Vec::len);
        let of_row = match &plan.cluster {
            None => (0..rows).collect(),
            Some(name) => {
                let column = data.get(name).ok_or_else(|| no_column(name, data))?;
                let mut seen: HashMap<&String, usize> = HashMap::new();
                column
                    .iter()
                    .map(|unit| {
                        let next = seen.len();
                        *seen.entry(unit).or_insert(next)
                    })
                    .collect()
            }
        };
        Ok(Self { of_row, enough: plan.min_clusters.max(1) })
    }
}

/// The codes of one column, those of the answers and all above them, in order.
pub(super) struct Axis {
    pub codes: Vec<String>,
    /// Place of the code above each; 0 is the margin, code `i` has place `i` + 1.
    above: Vec<usize>,
    /// By code, the places that its respondents count in, besides the margin.
    pub lines: Vec<Vec<usize>>,
    /// By respondent, an index into `lines`.
    pub of_row: Vec<usize>,
}

impl Axis {
    fn of(column: &str, data: &Columns, tree: Option<&Tree>) -> Result<Self, ProtectError> {
        let values = data.get(column).ok_or_else(|| no_column(column, data))?;
        let line = |code: &str| tree.map_or_else(|| vec![code.to_owned()], |t| t.line(code));
        let seen: BTreeSet<&String> = values.iter().collect();
        let codes: BTreeSet<String> = seen.into_iter().flat_map(|code| line(code)).collect();
        let codes: Vec<String> = codes.into_iter().collect();
        let place: HashMap<&str, usize> =
            codes.iter().enumerate().map(|(i, code)| (code.as_str(), i + 1)).collect();
        let parent = |code: &str| tree.and_then(|t| t.parent.get(code)).and_then(Option::as_deref);
        let above =
            codes.iter().map(|c| parent(c).and_then(|p| place.get(p)).copied().unwrap_or(0)).collect();
        let lines =
            codes.iter().map(|c| line(c).iter().filter_map(|c| place.get(c.as_str())).copied().collect());
        let lines = lines.collect();
        let of_row = values.iter().map(|v| place.get(v.as_str()).map_or(0, |p| p - 1)).collect();
        Ok(Self { above, lines, of_row, codes })
    }
}

/// A table's columns with the codes on each. Its cells, with all margins, stand in the order of the codes, the
/// last column fastest, a margin before the codes.
pub(super) struct Frame {
    pub by: Vec<String>,
    pub axes: Vec<Axis>,
    /// Cells from one code of a column to the next.
    pub strides: Vec<usize>,
    /// Cells; `usize::MAX` where they cannot be counted.
    size: usize,
}

impl Frame {
    pub fn of(by: &[String], data: &Columns, trees: &IndexMap<String, Tree>) -> Result<Self, ProtectError> {
        let axes: Vec<Axis> =
            by.iter().map(|c| Axis::of(c, data, trees.get(c))).collect::<Result<_, ProtectError>>()?;
        let mut strides = vec![1; axes.len()];
        let mut size = 1_usize;
        for (stride, axis) in strides.iter_mut().zip(&axes).rev() {
            *stride = size;
            size = size.saturating_mul(axis.codes.len() + 1);
        }
        Ok(Self { by: by.to_vec(), axes, strides, size })
    }

    /// Place on each axis of the cell at `at`.
    fn place(&self, at: usize) -> Vec<usize> {
        self.strides.iter().zip(&self.axes).map(|(s, axis)| at / s % (axis.codes.len() + 1)).collect()
    }

    /// Respondents and clusters of each cell.
    fn tally(&self, clusters: &Clusters) -> Vec<(usize, usize)> {
        let mut people = vec![0; self.size];
        let mut units: Vec<Vec<usize>> = vec![Vec::new(); self.size];
        let mut at = Vec::new();
        for (row, unit) in clusters.of_row.iter().enumerate() {
            at.clear();
            at.push(0);
            for (axis, stride) in self.axes.iter().zip(&self.strides) {
                let without = at.len();
                for place in &axis.lines[axis.of_row[row]] {
                    for i in 0..without {
                        at.push(at[i] + place * stride);
                    }
                }
            }
            for cell in &at {
                people[*cell] += 1;
                let seen = &mut units[*cell];
                if seen.len() < clusters.enough && !seen.contains(unit) {
                    seen.push(*unit);
                }
            }
        }
        people.into_iter().zip(units).map(|(n, units)| (n, units.len())).collect()
    }

    /// Adds, for each column and each choice on the others, the sums along its tree.
    fn tie(&self, indices: &[usize], equations: &mut IndexSet<Sum>) {
        for (axis, stride) in self.axes.iter().zip(&self.strides) {
            let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (i, above) in axis.above.iter().enumerate() {
                parts.entry(*above).or_default().push(i + 1);
            }
            let on_margin = |at: &usize| (at / stride).is_multiple_of(axis.codes.len() + 1);
            for at in (0..self.size).filter(on_margin) {
                for (total, parts) in &parts {
                    let mut equation: Sum = parts.iter().map(|p| (indices[at + p * stride], 1)).collect();
                    equation.push((indices[at + total * stride], -1));
                    equation.sort_unstable();
                    equations.insert(equation);
                }
            }
        }
    }
}

/// What is left of the tables' columns when every table that hangs on the others by columns of one of them is
/// taken away: the circle, empty where there is none. Source: the reduction of Graham, and of Yu and Özsoyoğlu.
fn cyclic_core(tables: &[Vec<String>]) -> Vec<BTreeSet<String>> {
    let mut left: Vec<BTreeSet<String>> = tables.iter().map(|by| by.iter().cloned().collect()).collect();
    loop {
        let before: usize = left.len() + left.iter().map(BTreeSet::len).sum::<usize>();
        for i in 0..left.len() {
            let shared =
                |column: &&String| left.iter().enumerate().any(|(j, t)| j != i && t.contains(*column));
            let kept: BTreeSet<String> = left[i].iter().filter(shared).cloned().collect();
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
            return left;
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
