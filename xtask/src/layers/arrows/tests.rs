//! The arrow rules on made-up workspaces, read from what `cargo metadata` would print.

use serde_json::{Value, json};

use super::*;
use crate::workspace;

/// A package as cargo prints it; a dependency is a name or a name and a kind.
fn package(name: &str, folder: &str, dependencies: &[(&str, Value)]) -> Value {
    let dependencies: Vec<Value> =
        dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
    json!({
        "name": name,
        "manifest_path": format!("/w/{folder}/Cargo.toml"),
        "dependencies": dependencies,
    })
}

/// What the rules say about these packages, without the lines of the table that they do not fill.
fn broken(packages: &[Value]) -> Vec<Violation> {
    let metadata = json!({ "workspace_root": "/w", "target_directory": "/w/target", "packages": packages });
    let mut violations = check(&workspace::parse(&metadata).unwrap().packages);
    violations.retain(|violation| violation.rule != "every line of the table is a crate");
    violations
}

fn only(packages: &[Value]) -> Violation {
    let violations = broken(packages);
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations.into_iter().next().unwrap()
}

#[test]
fn arrows_down_and_listed_neighbours_are_fine() {
    let violations = broken(&[
        package("acumen-protocol", "protocol", &[("thiserror", Value::Null)]),
        package("acumen-proto", "proto", &[("acumen-protocol", Value::Null), ("tonic", Value::Null)]),
        package("acumen-miner-client", "miner/client", &[("acumen-proto", Value::Null)]),
        package("acumen-miner", "miner", &[("acumen-miner-client", json!("dev"))]),
    ]);
    assert_eq!(violations, []);
}

#[test]
fn an_arrow_up_is_refused_even_for_tests() {
    for kind in [Value::Null, json!("build"), json!("dev")] {
        let violation = only(&[
            package("acumen-protocol", "protocol", &[("acumen-proto", kind)]),
            package("acumen-proto", "proto", &[]),
        ]);
        assert_eq!(violation.rule, "arrows point down");
        assert!(violation.found.contains("acumen-proto"), "{violation}");
    }
}

#[test]
fn shells_never_import_each_other() {
    let violation = only(&[
        package("acumen-gateway", "gateway", &[("acumen-miner", Value::Null)]),
        package("acumen-miner", "miner", &[]),
    ]);
    assert!(violation.mend.contains("over the wire"), "{violation}");
}

#[test]
fn adapters_use_only_the_neighbours_listed_for_them() {
    let violation = only(&[
        package("acumen-chain-client", "chain/client", &[("acumen-chain-store", Value::Null)]),
        package("acumen-chain-store", "chain/store", &[]),
    ]);
    assert_eq!(violation.rule, "arrows point down");
}

#[test]
fn a_pure_crate_may_not_use_one_with_floats() {
    let violation = only(&[
        package("acumen-chain-ledger", "chain/ledger", &[("acumen-scoring-value", Value::Null)]),
        package("acumen-scoring-value", "scoring/value", &[]),
    ]);
    assert_eq!(violation.rule, "pure crates use pure crates");
}

#[test]
fn a_pure_crate_has_an_allow_list_except_for_its_tests() {
    let violation = only(&[package(
        "acumen-chain-ledger",
        "chain/ledger",
        &[("rand", Value::Null), ("proptest", json!("dev"))],
    )]);
    assert_eq!(violation.rule, "pure crates have an allow-list");
    assert!(violation.found.contains("rand"), "{violation}");
}

#[test]
fn an_unlisted_crate_and_a_wrong_name_are_refused() {
    assert_eq!(only(&[package("acumen-explorer", "explorer", &[])]).rule, "every crate is listed");
    let violation = only(&[package("acumen-gateway", "web", &[])]);
    assert!(violation.mend.contains("`acumen-web`"), "{violation}");
}

#[test]
fn the_tool_uses_none_of_the_others_and_none_uses_it() {
    let packages = [
        package("xtask", "xtask", &[("acumen-protocol", Value::Null)]),
        package("acumen-protocol", "protocol", &[]),
    ];
    assert_eq!(only(&packages).place, "xtask");
    let packages = [package("xtask", "xtask", &[]), package("acumen-cli", "cli", &[("xtask", Value::Null)])];
    assert_eq!(only(&packages).place, "acumen-cli");
}

#[test]
fn a_line_of_the_table_without_a_crate_is_reported() {
    let violations = check(&[]);
    assert_eq!(violations.len(), table::CRATES.len());
}
