//! Room for messages: who waits, who does not, and that all of it comes back.

use std::pin::Pin;

use futures::FutureExt as _;
use futures::future::poll_fn;
use http_body::{Body as _, Frame};
use tonic::codegen::Bytes;

use super::*;

/// The beginning of a body; the rest never comes.
struct Begun(Option<Bytes>);

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

/// A gate with room for so many units, in front of messages of at most as many.
fn intake(units: usize, deadline: Duration) -> Intake {
    let rule = Rule { most: units * UNIT, limit: "the limit", whole: true };
    Intake::new(deadline, units * UNIT, move |_| rule, Refusal::status)
}

/// A request whose first message says that it has `length` bytes, of which ten come.
fn reading(intake: &Intake, length: usize) -> Reading {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.extend([7; 10]);
    let rule = (intake.0.rules)("");
    Reading::new(Body::new(Begun(Some(bytes.into()))), rule, share(1 << 30), Arc::clone(&intake.0))
}

fn piece(reading: &mut Reading) -> Option<Result<usize, Status>> {
    let polled = poll_fn(|context| Pin::new(&mut *reading).poll_frame(context)).now_or_never()?;
    Some(polled.unwrap().map(|frame| frame.data_ref().unwrap().len()))
}

#[tokio::test]
async fn small_messages_pass_while_large_ones_fill_all_room() {
    let intake = intake(64, Duration::from_secs(3_600));
    let mut first = reading(&intake, 64 * UNIT);
    assert_eq!(piece(&mut first).unwrap().unwrap(), 15);
    assert!(piece(&mut first).is_none(), "more of it may come");
    let mut second = reading(&intake, 5 * UNIT);
    assert!(piece(&mut second).is_none(), "there is no room");
    let mut small = reading(&intake, FREE_BYTES);
    assert_eq!(piece(&mut small).unwrap().unwrap(), 15);
    drop(first);
    assert_eq!(piece(&mut second).unwrap().unwrap(), 15, "the room is that of the one that went away");
    drop((second, small));
    assert_eq!(intake.0.unread.available_permits(), 64);
    let status = piece(&mut reading(&intake, 64 * UNIT + 1)).unwrap().unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status}");
    assert_eq!(intake.0.unread.available_permits(), 64);
}

#[tokio::test]
async fn a_message_that_waits_for_room_is_ended_in_time_too() {
    let intake = intake(8, Duration::from_millis(1));
    let mut first = reading(&intake, 8 * UNIT);
    assert_eq!(piece(&mut first).unwrap().unwrap(), 15, "what has come is never late");
    let mut second = reading(&intake, 8 * UNIT);
    let ended = poll_fn(|context| Pin::new(&mut second).poll_frame(context)).await;
    assert_eq!(ended.unwrap().unwrap_err().code(), tonic::Code::DeadlineExceeded);
    assert!(poll_fn(|context| Pin::new(&mut second).poll_frame(context)).await.is_none(), "and is over");
    drop((first, second));
    assert_eq!(intake.0.unread.available_permits(), 8);
}

#[tokio::test]
async fn large_messages_wait_within_their_address_and_all_room_comes_back() {
    let unread = Arc::new(Semaphore::new(units(10 * UNIT) as usize));
    let (one, other) = (share(8 * UNIT), share(8 * UNIT));
    let ask = |share: &Share, bytes| claim(Arc::clone(share), Arc::clone(&unread), bytes);
    let first = ask(&one, 6 * UNIT).await.unwrap();
    let mut second = Box::pin(ask(&one, 3 * UNIT));
    assert!((&mut second).now_or_never().is_none(), "its address has no more");
    let third = ask(&other, 4 * UNIT).now_or_never().flatten().expect("another address does not wait for it");
    assert_eq!(unread.available_permits(), 0);
    drop(first);
    let second = second.await.unwrap();
    drop((second, third));
    assert_eq!(unread.available_permits(), 10);
    assert_eq!(one.available_permits(), 8);
}

#[test]
fn the_largest_message_always_fits_a_share() {
    assert_eq!(share_of(64 << 20, 5 << 20), 8 << 20);
    assert_eq!(share_of(8 << 20, 5 << 20), 5 << 20);
    assert_eq!(units(1), 1);
}
