//! Samples that are no probability samples: their figures describe those who answered and carry no error.

use super::error::EstimationError;
use super::plan::{Plan, SinglePsu};
use crate::table::Table;

/// The marks that `sample draw` writes into the column `design` of such a sample.
const MARKS: [&str; 2] = ["quota", "invited"];

/// What the plan or the data say against a probability sample; `None` for a probability sample.
///
/// Error: the plan calls it one although the data carry the mark.
pub(super) fn mark_of(table: &Table, plan: &Plan) -> Result<Option<String>, EstimationError> {
    let column = table.get("design").filter(|_| !plan.derive.contains_key("design"));
    let marked = column.and_then(|column| {
        let (codes, levels) = column.categories();
        let place = levels.iter().position(|level| MARKS.contains(&level.as_str()))?;
        codes.contains(&(place as u32)).then(|| levels[place].clone())
    });
    match (marked, plan.probability_sample) {
        (Some(mark), Some(true)) => Err(EstimationError::Design(format!(
            "the column `design` of the data holds `{mark}`: this is no probability sample, and the plan cannot make it \
             one; take out \"probability_sample\": true"
        ))),
        (Some(mark), _) => Ok(Some(format!("the column `design` holds `{mark}`"))),
        (None, Some(false)) => Ok(Some("the plan says so".into())),
        (None, _) => Ok(None),
    }
}

/// The plan with what only errors need left out: they are not computed to be shown.
pub(super) fn without_errors(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.design.single_psu = SinglePsu::Remove;
    plan
}
