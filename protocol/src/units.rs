//! Numbers with units. None converts silently into another: a height is never added to an epoch, an amount never to a
//! nonce. Construction and reading are explicit ([`Nacu::new`], [`Nacu::get`]), arithmetic is checked.

use core::fmt;
use core::str::FromStr;

use parity_scale_codec::{Compact, CompactAs, Decode, Encode, MaxEncodedLen};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen,
        )]
        pub struct $name($inner);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Gives a bare number its unit.
            #[must_use]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The next value; `None` at the end of the range.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// The value before; `None` at zero.
            #[must_use]
            pub const fn previous(self) -> Option<Self> {
                match self.0.checked_sub(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit! {
    /// An amount of tokens in base units: 1 ACU is 10^9 nacu.
    Nacu(u64)
}
unit! {
    /// Position of a block; genesis is 0.
    Height(u64)
}
unit! {
    /// Count of finished tempos; the first epoch ends with number 1.
    Epoch(u64)
}
unit! {
    /// Slot of a neuron in a track.
    Uid(u16)
}
unit! {
    /// One task with its own weight matrix and share of emission. Track 0 is next-token prediction over bytes.
    TrackId(u16)
}
unit! {
    /// Count of transactions that an account has sent; the next one must carry exactly this number.
    Nonce(u64)
}
unit! {
    /// Milliseconds since the Unix epoch, as stated by a block's proposer or a caller.
    TimestampMs(u64)
}

impl CompactAs for Nacu {
    type As = u64;

    fn encode_as(&self) -> &u64 {
        &self.0
    }

    fn decode_from(value: u64) -> Result<Self, parity_scale_codec::Error> {
        Ok(Self(value))
    }
}

impl From<Compact<Self>> for Nacu {
    fn from(compact: Compact<Self>) -> Self {
        compact.0
    }
}

impl Nacu {
    /// Base units in one ACU.
    pub const PER_ACU: u64 = 1_000_000_000;

    /// Whole ACU; `None` if the amount leaves the range of `u64` base units.
    #[must_use]
    pub const fn from_acu(acu: u64) -> Option<Self> {
        match acu.checked_mul(Self::PER_ACU) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Sum; `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Difference; `None` if `other` is larger.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Sum of many amounts; `None` on overflow.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The amount in ACU with nine decimals and without trailing zeros, for people.
    ///
    /// ```
    /// use acumen_protocol::Nacu;
    ///
    /// let amount: Nacu = "1.5".parse()?;
    /// assert_eq!(amount.get(), 1_500_000_000);
    /// assert_eq!(amount.to_acu_string(), "1.5 ACU");
    /// # Ok::<(), acumen_protocol::units::ParseAmountError>(())
    /// ```
    #[must_use]
    pub fn to_acu_string(self) -> String {
        let whole = self.0 / Self::PER_ACU;
        let fraction = format!("{:09}", self.0 % Self::PER_ACU);
        match fraction.trim_end_matches('0') {
            "" => format!("{whole} ACU"),
            digits => format!("{whole}.{digits} ACU"),
        }
    }
}

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no amount: write ACU with at most nine decimals (1.5), or base units with a suffix \
     (1500000000nacu), up to 18446744073.709551615 ACU"
)]
pub struct ParseAmountError {
    /// The text.
    pub text: String,
}

impl FromStr for Nacu {
    type Err = ParseAmountError;

    /// Reads `1.5`, `1.5ACU` or `1500000000nacu`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_amount(text.trim()).ok_or_else(|| ParseAmountError { text: text.to_owned() })
    }
}

fn parse_amount(text: &str) -> Option<Nacu> {
    if let Some(base) = text.strip_suffix("nacu") {
        return digits(base.trim()).map(Nacu);
    }
    let acu = text.strip_suffix("ACU").unwrap_or(text).trim();
    let (whole, fraction) = acu.split_once('.').unwrap_or((acu, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let whole = digits(whole)?.checked_mul(Nacu::PER_ACU)?;
    whole.checked_add(digits(&format!("{fraction:0<9}"))?).map(Nacu)
}

/// Plain decimal digits only: `u64::from_str` alone would let a `+` through.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back_as_written() {
        for (text, value) in [
            ("1.5", 1_500_000_000),
            ("0.000000001", 1),
            ("21000000ACU", 21_000_000_000_000_000),
            ("7nacu", 7),
        ] {
            assert_eq!(text.parse::<Nacu>().unwrap().get(), value, "{text}");
        }
        assert_eq!(Nacu::new(1_500_000_000).to_acu_string(), "1.5 ACU");
        assert_eq!(Nacu::new(1).to_acu_string(), "0.000000001 ACU");
    }

    #[test]
    fn odd_amounts_are_refused() {
        for text in ["", "-1", "+1", "1.0000000001", "1e9", "1.5nacu", "99999999999999ACU", ".5", "1.", "0x1"]
        {
            assert!(text.parse::<Nacu>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_checked() {
        assert_eq!(Nacu::new(u64::MAX).checked_add(Nacu::new(1)), None);
        assert_eq!(Nacu::ZERO.checked_sub(Nacu::new(1)), None);
        assert_eq!(Height::new(u64::MAX).next(), None);
        assert_eq!(Height::ZERO.previous(), None);
    }
}
