//! Invalid, late and missing answers stay missing; slow validators blame nobody, slow miners lose.

use super::*;

fn dense(probs: &[f64]) -> (Vec<u32>, Vec<f32>) {
    ((0..256).collect(), probs.iter().map(|prob| prob.ln() as f32).collect())
}

fn peaked(byte: u8, mass: f64, total: f64) -> Vec<f64> {
    let mut probs = vec![(total - mass) / 255.0; 256];
    probs[usize::from(byte)] = mass;
    probs
}

fn judge(sheet: &mut Sheet, probs: &[f64], truth: u8) {
    let (ids, logprobs) = dense(probs);
    sheet.record(&[Claim { ids: &ids, logprobs: &logprobs, tail: 0.0 }], &[truth], &[true]);
}

#[test]
fn a_valid_answer_is_scored_by_the_realised_byte() {
    let mut sheet = Sheet::new(1, 2);
    judge(&mut sheet, &peaked(b'a', 0.9, 1.0), b'a');
    judge(&mut sheet, &peaked(b'a', 0.9, 1.0), b'b');
    sheet.close(2);
    assert!((sheet.probs()[0].unwrap() - 0.9).abs() < 1e-3);
    assert!((sheet.probs()[1].unwrap() - 0.1 / 255.0).abs() < 1e-5);
    assert_eq!(sheet.availability(), 1.0);
    assert_eq!(sheet.shape(0).unwrap().len(), 256);
    assert!(sheet.refused().is_empty());
}

#[test]
fn claims_of_too_much_mass_and_nan_are_missing_and_never_scaled_up() {
    let cases: [(&[u32], &[f32], f32); 5] = [
        (&[97, 98], &[-0.5, -0.5], 0.0),     // mass 1.21
        (&[97, 98], &[f32::NAN, -1.0], 0.0), // not a number
        (&[97], &[-0.1], -0.2),              // negative tail
        (&[97, 300], &[-1.0, -1.0], 0.0),    // an id outside the vocabulary
        (&[97, 97], &[-1.0, -1.0], 0.0),     // twice the same id
    ];
    for (ids, logprobs, tail) in cases {
        let mut sheet = Sheet::new(1, 1);
        sheet.record(&[Claim { ids, logprobs, tail }], &[97], &[true]);
        sheet.close(1);
        assert_eq!(sheet.probs(), [None], "{ids:?} {logprobs:?} {tail}");
        assert_eq!(sheet.refused().get(&Kind::Invalid), Some(&1));
        assert!(sheet.newest().is_some());
        assert_eq!(sheet.shape(0), None);
    }
    // Too little mass goes to the ids that are not named, not to those that are.
    let mut sheet = Sheet::new(1, 1);
    sheet.record(&[Claim { ids: &[97], logprobs: &[0.25f32.ln()], tail: 0.0 }], &[97], &[true]);
    assert!((sheet.probs()[0].unwrap() - 0.25).abs() < 1e-3);
}

#[test]
fn an_ended_stream_is_missing_from_there_on() {
    let mut sheet = Sheet::new(1, 4);
    judge(&mut sheet, &peaked(b'a', 0.9, 1.0), b'a');
    sheet.end(Fault { kind: Kind::Late, reason: "no answer within 1s".to_owned() });
    sheet.close(4);
    assert_eq!(sheet.answered(), 1);
    assert_eq!(sheet.availability(), 0.25);
    assert_eq!(sheet.refused().get(&Kind::Late), Some(&3));
    assert_eq!(sheet.newest(), Some("no answer within 1s"));
}

fn reached(steps: usize, failed: bool) -> Sheet {
    let mut sheet = Sheet::new(1, 10);
    for _ in 0..steps {
        judge(&mut sheet, &peaked(b'a', 0.9, 1.0), b'a');
    }
    if failed {
        sheet.end(Fault { kind: Kind::Unreachable, reason: String::new() });
    }
    sheet
}

#[test]
fn the_extent_is_what_half_of_the_running_miners_reached() {
    let of = |sheets: &[Sheet]| extent(sheets);
    assert_eq!(
        of(&[reached(10, false), reached(10, false), reached(2, false)]),
        10,
        "one slow miner is late"
    );
    assert_eq!(
        of(&[reached(4, false), reached(5, false), reached(4, false)]),
        4,
        "a slow validator blames nobody"
    );
    assert_eq!(of(&[reached(10, false), reached(3, false)]), 10, "one of two cannot shorten the other's");
    assert_eq!(of(&[reached(10, false), reached(0, true), reached(0, true), reached(0, true)]), 10);
    assert_eq!(of(&[reached(6, true), reached(0, true)]), 6, "nobody left: the longest");
    assert_eq!(of(&[reached(0, true)]), 0);
    assert_eq!(of(&[]), 0);
}
