//! The rotary part of a `config.json`: `rope_parameters` of transformers 5, `rope_scaling` and `rope_theta` of 4.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::arch::config::unsupported;
use crate::{ModelError, files};

const DEFAULT_BASE: f64 = 10_000.0;
const KNOWN: &str = "default, linear, dynamic, yarn, llama3, longrope";

/// What a network rotates by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RopeConfig {
    /// Wavelength of the slowest pair, in positions over 2π.
    pub(crate) base: f64,
    /// Numbers that are rotated in each head: all of them.
    pub(crate) dim: usize,
    /// Positions that the network was made for.
    pub(crate) positions: usize,
    /// The variant.
    pub(crate) scaling: Scaling,
}

/// A variant with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scaling {
    /// None.
    Plain,
    /// All frequencies divided.
    Linear { factor: f64 },
    /// A base that grows with the text.
    Dynamic { factor: f64 },
    /// Division by frequency, with a temperature.
    Yarn(Yarn),
    /// Division by frequency.
    Llama3(Llama3),
    /// A divisor for each frequency, one set for short and one for long texts.
    LongRope(LongRope),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Yarn {
    pub(super) factor: f64,
    pub(super) original: f64,
    pub(super) beta_fast: f64,
    pub(super) beta_slow: f64,
    pub(super) truncate: bool,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Llama3 {
    pub(super) factor: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) original: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LongRope {
    pub(super) short: Vec<f32>,
    pub(super) long: Vec<f32>,
    pub(super) original: f64,
    factor: f64,
    attention_factor: Option<f64>,
}

/// The fields of a configuration that concern rotation, in both spellings.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RopeFields {
    rope_theta: Option<f64>,
    rope_scaling: Option<Parameters>,
    rope_parameters: Option<Parameters>,
    original_max_position_embeddings: Option<f64>,
    partial_rotary_factor: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Parameters {
    rope_type: Option<String>,
    #[serde(rename = "type")]
    old_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    attention_factor: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    truncate: Option<bool>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    short_factor: Option<Vec<f32>>,
    long_factor: Option<Vec<f32>>,
    partial_rotary_factor: Option<f64>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

impl RopeConfig {
    /// Reads a configuration for heads of `dim` numbers and a network made for `positions`.
    pub(crate) fn read(
        path: &Path,
        fields: &RopeFields,
        dim: usize,
        positions: usize,
    ) -> Result<Self, ModelError> {
        let given =
            fields.rope_scaling.as_ref().or(fields.rope_parameters.as_ref()).cloned().unwrap_or_default();
        if let Some((name, _)) = given.others.iter().find(|(_, value)| value.is_object()) {
            return Err(unsupported(
                path,
                "rope_parameters",
                &format!("split by `{name}`"),
                "one set of them",
            ));
        }
        let later = fields.rope_parameters.as_ref().and_then(|parameters| parameters.rope_theta);
        let base = given.rope_theta.or(later).or(fields.rope_theta).unwrap_or(DEFAULT_BASE);
        if !(base > 1.0 && base.is_finite()) {
            return Err(files::corrupt(path, format!("`rope_theta` {base} is not a number above 1")));
        }
        let scaling = Reader { path, given: &given, fields, positions }.scaling(dim)?;
        // These networks rotate whole heads: without scaling transformers ignores the factor, with one it fails.
        let partial = given.partial_rotary_factor.or(fields.partial_rotary_factor).unwrap_or(1.0);
        if partial != 1.0 && scaling != Scaling::Plain {
            let known = "1.0 with a rotary scaling; any without one, where it has no effect";
            return Err(unsupported(path, "partial_rotary_factor", &partial.to_string(), known));
        }
        Ok(Self { base, dim, positions, scaling })
    }

    /// Positions that the network reaches: only the variant that stretches as it goes reaches further than it says.
    pub(crate) fn context(&self) -> usize {
        match self.scaling {
            Scaling::Dynamic { factor } if factor > 1.0 => (self.positions as f64 * factor) as usize,
            _ => self.positions,
        }
    }

    /// Which lengths of a text have the same frequencies.
    pub(crate) fn spans(&self) -> Spans {
        match &self.scaling {
            Scaling::Dynamic { .. } => Spans::AlikeUpTo(self.positions),
            // Lengths are whole numbers: more than 16.5 tokens are more than 16.
            Scaling::LongRope(long) if long.short != long.long => Spans::Beyond(long.original as usize),
            _ => Spans::Alike,
        }
    }
}

/// Which lengths of a text turn its tokens by the same angles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spans {
    /// All of them.
    Alike,
    /// Those up to so many tokens; each greater one has its own.
    AlikeUpTo(usize),
    /// Those up to so many tokens; all greater ones have others.
    Beyond(usize),
}

impl Spans {
    /// A number that lengths with the same angles have in common.
    pub(crate) fn class(self, span: usize) -> usize {
        match self {
            Self::Alike => 0,
            Self::AlikeUpTo(positions) => span.max(positions),
            Self::Beyond(positions) => usize::from(span > positions),
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    given: &'a Parameters,
    fields: &'a RopeFields,
    positions: usize,
}

impl Reader<'_> {
    fn scaling(&self, dim: usize) -> Result<Scaling, ModelError> {
        let given = self.given;
        let kind = given.rope_type.as_deref().or(given.old_type.as_deref()).unwrap_or("default");
        Ok(match kind {
            "default" | "mrope" => Scaling::Plain,
            "linear" => Scaling::Linear { factor: self.positive("factor", given.factor)? },
            "dynamic" => Scaling::Dynamic { factor: self.positive("factor", given.factor)? },
            "yarn" => Scaling::Yarn(Yarn {
                factor: given.factor.unwrap_or_else(|| self.positions as f64 / self.original()),
                original: self.original(),
                // 0 counts as absent, as in Python's `or`.
                beta_fast: given.beta_fast.filter(|beta| *beta != 0.0).unwrap_or(32.0),
                beta_slow: given.beta_slow.filter(|beta| *beta != 0.0).unwrap_or(1.0),
                truncate: given.truncate.unwrap_or(true),
                attention_factor: given.attention_factor,
                mscale: given.mscale.filter(|scale| *scale != 0.0),
                mscale_all_dim: given.mscale_all_dim.filter(|scale| *scale != 0.0),
            }),
            "llama3" => Scaling::Llama3(Llama3 {
                factor: self.positive("factor", given.factor)?,
                low: self.positive("low_freq_factor", given.low_freq_factor)?,
                high: self.positive("high_freq_factor", given.high_freq_factor)?,
                original: self.original(),
            }),
            "longrope" => Scaling::LongRope(LongRope {
                short: self.factors("short_factor", given.short_factor.as_ref(), dim)?,
                long: self.factors("long_factor", given.long_factor.as_ref(), dim)?,
                original: self.original(),
                factor: given.factor.unwrap_or_else(|| self.positions as f64 / self.original()),
                attention_factor: given.attention_factor,
            }),
            other => return Err(unsupported(self.path, "rope_type", other, KNOWN)),
        })
    }

    /// Positions of the network before its context was stretched.
    fn original(&self) -> f64 {
        self.fields
            .original_max_position_embeddings
            .or(self.given.original_max_position_embeddings)
            .filter(|original| *original >= 1.0)
            .unwrap_or(self.positions as f64)
    }

    fn positive(&self, field: &str, value: Option<f64>) -> Result<f64, ModelError> {
        value.filter(|value| *value > 0.0 && value.is_finite()).ok_or_else(|| {
            let found = value.map_or_else(|| "missing".to_owned(), |value| format!("{value}"));
            files::corrupt(self.path, format!("rotary `{field}` is {found}; a number above 0 is expected"))
        })
    }

    fn factors(&self, field: &str, values: Option<&Vec<f32>>, dim: usize) -> Result<Vec<f32>, ModelError> {
        values
            .filter(|values| values.len() == dim / 2 && values.iter().all(|value| *value > 0.0))
            .cloned()
            .ok_or_else(|| {
                files::corrupt(self.path, format!("rotary `{field}` must have {} numbers above 0", dim / 2))
            })
    }
}

impl Yarn {
    pub(super) fn attention(&self) -> f64 {
        let scale = |weight: f64| {
            if self.factor <= 1.0 { 1.0 } else { 0.1 * weight * self.factor.ln() + 1.0 }
        };
        self.attention_factor.unwrap_or_else(|| match (self.mscale, self.mscale_all_dim) {
            (Some(own), Some(all)) => scale(own) / scale(all),
            _ => scale(1.0),
        })
    }
}

impl LongRope {
    pub(super) fn attention(&self) -> f64 {
        self.attention_factor.unwrap_or_else(|| {
            if self.factor <= 1.0 { 1.0 } else { (1.0 + self.factor.ln() / self.original.ln()).sqrt() }
        })
    }
}
