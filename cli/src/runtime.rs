//! The process around a command: logs, the async runtime, signals.

use std::future::Future;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Sends logs to stderr. `default` is used unless the person chose a filter.
pub(crate) fn init_logs(filter: Option<&str>, json: bool, default: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).context("the log filter does not parse")?;
    let stderr = std::io::stderr;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr);
    if json {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}

/// Cancels when the terminal goes away (SIGHUP), for what runs in front of a person: a role takes that signal as the order
/// to load its model again.
pub(crate) fn cancel_at_hangup(token: CancellationToken) -> Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        if hangup.recv().await.is_some() {
            token.cancel();
        }
    });
    Ok(())
}

/// Runs a future on a fresh runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(future)
}

/// One wish to stop may come as several signals: from the terminal to the whole group and from a supervisor that passes
/// it on. Only what comes later is a person's impatience.
const ONE_WISH: Duration = Duration::from_millis(500);

/// A token that is cancelled by the first SIGINT or SIGTERM; another one after [`ONE_WISH`] ends the process at once.
pub(crate) fn shutdown_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let ours = token.clone();
    tokio::spawn(async move {
        let mut first = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first.get_or_insert_with(Instant::now).elapsed() > ONE_WISH {
                tracing::warn!("another signal: leaving at once");
                std::process::exit(1);
            }
            ours.cancel();
        }
    });
    Ok(token)
}
