//! Which libtorch is used.

use super::*;

const ROOT: &str = "/src/acumen";

fn source_of(own: Option<&str>, use_pytorch: bool) -> Source {
    source(Path::new(ROOT), own.map(PathBuf::from), use_pytorch)
}

#[test]
fn cargos_own_default_counts_as_unset() {
    assert_eq!(source_of(None, false), Source::Pinned);
    assert_eq!(source_of(Some(""), false), Source::Pinned);
    assert_eq!(source_of(Some("/src/acumen/.libtorch"), false), Source::Pinned);
}

#[test]
fn what_the_user_has_set_is_used() {
    assert_eq!(source_of(Some("/opt/libtorch"), false), Source::Own(PathBuf::from("/opt/libtorch")));
    assert_eq!(source_of(Some("/opt/libtorch"), true), Source::PyTorch);
    assert_eq!(source_of(None, true), Source::PyTorch);
}

#[test]
fn an_own_libtorch_that_is_none_is_refused_by_the_missing_file() {
    let error = use_own(Path::new("/nonexistent")).unwrap_err().to_string();
    assert!(error.contains("/nonexistent") && error.contains("libtorch_cpu.so"), "{error}");
}

#[test]
fn a_checkout_reached_through_a_link_is_the_same_checkout() {
    let folder = tempfile::tempdir().unwrap();
    let (real, alias) = (folder.path().join("real"), folder.path().join("alias"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &alias).unwrap();
    assert_eq!(source(&real, Some(alias.join(link::NAME)), false), Source::Pinned);
    let elsewhere = folder.path().join(link::NAME);
    assert_eq!(source(&real, Some(elsewhere.clone()), false), Source::Own(elsewhere));
}
