//! Figures for tests, made the only way there is: through the gate.

use analysis::disclosure::{Figure, Rules, gate};
use analysis::estimation::result::Row;

/// A row of 40 clusters without category.
pub fn row(id: &str, estimate: f64, half: f64, n: usize) -> Row {
    Row {
        id: id.to_owned(),
        statistic: "mean".to_owned(),
        variable: Some("y".to_owned()),
        estimate: Some(estimate),
        se: Some(half / 1.96),
        ci_low: Some((estimate - half).max(0.0)),
        ci_high: Some(estimate + half),
        n: Some(n),
        psus: Some(40),
        ..Row::default()
    }
}

/// A shown share on a large base, or what the gate makes of a smaller one.
pub fn figure(estimate: f64, half: f64, n: usize) -> Figure {
    let rows = [row("one", estimate, half, n)];
    gate(&rows, &Rules::default()).expect("no crossing")[0].figure().clone()
}
