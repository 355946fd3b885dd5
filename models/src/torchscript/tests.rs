//! The exported module is the native model; a module that is not one is refused.

use tch::Device;

use super::*;
use crate::gpt::{GptModel, VOCAB};
use crate::testing::{TINY, assert_close, checkpoint, model, tokens};

const LIMIT: u64 = 1 << 24;

#[test]
fn the_same_weights_give_the_same_logits_at_lengths_that_were_not_traced() {
    let folder = tempfile::tempdir().unwrap();
    let native = GptModel::read(&checkpoint("gpt-small.safetensors"), LIMIT).unwrap();
    let path = folder.path().join("small.pt");
    export(&native, "small", &path).unwrap();
    let script = ScriptModel::read(&path, LIMIT).unwrap();
    assert_eq!(script.info().context, native.info().context);
    assert_eq!(script.info().vocab, VOCAB);
    let _guard = tch::no_grad_guard();
    for (rows, length) in [(1, 1), (1, 256), (3, 17), (8, 100)] {
        let texts: Vec<Vec<Token>> = (0..rows).map(|row| tokens(row, length)).collect();
        let texts: Vec<&[Token]> = texts.iter().map(Vec::as_slice).collect();
        let input = ids(&texts, length).unwrap();
        let a = native.gpt().logits(&input).unwrap();
        let b = script.script.logits(&input).unwrap();
        let far = a.f_sub(&b).unwrap().f_abs().unwrap().f_max().unwrap().double_value(&[]);
        assert!(far <= 1e-4, "{rows} × {length}: {far}");
    }
}

#[test]
fn its_session_is_the_native_session() {
    let folder = tempfile::tempdir().unwrap();
    let native = model(folder.path(), TINY, 1);
    let path = folder.path().join("tiny.pt");
    export(&native, "tiny", &path).unwrap();
    let script = ScriptModel::read(&path, LIMIT).unwrap();
    let contexts = vec![Vec::new(), tokens(1, 3), tokens(2, 8), tokens(3, 20)];
    let (mut a, mut b) = (native.open(&contexts).unwrap(), script.open(&contexts).unwrap());
    for step in 0..20 {
        for (row, (a, b)) in a.predict().iter().zip(b.predict()).enumerate() {
            assert_close(a, b, &format!("document {row}, step {step}"));
        }
        let next = tokens(step, contexts.len());
        a.advance(&next).unwrap();
        b.advance(&next).unwrap();
    }
    let documents = [tokens(4, 30), tokens(5, 7)];
    let (a, b) = (native.score(&documents).unwrap(), script.score(&documents).unwrap());
    a.iter().zip(&b).for_each(|(a, b)| assert_close(a, b, "scores"));
}

#[test]
fn what_is_not_a_module_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let native = model(folder.path(), TINY, 1);
    let path = folder.path().join("whole.pt");
    export(&native, "whole", &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let bad = folder.path().join("bad.pt");
    for bytes in [&whole[..whole.len() / 2], &whole[..100], b"not a module", b""] {
        std::fs::write(&bad, bytes).unwrap();
        let error = ScriptModel::read(&bad, LIMIT).unwrap_err();
        assert!(matches!(error, ModelError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("bad.pt"), "{error}");
    }
}

#[test]
fn a_description_that_lies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let native = model(folder.path(), TINY, 1);
    let path = folder.path().join("tiny.pt");
    export(&native, "tiny", &path).unwrap();
    for (text, reason) in [
        ("{", "EOF"),
        ("{\"contexts\": 8}", "contexts"),
        ("{\"context\": 0}", "between"),
        ("{\"context\": 9}", "refuses 2 sequences of 9"),
        ("{\"context\": 8, \"begin\": 256}", "`forward` refuses"),
    ] {
        std::fs::write(config_path(&path), text).unwrap();
        let error = ScriptModel::read(&path, LIMIT).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

/// Traces `answer` and reads it back.
fn traced(answer: &dyn Fn(&Tensor) -> Result<Tensor, TchError>) -> Result<ScriptModel, ModelError> {
    let _guard = tch::no_grad_guard();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.pt");
    let input = Tensor::zeros([2, 8], (Kind::Int64, Device::Cpu));
    let mut forward = |inputs: &[Tensor]| vec![answer(&inputs[0]).unwrap()];
    CModule::create_by_tracing("Odd", "forward", &[input], &mut forward)?.save(&path)?;
    ScriptModel::read(&path, LIMIT)
}

/// Logits over 256 tokens from one number per position.
fn spread(values: &Tensor) -> Result<Tensor, TchError> {
    let ramp = Tensor::f_arange(256, (Kind::Float, Device::Cpu))?;
    values.f_to_kind(Kind::Float)?.f_unsqueeze(-1)?.f_mul(&ramp)?.f_mul_scalar(0.01)
}

#[test]
fn a_module_that_looks_ahead_is_refused() {
    let error = traced(&|ids| spread(&ids.f_flip(1)?)).unwrap_err();
    assert!(error.to_string().contains("not causal"), "{error}");
    traced(&spread).unwrap();
}

#[test]
fn a_module_of_the_wrong_shape_or_with_nan_is_refused() {
    let error = traced(&|ids| ids.f_to_kind(Kind::Float)).unwrap_err();
    assert!(error.to_string().contains("with shape [1, 1]"), "{error}");
    let error = traced(&|ids| spread(ids)?.f_log()?.f_neg()?.f_log()).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
}
