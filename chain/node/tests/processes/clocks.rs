//! A clock that is half a minute off.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::net::Net;
use crate::shim;

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// One of four is `off` by so many seconds.
fn off(number: u8, off: &str) {
    let dir = tempfile::tempdir().unwrap();
    let Some(library) = shim::build(dir.path()) else { return };
    let mut net = Net::new(4, number);
    let start = now();
    (0..3).for_each(|index| net.start(index));
    // From the first block on time is what those say whose clock is right: that of genesis binds nobody.
    net.reach(&[0, 1, 2], 1);
    net.start_with(3, &[("LD_PRELOAD", &library), ("SHIM_CLOCK", off)]);
    // Three turns to propose of each, at least.
    net.reach(&[0, 1, 2, 3], 16);
    let end = now();
    let (_, times) = net.compare();
    for (index, time) in times.iter().enumerate() {
        let before = index.checked_sub(1).map_or(0, |before| times[before]);
        assert!(*time > before, "time goes back at {}", index + 1);
        // A block goes one millisecond beyond its parent at least, whatever the clock of its proposer says.
        assert!((start..end + 1_000).contains(time), "block {} took the wrong time", index + 1);
    }
}

#[test]
fn a_clock_half_a_minute_ahead_moves_no_block() {
    off(50, "30");
}

#[test]
fn a_clock_half_a_minute_behind_moves_no_block() {
    off(51, "-30");
}
