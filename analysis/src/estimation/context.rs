//! One request at work: its domain, its groups, its variables, and the rows it answers with.

use std::sync::OnceLock;

use indexmap::IndexMap;
use serde_json::Value;

use super::EstimationError;
use super::algebra::Matrix;
use super::distributions::{normal_quantile, t_quantile};
use super::plan::{Interval, MissingRule, Request, Statistic};
use super::result::Row;
use super::survey::{Estimated, Survey};
use crate::sql::Expression;
use crate::table::{Column, MISSING, TableError};

/// The rows of one request and their covariance matrix, if it was asked or is built on.
pub(crate) struct Answer {
    pub rows: Vec<Row>,
    pub covariance: Option<Matrix>,
    /// Degrees of freedom of the whole domain, for contrasts between groups.
    pub df: f64,
}

impl Answer {
    /// The covariance matrix is kept where it was asked or is built on.
    pub fn new(context: &Context, rows: Vec<Row>, covariance: Option<Matrix>) -> Self {
        Self { rows, covariance: covariance.filter(|_| context.full), df: context.whole_df() }
    }
}

pub(crate) struct Context<'a> {
    pub survey: &'a Survey,
    pub request: &'a Request,
    pub groups: Groups,
    /// All covariances are needed.
    pub full: bool,
    /// The critical value of every group's interval, once it is asked for.
    critical: Vec<OnceLock<f64>>,
}

/// The `by` groups that have rows.
pub(crate) struct Groups {
    /// Group of every row; [`MISSING`] outside the domain.
    pub codes: Vec<u32>,
    pub labels: Vec<IndexMap<String, String>>,
    pub rows: Vec<Vec<usize>>,
    /// Rows of the data with a positive weight.
    pub n: Vec<usize>,
    /// Degrees of freedom of every group's domain.
    pub df: Vec<f64>,
}

/// One column of a request, or one category of it.
pub(crate) struct Variable {
    pub name: String,
    /// The category whose share the numbers are, where rows stand for many.
    pub category: Option<String>,
    pub kind: Kind,
}

pub(crate) enum Kind {
    Number(Vec<f64>),
    Category { codes: Vec<u32>, levels: Vec<String> },
}

impl Variable {
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.kind {
            Kind::Number(values) => values[row].is_nan(),
            Kind::Category { codes, .. } => codes[row] == MISSING,
        }
    }
}

impl<'a> Context<'a> {
    /// `base`: another request builds on this one.
    pub fn new(survey: &'a Survey, request: &'a Request, base: bool) -> Result<Self, EstimationError> {
        let mut domain = survey.domain.clone();
        if let Some(condition) = &request.r#where {
            let holds = Expression::parse(condition)?.holds(&survey.table)?;
            domain.iter_mut().zip(holds).for_each(|(d, h)| *d &= h);
        }
        if !domain.contains(&true) {
            return Err(EstimationError::EmptyDomain);
        }
        if !(request.level > 0.0 && request.level < 1.0) {
            return Err(EstimationError::Choice {
                field: "level",
                value: request.level.to_string(),
                offered: "numbers between 0 and 1",
            });
        }
        let by = match request.separate {
            true if request.by.is_empty() => &survey.strata_columns,
            true => {
                return Err(EstimationError::Choice {
                    field: "separate",
                    value: "true".into(),
                    offered: "either separate or by",
                });
            }
            false => &request.by,
        };
        let groups = Groups::build(survey, by, &domain)?;
        let critical = groups.labels.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { survey, request, groups, full: request.covariance || base, critical })
    }

    /// A column as a variable, or as one a category.
    pub fn variables(&self, name: &str) -> Result<Vec<Variable>, EstimationError> {
        if let Some(shares) = self.survey.collapsed.as_ref().and_then(|c| c.shares.get(name)) {
            let of = |(category, shares): &(String, Vec<f64>)| Variable {
                name: name.into(),
                category: Some(category.clone()),
                kind: Kind::Number(shares.clone()),
            };
            return Ok(shares.iter().map(of).collect());
        }
        Ok(vec![self.variable(name)?])
    }

    /// A column as a variable.
    pub fn variable(&self, name: &str) -> Result<Variable, EstimationError> {
        let kind = match self.survey.table.column(name)? {
            Column::Number(values) => Kind::Number(values.clone()),
            Column::Category { codes, levels } => {
                Kind::Category { codes: codes.clone(), levels: levels.clone() }
            }
        };
        Ok(Variable { name: name.into(), category: None, kind })
    }

    /// A numeric column. Error: it holds text.
    pub fn number(&self, name: &str) -> Result<Vec<f64>, EstimationError> {
        match self.survey.table.column(name)? {
            Column::Number(values) => Ok(values.clone()),
            Column::Category { levels, .. } => Err(EstimationError::Table(TableError::NotNumeric {
                name: name.into(),
                example: levels.first().cloned().unwrap_or_default(),
            })),
        }
    }

    /// A column as codes and levels; numbers get one level a value.
    pub fn category(&self, name: &str) -> Result<(Vec<u32>, Vec<String>), EstimationError> {
        let (codes, levels) = self.survey.table.categories(name)?;
        Ok((codes.into_owned(), levels.into_owned()))
    }

    /// The group codes without rows that miss a variable, by the request's rule.
    pub fn complete(&self, variables: &[&Variable]) -> Result<Vec<u32>, EstimationError> {
        let mut codes = self.groups.codes.clone();
        for variable in variables {
            let mut lost = 0;
            for (row, code) in codes.iter_mut().enumerate() {
                if *code != MISSING && variable.is_missing(row) {
                    *code = MISSING;
                    lost += self.survey.rows_behind(row);
                }
            }
            if lost > 0 && self.request.missing == MissingRule::Error {
                return Err(EstimationError::MissingValues { column: variable.name.clone(), count: lost });
            }
        }
        Ok(codes)
    }

    /// `of`, of which there must be one at least.
    pub fn of(&self) -> Result<&[String], EstimationError> {
        if self.request.of.is_empty() {
            return Err(EstimationError::FieldNeeded { field: "of", statistic: self.word() });
        }
        Ok(&self.request.of)
    }

    /// A field that must be there.
    pub fn needed<'b>(
        &self,
        value: Option<&'b str>,
        field: &'static str,
    ) -> Result<&'b str, EstimationError> {
        value.ok_or(EstimationError::FieldNeeded { field, statistic: self.word() })
    }

    pub fn word(&self) -> &'static str {
        match self.request.statistic {
            Statistic::Mean => "mean",
            Statistic::Total => "total",
            Statistic::Proportion => "proportion",
            Statistic::Ratio => "ratio",
            Statistic::Quantile => "quantile",
            Statistic::Variance => "variance",
            Statistic::Cdf => "cdf",
            Statistic::Table => "table",
            Statistic::Independence => "independence",
            Statistic::Ttest => "ttest",
            Statistic::Ranktest => "ranktest",
            Statistic::Regression => "regression",
            Statistic::Contrast => "contrast",
            Statistic::Icc => "icc",
        }
    }

    /// The group's degrees of freedom, or those of the request.
    pub fn df(&self, group: usize) -> f64 {
        self.request.df.unwrap_or(self.groups.df[group])
    }

    /// Degrees of freedom of the domain of all groups together.
    pub fn whole_df(&self) -> f64 {
        if self.groups.rows.len() == 1 {
            return self.groups.df[0];
        }
        let mut rows: Vec<usize> = self.groups.rows.iter().flatten().copied().collect();
        rows.sort_unstable();
        self.survey.degrees(&rows)
    }

    /// The degrees of freedom that the interval uses: infinite for `z`.
    pub fn interval_df(&self, group: usize) -> f64 {
        match self.request.interval {
            Interval::T => self.df(group),
            Interval::Z => f64::INFINITY,
        }
    }

    /// An answer's row with identity, group, counts and degrees of freedom, without figures.
    pub fn row(&self, group: usize) -> Row {
        Row {
            id: self.request.id.clone(),
            statistic: self.word().into(),
            group: self.groups.labels[group].clone(),
            df: self.df(group).into(),
            n: Some(self.groups.n[group]),
            ..Row::default()
        }
    }

    /// Counts respondents and PSUs that are really behind a figure: rows whose code is `wanted`.
    pub fn count(&self, codes: &[u32], groups: usize) -> Vec<(usize, usize)> {
        let psus = self.survey.design.psus();
        // The rows of a unit mostly stand together: each unit is then met once.
        let in_order = stand_together(psus);
        let mut rows = vec![0_usize; groups];
        let mut last = vec![MISSING; groups];
        let mut met = vec![0_usize; groups];
        let mut pairs: Vec<Vec<u32>> = vec![Vec::new(); groups];
        let places = codes.iter().zip(psus).zip(&self.survey.weights);
        for (row, ((code, psu), weight)) in places.enumerate() {
            if *code == MISSING || *weight == 0.0 {
                continue;
            }
            let group = *code as usize;
            rows[group] += self.survey.rows_behind(row);
            if last[group] != *psu {
                last[group] = *psu;
                met[group] += 1;
                if !in_order {
                    pairs[group].push(*psu);
                }
            }
        }
        if !in_order {
            for (met, psus) in met.iter_mut().zip(&mut pairs) {
                psus.sort_unstable();
                psus.dedup();
                *met = psus.len();
            }
        }
        rows.into_iter().zip(met).collect()
    }

    /// Runs an estimate for all groups together, or for each alone where strata left with one PSU in
    /// a domain have a rule of their own. `per_group` estimates a group, group-major.
    pub fn in_groups(
        &self,
        codes: &[u32],
        per_group: usize,
        compute: impl Fn(&[u32], usize) -> Result<Estimated, EstimationError>,
    ) -> Result<Estimated, EstimationError> {
        let groups = self.groups.labels.len();
        if groups == 1 || self.full || !self.survey.lonely_rules_matter() {
            return compute(codes, groups);
        }
        let mut values = Vec::with_capacity(groups * per_group);
        let mut variance = Matrix::zeros(groups * per_group, groups * per_group);
        for group in 0..groups as u32 {
            let own: Vec<u32> = codes.iter().map(|c| if *c == group { 0 } else { MISSING }).collect();
            let estimated = compute(&own, 1)?;
            for i in 0..per_group {
                let place = group as usize * per_group + i;
                variance.set(place, place, estimated.variance.at(i, i));
            }
            values.extend(estimated.values);
        }
        Ok(Estimated { values, variance })
    }

    /// Fills estimate, se, cv and a symmetric interval; what does not exist is empty with a reason.
    pub fn fill(&self, row: &mut Row, group: usize, estimate: f64, variance: f64) {
        // Many rows of a group share it, and it costs more than they do.
        let compute = || critical(self.request.level, self.interval_df(group));
        set_figures(row, estimate, variance, Some(*self.critical[group].get_or_init(compute)));
    }
}

/// The two-sided critical value of t.
pub(crate) fn critical(level: f64, df: f64) -> f64 {
    let p = 0.5 + level / 2.0;
    if df.is_infinite() { normal_quantile(p) } else { t_quantile(p, df) }
}

/// Puts a figure and its error into a row. `critical`: for a symmetric interval.
pub(crate) fn set_figures(row: &mut Row, estimate: f64, variance: f64, critical: Option<f64>) {
    // Rounding can leave a zero variance a hair below zero.
    let variance =
        if variance < 0.0 && variance.abs() < 1e-18 * estimate.powi(2).max(1.0) { 0.0 } else { variance };
    let se = variance.sqrt();
    let finite = |v: f64| v.is_finite().then_some(v);
    row.estimate = finite(estimate);
    row.se = finite(se);
    row.cv = finite(se / estimate);
    if let Some(critical) = critical {
        row.ci_low = finite(estimate - critical * se);
        row.ci_high = finite(estimate + critical * se);
    }
    let reason = if row.estimate.is_none() {
        "the estimate is undefined: no row with a value is in the domain"
    } else if row.se.is_none() {
        "the variance estimate is negative or undefined"
    } else if row.cv.is_none() {
        "the estimate is 0, it has no relative error"
    } else if critical.is_some() && row.ci_low.is_none() {
        "no degrees of freedom are left for an interval"
    } else {
        return;
    };
    row.more.insert("reason".into(), Value::from(reason));
}

impl Groups {
    fn build(survey: &Survey, by: &[String], domain: &[bool]) -> Result<Self, EstimationError> {
        let mut codes: Vec<u64> = domain.iter().map(|d| if *d { 0 } else { u64::MAX }).collect();
        let mut columns = Vec::with_capacity(by.len());
        let mut stride = 1_u64;
        for name in by {
            let (own, levels) = survey.table.categories(name)?;
            for (code, own) in codes.iter_mut().zip(own.iter()) {
                *code = if *code == u64::MAX || *own == MISSING {
                    u64::MAX
                } else {
                    *code + stride * u64::from(*own)
                };
            }
            let size = levels.len().max(1) as u64;
            columns.push((name, levels.into_owned(), stride));
            stride = stride.checked_mul(size).ok_or_else(|| {
                EstimationError::NotOffered("more combinations of `by` than can be numbered".into())
            })?;
        }
        // Few combinations are marked, many sorted.
        let mut place_of: Vec<u32> = match stride <= 4 * codes.len() as u64 + 1024 {
            true => vec![MISSING; stride as usize],
            false => Vec::new(),
        };
        let mut seen: Vec<u64> = Vec::new();
        if place_of.is_empty() {
            seen.extend(codes.iter().copied().filter(|c| *c != u64::MAX));
            seen.sort_unstable();
            seen.dedup();
        } else {
            codes.iter().filter(|c| **c != u64::MAX).for_each(|c| place_of[*c as usize] = 0);
            for (code, place) in place_of.iter_mut().enumerate().filter(|(_, place)| **place == 0) {
                *place = seen.len() as u32;
                seen.push(code as u64);
            }
        }
        if seen.is_empty() {
            return Err(EstimationError::EmptyDomain);
        }
        let labels = seen
            .iter()
            .map(|code| {
                columns
                    .iter()
                    .map(|(name, levels, stride)| {
                        let level = (code / stride) as usize % levels.len().max(1);
                        ((*name).clone(), levels[level].clone())
                    })
                    .collect()
            })
            .collect();
        let dense: Vec<u32> = codes
            .iter()
            .map(|code| match place_of.is_empty() {
                _ if *code == u64::MAX => MISSING,
                true => seen.partition_point(|s| s < code) as u32,
                false => place_of[*code as usize],
            })
            .collect();
        let of_units = &dense[..survey.rows()];
        let mut sizes = vec![0_usize; seen.len()];
        of_units.iter().filter(|place| **place != MISSING).for_each(|place| sizes[*place as usize] += 1);
        let mut rows: Vec<Vec<usize>> = sizes.into_iter().map(Vec::with_capacity).collect();
        for (row, place) in of_units.iter().enumerate().filter(|(_, place)| **place != MISSING) {
            rows[*place as usize].push(row);
        }
        let df = rows.iter().map(|rows| survey.degrees(rows)).collect();
        let behind = |rows: &Vec<usize>| {
            let weighted = rows.iter().filter(|row| survey.weights[**row] > 0.0);
            weighted.map(|row| survey.rows_behind(*row)).sum()
        };
        let n = rows.iter().map(behind).collect();
        Ok(Self { codes: dense, labels, rows, n, df })
    }
}

/// Whether the rows of each unit follow each other without another's between them.
fn stand_together(units: &[u32]) -> bool {
    let mut left = vec![false; units.iter().max().map_or(0, |last| *last as usize + 1)];
    units.windows(2).all(|pair| {
        pair[0] == pair[1] || {
            left[pair[0] as usize] = true;
            !left[pair[1] as usize]
        }
    })
}
