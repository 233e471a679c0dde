//! The PSUs that two waves share, and the covariance that comes from them.

use std::collections::{BTreeMap, HashMap};

use crate::estimation::EstimationError;
use crate::estimation::algebra::Matrix;
use crate::estimation::context::{Context, Kind, Variable};
use crate::estimation::plan::{DesignPlan, Statistic};
use crate::estimation::proportion::binary;
use crate::estimation::survey::{Block, Survey};

/// Where each PSU of a wave stands: its code, its stratum.
pub(super) struct Places(HashMap<String, usize>);

impl Places {
    /// With `nested` codes the stratum is part of the code.
    pub fn of(survey: &Survey, plan: &DesignPlan) -> Result<Self, EstimationError> {
        let mut places = HashMap::new();
        let Some(column) = plan.clusters.first() else { return Ok(Self(places)) };
        let (codes, levels) = survey.table.categories(column)?;
        for (row, psu) in survey.design.psus().iter().enumerate() {
            let code = &levels[codes[row] as usize];
            let name = match plan.nested {
                true => {
                    format!("{}\u{1}{code}", survey.design.stratum_names[survey.design.strata[row] as usize])
                }
                false => code.clone(),
            };
            places.insert(name, *psu as usize);
        }
        Ok(Self(places))
    }
}

/// The shared PSUs by pair of strata.
pub(super) struct Overlap {
    /// Pairs of places, and the factor of their centred products.
    cells: Vec<(Vec<(usize, usize)>, f64)>,
    pub shared: usize,
    /// Shared PSUs that are alone in their pair of strata.
    pub alone: usize,
    /// Degrees of freedom that both waves count.
    pub lost_df: f64,
}

impl Overlap {
    pub fn of((one, before): (&Survey, &Places), (two, after): (&Survey, &Places)) -> Self {
        let mut cells: BTreeMap<(u32, u32), Vec<(usize, usize)>> = BTreeMap::new();
        for (name, a) in &before.0 {
            if let Some(b) = after.0.get(name) {
                let strata = (one.design.stages[0].parents[*a], two.design.stages[0].parents[*b]);
                cells.entry(strata).or_default().push((*a, *b));
            }
        }
        cells.values_mut().for_each(|cell| cell.sort_unstable());
        let shared = cells.values().map(Vec::len).sum();
        let alone = cells.values().filter(|cell| cell.len() == 1).count();
        let lost_df = cells.values().map(|cell| cell.len() as f64 - 1.0).sum();
        let cells = cells
            .into_iter()
            .filter(|(_, cell)| cell.len() > 1)
            .map(|(strata, cell)| {
                let n = cell.len() as f64;
                (cell, n / (n - 1.0) * correction((one, strata.0), (two, strata.1), n))
            })
            .collect();
        Self { cells, shared, alone, lost_df }
    }

    pub fn covariance(&self, (a, i): (&Matrix, usize), (b, j): (&Matrix, usize)) -> f64 {
        let mut sum = 0.0;
        for (cell, factor) in &self.cells {
            let n = cell.len() as f64;
            let mean_a = cell.iter().map(|(unit, _)| a.at(*unit, i)).sum::<f64>() / n;
            let mean_b = cell.iter().map(|(_, unit)| b.at(*unit, j)).sum::<f64>() / n;
            for (one, two) in cell {
                sum += factor * (a.at(*one, i) - mean_a) * (b.at(*two, j) - mean_b);
            }
        }
        sum
    }

    /// Shared PSUs with rows in both domains, and the degrees of freedom these count twice.
    pub fn within(&self, one: &[bool], two: &[bool]) -> (usize, f64) {
        let mut all = (0, 0.0);
        for (cell, _) in &self.cells {
            let here = cell.iter().filter(|(a, b)| one[*a] && two[*b]).count();
            all.0 += here;
            all.1 += (here as f64 - 1.0).max(0.0);
        }
        all
    }
}

/// 1 − n₁n₂/(n_c N) where both strata have a population correction, else 1.
fn correction((one, a): (&Survey, u32), (two, b): (&Survey, u32), shared: f64) -> f64 {
    let size = |survey: &Survey, stratum: u32| {
        let stage = &survey.design.stages[0];
        let members = stage.of_parent(stratum as usize);
        let fractions = stage.fractions.as_ref()?;
        let first = fractions[members[0] as usize];
        let equal = members.iter().all(|unit| (fractions[*unit as usize] - first).abs() < 1e-12);
        (equal && survey.design.pps.is_none()).then(|| (members.len() as f64, members.len() as f64 / first))
    };
    match (size(one, a), size(two, b)) {
        (Some((n1, whole1)), Some((n2, whole2))) => 1.0 - n1 * n2 / (shared * 0.5 * (whole1 + whole2)),
        _ => 1.0,
    }
}

/// Linearised totals of a request's rows: PSU × row, rows in the order of the answer.
pub(super) fn scores(context: &Context) -> Result<Matrix, EstimationError> {
    let request = context.request;
    let numbers = |names: &[String]| -> Result<Vec<Variable>, EstimationError> {
        let number = |name: &String| {
            Ok(Variable { name: name.clone(), category: None, kind: Kind::Number(context.number(name)?) })
        };
        names.iter().map(number).collect()
    };
    let (above, below) = match request.statistic {
        Statistic::Ratio => (numbers(&request.numerator)?, numbers(&request.denominator)?),
        Statistic::Proportion => {
            (context.of()?.iter().map(|of| binary(context, of)).collect::<Result<_, _>>()?, Vec::new())
        }
        _ => (context.of()?.iter().map(|of| context.variable(of)).collect::<Result<_, _>>()?, Vec::new()),
    };
    let kept = context.complete(&above.iter().chain(&below).collect::<Vec<_>>())?;
    let groups = context.groups.labels.len();
    let mut blocks: Vec<Block> = vec![Block { values: None, codes: kept.as_slice().into(), levels: groups }];
    let columns: Vec<usize> = above
        .iter()
        .chain(&below)
        .map(|variable| match &variable.kind {
            Kind::Number(values) => {
                blocks.push(Block {
                    values: Some(values.as_slice().into()),
                    codes: kept.as_slice().into(),
                    levels: groups,
                });
                1
            }
            Kind::Category { codes, levels } => {
                for level in 0..levels.len() as u32 {
                    let is = codes.iter().map(|c| f64::from(u8::from(*c == level))).collect::<Vec<_>>();
                    blocks.push(Block {
                        values: Some(is.into()),
                        codes: kept.as_slice().into(),
                        levels: groups,
                    });
                }
                levels.len()
            }
        })
        .collect();
    // Block of the numerator and of the denominator of every row of a group; block 0 is the count.
    let pairs: Vec<(usize, Option<usize>)> = match request.statistic {
        Statistic::Ratio => (0..below.len())
            .flat_map(|d| (0..above.len()).map(move |n| (n, d)))
            .map(|(n, d)| (1 + n, Some(1 + above.len() + d)))
            .collect(),
        Statistic::Total => (1..=columns.iter().sum()).map(|block| (block, None)).collect(),
        _ => (1..=columns.iter().sum()).map(|block| (block, Some(0))).collect(),
    };
    let totals = context.survey.totals(&blocks);
    let design = &context.survey.design;
    let psus = psu_of_units(context.survey);
    let mut scores = Matrix::zeros(design.psu_count(), groups * pairs.len());
    for (unit, psu) in psus.iter().enumerate() {
        let from = totals.units.row(unit);
        for group in 0..groups {
            for (i, (top, bottom)) in pairs.iter().enumerate() {
                let place = |block: usize| block * groups + group;
                let score = match bottom {
                    None => from[place(*top)],
                    Some(bottom) => {
                        let (sum, base) = (totals.all[place(*top)], totals.all[place(*bottom)]);
                        (from[place(*top)] - sum / base * from[place(*bottom)]) / base
                    }
                };
                let column = group * pairs.len() + i;
                let before = scores.at(*psu, column);
                scores.set(*psu, column, before + score);
            }
        }
    }
    Ok(scores)
}

/// The PSU of every unit of the last stage.
fn psu_of_units(survey: &Survey) -> Vec<usize> {
    let stages = &survey.design.stages;
    let last = stages.len() - 1;
    (0..stages[last].count())
        .map(|unit| (1..=last).rev().fold(unit, |unit, stage| stages[stage].parents[unit] as usize))
        .collect()
}
