//! Lets the binary find libtorch at run time, and lists the held-out texts that it carries.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    link_libtorch();
    carry_held_out()
}

/// A library path cannot be inherited from the package that links libtorch.
fn link_libtorch() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let Some(root) = env::var_os("LIBTORCH") else { return };
    println!("cargo::rerun-if-changed={}", Path::new(&root).join("build-version").display());
    match Path::new(&root).join("lib").canonicalize() {
        Ok(path) => println!("cargo::rustc-link-arg=-Wl,-rpath,{}", path.display()),
        Err(error) => println!("cargo::warning=no libtorch in LIBTORCH ({error}): run `cargo xtask setup`"),
    }
}

fn carry_held_out() -> Result<(), Box<dyn Error>> {
    let folder =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../models/corpus/heldout").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let mut list = String::from("[\n");
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(list, "    ({name:?}, include_bytes!({:?}) as &[u8]),", path.display().to_string())?;
    }
    list.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("held_out.rs"), list)?;
    Ok(())
}
