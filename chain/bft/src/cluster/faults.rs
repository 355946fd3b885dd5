//! Faults drawn from a seed: no two blocks at a height, no honest voter that contradicts itself, and blocks again after
//! healing.

use std::time::Duration;

use acumen_protocol::{Height, ValidatorSet};

use super::{Cluster, Fault, equal, weighted};

/// How many seeds a test runs: a few here, as many as `ACUMEN_SEEDS` says elsewhere.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let wanted = std::env::var("ACUMEN_SEEDS").ok().and_then(|text| text.parse().ok());
    let first = std::env::var("ACUMEN_FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    first..first + wanted.unwrap_or(few)
}

/// Runs a cluster's future on one thread and the paused clock.
pub(super) fn simulate<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

fn four(_: Height) -> ValidatorSet {
    equal(4)
}

/// Weights and members change every few heights, by one voter at a time.
fn changing(height: Height) -> ValidatorSet {
    let phases = [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 3, 2, 2, 2], [1, 3, 2, 2, 2]];
    weighted(&phases[usize::try_from(height.get() / 7).unwrap() % phases.len()])
}

/// One thing that goes wrong.
async fn disturb(cluster: &mut Cluster) {
    let count = u64::try_from(cluster.len()).unwrap();
    let draw = |bound| cluster.hub.draw(bound);
    let index = usize::try_from(draw(count)).unwrap();
    match draw(10) {
        0..=2 => {
            cluster.crash(index).await;
        }
        3..=4 => {
            let faults = [Fault::AfterPropose, Fault::AfterAssess, Fault::BeforeCommit, Fault::AfterCommit];
            cluster.app(index).crash_at(faults[usize::try_from(draw(4)).unwrap()]);
        }
        5 => cluster.hub.split(&[index]),
        6 => cluster.hub.split(&[index, (index + 1) % cluster.len()]),
        7 => cluster.hub.set_loss(u32::try_from(draw(300)).unwrap()),
        8 => cluster.hub.set_delay(draw(50), 50 + draw(400)),
        _ => cluster.hub.heal(),
    }
}

/// Starts what is down, now and then.
async fn revive(cluster: &mut Cluster, always: bool) {
    cluster.reap().await;
    for index in 0..cluster.len() {
        if !cluster.is_up(index) && (always || cluster.hub.draw(3) == 0) {
            cluster.start(index).await;
        }
    }
}

/// Half a minute of faults, then healing: everybody must get five blocks further.
async fn torment(seed: u64, count: usize, sets: fn(Height) -> ValidatorSet) -> (u64, u64) {
    let mut cluster = Cluster::new(seed, count, sets);
    cluster.start_all().await;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(200 + cluster.hub.draw(1_600))).await;
        disturb(&mut cluster).await;
        revive(&mut cluster, false).await;
    }
    cluster.hub.heal();
    revive(&mut cluster, true).await;
    let everybody: Vec<usize> = (0..count).collect();
    let (before, goal) = (cluster.tips(), cluster.history.highest() + 5);
    let mut reached = false;
    // A crash that was planned before healing may still come.
    for _ in 0..60 {
        reached = cluster.reach(&everybody, goal, Duration::from_secs(2)).await;
        if reached {
            break;
        }
        revive(&mut cluster, true).await;
    }
    let after = cluster.tips();
    assert!(reached, "seed {seed}: from {before:?} only to {after:?} of {goal} in two minutes");
    assert!(cluster.history.accused().is_empty(), "seed {seed}: nobody lied");
    cluster.stop_all().await;
    let lost =
        (0..count).map(|index| cluster.app(index).lost_rounds.load(std::sync::atomic::Ordering::Relaxed));
    (goal, lost.sum())
}

#[test]
fn four_nodes_agree_under_crashes_cuts_losses_and_delays() {
    for seed in seeds(4) {
        let (heights, lost) = simulate(torment(seed, 4, four));
        println!("seed {seed}: {heights} heights, {lost} lost rounds");
    }
}

#[test]
fn a_changing_set_agrees_under_the_same_faults() {
    for seed in seeds(2) {
        let (heights, lost) = simulate(torment(seed, 5, changing));
        println!("seed {seed}: {heights} heights, {lost} lost rounds");
    }
}

#[test]
fn one_node_alone_survives_crashes_at_every_step() {
    simulate(async {
        let mut cluster = Cluster::new(0, 1, |_| equal(1));
        let mut goal = 0;
        for round in 0..3 {
            for fault in [Fault::AfterPropose, Fault::AfterAssess, Fault::BeforeCommit, Fault::AfterCommit] {
                cluster.start(0).await;
                goal = cluster.history.highest() + 2;
                assert!(cluster.reach(&[0], goal, Duration::from_secs(5)).await, "round {round} {fault:?}");
                cluster.app(0).crash_at(fault);
                tokio::time::sleep(Duration::from_secs(2)).await;
                cluster.reap().await;
                cluster.crash(0).await;
            }
        }
        assert!(cluster.history.highest() >= goal);
        // Nothing was built twice for one round: a block for each height, and one for each crash at most.
        let built = cluster.app(0).built.load(std::sync::atomic::Ordering::Relaxed);
        assert!(built <= cluster.history.highest() + 1, "{built} blocks built");
    });
}

#[test]
fn a_dead_proposer_costs_about_a_second() {
    simulate(async {
        let mut cluster = Cluster::new(1, 4, four);
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3], 4, Duration::from_secs(20)).await);
        cluster.crash(3).await;
        let (start, from) = (tokio::time::Instant::now(), cluster.history.highest());
        assert!(
            cluster.reach(&[0, 1, 2], from + 40, Duration::from_secs(60)).await,
            "one of four may be down"
        );
        let taken = start.elapsed();
        // Ten turns of the dead one at a second each, thirty of the others at a quarter.
        assert!(taken < Duration::from_secs(22), "{taken:?}");
        cluster.stop_all().await;
    });
}

#[test]
fn two_of_four_down_halt_and_resume() {
    simulate(async {
        let mut cluster = Cluster::new(2, 4, four);
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3], 4, Duration::from_secs(20)).await);
        cluster.crash(2).await;
        cluster.crash(3).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let halted = cluster.history.highest();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(cluster.history.highest(), halted, "two of four decide nothing");
        cluster.start(2).await;
        cluster.start(3).await;
        assert!(cluster.reach(&[0, 1, 2, 3], halted + 5, Duration::from_secs(30)).await);
        cluster.stop_all().await;
    });
}

#[test]
fn the_smaller_side_of_a_partition_waits_and_catches_up() {
    simulate(async {
        let mut cluster = Cluster::new(3, 4, four);
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3], 4, Duration::from_secs(20)).await);
        cluster.hub.split(&[0]);
        assert!(cluster.reach(&[1, 2, 3], 44, Duration::from_secs(60)).await, "3|1: three go on");
        assert!(cluster.app(0).height() <= 6, "one alone decides nothing");
        cluster.hub.heal();
        let healed = cluster.history.highest();
        assert!(cluster.reach(&[0], healed, Duration::from_secs(3)).await, "caught up within seconds");
        cluster.hub.split(&[0, 1]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let halted = cluster.history.highest();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(cluster.history.highest(), halted, "2|2: nobody goes on");
        cluster.hub.heal();
        assert!(cluster.reach(&[0, 1, 2, 3], halted + 5, Duration::from_secs(30)).await);
        cluster.stop_all().await;
    });
}

#[test]
fn a_follower_follows_without_a_vote() {
    simulate(async {
        let mut cluster = Cluster::new(4, 5, four);
        cluster.follow(4);
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3, 4], 12, Duration::from_secs(30)).await);
        // One that comes late catches up from the first block on.
        cluster.crash(4).await;
        assert!(cluster.reach(&[0, 1, 2, 3], 40, Duration::from_secs(60)).await);
        cluster.start(4).await;
        assert!(cluster.reach(&[4], 40, Duration::from_secs(10)).await);
        assert!(cluster.app(4).synced.load(std::sync::atomic::Ordering::Relaxed) > 10);
        cluster.stop_all().await;
    });
}

#[test]
fn a_clock_half_a_minute_off_costs_its_own_turns_only() {
    for offset in [-30_000, 30_000] {
        simulate(async {
            let mut cluster = Cluster::new(5, 4, four);
            cluster.app(0).set_clock(offset);
            cluster.start_all().await;
            assert!(cluster.reach(&[0, 1, 2, 3], 40, Duration::from_secs(60)).await, "{offset} ms");
            let times: Vec<u64> =
                cluster.app(1).blocks().iter().map(|(block, _)| block.header.time.get()).collect();
            assert!(times.is_sorted(), "time goes forward");
            let span = times[39] - times[9];
            assert!(span < 40_000, "thirty blocks span {span} ms: no block takes the wrong clock's time");
            cluster.stop_all().await;
        });
    }
}

#[test]
fn a_frozen_node_catches_up_faster_than_the_others_go_on() {
    simulate(async {
        let mut cluster = Cluster::new(6, 4, four);
        cluster.start_all().await;
        assert!(cluster.reach(&[0, 1, 2, 3], 4, Duration::from_secs(20)).await);
        // All that is sent meanwhile arrives at once afterwards, as from the buffers of its connections.
        cluster.hub.freeze(3, Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let behind = cluster.history.highest();
        assert!(behind >= 20, "the others go on: {behind}");
        assert!(cluster.reach(&[3], behind, Duration::from_secs(2)).await, "{:?}", cluster.tips());
        cluster.stop_all().await;
    });
}
