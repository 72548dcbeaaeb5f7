//! When a daemon was last heard of, by which way, and what is wrong: from which follows the state that people see.

use std::time::Duration;

use model::upstream::UpstreamState;
use tokio::time::Instant;

/// How long each kind of data counts as current.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StalenessThresholds {
    /// A message of the socket.
    pub message: Duration,
    /// An answer to a poll.
    pub poll: Duration,
}

/// What is known of the contact with one daemon.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    socket_is_open: bool,
    last_message: Option<Instant>,
    last_poll: Option<Instant>,
    /// The last that failed reached the daemon all the same.
    is_reached: bool,
    has_failed: bool,
    wants_all: bool,
    sends_events: bool,
    issues: Issues,
}

/// What is wrong, by what it is wrong with, in words for a person.
#[derive(Debug, Default)]
struct Issues {
    feed: Option<String>,
    poll: Option<String>,
    scrape: Option<String>,
}

impl Liveness {
    /// The socket is open; data need not come yet. What was missed must be asked for.
    pub(crate) fn opened(&mut self) {
        self.socket_is_open = true;
        self.is_reached = true;
        self.wants_all = true;
    }

    /// The socket ended, or could not be opened.
    pub(crate) fn closed(&mut self, trouble: String, is_reached: bool) {
        self.socket_is_open = false;
        self.is_reached = is_reached;
        self.has_failed = true;
        self.issues.feed = Some(trouble);
    }

    /// A message with data came over the socket.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_message = Some(now);
        self.issues.feed = None;
        self.issues.poll = None;
    }

    /// It sends the documented events: whether detection was right about it is settled.
    pub(crate) fn set_sends_events(&mut self, sends_events: bool) {
        self.sends_events = sends_events;
    }

    /// Whether it tells what happens rather than, each second, all there is.
    pub(crate) fn sends_events(&self) -> bool {
        self.sends_events
    }

    /// A poll told all jobs.
    pub(crate) fn polled(&mut self, now: Instant) {
        self.last_poll = Some(now);
        self.issues.poll = None;
    }

    /// A poll failed while it was needed.
    pub(crate) fn poll_failed(&mut self, trouble: String, is_reached: bool) {
        self.is_reached |= is_reached;
        self.has_failed = true;
        self.issues.poll = Some(trouble);
    }

    /// Something is wrong with the feed, though it may go on.
    pub(crate) fn set_feed_trouble(&mut self, trouble: String) {
        self.issues.feed = Some(trouble);
    }

    /// A scrape ended, well or not.
    pub(crate) fn set_scrape_trouble(&mut self, trouble: Option<String>) {
        self.issues.scrape = trouble;
    }

    /// What to show of all that is wrong: the feed or, if it is well, the polls, which suffer from the same; and the scrapes.
    pub(crate) fn issues(&self) -> Option<String> {
        let Issues { feed, poll, scrape } = &self.issues;
        let told: Vec<&str> =
            [feed.as_ref().or(poll.as_ref()), scrape.as_ref()].into_iter().flatten().map(String::as_str).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Whether all jobs should be asked for now; says so once.
    pub(crate) fn take_wants_all(&mut self) -> bool {
        std::mem::take(&mut self.wants_all)
    }

    /// When the last message with data came.
    pub(crate) fn last_message(&self) -> Option<Instant> {
        self.last_message
    }

    /// True while messages come over the socket.
    pub(crate) fn feed_is_fresh(&self, now: Instant, thresholds: StalenessThresholds) -> bool {
        self.socket_is_open && is_within(self.last_message, now, thresholds.message)
    }

    /// The state that follows, after the one `before`. `has_data` tells whether there ever was any.
    pub(crate) fn state(
        &self,
        before: UpstreamState,
        has_data: bool,
        now: Instant,
        thresholds: StalenessThresholds,
    ) -> UpstreamState {
        let is_polling = self.last_poll > self.last_message && is_within(self.last_poll, now, thresholds.poll);
        if self.feed_is_fresh(now, thresholds) {
            UpstreamState::Live
        } else if is_polling {
            UpstreamState::Polling
        } else if is_within(self.last_message, now, thresholds.message) {
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

    const PATIENCE: StalenessThresholds =
        StalenessThresholds { message: Duration::from_secs(5), poll: Duration::from_secs(9) };

    #[test]
    fn states_follow_from_what_was_heard_and_when() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut liveness = Liveness::default();
        assert_eq!(liveness.state(Connecting, false, start, PATIENCE), Connecting);
        liveness.opened();
        assert_eq!(liveness.state(Connecting, false, start, PATIENCE), Connecting, "open, but nothing came");
        liveness.heard(start);
        assert_eq!(liveness.state(Connecting, true, after(1), PATIENCE), Live);
        assert_eq!(liveness.state(Live, true, after(6), PATIENCE), Stale, "open, but silent");
        liveness.polled(after(7));
        assert_eq!(liveness.state(Stale, true, after(8), PATIENCE), Polling);
        liveness.heard(after(9));
        liveness.closed("broke".to_owned(), true);
        assert_eq!(liveness.state(Live, true, after(10), PATIENCE), Live, "it has just closed");
        assert_eq!(liveness.state(Live, true, after(15), PATIENCE), Stale, "it answers, with errors");
        liveness.closed("refused".to_owned(), false);
        assert_eq!(liveness.state(Stale, true, after(16), PATIENCE), Down);
        assert_eq!(liveness.issues().as_deref(), Some("refused"));
    }

    #[test]
    fn each_trouble_ends_by_itself() {
        let mut liveness = Liveness::default();
        liveness.set_scrape_trouble(Some("page".to_owned()));
        liveness.poll_failed("poll".to_owned(), true);
        liveness.set_feed_trouble("feed".to_owned());
        assert_eq!(liveness.issues().as_deref(), Some("feed; page"), "one does not hide the other");
        liveness.heard(Instant::now());
        assert_eq!(liveness.issues().as_deref(), Some("page"));
        liveness.set_scrape_trouble(None);
        assert_eq!(liveness.issues(), None);
        assert!(!liveness.take_wants_all());
        liveness.opened();
        assert!(liveness.take_wants_all() && !liveness.take_wants_all());
    }
}
