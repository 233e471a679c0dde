//! Linear programs over the ways in which hidden counts can differ from the truth.
//!
//! Bounded primal simplex on a dense tableau, for homogeneous systems `A y = 0, low ≤ y ≤ high` with
//! `low ≤ 0 ≤ high`: the truth itself (y = 0) is the feasible start, so no first phase is needed, and one
//! target after another goes on from the vertex where the last one ended.

/// Smaller than any step of a table's counts, larger than rounding.
const TINY: f64 = 1e-9;

pub(super) struct Simplex {
    /// `basic + Σ row[j]·y[j] = 0` over the nonbasic j; columns of basic variables are kept as unit columns.
    rows: Vec<Vec<f64>>,
    basis: Vec<usize>,
    is_basic: Vec<bool>,
    pub value: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Simplex {
    /// `equations`: coefficients by variable, each adding up to zero. Variables named first become basic first.
    pub fn new(equations: &[Vec<(usize, f64)>], low: Vec<f64>, high: Vec<f64>) -> Self {
        let n = low.len();
        let mut simplex = Self {
            rows: Vec::new(),
            basis: Vec::new(),
            is_basic: vec![false; n],
            value: vec![0.0; n],
            low,
            high,
        };
        for equation in equations {
            let mut row = vec![0.0; n];
            for (j, coefficient) in equation {
                row[*j] += coefficient;
            }
            simplex.add(row);
        }
        simplex
    }

    /// Brings a row into the tableau, unless it follows from the others.
    fn add(&mut self, mut row: Vec<f64>) {
        for (other, basic) in self.rows.iter().zip(&self.basis) {
            let factor = row[*basic];
            if factor != 0.0 {
                subtract(&mut row, other, factor);
            }
        }
        let pivot = (0..row.len()).find(|j| row[*j].abs() > 1e-7);
        let Some(pivot) = pivot else { return };
        let scale = row[pivot];
        row.iter_mut().for_each(|a| *a /= scale);
        for other in &mut self.rows {
            let factor = other[pivot];
            if factor != 0.0 {
                subtract(other, &row, factor);
            }
        }
        self.rows.push(row);
        self.basis.push(pivot);
        self.is_basic[pivot] = true;
    }

    /// Moves to values that make `Σ gain·y` as large as possible, or until the values are `enough`.
    pub fn maximize(&mut self, gains: &[f64], enough: impl Fn(&[f64]) -> bool) {
        let n = self.value.len();
        let mut reduced = gains.to_vec();
        for (row, basic) in self.rows.iter().zip(&self.basis) {
            let gain = gains[*basic];
            if gain != 0.0 {
                subtract(&mut reduced, row, gain);
            }
        }
        // Degenerate steps first follow the steepest gain, then the lowest index, which cannot cycle.
        let mut idle = 0;
        let limit = 50 * (n + self.rows.len()) + 1_000;
        for _ in 0..limit {
            if enough(&self.value) {
                return;
            }
            let Some((entering, direction)) = self.entering(&reduced, idle > n) else { return };
            let (step, leaving) = self.step(entering, direction, idle > n);
            idle = if step > TINY { 0 } else { idle + 1 };
            self.value[entering] += direction * step;
            for (row, basic) in self.rows.iter().zip(&self.basis) {
                let change = row[entering];
                if change != 0.0 {
                    self.value[*basic] -= change * direction * step;
                }
            }
            match leaving {
                None => {
                    self.value[entering] =
                        if direction > 0.0 { self.high[entering] } else { self.low[entering] };
                }
                Some((r, bound)) => {
                    self.value[self.basis[r]] = bound;
                    self.pivot(r, entering, &mut reduced);
                }
            }
        }
    }

    fn entering(&self, reduced: &[f64], lowest_index: bool) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (j, gain) in reduced.iter().enumerate() {
            let can_move = if *gain > TINY {
                self.value[j] < self.high[j] - TINY
            } else {
                *gain < -TINY && self.value[j] > self.low[j] + TINY
            };
            if self.is_basic[j] || !can_move {
                continue;
            }
            if lowest_index {
                return Some((j, gain.signum()));
            }
            if best.is_none_or(|(b, _)| gain.abs() > reduced[b].abs()) {
                best = Some((j, gain.signum()));
            }
        }
        best
    }

    /// How far the entering variable can go, and which row stops it (`None`: its own bound).
    fn step(&self, entering: usize, direction: f64, lowest_index: bool) -> (f64, Option<(usize, f64)>) {
        let own = if direction > 0.0 {
            self.high[entering] - self.value[entering]
        } else {
            self.value[entering] - self.low[entering]
        };
        let mut step = own.max(0.0);
        let mut leaving: Option<(usize, f64)> = None;
        for (r, row) in self.rows.iter().enumerate() {
            let speed = -row[entering] * direction;
            if speed.abs() <= 1e-7 {
                continue;
            }
            let basic = self.basis[r];
            let bound = if speed > 0.0 { self.high[basic] } else { self.low[basic] };
            let room = ((bound - self.value[basic]) / speed).max(0.0);
            let ties = leaving.is_some_and(|(b, _)| {
                (room - step).abs() <= TINY
                    && if lowest_index {
                        basic < self.basis[b]
                    } else {
                        row[entering].abs() > self.rows[b][entering].abs()
                    }
            });
            if room < step - TINY || ties {
                step = room.min(step);
                leaving = Some((r, bound));
            }
        }
        (step, leaving)
    }

    fn pivot(&mut self, r: usize, entering: usize, reduced: &mut [f64]) {
        let mut row = std::mem::take(&mut self.rows[r]);
        let scale = row[entering];
        row.iter_mut().for_each(|a| *a /= scale);
        for other in self.rows.iter_mut().filter(|o| !o.is_empty()) {
            let factor = other[entering];
            if factor != 0.0 {
                subtract(other, &row, factor);
            }
        }
        let factor = reduced[entering];
        subtract(reduced, &row, factor);
        self.rows[r] = row;
        self.is_basic[self.basis[r]] = false;
        self.is_basic[entering] = true;
        self.basis[r] = entering;
    }
}

fn subtract(row: &mut [f64], other: &[f64], factor: f64) {
    for (a, b) in row.iter_mut().zip(other) {
        *a -= factor * b;
        if a.abs() < 1e-11 {
            *a = 0.0;
        }
    }
}
