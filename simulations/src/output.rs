//! The files of a run: `epochs.csv`, `supply.csv`, `summary.json` and the plots.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{PlotError, RunResult, plot};

/// Why a run could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The disk.
    #[error("cannot write {path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A table.
    #[error("cannot write {path}: {source}")]
    Csv {
        /// What.
        path: PathBuf,
        /// The reason.
        source: csv::Error,
    },
    /// The summary.
    #[error("cannot write the summary: {0}")]
    Json(#[from] serde_json::Error),
    /// A plot.
    #[error(transparent)]
    Plot(#[from] PlotError),
}

/// Writes a run into `dir`, which is made if it is not there; files of an earlier run are replaced.
///
/// # Errors
/// See [`OutputError`].
pub fn write(result: &RunResult, dir: &Path) -> Result<(), OutputError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OutputError::Io { path, source }
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    table(&dir.join("epochs.csv"), &result.rows)?;
    table(&dir.join("supply.csv"), &result.supply)?;
    let mut json = serde_json::to_string_pretty(&result.summary)?;
    json.push('\n');
    let path = dir.join("summary.json");
    std::fs::write(&path, json).map_err(io(&path))?;
    Ok(plot(dir)?)
}

fn table<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), OutputError> {
    let failed = |source| OutputError::Csv { path: path.to_owned(), source };
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(failed)?;
    writer.flush().map_err(|source| OutputError::Io { path: path.to_owned(), source })
}
