//! `acumen.chain.v1`: headers, certificates, blocks.

use acumen_protocol::codec::{DecodeError, Encode, decode_all};
pub use acumen_protocol::finality::{FinalizedBlock, SignedHeader};
use acumen_protocol::limits::{MAX_BLOCK_TRANSACTIONS, MAX_CONSENSUS_VALIDATORS};
use acumen_protocol::merkle::{MAX_PATH, MerkleProof};
use acumen_protocol::{
    Certificate, ConsensusPublic, ConsensusSignature, Hash, Header, Height, SignedTransaction, ValidatorSet,
};

use crate::error::bytes;
use crate::{WireError, chain_v1 as wire};

/// Reads a hash field.
pub fn hash(field: &'static str, value: &[u8]) -> Result<Hash, WireError> {
    bytes(field, value).map(Hash)
}

fn scale(field: &'static str, error: &DecodeError) -> WireError {
    WireError::new(field, error)
}

impl From<Certificate> for wire::Certificate {
    fn from(certificate: Certificate) -> Self {
        let signatures = certificate.signatures.into_iter().map(|(voter, signature)| wire::CommitSignature {
            voter: voter.0.to_vec(),
            signature: signature.0.to_vec(),
        });
        Self {
            height: certificate.height.get(),
            round: certificate.round,
            block: certificate.block.0.to_vec(),
            signatures: signatures.collect(),
        }
    }
}

impl TryFrom<wire::Certificate> for Certificate {
    type Error = WireError;

    fn try_from(message: wire::Certificate) -> Result<Self, WireError> {
        let count = message.signatures.len();
        if count > MAX_CONSENSUS_VALIDATORS {
            let reason = format!("has {count} entries, at most {MAX_CONSENSUS_VALIDATORS} are possible");
            return Err(WireError::new("certificate.signatures", reason));
        }
        let signatures = message.signatures.iter().map(|commit| {
            let voter = ConsensusPublic(bytes("certificate.signatures.voter", &commit.voter)?);
            Ok((voter, ConsensusSignature(bytes("certificate.signatures.signature", &commit.signature)?)))
        });
        Ok(Self {
            height: Height::new(message.height),
            round: message.round,
            block: hash("certificate.block", &message.block)?,
            signatures: signatures.collect::<Result<_, WireError>>()?,
        })
    }
}

impl From<SignedHeader> for wire::SignedHeader {
    fn from(signed: SignedHeader) -> Self {
        Self {
            header_scale: signed.header.encode(),
            certificate: signed.certificate.map(Into::into),
            next_validators_scale: signed.next_validators.map(|set| set.encode()).unwrap_or_default(),
        }
    }
}

impl TryFrom<wire::SignedHeader> for SignedHeader {
    type Error = WireError;

    fn try_from(message: wire::SignedHeader) -> Result<Self, WireError> {
        let header: Header =
            decode_all("header", &message.header_scale).map_err(|error| scale("header_scale", &error))?;
        let certificate = message.certificate.map(Certificate::try_from).transpose()?;
        if certificate.is_none() && header.height != Height::ZERO {
            return Err(WireError::missing("certificate"));
        }
        let next_validators = match message.next_validators_scale.as_slice() {
            [] => None,
            encoded => Some(validator_set(encoded)?),
        };
        Ok(Self { header, certificate, next_validators })
    }
}

/// Reads a validator set and checks that it is one.
pub fn validator_set(encoded: &[u8]) -> Result<ValidatorSet, WireError> {
    const FIELD: &str = "validators_scale";
    let set: ValidatorSet = decode_all("validator set", encoded).map_err(|error| scale(FIELD, &error))?;
    set.check().map_err(|error| WireError::new(FIELD, error))?;
    Ok(set)
}

impl From<MerkleProof> for wire::MerkleProof {
    fn from(proof: MerkleProof) -> Self {
        let path = proof.path.into_iter().map(|hash| hash.0.to_vec()).collect();
        Self { index: proof.index, count: proof.count, path }
    }
}

impl TryFrom<wire::MerkleProof> for MerkleProof {
    type Error = WireError;

    fn try_from(message: wire::MerkleProof) -> Result<Self, WireError> {
        let length = message.path.len();
        if length > MAX_PATH {
            return Err(WireError::new("proof.path", format!("has {length} entries, at most {MAX_PATH}")));
        }
        let path = message.path.iter().map(|hash| bytes("proof.path", hash).map(Hash));
        Ok(Self { index: message.index, count: message.count, path: path.collect::<Result<_, _>>()? })
    }
}

impl From<FinalizedBlock> for wire::GetBlockResponse {
    fn from(block: FinalizedBlock) -> Self {
        Self {
            header: Some(block.signed.into()),
            transactions_scale: block.transactions.iter().map(SignedTransaction::to_bytes).collect(),
            events_scale: block.events,
        }
    }
}

impl TryFrom<wire::GetBlockResponse> for FinalizedBlock {
    type Error = WireError;

    fn try_from(message: wire::GetBlockResponse) -> Result<Self, WireError> {
        const FIELD: &str = "transactions_scale";
        let count = message.transactions_scale.len();
        if count > MAX_BLOCK_TRANSACTIONS {
            return Err(WireError::new(
                FIELD,
                format!("has {count} entries, at most {MAX_BLOCK_TRANSACTIONS}"),
            ));
        }
        let transactions = message.transactions_scale.iter();
        let transactions = transactions
            .map(|bytes| SignedTransaction::from_bytes(bytes).map_err(|error| WireError::new(FIELD, error)))
            .collect::<Result<_, _>>()?;
        let signed = message.header.ok_or_else(|| WireError::missing("header"))?.try_into()?;
        Ok(Self { signed, transactions, events: message.events_scale })
    }
}

#[cfg(test)]
mod tests;
