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
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a wave is weighted; the instrument's `weighting.json`, with the margins of the wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighting {
    /// Types of the answers that raking needs, as in an estimation plan.
    pub types: Value,
    /// Raking columns, made from the answers by SQL expressions in this order; the instrument's plan has other names.
    pub derive: IndexMap<String, String>,
    #[serde(default)]
    pub margins: Vec<Margin>,
}

/// A margin of the population: a raking column and the count of adults in each of its categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    pub by: String,
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
    /// The raking columns.
    pub derive: IndexMap<String, String>,
}

/// Weights the interviews among `cases` (see `analysis_file::weighting_table`).
pub fn weight(cases: &Table, weighting: &Weighting) -> anyhow::Result<Weighted> {
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
    let margins: Vec<Value> = weighting
        .margins
        .iter()
        .map(|m| {
            let total =
                |(category, total): &(String, f64)| json!({ m.by.as_str(): category, "total": total });
            json!({ "by": [m.by], "totals": m.totals.iter().map(total).collect::<Vec<_>>() })
        })
        .collect();
    // An earlier wave brings its final weights with it.
    let adjust = match margins.is_empty() {
        true => json!([]),
        false => json!([{ "method": "rake", "margins": margins }]),
    };
    let raking: Plan = serde_json::from_value(json!({
        "data": "",
        "types": weighting.types,
        "derive": weighting.derive,
        "design": { "clusters": ["psu"], "strata": ["stratum"], "weights": "person_weight" },
        "adjust": adjust,
        "requests": []
    }))?;
    let raked = weighting::weight(&respondents, &raking).context("raking")?;
    let weights = raked.weights.iter().map(|w| w.unwrap_or(f64::NAN)).collect();
    respondents.push("weight", Column::Number(weights))?;
    let derive = weighting.derive.clone();
    Ok(Weighted { respondents, diagnosis: raked.diagnosis, adjust, derive })
}

impl Weighted {
    /// One row a respondent: place in the design and weights, no answers. Rows that were simulated say so.
    pub fn table(&self, synthetic: bool) -> anyhow::Result<Table> {
        let columns =
            ["design_stratum", "stratum", "psu", "area_large", "adults", "base", "person_weight", "weight"];
        let picked = columns
            .into_iter()
            .map(|name| Ok((name, self.respondents.column(name)?.clone())))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut table = Table::from_columns(picked)?;
        if synthetic {
            table.push("synthetic", Column::from_texts(vec![Some("yes"); self.respondents.height()]))?;
        }
        Ok(table)
    }

    /// An estimation plan over the respondents: the instrument's plan with this wave's design and raking.
    pub fn plan(&self, instrument: &Value) -> anyhow::Result<Plan> {
        let mut plan = instrument.clone();
        plan["design"] = json!({
            "clusters": ["psu"], "strata": ["stratum"], "weights": "person_weight", "single_psu": "adjust"
        });
        plan["adjust"] = self.adjust.clone();
        if let Some(derive) = plan["derive"].as_object_mut() {
            derive.extend(self.derive.iter().map(|(name, expression)| (name.clone(), json!(expression))));
        }
        Ok(serde_json::from_value(plan)?)
    }
}
