//! Base weights, nonresponse adjustment, raking, calibration, trimming, and their diagnosis.
//!
//! Nothing unconverged leaves: every door returns either weights that meet their targets or an error.

pub(crate) mod assumed;
pub(crate) mod auxiliary;
mod calibrate;
mod diagnosis;
mod error;
pub mod page;
mod rake;
pub mod response;
pub(crate) mod steps;
mod trim;

use std::borrow::Cow;
use std::path::Path;

pub use assumed::AssumedRun;
pub use diagnosis::{Category, Diagnosis, Distribution, Extreme, MarginCheck, StepReport};
pub use error::WeightingError;

use crate::estimation::design::Design;
use crate::estimation::plan::{Adjustment, Plan};
use crate::estimation::replicates::Replicates;
use crate::estimation::{EstimationError, prepare};
use crate::table::{Column, Table};
use auxiliary::Projection;
use response::Response;
use steps::{Outcome, Step};

/// The weights of a plan.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Population units a row stands for, in row order; `None` where the row does not respond.
    pub weights: Vec<Option<f64>>,
    /// Replicate weights, one list a replicate, in row order; empty without `replicates`.
    pub replicates: Vec<Vec<f64>>,
    pub diagnosis: Diagnosis,
    pub warnings: Vec<String>,
}

impl Weighted {
    /// The data's columns, `weight` (empty where not responding) and `rep_1`…
    ///
    /// Error: the data have columns of these names already.
    pub fn table(&self, data: &Table) -> Result<Table, WeightingError> {
        let replicates = (1..=self.replicates.len()).map(|r| format!("rep_{r}"));
        if let Some(name) =
            ["weight".to_owned()].into_iter().chain(replicates).find(|n| data.get(n).is_some())
        {
            return Err(WeightingError::NameTaken { name });
        }
        let mut table = data.clone();
        let weights = self.weights.iter().map(|w| w.unwrap_or(f64::NAN)).collect();
        table.push("weight", Column::Number(weights))?;
        for (r, replicate) in self.replicates.iter().enumerate() {
            table.push(format!("rep_{}", r + 1), Column::Number(replicate.clone()))?;
        }
        Ok(table)
    }
}

/// Weights the rows of a table by the plan's `design`, `adjust` and `replicates`.
///
/// `table`: the data as read; `types` and `derive` are applied here. `plan.data` and `requests` are
/// not used. Errors: [`EstimationError`] (design, columns) around [`WeightingError`] (steps).
pub fn weight(table: &Table, plan: &Plan) -> Result<Weighted, EstimationError> {
    weight_in(table, plan, None)
}

/// As [`weight`]; `folder` is where the plan's other files (joint probabilities, replicates) lie.
pub fn weight_in(table: &Table, plan: &Plan, folder: Option<&Path>) -> Result<Weighted, EstimationError> {
    let plan = &*plan.with_indices()?;
    let table = prepare(Cow::Borrowed(table), plan)?;
    let design = Design::build(&table, &plan.design, folder)?;
    let steps = compile(&table, &design, &plan.adjust)?;
    let adjusted = run(&steps, &design.base_weights)?;
    let replicates = match &plan.replicates {
        None => Vec::new(),
        Some(replicates) => {
            let built = Replicates::build(&table, &design, &steps, replicates, folder)?;
            (0..built.count()).map(|r| built.row_weights(r).into_owned()).collect()
        }
    };
    let mut diagnosis = Diagnosis::of(&design, &steps, &adjusted);
    if let Some(dispositions) = &plan.dispositions {
        diagnosis.response = Some(Response::of(&table, dispositions, &design.base_weights)?);
    }
    for (run, moved) in assumed::runs(plan) {
        let weights =
            compile(&table, &design, &moved.adjust).and_then(|s| self::run(&s, &design.base_weights));
        diagnosis.assumed.push(match weights {
            Ok(adjusted) => run.with(&adjusted.weights),
            Err(reason) => AssumedRun { reason: Some(reason.to_string()), ..run },
        });
    }
    Ok(Weighted {
        weights: adjusted.weights.iter().map(|w| (*w != 0.0).then_some(*w)).collect(),
        replicates,
        diagnosis,
        warnings: design.warnings,
    })
}

/// The weights after all steps, and what the steps mean for later errors.
pub(crate) struct Adjusted {
    pub weights: Vec<f64>,
    pub outcomes: Vec<Outcome>,
}

impl Adjusted {
    pub fn take_projections(&mut self) -> Vec<Projection> {
        self.outcomes.iter_mut().filter_map(|o| o.projection.take()).collect()
    }
}

pub(crate) fn compile(
    table: &Table,
    design: &Design,
    adjustments: &[Adjustment],
) -> Result<Vec<Step>, WeightingError> {
    let mut alive: Vec<bool> = design.base_weights.iter().map(|w| *w > 0.0).collect();
    adjustments
        .iter()
        .enumerate()
        .map(|(i, adjustment)| Step::compile(i + 1, adjustment, table, design, &mut alive))
        .collect()
}

pub(crate) fn run(steps: &[Step], base: &[f64]) -> Result<Adjusted, WeightingError> {
    let mut weights = base.to_vec();
    if weights.iter().all(|w| *w == 0.0) {
        return Err(WeightingError::NoWeight);
    }
    let outcomes = steps.iter().map(|step| step.apply(&mut weights, true)).collect::<Result<Vec<_>, _>>()?;
    Ok(Adjusted { weights, outcomes })
}
