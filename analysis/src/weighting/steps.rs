//! The steps of weighting, compiled once from a plan and run on the sample and on every replicate.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::auxiliary::{Auxiliary, Projection};
use super::{WeightingError, calibrate, rake, trim};
use crate::estimation::design::Design;
use crate::estimation::plan::{Adjustment, Bound, Distance};
use crate::table::{Column, MISSING, Table, number_text};

/// A compiled adjustment.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub before_replicates: bool,
    /// Place in the plan's list, from 1.
    number: usize,
    work: Work,
}

#[derive(Clone, Debug)]
enum Work {
    Nonresponse {
        responded: Vec<bool>,
        classes: Vec<u32>,
        names: Vec<String>,
    },
    Rake {
        margins: Vec<Targets>,
        tolerance: f64,
        max_iterations: usize,
    },
    Calibrate {
        auxiliary: Auxiliary,
        totals: Vec<f64>,
        settings: calibrate::Settings,
        /// Cluster of every row when all its rows keep one factor.
        clusters: Option<Vec<u32>>,
        sigma_squared: Option<Vec<f64>>,
    },
    Trim {
        lower: Option<Bound>,
        upper: Option<Bound>,
        repeat: bool,
    },
}

/// Known totals of a classification of the rows.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// The columns' names joined by `, `.
    pub margin: String,
    pub codes: Vec<u32>,
    pub names: Vec<String>,
    pub totals: Vec<f64>,
}

/// How a step went on the full sample, for the diagnosis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub projection: Option<Projection>,
    pub iterations: usize,
    /// Largest remaining relative gap.
    pub gap: f64,
    pub trimmed: usize,
}

impl Step {
    /// `alive`: rows that still have a weight at this step; a nonresponse step takes its rows out.
    pub fn compile(
        number: usize,
        adjustment: &Adjustment,
        table: &Table,
        design: &Design,
        alive: &mut [bool],
    ) -> Result<Self, WeightingError> {
        let work = Work::compile(adjustment, table, design, alive)
            .map_err(|source| WeightingError::Step { step: number, source: Box::new(source) })?;
        Ok(Self { before_replicates: adjustment.before_replicates(), number, work })
    }

    /// Changes the weights in place. `project`: also prepare the residualisation of estimates.
    pub fn apply(&self, weights: &mut [f64], project: bool) -> Result<Outcome, WeightingError> {
        self.work
            .apply(weights, project)
            .map_err(|source| WeightingError::Step { step: self.number, source: Box::new(source) })
    }

    /// The margins of this step, for the diagnosis.
    pub fn margins(&self) -> &[Targets] {
        match &self.work {
            Work::Rake { margins, .. } => margins,
            _ => &[],
        }
    }

    /// The word of the plan for this step.
    pub fn method(&self) -> &'static str {
        match &self.work {
            Work::Nonresponse { .. } => "nonresponse",
            Work::Rake { margins, .. } if margins.len() == 1 => "poststratify",
            Work::Rake { .. } => "rake",
            Work::Calibrate { .. } => "calibrate",
            Work::Trim { .. } => "trim",
        }
    }
}

impl Work {
    fn compile(
        adjustment: &Adjustment,
        table: &Table,
        design: &Design,
        alive: &mut [bool],
    ) -> Result<Self, WeightingError> {
        Ok(match adjustment {
            Adjustment::Nonresponse { responded, classes, .. } => {
                let (codes, names) = crossed(table, classes, alive)?;
                let responded_values = table.numbers(responded)?;
                let mut marks = Vec::with_capacity(table.height());
                for (row, value) in responded_values.iter().enumerate() {
                    if value.is_nan() && alive[row] {
                        return Err(WeightingError::Missing { column: responded.clone(), row: row + 1 });
                    }
                    marks.push(alive[row] && *value != 0.0);
                }
                alive.copy_from_slice(&marks);
                Self::Nonresponse { responded: marks, classes: codes, names }
            }
            Adjustment::Poststratify { by, totals, .. } => Self::Rake {
                margins: vec![Targets::compile(table, by, totals, alive)?],
                tolerance: 1e-9,
                max_iterations: 1,
            },
            Adjustment::Rake { margins, tolerance, max_iterations, .. } => {
                if margins.is_empty() {
                    return Err(WeightingError::Calibration("rake needs at least one margin".into()));
                }
                let margins: Vec<Targets> = margins
                    .iter()
                    .map(|m| Targets::compile(table, &m.by, &m.totals, alive))
                    .collect::<Result<_, _>>()?;
                rake::check_sums(&margins)?;
                Self::Rake { margins, tolerance: *tolerance, max_iterations: *max_iterations }
            }
            Adjustment::Calibrate {
                distance,
                terms,
                totals,
                bounds,
                same_within_stage,
                variance_by,
                tolerance,
                max_iterations,
                ..
            } => {
                let auxiliary = auxiliary_of(table, terms, alive)?;
                let totals = totals_of(&auxiliary, totals)?;
                let bounds = match (bounds, distance) {
                    (Some([low, high]), _) => {
                        if !(*low < 1.0 && *high > 1.0) {
                            return Err(WeightingError::Calibration(format!(
                                "the bounds {low} and {high} must lie on both sides of 1"
                            )));
                        }
                        Some((*low, *high))
                    }
                    (None, Distance::Logit) => {
                        return Err(WeightingError::Calibration(
                            "the logit distance needs \"bounds\"".into(),
                        ));
                    }
                    (None, _) => None,
                };
                let clusters = match same_within_stage {
                    None => None,
                    Some(stage) => Some(
                        stage.checked_sub(1).and_then(|s| design.all_stages.get(s)).cloned().ok_or_else(
                            || {
                                WeightingError::Calibration(format!(
                                    "same_within_stage is {stage}, the design has {} stages",
                                    design.all_stages.len()
                                ))
                            },
                        )?,
                    ),
                };
                let sigma_squared = match variance_by {
                    None => None,
                    Some(column) => {
                        let values = table.numbers(column)?.into_owned();
                        if let Some(row) = (0..values.len())
                            .find(|r| alive[*r] && (values[*r].is_nan() || values[*r] <= 0.0))
                        {
                            return Err(WeightingError::Calibration(format!(
                                "variance_by column `{column}`, row {}: {} is not positive",
                                row + 1,
                                number_text(values[row])
                            )));
                        }
                        Some(values)
                    }
                };
                let auxiliary = match &clusters {
                    Some(clusters) => auxiliary.averaged(clusters),
                    None => auxiliary,
                };
                Self::Calibrate {
                    auxiliary,
                    totals,
                    settings: calibrate::Settings {
                        distance: *distance,
                        bounds,
                        tolerance: *tolerance,
                        max_iterations: *max_iterations,
                    },
                    clusters,
                    sigma_squared,
                }
            }
            Adjustment::Trim { lower, upper, repeat, .. } => {
                if lower.is_none() && upper.is_none() {
                    return Err(WeightingError::Trim("give \"lower\", \"upper\" or both".into()));
                }
                Self::Trim { lower: *lower, upper: *upper, repeat: *repeat }
            }
        })
    }

    fn apply(&self, weights: &mut [f64], project: bool) -> Result<Outcome, WeightingError> {
        match self {
            Self::Nonresponse { responded, classes, names } => {
                let mut all = vec![0.0; names.len()];
                let mut answered = vec![0.0; names.len()];
                for ((weight, responds), class) in weights.iter().zip(responded).zip(classes) {
                    all[*class as usize] += weight;
                    if *responds {
                        answered[*class as usize] += weight;
                    }
                }
                if let Some(class) = (0..names.len()).find(|c| all[*c] > 0.0 && answered[*c] == 0.0) {
                    return Err(WeightingError::NoRespondent { class: names[class].clone() });
                }
                for ((weight, responds), class) in weights.iter_mut().zip(responded).zip(classes) {
                    let class = *class as usize;
                    *weight *= if *responds && *weight != 0.0 { all[class] / answered[class] } else { 0.0 };
                }
                Ok(Outcome::default())
            }
            Self::Rake { margins, tolerance, max_iterations } => {
                let before = project.then(|| weights.to_vec());
                let (iterations, gap) = rake::rake(weights, margins, *tolerance, *max_iterations)?;
                let projection = before.map(|before| {
                    let mut auxiliary = Auxiliary::default();
                    for margin in margins {
                        auxiliary.push_codes(margin.codes.clone(), margin.names.iter().cloned());
                    }
                    Projection::new(auxiliary, &before, weights.to_vec())
                });
                Ok(Outcome { projection, iterations, gap, trimmed: 0 })
            }
            Self::Calibrate { auxiliary, totals, settings, clusters, sigma_squared } => {
                let before = match clusters {
                    Some(clusters) => averages(weights, clusters),
                    None => weights.to_vec(),
                };
                let fit = calibrate::factors(auxiliary, &before, totals, sigma_squared.as_deref(), settings)?;
                let mut after = before.clone();
                for ((weight, after), factor) in weights.iter_mut().zip(&mut after).zip(&fit.factors) {
                    *weight *= factor;
                    *after *= factor;
                }
                let projection = project.then(|| {
                    let metric: Vec<f64> = match sigma_squared {
                        Some(sigma) => before.iter().zip(sigma).map(|(w, s)| w / s).collect(),
                        None => before,
                    };
                    Projection::new(auxiliary.clone(), &metric, after)
                });
                Ok(Outcome { projection, iterations: fit.iterations, gap: fit.gap, trimmed: 0 })
            }
            Self::Trim { lower, upper, repeat } => {
                let trimmed = trim::trim(weights, *lower, *upper, *repeat)?;
                Ok(Outcome { trimmed, ..Outcome::default() })
            }
        }
    }
}

fn averages(weights: &[f64], clusters: &[u32]) -> Vec<f64> {
    let count = clusters.iter().max().map_or(0, |m| *m as usize + 1);
    let mut sums = vec![0.0; count];
    let mut sizes = vec![0.0; count];
    for (weight, cluster) in weights.iter().zip(clusters) {
        sums[*cluster as usize] += weight;
        sizes[*cluster as usize] += 1.0;
    }
    clusters.iter().map(|c| sums[*c as usize] / sizes[*c as usize]).collect()
}

/// Codes of the crossed columns and a name a class. Rows that are not alive may be missing.
fn crossed(
    table: &Table,
    columns: &[String],
    alive: &[bool],
) -> Result<(Vec<u32>, Vec<String>), WeightingError> {
    let mut codes = vec![0_u32; table.height()];
    let mut names = vec![String::new()];
    for column in columns {
        let (own, levels) = table.categories(column)?;
        if let Some(row) = (0..own.len()).find(|row| own[*row] == MISSING && alive[*row]) {
            return Err(WeightingError::Missing { column: column.clone(), row: row + 1 });
        }
        for (code, own) in codes.iter_mut().zip(own.iter()) {
            *code =
                if *code == MISSING || *own == MISSING { MISSING } else { *code * levels.len() as u32 + own };
        }
        names =
            names
                .iter()
                .flat_map(|name| {
                    levels.iter().map(move |level| {
                        if name.is_empty() { level.clone() } else { format!("{name}, {level}") }
                    })
                })
                .collect();
    }
    Ok((codes, names))
}

impl Targets {
    fn compile(
        table: &Table,
        by: &[String],
        totals: &[Map<String, Value>],
        alive: &[bool],
    ) -> Result<Self, WeightingError> {
        let margin = by.join(", ");
        let bad = |reason: String| WeightingError::BadTarget { margin: margin.clone(), reason };
        if by.is_empty() {
            return Err(bad("\"by\" names no column".into()));
        }
        let (full_codes, full_names) = crossed(table, by, alive)?;
        let mut targets: IndexMap<String, f64> = IndexMap::new();
        for entry in totals {
            let mut parts = Vec::with_capacity(by.len());
            for column in by {
                match entry.get(column) {
                    Some(Value::String(text)) => parts.push(text.clone()),
                    Some(Value::Number(number)) => {
                        parts.push(number.as_f64().map_or_else(|| number.to_string(), number_text));
                    }
                    _ => return Err(bad(format!("a total has no value for `{column}`"))),
                }
            }
            let name = parts.join(", ");
            let total = entry
                .get("total")
                .and_then(Value::as_f64)
                .ok_or_else(|| bad(format!("category `{name}` has no number as its \"total\"")))?;
            if total.is_nan() || total < 0.0 {
                return Err(bad(format!("category `{name}` has the total {total}; it must not be negative")));
            }
            if let Some(other) = entry.keys().find(|k| *k != "total" && !by.contains(k)) {
                return Err(bad(format!("`{other}` is not among its columns")));
            }
            if targets.insert(name.clone(), total).is_some() {
                return Err(WeightingError::DuplicateTarget { margin, category: name });
            }
        }
        let sum: f64 = targets.values().sum();
        if targets.values().all(|t| *t <= 1.0) && targets.len() > 1 && (sum - 1.0).abs() > 1e-6 {
            return Err(WeightingError::Shares { margin, sum });
        }
        // Only classes with a target or with respondents count.
        let mut place = vec![MISSING; full_names.len()];
        let mut names = Vec::with_capacity(targets.len());
        let mut wanted = Vec::with_capacity(targets.len());
        for (name, total) in targets {
            let Some(code) = full_names.iter().position(|n| *n == name) else {
                if total == 0.0 {
                    continue;
                }
                return Err(WeightingError::EmptyCategory { margin, category: name, target: total });
            };
            place[code] = names.len() as u32;
            names.push(name);
            wanted.push(total);
        }
        let mut codes = Vec::with_capacity(full_codes.len());
        for (row, code) in full_codes.iter().enumerate() {
            if *code == MISSING {
                codes.push(MISSING);
                continue;
            }
            let to = place[*code as usize];
            if to == MISSING && alive[row] {
                return Err(WeightingError::NoTarget {
                    margin,
                    category: full_names[*code as usize].clone(),
                });
            }
            codes.push(to);
        }
        Ok(Self { margin, codes, names, totals: wanted })
    }
}

/// The auxiliary variables of the plan's terms: `"1"` is the intercept, a category gives one term a
/// level but the first, or one a level where there is no intercept and it is the first category.
fn auxiliary_of(table: &Table, terms: &[String], alive: &[bool]) -> Result<Auxiliary, WeightingError> {
    let mut auxiliary = Auxiliary::default();
    let mut spans_one = terms.iter().any(|t| t == "1");
    if spans_one {
        auxiliary.push_one();
    }
    for term in terms.iter().filter(|t| *t != "1") {
        match table.column(term)? {
            Column::Number(values) => {
                if let Some(row) = (0..values.len()).find(|row| values[*row].is_nan() && alive[*row]) {
                    return Err(WeightingError::Missing { column: term.clone(), row: row + 1 });
                }
                let values = values.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
                auxiliary.push_numbers(values, term.clone());
            }
            Column::Category { codes, levels } => {
                if let Some(row) = (0..codes.len()).find(|row| codes[*row] == MISSING && alive[*row]) {
                    return Err(WeightingError::Missing { column: term.clone(), row: row + 1 });
                }
                let skip = usize::from(spans_one);
                let after = |code: u32| match code {
                    MISSING => MISSING,
                    code => code.checked_sub(skip as u32).unwrap_or(MISSING),
                };
                let codes = codes.iter().map(|code| after(*code)).collect();
                auxiliary.push_codes(codes, levels.iter().skip(skip).map(|l| format!("{term}={l}")));
                spans_one = true;
            }
        }
    }
    if auxiliary.width() == 0 {
        return Err(WeightingError::Calibration("\"terms\" is empty".into()));
    }
    Ok(auxiliary)
}

fn totals_of(auxiliary: &Auxiliary, totals: &IndexMap<String, f64>) -> Result<Vec<f64>, WeightingError> {
    if let Some(unknown) = totals.keys().find(|k| !auxiliary.names.contains(k)) {
        return Err(WeightingError::UnknownTotal {
            name: unknown.clone(),
            terms: auxiliary.names.join(", "),
        });
    }
    auxiliary
        .names
        .iter()
        .map(|name| totals.get(name).copied().ok_or_else(|| WeightingError::NoTotal { term: name.clone() }))
        .collect()
}
