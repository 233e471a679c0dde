//! A table that may leave: figures from the gate, counts of fieldwork, public totals, words.

use super::{Figure, Standing};

/// What charts, reports and exports print as rows and columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafeTable {
    /// What the table shows, without its number.
    pub title: String,
    /// Heads of all columns, the row labels' column first.
    pub columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// Lines under the table: base, source, method.
    pub notes: Vec<String>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A label.
    Text(String),
    /// A share (0–1) from the gate, printed in per cent.
    Share(Figure),
    /// A number from the gate, printed with this many decimals.
    Number(Figure, usize),
    /// The number of respondents of a figure from the gate.
    Base(Figure),
    /// The interval of a share from the gate, in per cent.
    ShareInterval(Figure),
    /// The interval of a number from the gate.
    NumberInterval(Figure, usize),
    /// Cases, visits, dispositions: fieldwork, not answers.
    Fieldwork(u64),
    /// A published figure of the population or a rate of fieldwork (0–1), printed in per cent.
    PublicShare(f64),
    /// A published figure of the population or the design, with its decimals.
    PublicNumber(f64, usize),
    Empty,
}

impl SafeTable {
    pub fn new(title: impl Into<String>, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            title: title.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty, cells beyond the columns are left out.
    pub fn push(&mut self, mut cells: Vec<Cell>) {
        cells.resize(self.columns.len(), Cell::Empty);
        self.rows.push(cells);
    }

    /// Adds a line under the table.
    #[must_use]
    pub fn note(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        if !line.is_empty() {
            self.notes.push(line);
        }
        self
    }

    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// True when a cell is held back, so that the note on hidden cells is due.
    pub fn has_hidden(&self) -> bool {
        self.rows.iter().flatten().any(|c| c.standing() == Some(Standing::Hidden))
    }

    /// True when a cell stands on a small base.
    pub fn has_cautious(&self) -> bool {
        self.rows.iter().flatten().any(|c| c.standing() == Some(Standing::Cautious))
    }
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The standing of the figure in the cell, where it holds one.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Share(f)
            | Self::Number(f, _)
            | Self::Base(f)
            | Self::ShareInterval(f)
            | Self::NumberInterval(f, _) => Some(f.standing()),
            _ => None,
        }
    }
}
