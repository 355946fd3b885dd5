//! The client's deadline, as gRPC sends it: `grpc-timeout`, up to eight digits and a unit.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

/// Metadata key of the time that the client is going to wait.
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Most digits of the number.
const MAX_DIGITS: usize = 8;

/// The transport ends a call exactly at its deadline, with no reason; we end it so much earlier, and say why.
const MARGIN: Duration = Duration::from_millis(5);

/// When the client stops waiting; none if it did not say, or not in a way that gRPC knows.
pub(crate) fn of(metadata: &MetadataMap, now: Instant) -> Option<Instant> {
    let timeout = parse(metadata.get(GRPC_TIMEOUT)?.to_str().ok()?)?;
    now.checked_add(timeout.saturating_sub(MARGIN.min(timeout / 10)))
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(count * 3_600)),
        'M' => Some(Duration::from_secs(count * 60)),
        'S' => Some(Duration::from_secs(count)),
        'm' => Some(Duration::from_millis(count)),
        'u' => Some(Duration::from_micros(count)),
        'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_grpc() {
        for (text, expected) in [
            ("2H", Duration::from_secs(7_200)),
            ("3M", Duration::from_secs(180)),
            ("4S", Duration::from_secs(4)),
            ("5m", Duration::from_millis(5)),
            ("6u", Duration::from_micros(6)),
            ("99999999n", Duration::from_nanos(99_999_999)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "S", "1", "1s", "-1S", "123456789S", "1 S", "1é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_answer_comes_before_the_transport_gives_up() {
        let mut metadata = MetadataMap::new();
        let now = Instant::now();
        assert_eq!(of(&metadata, now), None);
        metadata.insert(GRPC_TIMEOUT, "1S".parse().unwrap());
        assert_eq!(of(&metadata, now), Some(now + Duration::from_secs(1) - MARGIN));
    }
}
