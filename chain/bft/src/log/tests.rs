//! What survives a crash, and what is noticed.

use super::*;

fn written(dir: &Path) -> PathBuf {
    let path = dir.join("wal");
    let mut log = Log::open(&path).unwrap();
    log.start(7).unwrap();
    for record in [b"one".as_slice(), b"", b"three"] {
        log.append(record).unwrap();
    }
    log.flush().unwrap();
    path
}

#[test]
fn records_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let mut log = Log::open(&path).unwrap();
    assert_eq!((log.height(), log.damaged()), (7, false));
    assert_eq!(log.records(), [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
    log.append(b"four").unwrap();
    drop(log);
    let mut log = Log::open(&path).unwrap();
    assert_eq!(log.records().len(), 4);
    log.start(8).unwrap();
    drop(log);
    let log = Log::open(&path).unwrap();
    assert_eq!((log.height(), log.records().len(), log.damaged()), (8, 0, false));
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_tore() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(written(dir.path())).unwrap();
    let path = dir.path().join("torn");
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let mut log = Log::open(&path).unwrap();
        assert!(!log.damaged(), "{length} of {}", whole.len());
        let short = length < usize::try_from(HEADER).unwrap();
        assert_eq!(log.blank(), short, "{length}");
        if short {
            // Whether that is a loss, only the chain beside it can say, and also at the next start.
            assert!(log.append(b"next").is_err());
            drop(log);
            log = Log::open(&path).unwrap();
            assert!(log.blank());
            log.start(7).unwrap();
        }
        let kept = log.records().len();
        assert!(kept < 3 && log.records().iter().zip([b"one".as_slice(), b""]).all(|(a, b)| a == b));
        // What is appended afterwards follows what was kept.
        log.append(b"next").unwrap();
        drop(log);
        let log = Log::open(&path).unwrap();
        assert_eq!((log.damaged(), log.records().len()), (false, kept + 1), "{length}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(written(dir.path())).unwrap();
    let path = dir.path().join("flipped");
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).unwrap();
        let log = Log::open(&path).unwrap();
        assert!(log.damaged(), "bit {bit}");
        drop(log);
        // Nothing is repaired behind the node's back: the next look finds the same.
        assert!(Log::open(&path).unwrap().damaged());
    }
}

#[test]
fn a_height_is_known_as_long_as_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(written(dir.path())).unwrap();
    let path = dir.path().join("flipped");
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(Log::open(&path).unwrap().height(), 7);
    // Without any record, too, a height that is not the one that was written is not believed.
    bytes.truncate(usize::try_from(HEADER).unwrap());
    bytes[12] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let log = Log::open(&path).unwrap();
    assert_eq!((log.damaged(), log.height()), (true, 0));
}

#[test]
fn a_log_of_the_version_before_is_read_and_begun_anew_in_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(written(dir.path())).unwrap();
    let path = dir.path().join("before");
    std::fs::write(&path, [&UNCHECKED, &bytes[8..16], &bytes[24..]].concat()).unwrap();
    let mut log = Log::open(&path).unwrap();
    assert_eq!((log.height(), log.records().len(), log.damaged(), log.blank()), (7, 3, false, false));
    log.append(b"four").unwrap();
    drop(log);
    let mut log = Log::open(&path).unwrap();
    assert_eq!(log.records().len(), 4);
    log.start(8).unwrap();
    log.append(b"five").unwrap();
    drop(log);
    let log = Log::open(&path).unwrap();
    assert_eq!((log.height(), log.records().len(), log.damaged()), (8, 1, false));
    drop(log);
    assert_eq!(std::fs::read(&path).unwrap()[..8], MAGIC);
}

#[test]
fn two_processes_cannot_share_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let _first = Log::open(&path).unwrap();
    assert!(Log::open(&path).is_err());
}
