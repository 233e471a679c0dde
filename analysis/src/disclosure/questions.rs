//! What a figure is and whom it counts, whatever request asked for it and in which words.

use super::conditions::canonical;
use super::sets::{Answers, Domain};
use super::{GateError, Rules};
use crate::estimation::plan::Request;
use crate::estimation::result::Row;
use crate::estimation::{EstimationError, Plan, Statistic};
use crate::sql::Expression;
use crate::table::number_text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// A figure by what it is, whatever request asked for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Asked {
    pub statistic: String,
    #[serde(flatten)]
    pub domain: Domain,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// What else tells two figures of one statistic apart: point, probability, cell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The domain of a request before its groups: its conditions and the plan's, in their one form.
pub(super) fn frame(request: &Request, plan: &Plan, answers: &Answers) -> Result<Domain, EstimationError> {
    let conditions: Vec<&str> = plan.r#where.iter().chain(&request.r#where).map(String::as_str).collect();
    let condition = canonical(conditions.iter().copied());
    let as_written = Domain {
        condition: conditions.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND "),
        ..Domain::default()
    };
    let all_levels = condition.equal.iter().all(|(column, level)| answers.has_level(column, level));
    if !all_levels {
        return Ok(as_written);
    }
    let canonical = Domain { condition: condition.rest, group: condition.equal, ..Domain::default() };
    // A column's text may equal a number without being its level.
    let same = match answers.respondents(&canonical) {
        Ok(found) => found == answers.respondents(&as_written)?,
        Err(_) => false,
    };
    Ok(if same { canonical } else { as_written })
}

/// What a row tells of whom; `None` for what counts nobody of its own (contrasts, regressions).
pub(super) fn asked(row: &Row, request: &Request, frame: &Domain, answers: &Answers) -> Option<Asked> {
    if matches!(request.statistic, Statistic::Contrast | Statistic::Regression) {
        return None;
    }
    let mut domain = frame.clone();
    for (column, level) in &row.group {
        domain.group.insert(column.clone(), level.clone());
    }
    let named = request.of.iter().chain(&request.numerator).chain(&request.denominator);
    domain.answered.extend(named.chain(&request.rows).chain(&request.cols).chain(&request.groups).cloned());
    let more = |name: &str| row.more.get(name).and_then(serde_json::Value::as_str);
    let mut detail = String::new();
    match request.statistic {
        Statistic::Table => {
            for (column, field) in [(&request.rows, "row"), (&request.cols, "col")] {
                if let (Some(column), Some(level)) = (column, more(field)) {
                    domain.group.insert(column.clone(), level.to_owned());
                }
            }
            detail.push_str(more("measure").unwrap_or_default());
        }
        Statistic::Cdf => {
            let at = row.more.get("at").and_then(serde_json::Value::as_f64)?;
            domain.answer = Some((row.variable.clone()?, format!("≤ {}", number_text(at))));
        }
        Statistic::Mean | Statistic::Total | Statistic::Proportion => {
            let variable = row.variable.clone()?;
            domain.answer = match &row.category {
                Some(category) => Some((variable, category.clone())),
                None if answers.is_indicator(&variable) => Some((variable, "1".to_owned())),
                None => None,
            };
        }
        _ => detail = row.more.get("prob").map(ToString::to_string).unwrap_or_default(),
    }
    Some(Asked { statistic: row.statistic.clone(), domain, variable: row.variable.clone(), detail })
}

/// SHA-256 of what a plan asks, the same for plans that ask the same in other words or another order.
pub(super) fn query(plan: &Plan) -> String {
    let one_form = |request: &Request| {
        let mut request = request.clone();
        request.id = String::new();
        request.of.sort();
        request.by.sort();
        let conditions = plan.r#where.iter().chain(&request.r#where).map(String::as_str);
        let condition = canonical(conditions);
        request.r#where = Some(format!("{:?} {}", condition.equal, condition.rest));
        serde_json::to_string(&request).unwrap_or_default()
    };
    let requests: BTreeSet<String> = plan.requests.iter().map(one_form).collect();
    let mut hash = Sha256::new();
    for text in requests.into_iter().chain(plan.derive.iter().map(|(name, sql)| format!("{name} = {sql}"))) {
        hash.update(text.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rule 19 where the ethnic group or the area stands in a filter.
pub(super) fn refuse_crossing(request: &Request, plan: &Plan, rules: &Rules) -> Result<(), GateError> {
    let mut columns: BTreeSet<String> = request.by.iter().chain(&request.of).cloned().collect();
    columns.extend(request.rows.iter().chain(&request.cols).chain(&request.groups).cloned());
    for condition in plan.r#where.iter().chain(&request.r#where) {
        // What cannot be read was not estimated either.
        if let Ok(read) = Expression::parse(condition) {
            columns.extend(read.columns().into_iter().map(str::to_owned));
        }
    }
    let of = |names: &BTreeSet<String>| columns.iter().find(|c| names.contains(*c)).cloned();
    match (of(&rules.ethnicity), of(&rules.small_areas)) {
        (Some(ethnicity), Some(area)) => {
            Err(GateError::EthnicityBySmallArea { id: request.id.clone(), ethnicity, area })
        }
        _ => Ok(()),
    }
}
