//! Delays between retries.

use std::time::Duration;

/// Exponential back-off with jitter, without a limit of attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Backoff { first, longest, failures: 0 }
    }

    /// The delay after one more failure: between half and all of the exponential value.
    pub(crate) fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1).min(16);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        whole.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Resets after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
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
