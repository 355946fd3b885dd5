//! The peer book: order of dialling, patience, bounds, and its file.

use proptest::prelude::*;

use super::*;
use crate::core::address::MAX_ADDRESS_BYTES;

fn peer(tag: u8) -> PeerId {
    libp2p::identity::Keypair::ed25519_from_bytes([tag; 32]).unwrap().public().to_peer_id()
}

fn address(port: u16) -> Multiaddr {
    format!("/ip4/9.9.9.9/tcp/{port}").parse().unwrap()
}

fn dialled(book: &Book, now: u64) -> Vec<PeerId> {
    book.to_dial(100, now, |_| false).into_iter().map(|(peer, _)| peer).collect()
}

#[test]
fn who_was_reached_last_is_dialled_first() {
    let mut book = Book::new(false);
    for tag in 1..=4 {
        assert!(book.add(peer(tag), address(1)));
    }
    book.connected(&peer(2), None, 50);
    book.connected(&peer(3), None, 100);
    book.failed(&peer(4), 0);
    assert_eq!(dialled(&book, 1_000), [3, 2, 1, 4].map(peer));
    let skipping = book.to_dial(1, 1_000, |found| *found == peer(3));
    assert_eq!(skipping[0].0, peer(2));
}

#[test]
fn patience_doubles_and_ends_unless_the_operator_named_the_peer() {
    let mut book = Book::new(false);
    book.add(peer(1), address(1));
    book.add_fixed(peer(2), address(2));
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..GIVE_UP_AFTER + 5 {
        book.failed(&peer(1), now);
        book.failed(&peer(2), now);
        let next = book.get(&peer(2)).unwrap().dial_after;
        pauses.push(next - now);
        now = next;
    }
    assert_eq!(pauses[..4], [5, 10, 20, 40]);
    assert_eq!(pauses.last(), Some(&LONGEST_PAUSE_SECONDS));
    assert!(book.get(&peer(1)).is_none());
    assert_eq!(dialled(&book, now), [peer(2)]);
}

#[test]
fn a_ban_holds_in_both_directions_until_it_ends() {
    let mut book = Book::new(false);
    book.add(peer(1), address(1));
    book.ban(peer(1), 100);
    assert!(book.is_banned(&peer(1), 99) && dialled(&book, 99).is_empty());
    assert_eq!(book.banned(99).count(), 1);
    assert!(!book.is_banned(&peer(1), 100));
    assert_eq!(dialled(&book, 100), [peer(1)]);
}

#[test]
fn the_address_that_worked_comes_first_and_cannot_be_pushed_out() {
    let mut book = Book::new(false);
    for port in 1..=20 {
        book.add(peer(1), address(port));
    }
    assert_eq!(book.get(&peer(1)).unwrap().addresses.len(), MAX_ADDRESSES);
    book.connected(&peer(1), Some(&address(5)), 1);
    assert_eq!(book.get(&peer(1)).unwrap().addresses[0], address(5));
    assert!(!book.add(peer(1), address(99)));
    let named = format!("{}/p2p/{}", address(5), peer(1)).parse().unwrap();
    assert!(book.add(peer(1), named), "it is there already, without the name");
    assert_eq!(book.get(&peer(1)).unwrap().addresses.len(), MAX_ADDRESSES);
    assert!(!book.add(peer(1), "/ip4/127.0.0.1/tcp/1".parse().unwrap()));
    let long = format!("/dns4/{}.example.org/tcp/1", "a".repeat(MAX_ADDRESS_BYTES));
    assert!(!book.add(peer(2), long.parse().unwrap()));
}

#[test]
fn the_book_is_bounded_and_forgets_strangers_that_never_answered() {
    let mut book = Book::new(false);
    let friend = peer(1);
    book.add(friend, address(1));
    book.connected(&friend, None, 7);
    for _ in 0..2 * MAX_PEERS {
        book.add(PeerId::random(), address(1));
    }
    assert_eq!(book.len(), MAX_PEERS);
    assert!(book.get(&friend).is_some());
}

#[test]
fn the_file_keeps_everything_and_a_damaged_one_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("peers.json");
    assert!(file::read(&path, false).unwrap().is_empty(), "no file is no error");
    let mut book = Book::new(false);
    for tag in 1..=3 {
        book.add(peer(tag), address(u16::from(tag)));
    }
    book.connected(&peer(1), None, 9);
    book.ban(peer(2), 77);
    file::write(&book, &path).unwrap();
    let read = file::read(&path, false).unwrap();
    assert!(book.iter().eq(read.iter()));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let (empty, reason) = file::read(&path, false).unwrap_err();
    assert!(empty.is_empty() && reason.contains("peers.damaged"), "{reason}");
    assert!(!path.exists() && dir.path().join("peers.damaged").exists());
}

#[test]
fn a_file_from_another_network_brings_no_private_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("peers.json");
    let mut lan = Book::new(true);
    lan.add(peer(1), "/ip4/192.168.1.1/tcp/1".parse().unwrap());
    file::write(&lan, &path).unwrap();
    let read = file::read(&path, false).unwrap();
    assert!(dialled(&read, u64::MAX).is_empty());
}

proptest! {
    #[test]
    fn any_history_keeps_the_bounds(events in prop::collection::vec((0_u8..20, 0_u8..5, 0_u64..100), 0..200)) {
        let mut book = Book::new(false);
        let mut now = 0;
        for (tag, kind, amount) in events {
            now += amount;
            let peer = peer(tag);
            match kind {
                0 | 1 => { book.add(peer, address(u16::try_from(amount).unwrap() + 1)); }
                2 => book.connected(&peer, Some(&address(3)), now),
                3 => book.failed(&peer, now),
                _ => book.ban(peer, now + amount),
            }
            for (peer, entry) in book.iter() {
                prop_assert!(entry.addresses.len() <= MAX_ADDRESSES);
                prop_assert!(entry.dial_after <= now + LONGEST_PAUSE_SECONDS);
                prop_assert_eq!(book.is_banned(peer, now), book.banned(now).any(|found| found == peer));
            }
            for (peer, addresses) in book.to_dial(5, now, |_| false) {
                prop_assert!(!book.is_banned(&peer, now) && !addresses.is_empty());
            }
        }
    }
}

#[test]
fn of_relayed_addresses_those_that_the_peer_still_names_are_kept() {
    let mut book = Book::new(false);
    let circuit = |port: u16| -> Multiaddr {
        let (relay, own) = (peer(9), peer(1));
        format!("/ip4/9.9.9.9/tcp/{port}/p2p/{relay}/p2p-circuit/p2p/{own}").parse().unwrap()
    };
    book.announced(peer(1), &[address(1), circuit(1)]);
    // It moves from relay to relay, more often than there are places in the book.
    for port in 2..20 {
        book.announced(peer(1), &[circuit(port)]);
    }
    let known = &book.get(&peer(1)).unwrap().addresses;
    assert_eq!(*known, [address(1), without_peer(&circuit(19))], "a direct address may work again");
    // Hearsay takes nothing away.
    book.add(peer(1), circuit(1));
    assert_eq!(book.get(&peer(1)).unwrap().addresses.len(), 3);
}
