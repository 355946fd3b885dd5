//! What a node knows of miners' records ([`acumen_protocol::miner_record`]): where in Kademlia they lie, and which it keeps.

pub mod shelf;

use acumen_protocol::AccountId;

/// What keys in Kademlia begin with; the hotkey follows.
const KEY_PREFIX: &[u8] = b"miner/";

/// The key in Kademlia under which the record of `hotkey` lies.
#[must_use]
pub fn key_of(hotkey: &AccountId) -> Vec<u8> {
    [KEY_PREFIX, hotkey.0.as_slice()].concat()
}

#[cfg(test)]
mod tests;
