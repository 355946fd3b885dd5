//! Starts the children, watches them, restarts the dead with backoff, and ends them in order.
//!
//! Children run in process groups of their own, so that Ctrl-C reaches this process alone; they end when their standard
//! input closes, so that none outlives it, even if it is killed.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::plan::{Plan, Process, Role};

/// First wait before a restart; doubled each time up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// Longest wait before a restart.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// A child that lived this long starts over with [`FIRST_BACKOFF`].
const HEALTHY: Duration = Duration::from_secs(30);
/// How long a child may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// What happened to a child, for the person who watches.
#[derive(Debug)]
pub(crate) struct Notice(pub(crate) String);

/// All children of a localnet.
pub(crate) struct Supervisor {
    stop: CancellationToken,
    children: Vec<(Role, tokio::task::JoinHandle<()>)>,
}

/// How to run children.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Folder of the localnet.
    pub(crate) dir: PathBuf,
    /// Restart what dies.
    pub(crate) restart: bool,
}

impl Supervisor {
    /// Starts every process of the plan and keeps `localnet.json` current.
    pub(crate) fn start(plan: &Plan, policy: &Policy, notices: &mpsc::Sender<Notice>) -> Result<Self> {
        let registry = Registry::new(plan, &policy.dir);
        let stop = CancellationToken::new();
        let mut children = Vec::new();
        for (index, process) in plan.processes.iter().enumerate() {
            let keeper = Keeper {
                index,
                process: process.clone(),
                policy: policy.clone(),
                registry: registry.clone(),
                notices: notices.clone(),
                stop: stop.clone(),
            };
            let first = keeper.spawn()?;
            children.push((process.role, tokio::spawn(keeper.keep(first))));
        }
        Ok(Self { stop, children })
    }

    /// Asks every child to end, and waits for all of them: apps first, the chain last.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for (_, child) in self.children.into_iter().rev() {
            if let Err(error) = child.await {
                tracing::error!(%error, "a keeper task failed");
            }
        }
    }
}

/// A child with the pipe whose closing tells it to end. The pipe is kept apart because waiting on a child that has it
/// closes it.
struct Running {
    child: Child,
    _lifeline: Option<ChildStdin>,
}

/// Watches over one child.
struct Keeper {
    index: usize,
    process: Process,
    policy: Policy,
    registry: Registry,
    notices: mpsc::Sender<Notice>,
    stop: CancellationToken,
}

impl Keeper {
    async fn keep(self, first: Running) {
        let mut running = first;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let started = Instant::now();
            let status = tokio::select! {
                status = running.child.wait() => status,
                () = self.stop.cancelled() => return self.end(running).await,
            };
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            self.registry.set_pid(self.index, None);
            let log = log_path(&self.policy.dir, &self.process.name);
            let ended = format!("{} ended ({status}); its log: {}", self.process.name, log.display());
            if !self.policy.restart {
                return self.notify(format!("{ended}; left as it is")).await;
            }
            if started.elapsed() >= HEALTHY {
                backoff = FIRST_BACKOFF;
            }
            self.notify(format!("{ended}; restarting in {} s", backoff.as_secs())).await;
            running = match self.respawn(&mut backoff).await {
                Some(running) => running,
                None => return,
            };
        }
    }

    /// Tries until a child runs; `None` if everything is to end.
    async fn respawn(&self, backoff: &mut Duration) -> Option<Running> {
        loop {
            tokio::select! {
                () = sleep(*backoff) => {}
                () = self.stop.cancelled() => return None,
            }
            *backoff = (*backoff * 2).min(MAX_BACKOFF);
            match self.spawn() {
                Ok(running) => return Some(running),
                Err(error) => self.notify(format!("{}: {error:#}", self.process.name)).await,
            }
        }
    }

    fn spawn(&self) -> Result<Running> {
        let dir = &self.policy.dir;
        let name = &self.process.name;
        let log = log_path(dir, name);
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let file = open().with_context(|| format!("cannot write the log {}", log.display()))?;
        let command = self.process.role.command();
        let mut child = Command::new(std::env::current_exe().context("cannot find the acumen binary")?)
            .args([command, "run", "--exit-with-stdin", "--config"])
            .arg(dir.join(name).join(format!("{command}.toml")))
            .env_remove(crate::prompt::PASSWORD_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        self.registry.set_pid(self.index, child.id());
        let lifeline = child.stdin.take();
        Ok(Running { child, _lifeline: lifeline })
    }

    async fn end(&self, running: Running) {
        let Running { mut child, _lifeline } = running;
        if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself in this moment: then there is nothing to signal.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(GRACE, child.wait()).await.is_err() {
            self.notify(format!("{} did not end within {} s: killed", self.process.name, GRACE.as_secs()))
                .await;
            let _ = child.kill().await;
        }
        self.registry.set_pid(self.index, None);
    }

    async fn notify(&self, text: String) {
        // Nobody watches any more when everything ends.
        let _ = self.notices.send(Notice(text)).await;
    }
}

/// Where a process logs.
pub(crate) fn log_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(name).join("log.txt")
}

/// `localnet.json`: every process with its pid, address, log and folder.
#[derive(Clone)]
struct Registry {
    path: PathBuf,
    entries: std::sync::Arc<std::sync::Mutex<Vec<serde_json::Value>>>,
}

impl Registry {
    fn new(plan: &Plan, dir: &Path) -> Self {
        let entry = |process: &Process| {
            json!({
                "role": process.role.command(),
                "name": process.name,
                "pid": null,
                "address": process.url(),
                "metrics": format!("http://{}/metrics", process.metrics_listen),
                "log": log_path(dir, &process.name),
                "dir": dir.join(&process.name),
            })
        };
        let entries = plan.processes.iter().map(entry).collect();
        Self { path: dir.join("localnet.json"), entries: std::sync::Arc::new(std::sync::Mutex::new(entries)) }
    }

    fn set_pid(&self, index: usize, pid: Option<u32>) {
        let mut entries = self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(index) {
            entry["pid"] = json!(pid);
        }
        if let Err(error) = self.write(&entries) {
            tracing::warn!(path = %self.path.display(), %error, "cannot write the list of processes");
        }
    }

    fn write(&self, entries: &[serde_json::Value]) -> std::io::Result<()> {
        let part = self.path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec_pretty(entries)?)?;
        file.write_all(b"\n")?;
        std::fs::rename(part, &self.path)
    }
}
