//! The peer book on disk: one JSON document, written whole under another name and then renamed, so that a crash leaves the
//! old one or the new one. A file that does not read is put aside, never trusted and never fatal: peers can be found again.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use serde::{Deserialize, Serialize};

use super::{Book, MAX_PEERS, Peer};

/// Largest file read: every peer with addresses of the largest size, and the rest of JSON.
pub const MAX_FILE_BYTES: u64 = 8 << 20;

/// The format's version.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    peers: BTreeMap<String, Peer>,
}

/// Reads the book at `path`; an empty one if there is no file. `Err` holds the reason why a file was put aside, and the
/// empty book.
pub fn read(path: &Path, private_allowed: bool) -> Result<Book, (Book, String)> {
    let empty = || Book::new(private_allowed);
    match load(path, private_allowed) {
        Ok(Some(book)) => Ok(book),
        Ok(None) => Ok(empty()),
        Err(error) => {
            let aside = aside(path);
            let moved = std::fs::rename(path, &aside);
            let whereto =
                moved.map_or_else(|error| error.to_string(), |()| format!("moved to {}", aside.display()));
            Err((empty(), format!("{}: {error} ({whereto})", path.display())))
        }
    }
}

fn load(path: &Path, private_allowed: bool) -> io::Result<Option<Book>> {
    let size = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if size > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("{size} bytes, at most {MAX_FILE_BYTES} are read")));
    }
    let document: Document = serde_json::from_slice(&std::fs::read(path)?)?;
    if document.version != VERSION {
        return Err(io::Error::other(format!("version {} is unknown", document.version)));
    }
    let mut book = Book::new(private_allowed);
    for (text, stored) in document.peers.into_iter().take(MAX_PEERS) {
        let peer: PeerId =
            text.parse().map_err(|error| io::Error::other(format!("peer `{text}`: {error}")))?;
        book.restore(peer, stored);
    }
    Ok(Some(book))
}

/// Writes the book to `path`, all or nothing.
pub fn write(book: &Book, path: &Path) -> io::Result<()> {
    let peers = book.iter().map(|(peer, entry)| (peer.to_base58(), entry.clone())).collect();
    let text = serde_json::to_vec_pretty(&Document { version: VERSION, peers })?;
    let fresh = path.with_extension("new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(&text)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}
