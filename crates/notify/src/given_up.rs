//! Messages that were given up. The alert page reports them for an hour, because otherwise silence would look like
//! health.

use std::collections::{BTreeSet, VecDeque};

/// How long a message is reported.
const SHOWN_MS: i64 = 3_600_000;
/// Maximum number of messages to count.
const MAX_KNOWN: usize = 1_000;
/// Maximum number of receivers to name.
const MAX_NAMED: usize = 5;
/// Maximum length of a stored reason, in characters.
const REASON: usize = 300;

/// Recently given up messages, oldest first.
#[derive(Debug, Default)]
pub(crate) struct GivenUpMessages(VecDeque<Message>);

#[derive(Debug)]
struct Message {
    at_ms: i64,
    receiver: String,
    reason: String,
}

impl GivenUpMessages {
    /// Records a message to a receiver that was given up, with the reason.
    pub(crate) fn add(&mut self, receiver: String, reason: &str, at_ms: i64) {
        if self.0.len() >= MAX_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back(Message { at_ms, receiver, reason: reason.chars().take(REASON).collect() });
    }

    /// The text for the alert page, if any message was given up in the last hour.
    pub(crate) fn summary(&mut self, now_ms: i64) -> Option<String> {
        self.0.retain(|message| message.at_ms.saturating_add(SHOWN_MS) > now_ms);
        let last = self.0.back()?;
        let receivers: BTreeSet<&str> = self.0.iter().map(|message| message.receiver.as_str()).collect();
        let named: Vec<&str> = receivers.iter().copied().take(MAX_NAMED).collect();
        let others = match receivers.len().saturating_sub(named.len()) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let messages = match self.0.len() {
            1 => "1 message was".to_owned(),
            MAX_KNOWN => format!("{MAX_KNOWN} messages or more were"),
            count => format!("{count} messages were"),
        };
        let to = if receivers.len() > 1 { format!(", to {}", last.receiver) } else { String::new() };
        Some(format!(
            "{messages} given up in the last hour, to {}{others}. The last one{to}: {}",
            named.join(", "),
            last.reason
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_were_given_up_are_named_for_an_hour() {
        let mut messages = GivenUpMessages::default();
        assert_eq!(messages.summary(0), None);
        messages.add("ops".to_owned(), "HTTP 401", 0);
        let one = "1 message was given up in the last hour, to ops. The last one: HTTP 401";
        assert_eq!(messages.summary(1).as_deref(), Some(one));
        messages.add("team".to_owned(), "HTTP 404", 2);
        let two = "2 messages were given up in the last hour, to ops, team. The last one, to team: HTTP 404";
        assert_eq!(messages.summary(3).as_deref(), Some(two));
        for number in 0..2 * MAX_KNOWN {
            messages.add(format!("r{number}"), "HTTP 500", 4);
        }
        let many = messages.summary(5).unwrap();
        assert!(many.starts_with("1000 messages or more were given up") && many.contains("and 995 more"), "{many}");
        assert_eq!(messages.summary(4 + SHOWN_MS), None);
    }
}
