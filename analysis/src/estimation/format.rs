//! Results as JSON, CSV, a table of columns, and tables for people.

mod people;

use indexmap::IndexSet;
use serde_json::Value;

use super::result::{Results, Row};
use crate::table::{Column, Table, TableError, number_text};
pub use people::table;

/// A number so that it reads back exactly; what is not finite is null.
fn number(value: f64) -> String {
    if value.is_finite() { number_text(value) } else { "null".into() }
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

fn json_value(value: &Value) -> String {
    match value {
        Value::Number(n) => n.as_f64().map_or_else(|| "null".into(), number),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json_value).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether the row is a test, which has a statistic in place of an estimate with an error.
fn is_test(row: &Row) -> bool {
    row.more.contains_key("test")
}

/// The contract's JSON: one result a line, fields in the contract's order, absent values null.
pub fn json(results: &Results) -> String {
    let design = &results.design;
    let mut text = format!(
        "{{\n\"design\": {{\"n\": {}, \"psus\": {}, \"strata\": {}, \"df\": {}, \"sum_of_weights\": {}}},\n\"results\": [",
        design.n,
        design.psus,
        design.strata,
        number(design.df),
        number(design.sum_of_weights)
    );
    for (i, row) in results.results.iter().enumerate() {
        text.push_str(if i == 0 { "\n" } else { ",\n" });
        text.push_str(&row_json(row));
    }
    text.push_str("\n],\n");
    if !results.covariances.is_empty() {
        text.push_str("\"covariances\": {");
        for (i, (id, covariance)) in results.covariances.iter().enumerate() {
            let keys: Vec<String> = covariance.keys.iter().map(|k| json_text(k)).collect();
            let rows: Vec<String> = covariance
                .matrix
                .iter()
                .map(|row| format!("[{}]", row.iter().map(|v| number(*v)).collect::<Vec<_>>().join(", ")))
                .collect();
            text.push_str(&format!(
                "{}\n{}: {{\"keys\": [{}], \"matrix\": [{}]}}",
                if i == 0 { "" } else { "," },
                json_text(id),
                keys.join(", "),
                rows.join(", ")
            ));
        }
        text.push_str("\n},\n");
    }
    if !results.waves.is_empty() {
        text.push_str(&format!("\"waves\": {},\n", plain_json(&results.waves)));
    }
    if !results.assumed.is_empty() {
        text.push_str(&format!("\"assumed\": {},\n", plain_json(&results.assumed)));
    }
    let warnings: Vec<String> = results.warnings.iter().map(|w| json_text(w)).collect();
    text.push_str(&format!("\"warnings\": [{}]\n}}\n", warnings.join(", ")));
    text
}

/// What is written as it stands.
fn plain_json(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).map_or_else(|_| "null".to_owned(), |value| value.to_string())
}

/// Fields of single statistics that stand in columns of their own, in this order.
const MORE: [&str; 21] = [
    "prob",
    "at",
    "row",
    "col",
    "measure",
    "term",
    "test",
    "value",
    "p_value",
    "method",
    "reason",
    "interviewers",
    "from",
    "to",
    "base",
    "p_adjusted",
    "adjustment",
    "tests",
    "changed",
    "shared_psus",
    "probability",
];

/// The fields of [`MORE`] that an answer has; the first eleven always stand.
fn used(results: &Results) -> Vec<&'static str> {
    let has = |key: &str| results.results.iter().any(|row| row.more.contains_key(key));
    MORE.iter().enumerate().filter(|(i, key)| *i < 11 || has(key)).map(|(_, key)| *key).collect()
}

/// The rows as a table, to be written as Parquet or CSV: texts and numbers by column, a column `by_…` for
/// every column of `by`, missing where a row has no such value. `df` is the first, `df_denominator` the
/// second of a test's degrees of freedom.
pub fn rows(results: &Results) -> Result<Table, TableError> {
    let rows = &results.results;
    let texts = |of: &dyn Fn(&Row) -> Option<String>| {
        let texts: Vec<Option<String>> = rows.iter().map(of).collect();
        Column::from_texts(texts.iter().map(Option::as_deref))
    };
    let numbers = |of: &dyn Fn(&Row) -> Option<f64>| {
        Column::Number(rows.iter().map(|row| of(row).filter(|v| v.is_finite()).unwrap_or(f64::NAN)).collect())
    };
    let df = |row: &Row, place: usize| match &row.df {
        Value::Array(items) => items.get(place).and_then(Value::as_f64),
        other if place == 0 => other.as_f64(),
        _ => None,
    };
    let mut table = Table::from_columns([
        ("id", texts(&|row| Some(row.id.clone()))),
        ("statistic", texts(&|row| Some(row.statistic.clone()))),
        ("variable", texts(&|row| row.variable.clone())),
        ("category", texts(&|row| row.category.clone())),
    ])?;
    let by: IndexSet<&String> = rows.iter().flat_map(|row| row.group.keys()).collect();
    for name in by {
        table.push(format!("by_{name}"), texts(&|row| row.group.get(name).cloned()))?;
    }
    for (name, column) in [
        ("estimate", numbers(&|row| row.estimate)),
        ("se", numbers(&|row| row.se)),
        ("cv", numbers(&|row| row.cv)),
        ("ci_low", numbers(&|row| row.ci_low)),
        ("ci_high", numbers(&|row| row.ci_high)),
        ("df", numbers(&|row| df(row, 0))),
        ("df_denominator", numbers(&|row| df(row, 1))),
        ("deff", numbers(&|row| row.deff)),
        ("n", numbers(&|row| row.n.map(|n| n as f64))),
    ] {
        table.push(name, column)?;
    }
    for key in used(results) {
        let found = || rows.iter().filter_map(|row| row.more.get(key)).filter(|value| !value.is_null());
        let number =
            |value: &Value| value.as_f64().or_else(|| value.as_bool().map(|b| f64::from(u8::from(b))));
        let column = match found().all(|value| number(value).is_some()) && found().next().is_some() {
            true => numbers(&|row| row.more.get(key).and_then(number)),
            false => texts(&|row| match row.more.get(key)? {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(json_value(other)),
            }),
        };
        table.push(key, column)?;
    }
    Ok(table)
}

fn row_json(row: &Row) -> String {
    let optional = |value: Option<f64>| value.map_or_else(|| "null".to_owned(), number);
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "null".to_owned(), json_text);
    let mut fields: Vec<(&str, String)> =
        vec![("id", json_text(&row.id)), ("statistic", json_text(&row.statistic))];
    let group = || {
        let parts: Vec<String> =
            row.group.iter().map(|(by, value)| format!("{}: {}", json_text(by), json_text(value))).collect();
        if parts.is_empty() { "null".to_owned() } else { format!("{{{}}}", parts.join(", ")) }
    };
    let n = || row.n.map_or_else(|| "null".to_owned(), |n| n.to_string());
    if is_test(row) {
        for key in ["test", "value"] {
            fields.push((key, row.more.get(key).map_or_else(|| "null".into(), json_value)));
        }
        fields.push(("df", json_value(&row.df)));
        fields.push(("p_value", row.more.get("p_value").map_or_else(|| "null".into(), json_value)));
        fields.push(("estimate", optional(row.estimate)));
        fields.push(("variable", text(&row.variable)));
        fields.push(("group", group()));
        fields.push(("n", n()));
    } else {
        fields.push(("variable", text(&row.variable)));
        fields.push(("category", text(&row.category)));
        fields.push(("group", group()));
        fields.push(("estimate", optional(row.estimate)));
        fields.push(("se", optional(row.se)));
        fields.push(("cv", optional(row.cv)));
        fields.push(("ci_low", optional(row.ci_low)));
        fields.push(("ci_high", optional(row.ci_high)));
        fields.push(("df", json_value(&row.df)));
        fields.push(("deff", optional(row.deff)));
        fields.push(("n", n()));
    }
    for (key, value) in &row.more {
        if !fields.iter().any(|(k, _)| k == key) {
            fields.push((key, json_value(value)));
        }
    }
    let fields: Vec<String> =
        fields.iter().map(|(key, value)| format!("{}: {value}", json_text(key))).collect();
    format!("{{{}}}", fields.join(", "))
}

/// One line a row; groups as `by=value` pairs joined by commas; absent values empty.
pub fn csv(results: &Results) -> String {
    let more = used(results);
    let mut text = format!(
        "id,statistic,variable,category,group,estimate,se,cv,ci_low,ci_high,df,deff,n,{}\n",
        more.join(",")
    );
    for row in &results.results {
        let optional =
            |value: Option<f64>| value.filter(|v| v.is_finite()).map_or_else(String::new, number_text);
        let group: Vec<String> = row.group.iter().map(|(by, value)| format!("{by}={value}")).collect();
        let plain = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(json_value).collect::<Vec<_>>().join(" "),
            other => json_value(other),
        };
        let mut cells = vec![
            row.id.clone(),
            row.statistic.clone(),
            row.variable.clone().unwrap_or_default(),
            row.category.clone().unwrap_or_default(),
            group.join(","),
            optional(row.estimate),
            optional(row.se),
            optional(row.cv),
            optional(row.ci_low),
            optional(row.ci_high),
            plain(&row.df),
            optional(row.deff),
            row.n.map_or_else(String::new, |n| n.to_string()),
        ];
        cells.extend(more.iter().map(|key| row.more.get(*key).map_or_else(String::new, plain)));
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| match cell.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", cell.replace('"', "\"\"")),
                false => cell.clone(),
            })
            .collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}
