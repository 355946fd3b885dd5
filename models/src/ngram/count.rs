//! Counting an n-gram model from texts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use acumen_scoring_tasks::{Family, text};
use serde::{Deserialize, Serialize};

use super::{BEGIN, Counts, Followers, MAX_ORDER, file};
use crate::{ModelError, files};

/// What to count. Paths are relative to the working directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NgramConfig {
    /// Name in the file and in reports.
    pub name: String,
    /// Where the model goes.
    pub output: PathBuf,
    /// Longest n-gram, in bytes.
    pub order: usize,
    /// Texts to count.
    pub corpus: Vec<PathBuf>,
    /// Generated documents of each task family to count as well.
    pub task_documents: u64,
}

const MAX_CORPUS_BYTES: u64 = 1 << 30;
/// Seed and length of the task documents that are counted; evaluation uses another seed.
const TASK_SEED: [u8; 32] = *b"acumen n-gram training documents";
const TASK_BYTES: usize = 1024;

/// Counts a model and writes it.
///
/// # Errors
/// An order that is out of range, or a file that cannot be read or written.
pub fn train(config: &NgramConfig) -> Result<(), ModelError> {
    if !(1..=MAX_ORDER).contains(&config.order) {
        let reason = format!("{} is not between 1 and {MAX_ORDER}", config.order);
        return Err(ModelError::Config { field: "order", reason });
    }
    let mut tables: Vec<BTreeMap<Vec<u8>, BTreeMap<u8, u32>>> = vec![BTreeMap::new(); config.order];
    for path in &config.corpus {
        count(&mut tables, &files::read(path, MAX_CORPUS_BYTES)?);
    }
    for family in Family::ALL {
        for index in 0..config.task_documents {
            count(&mut tables, &text(family, &TASK_SEED, index, TASK_BYTES));
        }
    }
    let flat = |table: BTreeMap<Vec<u8>, BTreeMap<u8, u32>>| {
        table
            .into_iter()
            .map(|(history, followers)| (history, followers.into_iter().collect::<Followers>()))
            .collect()
    };
    let counts = Counts { name: config.name.clone(), tables: tables.into_iter().map(flat).collect() };
    files::write(&config.output, &file::encode(&counts))
}

fn count(tables: &mut [BTreeMap<Vec<u8>, BTreeMap<u8, u32>>], document: &[u8]) {
    let mut whole = vec![BEGIN];
    whole.extend_from_slice(document);
    for at in 1..whole.len() {
        for (length, table) in tables.iter_mut().enumerate().take(at + 1) {
            let followers = table.entry(whole[at - length..at].to_vec()).or_default();
            let number = followers.entry(whole[at]).or_insert(0);
            *number = number.saturating_add(1);
        }
    }
}
