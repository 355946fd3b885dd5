//! The part of each open document that its model still looks at.

use crate::Token;
use crate::window::held;

/// The windows of a session's documents.
#[derive(Debug)]
pub(crate) struct Documents {
    context: usize,
    windows: Vec<Window>,
}

#[derive(Debug)]
struct Window {
    /// Tokens seen, the begin token included.
    total: usize,
    /// The last of them, as many as the window holds.
    tokens: Vec<Token>,
}

impl Documents {
    /// Opens documents; `begin` comes before each.
    pub(crate) fn open(begin: Token, context: usize, contexts: &[Vec<Token>]) -> Self {
        let windows = contexts
            .iter()
            .map(|given| {
                let total = given.len() + 1;
                let keep = held(total, context);
                let tokens = if keep == total {
                    std::iter::once(begin).chain(given.iter().copied()).collect()
                } else {
                    given[given.len() - keep..].to_vec()
                };
                Window { total, tokens }
            })
            .collect();
        Self { context, windows }
    }

    /// Appends a token to each; returns the indices of those that forgot their first half over it.
    pub(crate) fn push(&mut self, tokens: &[Token]) -> Vec<usize> {
        let mut forgot = Vec::new();
        for (index, (window, token)) in self.windows.iter_mut().zip(tokens).enumerate() {
            window.total += 1;
            window.tokens.push(*token);
            let keep = held(window.total, self.context);
            if keep < window.tokens.len() {
                window.tokens.drain(..window.tokens.len() - keep);
                forgot.push(index);
            }
        }
        forgot
    }

    /// Number of documents.
    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }

    /// What the model looks at in one document; never empty.
    pub(crate) fn window(&self, index: usize) -> &[Token] {
        &self.windows[index].tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_end_of_its_document() {
        let given: Vec<Token> = (1..=20).collect();
        let mut documents = Documents::open(0, 6, &[Vec::new(), given[..9].to_vec()]);
        assert_eq!(documents.window(0), [0]);
        assert_eq!(documents.window(1), [4, 5, 6, 7, 8, 9]);
        for next in &given {
            let full: Vec<usize> = (0..2).filter(|row| documents.window(*row).len() == 6).collect();
            assert_eq!(documents.push(&[*next, 9 + *next]), full, "a full window forgets");
            for (row, newest) in [(0, *next), (1, 9 + *next)] {
                let window = documents.window(row);
                assert_eq!(window.last(), Some(&newest));
                assert!(window.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{window:?}");
            }
        }
        assert_eq!(documents.len(), 2);
    }
}
