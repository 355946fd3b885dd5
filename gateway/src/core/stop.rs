//! Stop strings, matched on bytes wherever chunks are cut.
//!
//! Invariant: a byte is released as soon as no stop string can begin at or before it any more, and never if it belongs
//! to the first stop string that completes. The text up to the match is the same however the bytes arrive.

/// Something that stands for one byte of output.
pub trait Byte {
    /// The byte.
    fn byte(&self) -> u8;
}

impl Byte for u8 {
    fn byte(&self) -> u8 {
        *self
    }
}

/// Holds back what may be the beginning of a stop string.
#[derive(Clone, Debug)]
pub struct StopMatcher<T> {
    stops: Vec<Vec<u8>>,
    held: Vec<T>,
}

/// What one byte brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released<T> {
    /// Bytes that are output now.
    pub items: Vec<T>,
    /// True if a stop string is complete: nothing follows.
    pub stopped: bool,
}

impl<T: Byte> StopMatcher<T> {
    /// Stops at any of `stops`, none of which may be empty.
    #[must_use]
    pub const fn new(stops: Vec<Vec<u8>>) -> Self {
        Self { stops, held: Vec::new() }
    }

    /// Takes one byte.
    pub fn push(&mut self, item: T) -> Released<T> {
        self.held.push(item);
        let held: Vec<u8> = self.held.iter().map(Byte::byte).collect();
        if let Some(matched) = self.matched(&held) {
            self.held.truncate(self.held.len() - matched);
            return Released { items: std::mem::take(&mut self.held), stopped: true };
        }
        let out = self.held.len() - self.begun(&held);
        Released { items: self.held.drain(..out).collect(), stopped: false }
    }

    /// What was held back, when no more bytes come.
    pub fn finish(&mut self) -> Vec<T> {
        std::mem::take(&mut self.held)
    }

    /// Length of the longest stop string that `held` ends with.
    fn matched(&self, held: &[u8]) -> Option<usize> {
        self.stops.iter().filter(|stop| held.ends_with(stop)).map(Vec::len).max()
    }

    /// Length of the longest end of `held` that a stop string begins with.
    fn begun(&self, held: &[u8]) -> usize {
        let begins = |length: &usize| {
            let end = &held[held.len() - length..];
            self.stops.iter().any(|stop| stop.starts_with(end))
        };
        (1..=held.len()).rev().find(begins).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(stops: &[&[u8]], text: &[u8]) -> (Vec<u8>, bool) {
        let mut matcher = StopMatcher::new(stops.iter().map(|stop| stop.to_vec()).collect());
        let mut out = Vec::new();
        for &byte in text {
            let released = matcher.push(byte);
            out.extend(released.items);
            if released.stopped {
                return (out, true);
            }
        }
        out.extend(matcher.finish());
        (out, false)
    }

    /// The definition: the first end of text at which a stop string is complete.
    fn reference(stops: &[&[u8]], text: &[u8]) -> (Vec<u8>, bool) {
        for end in 1..=text.len() {
            let complete = stops.iter().filter(|stop| text[..end].ends_with(stop)).map(|stop| stop.len());
            if let Some(length) = complete.max() {
                return (text[..end - length].to_vec(), true);
            }
        }
        (text.to_vec(), false)
    }

    #[test]
    fn a_false_start_is_released_and_an_overlap_is_found() {
        assert_eq!(run(&[b"\nUser:"], b"a\nUsage\nUser: b"), (b"a\nUsage".to_vec(), true));
        assert_eq!(run(&[b"aab"], b"aaab"), (b"a".to_vec(), true));
        assert_eq!(run(&[b"\nUser:"], b"a\nUs"), (b"a\nUs".to_vec(), false));
    }

    #[test]
    fn bytes_that_cannot_be_part_of_a_stop_are_not_delayed() {
        let mut matcher = StopMatcher::new(vec![b"xyz".to_vec()]);
        assert_eq!(matcher.push(b'a').items, b"a");
        assert_eq!(matcher.push(b'x').items, b"");
        assert_eq!(matcher.push(b'x').items, b"x");
    }

    proptest! {
        #[test]
        fn any_text_stops_where_the_definition_says(
            stops in prop::collection::vec("[ab]{1,4}", 0..4), text in "[abc]{0,24}",
        ) {
            let stops: Vec<&[u8]> = stops.iter().map(String::as_bytes).collect();
            prop_assert_eq!(run(&stops, text.as_bytes()), reference(&stops, text.as_bytes()));
        }
    }
}
