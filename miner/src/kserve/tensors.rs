//! A request's tensors: named, typed, as raw bytes or as values, to what a module takes; and its answer back.
//!
//! Everything about a tensor is checked here, with its name in the error, before the module sees any.

use acumen_models::torchscript::tensors::{DataType, TensorData, bytes_of};
use acumen_proto::kserve_v2::model_infer_request::InferInputTensor;
use acumen_proto::kserve_v2::{InferTensorContents, ModelInferRequest};
use tonic::Status;

use super::config::{KserveModel, TensorConfig};

/// The module's inputs in the order of `forward`.
pub(super) fn inputs(model: &KserveModel, request: ModelInferRequest) -> Result<Vec<TensorData>, Status> {
    let ModelInferRequest { inputs, raw_input_contents: raw, .. } = request;
    if !raw.is_empty() && raw.len() != inputs.len() {
        let (raw, count) = (raw.len(), inputs.len());
        return Err(Status::invalid_argument(format!(
            "{raw} raw contents for {count} inputs: send one for each"
        )));
    }
    let mut given: Vec<(InferInputTensor, Option<Vec<u8>>)> = if raw.is_empty() {
        inputs.into_iter().map(|input| (input, None)).collect()
    } else {
        inputs.into_iter().zip(raw.into_iter().map(Some)).collect()
    };
    let mut ordered = Vec::with_capacity(model.inputs.len());
    for wanted in &model.inputs {
        let index = given.iter().position(|(input, _)| input.name == wanted.name);
        let index =
            index.ok_or_else(|| Status::invalid_argument(format!("input `{}` is missing", wanted.name)))?;
        let (input, raw) = given.swap_remove(index);
        ordered.push(data(wanted, input, raw)?);
    }
    match given.first() {
        None => Ok(ordered),
        Some((extra, _)) => Err(Status::invalid_argument(format!(
            "`{}` has no input `{}`, or it is there twice",
            model.name, extra.name
        ))),
    }
}

fn data(wanted: &TensorConfig, input: InferInputTensor, raw: Option<Vec<u8>>) -> Result<TensorData, Status> {
    let bad = |reason: String| Status::invalid_argument(format!("input `{}`: {reason}", wanted.name));
    let datatype = DataType::from_name(&input.datatype).filter(|_| input.datatype == wanted.datatype);
    let datatype =
        datatype.ok_or_else(|| bad(format!("is {}, expected {}", input.datatype, wanted.datatype)))?;
    let fits = input.shape.len() == wanted.shape.len()
        && input.shape.iter().zip(&wanted.shape).all(|(size, wanted)| *wanted == -1 || size == wanted);
    if !fits {
        return Err(bad(format!("has shape {:?}, expected {:?}", input.shape, wanted.shape)));
    }
    let needed = bytes_of(datatype, &input.shape)
        .ok_or_else(|| bad(format!("shape {:?} is too large or negative", input.shape)))?;
    let bytes = match (raw, input.contents) {
        (Some(_), Some(contents)) if contents != InferTensorContents::default() => {
            return Err(bad("has contents and raw contents: send one of them".to_owned()));
        }
        (Some(raw), _) => raw,
        (None, Some(contents)) => values(datatype, contents).map_err(bad)?,
        (None, None) => return Err(bad("has no contents".to_owned())),
    };
    if bytes.len() != needed {
        let (found, shape) = (bytes.len(), &input.shape);
        return Err(bad(format!("has {found} bytes, {} {shape:?} needs {needed}", input.datatype)));
    }
    Ok(TensorData { datatype, shape: input.shape, bytes })
}

/// Typed values to bytes.
fn values(datatype: DataType, contents: InferTensorContents) -> Result<Vec<u8>, String> {
    fn narrow<T: Copy + std::fmt::Display, U: TryFrom<T>, const N: usize>(
        values: &[T],
        bytes: impl Fn(U) -> [u8; N],
    ) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(values.len() * N);
        for value in values {
            let narrow = U::try_from(*value).map_err(|_| format!("{value} does not fit its datatype"))?;
            out.extend(bytes(narrow));
        }
        Ok(out)
    }
    match datatype {
        DataType::Bool => Ok(contents.bool_contents.into_iter().map(u8::from).collect()),
        DataType::Uint8 => narrow(&contents.uint_contents, u8::to_le_bytes),
        DataType::Int8 => narrow(&contents.int_contents, i8::to_le_bytes),
        DataType::Int16 => narrow(&contents.int_contents, i16::to_le_bytes),
        DataType::Int32 => narrow(&contents.int_contents, i32::to_le_bytes),
        DataType::Int64 => narrow(&contents.int64_contents, i64::to_le_bytes),
        DataType::Fp32 => Ok(contents.fp32_contents.into_iter().flat_map(f32::to_le_bytes).collect()),
        DataType::Fp64 => Ok(contents.fp64_contents.into_iter().flat_map(f64::to_le_bytes).collect()),
        DataType::Fp16 | DataType::Bf16 => {
            Err(format!("{} has no typed contents: send raw contents", datatype.name()))
        }
    }
}

/// The answer's tensors that were asked for, as (index in the answer, configuration).
pub(super) fn wanted_outputs<'a>(
    model: &'a KserveModel,
    names: &[String],
) -> Result<Vec<(usize, &'a TensorConfig)>, Status> {
    if names.is_empty() {
        return Ok(model.outputs.iter().enumerate().collect());
    }
    let find = |name: &String| {
        let found = model.outputs.iter().enumerate().find(|(_, output)| output.name == *name);
        found.ok_or_else(|| Status::invalid_argument(format!("`{}` has no output `{name}`", model.name)))
    };
    names.iter().map(find).collect()
}

/// Refuses an answer that is not what the configuration says: a client would read other numbers than were computed.
pub(super) fn check_output(wanted: &TensorConfig, found: &TensorData) -> Result<(), Status> {
    let fits = found.shape.len() == wanted.shape.len()
        && found.shape.iter().zip(&wanted.shape).all(|(size, wanted)| *wanted == -1 || size == wanted);
    if fits && found.datatype.name() == wanted.datatype {
        return Ok(());
    }
    let (name, shape) = (found.datatype.name(), &found.shape);
    Err(Status::internal(format!(
        "output `{}` is {name} {shape:?}, the configuration says {} {:?}",
        wanted.name, wanted.datatype, wanted.shape
    )))
}
