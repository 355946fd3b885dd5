//! Wheels that are whole, damaged, wrong or missing.

use super::*;

/// SHA-256 of `abc`: FIPS 180-4, example 1.
const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const WHEEL: Wheel = Wheel {
    requirement: "abc==1",
    platform: "any",
    file: "abc-1.whl",
    sha256: OF_ABC,
    bytes: 3,
    members: &[],
};

#[test]
fn a_whole_wheel_is_not_fetched_again_and_a_damaged_one_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("abc-1.whl");
    assert!(!is_present(&path, OF_ABC).unwrap());

    fs::write(&path, "abc").unwrap();
    assert!(is_present(&path, OF_ABC).unwrap());

    fs::write(&path, "ab").unwrap();
    assert!(!is_present(&path, OF_ABC).unwrap());
    assert!(!path.exists());
}

#[test]
fn a_wheel_gets_its_final_name_only_with_the_right_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (arrived, path) = (folder.path().join("arrived"), folder.path().join("final"));

    fs::write(&arrived, "abd").unwrap();
    let error = format!("{:#}", accept(&arrived, &WHEEL, &path).unwrap_err());
    assert!(error.contains("abc==1") && error.contains(OF_ABC), "{error}");
    assert!(!arrived.exists() && !path.exists());

    fs::write(&arrived, "abc").unwrap();
    accept(&arrived, &WHEEL, &path).unwrap();
    assert!(!arrived.exists() && path.exists());
}

#[test]
fn a_wheel_that_did_not_come_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("abc-1.whl");
    assert!(accept(&missing, &WHEEL, &folder.path().join("final")).is_err());
}

#[test]
fn progress_is_the_largest_file_in_any_folder_below() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pip-unpack")).unwrap();
    fs::write(folder.path().join("pip-unpack/torch.whl"), [0; 30]).unwrap();
    fs::write(folder.path().join("lock"), [0; 2]).unwrap();
    assert_eq!(largest_file(folder.path()), 30);
}
