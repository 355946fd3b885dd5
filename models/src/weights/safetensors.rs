//! Weights in safetensors files: one, or shards with an index.
//!
//! Headers are checked in `header`. The index is checked against the shards: each tensor is in the shard that the index
//! names, and in no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::header::{self, Stored};
use super::{WeightSource, fault};
use crate::inspect::TensorInfo;
use crate::mapped::Mapped;
use crate::torch::dim;
use crate::{ModelError, files};

/// Largest index to read, and most shards that it may name: bounds on what a wrong file can cost.
const MAX_INDEX_BYTES: u64 = 64 << 20;
const MAX_SHARDS: usize = 1024;

#[derive(Debug)]
struct Shard {
    file: Mapped,
    tensors: BTreeMap<String, Stored>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SafeTensorsSource {
    shards: Vec<Shard>,
    /// Shard of each tensor.
    home: BTreeMap<String, usize>,
    taken: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl SafeTensorsSource {
    /// Opens one file, or the folder's `model.safetensors`, or the shards of its `model.safetensors.index.json`.
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self, ModelError> {
        if !path.is_dir() {
            return Self::shards(&[path.to_path_buf()], limit);
        }
        let index = path.join("model.safetensors.index.json");
        if index.exists() {
            return Self::indexed(path, &index, limit);
        }
        let mut files = safetensors_in(path)?;
        let whole = path.join("model.safetensors");
        if files.contains(&whole) {
            files = vec![whole];
        }
        if files.is_empty() {
            return Err(nothing_to_read(path));
        }
        Self::shards(&files, limit)
    }

    fn indexed(folder: &Path, index: &Path, limit: u64) -> Result<Self, ModelError> {
        let text = files::read(index, MAX_INDEX_BYTES)?;
        let parsed: Index =
            serde_json::from_slice(&text).map_err(|error| files::corrupt(index, error.to_string()))?;
        let names: BTreeSet<&String> = parsed.weight_map.values().collect();
        if names.is_empty() || names.len() > MAX_SHARDS {
            let reason = format!("names {} shards; between 1 and {MAX_SHARDS} are expected", names.len());
            return Err(files::corrupt(index, reason));
        }
        let paths = names.iter().map(|name| inside(folder, index, name)).collect::<Result<Vec<_>, _>>()?;
        let source = Self::shards(&paths, limit)?;
        for (tensor, shard) in &parsed.weight_map {
            let expected = paths.iter().position(|path| path.ends_with(shard));
            if source.home.get(tensor).copied() != expected {
                return Err(fault(index, tensor, format!("is not in `{shard}`, where the index says it is")));
            }
        }
        Ok(source)
    }

    fn shards(paths: &[PathBuf], limit: u64) -> Result<Self, ModelError> {
        let mut home = BTreeMap::new();
        let mut shards = Vec::with_capacity(paths.len());
        for (number, path) in paths.iter().enumerate() {
            let shard = Shard::open(path, limit)?;
            for name in shard.tensors.keys() {
                if home.insert(name.clone(), number).is_some() {
                    return Err(fault(path, name, "is in two shards"));
                }
            }
            shards.push(shard);
        }
        Ok(Self { shards, home, taken: BTreeSet::new() })
    }

    /// Every shard, for the digest.
    pub(crate) fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.shards.iter().map(|shard| shard.file.bytes())
    }
}

/// What to say of a folder without safetensors.
fn nothing_to_read(folder: &Path) -> ModelError {
    let other = ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"];
    let reason = match other.iter().find(|name| folder.join(name).exists()) {
        Some(name) => {
            format!("`{name}` is not read; save the model with safetensors (transformers' save_pretrained)")
        }
        None => "has no .safetensors file".into(),
    };
    ModelError::Io { path: folder.into(), reason }
}

/// The safetensors files of a folder, in the order of their names.
fn safetensors_in(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| files::io(folder, &error))? {
        let path = entry.map_err(|error| files::io(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(path);
        }
        if found.len() > MAX_SHARDS {
            return Err(files::corrupt(folder, format!("has more than {MAX_SHARDS} .safetensors files")));
        }
    }
    found.sort();
    Ok(found)
}

/// A shard's path; an index must not lead out of its folder.
fn inside(folder: &Path, index: &Path, name: &str) -> Result<PathBuf, ModelError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(folder.join(name)),
        _ => Err(files::corrupt(index, format!("names `{name}`, which is not a file of this folder"))),
    }
}

impl Shard {
    fn open(path: &Path, limit: u64) -> Result<Self, ModelError> {
        let file = Mapped::open(path, limit)?;
        let tensors = header::read(path, file.bytes())?;
        Ok(Self { file, tensors })
    }
}

impl WeightSource for SafeTensorsSource {
    fn tensors(&self) -> Vec<TensorInfo> {
        self.home
            .iter()
            .filter_map(|(name, shard)| {
                let stored = self.shards[*shard].tensors.get(name)?;
                let dtype = stored.kind.to_lowercase();
                Some(TensorInfo { name: name.clone(), shape: stored.shape.clone(), dtype })
            })
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.home.contains_key(name)
    }

    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        let missing = || fault(&self.path(name), name, "missing");
        let shard = &self.shards[*self.home.get(name).ok_or_else(missing)?];
        let stored = shard.tensors.get(name).ok_or_else(missing)?;
        let path = shard.file.path();
        if stored.shape != shape {
            return Err(fault(path, name, format!("shape {:?}, expected {shape:?}", stored.shape)));
        }
        let kind = match stored.kind {
            "F16" => Kind::Half,
            "BF16" => Kind::BFloat16,
            "F32" => Kind::Float,
            "F64" => Kind::Double,
            other => return Err(fault(path, name, format!("type {other}; use F16, BF16, F32 or F64"))),
        };
        let data = shard.file.bytes().get(stored.range.clone());
        let data = data.ok_or_else(|| fault(path, name, "lies outside its file"))?;
        let dims: Vec<i64> = shape.iter().map(|size| dim(*size)).collect();
        let tensor = Tensor::f_from_data_size(data, &dims, kind)?;
        self.taken.insert(name.to_owned());
        Ok(tensor)
    }

    fn unused(&self) -> Vec<String> {
        self.home.keys().filter(|name| !self.taken.contains(*name)).cloned().collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        let shard = self.home.get(name).copied().unwrap_or(0);
        self.shards.get(shard).map(|shard| shard.file.path().to_path_buf()).unwrap_or_default()
    }
}
