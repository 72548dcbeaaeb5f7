//! How far a daemon's clock is from ours, so that its times are shown and stored by ours.

use std::collections::VecDeque;

/// A difference up to this is delay and rounding, not another clock, in milliseconds: the daemon's times are taken as they are.
const TOLERANCE_MS: i64 = 2_000;
/// Messages that are looked back at. The one that was least late tells most.
const MESSAGES: usize = 60;

/// What the last messages of one daemon tell of its clock.
#[derive(Debug, Default)]
pub(super) struct Skew {
    /// How much earlier than they came the last messages say that they were made, in milliseconds.
    behind: VecDeque<i64>,
    /// What is added to the daemon's times, in milliseconds.
    used_ms: i64,
}

impl Skew {
    /// A message made at `daemon_ms` by the daemon's clock came at `now_ms` by ours. Gives what is to be added to the daemon's times.
    pub(super) fn observe(&mut self, now_ms: i64, daemon_ms: i64) -> i64 {
        if self.behind.len() >= MESSAGES {
            self.behind.pop_front();
        }
        self.behind.push_back(now_ms.saturating_sub(daemon_ms));
        let least = self.behind.iter().copied().min().unwrap_or(0);
        if least.saturating_abs() <= TOLERANCE_MS {
            self.used_ms = 0;
        } else if least.saturating_sub(self.used_ms).saturating_abs() > TOLERANCE_MS {
            // Kept while it is about right: times that are compared must be by one clock.
            self.used_ms = least;
        }
        self.used_ms
    }

    /// What is added to the daemon's times, in milliseconds.
    pub(super) fn used_ms(&self) -> i64 {
        self.used_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_is_no_skew_and_a_wrong_clock_is() {
        let mut skew = Skew::default();
        assert_eq!(skew.observe(10_000, 9_200), 0);
        assert_eq!(skew.observe(300_000, 44_000), 0, "one message that was held up for four minutes");

        let mut skew = Skew::default();
        assert_eq!(skew.observe(10_000_000, 0), 10_000_000, "hours behind");
        assert_eq!(skew.observe(10_001_000, 1_400), 10_000_000, "the same to within its delay");
        let ahead = |second: i64| second * 1_000 + 60_000;
        let mut used = 0;
        for second in 0..=i64::try_from(MESSAGES).unwrap() {
            used = skew.observe(second * 1_000, ahead(second));
        }
        assert_eq!(used, -60_000, "its clock was set");
    }
}
