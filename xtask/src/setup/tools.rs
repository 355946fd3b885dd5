//! What must be installed before libtorch can be fetched and compiled against, and how to install it.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::bail;

/// A program that set-up needs, and the Debian and Ubuntu package that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tool {
    what: &'static str,
    package: &'static str,
}

const COMPILER: Tool = Tool { what: "a C++ compiler", package: "g++" };
const PYTHON: Tool = Tool { what: "python3", package: "python3" };
const PIP: Tool = Tool { what: "pip for python3", package: "python3-pip" };

/// The Python that fetches and unpacks the wheels.
pub(super) const PYTHON_PROGRAM: &str = "python3";

/// torch-sys compiles a layer of C++, with `CXX` if that is set.
pub(super) fn require_compiler() -> anyhow::Result<()> {
    let compiler = env::var_os("CXX").unwrap_or_else(|| OsString::from("c++"));
    refuse_missing(&missing(&[(COMPILER, works(&compiler, &["--version"]))]))
}

/// Fetching needs python3 with its standard library, and pip.
pub(super) fn require_python() -> anyhow::Result<()> {
    let python = OsString::from(PYTHON_PROGRAM);
    refuse_missing(&missing(&[
        (PYTHON, works(&python, &["-c", "import hashlib, json, zipfile, zlib"])),
        (PIP, works(&python, &["-m", "pip", "--version"])),
    ]))
}

fn works(program: &OsString, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn missing(found: &[(Tool, bool)]) -> Vec<Tool> {
    found.iter().filter(|(_, works)| !works).map(|(tool, _)| *tool).collect()
}

fn refuse_missing(tools: &[Tool]) -> anyhow::Result<()> {
    if tools.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = tools.iter().map(|tool| tool.what).collect();
    let packages: Vec<&str> = tools.iter().map(|tool| tool.package).collect();
    bail!(
        "{} is missing or does not work; on Debian or Ubuntu: sudo apt-get install {}",
        names.join(" and "),
        packages.join(" ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let error = refuse_missing(&missing(&[(PYTHON, true), (PIP, false)])).unwrap_err().to_string();
        assert!(error.contains("pip for python3"), "{error}");
        assert!(error.ends_with("apt-get install python3-pip"), "{error}");
    }

    #[test]
    fn everything_missing_is_said_at_once() {
        let error = refuse_missing(&missing(&[(PYTHON, false), (PIP, false)])).unwrap_err().to_string();
        assert!(error.ends_with("apt-get install python3 python3-pip"), "{error}");
    }

    #[test]
    fn nothing_missing_passes() {
        assert!(refuse_missing(&missing(&[(COMPILER, true)])).is_ok());
    }

    #[test]
    fn a_program_that_is_not_there_or_fails_does_not_work() {
        assert!(!works(&OsString::from("no-such-program-anywhere"), &[]));
        assert!(!works(&OsString::from("false"), &[]));
        assert!(works(&OsString::from("true"), &[]));
    }
}
