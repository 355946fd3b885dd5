//! Text out of bytes, cut at character boundaries.
//!
//! Invariant: the pieces put together are what `String::from_utf8_lossy` makes of all the bytes: a piece never ends
//! inside a character, and what is no UTF-8 becomes U+FFFD.

/// Holds back the bytes of a character that is not complete yet.
#[derive(Clone, Debug, Default)]
pub struct Utf8Cutter {
    /// At most three bytes: a prefix of one character.
    pending: Vec<u8>,
}

impl Utf8Cutter {
    /// Takes one byte and returns the text that is complete now.
    pub fn push(&mut self, byte: u8) -> String {
        self.pending.push(byte);
        let mut text = String::new();
        loop {
            let error = match std::str::from_utf8(&self.pending) {
                Ok(complete) => {
                    text.push_str(complete);
                    self.pending.clear();
                    return text;
                }
                Err(error) => error,
            };
            let valid = error.valid_up_to();
            text.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
            let Some(wrong) = error.error_len() else {
                self.pending.drain(..valid);
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            self.pending.drain(..valid + wrong);
        }
    }

    /// What is left when no more bytes come.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(bytes: &[u8]) -> String {
        let mut cutter = Utf8Cutter::default();
        let mut text: String = bytes.iter().map(|&byte| cutter.push(byte)).collect();
        text.push_str(&cutter.finish());
        text
    }

    #[test]
    fn a_character_comes_with_its_last_byte() {
        let mut cutter = Utf8Cutter::default();
        let pieces: Vec<String> = "é€".bytes().map(|byte| cutter.push(byte)).collect();
        assert_eq!(pieces, ["", "é", "", "", "€"]);
        assert_eq!(cutter.push(0xE2), "");
        assert_eq!(cutter.push(b'x'), "\u{FFFD}x");
    }

    proptest! {
        #[test]
        fn pieces_make_the_lossy_text(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(cut(&bytes), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn valid_text_comes_through(text in "\\PC{0,32}") {
            prop_assert_eq!(cut(text.as_bytes()), text);
        }
    }
}
