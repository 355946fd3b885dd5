//! Signed transactions. The signature covers the genesis hash (so that one chain's transaction means nothing on
//! another), the sender, its nonce, an expiry height and the call.

use parity_scale_codec::{Decode, Encode};

use crate::codec::{DecodeError, decode_all};
use crate::domain::Domain;
use crate::limits::MAX_TRANSACTION_BYTES;
use crate::{AccountId, Call, Hash, Height, Keypair, Nacu, Nonce, Signature};

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transaction {
    /// Hash of the chain's genesis: see [`crate::block::Header`].
    pub genesis: Hash,
    /// Who asks and signs.
    pub sender: AccountId,
    /// Exactly the number of transactions that `sender` has sent before.
    pub nonce: Nonce,
    /// Last height at which the transaction may be included: a stuck one dies instead of surprising its sender later.
    pub valid_until: Height,
    /// Added to the fee by choice, to stand before others in a full block; compact, so that none costs one byte.
    #[codec(compact)]
    pub tip: Nacu,
    /// The request.
    pub call: Call,
}

/// A transaction with its sender's signature, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedTransaction {
    transaction: Transaction,
    signature: Signature,
}

/// Why bytes are no transaction of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// Above [`MAX_TRANSACTION_BYTES`].
    #[error("transaction of {size} bytes, at most {MAX_TRANSACTION_BYTES} are allowed")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// Not canonical SCALE.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Signed for another chain.
    #[error(
        "signed for the chain with genesis {found}, this is {expected}: point the command at the right node"
    )]
    WrongChain {
        /// Genesis in the transaction.
        found: Hash,
        /// Genesis of this chain.
        expected: Hash,
    },
    /// The signature is not the sender's.
    #[error("the signature is not {sender}'s over this transaction: sign it again with that key")]
    BadSignature {
        /// The claimed sender.
        sender: AccountId,
    },
}

impl Transaction {
    /// Signs with the sender's key. `key` must be `self.sender`'s, or the result will not verify.
    #[must_use]
    pub fn sign(self, key: &Keypair) -> SignedTransaction {
        let signature = key.sign_in(Domain::Transaction, &self);
        SignedTransaction { transaction: self, signature }
    }
}

impl SignedTransaction {
    /// The canonical bytes, as they stand in a block and on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    /// The transaction's identifier: the hash of its bytes.
    #[must_use]
    pub fn id(&self) -> Hash {
        Hash::of_encoded(self)
    }

    /// What was signed, unchecked: for display only.
    #[must_use]
    pub const fn unverified(&self) -> &Transaction {
        &self.transaction
    }

    /// Reads bytes from a stranger: size, encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TransactionError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLarge { size: bytes.len() });
        }
        Ok(decode_all("signed transaction", bytes)?)
    }

    /// Checks chain and signature. Only a [`VerifiedTransaction`] can be applied.
    pub fn verify(self, genesis: &Hash) -> Result<VerifiedTransaction, TransactionError> {
        self.check_chain(genesis)?;
        let sender = self.transaction.sender;
        if !self.signature.verify_in(Domain::Transaction, &self.transaction, &sender) {
            return Err(TransactionError::BadSignature { sender });
        }
        Ok(self.into_verified())
    }

    /// Checks many, in their order. `all_hold` is asked once whether all of some signatures (signer, message, signature) are
    /// right, which can be found out at less cost than for each; it must not say so of a set with a wrong one. If it says no,
    /// each transaction is checked alone.
    pub fn verify_together(
        transactions: Vec<Self>,
        genesis: &Hash,
        all_hold: impl FnOnce(Vec<(AccountId, Vec<u8>, Signature)>) -> bool,
    ) -> Vec<Result<VerifiedTransaction, TransactionError>> {
        let claim = |signed: &Self| {
            let message = Domain::Transaction.preimage(&signed.transaction);
            (signed.transaction.sender, message, signed.signature)
        };
        let here = transactions.iter().filter(|signed| signed.check_chain(genesis).is_ok());
        let claims: Vec<_> = here.map(claim).collect();
        let together = claims.len() > 1 && all_hold(claims);
        let check = |signed: Self| {
            if !together {
                return signed.verify(genesis);
            }
            signed.check_chain(genesis)?;
            Ok(signed.into_verified())
        };
        transactions.into_iter().map(check).collect()
    }

    fn check_chain(&self, genesis: &Hash) -> Result<(), TransactionError> {
        let found = self.transaction.genesis;
        if found == *genesis {
            Ok(())
        } else {
            Err(TransactionError::WrongChain { found, expected: *genesis })
        }
    }

    fn into_verified(self) -> VerifiedTransaction {
        VerifiedTransaction { id: self.id(), size: self.encoded_size(), transaction: self.transaction }
    }
}

/// A transaction whose chain and signature were checked. The fields are private so that there is no other way to get
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction {
    id: Hash,
    size: usize,
    transaction: Transaction,
}

impl VerifiedTransaction {
    /// Hash of the signed bytes.
    #[must_use]
    pub const fn id(&self) -> Hash {
        self.id
    }

    /// Size of the signed bytes, for the fee.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The checked content.
    #[must_use]
    pub const fn get(&self) -> &Transaction {
        &self.transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrackId;

    fn sample(key: &Keypair) -> Transaction {
        let call = Call::Transfer { to: AccountId([7; 32]), amount: Nacu::new(5) };
        Transaction {
            genesis: Hash([1; 32]),
            sender: key.account(),
            nonce: Nonce::new(3),
            valid_until: Height::new(100),
            tip: Nacu::ZERO,
            call,
        }
    }

    #[test]
    fn a_signed_transaction_survives_the_wire() {
        let key = Keypair::from_seed(&[4; 32]);
        let signed = sample(&key).sign(&key);
        let read = SignedTransaction::from_bytes(&signed.to_bytes()).unwrap();
        let verified = read.verify(&Hash([1; 32])).unwrap();
        assert_eq!(verified.get(), &sample(&key));
        assert_eq!(verified.id(), Hash::of(&signed.to_bytes()));
    }

    #[test]
    fn every_field_is_under_the_signature() {
        let key = Keypair::from_seed(&[4; 32]);
        let signed = sample(&key).sign(&key);
        let changes: [fn(&mut Transaction); 5] = [
            |tx| tx.sender = AccountId([9; 32]),
            |tx| tx.nonce = Nonce::new(4),
            |tx| tx.valid_until = Height::new(101),
            |tx| tx.tip = Nacu::new(1),
            |tx| {
                tx.call =
                    Call::Register { track: TrackId::ZERO, hotkey: AccountId([7; 32]), max_price: Nacu::ZERO }
            },
        ];
        for change in changes {
            let mut forged = signed.clone();
            change(&mut forged.transaction);
            assert!(matches!(forged.verify(&Hash([1; 32])), Err(TransactionError::BadSignature { .. })));
        }
        assert!(matches!(signed.verify(&Hash([2; 32])), Err(TransactionError::WrongChain { .. })));
    }

    #[test]
    fn many_are_checked_as_each_is() {
        let (key, genesis) = (Keypair::from_seed(&[4; 32]), Hash([1; 32]));
        let good = sample(&key).sign(&key);
        let mut forged = good.clone();
        forged.transaction.nonce = Nonce::new(9);
        let elsewhere = Transaction { genesis: Hash([2; 32]), ..sample(&key) }.sign(&key);
        let hold = |claims: Vec<(AccountId, Vec<u8>, Signature)>| {
            claims.iter().all(|(signer, message, signature)| signature.verify(message, signer))
        };
        for set in
            [vec![good.clone(), forged.clone(), elsewhere.clone()], vec![good.clone(), elsewhere, good]]
        {
            let alone: Vec<_> = set.iter().map(|signed| signed.clone().verify(&genesis)).collect();
            assert_eq!(SignedTransaction::verify_together(set, &genesis, hold), alone);
        }
        // What is not asked about cannot be let through: one alone is always checked here.
        let one = SignedTransaction::verify_together(vec![forged], &genesis, |_| true);
        assert!(matches!(one.as_slice(), [Err(TransactionError::BadSignature { .. })]));
    }

    #[test]
    fn a_tip_is_compact_and_has_one_encoding() {
        let key = Keypair::from_seed(&[4; 32]);
        let without = sample(&key).encode();
        // genesis, sender, nonce and valid_until, then the tip
        assert_eq!(without[32 + 32 + 8 + 8], 0, "none is one zero byte");
        let with = Transaction { tip: Nacu::new(1 << 40), ..sample(&key) };
        assert_eq!(decode_all::<Transaction>("transaction", &with.encode()), Ok(with));
        let mut wasteful = without;
        // The two-byte form of zero.
        wasteful.splice(80..81, [1, 0]);
        assert!(decode_all::<Transaction>("transaction", &wasteful).is_err());
    }

    #[test]
    fn trailing_or_missing_bytes_are_refused() {
        let key = Keypair::from_seed(&[4; 32]);
        let mut bytes = sample(&key).sign(&key).to_bytes();
        assert!(SignedTransaction::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        bytes.push(0);
        assert!(SignedTransaction::from_bytes(&bytes).is_err());
    }
}
