//! The header of a safetensors file: a length, a JSON object of tensors, then their bytes without a hole.
//!
//! Invariant: every tensor of a header has the bytes that its type and shape need, inside the file, apart from every other;
//! together they fill it. Each refusal names the tensor. Nothing is allocated beyond the header's own size. Source: the
//! format's description in its repository.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{elements, fault};
use crate::{ModelError, files};

/// Bytes of the length that precedes a header.
const LENGTH_BYTES: usize = 8;
/// Longest header: 100,000 tensors take some 15 MB.
const HEADER_BYTES: u64 = 32 << 20;
/// Most tensors of one file, as in GGUF.
const TENSORS: usize = 1 << 16;
/// Longest name.
const NAME_BYTES: usize = 1024;
/// Most dimensions of a tensor.
const DIMENSIONS: usize = 8;
/// What is not a tensor in a header.
const METADATA: &str = "__metadata__";

/// The types of the format and the bits of one value.
const TYPES: [(&str, usize); 19] = [
    ("F64", 64),
    ("F32", 32),
    ("F16", 16),
    ("BF16", 16),
    ("F8_E5M2", 8),
    ("F8_E4M3", 8),
    ("F8_E8M0", 8),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("F4", 4),
    ("I64", 64),
    ("I32", 32),
    ("I16", 16),
    ("I8", 8),
    ("U64", 64),
    ("U32", 32),
    ("U16", 16),
    ("U8", 8),
    ("BOOL", 8),
];

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// Its type, by the format's name.
    pub(super) kind: &'static str,
    pub(super) shape: Vec<usize>,
    /// Where its bytes lie in the file.
    pub(super) range: Range<usize>,
}

#[derive(Deserialize)]
struct Record {
    dtype: String,
    shape: Dimensions,
    data_offsets: (u64, u64),
}

struct Dimensions(Vec<usize>);

struct Records(BTreeMap<String, Record>);

/// Reads and checks the header of a whole file.
pub(super) fn read(path: &Path, file: &[u8]) -> Result<BTreeMap<String, Stored>, ModelError> {
    let bad = |reason: String| files::corrupt(path, format!("not a safetensors file: {reason}"));
    let length: [u8; LENGTH_BYTES] = file
        .first_chunk()
        .copied()
        .ok_or_else(|| bad(format!("it has {} bytes, less than the length of a header", file.len())))?;
    let length = u64::from_le_bytes(length);
    let rest = &file[LENGTH_BYTES..];
    if length > HEADER_BYTES || length > rest.len() as u64 {
        let most = HEADER_BYTES.min(rest.len() as u64);
        return Err(bad(format!("a header of {length} bytes, of which {most} can be read")));
    }
    let (header, data) = rest.split_at(length as usize);
    let Records(records) = serde_json::from_slice(header).map_err(|error| bad(error.to_string()))?;
    let start = LENGTH_BYTES + header.len();
    let tensors = records
        .into_iter()
        .map(|(name, record)| {
            let stored = record.check(path, &name, start, data.len())?;
            Ok((name, stored))
        })
        .collect::<Result<BTreeMap<_, _>, ModelError>>()?;
    check_filled(path, &tensors, start..file.len())?;
    Ok(tensors)
}

impl Record {
    fn check(self, path: &Path, name: &str, start: usize, data: usize) -> Result<Stored, ModelError> {
        let refuse = |reason: String| fault(path, name, reason);
        let Dimensions(shape) = self.shape;
        let known = TYPES.iter().find(|(kind, _)| *kind == self.dtype);
        let (kind, bits) = *known.ok_or_else(|| refuse(format!("type `{}` is not known", self.dtype)))?;
        let needed = elements(path, name, &shape)?.checked_mul(bits).map(|bits| bits.div_ceil(8));
        let needed = needed.ok_or_else(|| refuse(format!("shape {shape:?} overflows")))?;
        let (from, to) = self.data_offsets;
        if from > to || to > data as u64 {
            let reason =
                format!("bytes {from} to {to} of {data}; the file is cut short or damaged, fetch it again");
            return Err(refuse(reason));
        }
        let range = start + from as usize..start + to as usize;
        if range.len() != needed {
            return Err(refuse(format!("{} bytes, but {kind} {shape:?} needs {needed}", range.len())));
        }
        Ok(Stored { kind, shape, range })
    }
}

/// Refuses tensors that lie on each other, and bytes that belong to none.
fn check_filled(
    path: &Path,
    tensors: &BTreeMap<String, Stored>,
    whole: Range<usize>,
) -> Result<(), ModelError> {
    let mut places: Vec<(&Range<usize>, &String)> =
        tensors.iter().map(|(name, stored)| (&stored.range, name)).collect();
    places.sort_unstable_by_key(|(range, _)| (range.start, range.end));
    let mut end = whole.start;
    for (range, name) in places {
        if range.start != end {
            let what = if range.start < end {
                "overlap those of another tensor"
            } else {
                "leave a hole before them"
            };
            return Err(fault(path, name, format!("its bytes {what}")));
        }
        end = range.end;
    }
    if end == whole.end {
        return Ok(());
    }
    let reason = format!("not a safetensors file: {} bytes belong to no tensor", whole.end - end);
    Err(files::corrupt(path, reason))
}

impl<'de> Deserialize<'de> for Dimensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Dimensions;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a list of at most {DIMENSIONS} sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Dimensions, A::Error> {
                let mut sizes = Vec::new();
                while let Some(size) = list.next_element()? {
                    if sizes.len() == DIMENSIONS {
                        return Err(A::Error::custom(format!("more than {DIMENSIONS} dimensions")));
                    }
                    sizes.push(size);
                }
                Ok(Dimensions(sizes))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Records;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Records, A::Error> {
                let mut records = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if name.len() > NAME_BYTES || name.chars().any(char::is_control) {
                        let shown: String = name.escape_debug().take(40).collect();
                        return Err(A::Error::custom(format!(
                            "the name `{shown}`… is too long or not plain text"
                        )));
                    }
                    let record = map.next_value::<Record>();
                    let record =
                        record.map_err(|error| A::Error::custom(format!("tensor `{name}`: {error}")))?;
                    if records.len() == TENSORS {
                        return Err(A::Error::custom(format!("more than {TENSORS} tensors")));
                    }
                    if records.contains_key(&name) {
                        return Err(A::Error::custom(format!("tensor `{name}` is there twice")));
                    }
                    records.insert(name, record);
                }
                Ok(Records(records))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
