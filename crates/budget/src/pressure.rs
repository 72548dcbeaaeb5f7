//! How near the process is to its limit of memory. Budgets count what is known; this looks at all there is.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::machine::kibibytes;

const STATUS: &str = "/proc/self/status";

/// Resident memory against the limit, as it was looked at last.
#[derive(Debug)]
pub struct Pressure {
    limit: u64,
    resident: AtomicU64,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Low,
    /// Begin one read at a time.
    High,
    /// Begin nothing for viewers, and end what runs for them.
    Critical,
}

impl Pressure {
    /// Against a limit in bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Pressure { limit, resident: AtomicU64::default() }
    }

    /// Looks again.
    pub fn look(&self) {
        let resident = std::fs::read_to_string(STATUS).ok().and_then(|text| kibibytes(&text, "VmRSS:"));
        self.set(resident.unwrap_or_default());
    }

    /// Notes how much memory the process takes, in bytes.
    pub fn set(&self, resident: u64) {
        self.resident.store(resident, Ordering::Relaxed);
    }

    /// Bytes that the process may take.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes that it took when it was looked at last.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.resident.load(Ordering::Relaxed)
    }

    /// How near that is.
    #[must_use]
    pub fn level(&self) -> Level {
        let resident = self.resident();
        if resident > self.limit / 100 * 92 {
            Level::Critical
        } else if resident > self.limit / 100 * 80 {
            Level::High
        } else {
            Level::Low
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_what_is_resident() {
        let pressure = Pressure::new(1_000);
        let levels = [0, 800, 801, 920, 921].map(|resident| {
            pressure.set(resident);
            pressure.level()
        });
        assert_eq!(levels, [Level::Low, Level::Low, Level::High, Level::Low.max(Level::High), Level::Critical]);
        pressure.look();
        assert!(pressure.resident() > 1 << 20);
    }
}
