//! The sampling design as dense codes: strata, units of each stage, sampling fractions, base weights.

use std::collections::HashMap;
use std::path::Path;

use super::EstimationError;
use super::algebra::Matrix;
use super::plan::{ColumnOrNumber, DesignPlan, HartleyRao, Pps, PpsVariance, SinglePsu};
use crate::table::{MISSING, Table, Types};

/// A design tied to the rows of a table.
#[derive(Clone, Debug)]
pub struct Design {
    /// Base weight of every row: population units it stands for.
    pub base_weights: Vec<f64>,
    /// First-stage strata: a code a row, and their names.
    pub strata: Vec<u32>,
    pub stratum_names: Vec<String>,
    /// The stages that enter the variance, first stage first.
    pub stages: Vec<Stage>,
    /// All cluster stages of the plan (also those without a population correction).
    pub all_stages: Vec<Vec<u32>>,
    pub pps: Option<PpsForm>,
    pub single_psu: SinglePsu,
    pub domain_single_psu: bool,
    /// Things an analyst should know.
    pub warnings: Vec<String>,
}

/// The units of one stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Unit of every row.
    pub units: Vec<u32>,
    /// Units sorted by parent; those of parent g are `members[offsets[g]..offsets[g + 1]]`.
    pub members: Vec<u32>,
    pub offsets: Vec<usize>,
    /// Parent (stratum at the first stage, else unit of the stage before) of every unit.
    pub parents: Vec<u32>,
    /// Fraction of the parent's units (or the unit's inclusion probability) drawn; `None` = no correction.
    pub fractions: Option<Vec<f64>>,
}

/// Δ̌ of a Horvitz–Thompson or Yates–Grundy variance over the PSUs: 1 − πᵢπⱼ/πᵢⱼ.
#[derive(Clone, Debug)]
pub struct PpsForm {
    pub delta: Matrix,
    pub yates_grundy: bool,
}

impl Stage {
    pub fn count(&self) -> usize {
        self.parents.len()
    }

    /// The units of one parent.
    pub fn of_parent(&self, parent: usize) -> &[u32] {
        &self.members[self.offsets[parent]..self.offsets[parent + 1]]
    }
}

impl Design {
    /// Ties the plan's design to the table. `folder`: where the joint-probability file lies.
    ///
    /// Errors name the stratum, unit or row.
    pub fn build(table: &Table, plan: &DesignPlan, folder: Option<&Path>) -> Result<Self, EstimationError> {
        let rows = table.height();
        let mut warnings = Vec::new();
        let mut strata = Classes::whole(rows);
        for column in &plan.strata {
            let (codes, levels) = known_codes(table, column, "stratum")?;
            strata = strata.crossed(&codes, &levels, ".");
        }
        let mut units: Vec<Classes> = Vec::new();
        for (stage, column) in plan.clusters.iter().enumerate() {
            let (codes, levels) = known_codes(table, column, "cluster")?;
            let within = match units.last() {
                Some(before) => before.crossed(&codes, &levels, "."),
                None if plan.nested => strata.crossed(&codes, &levels, "."),
                None => Classes::whole(rows).crossed(&codes, &levels, "."),
            };
            if stage == 0 {
                check_nesting(&within, &strata)?;
            }
            units.push(within);
        }
        if units.is_empty() {
            units.push(Classes::rows(rows));
        }
        let pps_needs_fractions = plan.pps.is_some();
        let fpc: Vec<Vec<f64>> = plan.fpc.iter().map(|f| fpc_values(table, f)).collect::<Result<_, _>>()?;
        let as_sizes = !pps_needs_fractions && fpc.iter().flatten().any(|v| *v > 1.0);
        if pps_needs_fractions && fpc.is_empty() {
            return Err(EstimationError::Design(
                "pps needs \"fpc\" with the inclusion probabilities, one column a stage".into(),
            ));
        }
        if fpc.len() > units.len() {
            return Err(EstimationError::Design(format!(
                "fpc has {} stages, clusters {}; give one fpc a stage",
                fpc.len(),
                units.len()
            )));
        }
        let equal_inside = plan.pps.is_none();
        let mut stages = Vec::new();
        let depth = fpc.len().max(1);
        for (stage, classes) in units.iter().take(depth).enumerate() {
            let (parent_of_row, parent_names) = match stage {
                0 => (&strata.codes, &strata.names),
                _ => (&units[stage - 1].codes, &units[stage - 1].names),
            };
            let mut built = Stage::build(classes, parent_of_row, parent_names.len());
            if let Some(values) = fpc.get(stage) {
                built.fractions = Some(fractions(
                    &built,
                    values,
                    as_sizes,
                    equal_inside,
                    (parent_of_row, parent_names, stage + 1),
                )?);
            }
            stages.push(built);
        }
        let base_weights = base_weights(table, plan, &stages, &mut warnings)?;
        let pps = match &plan.pps {
            None | Some(Pps::Brewer) => None,
            Some(form) => Some(pps_form(form, plan.variance, &stages, &strata, folder)?),
        };
        Ok(Self {
            base_weights,
            strata: strata.codes,
            stratum_names: strata.names,
            stages,
            all_stages: units.into_iter().map(|u| u.codes).collect(),
            pps,
            single_psu: plan.single_psu,
            domain_single_psu: plan.domain_single_psu,
            warnings,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.strata.len()
    }

    /// PSU of every row.
    pub fn psus(&self) -> &[u32] {
        &self.stages[0].units
    }

    /// Number of PSUs of the whole design.
    pub fn psu_count(&self) -> usize {
        self.stages[0].count()
    }

    /// PSUs and strata that the marked rows touch.
    pub fn touched(&self, rows: impl Iterator<Item = usize>) -> (usize, usize) {
        let mut psus = vec![false; self.psu_count()];
        let mut strata = vec![false; self.stratum_names.len()];
        for row in rows {
            psus[self.stages[0].units[row] as usize] = true;
            strata[self.strata[row] as usize] = true;
        }
        let count = |marks: &[bool]| marks.iter().filter(|m| **m).count();
        (count(&psus), count(&strata))
    }
}

/// A classification of the rows with names for messages.
struct Classes {
    codes: Vec<u32>,
    names: Vec<String>,
}

impl Classes {
    fn whole(rows: usize) -> Self {
        Self { codes: vec![0; rows], names: vec!["1".into()] }
    }

    fn rows(rows: usize) -> Self {
        Self { codes: (0..rows as u32).collect(), names: (1..=rows).map(|r| r.to_string()).collect() }
    }

    /// The classes crossed with another column; only combinations that occur, in order of the levels.
    fn crossed(&self, codes: &[u32], levels: &[String], joint: &str) -> Self {
        let width = levels.len();
        let size = self.names.len() * width;
        let (crossed, pairs) = if size <= 4 * codes.len() + 1024 {
            let mut rank = vec![MISSING; size];
            let place = |a: &u32, b: &u32| *a as usize * width + *b as usize;
            self.codes.iter().zip(codes).for_each(|(a, b)| rank[place(a, b)] = 0);
            let mut pairs: Vec<(u32, u32)> = Vec::new();
            for (at, rank) in rank.iter_mut().enumerate().filter(|(_, r)| **r != MISSING) {
                *rank = pairs.len() as u32;
                pairs.push(((at / width) as u32, (at % width) as u32));
            }
            (self.codes.iter().zip(codes).map(|(a, b)| rank[place(a, b)]).collect::<Vec<u32>>(), pairs)
        } else {
            let mut pairs: Vec<(u32, u32)> = self.codes.iter().copied().zip(codes.iter().copied()).collect();
            pairs.sort_unstable();
            pairs.dedup();
            let places: HashMap<(u32, u32), u32> = pairs.iter().copied().zip(0..).collect();
            let crossed = self.codes.iter().zip(codes).map(|(a, b)| places[&(*a, *b)]).collect();
            (crossed, pairs)
        };
        let names = pairs
            .into_iter()
            .map(|(a, b)| {
                if self.names.len() == 1 && self.names[0] == "1" {
                    levels[b as usize].clone()
                } else {
                    format!("{}{joint}{}", self.names[a as usize], levels[b as usize])
                }
            })
            .collect();
        Self { codes: crossed, names }
    }
}

impl Stage {
    fn build(classes: &Classes, parent_of_row: &[u32], parent_count: usize) -> Self {
        let count = classes.names.len();
        let mut parents = vec![0_u32; count];
        for (unit, parent) in classes.codes.iter().zip(parent_of_row) {
            parents[*unit as usize] = *parent;
        }
        let mut offsets = vec![0_usize; parent_count + 1];
        parents.iter().for_each(|p| offsets[*p as usize + 1] += 1);
        for g in 0..parent_count {
            offsets[g + 1] += offsets[g];
        }
        let mut next = offsets.clone();
        let mut members = vec![0_u32; count];
        for (unit, parent) in parents.iter().enumerate() {
            members[next[*parent as usize]] = unit as u32;
            next[*parent as usize] += 1;
        }
        Self { units: classes.codes.clone(), members, offsets, parents, fractions: None }
    }
}

fn known_codes(
    table: &Table,
    column: &str,
    what: &'static str,
) -> Result<(Vec<u32>, Vec<String>), EstimationError> {
    let (codes, levels) = table.categories(column)?;
    if let Some(row) = codes.iter().position(|c| *c == MISSING) {
        return Err(EstimationError::DesignMissing { column: column.into(), row: row + 1, what });
    }
    Ok((codes.into_owned(), levels.into_owned()))
}

fn known_numbers(table: &Table, column: &str, what: &'static str) -> Result<Vec<f64>, EstimationError> {
    let values = table.numbers(column)?.into_owned();
    if let Some(row) = values.iter().position(|v| v.is_nan()) {
        return Err(EstimationError::DesignMissing { column: column.into(), row: row + 1, what });
    }
    Ok(values)
}

fn check_nesting(units: &Classes, strata: &Classes) -> Result<(), EstimationError> {
    let mut home = vec![MISSING; units.names.len()];
    for (unit, stratum) in units.codes.iter().zip(&strata.codes) {
        let place = &mut home[*unit as usize];
        if *place == MISSING {
            *place = *stratum;
        } else if *place != *stratum {
            return Err(EstimationError::ClusterInTwoStrata {
                cluster: units.names[*unit as usize].clone(),
                first: strata.names[*place as usize].clone(),
                second: strata.names[*stratum as usize].clone(),
            });
        }
    }
    Ok(())
}

fn fpc_values(table: &Table, fpc: &ColumnOrNumber) -> Result<Vec<f64>, EstimationError> {
    let (column, values) = match fpc {
        ColumnOrNumber::Number(number) => ("fpc", vec![*number; table.height()]),
        ColumnOrNumber::Column(column) => (column.as_str(), known_numbers(table, column, "fpc")?),
    };
    if let Some(row) = values.iter().position(|v| *v <= 0.0) {
        return Err(EstimationError::DesignValue {
            column: column.into(),
            row: row + 1,
            value: values[row],
            what: "population size or fraction; it must be positive",
        });
    }
    Ok(values)
}

fn fractions(
    stage: &Stage,
    values: &[f64],
    as_sizes: bool,
    equal_inside: bool,
    (parent_of_row, parent_names, number): (&[u32], &[String], usize),
) -> Result<Vec<f64>, EstimationError> {
    let mut of_unit = vec![f64::NAN; stage.count()];
    let mut of_parent = vec![f64::NAN; parent_names.len()];
    for (row, value) in values.iter().enumerate() {
        let unit = stage.units[row] as usize;
        let parent = parent_of_row[row] as usize;
        let differs = |seen: f64| !seen.is_nan() && (seen - value).abs() > 1e-9 * value.abs();
        if differs(of_unit[unit]) || (equal_inside && differs(of_parent[parent])) {
            return Err(EstimationError::FpcDiffers {
                row: row + 1,
                unit: parent_names[parent].clone(),
                stage: number,
            });
        }
        of_unit[unit] = *value;
        of_parent[parent] = *value;
    }
    if as_sizes {
        for (unit, value) in of_unit.iter_mut().enumerate() {
            let parent = stage.parents[unit] as usize;
            let sampled = stage.of_parent(parent).len();
            let population = *value;
            if population < sampled as f64 * (1.0 - 1e-9) {
                return Err(EstimationError::FpcTooSmall {
                    unit: parent_names[parent].clone(),
                    stage: number,
                    sampled,
                    population,
                });
            }
            *value = sampled as f64 / population;
        }
    } else if let Some(unit) = of_unit.iter().position(|v| *v > 1.0) {
        return Err(EstimationError::DesignValue {
            column: "fpc".into(),
            row: stage.units.iter().position(|u| *u as usize == unit).unwrap_or(0) + 1,
            value: of_unit[unit],
            what: "inclusion probability; it must be at most 1",
        });
    }
    Ok(of_unit)
}

fn base_weights(
    table: &Table,
    plan: &DesignPlan,
    stages: &[Stage],
    warnings: &mut Vec<String>,
) -> Result<Vec<f64>, EstimationError> {
    if let Some(column) = &plan.weights {
        let weights = known_numbers(table, column, "weight")?;
        if let Some(row) = weights.iter().position(|w| *w < 0.0) {
            return Err(EstimationError::DesignValue {
                column: column.clone(),
                row: row + 1,
                value: weights[row],
                what: "weight; it must not be negative",
            });
        }
        return Ok(weights);
    }
    let mut probability = vec![1.0; table.height()];
    if !plan.probabilities.is_empty() {
        for column in &plan.probabilities {
            let values = known_numbers(table, column, "probability")?;
            if let Some(row) = values.iter().position(|p| !(*p > 0.0 && *p <= 1.0)) {
                return Err(EstimationError::DesignValue {
                    column: column.clone(),
                    row: row + 1,
                    value: values[row],
                    what: "inclusion probability; it must lie above 0 and not above 1",
                });
            }
            probability.iter_mut().zip(&values).for_each(|(p, v)| *p *= v);
        }
    } else if plan.fpc.is_empty() {
        warnings.push("the design has no weights, probabilities or fpc: every row counts 1".into());
    } else {
        for stage in stages {
            if let Some(fractions) = &stage.fractions {
                probability.iter_mut().zip(&stage.units).for_each(|(p, u)| *p *= fractions[*u as usize]);
            }
        }
    }
    Ok(probability.into_iter().map(|p| 1.0 / p).collect())
}

/// Δ̌ by the chosen approximation. Sources: Overton (1985); Hartley and Rao (1962); Horvitz and
/// Thompson (1952); the same forms as R `survey`.
fn pps_form(
    form: &Pps,
    variance: Option<PpsVariance>,
    stages: &[Stage],
    strata: &Classes,
    folder: Option<&Path>,
) -> Result<PpsForm, EstimationError> {
    if stages.len() > 1 {
        return Err(EstimationError::Design(
            "overton, hartley_rao and joint are for one stage; use \"brewer\" for several".into(),
        ));
    }
    let stage = &stages[0];
    let Some(pi) = &stage.fractions else {
        return Err(EstimationError::Design("pps needs the inclusion probabilities in \"fpc\"".into()));
    };
    let psus = stage.count();
    let size = |unit: usize| stage.of_parent(stage.parents[unit] as usize).len() as f64;
    let same = |i: usize, j: usize| stage.parents[i] == stage.parents[j];
    let mean_pi: Vec<f64> = (0..strata.names.len())
        .map(|g| {
            let members = stage.of_parent(g);
            members.iter().map(|u| pi[*u as usize]).sum::<f64>() / members.len() as f64
        })
        .collect();
    let delta = match form {
        Pps::Brewer => Matrix::zeros(psus, psus),
        Pps::Overton => Matrix::from_fn(psus, psus, |i, j| {
            let n = size(i);
            let middle = (pi[i] + pi[j]) / 2.0;
            match (i == j, same(i, j)) {
                (true, _) => 1.0 - pi[i],
                (_, true) => 1.0 - (n - middle) / (n - 1.0),
                _ => 0.0,
            }
        }),
        Pps::HartleyRao(given) => Matrix::from_fn(psus, psus, |i, j| {
            let n = size(i);
            let mean_square = match given {
                HartleyRao::Number(number) => *number,
                HartleyRao::Word(_) => mean_pi[stage.parents[i] as usize],
            };
            match (i == j, same(i, j)) {
                (true, _) => 1.0 - pi[i],
                (_, true) => 1.0 - (n - (pi[i] + pi[j]) + mean_square) / (n - 1.0),
                _ => 0.0,
            }
        }),
        Pps::Joint(file) => {
            let path = folder.map_or_else(|| file.into(), |f| f.join(file));
            let joint = Table::read(&path, &Types::new())?;
            let columns: Vec<Vec<f64>> = joint
                .columns()
                .map(|(name, column)| column.numbers(name).map(|v| v.into_owned()))
                .collect::<Result<_, _>>()?;
            if joint.height() != psus || columns.len() != psus {
                return Err(EstimationError::JointShape {
                    path,
                    rows: joint.height(),
                    columns: columns.len(),
                    psus,
                });
            }
            // The file is in row order; the PSUs are numbered by their codes.
            let mut order = Vec::with_capacity(psus);
            let mut seen = vec![false; psus];
            for unit in &stage.units {
                if !std::mem::replace(&mut seen[*unit as usize], true) {
                    order.push(*unit as usize);
                }
            }
            let mut delta = Matrix::zeros(psus, psus);
            for (a, i) in order.iter().enumerate() {
                for (b, j) in order.iter().enumerate() {
                    let both = columns[b][a];
                    if !(both > 0.0 && both <= 1.0) {
                        return Err(EstimationError::Design(format!(
                            "{}: the joint probability of units {} and {} is {both}; it must lie above 0 and not above 1",
                            path.display(),
                            a + 1,
                            b + 1
                        )));
                    }
                    delta.set(
                        *i,
                        *j,
                        if i == j { 1.0 - both } else { 1.0 - columns[a][a] * columns[b][b] / both },
                    );
                }
            }
            delta
        }
    };
    Ok(PpsForm { delta, yates_grundy: variance == Some(PpsVariance::YatesGrundy) })
}
