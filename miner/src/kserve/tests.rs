//! What a request may say, tensor by tensor.

use acumen_models::torchscript::tensors::{DataType, TensorData};
use acumen_proto::kserve_v2::model_infer_request::InferInputTensor;
use acumen_proto::kserve_v2::{InferTensorContents, ModelInferRequest};
use tonic::Code;

use super::config::{KserveModel, TensorConfig};
use super::tensors::{check_output, inputs, wanted_outputs};

fn tensor(name: &str, datatype: &str, shape: &[i64]) -> TensorConfig {
    TensorConfig { name: name.to_owned(), datatype: datatype.to_owned(), shape: shape.to_vec() }
}

fn model() -> KserveModel {
    KserveModel {
        name: "m".to_owned(),
        path: "m.pt".into(),
        inputs: vec![tensor("a", "FP32", &[-1, 2]), tensor("b", "INT16", &[2])],
        outputs: vec![tensor("x", "FP32", &[-1]), tensor("y", "BOOL", &[-1])],
    }
}

fn input(name: &str, datatype: &str, shape: &[i64]) -> InferInputTensor {
    let (name, datatype, shape) = (name.to_owned(), datatype.to_owned(), shape.to_vec());
    InferInputTensor { name, datatype, shape, ..InferInputTensor::default() }
}

fn good() -> ModelInferRequest {
    ModelInferRequest {
        // In another order than `forward` takes them.
        inputs: vec![input("b", "INT16", &[2]), input("a", "FP32", &[1, 2])],
        raw_input_contents: vec![
            vec![1, 0, 2, 0],
            [1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
        ],
        ..ModelInferRequest::default()
    }
}

#[test]
fn tensors_find_their_places_by_name() {
    let ordered = inputs(&model(), good()).unwrap();
    assert_eq!((ordered[0].datatype, ordered[0].shape.as_slice()), (DataType::Fp32, [1, 2].as_slice()));
    assert_eq!(ordered[1].bytes, [1, 0, 2, 0]);
}

#[test]
fn typed_contents_are_the_same_bytes() {
    let mut typed = good();
    typed.raw_input_contents.clear();
    typed.inputs[0].contents = Some(InferTensorContents { int_contents: vec![1, 2], ..Default::default() });
    typed.inputs[1].contents =
        Some(InferTensorContents { fp32_contents: vec![1.0, 2.0], ..Default::default() });
    assert_eq!(inputs(&model(), typed.clone()).unwrap(), inputs(&model(), good()).unwrap());
    typed.inputs[0].contents =
        Some(InferTensorContents { int_contents: vec![1, 40_000], ..Default::default() });
    let error = inputs(&model(), typed).unwrap_err();
    assert!(error.message().contains("40000 does not fit"), "{error}");
}

#[test]
fn what_is_wrong_is_said_with_the_tensors_name() {
    type Change = fn(&mut ModelInferRequest);
    let cases: [(&str, Change); 9] = [
        ("`a` is missing", |request| {
            request.inputs.pop();
            request.raw_input_contents.pop();
        }),
        ("no input `c`", |request| {
            request.inputs.push(input("c", "FP32", &[1]));
            request.raw_input_contents.push(vec![0; 4]);
        }),
        ("`a`: has shape [1, 3]", |request| request.inputs[1].shape = vec![1, 3]),
        ("`a`: has shape [2]", |request| request.inputs[1].shape = vec![2]),
        ("`a`: is FP64, expected FP32", |request| request.inputs[1].datatype = "FP64".to_owned()),
        ("`a`: has 7 bytes", |request| request.raw_input_contents[1].truncate(7)),
        ("too large or negative", |request| request.inputs[1].shape = vec![i64::MAX, 2]),
        ("1 raw contents for 2 inputs", |request| request.raw_input_contents.truncate(1)),
        ("`a`: has no contents", |request| request.raw_input_contents.clear()),
    ];
    for (words, change) in cases {
        let mut request = good();
        change(&mut request);
        let error = inputs(&model(), request).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains(words), "{words}: {error}");
    }
}

#[test]
fn outputs_are_chosen_by_name_and_must_be_as_configured() {
    let model = model();
    let all: Vec<usize> = wanted_outputs(&model, &[]).unwrap().into_iter().map(|(index, _)| index).collect();
    assert_eq!(all, [0, 1]);
    assert_eq!(wanted_outputs(&model, &["y".to_owned()]).unwrap()[0].0, 1);
    assert!(wanted_outputs(&model, &["z".to_owned()]).is_err());
    let answer = TensorData { datatype: DataType::Fp32, shape: vec![3], bytes: vec![0; 12] };
    assert!(check_output(&model.outputs[0], &answer).is_ok());
    assert_eq!(check_output(&model.outputs[1], &answer).unwrap_err().code(), Code::Internal);
}
