//! The logarithmic score of a miner over many tokens, in nats and in bits.
//!
//! One token scores ln p(y), with p the floored report ([`crate::report`]); the sum over tokens is proper because each
//! term is. Vocabularies differ in how much text a token holds, so losses are comparable between tokenizers only per
//! *byte*: the number of bytes that a token stands for is given with it. Units: nats unless said otherwise.

use crate::Report;
use serde::{Deserialize, Serialize};

/// Sum of log scores and what it was taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LogScore {
    /// Σ ln p(y), at most 0.
    pub nats: f64,
    /// Tokens scored.
    pub tokens: u64,
    /// Bytes of text that those tokens stand for.
    pub bytes: u64,
}

impl LogScore {
    /// Scores one token of `bytes` bytes. O(log k) for a report of k ids.
    pub fn add(&mut self, report: &Report, token: u32, bytes: u64) {
        self.add_nats(report.log_score(token), bytes);
    }

    /// Scores a token whose ln p(y) is known. A score that is not a finite number of at most 0 is no log score: nothing is
    /// added for it, so that one bad number cannot spoil the sum (reports are floored and never give one).
    pub fn add_nats(&mut self, nats: f64, bytes: u64) {
        if nats.is_finite() && nats <= 0.0 {
            self.nats += nats;
            self.tokens += 1;
            self.bytes += bytes;
        }
    }

    /// Adds the tokens of another score.
    pub fn merge(&mut self, other: &Self) {
        self.nats += other.nats;
        self.tokens += other.tokens;
        self.bytes += other.bytes;
    }

    /// Loss in nats per token, at least 0; None without tokens.
    #[must_use]
    pub fn nats_per_token(&self) -> Option<f64> {
        (self.tokens > 0).then(|| -self.nats / self.tokens as f64)
    }

    /// Loss in bits per byte, comparable between tokenizers; None without bytes.
    #[must_use]
    pub fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| -self.nats / self.bytes as f64 / std::f64::consts::LN_2)
    }

    /// What this one knows beyond `reference` on the same text, nats per byte; None if the texts differ in length, or are
    /// empty.
    #[must_use]
    pub fn gain_per_byte(&self, reference: &Self) -> Option<f64> {
        (self.bytes > 0 && self.bytes == reference.bytes)
            .then(|| (self.nats - reference.nats) / self.bytes as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nats_bits_and_gain() {
        let (half, quarter) = (Report::uniform(2).unwrap(), Report::uniform(4).unwrap());
        let (mut sharp, mut dull) = (LogScore::default(), LogScore::default());
        assert_eq!((sharp.nats_per_token(), sharp.bits_per_byte()), (None, None));
        for _ in 0..8 {
            sharp.add(&half, 1, 1);
        }
        // The same eight bytes in four tokens of two.
        for _ in 0..4 {
            dull.add(&quarter, 3, 2);
        }
        assert!((sharp.nats_per_token().unwrap() - 2f64.ln()).abs() < 1e-12);
        assert!((dull.nats_per_token().unwrap() - 4f64.ln()).abs() < 1e-12);
        assert!((sharp.bits_per_byte().unwrap() - 1.0).abs() < 1e-12);
        assert!((dull.bits_per_byte().unwrap() - 1.0).abs() < 1e-12, "per byte they are alike");
        assert!(sharp.gain_per_byte(&dull).unwrap().abs() < 1e-12);
        dull.merge(&sharp);
        assert_eq!((dull.tokens, dull.bytes), (12, 16));
        assert_eq!(sharp.gain_per_byte(&dull), None, "not the same text");
    }

    #[test]
    fn what_is_no_score_is_not_added() {
        let mut score = LogScore::default();
        [f64::NAN, f64::NEG_INFINITY, 0.1].into_iter().for_each(|nats| score.add_nats(nats, 1));
        assert_eq!(score, LogScore::default());
        // Outside the vocabulary ln p is −∞.
        score.add(&Report::uniform(2).unwrap(), 7, 1);
        assert_eq!(score.tokens, 0);
    }
}
