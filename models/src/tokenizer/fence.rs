//! A fence around `tokenizers`, whose code expects files that somebody has checked.
//!
//! Invariant: whatever a tokenizer's file or a text makes that crate do, the caller gets an error and no thread ends. What
//! the panic would have printed is kept off the error output; panics of anything else are printed as ever.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::TokenizerError;

thread_local! {
    /// Whether this thread is inside a fence.
    static FENCED: Cell<bool> = const { Cell::new(false) };
}

/// Runs foreign code; a panic of its is an error that says what was being done.
pub(super) fn fenced<T>(
    doing: &str,
    run: impl FnOnce() -> Result<T, TokenizerError>,
) -> Result<T, TokenizerError> {
    keep_quiet();
    let outer = FENCED.replace(true);
    // The encoder is only read; its caches are locks that count as full when a panic has poisoned them.
    let answer = catch_unwind(AssertUnwindSafe(run));
    FENCED.set(outer);
    answer.unwrap_or_else(|panic| {
        let reason =
            format!("its file is damaged or hostile: {doing} ended with: {}", message(panic.as_ref()));
        Err(TokenizerError::Invalid(reason))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Puts a hook before the process's own, once, that lets a fenced panic pass in silence.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The hook cannot be changed while a panic is under way: this one is printed, then.
        if std::thread::panicking() {
            return;
        }
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !FENCED.get() {
                before(panic);
            }
        }));
    });
}
