//! Two shapes of answers, and what becomes of their mass.

use serde_json::json;

use super::answer::{Listed, read};
use super::project::{prompt_of, to_bytes, to_ids};

fn listed(bytes: &[u8], id: u32, p: f64) -> Listed {
    Listed { bytes: Some(bytes.to_vec()), id: Some(id), logprob: p.ln() }
}

#[test]
fn completions_list_texts() {
    let answer = json!({"choices": [{"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-0.5],
        "top_logprobs": [{" the": -0.5, "\u{fffd}": -2.0, "": -3.0, "nan": null, "token_id:17": -1.0, "up": 0.5}]}}]});
    let mut tokens = read(&answer).unwrap();
    tokens.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
    assert_eq!(tokens.len(), 4, "what has no probability is no token: {tokens:?}");
    assert_eq!(tokens[0].bytes.as_deref(), Some(&b" the"[..]));
    assert_eq!((tokens[1].id, &tokens[1].bytes), (Some(17), &None));
    assert!(
        tokens[2..].iter().all(|token| token.bytes.is_none()),
        "half a character has no bytes that are known"
    );
}

#[test]
fn llama_cpp_lists_objects() {
    let answer = json!({"choices": [{"logprobs": {"content": [{"id": 1, "token": "a", "logprob": -0.1, "top_logprobs": [
        {"id": 1, "token": "a", "bytes": [97], "logprob": -0.1},
        {"id": 9, "token": "\u{fffd}", "bytes": [195], "logprob": -3.0}]}]}}]});
    let tokens = read(&answer).unwrap();
    assert_eq!(tokens[1], Listed { bytes: Some(vec![195]), id: Some(9), logprob: -3.0 });
    for wrong in [
        json!({}),
        json!({"choices": [{"logprobs": null}]}),
        json!({"choices": [{"logprobs": {"content": []}}]}),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn mass_is_summed_by_the_next_byte_and_the_rest_is_tail() {
    let tokens = [listed(b"the", 1, 0.5), listed(b"to", 2, 0.25), listed(b"a", 3, 0.125)];
    let answer = to_bytes(&tokens, b"");
    assert_eq!(answer.ids, [u32::from(b't'), u32::from(b'a')]);
    assert!((answer.logprobs[0].exp() - 0.75).abs() < 1e-6 && (answer.tail - 0.125).abs() < 1e-6);
    let unknown = Listed { bytes: None, id: None, logprob: 0.125_f64.ln() };
    let with_unknown = to_bytes(&[&tokens[..], &[unknown]].concat(), b"");
    assert_eq!(with_unknown, answer, "what cannot be placed stays in the tail");
}

#[test]
fn half_a_character_conditions_on_its_beginning() {
    // "ü" is c3 bc, "ß" c3 9f, "é" c3 a9.
    let context: Vec<u32> = b"Gr\xc3".iter().map(|byte| u32::from(*byte)).collect();
    assert_eq!(prompt_of(&context), ("Gr".to_owned(), vec![0xc3]));
    let tokens = [listed("üß".as_bytes(), 1, 0.4), listed("é".as_bytes(), 2, 0.1), listed(b"e", 3, 0.4)];
    let answer = to_bytes(&tokens, &[0xc3]);
    assert_eq!(answer.ids, [0xbc, 0xa9]);
    assert!((answer.logprobs[0].exp() - 0.4 / 0.6).abs() < 1e-6, "`e` is impossible by now");
    assert!((answer.tail - 0.1 / 0.6).abs() < 1e-6, "the unlisted tenth stays");
}

#[test]
fn a_window_that_begins_inside_of_a_character_is_still_a_prompt() {
    let context: Vec<u32> = b"\xbcab".iter().map(|byte| u32::from(*byte)).collect();
    assert_eq!(prompt_of(&context), ("\u{fffd}ab".to_owned(), Vec::new()));
}

#[test]
fn ids_keep_their_own_mass() {
    let tokens = [listed(b"a", 7, 0.5), listed(b"b", 2, 0.25), listed(b"c", 300, 0.2), listed(b"a", 7, 0.5)];
    let answer = to_ids(&tokens, 256);
    assert_eq!(answer.ids, [7, 2]);
    assert!((answer.tail - 0.25).abs() < 1e-6, "an id outside the vocabulary is tail, one twice counts once");
}

#[test]
fn rounding_never_makes_more_than_one() {
    let answer = to_ids(&[listed(b"a", 0, 0.6), listed(b"b", 1, 0.6)], 2);
    let sum: f32 = answer.logprobs.iter().map(|logprob| logprob.exp()).sum();
    assert!(sum <= 1.0 + 1e-6 && answer.tail == 0.0, "{sum}");
}
