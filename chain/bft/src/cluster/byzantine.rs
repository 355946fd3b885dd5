//! One validator of four lies, each time in another way: the others agree, go on, and can prove what can be proven.

use std::sync::atomic::Ordering;
use std::time::Duration;

use acumen_protocol::Equivocation;

use super::faults::simulate;
use super::{Cluster, Vice, equal, key};
use crate::types::{At, Members};

const HONEST: [usize; 3] = [0, 1, 2];
const LIAR: usize = 3;

/// Runs four nodes of which one lies until the others have 24 blocks. Safety is checked at every commit.
async fn with_liar(vice: Vice) -> Cluster {
    let mut cluster = Cluster::new(7, 4, |_| equal(4));
    cluster.hub.corrupt(LIAR, vice.clone());
    cluster.start_all().await;
    let reached = cluster.reach(&HONEST, 24, Duration::from_secs(90)).await;
    assert!(reached, "{vice:?}: {:?}", cluster.tips());
    cluster
}

#[test]
fn a_proposer_that_withholds_its_blocks_loses_its_turns() {
    simulate(async {
        let mut cluster = with_liar(Vice::Withholds).await;
        let liar = key(LIAR).public();
        let blocks = cluster.app(0).blocks();
        assert!(blocks.iter().all(|(block, _)| block.header.proposer != liar));
        assert!(cluster.history.accused().is_empty(), "silence proves nothing");
        cluster.stop_all().await;
    });
}

#[test]
fn a_proposer_that_sends_garbage_loses_its_turns() {
    simulate(async {
        let mut cluster = with_liar(Vice::SendsGarbage).await;
        let liar = key(LIAR).public();
        assert!(cluster.app(0).blocks().iter().all(|(block, _)| block.header.proposer != liar));
        assert!(HONEST.iter().all(|index| cluster.app(*index).garbage.load(Ordering::Relaxed) > 0));
        cluster.stop_all().await;
    });
}

#[test]
fn a_proposer_of_two_blocks_splits_nobody() {
    simulate(async {
        let mut cluster = with_liar(Vice::ProposesTwice(key(LIAR))).await;
        cluster.stop_all().await;
    });
}

#[test]
fn a_proposer_of_two_blocks_is_convicted_by_whoever_hears_both() {
    simulate(async {
        let mut cluster = with_liar(Vice::AnnouncesTwice(key(LIAR))).await;
        let accused = cluster.history.accused();
        assert!(accused.iter().any(|proof| matches!(proof, Equivocation::Proposals(..))), "{accused:?}");
        assert!(accused.iter().all(|proof| proof.offender() == key(LIAR).public()));
        cluster.stop_all().await;
    });
}

#[test]
fn a_voter_for_two_things_is_convicted() {
    simulate(async {
        let mut cluster = with_liar(Vice::VotesTwice(key(LIAR))).await;
        let accused = cluster.history.accused();
        assert!(accused.iter().any(|proof| matches!(proof, Equivocation::Votes(..))), "{accused:?}");
        assert!(
            accused.iter().all(|proof| proof.offender() == key(LIAR).public()),
            "only the liar is accused"
        );
        cluster.stop_all().await;
    });
}

#[test]
fn a_proposer_from_the_far_future_cannot_use_up_all_time() {
    simulate(async {
        let mut cluster = with_liar(Vice::Hurries(key(LIAR))).await;
        let blocks = cluster.app(0).blocks();
        assert!(blocks.iter().all(|(block, _)| block.header.time.get() < u64::MAX / 4));
        assert!(HONEST.iter().all(|index| cluster.app(*index).refused.load(Ordering::Relaxed) > 0));
        cluster.stop_all().await;
    });
}

#[test]
fn who_forges_the_blocks_of_others_stops_nobody() {
    simulate(async {
        let mut cluster = with_liar(Vice::Forges(key(LIAR))).await;
        // It signs for its own turns, too, and so uses up its own places; nobody else loses a round.
        let set = Members::from(&equal(4));
        for (block, certificate) in cluster.app(0).blocks() {
            let height = block.header.height;
            if set.proposer(At::from(height), 0).key() != key(LIAR).public() {
                assert_eq!(certificate.round, 0, "a round was lost at height {height}");
            }
        }
        cluster.stop_all().await;
    });
}

#[test]
fn a_block_that_is_sent_again_and_again_is_executed_once() {
    simulate(async {
        let mut cluster = with_liar(Vice::Repeats).await;
        for index in HONEST {
            let (height, executed) =
                (cluster.app(index).height(), cluster.app(index).executed.load(Ordering::Relaxed));
            assert!(executed <= 2 * height, "node {index} executed {executed} blocks for {height} heights");
        }
        cluster.stop_all().await;
    });
}
