//! Tile maps: each area a square of the same size, roughly where it lies.

use crate::table::{Declared, Table, TableError, Types};

/// The place of one area in the grid, from the upper left corner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub code: String,
    pub column: usize,
    pub row: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum TileError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("{file}: line {line}: give a code, and column and row as whole numbers from 1 to {MOST}")]
    Place { file: String, line: usize },
    #[error("{file}: line {line}: the place of `{code}` is taken by `{other}`; give it a place of its own")]
    Taken { file: String, line: usize, code: String, other: String },
}

/// A wider grid would have tiles that nobody can read.
const MOST: usize = 60;

impl Tile {
    /// Reads a grid from CSV with the columns `code`, `column`, `row` (counted from 1). `file` names it in errors.
    pub fn read(csv: &str, file: &str) -> Result<Vec<Self>, TileError> {
        let types: Types = [("code".to_owned(), Declared::Category)].into_iter().collect();
        let table = Table::parse_csv(csv, file, &types)?;
        let codes = table.column("code")?;
        let (columns, rows) = (table.numbers("column")?, table.numbers("row")?);
        let mut tiles: Vec<Self> = Vec::new();
        for i in 0..table.height() {
            let whole =
                |n: f64| (n.fract() == 0.0 && (1.0..=MOST as f64).contains(&n)).then(|| n as usize - 1);
            let place = codes.text(i).zip(whole(columns[i])).zip(whole(rows[i]));
            let Some(((code, column), row)) = place else {
                return Err(TileError::Place { file: file.into(), line: i + 2 });
            };
            if let Some(other) = tiles.iter().find(|t| (t.column, t.row) == (column, row)) {
                let (code, other) = (code.into_owned(), other.code.clone());
                return Err(TileError::Taken { file: file.into(), line: i + 2, code, other });
            }
            tiles.push(Self { code: code.into_owned(), column, row });
        }
        Ok(tiles)
    }

    /// A grid from the area tree: each parent's areas, in the order given, begin a new row; places mean nothing.
    pub fn listed<'a>(parents: impl IntoIterator<Item = &'a [String]>, columns: usize) -> Vec<Self> {
        let columns = columns.max(1);
        let mut tiles = Vec::new();
        let mut top = 0;
        for codes in parents {
            tiles.extend(codes.iter().enumerate().map(|(i, code)| Self {
                code: code.clone(),
                column: i % columns,
                row: top + i / columns,
            }));
            top += codes.len().div_ceil(columns);
        }
        tiles
    }
}
