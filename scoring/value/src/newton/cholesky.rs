//! Solving H x = b for a symmetric positive definite H, by its Cholesky factor.

/// The lower factor of a positive definite matrix, n × n, row-major; the upper half is not used.
pub(super) struct Factor {
    size: usize,
    lower: Vec<f64>,
}

impl Factor {
    /// Factors `matrix` (its lower half), or None if it is not positive definite in this arithmetic.
    pub(super) fn of(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        for row in 0..size {
            for column in 0..=row {
                let (above, below) = (&matrix[column * size..][..column], &matrix[row * size..][..column]);
                let inner: f64 = above.iter().zip(below).map(|(a, b)| a * b).sum();
                let rest = matrix[row * size + column] - inner;
                matrix[row * size + column] = if row > column {
                    rest / matrix[column * size + column]
                } else if rest > 0.0 && rest.is_finite() {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        Some(Self { size, lower: matrix })
    }

    /// x of H x = `right`.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.size;
        let mut x = right.to_vec();
        for row in 0..n {
            let inner: f64 = self.lower[row * n..][..row].iter().zip(&x).map(|(l, x)| l * x).sum();
            x[row] = (x[row] - inner) / self.lower[row * n + row];
        }
        for row in (0..n).rev() {
            let inner: f64 = (row + 1..n).map(|below| self.lower[below * n + row] * x[below]).sum();
            x[row] = (x[row] - inner) / self.lower[row * n + row];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_refuses() {
        let factor = Factor::of(vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0], 3).unwrap();
        let x = factor.solve(&[9.0, 21.0, 25.0]);
        let back = [
            4.0 * x[0] + 2.0 * x[1] + x[2],
            2.0 * x[0] + 5.0 * x[1] + 3.0 * x[2],
            x[0] + 3.0 * x[1] + 6.0 * x[2],
        ];
        assert!(back.iter().zip([9.0, 21.0, 25.0]).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(Factor::of(vec![1.0, 0.0, 2.0, 1.0], 2).is_none(), "indefinite");
    }
}
