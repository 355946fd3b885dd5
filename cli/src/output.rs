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

/// What a long command is doing, on stderr; a terminal that has gone is no error.
pub(crate) fn progress(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// An error with its causes on one line. A cause that the text before already quotes is left out: libraries differ in
/// whether a message includes its source.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(|cause| cause.to_string().trim_end().to_owned()) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// True if whoever read our output has gone (`acumen … | head`): no failure of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let quoted = anyhow!("disk full").context("cannot write: disk full").context("saving");
        assert_eq!(explain(&quoted), "saving: cannot write: disk full");
        assert_eq!(explain(&anyhow!("b").context("a")), "a: b");
        assert_eq!(explain(&anyhow!("line 1\n\n")), "line 1");
    }
}
