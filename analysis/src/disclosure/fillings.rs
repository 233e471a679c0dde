//! Other fillings of the hidden cells that leave every sum as it is: linear programs over changes.
//!
//! An attacker bounds a hidden count by the fillings in which it is least and most. Here they are looked for as
//! changes of the true counts: changes of cells that are hidden already are free, changes of shown cells have a
//! price, so that one program says both whether a count is safe and what would have to be hidden for it.

use microlp::{ComparisonOp, OptimizationDirection, Problem, Solution, SolveOptions, Variable};

/// Changes of counts by cell; cells not named stay.
pub(super) type Changes = Vec<(usize, f64)>;

/// How a cell can change: up without end, down by `down`, each unit at `price`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Movement {
    pub down: f64,
    /// 0 for cells that are hidden already.
    pub price: f64,
}

/// Some cells of the tables and the sums among them; all other cells stay.
pub(super) struct Program {
    cells: Vec<usize>,
    movement: Vec<Movement>,
    /// By cell's place in `cells`.
    sums: Vec<Vec<(usize, f64)>>,
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
        let within = |sum: usize| {
            let terms = equations[sum].iter().filter(|(c, _)| place[*c] != usize::MAX);
            terms.map(|(c, a)| (place[*c], f64::from(*a))).collect()
        };
        Self {
            movement: cells.iter().filter_map(|c| movement[*c]).collect(),
            sums: touched.into_iter().map(within).collect(),
            cells,
        }
    }

    fn place(&self, cell: usize) -> Option<usize> {
        self.cells.iter().position(|c| *c == cell)
    }

    /// The cheapest changes in which the target rises by `amount`.
    pub fn rise(&self, target: usize, amount: f64) -> Option<Changes> {
        let target = self.place(target)?;
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let variables = self.add_filling(&mut problem, Some(target));
        problem.add_constraint(variables[target].terms(1.0), ComparisonOp::Eq, amount);
        Some(self.changes(&variables, &solve(&problem)?))
    }

    /// The cheapest two fillings in which the target differs by `width`.
    pub fn spread(&self, target: usize, width: f64) -> Option<(Changes, Changes)> {
        let target = self.place(target)?;
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let up = self.add_filling(&mut problem, Some(target));
        let down = self.add_filling(&mut problem, Some(target));
        let terms = up[target].terms(1.0).into_iter().chain(down[target].terms(-1.0));
        problem.add_constraint(terms.collect::<Vec<_>>(), ComparisonOp::Eq, width);
        let solution = solve(&problem)?;
        Some((self.changes(&up, &solution), self.changes(&down, &solution)))
    }

    /// Changes in which the target goes as far as it can in the direction of `sign`, up to `most`.
    pub fn furthest(&self, target: usize, sign: f64, most: f64) -> Option<Changes> {
        let target = self.place(target)?;
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let variables = self.add_filling(&mut problem, Some(target));
        let reached = problem.add_var(1.0, (0.0, most));
        let mut terms = variables[target].terms(-sign);
        terms.push((reached, 1.0));
        problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
        Some(self.changes(&variables, &solve(&problem)?))
    }

    fn add_filling(&self, problem: &mut Problem, target: Option<usize>) -> Vec<Change> {
        let change = |(at, m): (usize, &Movement)| {
            if m.price == 0.0 || Some(at) == target {
                Change { both: problem.add_var(0.0, (-m.down, f64::INFINITY)), fall: None }
            } else {
                let both = problem.add_var(m.price, (0.0, f64::INFINITY));
                Change { both, fall: Some(problem.add_var(m.price, (0.0, m.down))) }
            }
        };
        let variables: Vec<Change> = self.movement.iter().enumerate().map(change).collect();
        for sum in &self.sums {
            let terms: Vec<(Variable, f64)> =
                sum.iter().flat_map(|(at, a)| variables[*at].terms(*a)).collect();
            if !terms.is_empty() {
                problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
            }
        }
        variables
    }

    fn changes(&self, variables: &[Change], solution: &Solution) -> Changes {
        let of = |v: &Change| solution.var_value(v.both) - v.fall.map_or(0.0, |f| solution.var_value(f));
        let changes = self.cells.iter().zip(variables).map(|(cell, v)| (*cell, of(v)));
        changes.filter(|(_, change)| change.abs() > 1e-7).collect()
    }
}

/// A program without prices, solved once; from there each new question is a small step.
#[derive(Clone)]
pub(super) struct Solved {
    solution: Solution,
    cells: Vec<usize>,
    /// By cell of the tables.
    variable: Vec<Option<Variable>>,
}

impl Solved {
    /// `None` where the solver cannot vouch for its answer.
    pub fn new(program: &Program, cells: usize) -> Option<Self> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let changes = program.add_filling(&mut problem, None);
        let mut variable = vec![None; cells];
        program.cells.iter().zip(&changes).for_each(|(cell, change)| variable[*cell] = Some(change.both));
        Some(Self { solution: solve(&problem)?, cells: program.cells.clone(), variable })
    }

    /// Changes in which the cell changes by `amount`; `None` where there are none.
    pub fn shift(&self, cell: usize, amount: f64) -> Option<Changes> {
        let moved = self.solution.clone().fix_var(self.variable[cell]?, amount).ok()?.into_solution().ok()?;
        let changes = self.cells.iter().filter_map(|c| Some((*c, moved.var_value(self.variable[*c]?))));
        Some(changes.filter(|(_, change)| change.abs() > 1e-7).collect())
    }

    /// The same with the cell kept as it is.
    pub fn without(&self, cell: usize) -> Option<Self> {
        let Some(variable) = self.variable[cell] else { return Some(self.clone()) };
        let solution = self.solution.clone().fix_var(variable, 0.0).ok()?.into_solution().ok()?;
        Some(Self { solution, ..self.clone() })
    }
}

/// A cell's variable: its change, or its rise and its fall where both cost.
struct Change {
    both: Variable,
    fall: Option<Variable>,
}

impl Change {
    fn terms(&self, factor: f64) -> Vec<(Variable, f64)> {
        std::iter::once((self.both, factor)).chain(self.fall.map(|f| (f, -factor))).collect()
    }
}

/// The cheapest solution; `None` where there is none, or none that the solver can vouch for.
fn solve(problem: &Problem) -> Option<Solution> {
    let mut options = SolveOptions::default();
    options.presolve = false;
    problem.solve_with(options).ok()?.into_solution().ok()
}
