//! Which pieces of the held-out texts are asked.
//!
//! Windows are drawn uniformly over all bytes of all texts with a secret seed. A window that overlaps one of the recent
//! past is drawn again, so that a miner cannot answer from what an earlier epoch revealed; only a corpus that is too
//! small to avoid it repeats itself.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};

/// Draws before a corpus counts as too small to avoid old windows.
const MAX_DRAWS: usize = 256;

/// Most windows remembered: 64 epochs of 64 documents.
pub const MAX_RECENT: usize = 4_096;

/// A piece of one held-out text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Name of the text's file.
    pub file: String,
    /// Offset of its first byte.
    pub start: usize,
    /// Bytes in it.
    pub length: usize,
}

impl Window {
    fn overlaps(&self, other: &Self) -> bool {
        self.file == other.file
            && self.start < other.start + other.length
            && other.start < self.start + self.length
    }
}

/// A text that miners are not supposed to have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// File name.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Windows already used, oldest first, bounded by [`MAX_RECENT`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent(Vec<Window>);

impl Recent {
    /// Remembers windows, forgetting the oldest ones beyond the bound.
    pub fn extend(&mut self, windows: impl IntoIterator<Item = Window>) {
        self.0.extend(windows);
        let excess = self.0.len().saturating_sub(MAX_RECENT);
        self.0.drain(..excess);
    }

    /// Number of windows remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Draws `count` windows of `length` bytes. Texts shorter than `length` are never drawn; without a longer one the
/// result is empty.
#[must_use]
pub fn draw(
    texts: &[Text],
    recent: &Recent,
    count: usize,
    length: usize,
    rng: &mut ChaCha20Rng,
) -> Vec<Window> {
    let starts = |text: &Text| (text.bytes.len() + 1).saturating_sub(length) as u64;
    let total: u64 = texts.iter().map(starts).sum();
    let mut drawn: Vec<Window> = Vec::with_capacity(count);
    while total > 0 && drawn.len() < count {
        let mut window = draw_one(texts, starts, total, length, rng);
        for _ in 1..MAX_DRAWS {
            if !recent.0.iter().chain(&drawn).any(|old| old.overlaps(&window)) {
                break;
            }
            window = draw_one(texts, starts, total, length, rng);
        }
        drawn.push(window);
    }
    drawn
}

fn draw_one(
    texts: &[Text],
    starts: impl Fn(&Text) -> u64,
    total: u64,
    length: usize,
    rng: &mut ChaCha20Rng,
) -> Window {
    // The bias of the multiply-and-shift map is below total / 2^64.
    let mut at = ((u128::from(rng.next_u64()) * u128::from(total)) >> 64) as u64;
    for text in texts {
        if at < starts(text) {
            return Window { file: text.name.clone(), start: at as usize, length };
        }
        at -= starts(text);
    }
    unreachable!("`at` is below the sum of all starts")
}

#[cfg(test)]
mod tests;
