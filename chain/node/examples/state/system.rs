//! What the system says of a process and of files.

use std::path::Path;

/// A line of `/proc/PID/status` in KiB, such as `VmHWM`; 0 if the system does not tell.
pub(crate) fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    number(&status, name)
}

/// Bytes that this process has had written to disks.
pub(crate) fn written_bytes() -> u64 {
    number(&std::fs::read_to_string("/proc/self/io").unwrap_or_default(), "write_bytes")
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Bytes of all files below `path`.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |found| found.len());
    };
    entries.flatten().map(|entry| disk_bytes(&entry.path())).sum()
}
