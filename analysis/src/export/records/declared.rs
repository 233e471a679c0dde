//! The design as the scripts for other programs declare it: what they all can say, and nothing else.

use serde_json::Value;

use super::{Analysts, Records, RecordsError};
use crate::estimation::plan::{Adjustment, ColumnOrNumber, SinglePsu};
use crate::estimation::{Plan, Request, Statistic};

pub(super) struct Declared<'a> {
    pub clusters: &'a [String],
    pub strata: &'a [String],
    pub nested: bool,
    /// Weights before calibration.
    pub weights: &'a str,
    pub fpc: &'a [ColumnOrNumber],
    pub single_psu: SinglePsu,
    /// Each is met by raking, in order.
    pub calibrations: Vec<Vec<Margin>>,
    /// Column of the final weights.
    pub weight: &'a str,
    pub figures: Vec<Figure<'a>>,
}

/// Population totals of one classification.
pub(super) struct Margin {
    pub columns: Vec<String>,
    /// A value a column, and the total.
    pub categories: Vec<(Vec<String>, f64)>,
}

/// A figure of ours that a script repeats: the mean of a column, or the share of one category.
pub(super) struct Figure<'a> {
    pub id: &'a str,
    pub variable: &'a str,
    pub category: Option<&'a str>,
    pub estimate: f64,
    pub se: f64,
    pub df: f64,
}

/// Error: what of the design or the requests cannot be said in a script.
pub(super) fn declared<'a>(
    records: &'a Records<Analysts>,
    format: &'static str,
) -> Result<Declared<'a>, RecordsError> {
    let design = records.design(format)?;
    let fail = |what: String| RecordsError::Design { format, what };
    let plan = &design.plan;
    let of = &plan.design;
    for (is_there, what) in [
        (of.pps.is_some() || of.variance.is_some(), "`pps`"),
        (!of.probabilities.is_empty(), "`probabilities`; give the product's inverse as `weights`"),
        (of.domain_single_psu, "`domain_single_psu`"),
        (plan.replicates.is_some(), "`replicates`"),
        (plan.r#where.is_some(), "`where`"),
        (plan.probability_sample == Some(false), "no probability sample: it has no margin of error"),
    ] {
        if is_there {
            return Err(fail(what.to_owned()));
        }
    }
    let weights = of.weights.as_deref().ok_or_else(|| fail("a design without `weights`".into()))?;
    let mut calibrations = Vec::new();
    for step in &plan.adjust {
        calibrations.push(match step {
            Adjustment::Rake { margins, .. } => {
                margins.iter().map(|margin| margin_of(&margin.by, &margin.totals)).collect::<Option<Vec<_>>>()
            }
            Adjustment::Poststratify { by, totals, .. } => margin_of(by, totals).map(|margin| vec![margin]),
            _ => return Err(fail("an adjustment other than `rake` and `poststratify`".into())),
        });
    }
    let calibrations = calibrations
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| fail("a margin whose totals lack a column or `total`".into()))?;
    for name in calibrations.iter().flatten().flat_map(|margin| &margin.columns) {
        if !records.names().any(|known| known == name) {
            return Err(fail(format!("a margin by `{name}`, which is no column of the records")));
        }
    }
    Ok(Declared {
        clusters: &of.clusters,
        strata: &of.strata,
        nested: of.nested,
        weights,
        fpc: &of.fpc,
        single_psu: of.single_psu,
        calibrations,
        weight: &design.weight,
        figures: figures(plan, &design.answers),
    })
}

/// Categories that nobody is in are left out: they ask nothing of the weights.
fn margin_of(by: &[String], totals: &[serde_json::Map<String, Value>]) -> Option<Margin> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut categories = Vec::new();
    for entry in totals {
        let values = by.iter().map(|column| entry.get(column).and_then(text)).collect::<Option<Vec<_>>>()?;
        let total = entry.get("total")?.as_f64()?;
        if total > 0.0 {
            categories.push((values, total));
        }
    }
    Some(Margin { columns: by.to_vec(), categories })
}

/// Means of the whole sample; what is asked by groups or limited stays with our own program.
fn figures<'a>(plan: &'a Plan, answers: &'a [crate::estimation::Row]) -> Vec<Figure<'a>> {
    let plain = |r: &&Request| r.statistic == Statistic::Mean && r.by.is_empty() && r.r#where.is_none();
    let mut figures = Vec::new();
    for request in plan.requests.iter().filter(plain) {
        for row in answers.iter().filter(|row| row.id == request.id) {
            if let (Some(variable), Some(estimate), Some(se)) = (&row.variable, row.estimate, row.se) {
                figures.push(Figure {
                    id: &request.id,
                    variable,
                    category: row.category.as_deref(),
                    estimate,
                    se,
                    df: row.df.as_f64().unwrap_or(f64::NAN),
                });
            }
        }
    }
    figures
}
