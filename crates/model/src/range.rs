//! The time range of a page, as in the URL, and the step of its queries.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    civil::Civil,
    from_members,
    tree::{Faults, FromTree, Tree},
};

/// Milliseconds of a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Possible steps. Many divide each other, so that aligned points stay the same.
const STEPS_MS: [i64; 15] = [
    SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
];

/// Intended number of points in a chart's width.
const TARGET_POINTS: i64 = 360;
/// The minimum step: no source of ours has data more often.
const FINEST_STEP_MS: i64 = 5 * SECOND_MS;

/// One end of a range, in Grafana's syntax: `now`, `now-6h`, or milliseconds since the Unix epoch. A date and time is
/// parsed as UTC, and written as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Instant {
    /// This many milliseconds before now.
    Ago(i64),
    /// Milliseconds since the Unix epoch.
    At(i64),
}

impl FromTree for Instant {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        String::from_tree(tree, faults).parse().unwrap_or_else(|error| {
            faults.note(&error);
            Instant::Ago(0)
        })
    }
}

impl Instant {
    /// The time that it means at `now_ms`.
    #[must_use]
    pub fn resolve(self, now_ms: i64) -> i64 {
        match self {
            Instant::Ago(ago_ms) => now_ms.saturating_sub(ago_ms),
            Instant::At(at_ms) => at_ms,
        }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Instant::Ago(0) => formatter.write_str("now"),
            Instant::Ago(ago_ms) => write!(formatter, "now-{}", DurationMs(ago_ms)),
            Instant::At(at_ms) => write!(formatter, "{at_ms}"),
        }
    }
}

impl FromStr for Instant {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let wrong = || RangeError::Instant(text.to_owned());
        if text == "now" {
            return Ok(Instant::Ago(0));
        }
        if let Some(ago) = text.strip_prefix("now-") {
            return Ok(Instant::Ago(ago.parse::<DurationMs>().map_err(|_| wrong())?.0));
        }
        text.parse().ok().or_else(|| utc_ms(text)).map(Instant::At).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Instant {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

impl From<Instant> for String {
    fn from(instant: Instant) -> String {
        instant.to_string()
    }
}

/// Parses `2026-11-20T08:00` as UTC into milliseconds since the Unix epoch; a form without scripts sends this. A
/// trailing `Z` is accepted.
fn utc_ms(text: &str) -> Option<i64> {
    Civil::parse(text.trim_end_matches('Z')).map(|civil| civil.as_utc_ms())
}

/// A duration in Prometheus' syntax (`5m`, `1h30m`, `15d`), in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationMs(pub i64);

/// Units of a duration, largest first, which is also their order within a duration.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * DAY_MS),
    ("w", 7 * DAY_MS),
    ("d", DAY_MS),
    ("h", HOUR_MS),
    ("m", MINUTE_MS),
    ("s", SECOND_MS),
    ("ms", 1),
];

impl FromStr for DurationMs {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let wrong = || RangeError::Duration(text.to_owned());
        let (mut rest, mut total_ms, mut smallest) = (text, 0_i64, i64::MAX);
        while !rest.is_empty() {
            let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let unit_ms = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
            if unit_ms >= smallest {
                return Err(wrong());
            }
            smallest = unit_ms;
            let part_ms =
                number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit_ms)).ok_or_else(wrong)?;
            total_ms = total_ms.checked_add(part_ms).ok_or_else(wrong)?;
            rest = after;
        }
        if smallest == i64::MAX { Err(wrong()) } else { Ok(DurationMs(total_ms)) }
    }
}

impl fmt::Display for DurationMs {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let mut rest_ms = self.0;
        if rest_ms <= 0 {
            return formatter.write_str("0s");
        }
        for (name, unit_ms) in UNITS {
            // Weeks and years are not used for formatting, because days are clearer.
            if unit_ms > DAY_MS {
                continue;
            }
            let count = rest_ms / unit_ms;
            if count > 0 {
                write!(formatter, "{count}{name}")?;
                rest_ms %= unit_ms;
            }
        }
        Ok(())
    }
}

/// A range from one instant to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// The earlier end.
    pub from: Instant,
    /// The later end.
    pub to: Instant,
}

from_members!(TimeRange { from, to });

impl Default for TimeRange {
    fn default() -> Self {
        TimeRange::last(HOUR_MS)
    }
}

impl TimeRange {
    /// Ranges in the time picker, in milliseconds.
    pub const PRESETS_MS: [i64; 10] = [
        15 * MINUTE_MS,
        30 * MINUTE_MS,
        HOUR_MS,
        3 * HOUR_MS,
        6 * HOUR_MS,
        12 * HOUR_MS,
        DAY_MS,
        2 * DAY_MS,
        7 * DAY_MS,
        15 * DAY_MS,
    ];

    /// The last `window_ms` up to now.
    #[must_use]
    pub fn last(window_ms: i64) -> Self {
        TimeRange { from: Instant::Ago(window_ms), to: Instant::Ago(0) }
    }

    /// Parses the URL's `from` and `to`; absent ones have their default.
    ///
    /// # Errors
    ///
    /// A bound that is not a time, or an end before the start.
    pub fn parse(from: Option<&str>, to: Option<&str>, now_ms: i64) -> Result<Self, RangeError> {
        let default = TimeRange::default();
        let range =
            TimeRange { from: from.map_or(Ok(default.from), str::parse)?, to: to.map_or(Ok(default.to), str::parse)? };
        if range.from.resolve(now_ms) < range.to.resolve(now_ms) { Ok(range) } else { Err(RangeError::Order) }
    }

    /// The length of the range in milliseconds if it ends now, so that it can be live.
    #[must_use]
    pub fn live_window_ms(self) -> Option<i64> {
        match (self.from, self.to) {
            (Instant::Ago(window_ms), Instant::Ago(0)) => Some(window_ms),
            _ => None,
        }
    }

    /// The latest time of a range that does not move with time, in milliseconds since the Unix epoch; otherwise `None`.
    #[must_use]
    pub fn as_of_ms(self, now_ms: i64) -> Option<i64> {
        self.live_window_ms().is_none().then(|| self.to.resolve(now_ms).min(now_ms))
    }

    /// Start and end in milliseconds since the Unix epoch.
    #[must_use]
    pub fn resolve(self, now_ms: i64) -> (i64, i64) {
        (self.from.resolve(now_ms), self.to.resolve(now_ms))
    }

    /// The step for this range: fine enough for a chart's width, from a fixed list, so that viewers share queries.
    #[must_use]
    pub fn step_ms(self, now_ms: i64) -> i64 {
        let (start_ms, end_ms) = self.resolve(now_ms);
        let wanted_ms = (end_ms.saturating_sub(start_ms) / TARGET_POINTS).max(FINEST_STEP_MS);
        STEPS_MS.into_iter().find(|step_ms| *step_ms >= wanted_ms).unwrap_or(DAY_MS)
    }
}

/// Why a range in a URL or file is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Neither `now`, `now-<duration>` nor milliseconds.
    #[error("{0:?} is not a time: write now, now-6h, 2026-11-20T08:00 for UTC, or milliseconds since 1970")]
    Instant(String),
    /// Not a Prometheus duration.
    #[error("{0:?} is not a duration: write for example 90s, 5m, 1h30m or 15d")]
    Duration(String),
    /// The range is empty or runs backwards.
    #[error("the range ends before it starts: let `from` be earlier than `to`")]
    Order,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus_durations() {
        assert_eq!("1h30m".parse(), Ok(DurationMs(90 * MINUTE_MS)));
        assert_eq!("100ms".parse(), Ok(DurationMs(100)));
        for wrong in ["", "5", "m", "5m1h", "-5m", "5 m", "99999999999999999y"] {
            assert!(wrong.parse::<DurationMs>().is_err(), "{wrong}");
        }
        assert_eq!(DurationMs(36 * HOUR_MS).to_string(), "1d12h");
    }

    #[test]
    fn a_date_and_time_is_utc() {
        for (text, at_ms) in [
            ("1970-01-01T00:00", 0),
            ("2000-02-29 00:00", 951_782_400_000),
            ("2026-11-20T09:00:05Z", 1_795_165_205_000),
            ("2026-11-20T09:00", 1_795_165_200_000),
        ] {
            assert_eq!(text.parse(), Ok(Instant::At(at_ms)), "{text}");
        }
        for wrong in
            ["2026-13-01T00:00", "2026-11-20T24:00", "2026-11-20", "2026-11-20T09", "a-b-cT1:2", "2026--1T+1:-2"]
        {
            assert!(wrong.parse::<Instant>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_in_a_url_reads_back() {
        let range = TimeRange::parse(Some("now-6h"), None, 0).unwrap();
        assert_eq!(range.live_window_ms(), Some(6 * HOUR_MS));
        assert_eq!((range.from.to_string(), range.to.to_string()), ("now-6h".into(), "now".into()));
        assert_eq!(range.step_ms(0), MINUTE_MS);
        assert_eq!(range.as_of_ms(1_000), None);
        let past = |from, to| TimeRange::parse(Some(from), Some(to), 1_000).unwrap().as_of_ms(1_000);
        assert_eq!([past("10", "20"), past("10", "now"), past("10", "9000")], [Some(20), Some(1_000), Some(1_000)]);
        assert_eq!(TimeRange::parse(Some("20"), Some("10"), 0), Err(RangeError::Order));
        assert!(TimeRange::parse(Some("yesterday"), None, 0).is_err());
    }
}
