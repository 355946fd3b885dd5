//! Σ ln x without a logarithm per term.
//!
//! A positive normal number is m · 2^e with m in [1, 2). Multiplying the mantissas and adding the exponents of a block
//! needs one logarithm per block, cannot under- or overflow for terms of at least [`LEAST`], and rounds no worse than adding logarithms would:
//! relative error ≤ 256 · 2^-53 of a product is an absolute error of 3e-14 of its logarithm.

/// Tokens per block. The product of so many mantissas stays below 2^256.
pub(super) const BLOCK: usize = 256;

/// Independent products, so that the loop has no chain of dependent multiplications.
const LANES: usize = 8;

/// Terms multiplied before their exponent is taken off.
const GROUP: usize = 4;

/// Terms per step of the loop.
const CHUNK: usize = LANES * GROUP;

/// Smallest term: the product of [`GROUP`] of them is still a normal number.
pub(super) const LEAST: f64 = 1e-75;

const MANTISSA: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;

/// Product of numbers as a product of mantissas and a sum of biased exponents.
struct Product {
    mantissas: [f64; LANES],
    exponents: [u64; LANES],
}

impl Product {
    fn new() -> Self {
        Self { mantissas: [1.0; LANES], exponents: [0; LANES] }
    }

    #[inline(always)]
    fn push(&mut self, lane: usize, x: f64) {
        let bits = x.to_bits();
        // At most 256 exponents below 2^11 each: cannot wrap, and a checked addition would not vectorise.
        self.exponents[lane] = self.exponents[lane].wrapping_add(bits >> 52);
        self.mantissas[lane] *= f64::from_bits((bits & MANTISSA) | ONE);
    }

    /// Takes a whole chunk: one extraction per [`GROUP`] terms.
    #[inline(always)]
    fn push_chunk(&mut self, chunk: &[f64; CHUNK]) {
        for lane in 0..LANES {
            let group =
                (chunk[lane] * chunk[lane + LANES]) * (chunk[lane + 2 * LANES] * chunk[lane + 3 * LANES]);
            self.push(lane, group);
        }
    }

    /// `pushes` is how many exponents were added.
    fn ln(&self, pushes: usize) -> f64 {
        let mantissa: f64 = self.mantissas.iter().product();
        let exponent = self.exponents.iter().sum::<u64>() as f64 - 1023.0 * pushes as f64;
        mantissa.ln() + exponent * std::f64::consts::LN_2
    }
}

/// Σ ln x of numbers from [`LEAST`] to 1 / [`LEAST`].
pub(super) fn ln_product(xs: &[f64]) -> f64 {
    xs.chunks(BLOCK).map(ln_block).sum()
}

fn ln_block(xs: &[f64]) -> f64 {
    let mut product = Product::new();
    let (chunks, rest) = xs.as_chunks::<CHUNK>();
    chunks.iter().for_each(|chunk| product.push_chunk(chunk));
    rest.iter().enumerate().for_each(|(at, &x)| product.push(at % LANES, x));
    product.ln(chunks.len() * LANES + rest.len())
}

/// `out = base + row`, and Σ ln of it, for one block.
pub(super) fn add_block(out: &mut [f64], base: &[f64], row: &[f64]) -> f64 {
    debug_assert!(out.len() <= BLOCK && out.len() == base.len() && out.len() == row.len());
    let mut product = Product::new();
    let (sums, sums_rest) = out.as_chunks_mut::<CHUNK>();
    let (bases, bases_rest) = base.as_chunks::<CHUNK>();
    let (rows, rows_rest) = row.as_chunks::<CHUNK>();
    let pushes = sums.len() * LANES + sums_rest.len();
    for (sum, (base, row)) in sums.iter_mut().zip(bases.iter().zip(rows)) {
        for at in 0..CHUNK {
            sum[at] = base[at] + row[at];
        }
        product.push_chunk(sum);
    }
    for (at, (sum, (base, row))) in sums_rest.iter_mut().zip(bases_rest.iter().zip(rows_rest)).enumerate() {
        *sum = base + row;
        product.push(at % LANES, *sum);
    }
    product.ln(pushes)
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
        for len in [1, 7, 8, 31, 32, 33, 255, 256, 257, 1000] {
            let xs: Vec<f64> = (0..len).map(|_| 10f64.powf(-75.0 * rng.unit())).collect();
            let direct: f64 = xs.iter().map(|x| x.ln()).sum();
            assert!((ln_product(&xs) - direct).abs() <= 1e-14 * direct.abs().max(1.0), "{len}");
        }
    }

    #[test]
    fn adding_a_block_equals_adding_then_taking_logarithms() {
        let mut rng = Seeded::new(2, 0);
        for len in [1, 8, 13, 33, 100, 256] {
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
