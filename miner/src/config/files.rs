//! Opening whatever a configuration names, as a start would: what this lets pass does not fail at the start for its files.

use acumen_models::torchscript::tensors::TensorModule;
use acumen_models::{LoadOptions, ModelError};

use super::{Config, ConfigError, refuse};
use crate::tls::host;

impl Config {
    /// Loads model, encoder, modules, certificate and keys, and drops them again. Nothing is written and nobody asked: an
    /// engine of `[model.upstream]` need not run.
    ///
    /// # Errors
    /// The first that cannot be used, with its field.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        self.check_tls_files()?;
        match &self.model.upstream {
            Some(upstream) => upstream.check_files()?,
            None => {
                let loaded = acumen_models::load(&self.model.path, &self.model.load_options());
                loaded.map(drop).or_else(|error| refuse_model("model.path", &error))?;
            }
        }
        if let Some(encoder) = &self.encoder {
            let options = LoadOptions { threads: Some(encoder.threads), ..LoadOptions::default() };
            let loaded = acumen_models::encoder::Encoder::load(&encoder.path, &options);
            loaded.map(drop).or_else(|error| refuse_model("encoder.path", &error))?;
        }
        for module in self.kserve.iter().flat_map(|kserve| &kserve.models) {
            let loaded = TensorModule::spawn(&module.path, LoadOptions::default().max_file_bytes, 1);
            loaded.map(drop).or_else(|error| refuse_model("kserve.model.path", &error))?;
        }
        Ok(())
    }

    /// Without files of the operator's, the miner makes its own at the start.
    fn check_tls_files(&self) -> Result<(), ConfigError> {
        match &self.tls {
            Some(tls) if tls.certificate.is_some() => {
                tls.load(&self.data_dir, host(&self.public_url)).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// The path of the field where the fault is in the file, the setting itself where that is at fault.
fn refuse_model<T>(path: &'static str, error: &ModelError) -> Result<T, ConfigError> {
    match error {
        ModelError::Config { field: "device", reason } => refuse("model.device", reason),
        other => refuse(path, other),
    }
}
