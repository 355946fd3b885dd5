//! A GGUF file as a Hugging Face folder that transformers loads.
//!
//! Every tensor is dequantised and written in one floating-point type under its Hugging Face name; configuration,
//! tokenizer and chat template come from the metadata. Tensors are made one at a time while the file is written, so
//! memory holds the largest of them, not all. The weights are written last: a folder with `model.safetensors` is whole.

use std::borrow::Cow;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, View};
use serde_json::{Map, Value, json};

use super::Gguf;
use super::names::Layout;
use super::weights::GgufSource;
use crate::tokenizer::Tokenizer;
use crate::{ModelError, files};

const WEIGHTS: &str = "model.safetensors";

/// The type of the weights that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float {
    /// 32 bits: holds every value of a GGUF file exactly.
    F32,
    /// The upper 16 bits of `f32`.
    Bf16,
    /// IEEE half precision.
    F16,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Number of tensors.
    pub tensors: usize,
    /// Bytes of weights.
    pub bytes: u64,
    /// Names of the files, the weights last.
    pub files: Vec<String>,
}

struct Lazy<'a> {
    source: &'a GgufSource,
    place: usize,
    float: Float,
}

impl View for Lazy<'_> {
    fn dtype(&self) -> Dtype {
        match self.float {
            Float::F32 => Dtype::F32,
            Float::Bf16 => Dtype::BF16,
            Float::F16 => Dtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.source.shape_of(self.place)
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.source.values_of(self.place);
        let bytes: Vec<u8> = match self.float {
            Float::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Float::Bf16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
            Float::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        };
        bytes.into()
    }

    fn data_len(&self) -> usize {
        let size = if self.float == Float::F32 { 4 } else { 2 };
        self.shape().iter().product::<usize>() * size
    }
}

/// Writes the folder. It is made if it is not there, and must not hold a model.
///
/// # Errors
/// A file that cannot be read as a model, a folder that holds one already, what the operating system refuses.
pub fn convert(file: &Gguf, folder: &Path, float: Float) -> Result<Converted, ModelError> {
    let at = |error: super::GgufError| error.at(file.path());
    let mut config = file.config().map_err(at)?;
    let named = match float {
        Float::F32 => "float32",
        Float::Bf16 => "bfloat16",
        Float::F16 => "float16",
    };
    config["torch_dtype"] = json!(named);
    let source = GgufSource::new(file.clone())?;
    source.check_all()?;
    std::fs::create_dir_all(folder).map_err(|error| files::io(folder, &error))?;
    if let Some(there) =
        ["config.json", WEIGHTS].iter().map(|name| folder.join(name)).find(|path| path.exists())
    {
        let reason = "is there already; choose an empty folder".into();
        return Err(ModelError::Io { path: there, reason });
    }
    let mut written = Vec::new();
    let mut write = |name: &str, text: String| -> Result<(), ModelError> {
        written.push(name.to_owned());
        files::write(&folder.join(name), text.as_bytes())
    };
    write("config.json", pretty(&config))?;
    write("generation_config.json", pretty(&generation(&config)))?;
    if file.has_tokenizer().map_err(at)? {
        tokenizer_files(file, &mut write)?;
    }
    let (tensors, bytes) = weights(&source, folder, float)?;
    written.push(WEIGHTS.into());
    Ok(Converted { tensors, bytes, files: written })
}

fn pretty(value: &Value) -> String {
    // A value of strings, numbers, lists and objects can always be written.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn generation(config: &Value) -> Value {
    let ids = ["bos_token_id", "eos_token_id", "pad_token_id"];
    let ids = ids.iter().filter_map(|name| Some(((*name).to_owned(), config.get(*name)?.clone())));
    Value::Object(ids.collect())
}

fn tokenizer_files(
    file: &Gguf,
    write: &mut impl FnMut(&str, String) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let refused = |error: crate::tokenizer::TokenizerError| files::corrupt(file.path(), error.to_string());
    let tokenizer = Tokenizer::from_gguf(file).map_err(refused)?;
    write("tokenizer.json", tokenizer.to_json().map_err(refused)?.unwrap_or_default())?;
    let mut config = Map::new();
    config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
    config.insert("clean_up_tokenization_spaces".into(), json!(false));
    if let Some(template) = tokenizer.chat_template() {
        config.extend(template.tokens().clone());
        write("chat_template.jinja", template.source().to_owned())?;
    }
    write("tokenizer_config.json", pretty(&Value::Object(config)))
}

/// Number of tensors and bytes.
fn weights(source: &GgufSource, folder: &Path, float: Float) -> Result<(usize, u64), ModelError> {
    let path = folder.join(WEIGHTS);
    let part = folder.join(format!("{WEIGHTS}.part"));
    let views: Vec<_> = source.places().map(|(name, place)| (name, Lazy { source, place, float })).collect();
    let count = views.len();
    let bytes = views.iter().map(|(_, view)| view.data_len() as u64).sum();
    // transformers asks for the key "format".
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(metadata), &part)
        .map_err(|error| ModelError::Io { path: part.clone(), reason: error.to_string() })?;
    // The writer gives the file to its owner alone; it gets the rights of the folder's other files.
    std::fs::metadata(folder.join("config.json"))
        .and_then(|config| std::fs::set_permissions(&part, config.permissions()))
        .and_then(|()| std::fs::rename(&part, &path))
        .map_err(|error| files::io(&path, &error))?;
    Ok((count, bytes))
}

impl GgufSource {
    /// Refuses a tensor that no name of Hugging Face's stands for, and rows that are not whole heads.
    fn check_all(&self) -> Result<(), ModelError> {
        for tensor in self.file().tensors() {
            self.pairs(tensor)?;
            if self.architecture().layout(&tensor.name) == Layout::Transposed && tensor.shape.len() != 2 {
                let reason = format!("shape {:?}, expected two dimensions", tensor.shape);
                return Err(super::GgufError::tensor(&tensor.name, reason).at(self.file().path()));
            }
        }
        match self.places().find(|(name, place)| *name == self.file().tensors()[*place].name) {
            None => Ok(()),
            Some((name, _)) => {
                let reason = "this architecture has no such tensor";
                Err(super::GgufError::tensor(name, reason).at(self.file().path()))
            }
        }
    }
}
