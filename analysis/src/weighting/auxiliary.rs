//! The auxiliary variables of a calibration: indicators by code and numbers, row by row, and the
//! residualisation of estimates on them.

use std::ops::Range;

use crate::estimation::algebra::Matrix;
use crate::table::MISSING;

/// q columns, most of them indicators; a row is the list of its non-zero entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Auxiliary {
    terms: Vec<Term>,
    /// A name a column, for messages.
    pub names: Vec<String>,
}

#[derive(Clone, Debug)]
enum Term {
    /// 1 for every row.
    One(usize),
    /// 1 in column `first + code`; nothing for [`MISSING`].
    Codes {
        first: usize,
        codes: Vec<u32>,
    },
    Number {
        column: usize,
        values: Vec<f64>,
    },
}

impl Auxiliary {
    pub fn width(&self) -> usize {
        self.names.len()
    }

    pub fn push_one(&mut self) {
        self.terms.push(Term::One(self.width()));
        self.names.push("1".into());
    }

    /// `codes` count from 0 to `names.len() − 1`, or are [`MISSING`] for a row without an entry.
    pub fn push_codes(&mut self, codes: Vec<u32>, names: impl IntoIterator<Item = String>) {
        self.terms.push(Term::Codes { first: self.width(), codes });
        self.names.extend(names);
    }

    pub fn push_numbers(&mut self, values: Vec<f64>, name: String) {
        self.terms.push(Term::Number { column: self.width(), values });
        self.names.push(name);
    }

    /// Calls `f(column, value)` for the non-zero entries of a row.
    pub fn each(&self, row: usize, mut f: impl FnMut(usize, f64)) {
        for term in &self.terms {
            match term {
                Term::One(column) => f(*column, 1.0),
                Term::Codes { first, codes } => {
                    if codes[row] != MISSING {
                        f(first + codes[row] as usize, 1.0);
                    }
                }
                Term::Number { column, values } => f(*column, values[row]),
            }
        }
    }

    /// Sum over the columns of value × coefficient.
    pub fn dot(&self, row: usize, coefficients: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.each(row, |column, value| sum += value * coefficients[column]);
        sum
    }

    /// Σ over rows of weight × value, a column.
    pub fn totals(&self, weights: &[f64]) -> Vec<f64> {
        let mut totals = vec![0.0; self.width()];
        for (row, weight) in weights.iter().enumerate() {
            if *weight != 0.0 {
                self.each(row, |column, value| totals[column] += weight * value);
            }
        }
        totals
    }

    /// Z′ diag(weights) Z.
    pub fn cross_products(&self, weights: &[f64]) -> Matrix {
        // Always the same two halves, so that the sums do not depend on the number of threads.
        let middle = weights.len() / 2;
        let (mut first, second) = rayon::join(
            || self.cross_products_of(weights, 0..middle),
            || self.cross_products_of(weights, middle..weights.len()),
        );
        first.values.iter_mut().zip(&second.values).for_each(|(a, b)| *a += b);
        first
    }

    fn cross_products_of(&self, weights: &[f64], rows: Range<usize>) -> Matrix {
        let q = self.width();
        let mut matrix = Matrix::zeros(q, q);
        let mut entries = Vec::new();
        for row in rows {
            let weight = weights[row];
            if weight == 0.0 {
                continue;
            }
            entries.clear();
            self.each(row, |column, value| entries.push((column, value)));
            for (i, x) in &entries {
                for (j, y) in &entries {
                    matrix.values[i * q + j] += weight * x * y;
                }
            }
        }
        matrix
    }

    /// The same variables averaged inside clusters (unweighted), for one factor a cluster.
    pub fn averaged(&self, clusters: &[u32]) -> Self {
        let q = self.width();
        let count = clusters.iter().max().map_or(0, |m| *m as usize + 1);
        let mut sums = vec![0.0; count * q];
        let mut sizes = vec![0.0; count];
        for (row, cluster) in clusters.iter().enumerate() {
            sizes[*cluster as usize] += 1.0;
            self.each(row, |column, value| sums[*cluster as usize * q + column] += value);
        }
        let mut averaged = Self::default();
        for (column, name) in self.names.iter().enumerate() {
            let values =
                clusters.iter().map(|c| sums[*c as usize * q + column] / sizes[*c as usize]).collect();
            averaged.push_numbers(values, name.clone());
        }
        averaged
    }
}

/// What a calibration does to the errors of later estimates: scores are replaced by their residuals
/// on the auxiliary variables, weighted by the weights before the calibration.
///
/// A weighted score x (final weight × score) becomes x − g w Z B, with B the regression of x / (g w)
/// on Z under the weights w / σ². Source: Deville and Särndal (1992).
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub auxiliary: Auxiliary,
    /// g w of every row: the weight this step gave.
    pub after: Vec<f64>,
    /// (w / σ²) / (g w), 0 where the weight is 0.
    pub multiplier: Vec<f64>,
    /// Generalised inverse of Z′ diag(w / σ²) Z.
    pub inverse: Matrix,
}

impl Projection {
    pub fn new(auxiliary: Auxiliary, metric: &[f64], after: Vec<f64>) -> Self {
        let inverse = auxiliary.cross_products(metric).generalised_inverse();
        let multiplier =
            metric.iter().zip(&after).map(|(d, a)| if *a == 0.0 { 0.0 } else { d / a }).collect();
        Self { auxiliary, after, multiplier, inverse }
    }
}
