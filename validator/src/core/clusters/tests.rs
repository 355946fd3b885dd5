//! Copies are linked at once and stay linked; different miners never are; the elder is the senior.

use acumen_protocol::AccountId;

use super::*;
use crate::core::sheet::Claim;

const TAU: f64 = 0.1;
const POSITIONS: usize = 64;

fn key(id: u8) -> Hotkey {
    Hotkey(AccountId([id; 32]))
}

/// A sheet of distributions peaked at a byte that depends on `model` and position.
fn sheet(model: u64, sharpness: f32) -> Sheet {
    shifted(model, sharpness, 0)
}

/// The same with every peak moved by `shift` bytes: about 0.022 away per byte.
fn shifted(model: u64, sharpness: f32, shift: u64) -> Sheet {
    let mut sheet = Sheet::new(1, POSITIONS);
    let ids: Vec<u32> = (0..256).collect();
    for position in 0..POSITIONS as u64 {
        let peak = (model * 31 + position * 7) % 240 + shift;
        let raw: Vec<f32> = (0..256u64).map(|id| -sharpness * (id.abs_diff(peak) as f32 / 16.0)).collect();
        let total: f32 = raw.iter().map(|x| x.exp()).sum();
        let logprobs: Vec<f32> = raw.iter().map(|x| x - total.ln()).collect();
        sheet.record(&[Claim { ids: &ids, logprobs: &logprobs, tail: 0.0 }], &[0], &[true]);
    }
    sheet.close(POSITIONS);
    sheet
}

fn measure(sheets: &[(Hotkey, &Sheet)]) -> Measured {
    Measured::new(sheets, POSITIONS).unwrap()
}

#[test]
fn an_exact_copy_and_a_tempered_one_are_linked_in_their_first_epoch() {
    let (original, copy, warmer, other) = (sheet(1, 1.0), sheet(1, 1.0), sheet(1, 0.8), sheet(2, 1.0));
    let sheets = [(key(1), &original), (key(2), &copy), (key(3), &warmer), (key(4), &other)];
    let links = Near::default().observe(&measure(&sheets), TAU);
    let miners: Vec<Hotkey> = sheets.iter().map(|(hotkey, _)| *hotkey).collect();
    assert_eq!(components(&miners, &[0, 1, 2, 3], &links), [0, 0, 0, 3]);
    assert_eq!(
        components(&miners, &[5, 1, 2, 3], &links),
        [1, 1, 1, 3],
        "the first registered is the senior"
    );
}

#[test]
fn one_noisy_epoch_does_not_set_a_copy_free() {
    let (original, copy, disguised) = (sheet(1, 1.0), sheet(1, 1.0), sheet(3, 1.0));
    let mut near = Near::default();
    for _ in 0..20 {
        near.observe(&measure(&[(key(1), &original), (key(2), &copy)]), TAU);
    }
    let links = near.observe(&measure(&[(key(1), &original), (key(2), &disguised)]), TAU);
    assert_eq!(links, [(key(1), key(2))]);
    // Absent for an epoch: still linked.
    assert_eq!(near.observe(&measure(&[(key(1), &original)]), TAU), [(key(1), key(2))]);
    near.retain(|hotkey| *hotkey != key(2));
    assert_eq!(near, Near::default());
}

#[test]
fn one_epoch_of_easy_text_does_not_merge_honest_neighbours_but_an_exact_copy_is_caught_at_once() {
    let (a, neighbour, easy) = (sheet(1, 1.0), shifted(1, 1.0, 7), shifted(1, 1.0, 3));
    let mut near = Near::default();
    for _ in 0..8 {
        assert_eq!(near.observe(&measure(&[(key(1), &a), (key(2), &neighbour)]), TAU), []);
    }
    assert_eq!(near.observe(&measure(&[(key(1), &a), (key(2), &easy)]), TAU), []);
    assert_eq!(near.observe(&measure(&[(key(1), &a), (key(2), &a)]), TAU), [(key(1), key(2))]);
    // Without a past the same distance is a copy's.
    assert_eq!(Near::default().observe(&measure(&[(key(1), &a), (key(2), &easy)]), TAU), [(key(1), key(2))]);
}

#[test]
fn different_miners_are_never_linked_nor_remembered() {
    let (a, b) = (sheet(1, 1.0), sheet(2, 1.0));
    let mut near = Near::default();
    assert_eq!(near.observe(&measure(&[(key(1), &a), (key(2), &b)]), TAU), []);
    assert_eq!(near, Near::default());
}

#[test]
fn memory_survives_json() {
    let (original, copy) = (sheet(1, 1.0), sheet(1, 1.0));
    let mut near = Near::default();
    near.observe(&measure(&[(key(1), &original), (key(2), &copy)]), TAU);
    let text = serde_json::to_string(&near).unwrap();
    assert_eq!(serde_json::from_str::<Near>(&text).unwrap(), near);
}
