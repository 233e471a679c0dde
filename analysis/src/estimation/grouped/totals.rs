//! Dense arrays of totals, one cell a combination of the classifications.

use super::layout::Key;
use crate::estimation::survey::Shares;
use crate::table::Column;
use crate::table::parquet::{Number, Values};

/// The totals of one part, a value a group of rows.
pub(super) struct Totals<'a> {
    /// The classifications.
    pub keys: Vec<(&'a Key, Column)>,
    /// Rows of the data.
    pub n: Vec<usize>,
    /// Σw.
    pub weight: Vec<f64>,
    /// Σwy, a list a sum of the part.
    pub sums: Vec<Vec<f64>>,
    /// Σwyz, a list a product of the part.
    pub products: Vec<Vec<f64>>,
    /// Σw of every category of a column.
    pub shares: Vec<(&'a Key, Shares)>,
    /// Where this program grouped: code of the group's sampling unit, and its cell among those of a unit.
    pub places: Vec<(u32, u32)>,
}

/// The sums of one part, a value a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    pub n: Vec<u32>,
    /// Σw; empty where every row counts 1.
    pub weight: Vec<f64>,
    /// Σwy, then Σwyz, a list a sum.
    pub sums: Vec<Vec<f64>>,
    /// Σw of the categories of a column, those of a cell side by side; a list a column.
    pub shares: Vec<Vec<f64>>,
    /// Cells from here on hold nothing: they are not even looked at, so that they take no memory.
    pub reach: usize,
}

impl Cells {
    /// `apart`: how many of the last cells are for rows without a weight.
    /// `widths`: categories of every column that is counted by category.
    pub fn new(cells: usize, apart: usize, weighted: bool, sums: usize, widths: &[usize]) -> Self {
        Self {
            n: vec![0; cells],
            weight: vec![0.0; if weighted { cells } else { 0 }],
            sums: vec![vec![0.0; cells]; sums],
            shares: widths.iter().map(|width| vec![0.0; cells * width]).collect(),
            reach: cells - apart,
        }
    }

    /// Adds the sums of another lane.
    pub fn add(&mut self, other: &Self) {
        let reach = other.reach;
        self.reach = self.reach.max(reach);
        self.n.iter_mut().zip(&other.n[..reach]).for_each(|(a, b)| *a += b);
        self.weight.iter_mut().zip(&other.weight).take(reach).for_each(|(a, b)| *a += b);
        for (sum, other) in self.sums.iter_mut().zip(&other.sums) {
            sum.iter_mut().zip(&other[..reach]).for_each(|(a, b)| *a += b);
        }
        let cells = self.n.len().max(1);
        for (share, other) in self.shares.iter_mut().zip(&other.shares) {
            let reach = other.len() / cells * reach;
            share.iter_mut().zip(&other[..reach]).for_each(|(a, b)| *a += b);
        }
    }

    /// Counts rows and their weights.
    pub fn count(&mut self, cells: &[u32], weights: Option<&[f64]>) {
        match weights {
            None => cells.iter().for_each(|cell| self.n[*cell as usize] += 1),
            Some(weights) => {
                for (cell, weight) in cells.iter().zip(weights) {
                    self.n[*cell as usize] += 1;
                    self.weight[*cell as usize] += weight;
                }
                if weights.contains(&0.0) {
                    self.reach = self.n.len();
                }
            }
        }
    }
}

/// Adds weight × value of rows to their cells. `drop`: a missing value adds nothing; else it ends the sum.
pub(super) fn add_products<T: Number>(
    sum: &mut [f64],
    cells: &[u32],
    weights: &[f64],
    values: &[T],
    drop: bool,
) -> Option<()> {
    if values.iter().any(|v| v.real().is_nan()) {
        if !drop {
            return None;
        }
        for ((cell, weight), value) in cells.iter().zip(weights).zip(values) {
            let value = value.real();
            sum[*cell as usize] += if value.is_nan() { 0.0 } else { weight * value };
        }
        return Some(());
    }
    for ((cell, weight), value) in cells.iter().zip(weights).zip(values) {
        sum[*cell as usize] += weight * value.real();
    }
    Some(())
}

/// The sums of weight × value of four columns of whole numbers, side by side: a row's cell and weight are
/// fetched once. `None` where the columns are not of one type, or can miss values.
pub(super) fn add_together(
    columns: [Values<'_>; 4],
    places: &[u32],
    weights: &[f64],
    cells: usize,
) -> Option<Vec<[f64; 4]>> {
    match columns {
        [Values::I8(a), Values::I8(b), Values::I8(c), Values::I8(d)] => {
            Some(add_four([a, b, c, d], places, weights, cells))
        }
        [Values::I16(a), Values::I16(b), Values::I16(c), Values::I16(d)] => {
            Some(add_four([a, b, c, d], places, weights, cells))
        }
        [Values::I32(a), Values::I32(b), Values::I32(c), Values::I32(d)] => {
            Some(add_four([a, b, c, d], places, weights, cells))
        }
        [Values::I64(a), Values::I64(b), Values::I64(c), Values::I64(d)] => {
            Some(add_four([a, b, c, d], places, weights, cells))
        }
        _ => None,
    }
}

fn add_four<T: Number>(
    [a, b, c, d]: [&[T]; 4],
    places: &[u32],
    weights: &[f64],
    cells: usize,
) -> Vec<[f64; 4]> {
    let mut sums = vec![[0.0; 4]; cells];
    let values = a.iter().zip(b).zip(c).zip(d);
    for ((place, weight), (((a, b), c), d)) in places.iter().zip(weights).zip(values) {
        let sum = &mut sums[*place as usize];
        sum[0] += weight * a.real();
        sum[1] += weight * b.real();
        sum[2] += weight * c.real();
        sum[3] += weight * d.real();
    }
    sums
}
