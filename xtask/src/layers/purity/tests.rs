//! The bans of a pure crate, whole and with one of them taken out.

use super::*;

const CLIPPY: &str = r#"
too-many-lines-threshold = 70
disallowed-types = [
    { path = "f32", reason = "not the same on every machine" },
    "f64",
    "std::collections::HashMap", "std::collections::HashSet",
]
disallowed-methods = ["std::time::SystemTime::now", "std::time::Instant::now"]
"#;

const LIB: &str = "
//! A crate.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::as_conversions
    )
)]
";

fn broken(clippy: &str, lib: &str) -> Vec<Violation> {
    check_texts(&Texts { folder: "protocol".to_owned(), clippy: clippy.to_owned(), lib: lib.to_owned() })
}

#[test]
fn a_crate_with_all_bans_passes() {
    assert_eq!(broken(CLIPPY, LIB), []);
}

#[test]
fn every_single_ban_is_missed_when_it_is_gone() {
    for path in BANNED_PATHS {
        let violations = broken(&CLIPPY.replace(&format!("\"{path}\""), "\"x\""), LIB);
        assert_eq!(violations.len(), 1, "{path}");
        assert!(violations[0].found.contains(path), "{}", violations[0]);
    }
    for lint in DENIED_LINTS {
        let violations = broken(CLIPPY, &LIB.replace(lint, "clippy::all"));
        assert_eq!(violations.len(), 1, "{lint}");
        assert!(violations[0].found.contains(lint), "{}", violations[0]);
    }
    assert_eq!(broken(&CLIPPY.replace("= 70", "= 700"), LIB).len(), 1);
    assert_eq!(broken(CLIPPY, &LIB.replace("#![forbid(unsafe_code)]", "")).len(), 1);
}

#[test]
fn a_ban_that_is_commented_out_is_missing() {
    let clippy = CLIPPY.replace("    \"f64\",", "    # \"f64\",");
    assert_eq!(broken(&clippy, LIB).len(), 1);
    let lib = LIB.replace("        clippy::panic,", "        // clippy::panic,");
    assert_eq!(broken(CLIPPY, &lib).len(), 1);
}

#[test]
fn a_deny_for_tests_only_does_not_count() {
    let violations = broken(CLIPPY, &LIB.replace("not(test)", "test"));
    assert_eq!(violations.len(), DENIED_LINTS.len());
}

#[test]
fn an_attribute_of_one_item_does_not_count() {
    let violations = broken(CLIPPY, &LIB.replace("#![cfg_attr(", "#[cfg_attr("));
    assert_eq!(violations.len(), DENIED_LINTS.len());
}

#[test]
fn no_files_means_no_bans() {
    assert_eq!(broken("", "").len(), BANNED_PATHS.len() + DENIED_LINTS.len() + 2);
}
