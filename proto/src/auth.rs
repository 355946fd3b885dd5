//! Request authentication as gRPC metadata.

use acumen_protocol::auth::{AuthError, AuthHeaders};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// Adds the signature's fields to a request's metadata.
pub fn insert(metadata: &mut MetadataMap, headers: &AuthHeaders) {
    for (key, value) in headers.to_pairs() {
        // Addresses, digits and hex only: always ASCII.
        if let Ok(value) = value.parse::<MetadataValue<Ascii>>() {
            metadata.insert(key, value);
        }
    }
}

/// Reads and shape-checks the signature's fields.
pub fn extract(metadata: &MetadataMap) -> Result<AuthHeaders, AuthError> {
    AuthHeaders::from_metadata(|key| {
        metadata.get_all(key).iter().map(|value| value.to_str().unwrap_or_default()).collect()
    })
}

/// The gRPC status of a refusal: UNAUTHENTICATED, but UNAVAILABLE if our own store of nonces failed.
#[must_use]
pub fn status(error: &AuthError) -> Status {
    let code =
        if matches!(error, AuthError::Store { .. }) { Code::Unavailable } else { Code::Unauthenticated };
    Status::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use acumen_protocol::Keypair;

    use super::*;

    #[test]
    fn metadata_round_trips() {
        let receiver = Keypair::from_seed(&[2; 32]).account();
        let headers =
            AuthHeaders::sign(&Keypair::from_seed(&[1; 32]), receiver, crate::PREDICT_PATH, b"x", 7);
        let mut metadata = MetadataMap::new();
        insert(&mut metadata, &headers);
        assert_eq!(extract(&metadata), Ok(headers));
        metadata.append("acumen-auth-nonce", "8".parse().unwrap());
        assert_eq!(status(&extract(&metadata).unwrap_err()).code(), Code::Unauthenticated);
    }
}
