//! Reads little-endian values from the front of a byte slice. Nothing is allocated before its length is known to be
//! in the file, and every error says what was being read.

use super::error::GgufError;

/// Longest string of a header, in bytes: the largest real ones are chat templates of some ten kilobytes.
pub(super) const STRING_BYTES: u64 = 16 << 20;

/// A position in the file.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> u64 {
        self.bytes.len().saturating_sub(self.at) as u64
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: u64, what: &str) -> Result<&'a [u8], GgufError> {
        let left = self.left();
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let found = end.and_then(|end| self.bytes.get(self.at..end).map(|bytes| (bytes, end)));
        let Some((bytes, end)) = found else {
            let needed = length.saturating_sub(left);
            return Err(GgufError::Truncated { what: what.into(), at: self.bytes.len(), needed });
        };
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, what)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count that may not be above `limit`.
    pub(super) fn count(&mut self, limit: u64, what: &str) -> Result<u64, GgufError> {
        let value = self.u64(what)?;
        if value > limit {
            return Err(GgufError::Limit { what: what.into(), value, limit });
        }
        Ok(value)
    }

    /// A string's bytes, which need not be UTF-8: a token may be a part of a character.
    pub(super) fn raw_string(&mut self, what: &str) -> Result<&'a [u8], GgufError> {
        let length = self.u64(what)?;
        if length > self.left() {
            let needed = length.saturating_sub(self.left());
            return Err(GgufError::Truncated { what: what.into(), at: self.bytes.len(), needed });
        }
        if length > STRING_BYTES {
            let what = format!("the length of {what}");
            return Err(GgufError::Limit { what, value: length, limit: STRING_BYTES });
        }
        self.take(length, what)
    }

    /// A name: UTF-8, not empty, of at most `limit` bytes, without control characters.
    pub(super) fn name(&mut self, limit: u64, what: &str) -> Result<&'a str, GgufError> {
        let bytes = self.raw_string(what)?;
        if bytes.len() as u64 > limit {
            let what = format!("the length of {what}");
            return Err(GgufError::Limit { what, value: bytes.len() as u64, limit });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => Ok(text),
            _ => Err(GgufError::key(
                &String::from_utf8_lossy(bytes).escape_debug().to_string(),
                format!("{what} is empty or not plain text"),
            )),
        }
    }
}
