//! Golden bytes, round trips, and what is refused.

use super::*;

fn open() -> Open {
    Open { session_key: ConsensusPublic([5; 32]), contexts: vec![vec![1, 300], vec![]], top_k: Some(4) }
}

/// Other languages must produce exactly these bytes: they are hashed.
#[test]
fn golden_bytes() {
    let message = request_bytes(&open_message(open()));
    let expected = format!("0a2d0a20{}1205 0a03 01ac02 1200 1804", "05".repeat(32)).replace(' ', "");
    assert_eq!(hex(&message), expected);
    assert_eq!(hex(&request_bytes(&step_message(vec![7, 8]))), "12040a020708");
    let answer = wire::PredictResponse {
        distributions: vec![wire::Distribution { ids: vec![3], logprobs: vec![-0.5], tail: 0.25 }],
        receipt: vec![1; 64],
    };
    assert_eq!(hex(&response_bytes(&answer)), "0a0e0a0103120400 0000bf1d0000803e".replace(' ', ""));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_opening_round_trips() {
    assert_eq!(ClientMessage::try_from(open_message(open())), Ok(ClientMessage::Open(open())));
}

#[test]
fn what_the_domain_cannot_hold_is_refused() {
    assert!(ClientMessage::try_from(wire::PredictRequest::default()).is_err());
    let mut signed_open = open_message(open());
    signed_open.signature = vec![0; 64];
    assert!(ClientMessage::try_from(signed_open).is_err());
    assert!(ClientMessage::try_from(step_message(vec![1])).is_err(), "a step without signature");
    for count in [0, MAX_DOCUMENTS + 1] {
        let contexts = vec![vec![]; count];
        assert!(ClientMessage::try_from(open_message(Open { contexts, ..open() })).is_err());
    }
    let short_key = wire::Open { session_key: vec![1; 31], ..open().into() };
    assert!(Open::try_from(short_key).is_err());
}

#[test]
fn distributions_have_matching_lengths() {
    let claim = |ids: &[u32], logprobs: &[f32]| wire::Distribution {
        ids: ids.to_vec(),
        logprobs: logprobs.to_vec(),
        tail: 0.0,
    };
    assert_eq!(Distribution::from_wire(claim(&[], &[-1.0, -0.5]), 2).unwrap().ids, [0, 1]);
    assert!(Distribution::from_wire(claim(&[], &[-1.0]), 2).is_err());
    assert!(Distribution::from_wire(claim(&[1, 0], &[-1.0]), 2).is_err());
    assert!(Distribution::from_wire(claim(&[], &[]), 2).is_err());
}
