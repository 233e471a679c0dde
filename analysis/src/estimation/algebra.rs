//! Small dense algebra of estimates: a few dozen rows and columns, never as many as respondents.

/// A dense matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f64>,
}

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// From a function of row and column.
    pub fn from_fn(rows: usize, columns: usize, f: impl Fn(usize, usize) -> f64) -> Self {
        let mut matrix = Self::zeros(rows, columns);
        for i in 0..rows {
            for j in 0..columns {
                matrix.values[i * columns + j] = f(i, j);
            }
        }
        matrix
    }

    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub fn set(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.columns + column] = value;
    }

    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    pub fn times(&self, other: &Self) -> Self {
        let mut product = Self::zeros(self.rows, other.columns);
        for i in 0..self.rows {
            for k in 0..self.columns {
                let a = self.at(i, k);
                if a != 0.0 {
                    for j in 0..other.columns {
                        product.values[i * other.columns + j] += a * other.at(k, j);
                    }
                }
            }
        }
        product
    }

    pub fn transposed(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |i, j| self.at(j, i))
    }

    pub fn trace(&self) -> f64 {
        (0..self.rows).map(|i| self.at(i, i)).sum()
    }

    /// The matrix as a list of rows.
    pub fn to_rows(&self) -> Vec<Vec<f64>> {
        (0..self.rows).map(|i| self.row(i).to_vec()).collect()
    }

    /// Solves `self · x = right` (Gauss with row pivots); `None` when singular.
    pub fn solve(&self, right: &Self) -> Option<Self> {
        let n = self.rows;
        let mut a = self.clone();
        let mut b = right.clone();
        let scale = a.values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for k in 0..n {
            let pivot = (k..n).max_by(|i, j| a.at(*i, k).abs().total_cmp(&a.at(*j, k).abs()))?;
            if a.at(pivot, k).abs() <= scale * 1e-14 || a.at(pivot, k).is_nan() {
                return None;
            }
            for j in 0..n {
                a.values.swap(k * n + j, pivot * n + j);
            }
            for j in 0..b.columns {
                b.values.swap(k * b.columns + j, pivot * b.columns + j);
            }
            for i in k + 1..n {
                let factor = a.at(i, k) / a.at(k, k);
                if factor == 0.0 {
                    continue;
                }
                for j in k..n {
                    a.values[i * n + j] -= factor * a.at(k, j);
                }
                for j in 0..b.columns {
                    b.values[i * b.columns + j] -= factor * b.at(k, j);
                }
            }
        }
        for i in (0..n).rev() {
            for j in 0..b.columns {
                let mut sum = b.at(i, j);
                for k in i + 1..n {
                    sum -= a.at(i, k) * b.at(k, j);
                }
                b.set(i, j, sum / a.at(i, i));
            }
        }
        Some(b)
    }

    /// The inverse; `None` when singular.
    pub fn inverse(&self) -> Option<Self> {
        self.solve(&Self::from_fn(self.rows, self.rows, |i, j| f64::from(u8::from(i == j))))
    }

    /// A generalised inverse of a symmetric non-negative matrix: columns that depend on earlier ones
    /// are left out, as a regression with redundant terms does. Columns are scaled to unit length first.
    pub fn generalised_inverse(&self) -> Self {
        let n = self.rows;
        let scale: Vec<f64> =
            (0..n).map(|i| if self.at(i, i) > 0.0 { 1.0 / self.at(i, i).sqrt() } else { 0.0 }).collect();
        // Gauss–Jordan sweeps; a pivot that vanished belongs to a redundant column.
        let mut a = Self::from_fn(n, n, |i, j| self.at(i, j) * scale[i] * scale[j]);
        let mut kept = vec![false; n];
        for (k, kept) in kept.iter_mut().enumerate() {
            let pivot = a.at(k, k);
            if pivot <= 1e-11 {
                continue;
            }
            *kept = true;
            for j in 0..n {
                if j != k {
                    a.values[k * n + j] /= pivot;
                }
            }
            for i in 0..n {
                if i == k {
                    continue;
                }
                let factor = a.at(i, k);
                for j in 0..n {
                    if j != k {
                        a.values[i * n + j] -= factor * a.at(k, j);
                    }
                }
                a.set(i, k, -factor / pivot);
            }
            a.set(k, k, 1.0 / pivot);
        }
        Self::from_fn(n, n, |i, j| if kept[i] && kept[j] { a.at(i, j) * scale[i] * scale[j] } else { 0.0 })
    }

    /// The lower Cholesky factor of a positive definite matrix; `None` when it is not.
    pub fn cholesky(&self) -> Option<Self> {
        let n = self.rows;
        let mut factor = Self::zeros(n, n);
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| factor.at(i, k) * factor.at(j, k)).sum();
                let rest = self.at(i, j) - dot;
                if i == j {
                    if rest <= 0.0 || rest.is_nan() {
                        return None;
                    }
                    factor.set(i, i, rest.sqrt());
                } else {
                    factor.set(i, j, rest / factor.at(j, j));
                }
            }
        }
        Some(factor)
    }

    /// Eigenvalues of a symmetric matrix, largest first (Jacobi's rotations).
    pub fn symmetric_eigenvalues(&self) -> Vec<f64> {
        let n = self.rows;
        let mut a = self.clone();
        for _ in 0..100 {
            let mut off = 0.0;
            for i in 0..n {
                for j in 0..i {
                    off += a.at(i, j).powi(2);
                }
            }
            let size: f64 = a.values.iter().map(|v| v * v).sum();
            if off <= size * 1e-32 {
                break;
            }
            for p in 0..n {
                for q in p + 1..n {
                    let apq = a.at(p, q);
                    if apq == 0.0 {
                        continue;
                    }
                    let theta = (a.at(q, q) - a.at(p, p)) / (2.0 * apq);
                    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                    let t = if theta == 0.0 { 1.0 } else { t };
                    let c = 1.0 / (t * t + 1.0).sqrt();
                    let s = t * c;
                    for k in 0..n {
                        let (x, y) = (a.at(k, p), a.at(k, q));
                        a.set(k, p, c * x - s * y);
                        a.set(k, q, s * x + c * y);
                    }
                    for k in 0..n {
                        let (x, y) = (a.at(p, k), a.at(q, k));
                        a.set(p, k, c * x - s * y);
                        a.set(q, k, s * x + c * y);
                    }
                }
            }
        }
        let mut values: Vec<f64> = (0..n).map(|i| a.at(i, i)).collect();
        values.sort_by(|x, y| y.total_cmp(x));
        values
    }
}

/// Rank of a matrix given by its columns (Gram–Schmidt, twice; relative tolerance 1e-7 as in R).
pub fn rank(columns: &[Vec<f64>]) -> usize {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for column in columns {
        let length: f64 = column.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length == 0.0 {
            continue;
        }
        let mut rest = column.clone();
        for _ in 0..2 {
            for direction in &basis {
                let dot: f64 = direction.iter().zip(&rest).map(|(a, b)| a * b).sum();
                rest.iter_mut().zip(direction).for_each(|(r, d)| *r -= dot * d);
            }
        }
        let left: f64 = rest.iter().map(|v| v * v).sum::<f64>().sqrt();
        if left > 1e-7 * length {
            rest.iter_mut().for_each(|v| *v /= left);
            basis.push(rest);
        }
    }
    basis.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_of_a_two_by_two_matrix_are_its_known_ones() {
        let matrix = Matrix { rows: 2, columns: 2, values: vec![2.0, 1.0, 1.0, 2.0] };
        let values = matrix.symmetric_eigenvalues();
        assert!((values[0] - 3.0).abs() < 1e-14 && (values[1] - 1.0).abs() < 1e-14, "{values:?}");
    }

    #[test]
    fn a_redundant_column_is_left_out_of_the_generalised_inverse() {
        // The second column is twice the first.
        let matrix = Matrix { rows: 2, columns: 2, values: vec![1.0, 2.0, 2.0, 4.0] };
        assert_eq!(matrix.generalised_inverse().values, vec![1.0, 0.0, 0.0, 0.0]);
        assert!(matrix.inverse().is_none());
        assert_eq!(rank(&[vec![1.0, 2.0], vec![2.0, 4.0]]), 1);
    }
}
