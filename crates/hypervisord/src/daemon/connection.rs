//! The socket of a daemon: what to detect before it is opened, and what its end means.

use std::time::Duration;

use super::Daemon;
use crate::{
    clock::Now,
    detect::{Detection, Dialect, Profile},
};

/// After a session of at least this length, the delay before the next attempt starts at its minimum again.
pub const GOOD_SESSION: Duration = Duration::from_secs(10);
/// How long the detected profile of a daemon is valid before its socket is opened.
const PROFILE_LASTS: Duration = Duration::from_secs(60);
/// A socket that is silent for this many times the stale threshold is closed.
const SILENCE_FACTOR: u32 = 3;

impl Daemon {
    /// The detection that is due before the socket is opened. Pass its result to [`Daemon::recognised`], or its error to
    /// [`Daemon::socket_failed`].
    #[must_use]
    pub fn detection(&self, now: Now) -> Option<Detection> {
        let is_valid = self.recognised_at.is_some_and(|then| now.at.saturating_sub(then) <= PROFILE_LASTS);
        (!is_valid).then(|| Detection::new(self.options.page_bytes))
    }

    /// The kind of daemon was detected before the socket is opened.
    pub fn recognised(&mut self, profile: Profile, now: Now) {
        self.recognised_at = Some(now.at);
        self.probed(profile, now);
    }

    /// The daemon was probed for metrics again.
    pub fn probed(&mut self, profile: Profile, now: Now) {
        let is_documented = profile.dialect == Dialect::Documented;
        self.knowledge.jobs.set_cancelled_is_final(is_documented);
        self.liveness.set_sends_events(is_documented);
        self.update_status(now.ms, |status| status.detail = Some(profile.detail()));
        self.profile = Some(profile);
    }

    /// Path of its WebSocket.
    #[must_use]
    pub fn socket_path(&self) -> String {
        format!("{}/ws", self.prefix())
    }

    /// The socket is open; there may be no data yet.
    pub fn socket_opened(&mut self, now: Now) {
        self.liveness.opened();
        self.effects.has_requests = true;
        if std::mem::replace(&mut self.was_open, true) {
            self.update_status(now.ms, |status| status.reconnects += 1);
        }
    }

    /// The socket was closed, or could not be opened, or the detection before it failed. `is_reached` says whether
    /// something responded.
    pub fn socket_failed(&mut self, error: &str, is_reached: bool, now: Now) {
        if !self.liveness.socket_is_open() {
            self.recognised_at = None;
        }
        self.liveness.closed(self.redactor.text(error).into_owned(), is_reached);
        self.effects.has_requests = true;
        self.refresh(now);
    }

    /// A message of the socket cannot be parsed; the connection continues.
    pub fn feed_failed(&mut self, error: &str, now: Now) {
        self.liveness.set_feed_trouble(self.redactor.text(error).into_owned());
        self.refresh(now);
    }

    /// After which time without data the socket has to be closed.
    #[must_use]
    pub fn longest_silence(&self) -> Duration {
        self.thresholds().message * SILENCE_FACTOR
    }

    /// When a socket that was opened at `opened` has to be closed unless data arrives; both by the monotonic clock.
    #[must_use]
    pub fn silent_at(&self, opened: Duration) -> Duration {
        self.liveness.last_message().map_or(opened, |last| last.max(opened)) + self.longest_silence()
    }
}
