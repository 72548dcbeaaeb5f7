//! A circuit breaker: after some consecutive failures of an engine, requests are paused for a while; then one trial
//! request is sent.

/// Settings of a [`Breaker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOptions {
    /// Number of consecutive failures after which it opens.
    pub failures: u32,
    /// How long it stays open the first time; each failed trial doubles it.
    pub hold_ms: i64,
    /// Maximum time that it stays open.
    pub max_hold_ms: i64,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        BreakerOptions { failures: 5, hold_ms: 1_000, max_hold_ms: 15_000 }
    }
}

/// Decides whether requests are sent. Times are milliseconds of any monotonic clock.
#[derive(Debug)]
pub struct Breaker {
    options: BreakerOptions,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Requests are sent.
    Closed { failures: u32 },
    /// No requests are sent before `until_ms`.
    Open { until_ms: i64, holds: u32 },
    /// A trial request is in flight; its result decides.
    Trying { holds: u32 },
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(options: BreakerOptions) -> Self {
        Breaker { options, state: State::Closed { failures: 0 } }
    }

    /// Whether a request may be sent now. If true, the caller must call [`Breaker::succeeded`], [`Breaker::failed`] or
    /// [`Breaker::abandoned`] afterwards.
    pub fn admits(&mut self, now_ms: i64) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until_ms, holds } if now_ms >= until_ms => {
                self.state = State::Trying { holds };
                true
            }
            State::Open { .. } | State::Trying { .. } => false,
        }
    }

    /// Records a response.
    pub fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// Records a failure. `jitter` from 0 to 1 spreads the trials of many servers.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few seconds in milliseconds")]
    pub fn failed(&mut self, now_ms: i64, jitter: f64) {
        let holds = match self.state {
            State::Closed { failures } if failures + 1 < self.options.failures => {
                self.state = State::Closed { failures: failures + 1 };
                return;
            }
            State::Closed { .. } => 0,
            State::Trying { holds } => holds.saturating_add(1),
            // A request that was in flight when it opened.
            State::Open { .. } => return,
        };
        let doubled = self.options.hold_ms.saturating_mul(1_i64 << holds.min(20));
        let hold_ms = doubled.min(self.options.max_hold_ms);
        let spread_ms = (hold_ms as f64 * 0.25 * jitter.clamp(0.0, 1.0)) as i64;
        self.state = State::Open { until_ms: now_ms.saturating_add(hold_ms).saturating_add(spread_ms), holds };
    }

    /// Records that an admitted request ended without a result, because its caller left.
    pub fn abandoned(&mut self, now_ms: i64) {
        if let State::Trying { holds } = self.state {
            self.state = State::Open { until_ms: now_ms, holds };
        }
    }

    /// Whether requests are currently rejected.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions { failures: 3, hold_ms: 100, max_hold_ms: 300 })
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_try() {
        let mut breaker = breaker();
        breaker.failed(0, 0.0);
        breaker.failed(0, 0.0);
        breaker.succeeded();
        breaker.failed(0, 0.0);
        breaker.failed(0, 0.0);
        assert!(breaker.admits(0));
        breaker.failed(0, 0.0);
        assert!(breaker.is_open() && !breaker.admits(99));
        assert!(breaker.admits(100));
        assert!(!breaker.admits(100), "only one tries");
        breaker.succeeded();
        assert!(breaker.admits(100) && breaker.admits(100));
    }

    #[test]
    fn each_failed_trial_waits_longer_up_to_a_limit() {
        let mut breaker = breaker();
        for _ in 0..3 {
            breaker.failed(0, 0.0);
        }
        let mut now_ms = 0;
        for hold_ms in [100, 200, 300, 300] {
            assert!(!breaker.admits(now_ms + hold_ms - 1));
            now_ms += hold_ms;
            assert!(breaker.admits(now_ms));
            // Late failures of older requests do not extend it.
            breaker.failed(now_ms, 0.0);
            breaker.failed(now_ms, 1.0);
        }
    }

    #[test]
    fn a_trial_that_was_lost_is_made_again() {
        let mut breaker = breaker();
        for _ in 0..3 {
            breaker.failed(0, 1.0);
        }
        assert!(!breaker.admits(124) && breaker.admits(125) && !breaker.admits(1_000));
        breaker.abandoned(1_000);
        assert!(breaker.admits(1_000) && !breaker.admits(1_000));
    }
}
