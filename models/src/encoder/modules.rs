//! What lies around the network in a folder of sentence-transformers: where its parts are, and what follows pooling.
//!
//! `modules.json` lists the parts in their order. Without it the network lies in the folder itself, `1_Pooling` is read
//! where it is there, and vectors get unit length. A part that is not known here is refused: without it the vectors
//! would be others.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tch::{TchError, Tensor};

use super::pooling::Pooling;
use crate::arch::config::{self, MAX_WIDTH, bounded, unsupported};
use crate::nn::{Activation, Linear};
use crate::weights::safetensors::SafeTensorsSource;
use crate::weights::{Builder, Rows, Target};
use crate::{ModelError, files};

/// Largest of these files to read.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Keeps the length away from a division by zero; sentence-transformers' own.
const SMALLEST_LENGTH: f64 = 1e-12;
const KNOWN: &str = "Transformer, Pooling, Dense, Normalize";

/// A part after the network.
#[derive(Debug)]
pub(super) enum Step {
    /// Divides a vector by its length.
    Normalise,
    /// A linear layer with a function behind it.
    Dense(Linear, Activation),
}

/// Where the parts are.
#[derive(Debug)]
pub(super) struct Modules {
    /// Folder of the network and its tokenizer.
    pub(super) network: PathBuf,
    /// The file of the pooling, where there is one.
    pooling: Option<PathBuf>,
    /// Dense layers by their folders; none is a normalisation.
    after: Vec<Option<PathBuf>>,
}

#[derive(Deserialize)]
struct Module {
    path: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct DenseFields {
    in_features: usize,
    out_features: usize,
    bias: Option<bool>,
    activation_function: Option<String>,
}

impl Modules {
    /// Reads `modules.json`.
    pub(super) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("modules.json");
        let Some(list) = json(&path)? else {
            let pooling = Some(folder.join("1_Pooling/config.json")).filter(|path| path.exists());
            return Ok(Self { network: folder.into(), pooling, after: vec![None] });
        };
        let mut found = Self { network: folder.into(), pooling: None, after: Vec::new() };
        for module in config::read::<Vec<Module>>(&path, &list)? {
            let kind = module.kind.rsplit('.').next().unwrap_or_default();
            let usual = if kind == "Pooling" { "1_Pooling" } else { "" };
            let at = inside(folder, &path, module.path.as_deref().unwrap_or(usual))?;
            match kind {
                "Transformer" => found.network = at,
                "Pooling" => found.pooling = Some(at.join("config.json")),
                "Dense" => found.after.push(Some(at)),
                "Normalize" => found.after.push(None),
                other => return Err(unsupported(&path, "type", other, KNOWN)),
            }
        }
        Ok(found)
    }

    /// How tokens become one vector.
    pub(super) fn pooling(&self) -> Result<Pooling, ModelError> {
        let Some(path) = &self.pooling else { return Ok(Pooling::mean()) };
        let config =
            json(path)?.ok_or_else(|| files::corrupt(path, "missing, though modules.json names it"))?;
        Pooling::read(path, &config)
    }

    /// Folders of the dense layers, in their order.
    pub(super) fn dense(&self) -> impl Iterator<Item = &Path> {
        self.after.iter().filter_map(Option::as_deref)
    }

    /// What follows, for vectors of `width` numbers, and how many there are in the end.
    pub(super) fn steps(
        &self,
        mut width: usize,
        target: Target,
        limit: u64,
    ) -> Result<(Vec<Step>, usize), ModelError> {
        let mut steps = Vec::new();
        for after in &self.after {
            steps.push(match after {
                None => Step::Normalise,
                Some(folder) => {
                    let (layer, activation, outputs) = dense(folder, width, target, limit)?;
                    width = outputs;
                    Step::Dense(layer, activation)
                }
            });
        }
        Ok((steps, width))
    }
}

impl Step {
    /// `vectors` `[texts, width]`.
    pub(super) fn apply(&self, vectors: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Normalise => {
                let length = vectors.f_norm_scalaropt_dim(2.0, [1i64].as_slice(), true)?;
                vectors.f_div(&length.f_clamp_min(SMALLEST_LENGTH)?)
            }
            Self::Dense(layer, activation) => activation.apply(layer.forward(vectors)?),
        }
    }
}

/// A folder below `folder`.
fn inside(folder: &Path, index: &Path, name: &str) -> Result<PathBuf, ModelError> {
    if Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Ok(folder.join(name));
    }
    Err(files::corrupt(index, format!("names `{name}`, which is not inside its folder")))
}

fn dense(
    folder: &Path,
    width: usize,
    target: Target,
    limit: u64,
) -> Result<(Linear, Activation, usize), ModelError> {
    let path = folder.join("config.json");
    let value = json(&path)?.ok_or_else(|| files::corrupt(&path, "missing, though modules.json names it"))?;
    let fields: DenseFields = config::read(&path, &value)?;
    bounded(&path, "in_features", fields.in_features, width, width)?;
    bounded(&path, "out_features", fields.out_features, 1, MAX_WIDTH)?;
    let function = fields.activation_function.as_deref().unwrap_or("Tanh");
    let activation = match function.rsplit('.').next().unwrap_or_default() {
        "Identity" => Activation::Linear,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "GELU" => Activation::Gelu,
        "SiLU" => Activation::Silu,
        "Sigmoid" => Activation::Sigmoid,
        _ => {
            let known = "Identity, Tanh, ReLU, GELU, SiLU, Sigmoid";
            return Err(unsupported(&path, "activation_function", function, known));
        }
    };
    let mut source = SafeTensorsSource::open(folder, limit)?;
    let mut builder = Builder::new(&mut source, target);
    let rows = Rows { weight: "linear.weight".into(), outputs: fields.out_features, inputs: width };
    let bias: &[String] = if fields.bias.unwrap_or(true) { &["linear.bias".to_owned()] } else { &[] };
    let layer = builder.linear(&[rows], bias)?;
    builder.finish(&|_| false)?;
    Ok((layer, activation, fields.out_features))
}

/// A file's contents, if it is there.
pub(super) fn json(path: &Path) -> Result<Option<Value>, ModelError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read(path, MAX_FILE_BYTES)?;
    serde_json::from_slice(&text).map(Some).map_err(|error| files::corrupt(path, error.to_string()))
}
