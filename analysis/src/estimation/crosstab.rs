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
            Ok((Variable { name: name.into(), category: None, kind }, codes, levels))
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

/// Cells that are summed.
#[derive(Clone, Copy)]
enum Part {
    Cell(usize),
    Row(usize),
    Col(usize),
    All,
}

impl Part {
    /// Its cells in a table of r × c.
    fn cells(self, r: usize, c: usize) -> impl Iterator<Item = usize> + Clone {
        let (first, step, count) = match self {
            Self::Cell(cell) => (cell, 1, 1),
            Self::Row(row) => (row * c, 1, c),
            Self::Col(col) => (col, c, r),
            Self::All => (0, 1, r * c),
        };
        (0..count).map(move |i| first + i * step)
    }
}

/// A share's parts: what is above and below the line; counts have nothing below.
struct Share {
    row: Option<usize>,
    col: Option<usize>,
    measure: &'static str,
    above: Part,
    below: Option<Part>,
}

/// Counts and shares of every cell, then of the margins.
pub(crate) fn table(context: &Context) -> Result<Answer, EstimationError> {
    let cells = Cells::of(context)?;
    let (r, c) = (cells.row_levels.len(), cells.col_levels.len());
    let size = r * c;
    let shares = shares(r, c);
    let estimated = context.in_groups(&cells.kept, shares.len(), |codes, groups| {
        let crossed = |levels: usize, level: &dyn Fn(u32) -> u32| -> Vec<u32> {
            let of = |(g, cell): (&u32, &u32)| {
                if *g == MISSING { MISSING } else { g * levels as u32 + level(*cell) }
            };
            codes.iter().zip(&cells.cell).map(of).collect()
        };
        // The margins have totals of their own, so that the derivative of a share has two entries.
        let by_cell = crossed(size, &|cell| cell);
        let by_row = crossed(r, &|cell| cell / c as u32);
        let by_col = crossed(c, &|cell| cell % c as u32);
        let block = |codes, levels| Block { values: None, codes, levels: groups * levels };
        let blocks = [
            block(by_cell.into(), size),
            block(by_row.into(), r),
            block(by_col.into(), c),
            block(codes.into(), 1),
        ];
        let place = |g: usize, part: Part| match part {
            Part::Cell(cell) => g * size + cell,
            Part::Row(row) => groups * size + g * r + row,
            Part::Col(col) => groups * (size + r) + g * c + col,
            Part::All => groups * (size + r + c) + g,
        };
        // The figures themselves are sums of cells, so that margins are exactly what the cells add up to.
        let sum = |t: &[f64], g: usize, part: Part| -> f64 {
            part.cells(r, c).map(|cell| t[g * size + cell]).sum()
        };
        context.survey.smooth(
            &blocks,
            false,
            |t| {
                (0..groups)
                    .flat_map(|g| shares.iter().map(move |s| (g, s)))
                    .map(|(g, s)| {
                        let above = sum(t, g, s.above);
                        s.below.map_or(above, |below| above / sum(t, g, below))
                    })
                    .collect()
            },
            |t, values| {
                (0..groups)
                    .flat_map(|g| shares.iter().map(move |s| (g, s)))
                    .zip(values)
                    .map(|((g, s), value)| -> Gradient {
                        let Some(part) = s.below else { return vec![(place(g, s.above), 1.0)] };
                        let below = sum(t, g, part);
                        vec![(place(g, s.above), 1.0 / below), (place(g, part), -value / below)]
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
            let counts = share.above.cells(r, c).map(|cell| behind[group * size + cell]);
            row.answered = Some(counts.clone().map(|(n, _)| n).sum());
            // At least as many as in the cell with the most.
            row.psus = counts.map(|(_, psus)| psus).max();
            rows.push(row);
        }
    }
    Ok(Answer::new(context, rows, None))
}

fn shares(r: usize, c: usize) -> Vec<Share> {
    use Part::{All, Cell, Col, Row};
    let mut shares = Vec::new();
    let mut push = |row, col, measure, above, below| {
        shares.push(Share { row, col, measure, above, below });
    };
    for i in 0..r {
        for j in 0..c {
            let cell = Cell(i * c + j);
            push(Some(i), Some(j), "count", cell, None);
            push(Some(i), Some(j), "cell", cell, Some(All));
            push(Some(i), Some(j), "row", cell, Some(Row(i)));
            push(Some(i), Some(j), "col", cell, Some(Col(j)));
        }
    }
    for i in 0..r {
        push(Some(i), None, "count", Row(i), None);
        push(Some(i), None, "cell", Row(i), Some(All));
    }
    for j in 0..c {
        push(None, Some(j), "count", Col(j), None);
        push(None, Some(j), "cell", Col(j), Some(All));
    }
    push(None, None, "count", All, None);
    shares
}
