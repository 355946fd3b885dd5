//! The families: how a document's secret parameters become an automaton.

use rand_chacha::ChaCha20Rng;

use crate::automaton::{Automaton, State};
use crate::draw::{below, distinct};

/// Words of a document's invented lexicon.
const LEXICON_WORDS: usize = 6;
/// Weights of a word's successors: few and uneven, so that one look back tells a lot.
const SUCCESSOR_WEIGHTS: [u32; 3] = [9, 5, 2];
/// Sounds that invented words are made of.
const ONSETS: [&str; 16] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "ch", "st"];
const VOWELS: [&str; 6] = ["a", "e", "i", "o", "u", "ai"];

/// Invented words of two or three syllables in a secret Markov chain.
pub(crate) fn lexicon(rng: &mut ChaCha20Rng) -> Automaton {
    let mut words: Vec<String> = Vec::with_capacity(LEXICON_WORDS);
    while words.len() < LEXICON_WORDS {
        let word = invent(rng);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let states = words
        .iter()
        .enumerate()
        .map(|(at, word)| State {
            words: vec![(format!("{word} ").into_bytes(), 1)],
            next: successors(rng, at),
        })
        .collect();
    Automaton { states }
}

/// The next word around a ring, so that every word can be reached, and two more; never the word itself.
fn successors(rng: &mut ChaCha20Rng, at: usize) -> Vec<(usize, u32)> {
    let next = (at + 1) % LEXICON_WORDS;
    let others: Vec<usize> = (0..LEXICON_WORDS).filter(|other| *other != at && *other != next).collect();
    let mut all = vec![next];
    all.extend(distinct(rng, &others, SUCCESSOR_WEIGHTS.len() - 1));
    all.into_iter().zip(distinct(rng, &SUCCESSOR_WEIGHTS, SUCCESSOR_WEIGHTS.len())).collect()
}

fn invent(rng: &mut ChaCha20Rng) -> String {
    let syllables = 2 + below(rng, 2);
    (0..syllables)
        .map(|_| {
            let onset = ONSETS[below(rng, 16) as usize];
            format!("{onset}{}", VOWELS[below(rng, 6) as usize])
        })
        .collect()
}

/// Words of each class that one document uses.
const WORDS_PER_CLASS: usize = 3;
/// Weights of a class's words, so that one is favoured.
const WORD_WEIGHTS: [u32; WORDS_PER_CLASS] = [6, 3, 1];

const NOUNS: [&str; 24] = [
    "anchor", "baker", "candle", "doctor", "engine", "farmer", "garden", "hammer", "island", "judge",
    "kettle", "lantern", "miller", "needle", "orchard", "painter", "quarry", "river", "sailor", "tailor",
    "uncle", "village", "window", "yard",
];
const ADJECTIVES: [&str; 16] = [
    "ancient", "bright", "clever", "distant", "empty", "famous", "gentle", "heavy", "idle", "jolly",
    "little", "narrow", "patient", "quiet", "rusty", "silver",
];
const VERBS: [&str; 16] = [
    "admires",
    "borrows",
    "carries",
    "draws",
    "enters",
    "finds",
    "guards",
    "hides",
    "ignores",
    "keeps",
    "leaves",
    "mends",
    "notices",
    "opens",
    "paints",
    "remembers",
];
const ADVERBS: [&str; 12] = [
    "again",
    "at dawn",
    "by chance",
    "every day",
    "for a while",
    "gladly",
    "in silence",
    "now",
    "once more",
    "slowly",
    "today",
    "without fear",
];

/// Sentences `the [adjective] noun verb the [adjective] noun [adverb].` with the document's own words.
pub(crate) fn grammar(rng: &mut ChaCha20Rng) -> Automaton {
    let nouns = class(rng, &NOUNS, "", "");
    let adjectives = class(rng, &ADJECTIVES, "", " ");
    let verbs = class(rng, &VERBS, " ", " ");
    let adverbs = class(rng, &ADVERBS, " ", "");
    let word = |text: &str| vec![(text.as_bytes().to_vec(), 1)];
    let state = |words: &Vec<(Vec<u8>, u32)>, next: &[(usize, u32)]| State {
        words: words.clone(),
        next: next.to_vec(),
    };
    let states = vec![
        state(&word("the "), &[(1, 2), (2, 3)]),
        state(&adjectives, &[(2, 1)]),
        state(&nouns, &[(3, 1)]),
        state(&verbs, &[(4, 1)]),
        state(&word("the "), &[(5, 1), (6, 2)]),
        state(&adjectives, &[(6, 1)]),
        state(&nouns, &[(7, 1), (8, 2)]),
        state(&adverbs, &[(8, 1)]),
        state(&vec![(b". ".to_vec(), 4), (b".\n".to_vec(), 1)], &[(0, 1)]),
    ];
    Automaton { states }
}

fn class(rng: &mut ChaCha20Rng, items: &[&str], before: &str, after: &str) -> Vec<(Vec<u8>, u32)> {
    distinct(rng, items, WORDS_PER_CLASS)
        .into_iter()
        .map(|item| format!("{before}{item}{after}").into_bytes())
        .zip(WORD_WEIGHTS)
        .collect()
}

/// Numbers on one line.
const NUMBERS_PER_LINE: u32 = 6;
/// Largest secret step.
const LARGEST_STEP: u32 = 9;

/// Lines of two-digit numbers: the first is uniform over 00 to 99, each further one adds the secret step modulo 100.
pub(crate) fn arithmetic(rng: &mut ChaCha20Rng) -> Automaton {
    let step = 1 + below(rng, LARGEST_STEP);
    let lines = (0..100)
        .map(|first| {
            let numbers: Vec<String> =
                (0..NUMBERS_PER_LINE).map(|place| format!("{:02}", (first + place * step) % 100)).collect();
            (format!("{}\n", numbers.join(" ")).into_bytes(), 1)
        })
        .collect();
    Automaton { states: vec![State { words: lines, next: vec![(0, 1)] }] }
}
