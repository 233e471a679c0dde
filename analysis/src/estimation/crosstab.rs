//! Two-way tables: counts and shares of cells, rows and columns with errors.

use super::EstimationError;
use super::context::{Answer, Context, Kind, Variable};
use super::survey::{Block, Gradient};
use crate::table::MISSING;

/// The two classifications of a request.
pub(crate) struct Cells {
    pub rows: Variable,
    pub cols: Variable,
    pub row_levels: Vec<String>,
    pub col_levels: Vec<String>,
    /// Group of the complete rows.
    pub kept: Vec<u32>,
    /// Cell (row-major) of every row with a group.
    pub cell: Vec<u32>,
}

impl Cells {
    pub fn of(context: &Context) -> Result<Self, EstimationError> {
        let variable = |name: &str| -> Result<(Variable, Vec<u32>, Vec<String>), EstimationError> {
            let (codes, levels) = context.category(name)?;
            let kind = Kind::Category { codes: codes.clone(), levels: levels.clone() };
            Ok((Variable { name: name.into(), kind }, codes, levels))
        };
        let (rows, row_codes, row_levels) =
            variable(context.needed(context.request.rows.as_deref(), "rows")?)?;
        let (cols, col_codes, col_levels) =
            variable(context.needed(context.request.cols.as_deref(), "cols")?)?;
        let kept = context.complete(&[&rows, &cols])?;
        let cell = kept
            .iter()
            .zip(row_codes.iter().zip(&col_codes))
            .map(|(k, (r, c))| if *k == MISSING { MISSING } else { r * col_levels.len() as u32 + c })
            .collect();
        Ok(Self { rows, cols, row_levels, col_levels, kept, cell })
    }
}

/// A share's parts: which cells are above and below the line; counts have nothing below.
struct Share {
    row: Option<usize>,
    col: Option<usize>,
    measure: &'static str,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Counts and shares of every cell, then of the margins.
pub(crate) fn table(context: &Context) -> Result<Answer, EstimationError> {
    let cells = Cells::of(context)?;
    let (r, c) = (cells.row_levels.len(), cells.col_levels.len());
    let size = r * c;
    let shares = shares(r, c);
    let estimated = context.in_groups(&cells.kept, shares.len(), |codes, groups| {
        let crossed: Vec<u32> = codes
            .iter()
            .zip(&cells.cell)
            .map(|(g, cell)| if *g == MISSING { MISSING } else { g * size as u32 + cell })
            .collect();
        let blocks = [Block { values: None, codes: crossed.into(), levels: groups * size }];
        let sum =
            |t: &[f64], g: usize, places: &[usize]| -> f64 { places.iter().map(|p| t[g * size + p]).sum() };
        context.survey.smooth(
            &blocks,
            false,
            |t| {
                (0..groups)
                    .flat_map(|g| shares.iter().map(move |s| (g, s)))
                    .map(|(g, s)| {
                        let above = sum(t, g, &s.above);
                        if s.below.is_empty() { above } else { above / sum(t, g, &s.below) }
                    })
                    .collect()
            },
            |t, values| {
                (0..groups)
                    .flat_map(|g| shares.iter().map(move |s| (g, s)))
                    .zip(values)
                    .map(|((g, s), value)| {
                        let below = if s.below.is_empty() { 1.0 } else { sum(t, g, &s.below) };
                        let above = s.above.iter().map(|p| (g * size + p, 1.0 / below));
                        above
                            .chain(s.below.iter().map(|p| (g * size + p, -value / below)))
                            .collect::<Gradient>()
                    })
                    .collect()
            },
        )
    })?;
    let groups = context.groups.labels.len();
    let by_cell: Vec<u32> = cells
        .kept
        .iter()
        .zip(&cells.cell)
        .map(|(g, cell)| if *g == MISSING { MISSING } else { g * size as u32 + cell })
        .collect();
    let behind = context.count(&by_cell, groups * size);
    let mut rows = Vec::with_capacity(estimated.values.len());
    for group in 0..groups {
        for (i, share) in shares.iter().enumerate() {
            let place = group * shares.len() + i;
            let mut row = context.row(group);
            row.variable = Some(format!("{}*{}", cells.rows.name, cells.cols.name));
            let level = |place: Option<usize>, levels: &[String]| -> serde_json::Value {
                place.map_or(serde_json::Value::Null, |p| levels[p].clone().into())
            };
            row.more.insert("row".into(), level(share.row, &cells.row_levels));
            row.more.insert("col".into(), level(share.col, &cells.col_levels));
            row.more.insert("measure".into(), share.measure.into());
            context.fill(&mut row, group, estimated.values[place], estimated.variance.at(place, place));
            let counts = share.above.iter().map(|p| behind[group * size + p]);
            row.answered = Some(counts.clone().map(|(n, _)| n).sum());
            // At least as many as in the cell with the most.
            row.psus = counts.map(|(_, psus)| psus).max();
            rows.push(row);
        }
    }
    Ok(Answer::new(context, rows, None))
}

fn shares(r: usize, c: usize) -> Vec<Share> {
    let all: Vec<usize> = (0..r * c).collect();
    let of_row = |i: usize| -> Vec<usize> { (0..c).map(|j| i * c + j).collect() };
    let of_col = |j: usize| -> Vec<usize> { (0..r).map(|i| i * c + j).collect() };
    let mut shares = Vec::new();
    let mut push = |row, col, measure, above: &[usize], below: &[usize]| {
        shares.push(Share { row, col, measure, above: above.to_vec(), below: below.to_vec() });
    };
    for i in 0..r {
        for j in 0..c {
            let cell = [i * c + j];
            push(Some(i), Some(j), "count", &cell, &[]);
            push(Some(i), Some(j), "cell", &cell, &all);
            push(Some(i), Some(j), "row", &cell, &of_row(i));
            push(Some(i), Some(j), "col", &cell, &of_col(j));
        }
    }
    for i in 0..r {
        push(Some(i), None, "count", &of_row(i), &[]);
        push(Some(i), None, "cell", &of_row(i), &all);
    }
    for j in 0..c {
        push(None, Some(j), "count", &of_col(j), &[]);
        push(None, Some(j), "cell", &of_col(j), &all);
    }
    push(None, None, "count", &all, &[]);
    shares
}
