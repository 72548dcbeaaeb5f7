//! Time zones: the offset from UTC at each instant.
//!
//! This module knows neither the rules of zones nor the browser's zone: a [`Zone`] holds what others provide.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use crate::civil::Civil;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// The offset of the viewer's clocks at each instant. Cheap to copy: the data of a zone is created once and leaked.
#[derive(Clone, Copy)]
pub enum Zone {
    /// Always this many minutes ahead of UTC.
    Fixed(i32),
    /// By a table of changes.
    Table(&'static Changes),
    /// By a function.
    Local(&'static Local),
}

/// The changes of the offset in a zone.
#[derive(Debug)]
pub struct Changes {
    /// The zone's name in the IANA database: `Europe/Berlin`.
    pub name: String,
    /// Minutes ahead of UTC before the first change.
    pub first_min: i32,
    /// Each change's time, in milliseconds since the Unix epoch, and the minutes ahead of UTC from then on; ascending.
    pub changes: Vec<(i64, i32)>,
}

/// A zone given by a function.
#[derive(Debug)]
pub struct Local {
    /// The zone's name in the IANA database.
    pub name: String,
    /// Minutes ahead of UTC at a time, in milliseconds since the Unix epoch.
    pub offset_min: fn(i64) -> i32,
}

/// Which of two instants is meant by a time that occurs twice because clocks were set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// Before the change.
    Earlier,
    /// After the change.
    Later,
}

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone::Fixed(0);

    /// Minutes ahead of UTC at `at_ms`, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn offset_min(self, at_ms: i64) -> i32 {
        match self {
            Zone::Fixed(offset_min) => offset_min,
            Zone::Table(Changes { first_min, changes, .. }) => {
                let passed = changes.partition_point(|(from_ms, _)| *from_ms <= at_ms);
                passed
                    .checked_sub(1)
                    .and_then(|last| changes.get(last))
                    .map_or(*first_min, |(_, offset_min)| *offset_min)
            }
            Zone::Local(local) => (local.offset_min)(at_ms),
        }
    }

    /// The local time at `at_ms`, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn civil(self, at_ms: i64) -> Civil {
        Civil::new(at_ms, self.offset_min(at_ms))
    }

    /// The instants with the local time `civil`, in milliseconds since the Unix epoch: none, one or two, in order.
    #[must_use]
    pub fn instants(self, civil: &Civil) -> (Option<i64>, Option<i64>) {
        let local_ms = civil.as_utc_ms();
        let shows = |offset_min: i32| {
            let at_ms = local_ms - i64::from(offset_min) * MINUTE_MS;
            (self.offset_min(at_ms) == offset_min).then_some(at_ms)
        };
        // No offset is larger than a day, and none changes twice within two days.
        let (before, after) = (self.offset_min(local_ms - DAY_MS), self.offset_min(local_ms + DAY_MS));
        match (shows(before), shows(after).filter(|_| before != after)) {
            (None, after) => (after, None),
            both => both,
        }
    }

    /// The instant of `civil`. A local time that was skipped is converted with the offset before the jump.
    #[must_use]
    pub fn instant(self, civil: &Civil, twice: Twice) -> i64 {
        match self.instants(civil) {
            (Some(_), Some(later)) if twice == Twice::Later => later,
            (Some(at_ms), _) => at_ms,
            _ => {
                let local_ms = civil.as_utc_ms();
                local_ms - i64::from(self.offset_min(local_ms - DAY_MS)) * MINUTE_MS
            }
        }
    }

    /// Its name: `Europe/Berlin`, or the offset from UTC, such as `UTC`, `UTC+2`, `UTC-3:30`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Zone::Fixed(offset_min) => {
                let (hours, minutes) = (offset_min.unsigned_abs() / 60, offset_min.unsigned_abs() % 60);
                let sign = if offset_min < 0 { '-' } else { '+' };
                match (offset_min, minutes) {
                    (0, _) => "UTC".to_owned(),
                    (_, 0) => format!("UTC{sign}{hours}"),
                    _ => format!("UTC{sign}{hours}:{minutes:02}"),
                }
            }
            Zone::Table(Changes { name, .. }) | Zone::Local(Local { name, .. }) => name.clone(),
        }
    }

    /// What names it in a form or a cookie: its name in the IANA database, or minutes east of UTC.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Zone::Fixed(offset_min) => offset_min.to_string(),
            Zone::Table(_) | Zone::Local(_) => self.name(),
        }
    }

    /// Identifies it.
    fn key(self) -> (i32, &'static str) {
        match self {
            Zone::Fixed(offset_min) => (offset_min, ""),
            Zone::Table(Changes { name, .. }) | Zone::Local(Local { name, .. }) => (0, name),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Zone::UTC
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Europe/Berlin in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
    fn berlin() -> Zone {
        let changes = vec![(1_774_746_000_000, 120), (1_792_890_000_000, 60)];
        Zone::Table(Box::leak(Box::new(Changes { name: "Europe/Berlin".to_owned(), first_min: 60, changes })))
    }

    fn at(text: &str) -> Civil {
        Civil::parse(text).unwrap()
    }

    #[test]
    fn a_time_has_the_offset_of_its_own_instant() {
        let zone = berlin();
        let july = zone.instant(&at("2026-07-03T08:00"), Twice::Earlier);
        let november = zone.instant(&at("2026-11-28T08:00"), Twice::Earlier);
        assert_eq!(Civil::utc(july).clock(), "06:00");
        assert_eq!(Civil::utc(november).clock(), "07:00");
        assert_eq!(zone.civil(july).clock(), "08:00");
        assert_eq!(zone.civil(november).clock(), "08:00");
    }

    #[test]
    fn hours_that_clocks_show_twice_or_never() {
        let zone = berlin();
        let twice = at("2026-10-25T02:30");
        let first = zone.instant(&twice, Twice::Earlier);
        assert_eq!(zone.instant(&twice, Twice::Later) - first, 3_600_000);
        assert_eq!(zone.instants(&twice), (Some(first), Some(first + 3_600_000)));
        assert_eq!(zone.civil(first), twice);
        assert_eq!(zone.civil(first + 3_600_000), twice);
        let never = at("2026-03-29T02:30");
        assert_eq!(zone.instants(&never), (None, None));
        assert_eq!(zone.civil(zone.instant(&never, Twice::Earlier)).clock(), "03:30");
        // The hours at the edges occur once.
        for once in ["2026-10-25T01:59", "2026-10-25T03:00", "2026-03-29T01:59", "2026-03-29T03:00"] {
            assert!(matches!(zone.instants(&at(once)), (Some(_), None)), "{once}");
            assert_eq!(zone.civil(zone.instant(&at(once), Twice::Later)), at(once));
        }
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(berlin().name(), "Europe/Berlin");
        assert_eq!(
            [0, 120, -210, 330].map(|offset_min| Zone::Fixed(offset_min).name()),
            ["UTC", "UTC+2", "UTC-3:30", "UTC+5:30"]
        );
        assert_ne!(berlin(), Zone::UTC);
        assert_eq!(berlin(), berlin());
    }
}
