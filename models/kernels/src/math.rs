//! Functions of one number that loops over them turn into vectors.

/// eˣ to 2 ulp; below the smallest normal number the smallest, beyond the largest about the largest; NaN stays NaN.
///
/// x = n · ln 2 + r with |r| ≤ ln 2 / 2; a polynomial for eʳ (Cephes' coefficients), n added to the exponent.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.336_5 { -87.336_5 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let value = p * (r * r) + r + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    value * f32::from_bits(power)
}

/// Numbers that are summed side by side; the order of sums is the same on every processor.
pub(crate) const LANES: usize = 16;

/// Sum of the lanes, as a tree.
#[inline(always)]
pub(crate) fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Runs a function of this crate compiled for the best vectors that the processor has. The function must be
/// `#[inline(always)]`, so that it becomes part of each version.
macro_rules! on_best_vectors {
    ($name:ident [$($generic:tt)*] ($($argument:ident : $type:ty),* $(,)?) => $body:expr) => {
        pub(crate) fn $name <$($generic)*> ($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,bmi2")]
                fn wide <$($generic)*> ($($argument: $type),*) { $body }
                #[target_feature(enable = "avx2,fma")]
                fn middle <$($generic)*> ($($argument: $type),*) { $body }
                let cpu = crate::Cpu::this();
                if cpu.avx512 {
                    // SAFETY: the processor has these instructions.
                    return unsafe { wide($($argument),*) };
                }
                if cpu.avx2 {
                    // SAFETY: as above.
                    return unsafe { middle($($argument),*) };
                }
            }
            $body
        }
    };
}
pub(crate) use on_best_vectors;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_two_units() {
        for step in -870_000..880_000 {
            let x = step as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.5e-7, "exp({x}) is off by {error}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1.3e-38 && exp(f32::INFINITY) > 1e38 && exp(0.0) == 1.0);
    }
}
