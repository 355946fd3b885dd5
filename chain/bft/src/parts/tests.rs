//! Blocks from parts, in order and out of it, and what a hostile sender can and cannot do.

use acumen_protocol::codec::Encode as _;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::shelf::{BYTES_PER_PUBLISHER, STREAMS_PER_PUBLISHER};
use super::*;
use crate::fuzz::{GENESIS, candidate, hand, hand_of, members as set};
use crate::send::Streams;

type Message = StreamMessage<Part>;

fn now(tip: u64) -> Now {
    Now { tip: At(tip), round: 0 }
}

fn parts() -> Parts {
    Parts::new(Checker { genesis: GENESIS })
}

fn messages(candidate: &Candidate) -> Vec<Message> {
    Streams::new(candidate.block.header.height.get() * 100 + u64::from(candidate.round))
        .split(candidate, &hand_of(&candidate.proposer))
}

fn feed(parts: &mut Parts, messages: Vec<Message>, now: Now) -> Vec<Gathered> {
    let taken = messages.into_iter().map(|message| parts.take(b"peer".to_vec(), message, now, &set()));
    taken.filter(|gathered| !matches!(gathered, Gathered::Nothing)).collect()
}

fn garbage(gathered: &[Gathered]) -> bool {
    matches!(gathered, [Gathered::Garbage(_)])
}

#[test]
fn a_block_is_put_together_in_any_order_and_with_repetitions() {
    let candidate = candidate(5, 0, 1);
    for seed in 0..50 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sent = messages(&candidate);
        sent.extend(sent.clone());
        sent.shuffle(&mut rng);
        let mut parts = parts();
        let gathered = feed(&mut parts, sent, now(4));
        let [Gathered::Block(5, found), ..] = gathered.as_slice() else {
            panic!("seed {seed}: {gathered:?}")
        };
        assert_eq!(**found, candidate);
    }
}

#[test]
fn a_large_block_travels_in_pieces() {
    let bytes = vec![7; PIECE * 3 + 5];
    let about = About {
        height: 5,
        round: 0,
        pol_round: None,
        proposer: candidate(5, 0, 1).proposer,
        block: Hash::ZERO,
        size: u32::try_from(bytes.len()).unwrap(),
    };
    let mut parts = parts();
    let opening = Part::Opening(hand_of(&about.proposer).open(about));
    let name = arc_malachitebft_app_channel::app::types::streaming::StreamId::new(vec![1].into());
    let data = std::iter::once(opening).chain(bytes.chunks(PIECE).map(|piece| Part::Piece(piece.to_vec())));
    let contents: Vec<_> = data.map(StreamContent::Data).chain([StreamContent::Fin]).collect();
    let sent = (0..).zip(contents).map(|(sequence, content)| Message::new(name.clone(), sequence, content));
    // Whole, but no block: noticed at the end and not before.
    let gathered = feed(&mut parts, sent.collect(), now(4));
    assert!(matches!(gathered.as_slice(), [Gathered::Garbage("a stream carries no block")]), "{gathered:?}");
    assert_eq!(parts.held(), (0, 0));
}

#[test]
fn a_stranger_opens_nothing() {
    let candidate = candidate(5, 0, 1);
    let stranger = Streams::new(1).split(&candidate, &hand(9));
    assert!(garbage(&feed(&mut parts(), stranger[..1].to_vec(), now(4))));
    // Nor does who copies another's opening and changes it.
    let mut copied = messages(&candidate);
    let StreamContent::Data(Part::Opening(opening)) = &mut copied[0].content else { panic!() };
    opening.about.size += 1;
    assert!(garbage(&feed(&mut parts(), copied[..1].to_vec(), now(4))));
}

#[test]
fn a_stream_must_carry_what_it_says() {
    let (announced, other) = (candidate(5, 1, 1), candidate(5, 1, 2));
    let mut mixed = messages(&announced);
    mixed[1].content = messages(&other)[1].content.clone();
    assert!(garbage(&feed(&mut parts(), mixed, now(4))));
    let mut foreign = announced;
    foreign.block.header.proposer = hand(9).key.public();
    let proposer = foreign.proposer;
    let sent = Streams::new(1).split(&foreign, &hand_of(&proposer));
    assert!(garbage(&feed(&mut parts(), sent, now(4))));
    // Proposed again because of an earlier round, it may be another's.
    let again = Candidate { pol_round: Some(0), ..foreign };
    let sent = Streams::new(1).split(&again, &hand_of(&proposer));
    assert!(matches!(feed(&mut parts(), sent, now(4)).as_slice(), [Gathered::Block(5, _)]));
    let early = Candidate { pol_round: Some(1), ..again };
    let sent = Streams::new(1).split(&early, &hand_of(&proposer));
    assert!(garbage(&feed(&mut parts(), sent[..1].to_vec(), now(4))), "because of a round that has not been");
}

#[test]
fn a_proposer_has_two_blocks_for_a_round_at_most() {
    let mut parts = parts();
    let sent = |salt| {
        let candidate = candidate(5, 0, salt);
        Streams::new(salt).split(&candidate, &hand_of(&candidate.proposer))
    };
    for salt in [1, 2] {
        assert!(matches!(feed(&mut parts, sent(salt), now(4)).as_slice(), [Gathered::Block(..)]));
    }
    assert!(garbage(&feed(&mut parts, sent(3), now(4))));
    // The first ones may come again, under whichever name, and are nothing new.
    let again = candidate(5, 0, 1);
    let sent = Streams::new(77).split(&again, &hand_of(&again.proposer));
    assert!(feed(&mut parts, sent, now(4)).is_empty());
    assert_eq!(parts.held(), (0, 0));
}

#[test]
fn of_two_streams_of_one_block_the_first_to_end_is_it() {
    let mut parts = parts();
    let candidate = candidate(5, 0, 1);
    let mut streams = Streams::new(1);
    let [mut a, mut b] = [(); 2].map(|()| streams.split(&candidate, &hand_of(&candidate.proposer)));
    let (last_a, last_b) = (a.pop().unwrap(), b.pop().unwrap());
    assert!(feed(&mut parts, a, now(4)).is_empty() && feed(&mut parts, b, now(4)).is_empty());
    assert!(matches!(feed(&mut parts, vec![last_b], now(4)).as_slice(), [Gathered::Block(5, _)]));
    assert!(feed(&mut parts, vec![last_a], now(4)).is_empty());
    assert_eq!(parts.held(), (0, 0));
}

/// Another's turn, taken: the block says that its proposer has built it, the signature is `thief`'s.
fn stolen(height: u64, round: u32, thief: u8, time: u64) -> Vec<Message> {
    Streams::new(time).split(&candidate(height, round, time), &hand(thief))
}

/// A block that `thief` proposes itself, whoever's turn it is.
fn usurped(height: u64, round: u32, thief: u8, time: u64) -> Candidate {
    let mut candidate = candidate(height, round, time);
    candidate.proposer = hand(thief).key.public();
    candidate.block.header.proposer = candidate.proposer;
    candidate
}

#[test]
fn whose_turn_it_is_not_uses_up_nobody_elses_places() {
    let (mut parts, mut time) = (parts(), 0);
    for (height, round) in (5..=21).flat_map(|height| (0..=8).map(move |round| (height, round))) {
        let rightful = set().proposer(At(height), round).key();
        for thief in (1..=4).filter(|thief| hand(*thief).key.public() != rightful) {
            for _ in 0..2 {
                time += 1;
                assert!(garbage(&feed(&mut parts, stolen(height, round, thief, time), now(4))));
                let own = usurped(height, round, thief, time);
                for gathered in feed(&mut parts, messages(&own), now(4)) {
                    match gathered {
                        Gathered::Block(at, early) if at > 5 => parts.wait(*early, &set()),
                        other => assert!(height == 5 && matches!(other, Gathered::Garbage(_)), "{other:?}"),
                    }
                }
            }
        }
    }
    // The blocks of those whose turn it is come through, those of the next height and those that wait.
    for (height, round) in [(5, 0), (5, 1), (5, 8)] {
        let gathered = feed(&mut parts, messages(&candidate(height, round, 0)), now(4));
        assert!(matches!(gathered.as_slice(), [Gathered::Block(5, _)]), "{height} {round} {gathered:?}");
    }
    for round in 0..3 {
        let gathered = feed(&mut parts, messages(&candidate(6, round, 0)), now(4)).pop();
        let Some(Gathered::Block(6, early)) = gathered else { panic!("{round} {gathered:?}") };
        parts.wait(*early, &set());
    }
    let due = parts.due(At(6), &set());
    assert_eq!(due, [0, 1, 2].map(|round| candidate(6, round, 0)));
}

#[test]
fn whoever_has_a_block_can_send_it_again_in_its_proposers_name() {
    let (mut first, mut second) = (parts(), parts());
    let original = candidate(5, 0, 1);
    assert!(matches!(feed(&mut first, messages(&original), now(4)).as_slice(), [Gathered::Block(..)]));
    let id = original.block.header.id();
    let opening = first.opening((5, 0, original.proposer), &id).unwrap();
    assert_eq!(first.opening((5, 1, original.proposer), &id), None);
    let again = Streams::new(9).carry(opening, &original.block);
    let gathered = feed(&mut second, again.clone(), now(4));
    let [Gathered::Block(5, found)] = gathered.as_slice() else { panic!("{gathered:?}") };
    assert_eq!(**found, original);
    assert!(feed(&mut first, again, now(4)).is_empty(), "nothing new to who has it");
}

#[test]
fn other_heights_and_rounds_wait_or_pass() {
    let mut parts = parts();
    assert!(feed(&mut parts, messages(&candidate(4, 0, 1)), now(4)).is_empty(), "committed already");
    assert!(feed(&mut parts, messages(&candidate(30, 0, 1)), now(4)).is_empty(), "too far ahead");
    assert!(feed(&mut parts, messages(&candidate(5, 9, 1)), now(4)).is_empty(), "a round too far ahead");
    let gathered = feed(&mut parts, messages(&candidate(7, 0, 1)), now(4));
    let Some(Gathered::Block(7, early)) = gathered.into_iter().next() else { panic!() };
    parts.wait(*early, &set());
    assert!(parts.due(At(6), &set()).is_empty());
    assert_eq!(parts.due(At(7), &set()), [candidate(7, 0, 1)]);
    assert!(parts.due(At(7), &set()).is_empty());
}

#[test]
fn memory_is_bounded_whatever_is_sent() {
    let mut parts = parts();
    let name = |n: u32| arc_malachitebft_app_channel::app::types::streaming::StreamId::new(n.encode().into());
    // Pieces without an opening, of many streams and many publishers.
    for publisher in 0..40_u8 {
        for stream in 0..64 {
            for sequence in 1..=4 {
                let piece = StreamContent::Data(Part::Piece(vec![0; PIECE]));
                let _ =
                    parts.take(vec![publisher], Message::new(name(stream), sequence, piece), now(4), &set());
            }
            let (count, bytes) = parts.shelf.weight(&[publisher]);
            assert!(count <= STREAMS_PER_PUBLISHER && bytes <= BYTES_PER_PUBLISHER);
        }
    }
    assert!(parts.held().1 <= BYTES_IN_TOTAL);
    // What an honest proposer sends still gets through.
    let sent = messages(&candidate(5, 0, 1));
    let gathered: Vec<Gathered> =
        sent.into_iter().map(|message| parts.take(b"honest".to_vec(), message, now(4), &set())).collect();
    assert!(matches!(gathered.last(), Some(Gathered::Block(5, _))));
    let long = Message::new(name(1), MAX_PARTS + 1, StreamContent::Fin);
    assert!(matches!(parts.take(vec![1], long, now(4), &set()), Gathered::Garbage(_)));
}

#[test]
fn being_behind_takes_more_than_a_third_to_say() {
    let (mut parts, set) = (parts(), set());
    assert!(!parts.ahead_of(At(5), &set));
    let open = |parts: &mut Parts, sender: u8, height: u64| {
        let sent = messages(&usurped(height, 0, sender, u64::from(sender)));
        feed(parts, sent[..1].to_vec(), now(4))
    };
    for height in 6..15 {
        open(&mut parts, 1, height);
    }
    assert!(!parts.ahead_of(At(5), &set), "one liar of four cannot hurry anybody");
    open(&mut parts, 2, 6);
    assert!(parts.ahead_of(At(5), &set));
    assert!(!parts.ahead_of(At(6), &set));
    // A node that is far behind hears it too, though it cannot use these blocks yet.
    for sender in [2, 3] {
        open(&mut parts, sender, 500);
    }
    assert!(parts.ahead_of(At(499), &set));
    assert!(parts.held().0 <= 11, "what is too far ahead is not kept: {:?}", parts.held());
}

#[test]
fn a_flood_under_many_names_pushes_out_no_block_that_a_validator_sends() {
    let mut parts = parts();
    let sent = messages(&candidate(5, 0, 1));
    let (opening, rest) = sent.split_first().unwrap();
    assert!(matches!(parts.take(b"honest".to_vec(), opening.clone(), now(4), &set()), Gathered::Nothing));
    let name = arc_malachitebft_app_channel::app::types::streaming::StreamId::new(vec![1].into());
    for stranger in 0..5_000_u32 {
        let content = match stranger % 4 {
            // The bytes that a stranger has in mind are copied, so a few are enough to go beyond the bound.
            0 => StreamContent::Data(Part::Piece(vec![0; PIECE])),
            _ => StreamContent::Fin,
        };
        let message = Message::new(name.clone(), 1, content);
        let _ = parts.take(stranger.encode(), message, now(4), &set());
    }
    let (streams, bytes) = parts.held();
    assert!(streams <= STREAMS_IN_TOTAL && bytes <= BYTES_IN_TOTAL, "{streams} streams, {bytes} bytes");
    let gathered = rest.iter().map(|message| parts.take(b"honest".to_vec(), message.clone(), now(4), &set()));
    assert!(matches!(gathered.last(), Some(Gathered::Block(5, _))));
}
