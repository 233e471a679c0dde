//! The weights of a wave: base × nonresponse × household selection × raking.
//!
//! 1. base: 1 / probability of the dwelling;
//! 2. nonresponse: within each design stratum, respondents carry the weight of all eligible cases;
//! 3. household selection: × number of adults, of whom one was drawn with equal chance;
//! 4. raking to the adult margins. Who did not give their ethnic group counts, for raking only, with the group that
//!    most people of the village belong to; the answer itself stays refused.

use analysis::estimation::Plan;
use analysis::table::{Column, Table};
use analysis::weighting::{self, Diagnosis};
use anyhow::Context;
use serde_json::{Value, json};

/// A margin of the population: a column of the respondents and the count of adults in each category.
#[derive(Clone, Debug)]
pub struct Margin {
    pub by: &'static str,
    pub totals: Vec<(String, f64)>,
}

/// Respondents with their weights.
#[derive(Debug)]
pub struct Weighted {
    /// One row a respondent; `person_weight` is the weight before raking, `weight` the final one.
    pub respondents: Table,
    pub diagnosis: Diagnosis,
    /// The raking step, for estimation plans: errors are those after raking.
    pub adjust: Value,
}

/// Columns that raking needs, derived from the answers; the plan of the instrument has the same names without
/// `rake_`.
fn raking_columns() -> Value {
    json!({
        "rake_sex": "b1",
        "rake_age": "b2",
        "rake_ethnic": "CASE WHEN b3 IN ('01','02','07','08','09') THEN b3 WHEN b3 IS NULL OR b3 IN ('98','99') THEN CASE WHEN village_majority IN ('01','02','07','08','09') THEN village_majority ELSE 'khác' END ELSE 'khác' END",
        "rake_area": "area_large"
    })
}

/// Weights the interviews among `cases` (see `analysis_file::weighting_table`).
pub fn weight(cases: &Table, margins: &[Margin]) -> anyhow::Result<Weighted> {
    let nonresponse: Plan = serde_json::from_value(json!({
        "design": { "weights": "base" },
        "adjust": [{ "method": "nonresponse", "responded": "responded", "classes": ["design_stratum"] }],
        "requests": []
    }))?;
    let adjusted = weighting::weight(cases, &nonresponse).context("nonresponse adjustment")?;
    let responding: Vec<usize> = (0..cases.height()).filter(|row| adjusted.weights[*row].is_some()).collect();
    let mut respondents = cases.take(&responding);
    let adults = respondents.numbers("adults")?.into_owned();
    let person: Vec<f64> = responding
        .iter()
        .zip(&adults)
        .map(|(row, adults)| adjusted.weights[*row].unwrap_or(f64::NAN) * adults)
        .collect();
    respondents.push("person_weight", Column::Number(person))?;
    let adjust = json!([{
        "method": "rake",
        "margins": margins.iter().map(|m| json!({
            "by": [m.by],
            "totals": m.totals.iter().map(|(category, total)| json!({ (m.by): category, "total": total })).collect::<Vec<_>>()
        })).collect::<Vec<_>>()
    }]);
    let raking: Plan = serde_json::from_value(json!({
        "data": "",
        "types": { "b1": "category", "b2": "category", "b3": "category" },
        "derive": raking_columns(),
        "design": { "clusters": ["psu"], "strata": ["stratum"], "weights": "person_weight" },
        "adjust": adjust,
        "requests": []
    }))?;
    let raked = weighting::weight(&respondents, &raking).context("raking")?;
    let weights = raked.weights.iter().map(|w| w.unwrap_or(f64::NAN)).collect();
    respondents.push("weight", Column::Number(weights))?;
    Ok(Weighted { respondents, diagnosis: raked.diagnosis, adjust })
}

/// An estimation plan over the respondents: the instrument's plan with this wave's design and raking.
pub fn estimation_plan(instrument: &Value, adjust: &Value) -> anyhow::Result<Plan> {
    let mut plan = instrument.clone();
    plan["design"] = json!({
        "clusters": ["psu"], "strata": ["stratum"], "weights": "person_weight", "single_psu": "adjust"
    });
    plan["adjust"] = adjust.clone();
    if let (Some(derive), Value::Object(raking)) = (plan["derive"].as_object_mut(), raking_columns()) {
        derive.extend(raking);
    }
    Ok(serde_json::from_value(plan)?)
}
