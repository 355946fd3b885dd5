//! The loaded modules, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use acumen_models::torchscript::tensors::TensorModule;
use acumen_models::{LoadOptions, ModelError};
use tonic::Status;

use super::config::{KserveConfig, KserveModel};

/// The one version that there is of each.
pub(super) const VERSION: &str = "1";

/// A loaded module.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) config: KserveModel,
    pub(super) module: TensorModule,
    /// None if it may take as long as it likes.
    patience: Option<Duration>,
}

impl Model {
    /// Whether the module can be expected to answer: false while it has been at one request for too long.
    pub(super) fn is_ready(&self) -> bool {
        !is_hung(self.module.busy(), self.patience)
    }
}

fn is_hung(busy: Option<Duration>, patience: Option<Duration>) -> bool {
    busy.zip(patience).is_some_and(|(busy, patience)| busy >= patience)
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Models(BTreeMap<String, Model>);

impl Models {
    pub(super) fn load(config: &KserveConfig) -> Result<Self, ModelError> {
        let limit = LoadOptions::default().max_file_bytes;
        let mut models = BTreeMap::new();
        for model in &config.models {
            let module = TensorModule::spawn(&model.path, limit, config.threads)?;
            tracing::info!(model = model.name, path = %model.path.display(), "module loaded for KServe");
            let patience = config.hang_timeout_ms;
            let patience = (patience > 0).then(|| Duration::from_millis(patience));
            models.insert(model.name.clone(), Model { config: model.clone(), module, patience });
        }
        Ok(Self(models))
    }

    /// The module of this name and version; an empty version is any.
    pub(super) fn find(&self, name: &str, version: &str) -> Result<&Model, Status> {
        let model = self.0.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            Status::not_found(format!("there is no model `{name}`; there is {known:?}"))
        })?;
        if version.is_empty() || version == VERSION {
            return Ok(model);
        }
        Err(Status::not_found(format!("`{name}` has version {VERSION} only, not `{version}`")))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Model> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_hangs_when_one_request_takes_too_long() {
        let seconds = |n| Some(Duration::from_secs(n));
        for (busy, patience, hung) in [
            (None, seconds(5), false),
            (seconds(4), seconds(5), false),
            (seconds(5), seconds(5), true),
            (seconds(5_000), None, false),
        ] {
            assert_eq!(is_hung(busy, patience), hung, "{busy:?} {patience:?}");
        }
    }
}
