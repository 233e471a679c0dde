//! Comparing figures of two ways to the same answer.

use analysis::estimation::Row;

fn numbers(row: &Row) -> Vec<(String, f64)> {
    let mut all: Vec<(String, Option<f64>)> = [
        ("estimate", row.estimate),
        ("se", row.se),
        ("cv", row.cv),
        ("ci_low", row.ci_low),
        ("ci_high", row.ci_high),
        ("deff", row.deff),
        ("n", row.n.map(|n| n as f64)),
        ("answered", row.answered.map(|n| n as f64)),
        ("psus", row.psus.map(|n| n as f64)),
        ("value", row.more.get("value").and_then(serde_json::Value::as_f64)),
        ("p_value", row.more.get("p_value").and_then(serde_json::Value::as_f64)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let df = match &row.df {
        serde_json::Value::Array(items) => items.iter().map(serde_json::Value::as_f64).collect(),
        other => vec![other.as_f64()],
    };
    all.extend(df.into_iter().map(|value| ("df".to_owned(), value)));
    all.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect()
}

/// Differences above 1e-10 of the figure (or of the estimate, for what is an error of rounding).
pub fn differences(rows: &[&Row], from_totals: &[&Row]) -> Vec<String> {
    if rows.len() != from_totals.len() {
        return vec![format!("{} rows are not {}", from_totals.len(), rows.len())];
    }
    let mut found = Vec::new();
    for (row, other) in rows.iter().zip(from_totals) {
        if row.key() != other.key() || row.more.get("at") != other.more.get("at") {
            found.push(format!("{} is not {}", other.key(), row.key()));
        }
        let scale = row.estimate.unwrap_or(0.0).abs();
        for ((name, a), (_, b)) in numbers(row).into_iter().zip(numbers(other)) {
            let near = (a - b).abs() <= 1e-10 * a.abs() || (a - b).abs() <= 1e-13 * scale.max(1e-300);
            // The error of what has none is rounding; so is all that is made from it.
            let rounding = row.se.is_some_and(|se| se.abs() <= 1e-7 * scale.max(1e-300));
            if !(near || a.is_nan() && b.is_nan() || rounding && (a - b).abs() <= 1e-7 * scale.max(1.0)) {
                found.push(format!("{}: {name} {b:?} is not {a:?}", row.key()));
            }
        }
    }
    found
}
