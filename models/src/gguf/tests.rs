//! Headers: what is read, what is refused and how the refusal is worded.

use proptest::prelude::*;

use super::Gguf;
use super::testing::{Writer, parse};
use crate::ModelError;

fn sample() -> Writer {
    Writer::default()
        .text("general.architecture", "llama")
        .u32("llama.block_count", 1)
        .f32("llama.rope.freq_base", 10_000.0)
        .truth("tokenizer.ggml.add_bos_token", true)
        .raw("small", 1, &[0xFE])
        .texts("words", &[b"one", b"\xFF", b""])
        .array("numbers", 5, &[1i32, -2].map(|value| value.to_le_bytes().to_vec()))
        .floats("output_norm.weight", &[3], &[1.0, 2.0, 3.0])
        .tensor("blk.0.ffn_up.weight", &[2, 32], 8, &[7; 68])
}

fn message(writer: &Writer) -> String {
    writer.open().unwrap_err().to_string()
}

#[test]
fn entries_and_tensors_are_read() {
    for version in [2, 3] {
        let file = Writer { version, ..sample() }.open().unwrap();
        assert_eq!(file.version(), version);
        assert_eq!(file.text("general.architecture"), Ok(Some("llama")));
        assert_eq!(file.unsigned("llama.block_count"), Ok(Some(1)));
        assert_eq!(file.number("llama.rope.freq_base"), Ok(Some(10_000.0)));
        assert_eq!(file.number("small"), Ok(Some(-2.0)));
        assert_eq!(file.truth("tokenizer.ggml.add_bos_token"), Ok(Some(true)));
        assert_eq!(file.numbers("numbers"), Ok(Some(vec![1.0, -2.0])));
        let words: Vec<&[u8]> = file.raw_strings("words").unwrap().unwrap().map(Result::unwrap).collect();
        assert_eq!(words, [b"one".as_slice(), b"\xFF", b""]);
        assert_eq!(file.text("absent"), Ok(None));
        let norm = file.tensor("output_norm.weight").unwrap();
        assert_eq!(file.values(norm).unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(file.tensor("blk.0.ffn_up.weight").unwrap().shape, [2, 32]);
    }
}

#[test]
fn a_type_that_is_not_expected_is_an_error_with_the_key() {
    let file = sample().open().unwrap();
    let error = file.unsigned("general.architecture").unwrap_err().to_string();
    assert_eq!(error, "metadata `general.architecture`: the text \"llama\", expected an integer");
    assert!(file.unsigned("small").unwrap_err().to_string().contains("-2 is not a count"));
    assert!(file.text("words").unwrap_err().to_string().contains("an array of 3 elements"));
    assert!(file.raw_strings("numbers").err().unwrap().to_string().contains("expected strings"));
}

#[test]
fn what_is_not_gguf_is_refused() {
    let corrupt = |bytes: &[u8]| parse(bytes.to_vec()).unwrap_err().to_string();
    assert!(corrupt(b"").contains("GGUF"));
    assert!(corrupt(b"PK\x03\x04").contains("GGUF"));
    assert!(message(&Writer { version: 1, ..sample() }).contains("version 1"));
    assert!(message(&Writer { version: 3 << 24, ..sample() }).contains("big-endian"));
}

#[test]
fn hostile_counts_and_lengths_are_refused_before_anything_is_allocated() {
    let header = |tensors: u64, entries: u64| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(entries.to_le_bytes());
        parse(bytes).unwrap_err().to_string()
    };
    assert!(header(u64::MAX, 0).contains("number of tensors"));
    assert!(header(0, u64::MAX).contains("metadata entries"));
    assert!(header(1, 0).contains("ends"));
    let length = [&u64::MAX.to_le_bytes()[..], b"abc"].concat();
    assert!(message(&Writer::default().raw("text", 8, &length)).contains("metadata `text`"));
    let count = [&4u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
    assert!(message(&Writer::default().raw("list", 9, &count)).contains("metadata `list`"));
    let nested = [&9u32.to_le_bytes()[..], &1u64.to_le_bytes(), &[9, 0, 0, 0]].concat();
    assert!(message(&Writer::default().raw("deep", 9, &nested)).contains("arrays inside arrays"));
    assert!(message(&Writer::default().raw("odd", 99, &[])).contains("value type 99"));
    assert!(message(&Writer::default().raw("flag", 7, &[2])).contains("neither true nor false"));
    assert!(message(&Writer::default().raw("text", 8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xFF])).contains("UTF-8"));
    assert!(message(&Writer::default().u32("a", 1).u32("a", 2)).contains("`a`: is there twice"));
    assert!(message(&Writer::default().u32("", 1)).contains("a metadata key is empty"));
}

#[test]
fn a_wrong_alignment_is_refused() {
    for bad in [0, 4, 12, 1 << 30] {
        assert!(message(&sample().u32("general.alignment", bad)).contains("general.alignment"), "{bad}");
    }
    let wide = Writer { alignment: 64, ..sample() };
    wide.u32("general.alignment", 64).open().unwrap();
}

#[test]
fn a_tensor_that_does_not_fit_is_refused_by_name() {
    let one = |shape: &[u64], kind: u32| message(&Writer::default().tensor("the.one", shape, kind, &[0; 64]));
    for (shape, kind, reason) in [
        (&[][..], 0, "0 dimensions"),
        (&[1, 1, 1, 1, 1], 0, "5 dimensions"),
        (&[0, 4], 0, "one is 0"),
        (&[4, 33], 2, "rows of 33 values"),
        (&[4, 32], 14, "blocks of 256"),
        (&[u64::MAX, u64::MAX], 0, "too large"),
        (&[1 << 62], 0, "too large"),
        (&[17], 0, "beyond the file's end"),
        (&[4], 10, "Q2_K"),
        (&[4], 77, "ggml type 77"),
    ] {
        let text = one(shape, kind);
        assert!(text.contains("tensor `the.one`") && text.contains(reason), "{shape:?} {kind}: {text}");
    }
}

#[test]
fn tensors_that_share_bytes_or_a_name_are_refused() {
    let two = Writer::default().floats("a", &[8], &[0.0; 8]).floats("b", &[8], &[0.0; 8]);
    two.open().unwrap();
    let mut bytes = two.bytes();
    // The offset is the last number of a record: that of `b` moves onto `a`, then off the alignment.
    let record = bytes.windows(9).rposition(|window| window == b"\x01\0\0\0\0\0\0\0b").unwrap();
    let offset = record + 9 + 4 + 8 + 4;
    bytes[offset] = 0;
    assert!(parse(bytes.clone()).unwrap_err().to_string().contains("overlap those of `a`"));
    bytes[offset] = 31;
    assert!(parse(bytes).unwrap_err().to_string().contains("multiple of the alignment 32"));
    let same = Writer::default().floats("a", &[8], &[0.0; 8]).floats("a", &[8], &[0.0; 8]);
    assert!(message(&same).contains("`a`: is there twice"));
}

#[test]
fn a_value_that_is_no_number_is_refused_by_name() {
    let file = Writer::default().floats("bad", &[2], &[1.0, f32::NAN]).open().unwrap();
    let error = file.values(file.tensor("bad").unwrap()).unwrap_err();
    assert!(matches!(&error, ModelError::Tensor { tensor, .. } if tensor == "bad"), "{error}");
}

#[test]
fn every_shorter_file_is_refused() {
    let bytes = sample().bytes();
    for length in 0..bytes.len() {
        assert!(parse(bytes[..length].to_vec()).is_err(), "{length} of {} bytes", bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is changed in a header, it is read or refused: no panic, and nothing beyond the file is reached.
    #[test]
    fn a_changed_file_never_panics(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
        let mut bytes = sample().bytes();
        for (place, value) in changes {
            let place = usize::from(place) % bytes.len();
            bytes[place] = value;
        }
        if let Ok(file) = parse(bytes) {
            for tensor in file.tensors() {
                prop_assert_eq!(
                    file.bytes(tensor).len(),
                    tensor.shape.iter().product::<usize>() / tensor.kind.block_values() * tensor.kind.block_bytes()
                );
                let _ = file.values(tensor);
            }
            let _ = (file.config(), file.numbers("numbers"), file.raw_strings("words").map(|_| ()));
        }
    }

    #[test]
    fn numbers_at_the_edges_never_panic(
        place in any::<u16>(),
        value in prop::sample::select(vec![0, 1, u64::MAX, u64::MAX / 2, 1 << 32, 1 << 62, u64::MAX - 31]),
    ) {
        let mut bytes = sample().bytes();
        let place = usize::from(place) % (bytes.len() - 8);
        bytes[place..place + 8].copy_from_slice(&value.to_le_bytes());
        if let Ok(file) = parse(bytes) {
            for tensor in file.tensors() {
                let _ = file.values(tensor);
            }
        }
    }
}

#[test]
fn a_file_may_be_larger_than_the_memory() {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&Writer::default().text("general.architecture", "llama").bytes()).unwrap();
    // A hole, of which a disk keeps nothing.
    file.as_file().set_len(40 << 30).unwrap();
    let opened = Gguf::open(file.path(), crate::LoadOptions::default().max_file_bytes);
    assert!(!matches!(opened, Err(ModelError::TooLarge { .. })), "{opened:?}");
}
