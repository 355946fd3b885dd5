//! Σ ln x without a logarithm per term.
//!
//! A positive normal number is m · 2^e with m in [1, 2). Multiplying the mantissas and adding the exponents of a block
//! needs one logarithm per block, cannot under- or overflow, and rounds no worse than adding logarithms would:
//! relative error ≤ 256 · 2^-53 of a product is an absolute error of 3e-14 of its logarithm.

/// Tokens per block. The product of so many mantissas stays below 2^256.
pub(super) const BLOCK: usize = 256;

/// Independent products, so that the loop has no chain of dependent multiplications.
const LANES: usize = 8;

const MANTISSA: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;

/// Product of positive normal numbers as a product of mantissas and a sum of biased exponents.
struct Product {
    mantissas: [f64; LANES],
    exponents: [u64; LANES],
    terms: usize,
}

impl Product {
    fn new() -> Self {
        Self { mantissas: [1.0; LANES], exponents: [0; LANES], terms: 0 }
    }

    #[inline(always)]
    fn push(&mut self, lane: usize, x: f64) {
        let bits = x.to_bits();
        self.exponents[lane] += bits >> 52;
        self.mantissas[lane] *= f64::from_bits((bits & MANTISSA) | ONE);
    }

    fn ln(&self) -> f64 {
        let mantissa: f64 = self.mantissas.iter().product();
        let exponent = self.exponents.iter().sum::<u64>() as f64 - 1023.0 * self.terms as f64;
        mantissa.ln() + exponent * std::f64::consts::LN_2
    }
}

/// Σ ln x of positive normal numbers.
pub(super) fn ln_product(xs: &[f64]) -> f64 {
    xs.chunks(BLOCK).map(ln_block).sum()
}

fn ln_block(xs: &[f64]) -> f64 {
    let mut product = Product::new();
    product.terms = xs.len();
    let chunks = xs.chunks_exact(LANES);
    for (lane, &x) in chunks.remainder().iter().enumerate() {
        product.push(lane, x);
    }
    for chunk in chunks {
        for (lane, &x) in chunk.iter().enumerate() {
            product.push(lane, x);
        }
    }
    product.ln()
}

/// `out = base + row`, and Σ ln of it, for one block.
pub(super) fn add_block(out: &mut [f64], base: &[f64], row: &[f64]) -> f64 {
    debug_assert!(out.len() <= BLOCK && out.len() == base.len() && out.len() == row.len());
    let mut product = Product::new();
    product.terms = out.len();
    let whole = out.len() - out.len() % LANES;
    for at in whole..out.len() {
        out[at] = base[at] + row[at];
        product.push(at - whole, out[at]);
    }
    let heads = base[..whole].chunks_exact(LANES).zip(row[..whole].chunks_exact(LANES));
    for (sums, (base, row)) in out[..whole].chunks_exact_mut(LANES).zip(heads) {
        for lane in 0..LANES {
            sums[lane] = base[lane] + row[lane];
            product.push(lane, sums[lane]);
        }
    }
    product.ln()
}

/// `sums += row`, and Σ ln of it, for any length.
pub(super) fn add_assign(sums: &mut [f64], row: &[f64]) -> f64 {
    for (sum, &x) in sums.iter_mut().zip(row) {
        *sum += x;
    }
    ln_product(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    #[test]
    fn equals_the_sum_of_logarithms_at_any_length_and_scale() {
        let mut rng = Seeded::new(1, 0);
        for len in [1, 7, 8, 9, 255, 256, 257, 1000] {
            let xs: Vec<f64> = (0..len).map(|_| 10f64.powf(-300.0 * rng.unit())).collect();
            let direct: f64 = xs.iter().map(|x| x.ln()).sum();
            assert!((ln_product(&xs) - direct).abs() <= 1e-14 * direct.abs().max(1.0), "{len}");
        }
    }

    #[test]
    fn adding_a_block_equals_adding_then_taking_logarithms() {
        let mut rng = Seeded::new(2, 0);
        for len in [1, 8, 13, 256] {
            let base: Vec<f64> = (0..len).map(|_| rng.unit()).collect();
            let row: Vec<f64> = (0..len).map(|_| 1e-3 + rng.unit()).collect();
            let mut out = vec![0.0; len];
            let got = add_block(&mut out, &base, &row);
            let direct: f64 = base.iter().zip(&row).map(|(a, b)| (a + b).ln()).sum();
            assert!((got - direct).abs() < 1e-12, "{len}");
            let mut sums = base.clone();
            assert!((add_assign(&mut sums, &row) - direct).abs() < 1e-12);
            assert_eq!(sums, out);
        }
    }
}
