//! Printing: one JSON object per line, or text for people.

use std::io::{self, Write as _};

use anyhow::Result;
use serde_json::Value;

/// Prints one JSON object on a line of its own and flushes, so that a reader of a pipe sees it at once.
pub(crate) fn json_line(value: &Value) -> Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, value).map_err(io::Error::from)?;
    stdout.write_all(b"\n")?;
    stdout.flush()?;
    Ok(())
}

/// Prints text on a line of its own.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// True if whoever read our output has gone (`acumen … | head`): no failure of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
