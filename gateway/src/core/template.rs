//! The chat template of a byte model: plain text, as in a printed dialogue.
//!
//! ```text
//! System: You are terse.
//! User: Who are you?
//! Assistant:
//! ```
//! Each message is `Role: content` and a line feed; the prompt ends with `Assistant:` without one, and the answer ends
//! before `\nUser:`. The models are trained on running text, not on dialogues: they continue this text.

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions (`system`, `developer`).
    System,
    /// The person.
    User,
    /// The collective.
    Assistant,
}

impl Role {
    const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User => "User",
            Self::Assistant => "Assistant",
        }
    }
}

/// What ends an answer, besides the request's own stop strings.
pub const STOP: &str = "\nUser:";

/// The prompt for a conversation.
#[must_use]
pub fn render(messages: &[(Role, String)]) -> String {
    let lines = messages.iter().map(|(role, content)| format!("{}: {content}\n", role.label()));
    lines.chain([format!("{}:", Role::Assistant.label())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialogue_is_plain_text() {
        let messages = [(Role::System, "Be terse.".to_owned()), (Role::User, "Hi".to_owned())];
        assert_eq!(render(&messages), "System: Be terse.\nUser: Hi\nAssistant:");
    }
}
