//! The cache, the batch and the window change nothing but speed.

use super::*;
use crate::documents::Documents;
use crate::testing::{TINY, assert_close, assert_normal, checkpoint, model, tokens};
use crate::torch::{ids, log_probs};
use crate::{LanguageModel, LogProbs, Token, byte_tokens};

/// The distribution after a window, by one full forward pass without a cache.
fn forced(gpt: &Gpt, window: &[Token]) -> LogProbs {
    let _guard = tch::no_grad_guard();
    let logits = gpt.logits(&ids(&[window], window.len()).unwrap()).unwrap();
    let last = logits.f_select(1, dim(window.len() - 1)).unwrap();
    log_probs(&last).unwrap().remove(0)
}

/// Steps documents of different lengths far beyond the window, checking every distribution of each.
fn check_steps(model: &GptModel, lengths: &[usize], steps: usize) {
    let contexts: Vec<Vec<Token>> =
        lengths.iter().enumerate().map(|(row, length)| tokens(row as u64, *length)).collect();
    let mut session = model.open(&contexts).unwrap();
    let mut windows = Documents::open(BEGIN, model.config().context, &contexts);
    for step in 0..=steps {
        assert_eq!(session.predict().len(), lengths.len());
        for (row, prediction) in session.predict().iter().enumerate() {
            let expected = forced(model.gpt(), windows.window(row));
            assert_close(prediction, &expected, &format!("document {row}, step {step}"));
        }
        let next = tokens(100 + step as u64, lengths.len());
        windows.push(&next);
        session.advance(&next).unwrap();
    }
}

#[test]
fn steps_equal_the_full_forward_pass_beyond_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), TINY, 1);
    check_steps(&model, &[0], 30);
    check_steps(&model, &[3, 3, 3], 20);
    check_steps(&model, &[0, 1, 5, 7, 8, 9, 40], 30);
}

#[test]
fn steps_of_a_shipped_model_equal_the_full_forward_pass() {
    let model = GptModel::read(&checkpoint("gpt-small.safetensors"), 1 << 22).unwrap();
    check_steps(&model, &[0, 5, 250, 255, 300], 10);
}

#[test]
fn a_document_alone_is_predicted_as_in_a_batch() {
    let model = GptModel::read(&checkpoint("gpt-small.safetensors"), 1 << 22).unwrap();
    let contexts: Vec<Vec<Token>> = (0..33).map(|row| tokens(row, (row * 9) as usize)).collect();
    let mut batch = model.open(&contexts).unwrap();
    let mut alone: Vec<_> =
        contexts.iter().map(|one| model.open(std::slice::from_ref(one)).unwrap()).collect();
    for step in 0..3 {
        let next = tokens(step, contexts.len());
        batch.advance(&next).unwrap();
        for (row, session) in alone.iter_mut().enumerate() {
            session.advance(&next[row..=row]).unwrap();
            assert_close(&batch.predict()[row], &session.predict()[0], &format!("row {row}"));
        }
    }
}

#[test]
fn opening_at_a_length_equals_stepping_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), TINY, 2);
    let text = tokens(5, 40);
    let mut stepped = model.open(&[Vec::new()]).unwrap();
    for length in 0..text.len() {
        let opened = model.open(&[text[..length].to_vec()]).unwrap();
        assert_close(&opened.predict()[0], &stepped.predict()[0], &format!("length {length}"));
        stepped.advance(&text[length..=length]).unwrap();
    }
}

#[test]
fn a_score_is_the_loss_of_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), TINY, 3);
    let documents: Vec<Vec<Token>> = [0, 1, 8, 9, 50].map(|length| tokens(7, length)).to_vec();
    let scores = model.score(&documents).unwrap();
    for (document, score) in documents.iter().zip(scores) {
        let mut session = model.open(&[Vec::new()]).unwrap();
        assert_eq!(score.len(), document.len());
        for (token, nats) in document.iter().zip(score) {
            let expected = -session.predict()[0][*token as usize];
            assert!((nats - expected).abs() < 1e-4, "{nats} and {expected}");
            session.advance(&[*token]).unwrap();
        }
    }
}

#[test]
fn a_later_token_changes_no_earlier_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), TINY, 4);
    let mut text = tokens(8, 20);
    let before = model.score(&[text.clone()]).unwrap().remove(0);
    text[12] = (text[12] + 1) % 256;
    let after = model.score(&[text]).unwrap().remove(0);
    assert_eq!(before[..12], after[..12]);
    assert!(before[12..] != after[12..]);
}

#[test]
fn distributions_are_normalised_and_a_trained_model_reads_english() {
    let model = GptModel::read(&checkpoint("gpt-small.safetensors"), 1 << 22).unwrap();
    let session = model.open(&[byte_tokens(b"of the "), byte_tokens(b"th")]).unwrap();
    session.predict().iter().for_each(assert_normal);
    let best = |row: usize| {
        let ids = 0..VOCAB as usize;
        ids.max_by(|a, b| session.predict()[row][*a].total_cmp(&session.predict()[row][*b]))
    };
    assert_eq!(best(1), Some(usize::from(b'e')));
}

#[test]
fn a_bad_call_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), TINY, 5);
    assert_eq!(model.open(&[]).err(), Some(ModelError::NoDocuments));
    let outside = Some(ModelError::Token { token: 256, vocab: 256 });
    assert_eq!(model.open(&[vec![1, 256]]).err(), outside);
    assert_eq!(model.score(&[vec![256]]).err(), outside);
    let mut session = model.open(&[vec![1], vec![2]]).unwrap();
    let before = session.predict().to_vec();
    assert_eq!(session.advance(&[1, 256]).err(), outside);
    let count = Some(ModelError::DocumentCount { documents: 2, tokens: 1 });
    assert_eq!(session.advance(&[1]).err(), count);
    assert_eq!(session.predict(), before);
}

#[test]
fn impossible_shapes_are_refused() {
    let bad = [
        GptConfig { context: 1, ..TINY },
        GptConfig { context: usize::MAX, ..TINY },
        GptConfig { layers: 0, ..TINY },
        GptConfig { heads: 0, ..TINY },
        GptConfig { heads: 3, ..TINY },
        GptConfig { width: 15, heads: 5, ..TINY },
        GptConfig { hidden: 0, ..TINY },
    ];
    for config in bad {
        assert!(matches!(config.check(), Err(ModelError::Config { .. })), "{config:?}");
    }
    TINY.check().unwrap();
}
