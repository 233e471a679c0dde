//! Interviewer effects: how much more alike answers to the same interviewer are.
//!
//! One-way analysis of variance without weights, as in Kish (1962), because what is measured is the
//! interviewer, not the population. Interviewers are compared within the areas of `within`, for who
//! works in one area alone cannot be told from it otherwise. Interval: Searle (1971) from F; error:
//! Swiger et al. (1964).

use std::collections::BTreeMap;

use super::EstimationError;
use super::context::{Answer, Context, Kind, Variable, set_figures};
use super::distributions::{beta_quantile, f_upper};
use crate::table::MISSING;

/// The intra-interviewer correlation of columns; a category gives one row a level.
pub(crate) fn icc(context: &Context) -> Result<Answer, EstimationError> {
    let category = |name: &str| -> Result<Variable, EstimationError> {
        let (codes, levels) = context.category(name)?;
        Ok(Variable { name: name.into(), category: None, kind: Kind::Category { codes, levels } })
    };
    let outcomes: Vec<Variable> =
        context.of()?.iter().map(|name| context.variable(name)).collect::<Result<_, _>>()?;
    let interviewer = category(context.needed(context.request.groups.as_deref(), "groups")?)?;
    let areas: Vec<Variable> =
        context.request.within.iter().map(|name| category(name)).collect::<Result<_, _>>()?;
    let all: Vec<&Variable> = outcomes.iter().chain([&interviewer]).chain(&areas).collect();
    let kept = context.complete(&all)?;
    let counts = context.count(&kept, context.groups.labels.len());
    let code = |variable: &Variable, row: usize| match &variable.kind {
        Kind::Category { codes, .. } => codes[row],
        Kind::Number(_) => MISSING,
    };
    let mut rows = Vec::new();
    for (group, (_, psus)) in counts.iter().enumerate() {
        let members: Vec<usize> = context.groups.rows[group]
            .iter()
            .copied()
            .filter(|row| kept[*row] != MISSING && context.survey.weights[*row] != 0.0)
            .collect();
        // Workloads: area and interviewer of every row.
        let place: Vec<(Vec<u32>, u32)> = members
            .iter()
            .map(|row| (areas.iter().map(|a| code(a, *row)).collect(), code(&interviewer, *row)))
            .collect();
        for variable in &outcomes {
            let columns: Vec<(Option<String>, Vec<f64>)> = match &variable.kind {
                Kind::Number(values) => vec![(None, members.iter().map(|r| values[*r]).collect())],
                Kind::Category { codes, levels } => levels
                    .iter()
                    .enumerate()
                    .map(|(level, name)| {
                        let is = |r: &usize| f64::from(u8::from(codes[*r] == level as u32));
                        (Some(name.clone()), members.iter().map(is).collect())
                    })
                    .collect(),
            };
            for (level, values) in columns {
                let mut row = context.row(group);
                row.variable = Some(variable.name.clone());
                row.category = level;
                row.answered = Some(members.len());
                row.psus = Some(*psus);
                let effect = Effect::of(&place, &values).ok_or(EstimationError::Workloads)?;
                let variance = effect.variance();
                set_figures(&mut row, effect.rho(), variance, None);
                let (low, high) = effect.interval(context.request.level);
                row.ci_low = Some(low).filter(|v| v.is_finite());
                row.ci_high = Some(high).filter(|v| v.is_finite());
                row.deff =
                    Some(1.0 + (effect.mean_workload() - 1.0) * effect.rho()).filter(|d| d.is_finite());
                row.df = vec![effect.between_df, effect.within_df].into();
                row.more.insert("interviewers".into(), effect.workloads.into());
                row.more.insert("value".into(), effect.ratio().into());
                let p_value = f_upper(effect.ratio(), effect.between_df, effect.within_df);
                row.more.insert("p_value".into(), p_value.into());
                rows.push(row);
            }
        }
    }
    Ok(Answer::new(context, rows, None))
}

/// The analysis of variance of one column.
struct Effect {
    workloads: usize,
    rows: f64,
    areas: f64,
    between: f64,
    within: f64,
    between_df: f64,
    within_df: f64,
    /// Workload for which the mean squares' expectations hold.
    k: f64,
}

impl Effect {
    /// `None` where no area has two interviewers, or nobody interviewed twice.
    fn of(place: &[(Vec<u32>, u32)], values: &[f64]) -> Option<Self> {
        let mut workloads: BTreeMap<&(Vec<u32>, u32), (f64, f64, f64)> = BTreeMap::new();
        let mut areas: BTreeMap<&[u32], (f64, f64)> = BTreeMap::new();
        // From their mean, so that squares do not cancel.
        let centre = values.iter().sum::<f64>() / values.len().max(1) as f64;
        for (place, value) in place.iter().zip(values) {
            let y = value - centre;
            let sums = workloads.entry(place).or_default();
            *sums = (sums.0 + 1.0, sums.1 + y, sums.2 + y * y);
            let area = areas.entry(place.0.as_slice()).or_default();
            *area = (area.0 + 1.0, area.1 + y);
        }
        let (mut between, mut within) = (0.0, 0.0);
        let rows = values.len() as f64;
        let mut k = rows;
        for ((area, _), (n, sum, squares)) in &workloads {
            let (area_n, area_sum) = areas[area.as_slice()];
            between += n * (sum / n - area_sum / area_n).powi(2);
            within += squares - sum * sum / n;
            k -= n * n / area_n;
        }
        let areas = areas.len() as f64;
        let (between_df, within_df) = (workloads.len() as f64 - areas, rows - workloads.len() as f64);
        (between_df > 0.0 && within_df > 0.0).then(|| Self {
            workloads: workloads.len(),
            rows,
            areas,
            between: between / between_df,
            within: within / within_df,
            between_df,
            within_df,
            k: k / between_df,
        })
    }

    fn mean_workload(&self) -> f64 {
        self.rows / self.workloads as f64
    }

    fn ratio(&self) -> f64 {
        self.between / self.within
    }

    fn rho(&self) -> f64 {
        (self.between - self.within) / (self.between + (self.k - 1.0) * self.within)
    }

    fn variance(&self) -> f64 {
        let rho = self.rho();
        2.0 * (self.rows - self.areas) * ((1.0 - rho) * (1.0 + (self.k - 1.0) * rho)).powi(2)
            / (self.k * self.k * self.within_df * self.between_df)
    }

    fn interval(&self, level: f64) -> (f64, f64) {
        let quantile = |p: f64| {
            let x = beta_quantile(p, self.between_df / 2.0, self.within_df / 2.0);
            self.within_df * x / (self.between_df * (1.0 - x))
        };
        let limit = |f: f64| (f - 1.0) / (f - 1.0 + self.k);
        let upper = 0.5 + level / 2.0;
        (limit(self.ratio() / quantile(upper)), limit(self.ratio() / quantile(1.0 - upper)))
    }
}
