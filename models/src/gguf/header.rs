//! The header of a GGUF file: metadata and the directory of tensors.
//!
//! Layout (all little-endian): magic, version `u32`, tensor count `u64`, entry count `u64`, the entries, the tensor
//! records, padding to the alignment, then the tensors' data at offsets from there. Source: the GGUF specification in
//! the ggml repository.
//!
//! Invariant: every tensor of a [`Header`] lies inside the file, aligned, apart from every other, and its shape has
//! exactly the number of bytes that its type needs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cursor::Cursor;
use super::error::GgufError;
use super::quant::GgmlType;
use super::value::Value;

/// Metadata entries that are read: real files have some tens.
const ENTRIES: u64 = 1 << 16;
/// Tensors that are read: a model of 126 layers with 12 tensors each has about 1,500.
const TENSORS: u64 = 1 << 16;
/// Longest key: the specification's own limit.
const KEY_BYTES: u64 = (1 << 16) - 1;
/// Longest tensor name: the specification says 64; some converters write longer ones.
const NAME_BYTES: u64 = 256;
/// ggml has no tensors of more dimensions.
const DIMENSIONS: u32 = 4;
/// Largest alignment that is believed: a huge page.
const ALIGNMENT: u64 = 2 << 20;

/// One tensor of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Outermost dimension first, as in PyTorch (the file has them the other way round).
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub kind: GgmlType,
    /// Where its bytes lie in the file.
    pub(super) range: Range<usize>,
}

/// A header that has been checked against the file's length.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) entries: BTreeMap<String, Value>,
    pub(super) tensors: Vec<TensorInfo>,
}

struct Record {
    name: String,
    shape: Vec<usize>,
    kind: GgmlType,
    offset: u64,
    bytes: u64,
}

impl Header {
    /// Reads and checks the header of a whole file.
    pub(super) fn read(file: &[u8]) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(file, 0);
        if file.get(..4) != Some(b"GGUF".as_slice()) {
            return Err(GgufError::Magic);
        }
        cursor.take(4, "the magic")?;
        let version = cursor.u32("the version")?;
        if version.swap_bytes() == 2 || version.swap_bytes() == 3 {
            return Err(GgufError::BigEndian);
        }
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version(version));
        }
        let tensors = cursor.count(TENSORS, "the number of tensors")?;
        let entries = cursor.count(ENTRIES, "the number of metadata entries")?;
        let entries = read_entries(&mut cursor, entries)?;
        let alignment = alignment(&entries)?;
        let mut records = Vec::new();
        for _ in 0..tensors {
            records.push(Record::read(&mut cursor)?);
        }
        let start = (cursor.position() as u64).next_multiple_of(alignment);
        let tensors = place(records, start, alignment, file.len() as u64)?;
        Ok(Self { version, entries, tensors })
    }
}

fn read_entries(cursor: &mut Cursor<'_>, count: u64) -> Result<BTreeMap<String, Value>, GgufError> {
    let mut entries = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.name(KEY_BYTES, "a metadata key")?;
        let value = Value::read(cursor, key)?;
        if entries.insert(key.to_owned(), value).is_some() {
            return Err(GgufError::key(key, "is there twice"));
        }
    }
    Ok(entries)
}

fn alignment(entries: &BTreeMap<String, Value>) -> Result<u64, GgufError> {
    const KEY: &str = "general.alignment";
    let value = match entries.get(KEY) {
        None => return Ok(32),
        Some(Value::Integer(value)) => u64::try_from(*value).unwrap_or(0),
        Some(_) => return Err(GgufError::key(KEY, "is not an integer")),
    };
    if value == 0 || !value.is_multiple_of(8) || value > ALIGNMENT {
        return Err(GgufError::key(KEY, format!("{value} is not a multiple of 8 up to {ALIGNMENT}")));
    }
    Ok(value)
}

impl Record {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let name = cursor.name(NAME_BYTES, "a tensor's name")?.to_owned();
        let what = format!("the record of tensor `{name}`");
        let dimensions = cursor.u32(&what)?;
        if !(1..=DIMENSIONS).contains(&dimensions) {
            let reason = format!("{dimensions} dimensions; 1 to {DIMENSIONS} are read");
            return Err(GgufError::tensor(&name, reason));
        }
        let mut sizes = Vec::new();
        for _ in 0..dimensions {
            sizes.push(cursor.u64(&what)?);
        }
        let number = cursor.u32(&what)?;
        let offset = cursor.u64(&what)?;
        let kind = GgmlType::from_number(number).map_err(|reason| GgufError::tensor(&name, reason))?;
        let bytes = bytes_of(&sizes, kind).map_err(|reason| GgufError::tensor(&name, reason))?;
        let shape = sizes.iter().rev().map(|size| usize::try_from(*size)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| GgufError::tensor(&name, "a dimension is too large"))?;
        Ok(Self { name, shape, kind, offset, bytes })
    }
}

/// Bytes of a tensor with these sizes, innermost first.
fn bytes_of(sizes: &[u64], kind: GgmlType) -> Result<u64, String> {
    if sizes.contains(&0) {
        return Err(format!("dimensions {sizes:?}: one is 0"));
    }
    let row = sizes.first().copied().unwrap_or(1);
    let block = kind.block_values() as u64;
    if !row.is_multiple_of(block) {
        return Err(format!("rows of {row} values; {kind} stores blocks of {block}"));
    }
    let count = sizes.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
    count
        .and_then(|count| (count / block).checked_mul(kind.block_bytes() as u64))
        // Index arithmetic on elements is done in i64 by libtorch.
        .filter(|bytes| *bytes <= i64::MAX as u64 / 64)
        .ok_or_else(|| format!("dimensions {sizes:?} are too large"))
}

/// Gives every tensor its place, having checked that they lie in the file and not on each other.
fn place(records: Vec<Record>, start: u64, alignment: u64, end: u64) -> Result<Vec<TensorInfo>, GgufError> {
    let mut tensors = Vec::with_capacity(records.len());
    for record in records {
        let Record { name, shape, kind, offset, bytes } = record;
        if !offset.is_multiple_of(alignment) {
            let reason = format!("offset {offset} is not a multiple of the alignment {alignment}");
            return Err(GgufError::tensor(&name, reason));
        }
        let first = start.checked_add(offset);
        let last = first.and_then(|first| first.checked_add(bytes)).filter(|last| *last <= end);
        let place = first
            .zip(last)
            .and_then(|(first, last)| Some(usize::try_from(first).ok()?..usize::try_from(last).ok()?));
        let Some(range) = place else {
            let reason = format!(
                "its {bytes} bytes at offset {offset} of the data are beyond the file's end; the file is cut short \
                 or damaged, fetch it again"
            );
            return Err(GgufError::tensor(&name, reason));
        };
        tensors.push(TensorInfo { name, shape, kind, range });
    }
    check_apart(&tensors)?;
    Ok(tensors)
}

fn check_apart(tensors: &[TensorInfo]) -> Result<(), GgufError> {
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(GgufError::tensor(pair[0], "is there twice"));
    }
    let mut sorted: Vec<&TensorInfo> = tensors.iter().collect();
    sorted.sort_unstable_by_key(|tensor| tensor.range.start);
    match sorted.windows(2).find(|pair| pair[0].range.end > pair[1].range.start) {
        None => Ok(()),
        Some(pair) => {
            Err(GgufError::tensor(&pair[1].name, format!("its bytes overlap those of `{}`", pair[0].name)))
        }
    }
}
