//! Tracks when and how data of a daemon last arrived, and what is wrong. The displayed state follows from it. Times are
//! those of a monotonic clock.

use std::time::Duration;

use model::upstream::UpstreamState;

/// How long each kind of data counts as fresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StalenessThresholds {
    /// A message of the socket.
    pub message: Duration,
    /// A response to a poll.
    pub poll: Duration,
}

/// The state of the connection to one daemon.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    socket_is_open: bool,
    last_message: Option<Duration>,
    last_poll: Option<Duration>,
    /// Whether the last failed attempt reached the daemon.
    is_reached: bool,
    has_failed: bool,
    wants_all: bool,
    sends_events: bool,
    issues: Issues,
}

/// Current problems by their source, as text.
#[derive(Debug, Default)]
struct Issues {
    feed: Option<String>,
    poll: Option<String>,
    scrape: Option<String>,
}

impl Liveness {
    /// The socket is open; there may be no data yet. Missed changes must be requested.
    pub(crate) fn opened(&mut self) {
        self.socket_is_open = true;
        self.is_reached = true;
        self.wants_all = true;
    }

    /// The socket was closed, or could not be opened.
    pub(crate) fn closed(&mut self, trouble: String, is_reached: bool) {
        self.socket_is_open = false;
        self.is_reached = is_reached;
        self.has_failed = true;
        self.issues.feed = Some(trouble);
    }

    /// A message with data arrived over the socket.
    pub(crate) fn heard(&mut self, at: Duration) {
        self.last_message = Some(at);
        self.issues.feed = None;
        self.issues.poll = None;
    }

    /// Sets whether the daemon sends the documented events, which settles its dialect.
    pub(crate) fn set_sends_events(&mut self, sends_events: bool) {
        self.sends_events = sends_events;
    }

    /// Whether it sends events rather than its whole state each second.
    pub(crate) fn sends_events(&self) -> bool {
        self.sends_events
    }

    /// A poll returned all jobs.
    pub(crate) fn polled(&mut self, at: Duration) {
        self.last_poll = Some(at);
        self.issues.poll = None;
    }

    /// A poll failed that was needed.
    pub(crate) fn poll_failed(&mut self, trouble: String, is_reached: bool) {
        self.is_reached |= is_reached;
        self.has_failed = true;
        self.issues.poll = Some(trouble);
    }

    /// Records a problem of the feed, which may go on nevertheless.
    pub(crate) fn set_feed_trouble(&mut self, trouble: String) {
        self.issues.feed = Some(trouble);
    }

    /// Records the result of a scrape.
    pub(crate) fn set_scrape_trouble(&mut self, trouble: Option<String>) {
        self.issues.scrape = trouble;
    }

    /// The problems to display: of the feed, or otherwise of the polls, which usually have the same cause; and of the
    /// scrapes.
    pub(crate) fn issues(&self) -> Option<String> {
        let Issues { feed, poll, scrape } = &self.issues;
        let shown: Vec<&str> =
            [feed.as_ref().or(poll.as_ref()), scrape.as_ref()].into_iter().flatten().map(String::as_str).collect();
        (!shown.is_empty()).then(|| shown.join("; "))
    }

    /// Whether the socket is open.
    pub(crate) fn socket_is_open(&self) -> bool {
        self.socket_is_open
    }

    /// Whether to request all jobs now; true once per request.
    pub(crate) fn take_wants_all(&mut self) -> bool {
        std::mem::take(&mut self.wants_all)
    }

    /// Time of the last message with data.
    pub(crate) fn last_message(&self) -> Option<Duration> {
        self.last_message
    }

    /// Whether messages arrive over the socket.
    pub(crate) fn feed_is_fresh(&self, at: Duration, thresholds: StalenessThresholds) -> bool {
        self.socket_is_open && is_within(self.last_message, at, thresholds.message)
    }

    /// The state that follows from `before`. `has_data` says whether there ever was any data.
    pub(crate) fn state(
        &self,
        before: UpstreamState,
        has_data: bool,
        at: Duration,
        thresholds: StalenessThresholds,
    ) -> UpstreamState {
        let is_polling = self.last_poll > self.last_message && is_within(self.last_poll, at, thresholds.poll);
        if self.feed_is_fresh(at, thresholds) {
            UpstreamState::Live
        } else if is_polling {
            UpstreamState::Polling
        } else if is_within(self.last_message, at, thresholds.message) {
            // The socket has just closed; the displayed data is still good.
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

fn is_within(then: Option<Duration>, at: Duration, limit: Duration) -> bool {
    then.is_some_and(|then| at.saturating_sub(then) < limit)
}

#[cfg(test)]
mod tests {
    use UpstreamState::{Connecting, Down, Live, Polling, Stale};

    use super::*;

    const PATIENCE: StalenessThresholds =
        StalenessThresholds { message: Duration::from_secs(5), poll: Duration::from_secs(9) };

    #[test]
    fn states_follow_from_what_was_heard_and_when() {
        let after = Duration::from_secs;
        let mut liveness = Liveness::default();
        assert_eq!(liveness.state(Connecting, false, after(0), PATIENCE), Connecting);
        liveness.opened();
        assert_eq!(liveness.state(Connecting, false, after(0), PATIENCE), Connecting, "open, but nothing came");
        liveness.heard(after(0));
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
        liveness.heard(Duration::ZERO);
        assert_eq!(liveness.issues().as_deref(), Some("page"));
        liveness.set_scrape_trouble(None);
        assert_eq!(liveness.issues(), None);
        assert!(!liveness.take_wants_all());
        liveness.opened();
        assert!(liveness.take_wants_all() && !liveness.take_wants_all());
    }
}
