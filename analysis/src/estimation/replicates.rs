//! Replicate weights: jackknife, balanced half-samples, bootstrap, or given ones.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use surveys::chance::Chance;

use super::EstimationError;
use super::algebra::{Matrix, rank};
use super::design::Design;
use super::plan::{ReplicateMethod, ReplicatePlan, ReplicateType};
use crate::table::{Table, Types};
use crate::weighting::WeightingError;
use crate::weighting::steps::Step;

/// R sets of replicate weights and the constants of their variance.
#[derive(Clone, Debug)]
pub(crate) struct Replicates {
    weights: Arc<Weights>,
    /// Before adjustments, as factors of the PSUs or weights of the rows: for the degrees of freedom.
    unadjusted: Arc<Weights>,
    /// Degrees of freedom of domains that touch every PSU.
    everywhere: OnceLock<f64>,
    base: Vec<f64>,
    psus: Vec<u32>,
    /// V = scale Σ rscale (θᵣ − centre)².
    scale: f64,
    rscales: Vec<f64>,
    /// Centre at the full-sample estimate, else at the mean of the replicates.
    mse: bool,
}

#[derive(Clone, Debug)]
enum Weights {
    /// A factor a PSU, on top of the base weights.
    Factors(Vec<Vec<f64>>),
    /// A weight a row.
    Rows(Vec<Vec<f64>>),
}

impl Weights {
    fn count(&self) -> usize {
        match self {
            Self::Factors(all) | Self::Rows(all) => all.len(),
        }
    }
}

impl Replicates {
    /// Makes or reads the replicates and repeats every adjustment in each of them.
    pub fn build(
        table: &Table,
        design: &Design,
        steps: &[Step],
        plan: &ReplicatePlan,
        folder: Option<&Path>,
    ) -> Result<Self, EstimationError> {
        let mut base = design.base_weights.clone();
        for step in steps.iter().filter(|s| s.before_replicates) {
            step.apply(&mut base, false)?;
        }
        let (unadjusted, scale, rscales) = match plan.method {
            ReplicateMethod::Given => given(table, plan, &base, folder)?,
            _ => made(design, plan, &base)?,
        };
        if rscales.len() != unadjusted.count() {
            return Err(EstimationError::Replicates(format!(
                "there are {} replicates and {} rscales",
                unadjusted.count(),
                rscales.len()
            )));
        }
        let unadjusted = Arc::new(unadjusted);
        let mut built = Self {
            weights: unadjusted.clone(),
            unadjusted,
            everywhere: OnceLock::new(),
            base,
            psus: design.psus().to_vec(),
            scale,
            rscales,
            mse: plan.mse,
        };
        let repeated: Vec<&Step> = steps.iter().filter(|s| !s.before_replicates).collect();
        if !repeated.is_empty() {
            let mut rows = Vec::with_capacity(built.count());
            for r in 0..built.count() {
                let mut weights = built.row_weights(r).into_owned();
                for step in &repeated {
                    step.apply(&mut weights, false).map_err(|source| WeightingError::Replicate {
                        replicate: r + 1,
                        source: Box::new(source),
                    })?;
                }
                rows.push(weights);
            }
            built.weights = Arc::new(Weights::Rows(rows));
        }
        Ok(built)
    }

    /// Number of replicates.
    pub fn count(&self) -> usize {
        self.weights.count()
    }

    /// Weights of replicate `r`, in row order.
    pub fn row_weights(&self, r: usize) -> Cow<'_, [f64]> {
        match &*self.weights {
            Weights::Rows(rows) => rows[r].as_slice().into(),
            Weights::Factors(factors) => {
                let factors = &factors[r];
                self.base.iter().zip(&self.psus).map(|(w, psu)| w * factors[*psu as usize]).collect()
            }
        }
    }

    /// Factors of the PSUs by replicate, when the replicates are nothing else.
    pub fn factors(&self) -> Option<&[Vec<f64>]> {
        match &*self.weights {
            Weights::Factors(factors) => Some(factors),
            Weights::Rows(_) => None,
        }
    }

    /// Rank of the replicate weights in the domain, less one; before adjustments.
    pub fn degrees(&self, rows: &[usize]) -> f64 {
        let of_columns = |columns: Vec<Vec<f64>>| match has_full_rank(&columns) {
            true => columns.len() as f64 - 1.0,
            false => rank(&columns) as f64 - 1.0,
        };
        match &*self.unadjusted {
            Weights::Rows(all) => {
                of_columns(all.iter().map(|w| rows.iter().map(|r| w[*r]).collect()).collect())
            }
            Weights::Factors(all) => {
                let count = all.first().map_or(0, Vec::len);
                let mut touched = vec![false; count];
                rows.iter().for_each(|r| touched[self.psus[*r] as usize] = true);
                let psus: Vec<usize> = (0..count).filter(|psu| touched[*psu]).collect();
                let compute =
                    || of_columns(all.iter().map(|f| psus.iter().map(|p| f[*p]).collect()).collect());
                if psus.len() == count { *self.everywhere.get_or_init(compute) } else { compute() }
            }
        }
    }

    /// Covariance matrix of the replicate estimates. `full`: with all covariances.
    pub fn variance(&self, estimate: &[f64], replicates: &[Vec<f64>], full: bool) -> Matrix {
        let p = estimate.len();
        let centre: Vec<f64> = if self.mse {
            estimate.to_vec()
        } else {
            let used: Vec<&Vec<f64>> =
                replicates.iter().zip(&self.rscales).filter(|(_, s)| **s > 0.0).map(|(t, _)| t).collect();
            (0..p).map(|i| used.iter().map(|t| t[i]).sum::<f64>() / used.len() as f64).collect()
        };
        let mut matrix = Matrix::zeros(p, p);
        for (theta, rscale) in replicates.iter().zip(&self.rscales) {
            for i in 0..p {
                let x = self.scale * rscale * (theta[i] - centre[i]);
                for j in if full { 0..p } else { i..i + 1 } {
                    matrix.values[i * p + j] += x * (theta[j] - centre[j]);
                }
            }
        }
        matrix
    }
}

/// Whether the columns are independent, told by Gauss' elimination from some of their rows: `true` is sure,
/// `false` leaves it open. Random replicates mostly are, and looking at all rows takes many times longer.
fn has_full_rank(columns: &[Vec<f64>]) -> bool {
    let count = columns.len();
    let height = columns.first().map_or(0, Vec::len);
    if count < 32 || height < count + count / 4 {
        return false;
    }
    let used = count + count / 8;
    // Evenly spread over the strata.
    let mut rest: Vec<Vec<f64>> =
        columns.iter().map(|c| (0..used).map(|row| c[row * height / used]).collect()).collect();
    for k in 0..count {
        let (done, later) = rest.split_at_mut(k + 1);
        let column = &mut done[k];
        let most = |a: &usize, b: &usize| column[*a].abs().total_cmp(&column[*b].abs());
        let Some(pivot) = (k..used).max_by(most) else { return false };
        let size = columns[k].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if column[pivot].abs().is_nan() || column[pivot].abs() <= 1e-6 * size {
            return false;
        }
        column.swap(k, pivot);
        let scale = 1.0 / column[k];
        column[k + 1..].iter_mut().for_each(|v| *v *= scale);
        for other in later {
            other.swap(k, pivot);
            let factor = other[k];
            if factor != 0.0 {
                let below = other[k + 1..].iter_mut().zip(&column[k + 1..]);
                below.for_each(|(value, part)| *value -= factor * part);
            }
        }
    }
    true
}

type Made = (Weights, f64, Vec<f64>);

fn given(
    table: &Table,
    plan: &ReplicatePlan,
    base: &[f64],
    folder: Option<&Path>,
) -> Result<Made, EstimationError> {
    if plan.columns.is_empty() {
        return Err(EstimationError::Replicates("\"columns\" must name the replicate weights".into()));
    }
    let file = match &plan.file {
        None => None,
        Some(file) => {
            let path = folder.map_or_else(|| file.into(), |f| f.join(file));
            let read = Table::read(&path, &Types::new())?;
            if read.height() != table.height() {
                return Err(EstimationError::Replicates(format!(
                    "{} has {} rows, the data {}",
                    path.display(),
                    read.height(),
                    table.height()
                )));
            }
            Some(read)
        }
    };
    let source = file.as_ref().unwrap_or(table);
    let mut rows = Vec::with_capacity(plan.columns.len());
    for column in &plan.columns {
        let mut weights = source.numbers(column)?.into_owned();
        if let Some(row) = weights.iter().position(|w| w.is_nan()) {
            return Err(EstimationError::DesignMissing {
                column: column.clone(),
                row: row + 1,
                what: "replicate weight",
            });
        }
        if !plan.combined {
            weights.iter_mut().zip(base).for_each(|(w, b)| *w *= b);
        }
        rows.push(weights);
    }
    let count = rows.len() as f64;
    let needed = |value: Option<f64>, field: &str| {
        value.ok_or_else(|| EstimationError::Replicates(format!("this type needs \"{field}\"")))
    };
    let kind = plan.r#type.ok_or_else(|| {
        EstimationError::Replicates(
            "given replicates need a \"type\": BRR, Fay, JK1, JKn, bootstrap or other".into(),
        )
    })?;
    let scale = match kind {
        ReplicateType::Brr => 1.0 / count,
        ReplicateType::Fay => 1.0 / (count * (1.0 - needed(plan.fay_rho, "fay_rho")?).powi(2)),
        ReplicateType::Jk1 => (count - 1.0) / count,
        ReplicateType::Jkn => 1.0,
        ReplicateType::Bootstrap | ReplicateType::Other => needed(plan.scale, "scale")?,
    };
    let rscales = match (&plan.rscales, kind) {
        (Some(rscales), _) => rscales.clone(),
        (None, ReplicateType::Brr | ReplicateType::Fay | ReplicateType::Jk1) => vec![1.0; rows.len()],
        (None, _) => return Err(EstimationError::Replicates("this type needs \"rscales\"".into())),
    };
    Ok((Weights::Rows(rows), plan.scale.unwrap_or(scale), rscales))
}

fn made(design: &Design, plan: &ReplicatePlan, base: &[f64]) -> Result<Made, EstimationError> {
    let stage = &design.stages[0];
    let psus = stage.count();
    let correction = |unit: u32| stage.fractions.as_ref().map_or(1.0, |f| 1.0 - f[unit as usize]);
    let single = |stratum: usize| EstimationError::SinglePsu {
        stratum: design.stratum_names[stratum].clone(),
        stage: 1,
    };
    let strata = design.stratum_names.len();
    match plan.method {
        ReplicateMethod::Jk1 => {
            if strata > 1 {
                return Err(EstimationError::Replicates("jk1 is for designs without strata; use jkn".into()));
            }
            if psus < 2 {
                return Err(single(0));
            }
            let n = psus as f64;
            let factors = (0..psus)
                .map(|r| (0..psus).map(|u| if u == r { 0.0 } else { n / (n - 1.0) }).collect())
                .collect();
            Ok((Weights::Factors(factors), (n - 1.0) / n, (0..psus as u32).map(correction).collect()))
        }
        ReplicateMethod::Jkn => {
            let mut factors = Vec::with_capacity(psus);
            let mut rscales = Vec::with_capacity(psus);
            for stratum in 0..strata {
                let members = stage.of_parent(stratum);
                let n = members.len() as f64;
                if members.len() < 2 {
                    return Err(single(stratum));
                }
                for out in members {
                    let mut row = vec![1.0; psus];
                    members.iter().for_each(|u| row[*u as usize] = n / (n - 1.0));
                    row[*out as usize] = 0.0;
                    factors.push(row);
                    rscales.push((n - 1.0) / n * correction(*out));
                }
            }
            Ok((Weights::Factors(factors), 1.0, rscales))
        }
        ReplicateMethod::Brr | ReplicateMethod::Fay => {
            let rho = match plan.method {
                ReplicateMethod::Brr => 0.0,
                _ => {
                    plan.fay_rho.ok_or_else(|| EstimationError::Replicates("fay needs \"fay_rho\"".into()))?
                }
            };
            if !(0.0..1.0).contains(&rho) {
                return Err(EstimationError::Replicates(format!("fay_rho is {rho}; it must lie in 0 to 1")));
            }
            for stratum in 0..strata {
                let n = stage.of_parent(stratum).len();
                if n != 2 {
                    return Err(EstimationError::Replicates(format!(
                        "half-samples need two PSUs in every stratum; stratum `{}` has {n}",
                        design.stratum_names[stratum]
                    )));
                }
            }
            let signs = hadamard(strata + 1);
            let factors: Vec<Vec<f64>> = signs
                .iter()
                .map(|signs| {
                    let mut row = vec![1.0; psus];
                    for stratum in 0..strata {
                        let members = stage.of_parent(stratum);
                        let up = signs[stratum + 1];
                        row[members[usize::from(!up)] as usize] = 2.0 - rho;
                        row[members[usize::from(up)] as usize] = rho;
                    }
                    row
                })
                .collect();
            let count = factors.len();
            Ok((Weights::Factors(factors), 1.0 / (count as f64 * (1.0 - rho).powi(2)), vec![1.0; count]))
        }
        ReplicateMethod::Bootstrap | ReplicateMethod::Subbootstrap => {
            let count = plan.count.unwrap_or(500);
            let mut chance = Chance::new(plan.seed.unwrap_or(1), "bootstrap");
            let fewer = plan.method == ReplicateMethod::Subbootstrap;
            let mut inverse_sum = 0.0;
            for stratum in 0..strata {
                let n = stage.of_parent(stratum).len();
                if n < 2 {
                    return Err(single(stratum));
                }
                inverse_sum += (n as f64 - 1.0) / n as f64;
            }
            let factors = (0..count)
                .map(|_| {
                    let mut row = vec![0.0; psus];
                    for stratum in 0..strata {
                        let members = stage.of_parent(stratum);
                        let draws = members.len() - usize::from(fewer);
                        let each = members.len() as f64 / draws as f64;
                        for _ in 0..draws {
                            row[members[chance.below(members.len())] as usize] += each;
                        }
                    }
                    row
                })
                .collect();
            // With n draws of n the bootstrap variance is (n − 1)/n too small; the harmonic mean over
            // strata corrects it, as R `survey` does (Canty and Davison 1999). n − 1 draws need none.
            let scale = if fewer { 1.0 } else { strata as f64 / inverse_sum };
            Ok((Weights::Factors(factors), scale / (count as f64 - 1.0), vec![1.0; count]))
        }
        ReplicateMethod::MultistageBootstrap => multistage(design, plan, base),
        ReplicateMethod::Given => Err(EstimationError::Replicates("given replicates are read".into())),
    }
}

/// Preston's (2009) rescaled bootstrap without replacement: in every parent, half of the units (⌊n/2⌋).
fn multistage(design: &Design, plan: &ReplicatePlan, base: &[f64]) -> Result<Made, EstimationError> {
    let count = plan.count.unwrap_or(500);
    let mut chance = Chance::new(plan.seed.unwrap_or(1), "multistage bootstrap");
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        // Product of the sampling fractions × n/m × drawn of the stages above.
        let mut above: Vec<(f64, f64)> = vec![(1.0, 1.0); design.stratum_names.len()];
        for (s, stage) in design.stages.iter().enumerate() {
            let mut here = vec![(1.0, 1.0); stage.count()];
            for (parent, (factor, spread)) in above.iter().enumerate() {
                let members = stage.of_parent(parent);
                let n = members.len();
                let fraction =
                    members.first().map_or(0.0, |u| stage.fractions.as_ref().map_or(0.0, |f| f[*u as usize]));
                if n < 2 {
                    if s == 0 && fraction < 1.0 {
                        return Err(EstimationError::SinglePsu {
                            stratum: design.stratum_names[parent].clone(),
                            stage: 1,
                        });
                    }
                    members.iter().for_each(|u| here[*u as usize] = (*factor, 0.0));
                    continue;
                }
                let m = n / 2;
                let mut order: Vec<u32> = members.to_vec();
                chance.shuffle(&mut order);
                let lambda = (m as f64 * (1.0 - fraction) / (n - m) as f64).sqrt();
                for (place, unit) in order.iter().enumerate() {
                    let drawn = if place < m { n as f64 / m as f64 } else { 0.0 };
                    here[*unit as usize] =
                        (factor + lambda * spread * (drawn - 1.0), spread * fraction.sqrt() * drawn.sqrt());
                }
            }
            above = here;
        }
        let last = &design.stages[design.stages.len() - 1].units;
        rows.push(base.iter().zip(last).map(|(w, unit)| w * above[*unit as usize].0).collect());
    }
    Ok((Weights::Rows(rows), 1.0, vec![1.0 / (count as f64 - 1.0); count]))
}

/// A Hadamard matrix (`true` = +1) of an order of at least `least`, its first column all +1: Sylvester's
/// doubling of Paley's first construction.
fn hadamard(least: usize) -> Vec<Vec<bool>> {
    let paley = |order: usize| {
        let q = order - 1;
        q % 4 == 3 && (2..q).take_while(|d| d * d <= q).all(|d| !q.is_multiple_of(d))
    };
    let mut order = least.max(2);
    let (seed, doublings) = loop {
        let mut seed = order;
        let mut doublings = 0;
        let found = loop {
            if seed <= 2 || paley(seed) {
                break true;
            }
            if seed % 2 == 1 {
                break false;
            }
            seed /= 2;
            doublings += 1;
        };
        if found {
            break (seed, doublings);
        }
        order += 1;
    };
    let mut matrix: Vec<Vec<bool>> = if seed <= 2 {
        let all = [vec![true, true], vec![true, false]];
        all[..seed].iter().map(|row| row[..seed].to_vec()).collect()
    } else {
        let q = seed - 1;
        let mut square = vec![false; q];
        (1..q).for_each(|x| square[x * x % q] = true);
        (0..seed)
            .map(|i| {
                (0..seed)
                    .map(|j| match (i, j) {
                        (_, 0) => true,
                        (0, _) => false,
                        (i, j) if i == j => true,
                        (i, j) => square[(i + q - j) % q],
                    })
                    .collect()
            })
            .collect()
    };
    for _ in 0..doublings {
        let size = matrix.len();
        matrix = (0..2 * size)
            .map(|i| (0..2 * size).map(|j| matrix[i % size][j % size] != (i >= size && j >= size)).collect())
            .collect();
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_hadamard_matrix_are_orthogonal() {
        for least in 1..60 {
            let matrix = hadamard(least);
            let order = matrix.len();
            assert!(order >= least && order < least + 12, "{least} gave {order}");
            for a in 0..order {
                for b in 0..a {
                    let equal = matrix.iter().filter(|row| row[a] == row[b]).count();
                    assert_eq!(2 * equal, order, "order {order}, columns {a} and {b}");
                }
            }
        }
    }
}
