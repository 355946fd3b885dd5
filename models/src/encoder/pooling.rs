//! From one vector a token to one a text, by the modes of sentence-transformers.

use std::path::Path;

use serde_json::Value;
use tch::{Kind, TchError, Tensor};

use crate::ModelError;
use crate::arch::config::unsupported;

/// Keeps the mean away from a division by zero; sentence-transformers' own.
const SMALLEST_COUNT: f64 = 1e-9;
const KNOWN: &str = "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    First,
    Greatest,
    Mean,
    /// The sum over the square root of the number of tokens.
    MeanSqrt,
    /// The mean in which token n counts n times.
    WeightedMean,
    Last,
}

/// Old files have a switch for each mode, new ones name them; results follow each other in this order.
const MODES: [(&str, &str, Mode); 6] = [
    ("cls", "pooling_mode_cls_token", Mode::First),
    ("max", "pooling_mode_max_tokens", Mode::Greatest),
    ("mean", "pooling_mode_mean_tokens", Mode::Mean),
    ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Mode::MeanSqrt),
    ("weightedmean", "pooling_mode_weightedmean_tokens", Mode::WeightedMean),
    ("lasttoken", "pooling_mode_lasttoken", Mode::Last),
];

/// One or several ways to pool, whose results stand side by side.
#[derive(Debug, Clone)]
pub(super) struct Pooling {
    modes: Vec<Mode>,
}

impl Pooling {
    /// The mean over the tokens.
    pub(super) fn mean() -> Self {
        Self { modes: vec![Mode::Mean] }
    }

    /// Reads the file of a `Pooling` module.
    pub(super) fn read(path: &Path, config: &Value) -> Result<Self, ModelError> {
        let modes = match &config["pooling_mode"] {
            Value::Null => {
                let on = |field: &str| config[field].as_bool().unwrap_or(false);
                MODES.iter().filter(|(_, switch, _)| on(switch)).map(|(.., mode)| *mode).collect()
            }
            Value::String(name) => vec![named(path, name)?],
            Value::Array(names) => names
                .iter()
                .map(|name| named(path, name.as_str().unwrap_or_default()))
                .collect::<Result<_, _>>()?,
            other => return Err(unsupported(path, "pooling_mode", &other.to_string(), KNOWN)),
        };
        if modes.is_empty() {
            return Err(unsupported(path, "pooling_mode", "none of them", KNOWN));
        }
        Ok(Self { modes })
    }

    /// Vectors of `width` numbers become one of this many.
    pub(super) fn width(&self, width: usize) -> usize {
        width * self.modes.len()
    }

    /// `hidden` `[texts, tokens, width]` with `real` `[texts, tokens]`, 1 for a token and 0 for padding at the end.
    pub(super) fn apply(&self, hidden: &Tensor, real: &Tensor) -> Result<Tensor, TchError> {
        let parts = self.modes.iter().map(|mode| mode.apply(hidden, real)).collect::<Result<Vec<_>, _>>()?;
        Tensor::f_cat(&parts, 1)
    }
}

fn named(path: &Path, name: &str) -> Result<Mode, ModelError> {
    let found = MODES.iter().find(|(known, ..)| *known == name).map(|(.., mode)| *mode);
    found.ok_or_else(|| unsupported(path, "pooling_mode", name, KNOWN))
}

impl Mode {
    fn apply(self, hidden: &Tensor, real: &Tensor) -> Result<Tensor, TchError> {
        let sum = |weights: &Tensor| weights.f_unsqueeze(1)?.f_matmul(hidden)?.f_squeeze_dim(1);
        let count = |weights: &Tensor| {
            weights.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Float)?.f_clamp_min(SMALLEST_COUNT)
        };
        match self {
            Self::First => hidden.f_select(1, 0),
            Self::Greatest => {
                let padding = real.f_eq(0.0)?.f_unsqueeze(2)?;
                hidden.f_masked_fill(&padding, f64::NEG_INFINITY)?.f_amax([1i64].as_slice(), false)
            }
            Self::Mean => sum(real)?.f_div(&count(real)?),
            Self::MeanSqrt => sum(real)?.f_div(&count(real)?.f_sqrt()?),
            Self::WeightedMean => {
                let weights = real.f_mul(&real.f_cumsum(1, Kind::Float)?)?;
                sum(&weights)?.f_div(&count(&weights)?)
            }
            Self::Last => {
                let width = hidden.size3()?.2;
                let last = real.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Int64)?.f_sub_scalar(1)?;
                let at = last.f_view([-1, 1, 1])?.f_expand([-1, 1, width], false)?;
                hidden.f_gather(1, &at, false)?.f_squeeze_dim(1)
            }
        }
    }
}
