//! Writes GGUF files for tests.

use std::path::Path;
use std::sync::Arc;

use super::Gguf;
use crate::ModelError;

/// A file in the making.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) version: u32,
    pub(crate) alignment: usize,
    pub(crate) entries: Vec<(String, Vec<u8>)>,
    pub(crate) tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { version: 3, alignment: 32, entries: Vec::new(), tensors: Vec::new() }
    }
}

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}

impl Writer {
    /// An entry of any type: the number of the type, then its bytes.
    pub(crate) fn raw(mut self, key: &str, kind: u32, bytes: &[u8]) -> Self {
        self.entries.push((key.into(), [&kind.to_le_bytes()[..], bytes].concat()));
        self
    }

    pub(crate) fn text(self, key: &str, text: &str) -> Self {
        self.raw(key, 8, &string(text.as_bytes()))
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    pub(crate) fn truth(self, key: &str, value: bool) -> Self {
        self.raw(key, 7, &[u8::from(value)])
    }

    /// An array of elements that are encoded already.
    pub(crate) fn array(self, key: &str, kind: u32, elements: &[Vec<u8>]) -> Self {
        let mut bytes = [&kind.to_le_bytes()[..], &(elements.len() as u64).to_le_bytes()].concat();
        bytes.extend(elements.iter().flatten());
        self.raw(key, 9, &bytes)
    }

    pub(crate) fn texts(self, key: &str, texts: &[&[u8]]) -> Self {
        let elements: Vec<_> = texts.iter().map(|text| string(text)).collect();
        self.array(key, 8, &elements)
    }

    /// A tensor; the shape is outermost first.
    pub(crate) fn tensor(mut self, name: &str, shape: &[u64], kind: u32, bytes: &[u8]) -> Self {
        let sizes = shape.iter().rev().copied().collect();
        self.tensors.push((name.into(), sizes, kind, bytes.to_vec()));
        self
    }

    /// A tensor of 32-bit floats.
    pub(crate) fn floats(self, name: &str, shape: &[u64], values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, shape, 0, &bytes)
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            out.extend(string(key.as_bytes()));
            out.extend(value);
        }
        let mut data: Vec<u8> = Vec::new();
        for (name, sizes, kind, bytes) in &self.tensors {
            data.resize(data.len().next_multiple_of(self.alignment), 0);
            out.extend(string(name.as_bytes()));
            out.extend((sizes.len() as u32).to_le_bytes());
            sizes.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out.extend(data);
        out
    }

    pub(crate) fn open(&self) -> Result<Gguf, ModelError> {
        parse(self.bytes())
    }
}

/// Parses bytes as if they were a file.
pub(crate) fn parse(bytes: Vec<u8>) -> Result<Gguf, ModelError> {
    Gguf::parse(Path::new("test.gguf"), Arc::new(bytes))
}
