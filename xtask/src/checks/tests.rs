//! Order and arguments of the steps.

use super::*;

fn names(fast: bool) -> Vec<&'static str> {
    steps(&TestOptions { fast }).iter().map(|step| step.name).collect()
}

#[test]
fn setup_comes_first_and_the_tests_come_last() {
    for fast in [false, true] {
        let names = names(fast);
        assert_eq!(names.first(), Some(&"setup"));
        assert_eq!(names.last(), Some(&"tests"));
    }
}

#[test]
fn fast_leaves_out_only_docs_and_benches() {
    let left_out: Vec<_> = names(false).into_iter().filter(|name| !names(true).contains(name)).collect();
    assert_eq!(left_out, ["doc", "benches"]);
}

#[test]
fn the_lock_file_is_checked_in_ci_before_any_separator() {
    let args = with_lock_check(&["clippy", "--workspace", "--", "-D", "warnings"], true);
    assert_eq!(args, ["clippy", "--locked", "--workspace", "--", "-D", "warnings"]);
    assert_eq!(with_lock_check(&["fmt", "--all"], true), ["fmt", "--all"]);
    assert_eq!(with_lock_check(&["doc"], false), ["doc"]);
}

#[test]
fn warnings_are_errors_in_clippy_and_in_the_docs() {
    assert!(matches!(CLIPPY.action, Action::Cargo { args, .. } if args.ends_with(&["-D", "warnings"])));
    assert!(matches!(DOC.action, Action::Cargo { strict_docs: true, .. }));
}
