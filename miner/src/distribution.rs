//! A model's log-probabilities as they are sent: all of them, or the best k and the mass of the rest.

use std::cmp::Ordering;

use acumen_models::LogProbs;
use acumen_proto::inference::Distribution;
use acumen_proto::inference_v1 as wire;

use crate::engine::Row;

/// The message for a row of any kind.
pub(crate) fn of_row(row: Row, top_k: Option<u32>) -> wire::Distribution {
    match row {
        Row::Full(logprobs) => to_wire(logprobs, top_k),
        Row::Listed(listed) => cut(listed, top_k),
    }
}

/// A row as a log-probability per id; ids that are not listed take no part in anything.
pub(crate) fn dense(row: &Row, vocabulary: u32) -> LogProbs {
    match row {
        Row::Full(logprobs) => logprobs.clone(),
        Row::Listed(listed) => {
            let mut logprobs = vec![f32::NEG_INFINITY; vocabulary as usize];
            for (id, logprob) in listed.ids.iter().zip(&listed.logprobs) {
                if let Some(place) = logprobs.get_mut(*id as usize) {
                    *place = *logprob;
                }
            }
            logprobs
        }
    }
}

/// Moves what is beyond the best k into the tail.
fn cut(mut listed: wire::Distribution, top_k: Option<u32>) -> wire::Distribution {
    let wanted = top_k.map_or(usize::MAX, |k| usize::try_from(k).unwrap_or(usize::MAX));
    if wanted < listed.ids.len() && wanted > 0 {
        let rest: f64 = listed.logprobs[wanted..].iter().map(|logprob| f64::from(*logprob).exp()).sum();
        listed.ids.truncate(wanted);
        listed.logprobs.truncate(wanted);
        listed.tail = (f64::from(listed.tail) + rest).min(1.0) as f32;
    }
    listed
}

/// The message for `logprobs`. With `top_k`, ids come most probable first, equal ones in the order of their ids, so that
/// the same logits always give the same bytes.
fn to_wire(logprobs: Vec<f32>, top_k: Option<u32>) -> wire::Distribution {
    let wanted = top_k.map_or(logprobs.len(), |k| usize::try_from(k).unwrap_or(usize::MAX));
    if wanted == 0 || wanted >= logprobs.len() {
        return Distribution::full_to_wire(logprobs);
    }
    let mut ranked: Vec<(u32, f32)> = (0_u32..).zip(logprobs).collect();
    ranked.select_nth_unstable_by(wanted - 1, better_first);
    let rest = ranked.split_off(wanted);
    ranked.sort_unstable_by(better_first);
    // Summed in f64 from the small end would be exact to the last bit of f32 anyway: there are at most 2^32 terms.
    let tail: f64 = rest.iter().map(|(_, logprob)| f64::from(*logprob).exp()).sum();
    let (ids, logprobs) = ranked.into_iter().unzip();
    wire::Distribution { ids, logprobs, tail: tail.min(1.0) as f32 }
}

fn better_first(left: &(u32, f32), right: &(u32, f32)) -> Ordering {
    right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_the_rest_is_tail() {
        let logprobs: Vec<f32> = [0.125_f32, 0.25, 0.125, 0.5].iter().map(|p| p.ln()).collect();
        let sent = to_wire(logprobs.clone(), Some(3));
        assert_eq!(sent.ids, [3, 1, 0], "equal probabilities in the order of ids");
        assert!((sent.tail - 0.125).abs() < 1e-7);
        assert_eq!(sent.logprobs, [logprobs[3], logprobs[1], logprobs[0]]);
        for all in [None, Some(0), Some(4), Some(u32::MAX)] {
            assert_eq!(to_wire(logprobs.clone(), all), Distribution::full_to_wire(logprobs.clone()));
        }
    }

    #[test]
    fn certainty_has_no_tail_above_one() {
        let sent = to_wire(vec![f32::NEG_INFINITY, 0.0], Some(1));
        assert_eq!((sent.ids.as_slice(), sent.tail), ([1].as_slice(), 0.0));
    }

    #[test]
    fn a_shorter_list_has_a_larger_tail() {
        let listed =
            wire::Distribution { ids: vec![7, 2], logprobs: vec![0.5_f32.ln(), 0.25_f32.ln()], tail: 0.25 };
        let cut = of_row(Row::Listed(listed.clone()), Some(1));
        assert_eq!((cut.ids.as_slice(), cut.tail), ([7].as_slice(), 0.5));
        assert_eq!(of_row(Row::Listed(listed.clone()), None), listed);
        let dense = dense(&Row::Listed(listed), 8);
        assert_eq!((dense[2], dense[3]), (0.25_f32.ln(), f32::NEG_INFINITY));
    }
}
