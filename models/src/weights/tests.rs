//! Files that lie are refused, and the error names the tensor.

use std::collections::HashMap;
use std::path::Path;

use ::safetensors::Dtype as FileType;
use ::safetensors::tensor::TensorView;
use tch::Kind;

use super::safetensors::SafeTensorsSource;
use super::*;

const LIMIT: u64 = 1 << 20;

fn write(path: &Path, tensors: &[(&str, FileType, Vec<usize>, Vec<u8>)]) {
    let views = tensors
        .iter()
        .map(|(name, kind, shape, bytes)| (*name, TensorView::new(*kind, shape.clone(), bytes).unwrap()));
    std::fs::write(path, ::safetensors::serialize(views, None).unwrap()).unwrap();
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn two(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("model.safetensors");
    write(
        &path,
        &[
            ("a", FileType::F32, vec![2, 2], floats(&[1.0, 2.0, 3.0, 4.0])),
            ("b", FileType::I64, vec![1], vec![0; 8]),
        ],
    );
    path
}

#[test]
fn a_tensor_is_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = SafeTensorsSource::open(&two(folder.path()), LIMIT).unwrap();
    assert!(source.has("a") && !source.has("c"));
    let tensor = source.take("a", &[2, 2]).unwrap();
    assert_eq!((tensor.kind(), tensor.double_value(&[1, 0])), (Kind::Float, 3.0));
    assert_eq!(source.unused(), ["b"]);
    for (name, shape, reason) in
        [("a", vec![4], "shape [2, 2], expected [4]"), ("b", vec![1], "type I64"), ("c", vec![1], "missing")]
    {
        let error = source.take(name, &shape).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")) && error.contains(reason), "{error}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(two(folder.path())).unwrap();
    let bad = folder.path().join("bad.safetensors");
    let mut huge_header = whole.clone();
    huge_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let overlap = {
        let header = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
        [&(header.len() as u64).to_le_bytes()[..], header, &[0; 12]].concat()
    };
    let endless = {
        let header = br#"{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}}"#;
        [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat()
    };
    for bytes in [&whole[..whole.len() - 1], &whole[..7], &[], &huge_header[..], &overlap[..], &endless[..]] {
        std::fs::write(&bad, bytes).unwrap();
        let error = SafeTensorsSource::open(&bad, LIMIT).unwrap_err();
        assert!(error.to_string().contains("bad.safetensors"), "{error}");
    }
    let error = SafeTensorsSource::open(&two(folder.path()), 10).unwrap_err();
    assert!(matches!(error, ModelError::TooLarge { limit: 10, .. }));
}

#[test]
fn a_header_that_lies_is_refused_with_the_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.safetensors");
    let one = r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    let of_a = |what: &str| format!(r#"{{"a":{{{what}}}}}"#);
    for (header, reason) in [
        (format!("{{{one},{one}}}"), "tensor `a` is there twice"),
        (of_a(r#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), "tensor `a`: bytes 8 to 0 of 8"),
        (of_a(r#""dtype":"F32","shape":[2],"data_offsets":[0,9]"#), "tensor `a`: bytes 0 to 9 of 8"),
        (
            of_a(r#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#),
            "tensor `a`: 8 bytes, but F32 [3] needs 12",
        ),
        (of_a(r#""dtype":"F32","shape":[1],"data_offsets":[0,4]"#), "4 bytes belong to no tensor"),
        (of_a(r#""dtype":"F32","shape":[1],"data_offsets":[4,8]"#), "tensor `a`: its bytes leave a hole"),
        (of_a(r#""dtype":"F7","shape":[2],"data_offsets":[0,8]"#), "tensor `a`: type `F7` is not known"),
        (
            of_a(r#""dtype":"F32","shape":[-2],"data_offsets":[0,8]"#),
            "tensor `a`: invalid value: integer `-2`",
        ),
        (of_a(r#""dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]"#), "more than 8 dimensions"),
        (of_a(r#""dtype":"F32","shape":[2]"#), "tensor `a`: missing field `data_offsets`"),
        (
            format!(r#"{{{one},"b":{{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}}}"#),
            "tensor `b`: its bytes overlap",
        ),
        (format!(r#"{{"a\u001b[2J":{{}},{one}}}"#), "is too long or not plain text"),
        ("[]".into(), "an object of tensors"),
    ] {
        std::fs::write(
            &path,
            [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat(),
        )
        .unwrap();
        let error = SafeTensorsSource::open(&path, LIMIT).unwrap_err().to_string();
        assert!(error.contains(reason), "{header}: {error}");
    }
    let good = format!(
        r#"{{"__metadata__":{{"format":"pt"}},"none":{{"dtype":"F4","shape":[0],"data_offsets":[8,8]}},{one}}}"#
    );
    std::fs::write(&path, [&(good.len() as u64).to_le_bytes()[..], good.as_bytes(), &[0; 8]].concat())
        .unwrap();
    assert_eq!(SafeTensorsSource::open(&path, LIMIT).unwrap().tensors().len(), 2);
}

#[test]
fn an_index_that_lies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    two(folder.path());
    let other = folder.path().join("other.safetensors");
    write(&other, &[("c", FileType::F32, vec![1], floats(&[1.0]))]);
    let index = folder.path().join("model.safetensors.index.json");
    let open = |map: &[(&str, &str)]| {
        let map: HashMap<&str, &str> = map.iter().copied().collect();
        std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
        SafeTensorsSource::open(folder.path(), LIMIT)
    };
    let good = [("a", "model.safetensors"), ("b", "model.safetensors"), ("c", "other.safetensors")];
    assert_eq!(open(&good).unwrap().tensors().len(), 3);
    for (map, reason) in [
        (vec![("a", "other.safetensors"), ("b", "model.safetensors")], "tensor `a`: is not in"),
        (vec![("d", "model.safetensors")], "tensor `d`: is not in"),
        (vec![("a", "../model.safetensors")], "not a file of this folder"),
        (vec![("a", "/etc/passwd")], "not a file of this folder"),
        (vec![("a", "gone.safetensors")], "gone.safetensors"),
        (vec![], "names 0 shards"),
    ] {
        let error = open(&map).unwrap_err().to_string();
        assert!(error.contains(reason), "{map:?}: {error}");
    }
    write(&other, &[("a", FileType::F32, vec![1], floats(&[1.0]))]);
    let twice = open(&[("a", "other.safetensors"), ("b", "model.safetensors")]).unwrap_err().to_string();
    assert!(twice.contains("tensor `a`: is in two shards"), "{twice}");
}

#[test]
fn numbers_that_are_none_are_refused_and_large_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let target = Target::new(Dtype::F32, Device::Cpu);
    for (values, good) in
        [(vec![1.0, f32::NAN], false), (vec![f32::INFINITY, 0.0], false), (vec![3e38, 3e38], true)]
    {
        write(&path, &[("a", FileType::F32, vec![2], floats(&values))]);
        let mut source = SafeTensorsSource::open(&path, LIMIT).unwrap();
        let taken = Builder::new(&mut source, target).tensor("a", &[2]);
        assert_eq!(taken.is_ok(), good, "{values:?}");
        if let Err(error) = taken {
            assert!(error.to_string().contains("tensor `a`: holds NaN or infinity"), "{error}");
        }
    }
}
