//! How amounts and keys stand in JSON: as text. An amount is a string of decimal digits (base units), because a JSON
//! number loses digits beyond 2^53 in many readers.

/// [`acumen_protocol::Nacu`] as a string of decimal digits, in base units.
pub mod nacu {
    use acumen_protocol::Nacu;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the digits.
    pub fn serialize<S: Serializer>(amount: &Nacu, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }

    /// Reads plain digits only.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nacu, D::Error> {
        let text = String::deserialize(deserializer)?;
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = plain.then(|| text.parse().ok()).flatten();
        value.map(Nacu::new).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is no amount: write base units as a string of digits"))
        })
    }
}

/// Anything with `Display` and `FromStr`, as its text.
pub mod text {
    use core::fmt::Display;
    use core::str::FromStr;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the `Display` form.
    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the `FromStr` form.
    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
