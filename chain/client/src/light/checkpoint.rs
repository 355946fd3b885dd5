//! A block that somebody trusts, written `HEIGHT:HASH`.

use std::fmt;
use std::str::FromStr;

use acumen_protocol::{Hash, Height};

/// A trusted block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub block: Hash,
}

/// Why a text is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no checkpoint: write HEIGHT:HASH, as in 7200:0x… (64 hex digits)")]
pub struct ParseCheckpointError {
    /// The text.
    pub text: String,
}

impl FromStr for Checkpoint {
    type Err = ParseCheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (height, block) = text.trim().split_once(':')?;
            let plain = height.bytes().all(|byte| byte.is_ascii_digit());
            let height = plain.then(|| height.parse().ok()).flatten()?;
            Some(Self { height: Height::new(height), block: block.parse().ok()? })
        };
        parse().ok_or_else(|| ParseCheckpointError { text: text.chars().take(120).collect() })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_read_back_as_written() {
        let checkpoint = Checkpoint { height: Height::new(7_200), block: Hash([9; 32]) };
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
        for text in ["", "7", ":", "7:", "7:0x12", "-7:0x12", "+7:0x", &format!("x:{}", Hash::ZERO)] {
            assert!(text.parse::<Checkpoint>().is_err(), "{text}");
        }
    }
}
