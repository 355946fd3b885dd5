//! Documents as their users see them: reproducible, different for different seeds, prefixes of one another.

use std::collections::BTreeSet;

use acumen_scoring_tasks::{Family, MAX_LENGTH, generate, text};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use proptest::prelude::*;

/// blake2b-256 of `text(family, [1; 32], 42, 512)`: a change here changes what validators ask and what the shipped
/// checkpoints were trained for.
const GOLDEN: [(Family, &str); 3] = [
    (Family::Lexicon, "dedb8c12401c1e5be62e7b32889fcefe97f3edd25e7eab25601a187e07fb907a"),
    (Family::Grammar, "db764b3e36af1d6ffe5a6bcd336b870184a92a17bfe4ded2baadb69c312c9859"),
    (Family::Arithmetic, "b7819c6b34ba2a52bc7433ab16eff7cc970739bf078a0f1907aa9ad0d0b5f952"),
];

#[test]
fn golden_documents() {
    for (family, expected) in GOLDEN {
        let document = text(family, &[1; 32], 42, 512);
        let digest = hex::encode(Blake2b::<U32>::digest(&document));
        assert_eq!(digest, expected, "{family}: {}", String::from_utf8_lossy(&document));
    }
}

#[test]
fn seeds_indices_and_families_give_different_documents() {
    let mut seen = BTreeSet::new();
    for family in Family::ALL {
        for seed in 0..8 {
            for index in 0..8 {
                seen.insert(text(family, &[seed; 32], index, 256));
            }
        }
    }
    // Arithmetic documents of one step may begin alike, but not for 14 random lines.
    assert_eq!(seen.len(), 3 * 64);
}

#[test]
fn names_are_unique_and_read_back() {
    for family in Family::ALL {
        assert_eq!(Family::from_name(family.name()), Some(family));
    }
    assert_eq!(Family::from_name("Lexicon"), None);
}

#[test]
fn every_word_and_step_is_drawn() {
    let mut steps = BTreeSet::new();
    let mut words = BTreeSet::new();
    for index in 0..200 {
        let line = text(Family::Arithmetic, &[9; 32], index, 5);
        let number = |at: usize| u32::from(line[at] - b'0') * 10 + u32::from(line[at + 1] - b'0');
        steps.insert((number(3) + 100 - number(0)) % 100);
        let sentence = String::from_utf8(text(Family::Grammar, &[9; 32], index, 2000)).unwrap();
        words.extend(sentence.split_whitespace().map(|word| word.trim_end_matches('.').to_owned()));
    }
    assert_eq!(steps, (1..=9).collect());
    for word in ["anchor", "yard", "ancient", "silver", "admires", "remembers", "dawn", "fear"] {
        assert!(words.contains(word), "{word} never appears in 200 documents");
    }
}

#[test]
fn draws_are_uniform() {
    // 9 steps over 9,000 documents: 1,000 each, standard deviation 30; the seed is fixed.
    let mut counts = [0u32; 10];
    for index in 0..9000 {
        let line = text(Family::Arithmetic, &[3; 32], index, 5);
        let number = |at: usize| u32::from(line[at] - b'0') * 10 + u32::from(line[at + 1] - b'0');
        counts[((number(3) + 100 - number(0)) % 100) as usize] += 1;
    }
    assert!(counts[1..].iter().all(|count| (880..1120).contains(count)), "{counts:?}");
}

#[test]
fn a_length_beyond_the_limit_is_cut() {
    assert_eq!(text(Family::Lexicon, &[0; 32], 0, usize::MAX).len(), MAX_LENGTH);
}

proptest! {
    #[test]
    fn a_document_is_its_text_with_a_finite_cost_for_each_byte(
        seed: [u8; 32],
        index: u64,
        which in 0..3usize,
        length in 0..300usize,
    ) {
        let family = Family::ALL[which];
        let document = generate(family, &seed, index, length);
        prop_assert_eq!(&document.text, &text(family, &seed, index, length));
        prop_assert_eq!(document.text.len(), length);
        prop_assert!(document.text.is_ascii());
        let nats = document.nats.unwrap();
        prop_assert_eq!(nats.len(), length);
        prop_assert!(nats.iter().all(|nat| nat.is_finite() && *nat >= -1e-12), "{:?}", nats);
    }

    #[test]
    fn a_shorter_document_is_a_prefix(seed: [u8; 32], index: u64, which in 0..3usize, cut in 0..300usize) {
        let whole = generate(Family::ALL[which], &seed, index, 300);
        let part = generate(Family::ALL[which], &seed, index, cut);
        prop_assert_eq!(&part.text[..], &whole.text[..cut]);
        prop_assert_eq!(part.nats.unwrap(), whole.nats.unwrap()[..cut].to_vec());
    }
}
