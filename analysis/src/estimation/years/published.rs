//! An earlier year of which only a table exists.

use std::path::Path;

use crate::estimation::EstimationError;
use crate::estimation::plan::Request;
use crate::estimation::result::Row;
use crate::table::{Column, Declared, MISSING, Table, Types};

/// Figures as they were published.
pub(super) struct Published(Table);

const FIGURES: [&str; 3] = ["estimate", "se", "n"];

impl Published {
    /// Reads the CSV. Errors: no `id`, `variable` or `estimate`.
    pub fn read(path: &Path) -> Result<Self, EstimationError> {
        // Everything but the figures is text, also what looks like numbers.
        let names = Table::read(path, &Types::new())?;
        let types = names
            .names()
            .map(|name| {
                let figure = FIGURES.contains(&name);
                (name.to_owned(), if figure { Declared::Number } else { Declared::Category })
            })
            .collect();
        let table = Table::read(path, &types)?;
        for needed in ["id", "variable", "estimate"] {
            table.column(needed)?;
        }
        Ok(Self(table))
    }

    /// The rows of a request; `by` columns that the table lacks leave none.
    pub fn rows(&self, request: &Request) -> Vec<Row> {
        let text = |column: &str, row: usize| match self.0.get(column) {
            Some(Column::Category { codes, levels }) if codes[row] != MISSING => {
                Some(levels[codes[row] as usize].clone())
            }
            _ => None,
        };
        let number = |column: &str, row: usize| match self.0.get(column) {
            Some(Column::Number(values)) => Some(values[row]).filter(|v| v.is_finite()),
            _ => None,
        };
        let others: Vec<&str> = self
            .0
            .names()
            .filter(|name| !FIGURES.contains(name) && !["id", "variable", "category"].contains(name))
            .collect();
        (0..self.0.height())
            .filter(|row| text("id", *row).as_deref() == Some(request.id.as_str()))
            .filter(|row| {
                let grouped = |name: &&str| text(name, *row).is_some();
                others.iter().filter(|n| grouped(n)).all(|name| request.by.iter().any(|by| by == name))
                    && request.by.iter().all(|by| text(by, *row).is_some())
            })
            .map(|row| {
                let se = number("se", row);
                let mut answer = Row {
                    id: request.id.clone(),
                    statistic: serde_json::to_value(request.statistic)
                        .ok()
                        .and_then(|word| word.as_str().map(str::to_owned))
                        .unwrap_or_default(),
                    variable: text("variable", row),
                    category: text("category", row),
                    group: request.by.iter().filter_map(|by| Some((by.clone(), text(by, row)?))).collect(),
                    estimate: number("estimate", row),
                    se,
                    n: number("n", row).map(|n| n as usize),
                    ..Row::default()
                };
                if let (Some(estimate), Some(se)) = (answer.estimate, se) {
                    let t = crate::estimation::context::critical(request.level, f64::INFINITY);
                    answer.cv = Some(se / estimate).filter(|v| v.is_finite());
                    (answer.ci_low, answer.ci_high) = (Some(estimate - t * se), Some(estimate + t * se));
                }
                answer.more.insert("published".into(), true.into());
                if se.is_none() {
                    answer.more.insert("reason".into(), "published without an error".into());
                }
                answer
            })
            .collect()
    }
}
