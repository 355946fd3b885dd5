//! Fake miners as the chain lists them.

use std::sync::Arc;

use acumen_miner_testing::{Behaviour, FakeMiner, NGram};
use acumen_protocol::{Height, Uid};
use acumen_validator::Miner;

/// Starts a miner; it ends with the test's runtime. The lower its uid, the earlier it registered.
pub async fn start(uid: u16, model: Arc<NGram>, behaviour: Behaviour) -> (Miner, FakeMiner) {
    let fake = FakeMiner::start(uid as u8 + 1, model, behaviour).await;
    let miner = Miner {
        uid: Uid::new(uid),
        hotkey: fake.hotkey,
        registered_at: Height::new(u64::from(uid)),
        endpoint: fake.endpoint(),
    };
    (miner, fake)
}
