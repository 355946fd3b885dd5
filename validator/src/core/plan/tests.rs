//! Questions are a function of their seed, differ for everyone and every time, and come half and half.

use std::collections::BTreeSet;

use super::*;

const SIZE: Size = Size { documents: 16, context_bytes: 96, scored_bytes: 32 };

fn corpus() -> Vec<Text> {
    let bytes = (0..60_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    vec![Text { name: "a.txt".to_owned(), bytes }]
}

fn asker(secret: &[u8; 32]) -> Asker<'_> {
    Asker { secret, hotkey: AccountId([1; 32]), track: TrackId::ZERO, epoch: Epoch::new(3), attempt: 0 }
}

fn digests(asker: &Asker<'_>) -> BTreeSet<Hash> {
    plan(asker, SIZE, &corpus(), &Recent::default()).iter().map(Question::digest).collect()
}

#[test]
fn half_is_generated_half_is_held_out_and_all_have_the_size() {
    let questions = plan(&asker(&[7; 32]), SIZE, &corpus(), &Recent::default());
    assert_eq!(questions.iter().filter(|question| question.is_held_out()).count(), 8);
    let mut families = BTreeSet::new();
    for question in &questions {
        assert_eq!((question.context.len(), question.truth.len()), (96, 32));
        if let Source::Generated { family, entropy } = &question.source {
            families.insert(family.clone());
            assert!(entropy.unwrap() >= 0.0);
        }
    }
    assert_eq!(families.len(), Family::ALL.len());
}

#[test]
fn the_same_seed_asks_the_same_and_any_other_asks_something_else() {
    let base = digests(&asker(&[7; 32]));
    assert_eq!(base, digests(&asker(&[7; 32])));
    let others = [
        asker(&[8; 32]),
        Asker { hotkey: AccountId([2; 32]), ..asker(&[7; 32]) },
        Asker { epoch: Epoch::new(4), ..asker(&[7; 32]) },
        Asker { track: TrackId::new(1), ..asker(&[7; 32]) },
        Asker { attempt: 1, ..asker(&[7; 32]) },
    ];
    for other in others {
        assert!(base.is_disjoint(&digests(&other)), "{other:?}");
    }
}

#[test]
fn without_a_long_enough_text_all_questions_are_generated() {
    let short = vec![Text { name: "short.txt".to_owned(), bytes: vec![b'x'; 50] }];
    let questions = plan(&asker(&[7; 32]), SIZE, &short, &Recent::default());
    assert_eq!(questions.len(), 16);
    assert!(!questions.iter().any(Question::is_held_out));
}
