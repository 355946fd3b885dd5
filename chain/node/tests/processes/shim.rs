//! Builds `shim.c`, which makes a node's disk fail or its clock be off, where there is a C compiler.

use std::path::Path;
use std::process::Command;

/// The library, in `dir`; `None`, said with its reason, where it cannot be built or is not what programs get.
pub(crate) fn build(dir: &Path) -> Option<String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/processes/shim.c");
    let library = dir.join("shim.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
    match built {
        Ok(output) if output.status.success() => Some(library.to_str().unwrap().to_owned()),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: no C compiler to build {source} with: {error}");
            None
        }
    }
}
