//! Delays between attempts to connect.

/// The first delay, in milliseconds.
const FIRST_MS: u32 = 500;
/// The longest delay, in milliseconds.
const LONGEST_MS: u32 = 30_000;

/// Exponential delays with jitter, from half a second to half a minute.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Attempts that failed since the last success.
    pub fn failures(self) -> u32 {
        self.failures
    }

    /// Resets the delay after a success.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Milliseconds to wait after a further failure. `random` is from 0 to 1. It spreads the viewers of a restarted server over the upper half of
    /// the delay.
    pub fn fail(&mut self, random: f64) -> u32 {
        let full_ms = FIRST_MS.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        // In 255 steps, so that the arithmetic stays in whole numbers.
        let share = (0_u8..=u8::MAX).rev().find(|step| f64::from(*step) <= random * 255.0).unwrap_or(0);
        let half_ms = full_ms / 2;
        (half_ms + half_ms.saturating_mul(u32::from(share)) / 255).max(FIRST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_are_reset_by_a_success() {
        let mut backoff = Backoff::default();
        let delays: Vec<u32> = (0..9).map(|_| backoff.fail(1.0)).collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff.failures(), 9);
        assert_eq!(backoff.fail(0.0), 15_000);
        backoff.succeed();
        assert_eq!(backoff.fail(0.0), 500);
        let mut worn = Backoff { failures: u32::MAX };
        assert_eq!(worn.fail(0.5).clamp(15_000, 30_000), worn.fail(0.5));
    }
}
