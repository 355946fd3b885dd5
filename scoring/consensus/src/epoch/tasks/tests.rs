//! Every row once, in order, whatever the lengths.

use super::*;

#[test]
fn ranges_cover_all_rows_in_order() {
    for (n, length) in [(0, 0), (1, 100_000), (5, 0), (300, 4_000), (65_535, 1), (100, 500)] {
        for even in [true, false] {
            let entries = |i: usize| if even || i.is_multiple_of(7) { length } else { 0 };
            let Tasks(ranges) = Tasks::new(n, entries);
            assert!(ranges.len() <= MAX_TASKS);
            let mut next = 0;
            for range in &ranges {
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, n);
            let largest = ranges.iter().map(|r| r.clone().map(entries).sum::<usize>()).max().unwrap();
            let all: usize = (0..n).map(entries).sum();
            assert!(largest <= all / ranges.len() * 2 + length, "{n} {length} {ranges:?}");
        }
    }
}
