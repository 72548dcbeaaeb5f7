//! Delays between attempts to open the socket.

/// The first delay, in milliseconds, and the longest one.
const FIRST_MS: u32 = 500;
const LONGEST_MS: u32 = 30_000;

/// Exponential back-off with jitter, without a limit of attempts.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay after one more failure, in milliseconds: between half and all of the exponential value. `random` is
    /// from 0 to 1.
    pub(crate) fn next(&mut self, random: f64) -> u32 {
        let whole = FIRST_MS.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1).min(16);
        let half = whole / 2;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 15 s
        let jitter = (f64::from(half) * random.clamp(0.0, 1.0)) as u32;
        half + jitter
    }

    /// Starts at the first delay again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
