//! Design-based variance of totals from the totals of the sampling units.
//!
//! The recursion is that of Bellhouse (1985), as R `survey` has it: each stage's variance between the
//! units of one parent, weighted by the product of the sampling fractions above it. Without a
//! population correction only the first stage counts ("ultimate clusters").

use super::EstimationError;
use super::algebra::Matrix;
use super::design::{Design, PpsForm};
use super::plan::SinglePsu;

impl Design {
    /// Covariance matrix of p totals.
    ///
    /// `totals`: one row a unit of the last stage, p columns, already weighted (and residualised).
    /// `present`: whether each PSU has a row in the domain, for strata left with one PSU.
    /// `full`: all covariances, else the diagonal alone.
    pub fn variance(
        &self,
        totals: &Matrix,
        present: Option<&[bool]>,
        full: bool,
    ) -> Result<Matrix, EstimationError> {
        let p = totals.columns;
        let mut sum = Accumulator { matrix: Matrix::zeros(p, p), full, deviations: Vec::with_capacity(p) };
        if let Some(form) = &self.pps {
            form.add(totals, &mut sum);
            return Ok(sum.finish());
        }
        // Totals of the units of each stage, from the last upwards.
        let mut levels: Vec<Matrix> = vec![totals.clone()];
        for stage in self.stages.iter().skip(1).rev() {
            let below = &levels[levels.len() - 1];
            let above = self.stages[self.stages.len() - levels.len() - 1].count();
            let mut matrix = Matrix::zeros(above, p);
            for (unit, parent) in stage.parents.iter().enumerate() {
                let to = *parent as usize * p;
                for (value, add) in matrix.values[to..to + p].iter_mut().zip(below.row(unit)) {
                    *value += add;
                }
            }
            levels.push(matrix);
        }
        levels.reverse();
        self.first_stage(&levels[0], present, &mut sum)?;
        let mut reach: Vec<f64> = Vec::new();
        for (s, stage) in self.stages.iter().enumerate().skip(1) {
            let before = &self.stages[s - 1];
            let Some(fractions) = &before.fractions else { break };
            reach = (0..before.count())
                .map(|u| fractions[u] * if s == 1 { 1.0 } else { reach[before.parents[u] as usize] })
                .collect();
            for (parent, reach) in reach.iter().enumerate() {
                let members = stage.of_parent(parent);
                let correction = |unit: u32| stage.fractions.as_ref().map_or(1.0, |f| 1.0 - f[unit as usize]);
                if members.iter().all(|u| correction(*u) < 1e-7) {
                    continue;
                }
                let n = members.len() as f64;
                if members.len() == 1 {
                    match self.single_psu {
                        SinglePsu::Error => {
                            return Err(EstimationError::SinglePsu {
                                stratum: (parent + 1).to_string(),
                                stage: s + 1,
                            });
                        }
                        _ => continue,
                    }
                }
                let centre = mean(&levels[s], members);
                for unit in members {
                    let weight = reach * correction(*unit) * n / (n - 1.0);
                    sum.add(levels[s].row(*unit as usize), &centre, weight);
                }
            }
        }
        Ok(sum.finish())
    }

    fn first_stage(
        &self,
        totals: &Matrix,
        present: Option<&[bool]>,
        sum: &mut Accumulator,
    ) -> Result<(), EstimationError> {
        let stage = &self.stages[0];
        let is_present = |unit: u32| present.is_none_or(|p| p[unit as usize]);
        let correction = |unit: u32| stage.fractions.as_ref().map_or(1.0, |f| 1.0 - f[unit as usize]);
        let everywhere: Vec<u32> = (0..stage.count() as u32).collect();
        let mut grand: Option<Vec<f64>> = None;
        let (mut strata, mut averaged) = (0_usize, 0_usize);
        for (stratum, name) in self.stratum_names.iter().enumerate() {
            let members = stage.of_parent(stratum);
            let n = members.len() as f64;
            let here = members.iter().filter(|u| is_present(**u)).count();
            if here == 0 && !self.has_calibrated_strangers(totals, members) {
                continue;
            }
            strata += 1;
            if members.iter().all(|u| correction(*u) < 1e-7) {
                continue;
            }
            let lonely = members.len() == 1;
            let lonely_here = !lonely && here == 1 && self.domain_single_psu;
            if lonely || lonely_here {
                match self.single_psu {
                    SinglePsu::Error => {
                        return Err(EstimationError::SinglePsu { stratum: name.clone(), stage: 1 });
                    }
                    SinglePsu::Remove | SinglePsu::Certainty if lonely => continue,
                    SinglePsu::Average => {
                        averaged += 1;
                        continue;
                    }
                    SinglePsu::Adjust => {
                        let centre = grand.get_or_insert_with(|| mean(totals, &everywhere));
                        for unit in members {
                            let scale = if lonely { 1.0 } else { n / (n - 1.0) };
                            sum.add(totals.row(*unit as usize), centre, scale * correction(*unit));
                        }
                        continue;
                    }
                    _ => {}
                }
            }
            let centre = mean(totals, members);
            for unit in members {
                sum.add(totals.row(*unit as usize), &centre, correction(*unit) * n / (n - 1.0));
            }
        }
        if averaged > 0 {
            if averaged == strata {
                return Err(EstimationError::NothingToAverage);
            }
            let factor = strata as f64 / (strata - averaged) as f64;
            sum.matrix.values.iter_mut().for_each(|v| *v *= factor);
        }
        Ok(())
    }

    /// Calibration gives rows outside the domain a score too.
    fn has_calibrated_strangers(&self, totals: &Matrix, members: &[u32]) -> bool {
        members.iter().any(|u| totals.row(*u as usize).iter().any(|v| *v != 0.0))
    }
}

/// Adds weighted outer products of deviations.
struct Accumulator {
    matrix: Matrix,
    full: bool,
    /// Those of one unit.
    deviations: Vec<f64>,
}

impl Accumulator {
    fn add(&mut self, values: &[f64], centre: &[f64], weight: f64) {
        let p = values.len();
        self.deviations.clear();
        self.deviations.extend(values.iter().zip(centre).map(|(value, centre)| value - centre));
        for (i, deviation) in self.deviations.iter().enumerate() {
            let x = weight * deviation;
            if x == 0.0 {
                continue;
            }
            let row = &mut self.matrix.values[i * p..(i + 1) * p];
            if self.full {
                row.iter_mut().zip(&self.deviations[..=i]).for_each(|(sum, other)| *sum += x * other);
            } else {
                row[i] += x * deviation;
            }
        }
    }

    fn finish(mut self) -> Matrix {
        if self.full {
            for i in 0..self.matrix.rows {
                for j in 0..i {
                    self.matrix.set(j, i, self.matrix.at(i, j));
                }
            }
        }
        self.matrix
    }
}

fn mean(totals: &Matrix, members: &[u32]) -> Vec<f64> {
    let mut mean = vec![0.0; totals.columns];
    for unit in members {
        for (m, v) in mean.iter_mut().zip(totals.row(*unit as usize)) {
            *m += v;
        }
    }
    mean.iter_mut().for_each(|m| *m /= members.len() as f64);
    mean
}

impl PpsForm {
    /// Horvitz–Thompson: Σᵢⱼ Δ̌ᵢⱼ xᵢ xⱼ; Yates–Grundy: Σᵢⱼ Δ̌ᵢⱼ (xᵢ xⱼ − xᵢ²).
    fn add(&self, totals: &Matrix, sum: &mut Accumulator) {
        let p = totals.columns;
        for i in 0..totals.rows {
            for j in 0..totals.rows {
                let delta = self.delta.at(i, j);
                if delta == 0.0 {
                    continue;
                }
                for a in 0..p {
                    let from = if sum.full { 0 } else { a };
                    for b in from..=a {
                        let own = if self.yates_grundy { totals.at(i, a) * totals.at(i, b) } else { 0.0 };
                        sum.matrix.values[a * p + b] += delta * (totals.at(i, a) * totals.at(j, b) - own);
                    }
                }
            }
        }
    }
}
