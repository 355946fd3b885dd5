//! Disks that are full or broken: the node ends with a report, nothing that it said is lost, and it goes on when the
//! disk works again.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};

use crate::net::Net;
use crate::sandbox::{inside, must};
use crate::{faults, shim};

const LOG: &str = "votes.wal";
const STORE: &str = "chain.redb";

/// What the report says, and the number of what the system says.
const BROKEN: (&str, &str) = ("input/output error", "5");
const FULL: (&str, &str) = ("no space left on", "28");

fn last_words(report: &str) -> String {
    report.lines().rev().find(|line| line.starts_with("error: ")).unwrap_or_default().to_lowercase()
}

/// Node 0 of four; at a random moment its disk fails in this way. It is let go of at the end.
fn fails(net: &mut Net, library: &str, (file, call): (&str, &str), (words, errno): (&str, &str), after: u32) {
    let after = after.to_string();
    let failing = [
        ("LD_PRELOAD", library),
        ("SHIM_PATH", file),
        ("SHIM_CALL", call),
        ("SHIM_ERRNO", errno),
        ("SHIM_AFTER", &after),
    ];
    net.start_with(0, &failing);
    let (report, seen) = net.ended(0);
    let last = last_words(&report);
    assert!(last.contains(file) && last.contains(words), "after {after} calls, a report: {report}");
    // The others go on, and so does the node, where it was or later.
    net.reach(&[1, 2, 3], net.highest() + 1);
    net.start(0);
    net.reach(&[0], seen.max(net.highest()));
    net.kill(0);
}

#[test]
fn a_disk_that_fails_ends_the_node_with_a_report() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(40);
    let dir = tempfile::tempdir().unwrap();
    let Some(library) = shim::build(dir.path()) else { return };
    let mut net = Net::new(4, 40);
    (1..4).for_each(|index| net.start(index));
    for _ in 0..faults(1) {
        for file in [LOG, STORE] {
            fails(&mut net, &library, (file, "flush"), BROKEN, rng.random_range(1..60));
            fails(&mut net, &library, (file, "write"), FULL, rng.random_range(1..60));
        }
    }
    net.start(0);
    net.reach(&[0, 1, 2, 3], net.highest() + 3);
    net.compare();
}

/// A file system of its own that something else fills.
#[test]
fn a_full_file_system_ends_the_node_with_a_report() {
    if !inside("disks::a_full_file_system_ends_the_node_with_a_report") {
        return;
    }
    let mut net = Net::new(1, 44);
    let dir = net.dir(0);
    std::fs::create_dir_all(&dir).unwrap();
    must(&format!("mount -t tmpfs -o size=12m none {}", dir.display()));
    for round in 0..faults(2) {
        net.start(0);
        net.reach(&[0], 3);
        std::thread::sleep(Duration::from_millis(100 * u64::try_from(round % 7).unwrap()));
        // As much as fits; the last bytes stay out.
        let filler = dir.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
        // Open, it would keep its room after it is removed.
        drop(file);
        // What the store has reserved may last for a while. Nothing that it reported is lost either way.
        let seen = match net.ended_within(0, Duration::from_secs(5)) {
            Ok((report, seen)) => {
                assert!(last_words(&report).contains(FULL.0), "{report}");
                seen
            }
            Err(seen) => {
                net.kill(0);
                seen
            }
        };
        // Without any room it cannot start, and says so, or goes on with what it has reserved.
        net.start(0);
        if let Ok((report, _)) = net.ended_within(0, Duration::from_secs(2)) {
            assert!(last_words(&report).contains(FULL.0), "{report}");
        }
        net.kill(0);
        std::fs::remove_file(filler).unwrap();
        net.start(0);
        net.reach(&[0], seen + 2);
        net.kill(0);
    }
    net.compare();
}
