//! What is known to be possible: fillings found so far, and how wide they leave each cell.

use super::fillings::Changes;

/// Every filling found widens all cells that it changes; the truth itself is one.
pub(super) struct Evidence {
    fillings: Vec<Changes>,
    /// Fillings that count; those of a cell that is being shown do not.
    stands: Vec<bool>,
    set_aside: Vec<usize>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Evidence {
    pub fn new(cells: usize) -> Self {
        Self {
            fillings: Vec::new(),
            stands: Vec::new(),
            set_aside: Vec::new(),
            low: vec![0.0; cells],
            high: vec![0.0; cells],
        }
    }

    /// Between the least and the most that was found for the cell.
    pub fn width(&self, cell: usize) -> f64 {
        self.high[cell] - self.low[cell]
    }

    /// How far the cell was found to fall.
    pub fn fall(&self, cell: usize) -> f64 {
        -self.low[cell]
    }

    pub fn add(&mut self, changes: Changes) {
        self.widen(&changes);
        self.fillings.push(changes);
        self.stands.push(true);
    }

    /// Sets aside the fillings that change `cell`; gives the cells that may have become narrower.
    pub fn without(&mut self, cell: usize) -> Vec<usize> {
        self.set_aside = (0..self.fillings.len())
            .filter(|f| self.stands[*f] && self.fillings[*f].iter().any(|(c, _)| *c == cell))
            .collect();
        let mut touched: Vec<usize> =
            self.set_aside.iter().flat_map(|f| self.fillings[*f].iter().map(|(c, _)| *c)).collect();
        touched.sort_unstable();
        touched.dedup();
        self.set_aside.iter().for_each(|f| self.stands[*f] = false);
        self.measure();
        touched
    }

    /// Takes back the fillings set aside last.
    pub fn restore(&mut self) {
        std::mem::take(&mut self.set_aside).into_iter().for_each(|f| self.stands[f] = true);
        self.measure();
    }

    /// Forgets the fillings set aside last.
    pub fn settle(&mut self) {
        self.set_aside.clear();
    }

    fn measure(&mut self) {
        self.low.fill(0.0);
        self.high.fill(0.0);
        let fillings = std::mem::take(&mut self.fillings);
        fillings.iter().zip(&self.stands.clone()).filter(|(_, s)| **s).for_each(|(f, _)| self.widen(f));
        self.fillings = fillings;
    }

    fn widen(&mut self, changes: &Changes) {
        for (cell, change) in changes {
            self.low[*cell] = self.low[*cell].min(*change);
            self.high[*cell] = self.high[*cell].max(*change);
        }
    }
}
