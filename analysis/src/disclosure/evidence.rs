//! What is known to be possible: fillings found so far, and how wide they leave each cell.

use super::fillings::Changes;

/// Every filling found widens all cells that it changes; the truth itself is one.
pub(super) struct Evidence {
    fillings: Vec<Changes>,
    /// Fillings that count; those of a cell that is being shown do not.
    stands: Vec<bool>,
    set_aside: Vec<usize>,
    /// By cell, the fillings that change it and by how much.
    of_cell: Vec<Vec<(usize, f64)>>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Evidence {
    pub fn new(cells: usize) -> Self {
        Self {
            fillings: Vec::new(),
            stands: Vec::new(),
            set_aside: Vec::new(),
            of_cell: vec![Vec::new(); cells],
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
        changes.iter().for_each(|(cell, by)| self.of_cell[*cell].push((self.fillings.len(), *by)));
        self.fillings.push(changes);
        self.stands.push(true);
    }

    /// Sets aside the fillings that change `cell`; gives the cells that may have become narrower.
    pub fn without(&mut self, cell: usize) -> Vec<usize> {
        self.set_aside = self.of_cell[cell].iter().map(|(f, _)| *f).filter(|f| self.stands[*f]).collect();
        self.set_aside.iter().for_each(|f| self.stands[*f] = false);
        self.measure()
    }

    /// Takes back the fillings set aside last.
    pub fn restore(&mut self) {
        self.set_aside.iter().for_each(|f| self.stands[*f] = true);
        self.measure();
        self.set_aside.clear();
    }

    /// Forgets the fillings set aside last.
    pub fn settle(&mut self) {
        self.set_aside.clear();
    }

    /// Measures the cells of the fillings set aside anew, and gives them.
    fn measure(&mut self) -> Vec<usize> {
        let set_aside = self.set_aside.iter().flat_map(|f| self.fillings[*f].iter().map(|(cell, _)| *cell));
        let mut touched: Vec<usize> = set_aside.collect();
        touched.sort_unstable();
        touched.dedup();
        for cell in &touched {
            let standing = self.of_cell[*cell].iter().filter(|(f, _)| self.stands[*f]);
            let range = |(low, high): (f64, f64), (_, by): &(usize, f64)| (low.min(*by), high.max(*by));
            (self.low[*cell], self.high[*cell]) = standing.fold((0.0, 0.0), range);
        }
        touched
    }

    fn widen(&mut self, changes: &Changes) {
        for (cell, change) in changes {
            self.low[*cell] = self.low[*cell].min(*change);
            self.high[*cell] = self.high[*cell].max(*change);
        }
    }
}
