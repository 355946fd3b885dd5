//! A validator that has lost what it knew of its votes does not vote at the heights that they may have been about, however
//! often it is started.

use std::time::Duration;

use super::faults::simulate;
use super::{Cluster, equal};
use crate::log::Log;

/// What is done to the log of votes of a node that is down.
fn flip(cluster: &Cluster, index: usize) {
    let path = cluster.log(index);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    assert!(last > 30, "it holds records");
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

fn remove(cluster: &Cluster, index: usize) {
    std::fs::remove_file(cluster.log(index)).unwrap();
}

fn shorten(cluster: &Cluster, index: usize) {
    let bytes = std::fs::read(cluster.log(index)).unwrap();
    std::fs::write(cluster.log(index), &bytes[..12]).unwrap();
}

/// Two of four stand still at a height in which both have voted; one of them loses its log, and is killed while it waits.
fn sits_out_however_often_it_is_killed(damage: fn(&Cluster, usize)) {
    simulate(async {
        let mut cluster = Cluster::new(8, 4, |_| equal(4));
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3], 4, Duration::from_secs(20)).await);
        cluster.crash(2).await;
        cluster.crash(3).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let halted = cluster.history.highest() + 1;
        let voted = cluster.hub.votes(0, halted..=halted);
        assert!(voted > 0, "it has voted at height {halted}");
        cluster.crash(0).await;
        damage(&cluster, 0);
        for _ in 0..3 {
            cluster.start(0).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            cluster.crash(0).await;
            assert_eq!(cluster.hub.votes(0, halted..=halted), voted, "it does not vote again");
        }
        cluster.start(0).await;
        cluster.start(2).await;
        cluster.start(3).await;
        assert!(
            cluster.reach(&[0, 1, 2, 3], halted + 6, Duration::from_secs(30)).await,
            "{:?}",
            cluster.tips()
        );
        assert_eq!(cluster.hub.votes(0, halted..=halted), voted, "nor when the others go on");
        assert!(cluster.hub.votes(0, halted + 1..=u64::MAX) > 0, "but afterwards");
        cluster.stop_all().await;
        assert!(!Log::open(&cluster.log(0)).unwrap().damaged());
    });
}

#[test]
fn who_finds_its_log_damaged_sits_out_however_often_it_is_killed() {
    sits_out_however_often_it_is_killed(flip);
}

#[test]
fn who_misses_its_log_sits_out_however_often_it_is_killed() {
    sits_out_however_often_it_is_killed(remove);
    sits_out_however_often_it_is_killed(shorten);
}

#[test]
fn who_restores_an_older_chain_votes_at_no_height_of_its_log() {
    simulate(async {
        let mut cluster = Cluster::new(9, 4, |_| equal(4));
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3], 12, Duration::from_secs(30)).await);
        cluster.crash(0).await;
        let newest = Log::open(&cluster.log(0)).unwrap().height();
        assert!(newest >= 12);
        let voted = cluster.hub.votes(0, 6..=newest);
        cluster.app(0).rewind(5);
        // Alone, it would vote for nothing at the heights that it has forgotten.
        cluster.hub.split(&[0]);
        cluster.start(0).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(cluster.hub.votes(0, 6..=newest), voted, "it does not vote again");
        cluster.hub.heal();
        let goal = cluster.history.highest() + 4;
        assert!(cluster.reach(&[0, 1, 2, 3], goal, Duration::from_secs(30)).await, "{:?}", cluster.tips());
        assert_eq!(cluster.hub.votes(0, 6..=newest), voted, "nor when it has caught up");
        cluster.stop_all().await;
    });
}

#[test]
fn an_operator_can_let_it_vote_where_no_quorum_can_do_without_it() {
    simulate(async {
        let mut cluster = Cluster::new(11, 3, |_| equal(3));
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2], 4, Duration::from_secs(20)).await);
        cluster.crash(0).await;
        remove(&cluster, 0);
        cluster.start(0).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let halted = cluster.history.highest();
        cluster.crash(0).await;
        let anyway = cluster.log(0).with_file_name("vote-anyway");
        std::fs::write(&anyway, []).unwrap();
        cluster.start(0).await;
        assert!(cluster.reach(&[0, 1, 2], halted + 4, Duration::from_secs(20)).await, "{:?}", cluster.tips());
        assert!(!anyway.exists(), "said once, meant once");
        cluster.stop_all().await;
    });
}

#[test]
fn one_that_decides_alone_goes_on_whatever_its_log_says() {
    simulate(async {
        let mut cluster = Cluster::new(10, 1, |_| equal(1));
        for damage in [flip as fn(&Cluster, usize), remove, shorten] {
            cluster.start(0).await;
            let goal = cluster.history.highest() + 3;
            assert!(cluster.reach(&[0], goal, Duration::from_secs(10)).await);
            cluster.crash(0).await;
            damage(&cluster, 0);
        }
        cluster.start(0).await;
        let goal = cluster.history.highest() + 3;
        assert!(cluster.reach(&[0], goal, Duration::from_secs(10)).await);
        cluster.stop_all().await;
    });
}
