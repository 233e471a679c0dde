//! From the query's result to the figures.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::engine::Grouped;
use super::layout::{Key, Layout, Part, stages};
use super::query::Columns;
use super::totals::Totals;
use crate::estimation::survey::{Collapsed, Crossed, Survey};
use crate::estimation::{EstimationError, Plan, Results, Row, answer_survey, check_ids, prepare};
use crate::table::{Column, Declared, Table, Types};

/// Σw of a group, under a name no column of the data has.
const WEIGHT: &str = "\u{1}weight";

pub(super) fn finish(
    layout: &Layout,
    plan: &Plan,
    folder: &Path,
    path: &Path,
) -> Result<Results, EstimationError> {
    check_ids(plan)?;
    let columns = Columns::of(layout);
    let mut types = Types::new();
    for (i, key) in columns.keys.iter().enumerate() {
        if key.is_text(&layout.schema) {
            types.insert(format!("k{}", i + 1), Declared::Category);
        }
    }
    let totals = Table::read(path, &types)?;
    let other = |reason: String| EstimationError::OtherTotals { path: path.into(), reason };
    let expected = 4 + columns.keys.len() + columns.sums.len() + columns.products.len();
    if totals.names().count() != expected {
        return Err(other(format!(
            "it has {} columns, the query of this plan gives {expected}",
            totals.names().count()
        )));
    }
    let part_of_row = totals.numbers("part")?.into_owned();
    answer(layout, plan, folder, &columns, |number| {
        let own = |row: &usize| part_of_row[*row] == (number + 1) as f64;
        let rows: Vec<usize> = (0..totals.height()).filter(own).collect();
        match rows.is_empty() {
            true => Err(other(format!("part {} has no row", number + 1))),
            false => {
                let totals = read(totals.take(&rows), &layout.parts[number], &columns)?;
                Ok(Grouped { totals, adjusted: None })
            }
        }
    })
}

/// The totals of a part from its rows of the query's result.
fn read<'a>(mut rows: Table, part: &'a Part, columns: &Columns) -> Result<Totals<'a>, EstimationError> {
    let bad: f64 = rows.numbers("bad_weights")?.iter().sum();
    if bad > 0.0 {
        return Err(EstimationError::Design(format!(
            "{bad} rows have a missing or impossible weight or probability; correct them before grouping"
        )));
    }
    let numbers = |rows: &Table, name: &str| -> Result<Vec<f64>, EstimationError> {
        Ok(rows.numbers(name)?.into_owned())
    };
    let sum = |letter: char, place: Option<usize>| format!("{letter}{}", place.map_or(0, |place| place + 1));
    let weight = numbers(&rows, "w")?;
    let n = rows.numbers("n")?.iter().map(|n| *n as usize).collect();
    let of_sum = |name: &String| numbers(&rows, &sum('s', columns.sums.get_index_of(name.as_str())));
    let sums = part.sums.iter().map(of_sum).collect::<Result<_, _>>()?;
    let of_product = |pair| numbers(&rows, &sum('p', columns.products.get_index_of(pair)));
    let products = part.products.iter().map(of_product).collect::<Result<_, _>>()?;
    let mut keys = Vec::new();
    for key in part.keys.iter().filter(|key| !matches!(key, Key::Row | Key::Weightless)) {
        let name = sum('k', columns.keys.get_index_of(key));
        rows.column(&name)?;
        // Moved, not copied: there can be many groups.
        keys.extend(rows.remove(&name).map(|column| (key, column)));
    }
    Ok(Totals { keys, n, weight, sums, products, shares: Vec::new(), places: Vec::new() })
}

/// The results from the totals of every part. `totals`: those of one part.
pub(super) fn answer<'a>(
    layout: &'a Layout,
    plan: &Plan,
    folder: &Path,
    columns: &Columns,
    mut totals: impl FnMut(usize) -> Result<Grouped<'a>, EstimationError>,
) -> Result<Results, EstimationError> {
    let mut results = Results::default();
    let mut answered: Vec<(usize, Vec<Row>)> = Vec::new();
    for (number, part) in layout.parts.iter().enumerate() {
        let Grouped { totals, adjusted } = totals(number)?;
        let units: Vec<u32> = totals.places.iter().map(|(unit, _)| *unit).collect();
        let (table, collapsed) = collapse(totals, part, columns, plan)?;
        let mut plan = part_plan(plan, part, columns);
        let survey = match adjusted {
            None => Survey::build(Cow::Owned(table), &plan, Some(folder), Some(collapsed))?,
            Some(adjusted) => {
                plan.adjust.clear();
                let (groups, behind) = collapse(adjusted.crossed, part, columns, &plan)?;
                let types = std::mem::take(&mut plan.types);
                let of = |table: &Table| {
                    let own = types.iter().filter(|(name, _)| table.get(name).is_some());
                    Plan { types: own.map(|(n, t)| (n.clone(), t.clone())).collect(), ..plan.clone() }
                };
                let (own, other) = (of(&table), of(&groups));
                let weights = groups.numbers(WEIGHT)?.into_owned();
                let groups = prepare(Cow::Owned(groups), &other)?;
                let survey = Survey::build(Cow::Owned(table), &own, Some(folder), Some(collapsed))?;
                let classes = Crossed {
                    table: groups,
                    weights,
                    shares: behind.shares,
                    class_of: adjusted.class_of,
                    projections: adjusted.projections,
                    unit_totals: adjusted.unit_totals,
                    units,
                };
                survey.with_classes(classes, &plan)?
            }
        };
        let answer = answer_survey(&survey, &plan)?;
        if number == 0 {
            results.design = answer.design;
            results.warnings = answer.warnings;
        }
        results.covariances.extend(answer.covariances);
        // The rows stand in the order of the requests.
        let mut rows = answer.results.into_iter().peekable();
        for (place, request) in part.requests.iter().zip(&plan.requests) {
            let own = std::iter::from_fn(|| rows.next_if(|row| row.id == request.id));
            answered.push((*place, own.collect()));
        }
    }
    answered.sort_by_key(|(place, _)| *place);
    results.results = answered.into_iter().flat_map(|(_, rows)| rows).collect();
    results.warnings.extend(layout.left_out.iter().map(|line| format!("left out: {line}")));
    Ok(results)
}

/// The plan's conditions are columns already; units and weights are those of the groups.
fn part_plan(plan: &Plan, part: &Part, columns: &Columns) -> Plan {
    let mut own = plan.clone();
    own.data = None;
    own.derive.clear();
    let present = |name: &str| part.keys.contains(&Key::Column(name.into()));
    own.types.retain(|name, _| present(name));
    own.design.clusters.truncate(stages(plan));
    if own.design.weights.is_some() || !own.design.probabilities.is_empty() {
        own.design.weights = Some(WEIGHT.into());
        own.design.probabilities.clear();
    }
    let holds = |condition: &String| {
        let place = columns.keys.get_index_of(&Key::Condition(condition.clone()));
        format!("\"{}\" = 1", condition_name(place.unwrap_or_default()))
    };
    own.r#where = plan.r#where.as_ref().map(holds);
    own.requests = part
        .requests
        .iter()
        .map(|place| {
            let mut request = plan.requests[*place].clone();
            request.r#where = request.r#where.as_ref().map(holds);
            request
        })
        .collect();
    own
}

fn condition_name(place: usize) -> String {
    format!("\u{1}condition {place}")
}

/// A part's groups as rows: weight Σw, values Σwy / Σw.
fn collapse(
    totals: Totals,
    part: &Part,
    columns: &Columns,
    plan: &Plan,
) -> Result<(Table, Collapsed), EstimationError> {
    let Totals { keys, n, weight, sums, products, shares, places: _ } = totals;
    let mut table = Table::default();
    // Columns that are missing where this group's mark says so.
    let mut missing: HashMap<&str, Vec<bool>> = HashMap::new();
    for (key, column) in keys {
        match key {
            Key::Row | Key::Weightless => {}
            Key::Column(name) | Key::Points(_, name) => table.push(name.clone(), column)?,
            Key::Condition(text) => {
                let place = columns.keys.get_index_of(key).unwrap_or_default();
                table.push(condition_name(place), column.clone())?;
                // A proportion finds its condition under its own text.
                if table.get(text).is_none() {
                    table.push(text.clone(), column)?;
                }
            }
            Key::Complete(names) => {
                let complete = column.numbers("complete")?;
                for name in names {
                    let marks = missing.entry(name).or_insert_with(|| vec![false; weight.len()]);
                    marks.iter_mut().zip(complete.iter()).for_each(|(m, c)| *m |= *c == 0.0);
                }
            }
        }
    }
    let of_one = |name: &str, sums: &[f64]| -> Vec<f64> {
        let marks = missing.get(name);
        let rows = sums.iter().zip(&weight).enumerate();
        rows.map(|(row, (sum, weight))| match marks.is_some_and(|m| m[row]) {
            true => f64::NAN,
            // Rows without a weight are in no domain.
            false if *weight == 0.0 => 0.0,
            false => sum / weight,
        })
        .collect()
    };
    let mut means: HashMap<&str, Vec<f64>> = HashMap::new();
    for (name, sums) in part.sums.iter().zip(&sums) {
        let values = of_one(name, sums);
        if table.get(name).is_none() {
            table.push(name.clone(), Column::Number(values.clone()))?;
        }
        means.insert(name, values);
    }
    let mut shares_of = HashMap::new();
    for (key, levels) in shares {
        if let Key::Column(name) = key {
            let shares = levels.into_iter().map(|(level, sums)| (level, of_one(name, &sums)));
            shares_of.insert(name.clone(), shares.collect());
        }
    }
    let mut within = HashMap::new();
    for (pair, sums) in part.products.iter().zip(&products) {
        let (Some(a), Some(b)) = (means.get(pair.0.as_str()), means.get(pair.1.as_str())) else { continue };
        let covariance = (0..weight.len())
            .map(|row| {
                let value = sums[row] / weight[row] - a[row] * b[row];
                if value.is_finite() { value } else { 0.0 }
            })
            .collect();
        within.insert(pair.clone(), covariance);
    }
    let weights_of_one = plan.design.weights.is_none() && plan.design.probabilities.is_empty();
    table.push(WEIGHT, Column::Number(weight))?;
    Ok((table, Collapsed { counts: n, within, shares: shares_of, weights_of_one }))
}
