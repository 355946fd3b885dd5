//! Both ways to read agree, and both are what the losses of single tokens say.

use std::path::Path;

use super::*;
use crate::{LoadOptions, byte_tokens, load};

const TEXT: &[u8] =
    b"Call me Ishmael. Some years ago, never mind how long precisely, having little money in my purse";

fn checkpoint(name: &str) -> Box<dyn LanguageModel> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("checkpoints").join(name);
    load(&path, &LoadOptions::default()).unwrap()
}

/// Second halves of whole windows, each token by a session of its own.
fn by_hand(model: &dyn LanguageModel, tokens: &[Token], window: usize) -> f64 {
    let mut sum = 0.0;
    let mut count = 0;
    for part in tokens.chunks_exact(window) {
        for next in window / 2..window {
            let session = model.open(&[part[..next].to_vec()]).unwrap();
            sum -= f64::from(session.predict()[0][part[next] as usize]);
            count += 1;
        }
    }
    sum / f64::from(count)
}

fn agrees(name: &str) {
    let model = checkpoint(name);
    let tokens = byte_tokens(TEXT);
    let expected = by_hand(model.as_ref(), &tokens, 15);
    for reading in [Reading::Prompt, Reading::Steps(1), Reading::Steps(4)] {
        let found = perplexity(model.as_ref(), &tokens, 15, reading).unwrap();
        assert_eq!((found.windows, found.tokens), (TEXT.len() / 15, TEXT.len() / 15 * 8), "{reading:?}");
        assert!((found.nats - expected).abs() < 1e-4, "{reading:?}: {} and {expected}", found.nats);
        assert!((found.perplexity.ln() - found.nats).abs() < 1e-9);
    }
}

#[test]
fn of_a_count_model() {
    agrees("bytes.ngram");
}

#[cfg(feature = "libtorch")]
#[test]
fn of_a_network() {
    agrees("gpt-small.safetensors");
}

#[test]
fn a_text_that_fills_no_window_is_an_error() {
    let model = checkpoint("bytes.ngram");
    let error = |window| perplexity(model.as_ref(), &byte_tokens(TEXT), window, Reading::Prompt).unwrap_err();
    assert!(error(4_096).to_string().contains("fill no window of 4096"));
    for window in [0, 1] {
        assert!(error(window).to_string().contains("window"), "{window}");
    }
}

#[test]
fn losses_need_no_normalised_scores() {
    let row: Vec<f32> = [0.5_f32, 0.25, 0.25].iter().map(|p| p.ln() + 30.0).collect();
    assert!((loss(&row, 1) - 4_f64.ln()).abs() < 1e-6);
    assert_eq!(loss(&[0.0, f32::NEG_INFINITY], 1), f64::INFINITY);
    assert_eq!(loss(&row, 9), f64::INFINITY, "an id that the model has not");
}
