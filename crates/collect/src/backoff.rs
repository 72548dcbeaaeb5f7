//! Delays between retries.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Exponential back-off with jitter, without a limit of attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    schedule: ExponentialBuilder,
    waits: ExponentialBackoff,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        // Jitter adds up to as much as a wait has.
        let schedule = ExponentialBuilder::new()
            .with_min_delay(first / 2)
            .with_max_delay(longest / 2)
            .with_jitter()
            .without_max_times();
        Backoff { schedule, waits: schedule.build(), longest }
    }

    /// The delay after one more failure: between half and all of the exponential value.
    pub(crate) fn next(&mut self) -> Duration {
        self.waits.next().unwrap_or(self.longest)
    }

    /// Resets after a success.
    pub(crate) fn reset(&mut self) {
        self.waits = self.schedule.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        for exponent in 0..100_u32 {
            let whole = Duration::from_millis(500).saturating_mul(1 << exponent.min(10)).min(Duration::from_secs(30));
            let wait = backoff.next();
            assert!(wait >= whole / 2 && wait <= whole, "{exponent}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
    }
}
