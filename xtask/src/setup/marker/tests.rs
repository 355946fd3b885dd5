//! Whole, unfinished and damaged folders.

use super::*;

const RECIPE: &str = "1:2.13.0:abc";

/// A finished folder with one file of three bytes.
fn finished() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lib.so");
    fs::write(&file, "abc").unwrap();
    let entry = Entry { path: "lib.so".to_owned(), bytes: 3, sha256: digest::of_file(&file).unwrap() };
    write(folder.path(), RECIPE, &[entry]).unwrap();
    folder
}

fn why_damaged(folder: &Path, recipe: &str, verify: bool) -> String {
    match inspect(folder, recipe, verify).unwrap() {
        State::Damaged(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_finished_folder_is_complete() {
    let folder = finished();
    assert_eq!(inspect(folder.path(), RECIPE, false).unwrap(), State::Complete);
    assert_eq!(inspect(folder.path(), RECIPE, true).unwrap(), State::Complete);
}

#[test]
fn no_folder_is_absent_and_one_without_marker_is_unfinished() {
    let folder = finished();
    assert_eq!(inspect(&folder.path().join("none"), RECIPE, false).unwrap(), State::Absent);
    fs::remove_file(folder.path().join(NAME)).unwrap();
    assert!(why_damaged(folder.path(), RECIPE, false).contains("not finished"));
}

#[test]
fn a_cut_or_missing_file_is_seen_without_reading_it() {
    let folder = finished();
    fs::write(folder.path().join("lib.so"), "ab").unwrap();
    assert!(why_damaged(folder.path(), RECIPE, false).contains("2 bytes instead of 3"));
    fs::remove_file(folder.path().join("lib.so")).unwrap();
    assert!(why_damaged(folder.path(), RECIPE, false).contains("gone"));
}

#[test]
fn a_changed_byte_is_seen_by_verify_only() {
    let folder = finished();
    fs::write(folder.path().join("lib.so"), "abd").unwrap();
    assert_eq!(inspect(folder.path(), RECIPE, false).unwrap(), State::Complete);
    assert!(why_damaged(folder.path(), RECIPE, true).contains("wrong SHA-256"));
}

#[test]
fn a_cut_marker_and_another_recipe_are_not_trusted() {
    let folder = finished();
    assert!(why_damaged(folder.path(), "1:2.14.0:abc", false).contains("other wheels"));
    let path = folder.path().join(NAME);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(why_damaged(folder.path(), RECIPE, false).contains("not readable"));
}
