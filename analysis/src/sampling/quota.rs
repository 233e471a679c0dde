//! Samples that are no probability samples: quotas and invitations, with their rules, marked for life.

use super::plan::{Plan, Quota};
use super::problem::{Problem, SamplingError};
use crate::table::{Column, Table};

/// Columns of a probability sample that such a sample does not have.
const DESIGN_COLUMNS: [&str; 2] = ["variance_stratum", "variance_psu"];

/// Most interviews that a plan of quotas lists.
const MOST_ROWS: usize = 10_000_000;

/// What is wrong with `design`, `rules` and `quotas`.
pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = plan.design.name();
    if plan.design.is_probability() {
        for (field, there) in [("rules", plan.rules.is_some()), ("quotas", !plan.quotas.is_empty())] {
            if there {
                let remedy = "set `design` to `quota` or `invited`, or leave it out";
                problems.push(Problem::new(
                    format!("`{field}`"),
                    "belongs to a sample that is no probability sample",
                    remedy,
                ));
            }
        }
        return problems;
    }
    if plan.rules.as_ref().is_none_or(|rules| rules.trim().is_empty()) {
        problems.push(Problem::new(
            "`rules`",
            "is missing",
            format!(
                "write down how people are found in this `{name}` sample: readers must be able to judge it"
            ),
        ));
    }
    if plan.quotas.is_empty() && plan.frame.is_empty() {
        problems.push(Problem::new(
            "`quotas`",
            "is missing",
            "give the cells, or a `frame` of those invited",
        ));
    }
    let mut seen: Vec<(&Quota, usize)> = Vec::new();
    for (i, quota) in plan.quotas.iter().enumerate() {
        let place = || format!("`quotas`, entry {}", i + 1);
        if quota.cell.is_empty() {
            problems.push(Problem::new(place(), "names no cell", "write for instance `\"sex\": \"female\"`"));
        }
        if let Some((column, _)) = quota.cell.iter().find(|(_, v)| text(v).is_none_or(|t| t.is_empty())) {
            problems.push(Problem::new(place(), format!("`{column}` is no text or number"), "give a value"));
        }
        if let Some(column) = plan.quotas[0].cell.keys().find(|c| !quota.cell.contains_key(*c)) {
            problems.push(Problem::new(
                place(),
                format!("has no `{column}`"),
                "give all cells the same columns",
            ));
        }
        if let Some(column) = quota.cell.keys().find(|c| !plan.quotas[0].cell.contains_key(*c)) {
            let what = format!("has `{column}`, which the first entry has not");
            problems.push(Problem::new(place(), what, "give all cells the same columns"));
        }
        if let Some((_, before)) = seen.iter().find(|(q, _)| q.cell == quota.cell) {
            let what = format!("is the cell of entry {before}");
            problems.push(Problem::new(place(), what, "give each cell once"));
        }
        seen.push((quota, i + 1));
    }
    problems
}

/// The sample's rows, one for each interview of each quota cell, without probability and weight, marked in `design`.
pub(super) fn marked(sample: Table, plan: &Plan) -> Result<Table, SamplingError> {
    let wrong =
        |e: crate::table::TableError| SamplingError::one("`quotas`", e.to_string(), "rename the column");
    let rows = sample.height().max(usize::from(plan.frame.is_empty()));
    let interviews: u64 = plan.quotas.iter().map(|q| q.n).fold(0, u64::saturating_add);
    let all = (rows as u64).saturating_mul(interviews.max(1));
    if all > MOST_ROWS as u64 {
        let what = format!("{all} interviews are more than {MOST_ROWS}");
        return Err(SamplingError::one("`quotas`", what, "ask for fewer"));
    }
    // For each row of the result: the row of the sample, the cell, and the interview's number in the cell.
    let mut list: Vec<(usize, usize, u64)> = Vec::new();
    for row in 0..rows {
        match plan.quotas.is_empty() {
            true => list.push((row, 0, 0)),
            false => {
                for (cell, quota) in plan.quotas.iter().enumerate() {
                    list.extend((1..=quota.n).map(|number| (row, cell, number)));
                }
            }
        }
    }
    let places: Vec<usize> = list.iter().map(|(row, ..)| *row).collect();
    let design = |name: &str| {
        let staged = |stem: &str| name.strip_prefix(stem).is_some_and(|k| k.parse::<usize>().is_ok());
        DESIGN_COLUMNS.contains(&name) || ["order_", "p_", "certainty_"].into_iter().any(staged)
    };
    let last = ["role", "probability", "weight", "design", "segment", "p_segment"];
    let mut marked = Table::default();
    if !plan.frame.is_empty() {
        for (name, column) in sample.columns().filter(|(name, _)| !design(name) && !last.contains(name)) {
            marked.push(name, column.take(&places)).map_err(wrong)?;
        }
    }
    if let Some(first) = plan.quotas.first() {
        for name in first.cell.keys() {
            let values: Vec<Option<String>> =
                plan.quotas.iter().map(|quota| quota.cell.get(name).and_then(text)).collect();
            let cells = list.iter().map(|(_, cell, _)| values[*cell].as_deref());
            marked.push(name.clone(), Column::from_texts(cells)).map_err(wrong)?;
        }
        let numbers = list.iter().map(|(.., number)| *number as f64).collect();
        marked.push("quota", Column::Number(numbers)).map_err(wrong)?;
    }
    let role = sample.get("role").filter(|_| !plan.frame.is_empty());
    let role = match role {
        Some(role) => role.take(&places),
        None => Column::from_texts(list.iter().map(|_| Some("main"))),
    };
    marked.push("role", role).map_err(wrong)?;
    for name in ["probability", "weight"] {
        marked.push(name, Column::Number(vec![f64::NAN; list.len()])).map_err(wrong)?;
    }
    let design = list.iter().map(|_| Some(plan.design.name()));
    marked.push("design", Column::from_texts(design)).map_err(wrong)?;
    Ok(marked)
}

fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
