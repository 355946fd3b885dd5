//! Amounts and proportions as they are printed.

use acumen_protocol::Nacu;

/// Base units as JSON wants them: a decimal string.
pub(crate) fn nacu(amount: Nacu) -> String {
    amount.get().to_string()
}

/// ACU with all nine decimals, so that the points of a column stand below each other.
pub(crate) fn column(amount: Nacu) -> String {
    let (whole, rest) = (amount.get() / Nacu::PER_ACU, amount.get() % Nacu::PER_ACU);
    format!("{whole}.{rest:09}")
}

/// A `u16` proportion as a number from 0 to 1.
pub(crate) fn share(value: u16) -> f64 {
    f64::from(value) / f64::from(u16::MAX)
}

/// A `u16` proportion as a percentage for people, to a hundredth.
pub(crate) fn percent(value: u16) -> String {
    format!("{:.2} %", share(value) * 100.0)
}
