//! Lets this package's own tests find libtorch at run time: a library path is not inherited from `acumen-models`.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
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
