//! Order, immunity and protection.

use super::*;

fn slot(uid: u16, emission: u64, block_at_registration: u64) -> Candidate {
    Candidate { uid, emission, block_at_registration, protected: false }
}

#[test]
fn least_emission_then_oldest_then_lowest_uid() {
    let slots = [slot(0, 9, 1), slot(1, 5, 8), slot(2, 5, 7), slot(3, 5, 7), slot(4, 6, 0)];
    assert_eq!(order(&slots), [2, 3, 1, 4, 0]);
    assert_eq!(select(&slots, 100, 10, 0), Some(2));
}

#[test]
fn immunity_ends_after_its_period() {
    assert!(is_immune(109, 100, 10));
    assert!(!is_immune(110, 100, 10));
    assert!(is_immune(5, 100, 10), "registered in the future");
    assert!(!is_immune(5, 5, 0));
}

#[test]
fn the_immune_go_last_and_a_minimum_of_others_is_spared() {
    let slots = [slot(0, 9, 1), slot(1, 0, 95), slot(2, 8, 2), slot(3, 1, 96)];
    assert_eq!(select(&slots, 100, 10, 1), Some(2));
    assert_eq!(select(&slots, 100, 10, 2), Some(1), "two others are the minimum");
    let none_immune = [slot(0, 9, 1), slot(2, 8, 2)];
    assert_eq!(select(&none_immune, 100, 10, 2), None);
    let all_immune = [slot(1, 0, 95), slot(3, 1, 96)];
    assert_eq!(select(&all_immune, 100, 10, 0), Some(1));
}

#[test]
fn the_owner_is_never_pruned() {
    let owner = Candidate { protected: true, ..slot(0, 0, 0) };
    assert_eq!(select(&[owner, slot(1, 9, 9)], 100, 10, 0), Some(1));
    assert_eq!(select(&[owner], 100, 10, 0), None);
    assert_eq!(order(&[owner]), [0u16; 0]);
    assert_eq!(select(&[], 100, 10, 0), None);
}
