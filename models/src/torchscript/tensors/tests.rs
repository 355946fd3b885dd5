//! Tensors of every type through real modules.

use std::path::PathBuf;

use super::*;

/// A module that answers (x + y, x > y). Traced by PyTorch, since tch's tracer knows a single answer only.
fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/two.pt")
}

fn floats(shape: &[i64], values: &[f32]) -> TensorData {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorData { datatype: DataType::Fp32, shape: shape.to_vec(), bytes }
}

#[tokio::test]
async fn tensors_go_in_and_come_out() {
    let module = TensorModule::spawn(&module(), 1 << 20, 1).unwrap();
    let answer = module.run(vec![floats(&[2], &[1.0, 5.0]), floats(&[2], &[2.0, 4.0])]).await.unwrap();
    assert_eq!(answer[0], floats(&[2], &[3.0, 9.0]));
    assert_eq!((answer[1].datatype, answer[1].bytes.as_slice()), (DataType::Bool, [0, 1].as_slice()));
    for datatype in TYPES.map(|(datatype, ..)| datatype) {
        let zeros = TensorData { datatype, shape: vec![2, 2], bytes: vec![0; 4 * datatype.bytes()] };
        let answer = module.run(vec![zeros.clone(), zeros.clone()]).await.unwrap();
        assert_eq!(answer[0], zeros, "{datatype:?}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_module_goes_on() {
    let module = TensorModule::spawn(&module(), 1 << 20, 1).unwrap();
    let short = TensorData { bytes: vec![0; 7], ..floats(&[2], &[0.0, 0.0]) };
    let error = module.run(vec![short.clone(), short]).await.unwrap_err();
    assert!(error.to_string().contains("7 bytes do not fill FP32 [2]"), "{error}");
    let (two, three) = (floats(&[2], &[0.0; 2]), floats(&[3], &[0.0; 3]));
    assert!(matches!(
        module.run(vec![two.clone(), three]).await,
        Err(ReplicaError::Model(ModelError::Engine(_)))
    ));
    assert!(module.run(vec![two.clone()]).await.is_err(), "one tensor is missing");
    assert!(module.run(vec![two.clone(), two]).await.is_ok());
}

#[test]
fn a_file_that_is_no_module_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pt");
    std::fs::write(&path, "no module").unwrap();
    let error = TensorModule::spawn(&path, 1 << 20, 1).unwrap_err();
    assert!(error.to_string().contains("x.pt"), "{error}");
    assert!(TensorModule::spawn(&path, 3, 1).is_err(), "larger than allowed");
}

#[test]
fn sizes_do_not_overflow() {
    assert_eq!(bytes_of(DataType::Fp64, &[2, 3]), Some(48));
    assert_eq!(bytes_of(DataType::Fp32, &[]), Some(4), "a scalar");
    assert_eq!(bytes_of(DataType::Fp32, &[0, i64::MAX]), Some(0));
    for shape in [&[-1][..], &[i64::MAX, 2], &[1 << 20, 1 << 20]] {
        assert_eq!(bytes_of(DataType::Uint8, shape), None, "{shape:?}");
    }
    assert!(TYPES.iter().all(|(datatype, name, ..)| DataType::from_name(name) == Some(*datatype)));
}

#[tokio::test]
async fn bytes_that_wait_are_bounded_and_come_back() {
    let module = TensorModule::spawn(&module(), 1 << 20, 1).unwrap();
    let gauge = Arc::clone(&module.gauge);
    let held = Held::take(&gauge, QUEUE_BYTES - 8).unwrap();
    let two = || floats(&[2], &[0.0; 2]);
    let error = module.run(vec![two(), two()]).await.unwrap_err();
    assert!(matches!(error, ReplicaError::Overloaded { .. }), "16 bytes where 8 are left: {error}");
    drop(held);
    module.run(vec![two(), two()]).await.unwrap();
    assert_eq!((gauge.bytes.load(Ordering::SeqCst), module.busy()), (0, None));
}
