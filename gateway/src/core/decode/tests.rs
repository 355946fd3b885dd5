//! Decoding against scripted distributions.

use super::*;
use crate::core::request::Kind;

fn query(prompt: &[u8], max_tokens: usize) -> Query {
    Query {
        kind: Kind::Completion,
        prompts: vec![prompt.to_vec()],
        n: 1,
        max_tokens,
        sampling: Sampling { temperature: 0.0, top_p: 1.0 },
        steering: Steering::default(),
        seed: None,
        stops: Vec::new(),
        logprobs: None,
        echo: false,
        stream: false,
        include_usage: false,
    }
}

/// Most of the mass on `byte`.
fn peaked(byte: u8) -> Vec<f64> {
    let mut probs = vec![0.1 / 255.0; 256];
    probs[usize::from(byte)] = 0.9;
    probs
}

/// Runs greedy decoding over a script that every choice follows; returns the pieces and the tokens fed to the miners.
fn play(decoding: &mut Decoding, script: &[u8]) -> (Vec<Piece>, Vec<Vec<u32>>) {
    let (mut pieces, mut fed) = (decoding.start(), Vec::new());
    let mut bytes = script.iter();
    while !decoding.is_done() {
        let pooled =
            vec![peaked(*bytes.next().expect("the script is long enough")); decoding.contexts().len()];
        let turn = decoding.advance(&pooled);
        pieces.extend(turn.pieces);
        fed.push(turn.tokens);
    }
    (pieces, fed)
}

fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}

#[test]
fn the_limit_ends_a_choice_and_every_byte_counts() {
    let mut decoding = Decoding::new(&query(b"p", 3), 0);
    assert_eq!(decoding.contexts(), [[112]]);
    let (pieces, fed) = play(&mut decoding, b"abcdef");
    assert_eq!((text(&pieces).as_str(), decoding.completion_tokens()), ("abc", 3));
    assert_eq!(pieces.last().unwrap().finish, Some(FinishReason::Length));
    assert_eq!(fed, [[97], [98], [99]]);
}

#[test]
fn a_stop_string_is_neither_shown_nor_counted() {
    let stopping = Query { stops: vec![b"\nU".to_vec()], ..query(b"", 9) };
    let mut decoding = Decoding::new(&stopping, 0);
    let (pieces, _) = play(&mut decoding, b"a\nb\nUx");
    assert_eq!((text(&pieces).as_str(), decoding.completion_tokens()), ("a\nb", 3));
    assert_eq!(pieces.iter().filter_map(|piece| piece.finish).collect::<Vec<_>>(), [FinishReason::Stop]);
}

#[test]
fn a_false_start_of_a_stop_string_comes_out_at_the_limit() {
    let stopping = Query { stops: vec![b"bcd".to_vec()], ..query(b"", 3) };
    let mut decoding = Decoding::new(&stopping, 0);
    let (pieces, _) = play(&mut decoding, b"abc");
    assert_eq!((text(&pieces).as_str(), decoding.completion_tokens()), ("abc", 3));
}

#[test]
fn a_character_cut_by_the_limit_becomes_a_replacement() {
    let mut decoding = Decoding::new(&query(b"", 2), 0);
    let (pieces, _) = play(&mut decoding, "a€".as_bytes());
    assert_eq!(text(&pieces), "a\u{FFFD}");
    assert_eq!(decoding.completion_tokens(), 2);
}

#[test]
fn log_probabilities_come_with_the_bytes_of_their_text() {
    let scoring = Query { logprobs: Some(2), ..query(b"", 3) };
    let (pieces, _) = play(&mut Decoding::new(&scoring, 0), "é!".as_bytes());
    assert_eq!(pieces[0].text, "é");
    assert_eq!(pieces[0].bytes.len(), 2);
    let first = &pieces[0].bytes[0];
    assert!((first.logprob.unwrap() - 0.9_f64.ln()).abs() < 1e-12);
    assert_eq!((first.top.len(), first.top[0].0), (2, 0xC3));
}

#[test]
fn an_echo_shows_the_prompt_and_with_scores_feeds_it_byte_by_byte() {
    let shown = Query { echo: true, ..query(b"hi", 1) };
    let (pieces, fed) = play(&mut Decoding::new(&shown, 0), b"x");
    assert_eq!((text(&pieces).as_str(), fed.len()), ("hix", 1));

    let scored = Query { echo: true, logprobs: Some(0), ..query(b"hi", 0) };
    let mut decoding = Decoding::new(&scored, 0);
    assert_eq!(decoding.contexts(), [Vec::<u32>::new()]);
    let (pieces, fed) = play(&mut decoding, b"hi");
    assert_eq!(fed, [[104], [105]]);
    assert_eq!((text(&pieces).as_str(), decoding.completion_tokens()), ("hi", 0));
    assert!(pieces.iter().flat_map(|piece| &piece.bytes).all(|byte| byte.logprob.unwrap() > -0.2));
}

#[test]
fn choices_of_one_seed_differ_and_finished_ones_are_padded() {
    let flat = vec![vec![1.0 / 256.0; 256]; 2];
    let sampling = Query { n: 2, sampling: Sampling { temperature: 1.0, top_p: 1.0 }, ..query(b"", 8) };
    let run = |seed| {
        let mut decoding = Decoding::new(&sampling, seed);
        (0..8).map(|_| decoding.advance(&flat).tokens).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert!(run(1).iter().any(|tokens| tokens[0] != tokens[1]), "choices draw for themselves");
    assert!(run(1).windows(2).any(|steps| steps[0] != steps[1]), "each step draws anew");

    let stopping = Query { n: 2, stops: vec![b"a".to_vec()], ..query(b"", 2) };
    let mut decoding = Decoding::new(&stopping, 0);
    assert_eq!(decoding.advance(&[peaked(b'a'), peaked(b'b')]).tokens, [97, 98]);
    assert_eq!(decoding.advance(&[peaked(b'c'), peaked(b'c')]).tokens, [PADDING, 99]);
    assert!(decoding.is_done());
}

#[test]
fn a_penalty_falls_on_what_the_choice_itself_generated() {
    let steering = Steering { frequency: 2.0, ..Steering::default() };
    let mut decoding = Decoding::new(&Query { steering, ..query(b"aaaa", 5) }, 0);
    // The best byte is e^ln(9) = 9 times as probable as the next: after two of them the third is penalised below it.
    let mut probs = vec![0.0; 256];
    (probs[usize::from(b'a')], probs[usize::from(b'b')]) = (0.9, 0.1);
    let mut text = Vec::new();
    while !decoding.is_done() {
        text.extend(decoding.advance(std::slice::from_ref(&probs)).tokens);
    }
    assert_eq!(text, b"aabab".map(u32::from));
}
