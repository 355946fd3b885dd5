//! How to load a model: number format, device, bounds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// How the linear layers of a model are stored and computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Whatever suits the model and the machine.
    #[default]
    Auto,
    /// 32-bit floating point.
    F32,
    /// 16-bit "brain" floating point.
    Bf16,
    /// Weights in 8-bit integers with a scale for each output.
    Int8,
    /// Weights in 4-bit integers with a scale and a zero for each group of inputs.
    Int4,
}

impl FromStr for Dtype {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            "int4" => Ok(Self::Int4),
            _ => Err(ModelError::Config {
                field: "dtype",
                reason: format!("`{text}` is none of auto, f32, bf16, int8, int4"),
            }),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}

/// Where a model runs, written `cpu` or `cuda:0`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A CUDA device by its number.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let number = match text {
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Some(0),
            other => other.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
        };
        number.map(Self::Cuda).ok_or_else(|| ModelError::Config {
            field: "device",
            reason: format!("`{text}` is neither cpu nor cuda:NUMBER"),
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

/// How to load a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOptions {
    /// Threads inside one operation of libtorch, for the calling thread; none keeps libtorch's own choice.
    pub threads: Option<usize>,
    /// Largest file to map, in bytes. What is read into memory whole (byte GPTs, TorchScript, n-grams) has a bound of its own.
    pub max_file_bytes: u64,
    /// How the linear layers of a decoder are stored.
    pub dtype: Dtype,
    /// Where a decoder runs.
    pub device: Device,
    /// Tokens whose keys and values the cache holds; none takes what one GiB holds. A window that the
    /// cache does not hold is cut to it.
    pub cache_tokens: Option<usize>,
    /// Answer byte by byte, whatever the model's own vocabulary is (see [`crate::bytewise`]).
    pub bytes: bool,
}

impl Default for LoadOptions {
    /// One thread, because replicas run side by side; any file that a disk holds; the processor.
    fn default() -> Self {
        Self {
            threads: Some(1),
            max_file_bytes: 1 << 44,
            dtype: Dtype::Auto,
            device: Device::Cpu,
            cache_tokens: None,
            bytes: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["auto", "f32", "bf16", "int8", "int4"] {
            assert_eq!(text.parse::<Dtype>().unwrap().to_string(), text);
        }
        for text in ["cpu", "cuda:0", "cuda:7"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1"] {
            assert!(text.parse::<Device>().unwrap_err().to_string().contains("cuda:NUMBER"), "{text}");
        }
        assert!("f64".parse::<Dtype>().unwrap_err().to_string().contains("bf16"));
    }
}
