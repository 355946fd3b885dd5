//! The frequencies of each variant. Source: `modeling_rope_utils` of transformers 5.23; arithmetic in f32 where it is
//! there, in f64 where it is Python's.

use std::f64::consts::TAU;

use super::config::{Llama3, LongRope, RopeConfig, Scaling, Yarn};

/// One frequency per pair, for a text of `span` tokens.
pub(super) fn at(config: &RopeConfig, span: usize) -> Vec<f32> {
    match &config.scaling {
        Scaling::Plain => plain(config.base, config.dim),
        Scaling::Linear { factor } => {
            plain(config.base, config.dim).iter().map(|frequency| frequency / *factor as f32).collect()
        }
        Scaling::Dynamic { factor } => plain(stretched(config, *factor, span), config.dim),
        Scaling::Yarn(yarn) => interpolated(config, yarn),
        Scaling::Llama3(llama) => smoothed(config, llama),
        Scaling::LongRope(long) => divided(config, long, span),
    }
}

/// The factor on sines and cosines.
pub(super) fn attention(config: &RopeConfig) -> f64 {
    match &config.scaling {
        Scaling::Yarn(yarn) => yarn.attention(),
        Scaling::LongRope(long) => long.attention(),
        _ => 1.0,
    }
}

fn powers(base: f64, dim: usize) -> Vec<f32> {
    (0..dim / 2).map(|pair| (base as f32).powf((2 * pair) as f32 / dim as f32)).collect()
}

fn plain(base: f64, dim: usize) -> Vec<f32> {
    powers(base, dim).iter().map(|power| 1.0 / power).collect()
}

/// The larger base under which a text longer than the network was made for still fits.
fn stretched(config: &RopeConfig, factor: f64, span: usize) -> f64 {
    let most = config.positions as f64;
    let span = (span as f64).max(most);
    let dim = config.dim as f64;
    config.base * ((factor * span / most) - (factor - 1.0)).powf(dim / (dim - 2.0))
}

/// Low frequencies are divided, high ones kept, those between mixed.
fn interpolated(config: &RopeConfig, yarn: &Yarn) -> Vec<f32> {
    let dim = config.dim as f64;
    let pair_of = |rotations: f64| dim * (yarn.original / (rotations * TAU)).ln() / (2.0 * config.base.ln());
    let (mut low, mut high) = (pair_of(yarn.beta_fast), pair_of(yarn.beta_slow));
    if yarn.truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
    if low == high {
        high += 0.001;
    }
    powers(config.base, config.dim)
        .iter()
        .enumerate()
        .map(|(pair, power)| {
            let kept = 1.0 - ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0) as f32;
            (1.0 / (yarn.factor as f32 * power)) * (1.0 - kept) + (1.0 / power) * kept
        })
        .collect()
}

fn smoothed(config: &RopeConfig, llama: &Llama3) -> Vec<f32> {
    let (slowest, fastest) = (llama.original / llama.low, llama.original / llama.high);
    plain(config.base, config.dim)
        .into_iter()
        .map(|frequency| {
            let wave = TAU / f64::from(frequency);
            let divided = frequency / llama.factor as f32;
            if wave > slowest {
                divided
            } else if wave < fastest {
                frequency
            } else {
                let kept = ((llama.original / wave - llama.low) / (llama.high - llama.low)) as f32;
                (1.0 - kept) * divided + kept * frequency
            }
        })
        .collect()
}

fn divided(config: &RopeConfig, long: &LongRope, span: usize) -> Vec<f32> {
    let factors = if span as f64 > long.original { &long.long } else { &long.short };
    powers(config.base, config.dim)
        .iter()
        .zip(factors)
        .map(|(power, factor)| 1.0 / (factor * power))
        .collect()
}
