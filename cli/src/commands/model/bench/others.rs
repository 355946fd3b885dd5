//! Other engines, each in a Python process of its own that is asked for one measurement at a time.
//!
//! The process gets `PATH THREADS PROMPT STEPS [DTYPE]`, prints `ready`, then answers each line `prefill ROUND` or
//! `decode BATCH ROUND` with tokens per second or `none`. One that dies is reported, not measured on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{Plan, What};

const TRANSFORMERS: &str = include_str!("transformers.py");
const LLAMA_CPP: &str = include_str!("llama_cpp.py");

/// How to start one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    TransformersF32,
    TransformersBf16,
    LlamaCpp,
}

impl Start {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TransformersF32 => "transformers f32",
            Self::TransformersBf16 => "transformers bf16",
            Self::LlamaCpp => "llama.cpp",
        }
    }
}

/// Those that can read the model.
pub(super) fn starts(model: &Path) -> Vec<Start> {
    let mut starts = vec![Start::TransformersF32, Start::TransformersBf16];
    if model.extension().is_some_and(|extension| extension == "gguf") {
        starts.push(Start::LlamaCpp);
    }
    starts
}

/// One that runs.
pub(super) struct Other {
    start: Start,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    fault: Option<String>,
}

impl Other {
    /// Starts it and waits until its model is loaded; the reason if it cannot.
    pub(super) fn start(python: &Path, model: &Path, plan: &Plan, start: Start) -> Result<Self, String> {
        let (script, dtype) = match start {
            Start::TransformersF32 => (TRANSFORMERS, "float32"),
            Start::TransformersBf16 => (TRANSFORMERS, "bfloat16"),
            Start::LlamaCpp => (LLAMA_CPP, ""),
        };
        let most = plan.batches.iter().copied().max().unwrap_or(1);
        let mut child = Command::new(python)
            .args(["-c", script])
            .arg(model)
            .args([plan.threads, plan.prompt, plan.steps, most].map(|number| number.to_string()))
            .arg(dtype)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", python.display()))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("its pipes are not there".into());
        };
        let mut other = Self { start, child, requests, answers: BufReader::new(answers), fault: None };
        match other.answer().as_deref() {
            Some("ready") => Ok(other),
            Some(reason) => Err(reason.to_owned()),
            None => Err("it ended before it was ready".into()),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.start.name()
    }

    /// Why it stopped answering.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(super) fn measure(&mut self, what: What, round: usize) -> Option<f64> {
        if self.fault.is_some() {
            return None;
        }
        let request = match what {
            What::Prefill => format!("prefill {round}\n"),
            What::Decode(batch) => format!("decode {batch} {round}\n"),
        };
        let sent = self.requests.write_all(request.as_bytes()).and_then(|()| self.requests.flush());
        let answer = sent.ok().and_then(|()| self.answer());
        if answer.is_none() {
            let status =
                self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
            self.fault = Some(format!("died at `{}` ({status})", request.trim()));
        }
        answer.and_then(|answer| answer.parse().ok())
    }

    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(bytes) if bytes > 0 => Some(line.trim().to_owned()),
            _ => None,
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
