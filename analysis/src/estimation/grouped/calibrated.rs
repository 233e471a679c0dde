//! Weights adjusted by more classes than can be crossed with the sampling units.
//!
//! The factor of an adjustment is a function of its classes, so the factors are found on the totals of the
//! classes, and the rows are then summed to their units under the adjusted weights. What the errors need
//! beside that, the regression of a variable on the classes, is a function of its sums by class.

use std::borrow::Cow;

use super::batch::Batch;
use super::codings::Codings;
use super::grid::{Classes, Grid};
use super::layout::{Key, Layout};
use super::totals::{Cells, Totals};
use crate::estimation::design::Design;
use crate::estimation::plan::{Deff, SinglePsu};
use crate::estimation::{Plan, Statistic, prepare};
use crate::weighting;
use crate::weighting::auxiliary::Projection;

/// The adjustments of a plan, done on the classes.
pub(super) struct Calibration<'a> {
    pub classes: Grid<'a>,
    /// Row among the classes that occur of every cell of the grid.
    row_of: Vec<u32>,
    /// Final weight / weight of the design.
    factors: Vec<f64>,
    /// The same after each step that the errors know of.
    after: Vec<Vec<f64>>,
    projections: Vec<Projection>,
    /// The design's weights of the rows, by batch; empty where they are not kept.
    weights: Vec<Vec<f64>>,
}

/// What the errors need to know of adjustments that are done.
pub(super) struct Adjusted<'a> {
    /// The part grouped by the classes and by what its requests ask for.
    pub crossed: Totals<'a>,
    /// Class of each of these groups.
    pub class_of: Vec<u32>,
    /// Of each calibration, a row a class.
    pub projections: Vec<Projection>,
    /// Of each calibration: Σ weight × auxiliary variable by the unit's code.
    pub unit_totals: Vec<Vec<f64>>,
}

/// Units × auxiliary variables of a calibration are kept while they are no more.
const MOST_UNIT_TOTALS: usize = 1 << 23;

impl Calibration<'_> {
    /// Whether everything the plan asks for is known from units and classes apart.
    pub fn is_possible(layout: &Layout, plan: &Plan, codings: &Codings<'_>) -> bool {
        let design = &plan.design;
        // The units above, and the strata, must be known from the unit alone.
        let follows = |name: &String| {
            let key = Key::Column(name.clone());
            *codings.base == key || codings.follows.contains_key(&key)
        };
        let answered = |place: &usize| {
            let request = &plan.requests[*place];
            request.deff == Deff::No
                && matches!(
                    request.statistic,
                    Statistic::Mean
                        | Statistic::Total
                        | Statistic::Ratio
                        | Statistic::Proportion
                        | Statistic::Table
                        | Statistic::Independence
                        | Statistic::Contrast
                )
        };
        !layout.adjusting.is_empty()
            && plan.replicates.is_none()
            && (design.weights.is_some() || !design.probabilities.is_empty())
            && design.clusters.iter().take(super::layout::stages(plan)).chain(&design.strata).all(follows)
            && layout.parts.iter().all(|p| p.products.is_empty() && p.requests.iter().all(answered))
    }
}

impl<'a> Calibration<'a> {
    /// `cells`: the rows' sums by class. `weights`: those of the rows of each batch, where they are kept.
    /// `None`: an adjustment is refused; the rows say why.
    pub fn of(
        classes: Grid<'a>,
        cells: &Cells,
        mut weights: Vec<(usize, Vec<f64>)>,
        layout: &Layout,
        plan: &Plan,
        codings: &Codings<'_>,
    ) -> Option<Self> {
        let Classes { table, weights: base, row_of } =
            classes.classes(layout.parts.first()?, plan, codings, cells)?;
        let mut types = plan.types.clone();
        types.retain(|name, _| table.get(name).is_some());
        let table = prepare(Cow::Owned(table), &Plan { types, ..Plan::default() }).ok()?;
        // The steps look at the weights alone.
        let design = Design {
            base_weights: base,
            strata: Vec::new(),
            stratum_names: Vec::new(),
            stages: Vec::new(),
            all_stages: Vec::new(),
            pps: None,
            single_psu: SinglePsu::Error,
            domain_single_psu: false,
            warnings: Vec::new(),
        };
        let steps = weighting::compile(&table, &design, &plan.adjust).ok()?;
        let mut adjusted = weighting::run(&steps, &design.base_weights).ok()?;
        let projections = adjusted.take_projections();
        let by_base = |weights: &[f64]| -> Vec<f64> {
            let pairs = weights.iter().zip(&design.base_weights);
            pairs.map(|(weight, base)| if *base == 0.0 { 0.0 } else { weight / base }).collect()
        };
        let units = codings.of.get(codings.base)?.size();
        if projections.iter().any(|p| units * p.auxiliary.width() > MOST_UNIT_TOTALS) {
            return None;
        }
        weights.sort_by_key(|(number, _)| *number);
        Some(Self {
            factors: by_base(&adjusted.weights),
            after: projections.iter().map(|p| by_base(&p.after)).collect(),
            classes,
            row_of,
            projections,
            weights: weights.into_iter().map(|(_, weights)| weights).collect(),
        })
    }

    /// The design's weights of the rows of a batch, if they are kept.
    pub fn weights(&self, batch: usize) -> Option<&[f64]> {
        self.weights.get(batch).map(Vec::as_slice)
    }

    /// Unit totals before any row.
    pub fn no_unit_totals(&self, codings: &Codings<'_>) -> Vec<Vec<f64>> {
        let units = codings.of.get(codings.base).map_or(0, |units| units.size());
        self.projections.iter().map(|p| vec![0.0; units * p.auxiliary.width()]).collect()
    }

    /// Adjusts the weights of the rows of a batch, and adds them to the unit totals.
    pub fn apply(
        &self,
        batch: &Batch<'_>,
        codings: &Codings<'_>,
        weights: &mut [f64],
        unit_totals: &mut [Vec<f64>],
    ) -> Option<()> {
        let mut classes = vec![0_u32; batch.rows];
        for (key, stride, _) in &self.classes.strides {
            batch.place(key, *stride, codings, None, &mut classes)?;
        }
        classes.iter_mut().for_each(|class| *class = self.row_of[*class as usize]);
        let numbered = batch.numbers_of(codings.base, codings)?;
        for ((projection, after), totals) in self.projections.iter().zip(&self.after).zip(unit_totals) {
            let auxiliary = &projection.auxiliary;
            let steps = numbered.steps(codings.of.get(codings.base)?, auxiliary.width() as u32)?;
            let rows = numbered.codes.iter().zip(&classes).zip(weights.iter());
            for ((unit, class), weight) in rows {
                let weight = weight * after[*class as usize];
                let unit = steps[*unit as usize] as usize;
                auxiliary.each(*class as usize, |column, value| totals[unit + column] += weight * value);
            }
        }
        let rows = weights.iter_mut().zip(&classes);
        rows.for_each(|(weight, class)| *weight *= self.factors[*class as usize]);
        Some(())
    }

    /// What the errors of a part need. `crossed`: the part by its classes.
    pub fn adjusted<'t>(&self, crossed: Totals<'t>, unit_totals: &[Vec<f64>]) -> Adjusted<'t> {
        // The classes come first in such a grid.
        let class = |(_, place): &(u32, u32)| self.row_of[*place as usize % self.classes.cells];
        Adjusted {
            class_of: crossed.places.iter().map(class).collect(),
            crossed,
            projections: self.projections.clone(),
            unit_totals: unit_totals.to_vec(),
        }
    }
}
