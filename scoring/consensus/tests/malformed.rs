//! Files that are no cases: whatever a member of a valid case is replaced by, there is a result or an
//! error with a message, never a panic.

use acumen_scoring_consensus::case::run_case;
use serde_json::{Value, json};

/// Every place of a document, as JSON pointers, outermost first.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(list) => {
            // Elements of a list are alike: the first and the last stand for all.
            for i in [0, list.len().saturating_sub(1)] {
                if let Some(element) = list.get(i) {
                    places(element, &format!("{at}/{i}"), found);
                }
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn replacements() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(65_535),
        json!(65_536),
        json!(u64::MAX),
        json!(0.5),
        json!(1e300),
        json!("u64max"),
        json!([]),
        json!({}),
        json!([[0, 1]]),
        json!([[0, 1], [0, 1]]),
    ]
}

fn vectors() -> Vec<(String, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.display().to_string(), case)
    })
    .collect()
}

fn survives(name: &str, place: &str, case: &Value) {
    if let Err(error) = run_case(&case.to_string()) {
        assert!(!error.to_string().is_empty(), "{name} {place}");
    }
}

#[test]
fn any_member_may_be_anything() {
    for (name, mut case) in vectors() {
        // What is expected is not read, and the steps of a sequence are alike.
        case.as_object_mut().unwrap().remove("expected");
        if let Some(steps) = case["inputs"]["steps"].as_array_mut() {
            steps.truncate(2);
        }
        if case["kind"] == "epoch_generated" {
            case["inputs"]["generator"]["n"] = json!(24);
            case["inputs"]["generator"]["validators"] = json!(8);
        }
        let mut all = Vec::new();
        places(&case, "", &mut all);
        for place in &all {
            for replacement in replacements() {
                // A generated case of that many neurons or epochs is a valid one, and takes long.
                if replacement == json!(65_535) && place.starts_with("/inputs/generator") {
                    continue;
                }
                let mut changed = case.clone();
                *changed.pointer_mut(place).unwrap() = replacement;
                survives(&name, place, &changed);
            }
            removed(&name, place, &case);
        }
    }
}

fn removed(name: &str, place: &str, case: &Value) {
    let Some((parent, member)) = place.rsplit_once('/') else { return };
    let mut changed = case.clone();
    match changed.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(member)),
        Value::Array(list) => drop(list.pop()),
        _ => {}
    }
    survives(name, place, &changed);
}

#[test]
fn a_generated_case_beyond_memory_is_refused() {
    let (_, mut case) = vectors().into_iter().find(|(_, case)| case["kind"] == "epoch_generated").unwrap();
    case["inputs"]["generator"]["n"] = json!(65_535);
    case["inputs"]["generator"]["validators"] = json!(32_000);
    let error = run_case(&case.to_string()).unwrap_err().to_string();
    assert!(error.contains("fewer neurons"), "{error}");
}

#[test]
fn cut_off_files_are_refused() {
    for (name, case) in vectors() {
        let text = case.to_string();
        for end in (0..text.len()).step_by(97) {
            let Some(cut) = text.get(..end) else { continue };
            let error = run_case(cut).unwrap_err().to_string();
            assert!(error.contains("format"), "{name}: {error}");
        }
    }
    assert!(run_case(&"[".repeat(100_000)).is_err(), "deep nesting");
    assert!(run_case("\u{feff}{}").is_err());
}
