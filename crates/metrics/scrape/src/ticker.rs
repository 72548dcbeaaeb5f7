//! When scrapes are due, by the wall clock.

use std::time::Duration;

/// A duration in whole milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Ticks at a fixed interval, the first one at once. Regular timestamps compress best in the store, so a tick has the
/// time at which it was due, not the time of waking. Missed ticks are skipped; after a jump of the clock they start
/// again.
#[derive(Debug)]
pub struct Ticker {
    interval: Duration,
    /// Time of the pending or last tick.
    due_ms: Option<i64>,
    is_waiting: bool,
}

impl Ticker {
    /// A ticker with this interval, which is at least a millisecond.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Ticker { interval: interval.max(Duration::from_millis(1)), due_ms: None, is_waiting: false }
    }

    /// Time of the pending tick, or of the next one if none is pending or the clock was set back. It stays pending until
    /// [`Ticker::done`].
    pub fn due(&mut self, now_ms: i64) -> i64 {
        let latest_ms = now_ms.saturating_add(millis(self.interval));
        let waited_for = self.due_ms.filter(|due_ms| self.is_waiting && *due_ms <= latest_ms);
        self.is_waiting = true;
        waited_for.unwrap_or_else(|| self.next(now_ms))
    }

    /// The pending tick has come.
    pub fn done(&mut self) {
        self.is_waiting = false;
    }

    fn next(&mut self, now_ms: i64) -> i64 {
        let interval_ms = millis(self.interval);
        let due_ms = match self.due_ms {
            None => now_ms,
            Some(last_ms) => {
                let due_ms = last_ms.saturating_add(interval_ms);
                let is_missed = due_ms < now_ms.saturating_sub(interval_ms);
                let is_far = due_ms > now_ms.saturating_add(interval_ms);
                if is_missed || is_far { now_ms } else { due_ms }
            }
        };
        self.due_ms = Some(due_ms);
        due_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_dropped_skips_no_tick() {
        let mut ticker = Ticker::new(Duration::from_secs(5));
        assert_eq!(ticker.due(1_000), 1_000);
        ticker.done();
        assert_eq!((ticker.due(1_100), ticker.due(2_000), ticker.due(6_100)), (6_000, 6_000, 6_000));
        assert_eq!(ticker.due(500), 500, "the clock was set back");
    }

    #[test]
    fn ticks_are_even_and_survive_jumps_of_the_clock() {
        let mut ticker = Ticker::new(Duration::from_secs(5));
        assert_eq!(ticker.next(1_000), 1_000);
        assert_eq!(ticker.next(1_900), 6_000);
        assert_eq!(ticker.next(6_020), 11_000);
        assert_eq!(ticker.next(90_000), 90_000);
        assert_eq!(ticker.next(20_000), 20_000);
    }
}
