//! Checks the memory of the process against its limit. Budgets only count known memory; this is the real total.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::machine::kibibytes;

const STATUS: &str = "/proc/self/status";

/// Resident memory at the last check, and the limit.
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
    /// Start only one read at a time.
    High,
    /// Start no reads for viewers, and abort running ones.
    Critical,
}

impl Pressure {
    /// With a limit in bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Pressure { limit, resident: AtomicU64::default() }
    }

    /// Reads the current resident memory.
    pub fn look(&self) {
        let resident = std::fs::read_to_string(STATUS).ok().and_then(|text| kibibytes(&text, "VmRSS:"));
        self.set(resident.unwrap_or_default());
    }

    /// Sets the resident memory, in bytes.
    pub fn set(&self, resident: u64) {
        self.resident.store(resident, Ordering::Relaxed);
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Resident memory at the last check, in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.resident.load(Ordering::Relaxed)
    }

    /// The level at the last check.
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
