//! When a daemon was last heard of, by which way, and what is wrong: from which follows the state that people see.

use std::time::Duration;

use model::upstream::UpstreamState;
use tokio::time::Instant;

/// How long each kind of data counts as current.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A message of the socket.
    pub(super) message: Duration,
    /// An answer to a poll.
    pub(super) poll: Duration,
}

/// The contact with one daemon.
#[derive(Debug, Default)]
pub(super) struct Contact {
    socket_is_open: bool,
    last_message: Option<Instant>,
    last_poll: Option<Instant>,
    /// The last that failed reached the daemon all the same.
    is_reached: bool,
    has_failed: bool,
    wants_all: bool,
    sends_events: bool,
    troubles: Troubles,
}

/// What is wrong, by what it is wrong with, in words for a person.
#[derive(Debug, Default)]
struct Troubles {
    feed: Option<String>,
    poll: Option<String>,
    scrape: Option<String>,
}

impl Contact {
    /// The socket is open; data need not come yet. What was missed must be asked for.
    pub(super) fn opened(&mut self) {
        self.socket_is_open = true;
        self.is_reached = true;
        self.wants_all = true;
    }

    /// The socket ended, or could not be opened.
    pub(super) fn closed(&mut self, trouble: String, is_reached: bool) {
        self.socket_is_open = false;
        self.is_reached = is_reached;
        self.has_failed = true;
        self.troubles.feed = Some(trouble);
    }

    /// A message with data came over the socket.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_message = Some(now);
        self.troubles.feed = None;
        self.troubles.poll = None;
    }

    /// It sends the documented events: whether the probe was right about it is settled.
    pub(super) fn set_sends_events(&mut self, sends_events: bool) {
        self.sends_events = sends_events;
    }

    /// Whether it tells what happens rather than, each second, all there is.
    pub(super) fn sends_events(&self) -> bool {
        self.sends_events
    }

    /// A poll told all jobs.
    pub(super) fn polled(&mut self, now: Instant) {
        self.last_poll = Some(now);
        self.troubles.poll = None;
    }

    /// A poll failed while it was needed.
    pub(super) fn poll_failed(&mut self, trouble: String, is_reached: bool) {
        self.is_reached |= is_reached;
        self.has_failed = true;
        self.troubles.poll = Some(trouble);
    }

    /// Something is wrong with the feed, though it may go on.
    pub(super) fn set_feed_trouble(&mut self, trouble: String) {
        self.troubles.feed = Some(trouble);
    }

    /// A scrape ended, well or not.
    pub(super) fn set_scrape_trouble(&mut self, trouble: Option<String>) {
        self.troubles.scrape = trouble;
    }

    /// What to show of all that is wrong: the feed or, if it is well, the polls, which suffer from the same; and the scrapes.
    pub(super) fn troubles(&self) -> Option<String> {
        let Troubles { feed, poll, scrape } = &self.troubles;
        let told: Vec<&str> =
            [feed.as_ref().or(poll.as_ref()), scrape.as_ref()].into_iter().flatten().map(String::as_str).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Whether all jobs should be asked for now; says so once.
    pub(super) fn take_wants_all(&mut self) -> bool {
        std::mem::take(&mut self.wants_all)
    }

    /// When the last message with data came.
    pub(super) fn last_message(&self) -> Option<Instant> {
        self.last_message
    }

    /// True while messages come over the socket.
    pub(super) fn feed_is_fresh(&self, now: Instant, patience: Patience) -> bool {
        self.socket_is_open && is_within(self.last_message, now, patience.message)
    }

    /// The state that follows, after the one `before`. `has_data` tells whether there ever was any.
    pub(super) fn state(
        &self,
        before: UpstreamState,
        has_data: bool,
        now: Instant,
        patience: Patience,
    ) -> UpstreamState {
        let is_polling = self.last_poll > self.last_message && is_within(self.last_poll, now, patience.poll);
        if self.feed_is_fresh(now, patience) {
            UpstreamState::Live
        } else if is_polling {
            UpstreamState::Polling
        } else if is_within(self.last_message, now, patience.message) {
            // The socket has just closed; what is shown is as good as a moment ago.
            before
        } else if before == UpstreamState::Connecting && !self.has_failed {
            UpstreamState::Connecting
        } else if has_data && (self.is_reached || self.socket_is_open) {
            UpstreamState::Stale
        } else {
            UpstreamState::Down
        }
    }
}

fn is_within(at: Option<Instant>, now: Instant, limit: Duration) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < limit)
}

#[cfg(test)]
mod tests {
    use UpstreamState::{Connecting, Down, Live, Polling, Stale};

    use super::*;

    const PATIENCE: Patience = Patience { message: Duration::from_secs(5), poll: Duration::from_secs(9) };

    #[test]
    fn states_follow_from_what_was_heard_and_when() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut contact = Contact::default();
        assert_eq!(contact.state(Connecting, false, start, PATIENCE), Connecting);
        contact.opened();
        assert_eq!(contact.state(Connecting, false, start, PATIENCE), Connecting, "open, but nothing came");
        contact.heard(start);
        assert_eq!(contact.state(Connecting, true, after(1), PATIENCE), Live);
        assert_eq!(contact.state(Live, true, after(6), PATIENCE), Stale, "open, but silent");
        contact.polled(after(7));
        assert_eq!(contact.state(Stale, true, after(8), PATIENCE), Polling);
        contact.heard(after(9));
        contact.closed("broke".to_owned(), true);
        assert_eq!(contact.state(Live, true, after(10), PATIENCE), Live, "it has just closed");
        assert_eq!(contact.state(Live, true, after(15), PATIENCE), Stale, "it answers, with errors");
        contact.closed("refused".to_owned(), false);
        assert_eq!(contact.state(Stale, true, after(16), PATIENCE), Down);
        assert_eq!(contact.troubles().as_deref(), Some("refused"));
    }

    #[test]
    fn each_trouble_ends_by_itself() {
        let mut contact = Contact::default();
        contact.set_scrape_trouble(Some("page".to_owned()));
        contact.poll_failed("poll".to_owned(), true);
        contact.set_feed_trouble("feed".to_owned());
        assert_eq!(contact.troubles().as_deref(), Some("feed; page"), "one does not hide the other");
        contact.heard(Instant::now());
        assert_eq!(contact.troubles().as_deref(), Some("page"));
        contact.set_scrape_trouble(None);
        assert_eq!(contact.troubles(), None);
        assert!(!contact.take_wants_all());
        contact.opened();
        assert!(contact.take_wants_all() && !contact.take_wants_all());
    }
}
