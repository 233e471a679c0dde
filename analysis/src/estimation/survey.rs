//! A plan tied to its data: the one place where estimates meet weights, design and replicates.
//!
//! Nearly every estimate is a smooth function of weighted totals. Rows are read once into the totals of
//! the sampling units; estimates, linearised scores and factor replicates are algebra on those.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::algebra::Matrix;
use super::design::{Design, Stage};
use super::plan::{Plan, SinglePsu};
use super::replicates::Replicates;
use super::result::DesignSummary;
use super::{EstimationError, prepare};
use crate::sql::Expression;
use crate::table::{Column, MISSING, Table};
use crate::weighting;
use crate::weighting::auxiliary::Projection;

pub(crate) struct Survey {
    pub table: Table,
    pub design: Design,
    /// Final weights; 0 where a row does not respond.
    pub weights: Vec<f64>,
    /// Rows of the plan's `where` that have a weight.
    pub domain: Vec<bool>,
    pub strata_columns: Vec<String>,
    pub replicates: Option<Replicates>,
    /// Rows are totals of many rows of the data, grouped by another engine.
    pub collapsed: Option<Collapsed>,
    corrections: Vec<Correction>,
    /// Where the weights were adjusted on classes: the class of each of the last rows of the table. These rows
    /// are the same data grouped by class; they are in no unit, and only the corrections read them.
    class_of: Vec<u32>,
    /// Degrees of freedom of all rows with a weight, and how many these are.
    whole: (usize, OnceLock<f64>),
}

/// The categories of a column in order, each with a value a row.
pub(crate) type Shares = Vec<(String, Vec<f64>)>;

/// What is behind each row where another engine grouped the data; values are then weighted means.
#[derive(Debug, Default)]
pub(crate) struct Collapsed {
    /// Rows of the data.
    pub counts: Vec<usize>,
    /// Weighted covariance of two columns among them; each pair once, in the order of the alphabet.
    pub within: HashMap<(String, String), Vec<f64>>,
    /// Of columns that the rows were not grouped by: each category in order with its share of the row's weight.
    pub shares: HashMap<String, Shares>,
    /// The design's weights are those of a single row, still to be multiplied by the counts.
    pub weights_of_one: bool,
}

/// The data grouped by the classes of adjustments that are done, beside their grouping by unit.
pub(crate) struct Crossed {
    pub table: Table,
    pub weights: Vec<f64>,
    /// As in [`Collapsed`].
    pub shares: HashMap<String, Shares>,
    /// Class of every row.
    pub class_of: Vec<u32>,
    /// Of each calibration, a row a class.
    pub projections: Vec<Projection>,
    /// Of each calibration: Σ after × z, by the number of a unit.
    pub unit_totals: Vec<Vec<f64>>,
    /// Number of the unit of every row of the survey.
    pub units: Vec<u32>,
}

/// A projection with its parts summed to units, so that no row is touched again.
struct Correction {
    projection: Projection,
    /// Σ after × z by unit of the last stage.
    unit_totals: Matrix,
    /// Z′ diag(multiplier) (after × Zᵢ) for each earlier projection i.
    earlier: Vec<Matrix>,
}

/// Base columns of totals: `values` (1 without) in the column of each row's code.
pub(crate) struct Block<'a> {
    pub values: Option<Cow<'a, [f64]>>,
    /// [`MISSING`] rows are left out.
    pub codes: Cow<'a, [u32]>,
    pub levels: usize,
}

/// The sums of one block.
struct Part {
    all: Vec<f64>,
    units: Matrix,
    /// Z′ diag(multiplier) x, a correction.
    crossed: Vec<Matrix>,
}

impl Part {
    fn of(
        block: &Block,
        units: &Stage,
        weights: &[f64],
        corrections: &[Correction],
        class_of: &[u32],
    ) -> Self {
        let levels = block.levels;
        let mut all = vec![0.0; levels];
        let mut sums = Matrix::zeros(units.count(), levels);
        let mut crossed: Vec<Matrix> =
            corrections.iter().map(|c| Matrix::zeros(c.projection.auxiliary.width(), levels)).collect();
        let rows = units.units.len();
        for (row, code) in block.codes.iter().enumerate() {
            if *code == MISSING {
                continue;
            }
            let column = *code as usize;
            let x = weights[row] * block.values.as_ref().map_or(1.0, |v| v[row]);
            if x == 0.0 {
                continue;
            }
            if row < rows {
                all[column] += x;
                sums.values[units.units[row] as usize * levels + column] += x;
            }
            let class = match row.checked_sub(rows) {
                Some(place) => class_of[place] as usize,
                None if class_of.is_empty() => row,
                None => continue,
            };
            for (correction, crossed) in corrections.iter().zip(&mut crossed) {
                let scaled = x * correction.projection.multiplier[class];
                correction.projection.auxiliary.each(class, |q, z| {
                    crossed.values[q * levels + column] += scaled * z;
                });
            }
        }
        Self { all, units: sums, crossed }
    }
}

/// Weighted totals: of all rows, and of the units of the last stage (residualised).
pub(crate) struct Totals {
    pub all: Vec<f64>,
    pub units: Matrix,
}

/// Derivatives of one estimate by the totals: place and value.
pub(crate) type Gradient = Vec<(usize, f64)>;

pub(crate) struct Estimated {
    pub values: Vec<f64>,
    /// Diagonal only where no covariances were asked.
    pub variance: Matrix,
}

impl Survey {
    pub fn build(
        table: Cow<'_, Table>,
        plan: &Plan,
        folder: Option<&Path>,
        collapsed: Option<Collapsed>,
    ) -> Result<Self, EstimationError> {
        let table = prepare(table, plan)?;
        let mut design = Design::build(&table, &plan.design, folder)?;
        if let Some(collapsed) = collapsed.as_ref().filter(|c| c.weights_of_one) {
            let counted = design.base_weights.iter_mut().zip(&collapsed.counts);
            counted.for_each(|(weight, count)| *weight *= *count as f64);
        }
        let steps = weighting::compile(&table, &design, &plan.adjust)?;
        let mut adjusted = weighting::run(&steps, &design.base_weights)?;
        let replicates = match &plan.replicates {
            None => None,
            Some(replicates) => Some(Replicates::build(&table, &design, &steps, replicates, folder)?),
        };
        let projections = adjusted.take_projections();
        let weights = adjusted.weights;
        let mut domain: Vec<bool> = weights.iter().map(|w| *w != 0.0).collect();
        if let Some(condition) = &plan.r#where {
            let holds = Expression::parse(condition)?.holds(&table)?;
            domain.iter_mut().zip(holds).for_each(|(d, h)| *d &= h);
        }
        let whole = (weights.iter().filter(|w| **w != 0.0).count(), OnceLock::new());
        let corrections = if replicates.is_some() { Vec::new() } else { corrections(&design, projections) };
        Ok(Self {
            table,
            design,
            weights,
            domain,
            strata_columns: plan.design.strata.clone(),
            replicates,
            collapsed,
            corrections,
            class_of: Vec::new(),
            whole,
        })
    }

    /// The survey whose weights are already adjusted, with what its errors need to know of that. `plan`: its
    /// `where` is applied to the classes too.
    pub fn with_classes(mut self, crossed: Crossed, plan: &Plan) -> Result<Self, EstimationError> {
        let mut domain: Vec<bool> = crossed.weights.iter().map(|w| *w != 0.0).collect();
        if let Some(condition) = &plan.r#where {
            let holds = Expression::parse(condition)?.holds(&crossed.table)?;
            domain.iter_mut().zip(holds).for_each(|(d, h)| *d &= h);
        }
        let columns: Vec<(String, Column)> = std::mem::take(&mut self.table)
            .into_columns()
            .map(|(name, column)| {
                let column = column.followed_by(crossed.table.get(&name), domain.len());
                column.map(|column| (name.clone(), column)).ok_or(EstimationError::EmptyDomain)
            })
            .collect::<Result<_, _>>()?;
        self.table = Table::from_columns(columns)?;
        if let Some(collapsed) = &mut self.collapsed {
            collapsed.counts.resize(collapsed.counts.len() + domain.len(), 0);
            for (name, levels) in &mut collapsed.shares {
                let others = crossed.shares.get(name).into_iter().flatten();
                levels.iter_mut().zip(others).for_each(|((_, own), (_, other))| own.extend(other));
            }
        }
        let units = &self.design.stages[self.design.stages.len() - 1];
        for (projection, by_number) in crossed.projections.into_iter().zip(crossed.unit_totals) {
            let q = projection.auxiliary.width();
            let mut unit_totals = Matrix::zeros(units.count(), q);
            for (unit, number) in units.units.iter().zip(&crossed.units) {
                let (to, from) = (*unit as usize * q, *number as usize * q);
                unit_totals.values[to..to + q].copy_from_slice(&by_number[from..from + q]);
            }
            let classes = projection.after.len();
            let earlier = earlier_products(&projection, &self.corrections, 0..classes);
            self.corrections.push(Correction { projection, unit_totals, earlier });
        }
        self.domain.extend(domain);
        self.weights.extend(crossed.weights);
        self.class_of = crossed.class_of;
        Ok(self)
    }

    /// The design as it is reported.
    pub fn summary(&self) -> DesignSummary {
        let weights = &self.weights[..self.rows()];
        let alive: Vec<usize> = (0..weights.len()).filter(|row| weights[*row] != 0.0).collect();
        let (psus, strata) = self.touched(&alive);
        DesignSummary {
            n: (0..weights.len()).map(|row| self.rows_behind(row)).sum(),
            psus,
            strata,
            df: self.degrees(&alive),
            sum_of_weights: weights.iter().sum(),
        }
    }

    /// Rows that lie in a unit; the table may have others, after them.
    pub fn rows(&self) -> usize {
        self.design.rows()
    }

    /// Rows of the data behind a row: 1 unless another engine grouped them.
    pub fn rows_behind(&self, row: usize) -> usize {
        self.collapsed.as_ref().map_or(1, |c| c.counts[row])
    }

    /// Weighted covariance of two columns inside each row; `None` where it is 0 everywhere.
    pub fn within(&self, a: &str, b: &str) -> Option<&[f64]> {
        let pair = if a <= b { (a, b) } else { (b, a) };
        let within = &self.collapsed.as_ref()?.within;
        within.get(&(pair.0.to_owned(), pair.1.to_owned())).map(Vec::as_slice)
    }

    /// PSUs and strata that the rows, each once, touch.
    fn touched(&self, rows: &[usize]) -> (usize, usize) {
        match rows.len() == self.rows() {
            true => (self.design.psu_count(), self.design.stratum_names.len()),
            false => self.design.touched(rows.iter().copied()),
        }
    }

    /// Degrees of freedom of a domain given by its rows.
    pub fn degrees(&self, rows: &[usize]) -> f64 {
        let compute = || match &self.replicates {
            Some(replicates) => replicates.degrees(rows),
            None => {
                let (psus, strata) = self.touched(rows);
                psus as f64 - strata as f64
            }
        };
        // Domains hold rows with a weight only, so as many rows as that are all of them.
        if rows.len() == self.whole.0 { *self.whole.1.get_or_init(compute) } else { compute() }
    }

    /// Whether the variance of a domain depends on which strata it leaves with one PSU.
    pub fn lonely_rules_matter(&self) -> bool {
        self.replicates.is_none()
            && self.corrections.is_empty()
            && (self.design.domain_single_psu || self.design.single_psu == SinglePsu::Average)
    }

    /// Sums the blocks to totals in one pass over the rows.
    pub fn totals(&self, blocks: &[Block]) -> Totals {
        self.totals_under(blocks, &self.weights, true)
    }

    fn totals_under(&self, blocks: &[Block], weights: &[f64], residualise: bool) -> Totals {
        let units = &self.design.stages[self.design.stages.len() - 1];
        let corrections: &[Correction] = if residualise { &self.corrections } else { &[] };
        // Blocks side by side, each in row order: the sums do not depend on the number of threads.
        let parts: Vec<Part> =
            blocks.par_iter().map(|b| Part::of(b, units, weights, corrections, &self.class_of)).collect();
        let k: usize = blocks.iter().map(|b| b.levels).sum();
        let mut all = Vec::with_capacity(k);
        let mut sums = Matrix::zeros(units.count(), k);
        let mut crossed: Vec<Matrix> =
            corrections.iter().map(|c| Matrix::zeros(c.projection.auxiliary.width(), k)).collect();
        for part in parts {
            let first = all.len();
            let copy = |from: &Matrix, to: &mut Matrix| {
                for row in 0..from.rows {
                    let start = row * k + first;
                    to.values[start..start + from.columns].copy_from_slice(from.row(row));
                }
            };
            copy(&part.units, &mut sums);
            part.crossed.iter().zip(&mut crossed).for_each(|(from, to)| copy(from, to));
            all.extend(part.all);
        }
        let mut coefficients: Vec<Matrix> = Vec::with_capacity(corrections.len());
        for (correction, mut right) in corrections.iter().zip(crossed) {
            for (earlier, before) in correction.earlier.iter().zip(&coefficients) {
                let shift = earlier.times(before);
                right.values.iter_mut().zip(&shift.values).for_each(|(r, s)| *r -= s);
            }
            let fitted = correction.projection.inverse.times(&right);
            let removed = correction.unit_totals.times(&fitted);
            sums.values.iter_mut().zip(&removed.values).for_each(|(v, r)| *v -= r);
            coefficients.push(fitted);
        }
        Totals { all, units: sums }
    }

    /// Estimates that are smooth functions of totals, with their covariance matrix.
    ///
    /// `f`: totals to estimates; `gradient`: totals and estimates to one gradient an estimate.
    pub fn smooth(
        &self,
        blocks: &[Block],
        full: bool,
        f: impl Fn(&[f64]) -> Vec<f64> + Sync,
        gradient: impl Fn(&[f64], &[f64]) -> Vec<Gradient>,
    ) -> Result<Estimated, EstimationError> {
        let totals = self.totals(blocks);
        let values = f(&totals.all);
        if let Some(replicates) = &self.replicates {
            let estimates: Vec<Vec<f64>> = match replicates.factors() {
                Some(factors) if self.design.stages.len() == 1 => {
                    factors.par_iter().map(|row| f(&combined(&totals.units, row))).collect()
                }
                _ => (0..replicates.count())
                    .map(|r| f(&self.totals_under(blocks, &replicates.row_weights(r), false).all))
                    .collect(),
            };
            let variance = replicates.variance(&values, &estimates, full);
            return Ok(Estimated { values, variance });
        }
        let gradients = gradient(&totals.all, &values);
        let mut scores = Matrix::zeros(totals.units.rows, gradients.len());
        for unit in 0..scores.rows {
            let from = totals.units.row(unit);
            let to = &mut scores.values[unit * gradients.len()..(unit + 1) * gradients.len()];
            for (value, gradient) in to.iter_mut().zip(&gradients) {
                *value = gradient.iter().map(|(place, slope)| from[*place] * slope).sum();
            }
        }
        let present = self.presence(blocks);
        let variance = self.design.variance(&scores, present.as_deref(), full)?;
        Ok(Estimated { values, variance })
    }

    /// Variance of estimates with given influence values: one column an estimate, one value a row.
    pub fn linear(&self, influence: Vec<Vec<f64>>, codes: &[u32]) -> Result<Matrix, EstimationError> {
        let blocks: Vec<Block> = influence
            .into_iter()
            .map(|values| Block { values: Some(values.into()), codes: codes.into(), levels: 1 })
            .collect();
        let totals = self.totals(&blocks);
        self.design.variance(&totals.units, self.presence(&blocks).as_deref(), true)
    }

    /// PSUs with a row of the blocks, where that matters: calibration gives all rows a score.
    fn presence(&self, blocks: &[Block]) -> Option<Vec<bool>> {
        if !self.corrections.is_empty() {
            return None;
        }
        let mut present = vec![false; self.design.psu_count()];
        for block in blocks {
            if present.iter().all(|p| *p) {
                break;
            }
            for ((code, psu), weight) in block.codes.iter().zip(self.design.psus()).zip(&self.weights) {
                if *code != MISSING && *weight != 0.0 {
                    present[*psu as usize] = true;
                }
            }
        }
        Some(present)
    }
}

/// Σ over units of factor × total.
fn combined(units: &Matrix, factors: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; units.columns];
    for (unit, factor) in factors.iter().enumerate() {
        if *factor != 0.0 {
            sums.iter_mut().zip(units.row(unit)).for_each(|(s, v)| *s += factor * v);
        }
    }
    sums
}

fn corrections(design: &Design, projections: Vec<Projection>) -> Vec<Correction> {
    let units = &design.stages[design.stages.len() - 1];
    let mut built: Vec<Correction> = Vec::with_capacity(projections.len());
    for projection in projections {
        // Always the same two halves, so that the sums do not depend on the number of threads.
        let rows = units.units.len();
        let ((mut unit_totals, mut earlier), second) = rayon::join(
            || correction_sums(units, &projection, &built, 0..rows / 2),
            || correction_sums(units, &projection, &built, rows / 2..rows),
        );
        let add = |to: &mut Matrix, from: &Matrix| {
            to.values.iter_mut().zip(&from.values).for_each(|(a, b)| *a += b);
        };
        add(&mut unit_totals, &second.0);
        earlier.iter_mut().zip(&second.1).for_each(|(to, from)| add(to, from));
        built.push(Correction { projection, unit_totals, earlier });
    }
    built
}

/// Σ after × z by unit, and the products with each earlier projection, over some of the rows.
fn correction_sums(
    units: &Stage,
    projection: &Projection,
    built: &[Correction],
    rows: Range<usize>,
) -> (Matrix, Vec<Matrix>) {
    let q = projection.auxiliary.width();
    let mut unit_totals = Matrix::zeros(units.count(), q);
    for row in rows.clone() {
        let (unit, after) = (units.units[row] as usize, projection.after[row]);
        projection.auxiliary.each(row, |column, z| unit_totals.values[unit * q + column] += after * z);
    }
    (unit_totals, earlier_products(projection, built, rows))
}

/// Z′ diag(multiplier) (after × Zᵢ) for each earlier projection i, over some of the rows.
fn earlier_products(projection: &Projection, built: &[Correction], rows: Range<usize>) -> Vec<Matrix> {
    let of = |before: &Correction| {
        let before = &before.projection;
        let width = before.auxiliary.width();
        let mut matrix = Matrix::zeros(projection.auxiliary.width(), width);
        for row in rows.clone() {
            projection.auxiliary.each(row, |column, z| {
                let scaled = projection.multiplier[row] * z * before.after[row];
                before.auxiliary.each(row, |other, value| {
                    matrix.values[column * width + other] += scaled * value;
                });
            });
        }
        matrix
    };
    built.iter().map(of).collect()
}
