//! Why an epoch's input was refused: each variant holds the values that explain it.

/// An input that no epoch can be computed from. Nothing was computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More neurons than a `u16` uid can name.
    #[error("{n} neurons do not fit 16-bit uids: use at most {max}")]
    TooManyNeurons {
        /// Neurons given.
        n: usize,
        /// The largest number allowed.
        max: usize,
    },
    /// The number of rows differs from the number of neurons.
    #[error("{rows} rows for {n} neurons: give one row per uid, empty where there is nothing")]
    RowCount {
        /// Neurons.
        n: usize,
        /// Rows given.
        rows: usize,
    },
    /// A column is no uid.
    #[error("row {row} names uid {column}, but uids end at {n} (exclusive): drop the entry")]
    ColumnOutOfRange {
        /// Row (uid of the validator).
        row: usize,
        /// The column named.
        column: u16,
        /// Number of uids.
        n: usize,
    },
    /// Columns repeat or go down.
    #[error("row {row} has uid {column} after uid {previous}: sort the row and name each uid once")]
    ColumnsNotIncreasing {
        /// Row (uid of the validator).
        row: usize,
        /// The column before.
        previous: u16,
        /// The offending column.
        column: u16,
    },
    /// The owner's uid is no uid.
    #[error("owner uid {owner} is not below {n}: give the owner's slot, or none")]
    OwnerOutOfRange {
        /// The uid given.
        owner: u16,
        /// Number of uids.
        n: usize,
    },
    /// The moving average keeps more than the whole bond.
    #[error("bonds moving average of {ppm} ppm is above 1000000: the new bond's share would be negative")]
    BondsMovingAverage {
        /// The value given, parts per million.
        ppm: u64,
    },
    /// Liquid alpha's bounds are the wrong way round.
    #[error("liquid alpha low {low} is above high {high}: swap them")]
    LiquidAlphaRange {
        /// Lower bound, of 65 535.
        low: u16,
        /// Upper bound, of 65 535.
        high: u16,
    },
}
