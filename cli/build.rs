//! Lets this package's own tests and examples find libtorch at run time: a library path cannot be inherited by the
//! binaries that depend on it, so the command line's package does the same for itself.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }
    let Some(root) = std::env::var_os("LIBTORCH") else { return };
    let library = std::path::Path::new(&root).join("lib");
    match library.canonicalize() {
        Ok(path) => println!("cargo:rustc-link-arg=-Wl,-rpath,{}", path.display()),
        Err(error) => println!(
            "cargo:warning=libtorch is not at {} ({error}): run `cargo xtask setup`",
            library.display()
        ),
    }
}
