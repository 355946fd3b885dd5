//! A metadata value. Arrays stay where they are in the file: only their kind, place and count are kept, so that a
//! header costs no more memory than it has entries.

use super::cursor::Cursor;
use super::error::GgufError;

/// The type of a value, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read(number: u32, key: &str) -> Result<Self, GgufError> {
        Ok(match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            other => return Err(GgufError::key(key, format!("value type {other} is not known"))),
        })
    }

    /// Bytes of one value; of a string, its length field, the least that it takes.
    const fn least_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::String | Self::Array | Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Any signed or unsigned integer.
    Integer(i128),
    /// `f32` or `f64`.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    String(String),
    /// Elements that are still in the file.
    Array(Array),
}

/// Where an array lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Array {
    kind: Kind,
    /// Offset of the first element in the file.
    start: usize,
    count: u64,
}

impl Value {
    /// The value in words, for a message about its type.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Integer(value) => format!("the integer {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Bool(value) => format!("{value}"),
            Self::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
            Self::String(text) => format!("a text of {} bytes", text.len()),
            Self::Array(array) => format!("an array of {} elements", array.count),
        }
    }

    /// Reads a value with its type, having checked that all of it is there.
    pub(super) fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Self, GgufError> {
        let what = format!("metadata `{key}`");
        let kind = Kind::read(cursor.u32(&what)?, key)?;
        if kind == Kind::Array {
            return Array::read(cursor, key).map(Self::Array);
        }
        scalar(cursor, kind, key)
    }
}

fn scalar(cursor: &mut Cursor<'_>, kind: Kind, key: &str) -> Result<Value, GgufError> {
    let what = format!("metadata `{key}`");
    if kind == Kind::String {
        let text = std::str::from_utf8(cursor.raw_string(&what)?)
            .map_err(|_| GgufError::key(key, "its text is not UTF-8"))?;
        return Ok(Value::String(text.into()));
    }
    let bytes = cursor.take(kind.least_bytes(), &what)?;
    let mut wide = [0u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(wide);
    let shift = 64 - 8 * bytes.len();
    // Sign extension by shifting up and down again.
    let signed = ((unsigned << shift) as i64) >> shift;
    Ok(match kind {
        Kind::F32 => Value::Float(f32::from_bits(unsigned as u32).into()),
        Kind::F64 => Value::Float(f64::from_bits(unsigned)),
        Kind::Bool if unsigned > 1 => {
            return Err(GgufError::key(key, format!("{unsigned} is neither true nor false")));
        }
        Kind::Bool => Value::Bool(unsigned == 1),
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => Value::Integer(signed.into()),
        _ => Value::Integer(unsigned.into()),
    })
}

impl Array {
    fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Self, GgufError> {
        let what = format!("metadata `{key}`");
        let kind = Kind::read(cursor.u32(&what)?, key)?;
        if kind == Kind::Array {
            return Err(GgufError::key(key, "arrays inside arrays are not read"));
        }
        let count = cursor.u64(&what)?;
        let least = count.saturating_mul(kind.least_bytes());
        if least > cursor.left() {
            let needed = least - cursor.left();
            let at = cursor.position();
            return Err(GgufError::Truncated { what: format!("{what}, {count} elements"), at, needed });
        }
        let array = Self { kind, start: cursor.position(), count };
        if kind == Kind::String {
            for _ in 0..count {
                cursor.raw_string(&what)?;
            }
        } else {
            cursor.take(least, &what)?;
        }
        Ok(array)
    }

    /// The elements, decoded from the file that the array was read from.
    pub(super) fn elements<'a>(
        &self,
        file: &'a [u8],
        key: &'a str,
    ) -> impl Iterator<Item = Result<Value, GgufError>> + use<'a> {
        let mut cursor = Cursor::new(file, self.start);
        let kind = self.kind;
        (0..self.count).map(move |_| scalar(&mut cursor, kind, key))
    }

    /// The bytes of each string.
    pub(super) fn raw_strings<'a>(
        &self,
        file: &'a [u8],
        key: &'a str,
    ) -> Result<impl Iterator<Item = Result<&'a [u8], GgufError>> + use<'a>, GgufError> {
        if self.kind != Kind::String {
            return Err(GgufError::key(key, format!("holds {:?}, expected strings", self.kind)));
        }
        let mut cursor = Cursor::new(file, self.start);
        Ok((0..self.count).map(move |_| cursor.raw_string(key)))
    }
}
