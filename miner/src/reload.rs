//! The order to load the model again: by SIGHUP, by a change of its files, or by whoever holds a [`Reload`].

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Most files of a model's folder that are looked at.
const MAX_FILES: usize = 4_096;

/// A way to have the model loaded again. Clones are the same way; orders that come while one is carried out become one.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Notify>);

impl Reload {
    /// Gives the order.
    pub fn order(&self) {
        self.0.notify_one();
    }

    /// Waits for the next order.
    pub(crate) async fn ordered(&self) {
        self.0.notified().await;
    }

    /// Gives the order at each SIGHUP, as operators expect of a server.
    pub(crate) fn on_hangup(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
            let mut hangups = match hangups {
                Ok(hangups) => hangups,
                Err(error) => return tracing::warn!(%error, "SIGHUP will not load the model again"),
            };
            while hangups.recv().await.is_some() {
                self.order();
            }
        })
    }
}

/// Sizes and times of a model's files. A loader that is given a half-written file says so and the old model stays; the
/// pause of one more look makes that rare.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print(Vec<(std::path::PathBuf, u64, Option<SystemTime>)>);

fn print(path: &Path) -> Print {
    let describe = |path: std::path::PathBuf| {
        let metadata = std::fs::metadata(&path).ok()?;
        Some((path, metadata.len(), metadata.modified().ok()))
    };
    let mut files: Vec<_> = match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().take(MAX_FILES).filter_map(|entry| describe(entry.path())).collect(),
        Err(_) => describe(path.to_owned()).into_iter().collect(),
    };
    files.sort();
    Print(files)
}

/// Gives the order when the files at `path` have changed and then stayed the same for one more look. Never returns.
pub(crate) async fn watch(path: &Path, every: Duration, reload: &Reload) {
    let mut loaded = print(path);
    let mut last = loaded.clone();
    let mut looks = tokio::time::interval(every);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = print(path);
        if now != loaded && now == last && !now.0.is_empty() {
            tracing::info!(path = %path.display(), "the model's files have changed");
            reload.order();
            loaded = now.clone();
        }
        last = now;
    }
}
