//! Keys of a localnet: derived from its seed and the owner's name, so that a seed always gives the same addresses.
//! They protect nothing: anybody can derive them.

use acumen_protocol::keyfile::StoredKey;
use acumen_protocol::{ConsensusKeypair, Hash};

use crate::wallet::Role;

/// The key that `name` uses as `role`.
pub(crate) fn wallet_key(seed: u64, name: &str, role: Role) -> StoredKey {
    StoredKey::from_seed(derive(seed, name, if role == Role::Coldkey { "coldkey" } else { "hotkey" }))
}

/// The consensus key of node `name`.
pub(crate) fn consensus_key(seed: u64, name: &str) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&derive(seed, name, "consensus"))
}

/// The seed of the key by which node `name` is known among the peers that gossip.
pub(crate) fn gossip_seed(seed: u64, name: &str) -> [u8; 32] {
    derive(seed, name, "gossip")
}

fn derive(seed: u64, name: &str, purpose: &str) -> [u8; 32] {
    Hash::of_encoded(&("acumen/localnet-key/1", seed, name, purpose)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_purpose_and_seed_has_its_own_key() {
        let address = |seed, name, role| wallet_key(seed, name, role).keypair().account();
        let base = address(0, "miner-0", Role::Hotkey);
        assert_eq!(base, address(0, "miner-0", Role::Hotkey));
        assert_ne!(base, address(1, "miner-0", Role::Hotkey));
        assert_ne!(base, address(0, "miner-1", Role::Hotkey));
        assert_ne!(base, address(0, "miner-0", Role::Coldkey));
    }
}
