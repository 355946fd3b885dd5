//! The worked epoch of docs/scoring.md is what `acumen eval yuma` prints for the file on that page.

use serde_json::Value;

const PAGE: &str = include_str!("../../../../docs/scoring.md");

fn share(value: &Value) -> f64 {
    value.as_f64().unwrap() / 65_535.0
}

#[track_caller]
fn on_the_page(text: &str) {
    assert!(PAGE.contains(text), "docs/scoring.md lacks: {text}");
}

#[test]
fn the_worked_epoch_of_the_page() {
    let from = PAGE.find("```json\n{\"name\"").expect("a case on the page") + 8;
    let case = &PAGE[from..from + PAGE[from..].find("```").expect("its end")];
    let result = acumen_scoring_consensus::case::run_case(case).unwrap();
    let step = &result["steps"][0];
    let short = |value: f64| format!("{value:.3}").trim_start_matches('0').to_owned();
    let of = |name: &str, uid: usize| short(share(&step[name][uid]));
    let consensus = (of("consensus_u16", 3), of("consensus_u16", 4));
    on_the_page(&format!("at least half of the stake backs | {} | {} |", consensus.0, consensus.1));
    let incentive = (of("incentive_u16", 3), of("incentive_u16", 4));
    on_the_page(&format!("rank as a share | {} | {} |", incentive.0, incentive.1));
    on_the_page(&format!("*validator trust* {}", of("validator_trust_u16", 2)));
    on_the_page(&format!("**dividend** is {} of", of("dividends_u16", 2)));
    on_the_page(&format!("{} and {} for .5 and .3", of("dividends_u16", 0), of("dividends_u16", 1)));
}
