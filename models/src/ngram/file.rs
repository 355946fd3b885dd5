//! The n-gram model on disk.
//!
//! ```text
//! magic "ACUNGRAM" · version u8 = 1 · order u8 · name: length u8, UTF-8
//! for each history length 0..order, ascending:
//!     number of histories u32le
//!     each, in ascending order: its bytes · followers - 1 u8 · each, ascending: byte · count LEB128 (1 to 2^32 - 1)
//! blake2b-256 of everything before
//! ```
//! One model has one encoding. Reading checks the checksum first, then every length, order and range, and allocates no
//! more than the bytes that are there can fill.

use std::collections::BTreeMap;

use super::{Counts, Followers, MAX_ORDER};
use crate::files::Digest;

const MAGIC: &[u8; 8] = b"ACUNGRAM";
const VERSION: u8 = 1;
const CHECKSUM: usize = 32;

pub(super) fn encode(counts: &Counts) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let name = &counts.name.as_bytes()[..counts.name.len().min(usize::from(u8::MAX))];
    out.extend([VERSION, low_byte(counts.tables.len()), low_byte(name.len())]);
    out.extend(name);
    for table in &counts.tables {
        out.extend(u32::try_from(table.len()).unwrap_or(u32::MAX).to_le_bytes());
        for (history, followers) in table {
            out.extend(history);
            out.push(low_byte(followers.len() - 1));
            for (byte, count) in followers {
                out.push(*byte);
                push_number(&mut out, *count);
            }
        }
    }
    let checksum = Digest::of(&out);
    out.extend(checksum);
    out
}

fn low_byte(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn push_number(out: &mut Vec<u8>, mut number: u32) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Counts, String> {
    let Some(split) = bytes.len().checked_sub(CHECKSUM).filter(|_| bytes.starts_with(MAGIC)) else {
        return Err("it does not begin as an n-gram file does".into());
    };
    let (body, checksum) = bytes.split_at(split);
    if Digest::of(body) != *checksum {
        return Err("its checksum does not match its contents".into());
    }
    let mut reader = Reader { left: body.get(MAGIC.len()..).unwrap_or_default() };
    let version = reader.byte()?;
    if version != VERSION {
        return Err(format!("version {version}; this build reads {VERSION}"));
    }
    let order = usize::from(reader.byte()?);
    if !(1..=MAX_ORDER).contains(&order) {
        return Err(format!("order {order} is not between 1 and {MAX_ORDER}"));
    }
    let length = usize::from(reader.byte()?);
    let name = String::from_utf8(reader.take(length)?.to_vec()).map_err(|e| e.to_string())?;
    let tables = (0..order).map(|length| reader.table(length)).collect::<Result<_, _>>()?;
    match reader.left.len() {
        0 => Ok(Counts { name, tables }),
        more => Err(format!("{more} bytes after its end")),
    }
}

struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, left) = self.left.split_at_checked(count).ok_or("it ends too early")?;
        self.left = left;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u32, String> {
        let mut number = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = shift == 0 || byte != 0;
                return match u32::try_from(number) {
                    Ok(number) if number > 0 && shortest => Ok(number),
                    _ => Err(format!("{number} is not a count")),
                };
            }
        }
        Err("a count is longer than 32 bits".into())
    }

    fn table(&mut self, length: usize) -> Result<BTreeMap<Vec<u8>, Followers>, String> {
        let histories = self.take(4)?.try_into().map(u32::from_le_bytes).unwrap_or_default();
        let mut table = BTreeMap::new();
        for _ in 0..histories {
            let history = self.take(length)?.to_vec();
            if table.last_key_value().is_some_and(|(last, _)| *last >= history) {
                return Err(format!("histories of {length} bytes are out of order"));
            }
            let followers = usize::from(self.byte()?) + 1;
            let mut list = Followers::with_capacity(followers);
            for _ in 0..followers {
                let byte = self.byte()?;
                if list.last().is_some_and(|(last, _)| *last >= byte) {
                    return Err("followers are out of order".into());
                }
                list.push((byte, self.number()?));
            }
            table.insert(history, list);
        }
        Ok(table)
    }
}
