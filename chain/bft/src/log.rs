//! The log that makes a validator remember what it has signed in the height at hand.
//!
//! Invariant: what is appended and flushed is there after a crash, in order, or the damage is noticed. A record that was
//! cut off while it was written was never flushed, so nothing that it stood for has left the node: it is dropped. A record
//! that is whole and does not match its checksum is damage: see [`Log::damaged`]. A log that was never begun is [`Log::blank`]:
//! whether that is damage, too, only the chain beside it can say. Opening a log changes neither: [`Log::start`] does.
//!
//! File: magic, height (u64, little-endian), 8 bytes that check the height, then records: length (u32), 4 bytes that check
//! the length, 8 bytes that check the data, data. The checks are the first bytes of blake2b-256 over height, index and what
//! they check; of the height itself, over magic and height.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use acumen_protocol::Hash;

/// First bytes of the file; the last one is the version of the layout.
const MAGIC: [u8; 8] = *b"acu-wal\x02";

/// The version before, of which the height has no check: a chain of which all nodes are updated at once goes on.
const UNCHECKED: [u8; 8] = *b"acu-wal\x01";

/// Magic, height and its check.
const HEADER: u64 = 24;

/// Length and checks before a record's data.
const RECORD: usize = 16;

/// Longest record: a certificate of 100 validators has 10 KiB.
const MAX_RECORD: usize = 1 << 20;

/// The open log.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    height: u64,
    records: Vec<Vec<u8>>,
    damaged: bool,
    blank: bool,
    closed: bool,
    #[cfg(test)]
    flushed: u64,
}

impl Log {
    /// Opens the file, creating it if it is not there, and reads what is whole.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| io::Error::other(format!("another process uses it: {error}")))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut log = Self {
            file,
            path: path.to_owned(),
            height: 0,
            records: Vec::new(),
            damaged: false,
            blank: false,
            closed: false,
            #[cfg(test)]
            flushed: 0,
        };
        let end = log.read(&bytes);
        #[cfg(test)]
        {
            log.flushed = end;
        }
        log.blank = end == 0;
        if !log.blank && !log.damaged {
            log.file.set_len(end)?;
            log.file.seek(SeekFrom::Start(end))?;
        }
        Ok(log)
    }

    /// Reads header and records; returns where the last whole record ends.
    fn read(&mut self, bytes: &[u8]) -> u64 {
        let Some((magic, rest)) = bytes.split_first_chunk::<8>() else { return 0 };
        let Some((height, rest)) = rest.split_first_chunk::<8>() else { return 0 };
        let (mut rest, mut end) = match rest.split_first_chunk::<8>() {
            _ if *magic == UNCHECKED => (rest, HEADER.saturating_sub(8)),
            Some((check, rest)) => {
                self.damaged = *magic != MAGIC || header_check(height) != *check;
                (rest, HEADER)
            }
            None => return 0,
        };
        // A height that may be any number is none.
        self.height = if self.damaged { 0 } else { u64::from_le_bytes(*height) };
        while let Some((head, after)) = rest.split_first_chunk::<RECORD>().filter(|_| !self.damaged) {
            let index = self.records.len();
            let (length, checks) = head.split_at(4);
            let (check, sum) = checks.split_at(4);
            if checksum(self.height, index, length)[..4] != *check {
                self.damaged = true;
                break;
            }
            // The length is right, so what is missing of the data was never written.
            let length = length.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            let Some((data, after)) = after.split_at_checked(length) else { break };
            if checksum(self.height, index, data) != *sum {
                self.damaged = true;
                break;
            }
            self.records.push(data.to_vec());
            end = end.saturating_add(u64::try_from(RECORD.saturating_add(length)).unwrap_or(0));
            rest = after;
        }
        end
    }

    /// True if something that may have been acted upon cannot be read any more. Until [`Self::start`], the node does not
    /// know what it has signed in [`Self::height`].
    pub(crate) const fn damaged(&self) -> bool {
        self.damaged
    }

    /// True if the file was not there or holds less than a header, and nothing was begun in it since.
    pub(crate) const fn blank(&self) -> bool {
        self.blank
    }

    /// The height that the records are about; 0 if it cannot be known.
    pub(crate) const fn height(&self) -> u64 {
        self.height
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was recorded, in order.
    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// Forgets everything and begins with `height`; durable when it returns.
    pub(crate) fn start(&mut self, height: u64) -> io::Result<()> {
        self.check_open()?;
        // A crash in between leaves the old header, the new one, or less than a header: all of them without records, and
        // the height before is decided and committed when this is called. A mixture of both counts as damage.
        self.file.set_len(HEADER.min(self.file.metadata()?.len()))?;
        self.file.seek(SeekFrom::Start(0))?;
        let height_bytes = height.to_le_bytes();
        self.file.write_all(&[MAGIC, height_bytes, header_check(&height_bytes)].concat())?;
        self.file.sync_data()?;
        #[cfg(test)]
        {
            self.flushed = HEADER;
        }
        (self.height, self.damaged, self.blank) = (height, false, false);
        self.records.clear();
        Ok(())
    }

    /// Lets go of the file. Whoever still holds the log cannot write any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        // The lock ends with the file at the latest.
        let _ = self.file.unlock();
    }

    fn check_open(&self) -> io::Result<()> {
        if self.closed { Err(io::Error::other("the log is closed")) } else { Ok(()) }
    }

    /// What is appended must follow something that can be read again.
    fn check_begun(&self) -> io::Result<()> {
        self.check_open()?;
        if self.blank || self.damaged { Err(io::Error::other("the log is not begun")) } else { Ok(()) }
    }

    /// Appends a record; durable after the next [`Self::flush`].
    pub(crate) fn append(&mut self, data: &[u8]) -> io::Result<()> {
        self.check_begun()?;
        let length = u32::try_from(data.len()).ok().filter(|_| data.len() <= MAX_RECORD);
        let length = length.ok_or_else(|| io::Error::other(format!("a record of {} bytes", data.len())))?;
        let (index, length) = (self.records.len(), length.to_le_bytes());
        let (check, sum) = (checksum(self.height, index, &length), checksum(self.height, index, data));
        self.file.write_all(&[&length, &check[..4], sum.as_slice(), data].concat())?;
        self.records.push(data.to_vec());
        Ok(())
    }

    /// Makes everything appended durable.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.check_open()?;
        self.file.sync_data()?;
        #[cfg(test)]
        {
            self.flushed = self.file.stream_position()?;
        }
        Ok(())
    }

    /// As if power had been lost: what was not flushed is gone.
    #[cfg(test)]
    pub(crate) fn lose_unflushed(&mut self) {
        if self.damaged || self.blank {
            // Nothing was written, and what is damaged stays as it is.
            return self.close();
        }
        self.file.set_len(self.flushed.max(HEADER).min(self.file.metadata().unwrap().len())).unwrap();
        self.close();
    }
}

fn header_check(height: &[u8; 8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&Hash::of(&[MAGIC, *height].concat()).0[..8]);
    sum
}

/// Binds a record to its height and place, so that what is left of an earlier height is never taken for one.
fn checksum(height: u64, index: usize, data: &[u8]) -> [u8; 8] {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    let digest = Hash::of(&[&height.to_le_bytes(), index.to_le_bytes().as_slice(), data].concat());
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest.0[..8]);
    sum
}

#[cfg(test)]
mod tests;
