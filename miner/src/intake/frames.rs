//! The lengths that gRPC puts before its messages: a byte that says whether the message is compressed, and four of length,
//! big end first. The bytes come in pieces of any size.

/// Bytes before each message.
const HEADER: usize = 5;

/// Where a request's body has got to.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER],
    have: usize,
    left: usize,
    messages: usize,
}

impl Frames {
    /// Follows the next bytes; returns the lengths of the messages that begin in them.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Vec<usize> {
        let mut begun = Vec::new();
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            let taken = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER {
                let [_, a, b, c, d] = self.header;
                // Above what a usize holds nothing could be taken anyway.
                self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
                self.have = 0;
                self.messages += 1;
                begun.push(self.left);
            }
        }
        begun
    }

    /// Messages that have begun.
    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    /// Whether no message is under way.
    pub(super) const fn is_between(&self) -> bool {
        self.left == 0 && self.have == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
        bytes.extend(vec![7; length]);
        bytes
    }

    #[test]
    fn lengths_are_found_however_the_bytes_are_cut() {
        let lengths = [3, 0, 70_000, 1];
        let bytes: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
        for piece in [1, 2, 5, 6, 16_384, bytes.len()] {
            let mut frames = Frames::default();
            let found: Vec<usize> = bytes.chunks(piece).flat_map(|part| frames.follow(part)).collect();
            assert_eq!(found, lengths, "in pieces of {piece}");
            assert!(frames.is_between() && frames.messages() == 4);
        }
        let mut frames = Frames::default();
        frames.follow(&bytes[..bytes.len() - 1]);
        assert!(!frames.is_between(), "a byte is missing");
        let mut frames = Frames::default();
        assert_eq!(frames.follow(&[0, 255, 255, 255, 255, 1]), [u32::MAX as usize]);
        assert!(!frames.is_between());
    }
}
