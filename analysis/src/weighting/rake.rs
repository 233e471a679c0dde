//! Raking: weights that meet every margin, by iterative proportional fitting on the crossed cells.

use std::collections::HashMap;

use super::WeightingError;
use super::steps::Targets;
use crate::table::MISSING;

/// Rakes weights until every margin meets its population totals.
///
/// `weights`: one per respondent, in sample row order; zero stays zero. `margins`: target counts by
/// category; each margin sums to the same population. `tolerance`: largest gap of a category,
/// relative to the population. Returns rounds and the gap that is left; rows are never dropped.
///
/// Errors: a category without respondents, no convergence (the weights are then unchanged).
///
/// Source: Deming and Stephan (1940). Evidence: `analysis/tests/weighting.rs`.
pub(crate) fn rake(
    weights: &mut [f64],
    margins: &[Targets],
    tolerance: f64,
    max_iterations: usize,
) -> Result<(usize, f64), WeightingError> {
    // Rows with the same categories share one factor, so the rounds run over cells.
    let mut cells = Cells::new(margins, weights.len());
    let mut cell_of_row = vec![MISSING; weights.len()];
    let mut base: Vec<f64> = Vec::new();
    for (row, weight) in weights.iter().enumerate() {
        if *weight == 0.0 {
            continue;
        }
        let cell = cells.of(margins, row);
        if cell as usize == base.len() {
            base.push(0.0);
        }
        base[cell as usize] += weight;
        cell_of_row[row] = cell;
    }
    if base.is_empty() {
        return Err(WeightingError::NoWeight);
    }
    let sums = |margin: usize, values: &[f64]| {
        let mut sums = vec![0.0; margins[margin].totals.len()];
        for (code, value) in cells.codes[margin].iter().zip(values) {
            sums[*code as usize] += value;
        }
        sums
    };
    for (m, margin) in margins.iter().enumerate() {
        let found = sums(m, &base);
        if let Some(c) = (0..found.len()).find(|c| found[*c] == 0.0 && margin.totals[*c] > 0.0) {
            return Err(WeightingError::EmptyCategory {
                margin: margin.margin.clone(),
                category: margin.names[c].clone(),
                target: margin.totals[c],
            });
        }
    }
    let population: f64 = margins[0].totals.iter().sum();
    let mut values = base.clone();
    let mut worst = (0, f64::INFINITY);
    let mut rounds = 0;
    while rounds < max_iterations {
        rounds += 1;
        for (m, margin) in margins.iter().enumerate() {
            let found = sums(m, &values);
            for (code, value) in cells.codes[m].iter().zip(values.iter_mut()) {
                let c = *code as usize;
                if found[c] > 0.0 {
                    *value *= margin.totals[c] / found[c];
                }
            }
        }
        worst = (0, 0.0);
        for (m, margin) in margins.iter().enumerate() {
            for (found, wanted) in sums(m, &values).iter().zip(&margin.totals) {
                let gap = (found - wanted).abs() / population;
                if gap > worst.1 || gap.is_nan() {
                    worst = (m, gap);
                }
            }
        }
        // Rounding errors of the sums are no gap.
        if worst.1 <= tolerance.max(1e-15) {
            break;
        }
    }
    if worst.1.is_nan() || worst.1 > tolerance.max(1e-15) {
        return Err(WeightingError::RakeNotConverged {
            margin: margins[worst.0].margin.clone(),
            gap: worst.1,
            iterations: rounds,
            tolerance,
        });
    }
    for (weight, cell) in weights.iter_mut().zip(&cell_of_row) {
        if *cell != MISSING {
            *weight *= values[*cell as usize] / base[*cell as usize];
        }
    }
    Ok((rounds, worst.1))
}

/// The combinations of categories that occur, numbered as they come.
struct Cells {
    /// A code a cell, margin by margin.
    codes: Vec<Vec<u32>>,
    /// By the combination's number, where there are few; else by its codes.
    dense: Vec<u32>,
    places: HashMap<Vec<u32>, u32>,
}

impl Cells {
    fn new(margins: &[Targets], rows: usize) -> Self {
        let size = margins.iter().try_fold(1_usize, |size, m| size.checked_mul(m.totals.len()));
        let dense = match size {
            Some(size) if size <= 4 * rows + 1024 => vec![MISSING; size],
            _ => Vec::new(),
        };
        Self { codes: vec![Vec::new(); margins.len()], dense, places: HashMap::new() }
    }

    /// The cell of a row; the number of cells where it is a new one.
    fn of(&mut self, margins: &[Targets], row: usize) -> u32 {
        let next = self.codes.first().map_or(0, Vec::len) as u32;
        let cell = if self.dense.is_empty() {
            *self.places.entry(margins.iter().map(|m| m.codes[row]).collect()).or_insert(next)
        } else {
            let number = margins.iter().fold(0, |n, m| n * m.totals.len() + m.codes[row] as usize);
            let place = &mut self.dense[number];
            if *place == MISSING {
                *place = next;
            }
            *place
        };
        if cell == next {
            self.codes.iter_mut().zip(margins).for_each(|(codes, m)| codes.push(m.codes[row]));
        }
        cell
    }
}

/// Margins of one population have one sum.
pub(crate) fn check_sums(margins: &[Targets]) -> Result<(), WeightingError> {
    let first: f64 = margins[0].totals.iter().sum();
    for margin in &margins[1..] {
        let sum: f64 = margin.totals.iter().sum();
        if (sum - first).abs() > 1e-9 * first.abs() {
            return Err(WeightingError::MarginsDiffer {
                margin: margin.margin.clone(),
                sum,
                first: margins[0].margin.clone(),
                first_sum: first,
            });
        }
    }
    Ok(())
}
