//! Other respondents who would fit what is published: linear programs over who could have answered.
//!
//! A *profile* is one code of every column that a table uses. Whoever comes to a profile or leaves it moves every
//! cell the profile counts in, so what is found here is a filling of all linked tables at once, and one that people
//! could have given.

use super::counts::{Columns, Counts, Frame, Tree};
use super::protection::ProtectError;
use indexmap::IndexMap;
use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOptions, Variable};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Profiles that one program moves at most.
const MOST_PROFILES: usize = 1_500;

/// By cell, how far its count is from the true one; cells not named stay.
pub(super) type Changes = BTreeMap<usize, f64>;

/// One code of each column, by number.
type Profile = Vec<usize>;

pub(super) struct People {
    columns: Vec<Column>,
    tables: Vec<Placed>,
    /// Respondents of each profile that somebody has.
    counts: BTreeMap<Profile, usize>,
}

struct Column {
    /// By code, its places: itself and all above it.
    lines: Vec<Vec<usize>>,
    /// Codes that somebody has, the most frequent first.
    lowest: Vec<usize>,
}

/// A table: its columns, and the cell of each combination of places.
struct Placed {
    columns: Vec<usize>,
    strides: Vec<usize>,
    cells: Vec<usize>,
}

/// A cell as the place it fixes in each column.
pub(super) struct Target {
    places: Vec<Option<usize>>,
}

impl People {
    /// `tables`: the columns of each table of `counts`, in its order.
    pub fn of(
        tables: &[Vec<String>],
        counts: &Counts,
        data: &Columns,
        trees: &IndexMap<String, Tree>,
    ) -> Result<Self, ProtectError> {
        let union: BTreeSet<&String> = tables.iter().flatten().collect();
        let names: Vec<String> = union.into_iter().cloned().collect();
        let mut columns = Vec::new();
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for name in &names {
            let frame = Frame::of(std::slice::from_ref(name), data, trees)?;
            let Some(axis) = frame.axes.into_iter().next() else { continue };
            let mut people = vec![0_usize; axis.codes.len()];
            axis.of_row.iter().for_each(|code| people[*code] += 1);
            let mut lowest: Vec<usize> = (0..people.len()).filter(|code| people[*code] > 0).collect();
            lowest.sort_by_key(|code| (std::cmp::Reverse(people[*code]), *code));
            rows.push(axis.of_row);
            columns.push(Column { lines: axis.lines, lowest });
        }
        let mut profiles: BTreeMap<Profile, usize> = BTreeMap::new();
        for row in 0..rows.first().map_or(0, Vec::len) {
            *profiles.entry(rows.iter().map(|of| of[row]).collect()).or_default() += 1;
        }
        let mut placed = Vec::new();
        for (by, cells) in tables.iter().zip(&counts.tables) {
            let at = |name: &String| names.iter().position(|n| n == name);
            placed.push(Placed {
                columns: by.iter().filter_map(at).collect(),
                strides: Frame::of(by, data, trees)?.strides,
                cells: cells.clone(),
            });
        }
        Ok(Self { columns, tables: placed, counts: profiles })
    }

    /// The cells of all tables as targets, by cell.
    pub fn targets(&self) -> BTreeMap<usize, Target> {
        let mut found = BTreeMap::new();
        for table in &self.tables {
            for (at, cell) in table.cells.iter().enumerate() {
                let mut places = vec![None; self.columns.len()];
                for (column, stride) in table.columns.iter().zip(&table.strides) {
                    let place = at / stride % (self.columns[*column].lines.len() + 1);
                    places[*column] = (place > 0).then_some(place);
                }
                found.entry(*cell).or_insert(Target { places });
            }
        }
        found
    }

    /// Cells that a respondent of the profile counts in.
    fn cells_of(&self, profile: &[usize]) -> BTreeSet<usize> {
        let mut cells = BTreeSet::new();
        for table in &self.tables {
            let mut at = vec![0];
            for (column, stride) in table.columns.iter().zip(&table.strides) {
                let without = at.len();
                for place in &self.columns[*column].lines[profile[*column]] {
                    for i in 0..without {
                        at.push(at[i] + place * stride);
                    }
                }
            }
            cells.extend(at.into_iter().map(|i| table.cells[i]));
        }
        cells
    }

    fn fits(&self, target: &Target, column: usize, code: usize) -> bool {
        target.places[column].is_none_or(|place| self.columns[column].lines[code].contains(&place))
    }

    fn is_inside(&self, target: &Target, profile: &[usize]) -> bool {
        (0..self.columns.len()).all(|column| self.fits(target, column, profile[column]))
    }

    /// Profiles that may move so that the target does: those of its people, and all combinations of the codes that
    /// have most people beside it; `breadth` says how many codes a column.
    fn profiles(&self, target: &Target, breadth: usize) -> Vec<Profile> {
        let mut beside: Vec<HashMap<usize, usize>> = vec![HashMap::new(); self.columns.len()];
        let mut found: BTreeSet<Profile> = BTreeSet::new();
        for (profile, people) in &self.counts {
            let mut outside = (0..self.columns.len()).filter(|c| !self.fits(target, *c, profile[*c]));
            match (outside.next(), outside.next()) {
                (None, _) => {
                    for (column, code) in profile.iter().enumerate() {
                        *beside[column].entry(*code).or_default() += people;
                    }
                    if found.len() < 12 * breadth {
                        found.insert(profile.clone());
                    }
                }
                (Some(column), None) => *beside[column].entry(profile[column]).or_default() += people,
                _ => {}
            }
        }
        let mut combinations: Vec<Profile> = vec![Vec::new()];
        for (column, of) in self.columns.iter().enumerate() {
            let people = |code: &usize| beside[column].get(code).copied().unwrap_or(0);
            let mut codes = of.lowest.clone();
            codes.sort_by_key(|code| std::cmp::Reverse(people(code)));
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                codes.iter().partition(|code| self.fits(target, column, **code));
            let near = |code: &usize| {
                let line = |c: usize| of.lines[c].iter().collect::<BTreeSet<_>>();
                inside.first().map_or(0, |i| line(*i).intersection(&line(*code)).count())
            };
            let nearest = outside.iter().map(near).max().unwrap_or(0);
            let siblings = outside.iter().filter(|code| near(code) == nearest && nearest > 0);
            let first = |from: Vec<usize>| from.into_iter().take(breadth);
            let chosen: BTreeSet<usize> = first(inside.clone())
                .chain(first(outside.clone()))
                .chain(first(siblings.copied().collect()))
                .chain(of.lowest.iter().copied().filter(|code| outside.contains(code)).take(1))
                .collect();
            if combinations.len() * chosen.len() > MOST_PROFILES {
                let code = codes.first().copied().unwrap_or(0);
                combinations.iter_mut().for_each(|p| p.push(code));
                continue;
            }
            combinations = combinations
                .into_iter()
                .flat_map(|p| chosen.iter().map(move |code| p.iter().copied().chain([*code]).collect()))
                .collect();
        }
        found.extend(combinations);
        found.into_iter().collect()
    }

    /// What may move so that the target does; `breadth` says how many codes a column.
    pub fn moving(&self, target: &Target, breadth: usize) -> Vec<Moving> {
        let of = |profile: Profile| Moving {
            people: self.counts.get(&profile).copied().unwrap_or(0) as f64,
            cells: self.cells_of(&profile),
            is_inside: self.is_inside(target, &profile),
        };
        self.profiles(target, breadth).into_iter().map(of).collect()
    }
}

/// A profile that may win and lose respondents.
pub(super) struct Moving {
    people: f64,
    cells: BTreeSet<usize>,
    /// Counts in the target.
    is_inside: bool,
}

/// The filling in which the target of `moving` is most (`sign` 1) or least (−1), as its changes by cell. `room`: how
/// far each published cell can fall (≤ 0) and rise (≥ 0).
pub(super) fn reach(moving: &[Moving], sign: f64, room: &dyn Fn(usize) -> (f64, f64)) -> Option<Changes> {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let mut terms: BTreeMap<usize, (Vec<(Variable, f64)>, f64)> = BTreeMap::new();
    let mut variables = Vec::new();
    for Moving { people, cells, is_inside } in moving {
        let gain = if *is_inside { sign } else { 0.0 };
        // Coming and going apart, so that the solver starts from the truth, which fits.
        let comes = problem.add_var(gain, (0.0, f64::INFINITY));
        let goes = (*people > 0.0).then(|| problem.add_var(-gain, (0.0, *people)));
        for cell in cells {
            let (sum, can_go) = terms.entry(*cell).or_default();
            sum.push((comes, 1.0));
            sum.extend(goes.map(|goes| (goes, -1.0)));
            *can_go += people;
        }
        variables.push((comes, goes));
    }
    for (cell, (sum, can_go)) in terms {
        let (fall, rise) = room(cell);
        if can_go > -fall {
            problem.add_constraint(sum.as_slice(), ComparisonOp::Ge, fall);
        }
        if rise.is_finite() {
            problem.add_constraint(sum, ComparisonOp::Le, rise);
        }
    }
    let mut options = SolveOptions::default();
    options.presolve = false;
    let solution = problem.solve_with(options).ok()?.into_solution().ok()?;
    let mut changes = Changes::new();
    for ((comes, goes), Moving { people, cells, .. }) in variables.into_iter().zip(moving) {
        // The solver is not taken at its word: nobody leaves who is not there.
        let by = solution.var_value(comes) - goes.map_or(0.0, |goes| solution.var_value(goes));
        let by = by.max(-people);
        if by.abs() > 1e-7 {
            cells.iter().for_each(|cell| *changes.entry(*cell).or_default() += by);
        }
    }
    let fits = |(cell, by): (&usize, &f64)| {
        let (fall, rise) = room(*cell);
        *by >= fall - 1e-6 && *by <= rise + 1e-6
    };
    changes.iter().all(fits).then_some(changes)
}
