//! A file that is not what it should be is refused with the tensor's name, whatever is wrong with it.

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::*;
use crate::testing::{TINY, model, tokens, weights};

const LIMIT: u64 = 1 << 20;

struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn read(&self, bytes: &[u8]) -> ModelError {
        let path = self.folder.path().join("bad.safetensors");
        std::fs::write(&path, bytes).unwrap();
        let error = GptModel::read(&path, LIMIT).unwrap_err();
        assert!(error.to_string().contains("bad.safetensors"), "{error}");
        error
    }
}

/// A file with one tensor replaced, and the header given.
fn file(header: &str, replace: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = TINY
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let size = 2 * shape.iter().product::<usize>();
            (name, Dtype::F16, shape, vec![0; size])
        })
        .collect();
    tensors.retain(|(name, ..)| name != replace);
    if !shape.is_empty() {
        tensors.push((replace.into(), dtype, shape.to_vec(), bytes.to_vec()));
    }
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()))
        .collect();
    let metadata = HashMap::from([(KEY.to_owned(), header.to_owned())]);
    serialize(views, Some(metadata)).unwrap()
}

fn good_header() -> String {
    let header = Header { version: VERSION, name: "x".into(), config: TINY, card: serde_json::Value::Null };
    serde_json::to_string(&header).unwrap()
}

#[test]
fn a_written_model_reads_back() {
    let fixture = Fixture::new();
    let read = model(fixture.folder.path(), TINY, 9);
    assert_eq!(read.config(), TINY);
    assert_eq!(read.card()["seed"], 9);
    assert_eq!(read.info().parameters, TINY.parameters());
    let again = model(fixture.folder.path(), TINY, 9);
    assert_eq!(read.info(), again.info(), "the same weights make the same file");
    let other = model(fixture.folder.path(), TINY, 10);
    assert_ne!(read.info().digest, other.info().digest);
    assert_ne!(read.score(&[tokens(1, 9)]).unwrap(), other.score(&[tokens(1, 9)]).unwrap());
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let fixture = Fixture::new();
    model(fixture.folder.path(), TINY, 1);
    let whole = std::fs::read(fixture.folder.path().join("tiny-1.safetensors")).unwrap();
    for length in (0..whole.len()).step_by(61).chain([whole.len() - 1]) {
        fixture.read(&whole[..length]);
    }
    fixture.read(&[whole, vec![0]].concat());
}

#[test]
fn an_absurd_header_length_is_refused_before_it_is_allocated() {
    let fixture = Fixture::new();
    for length in [u64::MAX, 1 << 40, 100_000_001] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{\"embedding\":{}}");
        fixture.read(&bytes);
    }
}

/// A tensor's name, what to write in its place, and what the refusal must say.
type Fault<'a> = (&'a str, Dtype, Vec<usize>, Vec<u8>, &'a str);

#[test]
fn a_tensor_at_fault_is_named() {
    let fixture = Fixture::new();
    let one = half::f16::ONE.to_le_bytes();
    let nan = half::f16::NAN.to_le_bytes();
    let cases: [Fault<'_>; 6] = [
        ("layers.1.down", Dtype::F16, vec![], vec![], "missing"),
        ("norm", Dtype::F16, vec![8], one.repeat(8), "shape [8], expected [16]"),
        ("norm", Dtype::F16, vec![4, 4], one.repeat(16), "shape [4, 4]"),
        ("norm", Dtype::I64, vec![16], vec![0; 128], "type I64"),
        ("norm", Dtype::F16, vec![16], nan.repeat(16), "NaN"),
        ("extra", Dtype::F16, vec![1], one.to_vec(), "no such tensor"),
    ];
    for (name, dtype, shape, bytes, reason) in cases {
        match fixture.read(&file(&good_header(), name, dtype, &shape, &bytes)) {
            ModelError::Tensor { tensor, reason: given, .. } => {
                assert_eq!(tensor, name);
                assert!(given.contains(reason), "{given}");
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn metadata_at_fault_is_refused() {
    let fixture = Fixture::new();
    let good = good_header();
    let bad = [
        "nonsense".to_owned(),
        "{}".to_owned(),
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("\"layers\":2", "\"layers\":1000000000000"),
        good.replace("\"heads\":2", "\"heads\":0"),
        good.replace("\"card\"", "\"surprise\":1,\"card\""),
    ];
    for header in bad {
        let error = fixture.read(&file(&header, "none", Dtype::F16, &[], &[]));
        assert!(matches!(error, ModelError::Corrupt { .. }), "{header}: {error}");
    }
}

#[test]
fn a_large_or_absent_file_is_refused() {
    let fixture = Fixture::new();
    model(fixture.folder.path(), TINY, 1);
    let path = fixture.folder.path().join("tiny-1.safetensors");
    assert!(matches!(GptModel::read(&path, 100), Err(ModelError::TooLarge { limit: 100, .. })));
    let absent = fixture.folder.path().join("absent.safetensors");
    assert!(matches!(GptModel::read(&absent, LIMIT), Err(ModelError::Io { .. })));
}

#[test]
fn weights_that_do_not_fit_are_not_written() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("unwritten.safetensors");
    let mut short = weights(TINY, 1);
    short.pop();
    let card = serde_json::Value::Null;
    let error = write(&path, "x", TINY, card, &short).unwrap_err();
    assert!(error.to_string().contains("`norm`"), "{error}");
    assert!(!path.exists());
}
