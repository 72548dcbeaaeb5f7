//! Time as an argument.

use std::time::Duration;

/// The time of a call, by both clocks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall clock: milliseconds since the Unix epoch.
    pub ms: i64,
    /// Monotonic clock: time since a start that the caller chose once.
    pub at: Duration,
}

/// Something to do at an interval, when the caller happens to ask.
#[derive(Debug)]
pub(crate) struct Every {
    interval: Duration,
    last: Option<Duration>,
}

impl Every {
    /// Due at once, and then every `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Every { interval, last: None }
    }

    /// Whether it is due. `slack` is how much too early it may be, so that a caller with a ticker is not late by a whole
    /// tick.
    pub(crate) fn is_due(&mut self, at: Duration, slack: Duration) -> bool {
        let is_due = self.last.is_none_or(|last| at.saturating_sub(last) + slack >= self.interval);
        if is_due {
            self.last = Some(at);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticker_that_is_a_little_early_or_late_counts_as_in_time() {
        let mut every = Every::new(Duration::from_millis(300));
        let times = [0, 100, 205, 299, 410, 480, 605, 2_000, 2_100];
        let due = times.map(|ms| every.is_due(Duration::from_millis(ms), Duration::from_millis(50)));
        assert_eq!(due, [true, false, false, true, false, false, true, true, false]);
    }
}
