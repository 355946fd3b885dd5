//! The loaded modules, by name.

use std::collections::BTreeMap;

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
            models.insert(model.name.clone(), Model { config: model.clone(), module });
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
