//! Windows are inside their texts, spread over them, and not repeated while there is room.

use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;

use super::*;

fn texts(lengths: &[usize]) -> Vec<Text> {
    let text = |(at, &length): (usize, &usize)| Text { name: format!("{at}.txt"), bytes: vec![b'x'; length] };
    lengths.iter().enumerate().map(text).collect()
}

proptest! {
    #[test]
    fn windows_fit_their_text(lengths in prop::collection::vec(0usize..500, 1..5), length in 1usize..200, seed: u64) {
        let texts = texts(&lengths);
        let drawn = draw(&texts, &Recent::default(), 20, length, &mut ChaCha20Rng::seed_from_u64(seed));
        let possible = lengths.iter().any(|&bytes| bytes >= length);
        prop_assert_eq!(drawn.len(), if possible { 20 } else { 0 });
        for window in drawn {
            let text = texts.iter().find(|text| text.name == window.file).unwrap();
            prop_assert!(window.start + window.length <= text.bytes.len());
        }
    }
}

#[test]
fn no_window_is_asked_again_while_there_is_room() {
    let texts = texts(&[40_000, 30_000]);
    let mut recent = Recent::default();
    for epoch in 0..20 {
        let drawn = draw(&texts, &recent, 8, 128, &mut ChaCha20Rng::seed_from_u64(epoch));
        for (at, window) in drawn.iter().enumerate() {
            assert!(!recent.0.iter().chain(&drawn[..at]).any(|old| old.overlaps(window)), "epoch {epoch}");
        }
        recent.extend(drawn);
    }
    assert_eq!(recent.len(), 160);
}

#[test]
fn a_corpus_without_room_repeats_itself_and_memory_is_bounded() {
    let texts = texts(&[130]);
    let mut recent = Recent::default();
    for epoch in 0..40 {
        let drawn = draw(&texts, &recent, 128, 128, &mut ChaCha20Rng::seed_from_u64(epoch));
        assert_eq!(drawn.len(), 128);
        recent.extend(drawn);
    }
    assert_eq!(recent.len(), MAX_RECENT);
}
