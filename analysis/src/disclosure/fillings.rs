//! Other fillings of the hidden cells that leave every sum as it is: linear programs over changes.
//!
//! An attacker bounds a hidden count by the fillings in which it is least and most. Here they are looked for as
//! changes of the true counts: changes of cells that are hidden already are free, changes of shown cells have a
//! price, so that one program says both whether a count is safe and what would have to be hidden for it.

use super::expansion::{Expansion, Terms};
use microlp::{ComparisonOp, OptimizationDirection, Problem, Solution, SolveOptions, Variable};
use std::collections::HashMap;

/// Changes of counts by cell; cells not named stay.
pub(super) type Changes = Vec<(usize, f64)>;

/// How a cell can change: up without end, down by `down`, each unit at `price`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Movement {
    pub down: f64,
    /// 0 for cells that are hidden already.
    pub price: f64,
    /// Cannot fall to zero: were it a sum of others, their bounds would not be enough.
    pub is_limited: bool,
}

/// Some cells of the tables and the sums among them; all other cells stay. What is not a total of others moves, the
/// totals follow.
pub(super) struct Program {
    cells: Vec<usize>,
    /// By cell's place in `cells`, as all below.
    movement: Vec<Movement>,
    sums: Expansion,
}

impl Program {
    /// The program of the given cells, without those that the sums alone keep as they are. `sums_of`: by cell, the
    /// equations it stands in.
    pub fn new(
        cells: &[usize],
        movement: &[Option<Movement>],
        equations: &[Vec<(usize, i8)>],
        sums_of: &[Vec<usize>],
    ) -> Self {
        let mut inside = vec![false; sums_of.len()];
        cells.iter().for_each(|c| inside[*c] = movement[*c].is_some());
        let mut moving: Vec<usize> = vec![usize::MAX; equations.len()];
        let mut alone = Vec::new();
        for sum in cells.iter().flat_map(|c| &sums_of[*c]) {
            if moving[*sum] == usize::MAX {
                moving[*sum] = equations[*sum].iter().filter(|(c, _)| inside[*c]).count();
                if moving[*sum] == 1 {
                    alone.push(*sum);
                }
            }
        }
        // A cell that is the only one to move in a sum cannot move.
        while let Some(sum) = alone.pop() {
            let Some((cell, _)) = equations[sum].iter().find(|(c, _)| inside[*c]) else { continue };
            inside[*cell] = false;
            for other in &sums_of[*cell] {
                moving[*other] -= 1;
                if moving[*other] == 1 {
                    alone.push(*other);
                }
            }
        }
        let cells: Vec<usize> = cells.iter().copied().filter(|c| inside[*c]).collect();
        let mut place = vec![usize::MAX; sums_of.len()];
        cells.iter().enumerate().for_each(|(at, c)| place[*c] = at);
        let mut touched: Vec<usize> = cells.iter().flat_map(|c| &sums_of[*c]).copied().collect();
        touched.sort_unstable();
        touched.dedup();
        let within = |sum: usize| -> Terms {
            let terms = equations[sum].iter().filter(|(c, _)| place[*c] != usize::MAX);
            terms.map(|(c, a)| (place[*c], f64::from(*a))).collect()
        };
        let sums: Vec<Terms> = touched.into_iter().map(within).collect();
        Self {
            movement: cells.iter().filter_map(|c| movement[*c]).collect(),
            sums: Expansion::of(cells.len(), &sums),
            cells,
        }
    }

    pub fn cells(&self) -> &[usize] {
        &self.cells
    }

    fn place(&self, cell: usize) -> Option<usize> {
        self.cells.iter().position(|c| *c == cell)
    }

    /// The cheapest changes in which the target rises by `amount`.
    pub fn rise(&self, target: usize, amount: f64) -> Option<Changes> {
        let target = self.place(target)?;
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let filling = self.add_filling(&mut problem, target);
        problem.add_constraint(self.terms(&filling, target, 1.0), ComparisonOp::Eq, amount);
        Some(self.changes(&filling, &solve(&problem)?))
    }

    /// The cheapest two fillings in which the target differs by `width`.
    pub fn spread(&self, target: usize, width: f64) -> Option<(Changes, Changes)> {
        let target = self.place(target)?;
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let up = self.add_filling(&mut problem, target);
        let down = self.add_filling(&mut problem, target);
        let mut terms = self.terms(&up, target, 1.0);
        terms.extend(self.terms(&down, target, -1.0));
        problem.add_constraint(terms, ComparisonOp::Eq, width);
        let solution = solve(&problem)?;
        Some((self.changes(&up, &solution), self.changes(&down, &solution)))
    }

    /// Changes in which as many cells as possible rise as far as they should. `needs`: how far, by cell.
    pub fn lift(&self, needs: &HashMap<usize, f64>) -> Option<Changes> {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let filling = self.add_changes(&mut problem, |problem, at, m| {
            let both = problem.add_var(0.0, (-m.down, f64::INFINITY));
            // The part of the rise that counts.
            let counts = needs.get(&self.cells[at]).map(|need| problem.add_var(1.0, (0.0, *need)));
            Change { both, fall: None, rise: counts }
        });
        self.add_sums(&mut problem, &filling, |_| true);
        Some(self.changes(&filling, &solve(&problem)?))
    }

    /// Adds one filling at its price; the target's change is free.
    fn add_filling(&self, problem: &mut Problem, target: usize) -> Vec<Option<Change>> {
        let is_free = |at: usize| self.movement[at].price == 0.0 || at == target;
        let filling = self.add_changes(problem, |problem, at, m| match is_free(at) {
            true => Change { both: problem.add_var(0.0, (-m.down, f64::INFINITY)), fall: None, rise: None },
            false => Change {
                both: problem.add_var(m.price, (0.0, f64::INFINITY)),
                fall: Some(problem.add_var(m.price, (0.0, m.down))),
                rise: None,
            },
        });
        self.add_sums(problem, &filling, is_free);
        filling
    }

    /// The changes of a filling, by cell; totals have none of their own.
    fn add_changes(
        &self,
        problem: &mut Problem,
        change: impl Fn(&mut Problem, usize, &Movement) -> Change,
    ) -> Vec<Option<Change>> {
        let cells = self.movement.iter().enumerate().zip(&self.sums.parts);
        cells.map(|((at, m), parts)| parts.is_none().then(|| change(problem, at, m))).collect()
    }

    /// What a filling has to keep: sums that are shown, and the bounds of totals that their parts do not keep.
    fn add_sums(&self, problem: &mut Problem, filling: &[Option<Change>], is_free: impl Fn(usize) -> bool) {
        let sum = |terms: &Terms| -> Vec<(Variable, f64)> {
            terms.iter().flat_map(|(at, factor)| self.terms(filling, *at, *factor)).collect()
        };
        for terms in &self.sums.left {
            problem.add_constraint(sum(terms), ComparisonOp::Eq, 0.0);
        }
        for (at, parts) in self.sums.parts.iter().enumerate() {
            let (Some(parts), Movement { down, price, is_limited }) = (parts, self.movement[at]) else {
                continue;
            };
            let mut terms = sum(parts);
            if !is_free(at) {
                terms.push((problem.add_var(price, (0.0, f64::INFINITY)), -1.0));
                terms.push((problem.add_var(price, (0.0, down)), 1.0));
            } else if is_limited {
                terms.push((problem.add_var(0.0, (-down, f64::INFINITY)), -1.0));
            } else {
                continue;
            }
            problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
        }
    }

    /// A cell's change in a filling, times `factor`.
    fn terms(&self, filling: &[Option<Change>], at: usize, factor: f64) -> Vec<(Variable, f64)> {
        match (&filling[at], &self.sums.parts[at]) {
            (Some(change), _) => {
                let others = change.fall.map(|f| (f, -factor)).into_iter();
                let others = others.chain(change.rise.map(|r| (r, factor)));
                std::iter::once((change.both, factor)).chain(others).collect()
            }
            (None, Some(parts)) => {
                parts.iter().flat_map(|(part, by)| self.terms(filling, *part, by * factor)).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    fn changes(&self, filling: &[Option<Change>], solution: &Solution) -> Changes {
        let of = |at: usize| {
            let terms = self.terms(filling, at, 1.0);
            terms.into_iter().map(|(variable, factor)| factor * solution.var_value(variable)).sum::<f64>()
        };
        let changes = self.cells.iter().enumerate().map(|(at, cell)| (*cell, of(at)));
        changes.filter(|(_, change)| change.abs() > 1e-7).collect()
    }
}

/// A cell's variables, which add up to its change: its rise and its fall have their own where they cost or count.
struct Change {
    both: Variable,
    fall: Option<Variable>,
    rise: Option<Variable>,
}

/// The cheapest solution; `None` where there is none, or none that the solver can vouch for.
fn solve(problem: &Problem) -> Option<Solution> {
    let mut options = SolveOptions::default();
    options.presolve = false;
    problem.solve_with(options).ok()?.into_solution().ok()
}
