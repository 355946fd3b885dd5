//! How much of a document a model with a bounded window looks back on.
//!
//! A document begins with one token that callers do not send. Its window grows until it is full; the token after that
//! makes the model forget all but the last half, and it grows again. What is held depends only on how many tokens there
//! were, so opening a document at some length and stepping to that length give the same prediction.

/// Tokens in the window after `total` tokens (the begin token included) have been seen.
pub(crate) fn held(total: usize, context: usize) -> usize {
    if total <= context {
        return total;
    }
    let half = half(context);
    let period = context - half + 1;
    half + (total - context - 1) % period
}

/// What a full window keeps, the newest token included.
fn half(context: usize) -> usize {
    (context / 2).max(1)
}

/// A stretch of a document that one forward pass can score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Index of its first input.
    pub(crate) start: usize,
    /// One past its last input.
    pub(crate) end: usize,
    /// The first input whose prediction counts; those before it were scored by the stretch before.
    pub(crate) scored: usize,
}

/// Cuts `inputs` tokens into stretches whose predictions are exactly those of a session that steps through them.
pub(crate) fn stretches(inputs: usize, context: usize) -> Vec<Stretch> {
    let mut all = Vec::new();
    let mut scored = 0;
    while scored < inputs {
        let start = scored + 1 - held(scored + 1, context);
        let end = (start + context).min(inputs);
        all.push(Stretch { start, end, scored });
        scored = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_what_stepping_holds() {
        for context in 2..12 {
            for inputs in 0..60 {
                let mut next = 0;
                for stretch in stretches(inputs, context) {
                    assert_eq!(stretch.scored, next, "each input is scored once, in order");
                    assert!(stretch.end - stretch.start <= context);
                    for input in stretch.scored..stretch.end {
                        assert_eq!(held(input + 1, context), input + 1 - stretch.start);
                    }
                    next = stretch.end;
                }
                assert_eq!(next, inputs);
            }
        }
    }

    #[test]
    fn a_full_window_keeps_its_last_half() {
        let sizes: Vec<usize> = (1..=15).map(|total| held(total, 6)).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 5, 6, 3, 4, 5, 6, 3, 4, 5, 6, 3]);
    }
}
