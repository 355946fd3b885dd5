//! Which modules are served over KServe v2, and what their tensors are called: TorchScript knows no names of outputs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use acumen_models::torchscript::tensors::DataType;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// Most tensors of one module, in or out.
const MAX_TENSORS: usize = 64;

/// The table `[kserve]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KserveConfig {
    /// Address and port. Nobody is asked who they are: a loopback address, unless `allow_remote`.
    pub listen: SocketAddr,
    /// Lets everybody who can reach `listen` use the modules.
    #[serde(default)]
    pub allow_remote: bool,
    /// Threads inside one operation of libtorch.
    #[serde(default = "one")]
    pub threads: usize,
    /// A module that takes so long for one request counts as hung: it is not ready and takes no further requests until it
    /// comes back; 0: never.
    #[serde(default = "hang_timeout_ms")]
    pub hang_timeout_ms: u64,
    /// The modules. Without any, the miner's own model, if that is a TorchScript file.
    #[serde(default, rename = "model")]
    pub models: Vec<KserveModel>,
}

const fn one() -> usize {
    1
}

const fn hang_timeout_ms() -> u64 {
    120_000
}

/// One module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KserveModel {
    /// Its name in requests.
    pub name: String,
    /// The TorchScript file.
    pub path: PathBuf,
    /// In the order of `forward`'s arguments.
    pub inputs: Vec<TensorConfig>,
    /// In the order of `forward`'s answer.
    pub outputs: Vec<TensorConfig>,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorConfig {
    /// Its name in requests.
    pub name: String,
    /// `BOOL`, `UINT8`, `INT8`, `INT16`, `INT32`, `INT64`, `FP16`, `BF16`, `FP32` or `FP64`.
    pub datatype: String,
    /// Sizes; -1 where any will do.
    pub shape: Vec<i64>,
}

impl TensorConfig {
    /// The type, once [`KserveConfig::check`] has passed.
    pub(super) fn datatype(&self) -> Option<DataType> {
        DataType::from_name(&self.datatype)
    }

    fn new(name: &str, datatype: DataType, shape: &[i64]) -> Self {
        Self { name: name.to_owned(), datatype: datatype.name().to_owned(), shape: shape.to_vec() }
    }
}

impl KserveConfig {
    /// Makes relative paths relative to `base`.
    pub(crate) fn resolve_paths(&mut self, base: &Path) {
        for model in &mut self.models {
            model.path = base.join(&model.path);
        }
    }

    /// Fills in the miner's own model where no module is named.
    pub(crate) fn with_default(mut self, name: &str, path: &Path) -> Self {
        if self.models.is_empty() {
            self.models.push(KserveModel {
                name: name.to_owned(),
                path: path.to_owned(),
                inputs: vec![TensorConfig::new("ids", DataType::Int64, &[-1, -1])],
                outputs: vec![TensorConfig::new("logits", DataType::Fp32, &[-1, -1, -1])],
            });
        }
        self
    }

    /// Refuses what cannot work. `own` is the file of the miner's own model.
    pub(crate) fn check(&self, own: &Path) -> Result<(), ConfigError> {
        let refuse = |field, reason: String| Err(ConfigError { field, reason });
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            let reason = format!(
                "{} can be reached by others and KServe's clients do not sign: write 127.0.0.1:{}, or `allow_remote = \
                 true` if a firewall or proxy decides who may ask",
                self.listen,
                self.listen.port()
            );
            return refuse("kserve.listen", reason);
        }
        if self.models.is_empty() && own.extension().is_none_or(|extension| extension != "pt") {
            return refuse("kserve.model", "name a module: the miner's own model is no .pt file".to_owned());
        }
        let mut names: Vec<&str> = self.models.iter().map(|model| model.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse("kserve.model.name", format!("`{}` is there twice", pair[0]));
        }
        self.models.iter().try_for_each(KserveModel::check)
    }
}

impl KserveModel {
    fn check(&self) -> Result<(), ConfigError> {
        for (field, tensors) in
            [("kserve.model.inputs", &self.inputs), ("kserve.model.outputs", &self.outputs)]
        {
            let refuse =
                |reason: String| Err(ConfigError { field, reason: format!("of `{}`: {reason}", self.name) });
            if tensors.is_empty() || tensors.len() > MAX_TENSORS {
                return refuse(format!(
                    "{} tensors; between 1 and {MAX_TENSORS} are possible",
                    tensors.len()
                ));
            }
            for (index, tensor) in tensors.iter().enumerate() {
                if tensor.datatype().is_none() {
                    return refuse(format!(
                        "`{}` is no datatype of KServe that libtorch has",
                        tensor.datatype
                    ));
                }
                if tensor.shape.iter().any(|size| *size < -1) {
                    return refuse(format!("{:?} is no shape: sizes, or -1 for any", tensor.shape));
                }
                if tensors[..index].iter().any(|other| other.name == tensor.name) {
                    return refuse(format!("`{}` is there twice", tensor.name));
                }
            }
        }
        Ok(())
    }
}
