//! Accounts: sr25519 public keys, shown as SS58 addresses with prefix 42.

use core::fmt;
use core::str::FromStr;

use parity_scale_codec::{Decode, Encode, MaxEncodedLen};
use sp_core::crypto::{AccountId32, Ss58AddressFormat, Ss58Codec};

/// The SS58 prefix of every address: the generic Substrate one, as Bittensor uses it.
pub const SS58_PREFIX: u16 = 42;

/// A coldkey or hotkey: 32 bytes of an sr25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen)]
pub struct AccountId(pub [u8; 32]);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no address: expected SS58 with prefix {SS58_PREFIX} (48 characters that start with 5), {reason}"
)]
pub struct ParseAccountError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl AccountId {
    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &AccountId32::new(self.0).to_ss58check_with_version(Ss58AddressFormat::custom(SS58_PREFIX)),
        )
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = ParseAccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: String| ParseAccountError { text: text.to_owned(), reason };
        let (account, format) =
            AccountId32::from_ss58check_with_version(text).map_err(|error| refuse(format!("{error:?}")))?;
        if u16::from(format) != SS58_PREFIX {
            return Err(refuse(format!("this one has prefix {}", u16::from(format))));
        }
        Ok(Self(account.into()))
    }
}

impl serde::Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Substrate's well-known development account.
    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn addresses_round_trip() {
        let alice: AccountId = ALICE.parse().unwrap();
        assert_eq!(alice.to_string(), ALICE);
        assert_eq!(hex::encode(alice.0), "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d");
    }

    #[test]
    fn wrong_addresses_are_refused() {
        let polkadot = AccountId32::new([7; 32]).to_ss58check_with_version(Ss58AddressFormat::custom(0));
        for text in ["", "5Grwva", &ALICE.replace('K', "L"), &polkadot] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }
}
