//! Forgetting old states. Blocks stay.

use acumen_protocol::codec::{Encode as _, decode_all};
use redb::{ReadableTable as _, WriteTransaction};

use crate::tables::{FIRST_KEPT, HISTORY, META, NODES, STALE, STALE_NODE, stale_key};

/// Most entries removed with one block, so that a shortened history does not stall the chain.
const MAX_REMOVED: usize = 65_536;

/// Removes what no height from `first` on needs.
pub(crate) fn prune(write: &WriteTransaction, first: u64) -> Result<(), redb::Error> {
    let mut meta = write.open_table(META)?;
    let kept = meta.get(FIRST_KEPT)?.and_then(|bytes| decode_all::<u64>("height", bytes.value()).ok());
    let kept = kept.unwrap_or(0);
    if first <= kept {
        return Ok(());
    }
    let mut stale = write.open_table(STALE)?;
    let mut nodes = write.open_table(NODES)?;
    let mut history = write.open_table(HISTORY)?;
    let end = stale_key(first.saturating_add(1), 0, &[]);
    let due = stale.range(..end.as_slice())?.take(MAX_REMOVED);
    let due: Vec<Vec<u8>> =
        due.map(|entry| entry.map(|(key, _)| key.value().to_vec())).collect::<Result<_, _>>()?;
    for key in &due {
        stale.remove(key.as_slice())?;
        match key.split_at_checked(9) {
            Some((head, target)) if head.last() == Some(&STALE_NODE) => nodes.remove(target)?,
            Some((_, target)) => history.remove(target)?,
            None => None,
        };
    }
    meta.insert(FIRST_KEPT, first.encode().as_slice())?;
    Ok(())
}
