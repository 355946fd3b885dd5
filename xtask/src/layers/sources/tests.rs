//! Headers, caps and the measuring of functions.

use super::*;

fn source(text: &str) -> Source {
    Source { path: "protocol/src/x.rs".to_owned(), text: text.to_owned() }
}

fn rules(text: &str) -> Vec<&'static str> {
    check(&[source(text)]).iter().map(|violation| violation.rule).collect()
}

#[test]
fn a_file_begins_with_its_header() {
    assert!(rules("//! What it is.\n").is_empty());
    for text in ["", "use std::fs;\n//! late\n", "// plain\n", "//!\n"] {
        assert_eq!(rules(text), ["every file has a header"], "{text:?}");
    }
}

#[test]
fn the_cap_is_the_last_length_allowed() {
    let of_lines = |count: usize| format!("//! x\n{}", "\n".repeat(count - 1));
    assert!(rules(&of_lines(HARD_CAP)).is_empty());
    assert_eq!(rules(&of_lines(HARD_CAP + 1)), ["files are short"]);
}

#[test]
fn functions_are_measured_from_signature_to_brace() {
    let text = "\
pub(crate) async fn four(
    a: u8,
) {
}

impl X {
    fn three() {
        if a {}
    }

    const fn one() -> u8 { 1 }
}

trait Y {
    fn no_body(&self);
    fn three_again(&self) {
        f();
    }
}
";
    assert_eq!(function_lengths(text), [4, 3, 1, 3]);
}

#[test]
fn percentiles_are_values_of_the_list() {
    assert_eq!(percentile(&[], 95), 0);
    assert_eq!(percentile(&[7], 50), 7);
    assert_eq!(percentile(&[1, 2, 3], 50), 2, "ranks are rounded up");
    let hundred: Vec<usize> = (1..=100).collect();
    assert_eq!(percentile(&hundred, 95), 95);
    assert_eq!(percentile(&hundred, 50), 50);
}
