//! The id of a request, the same at every hop: whoever takes a question in names it, and every call that is made to
//! answer it carries the name on (`x-request-id`, as HTTP proxies do).
//!
//! Invariant: a [`RequestId`] is 1 to 128 visible ASCII characters, so that it can stand in a log line and in metadata.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The metadata field, and the HTTP header of the same name.
pub const X_REQUEST_ID: &str = "x-request-id";

/// Longest id that is taken over: it goes into logs.
pub const MAX_REQUEST_ID_BYTES: usize = 128;

/// Names a request in logs and metadata. Not a secret, and no proof of anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(MetadataValue<Ascii>);

impl RequestId {
    /// An id that no other process and no other request has, to all appearances.
    #[must_use]
    pub fn fresh() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = format!("{:016x}-{:x}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed));
        // Hexadecimal digits and a dash: always sound.
        Self::parse(id.as_bytes()).unwrap_or_else(|| Self(MetadataValue::from_static("none")))
    }

    /// The id that somebody else chose, if it can stand in a log.
    #[must_use]
    pub fn parse(id: &[u8]) -> Option<Self> {
        let sound = !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.iter().all(u8::is_ascii_graphic);
        sound.then(|| MetadataValue::try_from(id).ok().map(Self)).flatten()
    }

    /// The caller's id, or a fresh one if it sent none that is sound.
    #[must_use]
    pub fn parse_or_fresh(id: Option<&[u8]>) -> Self {
        id.and_then(Self::parse).unwrap_or_else(Self::fresh)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// Adds it to a request's metadata.
    pub fn insert(&self, metadata: &mut MetadataMap) {
        metadata.insert(X_REQUEST_ID, self.0.clone());
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_spoil_a_log_are_replaced() {
        let longest = [b'x'; MAX_REQUEST_ID_BYTES];
        for sound in [&b"a-1"[..], &longest] {
            assert_eq!(RequestId::parse_or_fresh(Some(sound)).as_str().as_bytes(), sound);
        }
        for bad in [&b""[..], b"a b", b"\xff", b"a\nb", &[b'x'; MAX_REQUEST_ID_BYTES + 1]] {
            assert_eq!(RequestId::parse(bad), None, "{bad:?}");
        }
        let fresh = RequestId::parse_or_fresh(None);
        assert_ne!(fresh, RequestId::fresh());
        assert_eq!(RequestId::parse(fresh.as_str().as_bytes()), Some(fresh));
    }

    #[test]
    fn metadata_carry_it() {
        let mut metadata = MetadataMap::new();
        let id = RequestId::fresh();
        id.insert(&mut metadata);
        assert_eq!(metadata.get(X_REQUEST_ID).unwrap().to_str().unwrap(), id.as_str());
    }
}
