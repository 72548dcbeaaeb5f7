//! Calendar dates and times of day: at a fixed offset from UTC, or in a [`Zone`] with daylight saving time.

use std::fmt;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const DAY_MS: i64 = 86_400 * SECOND_MS;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date and time of day, proleptic Gregorian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Year of the era.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 to 999.
    pub millisecond: i64,
}

impl Civil {
    /// The date and time in UTC at `at_ms`, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn utc(at_ms: i64) -> Self {
        Civil::new(at_ms, 0)
    }

    /// Parses `2026-11-20T08:00`, the value of a `datetime-local` input. Accepts seconds, and a space instead of the
    /// `T`; rejects dates that do not exist.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', ' '])?;
        let numbers = |text: &str, separator: char| -> Option<Vec<i64>> {
            let digits =
                |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
            text.split(separator).map(|part| digits(part).then(|| part.parse().ok()).flatten()).collect()
        };
        let &[year, month, day] = numbers(date, '-')?.as_slice() else { return None };
        let (hour, minute, second) = match *numbers(time, ':')?.as_slice() {
            [hour, minute] => (hour, minute, 0),
            [hour, minute, second] => (hour, minute, second),
            _ => return None,
        };
        let civil = Civil { year, month, day, hour, minute, second, millisecond: 0 };
        (Civil::utc(civil.as_utc_ms()) == civil).then_some(civil)
    }

    /// Milliseconds since the Unix epoch, if this is a time in UTC.
    #[must_use]
    pub fn as_utc_ms(&self) -> i64 {
        // A year that starts in March has its leap day at the end, so the days before a month are a fixed table, which
        // (153 m + 2) / 5 computes.
        let (year, month) = if self.month > 2 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        // 719,468 days are between 0000-03-01 and the epoch.
        let days =
            365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468;
        days * DAY_MS + ((self.hour * 60 + self.minute) * 60 + self.second) * SECOND_MS + self.millisecond
    }

    /// The date and time at `at_ms` (milliseconds since the Unix epoch), `tz_offset_min` minutes ahead of UTC.
    #[must_use]
    pub fn new(at_ms: i64, tz_offset_min: i32) -> Self {
        let local_ms = at_ms.saturating_add(i64::from(tz_offset_min) * MINUTE_MS);
        let (days, of_day_ms) = (local_ms.div_euclid(DAY_MS), local_ms.rem_euclid(DAY_MS));
        // Days are counted from 1 March of year 0 in eras of 400 years, so that the leap day is the last day of a year.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Civil {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: of_day_ms / (60 * MINUTE_MS),
            minute: of_day_ms / MINUTE_MS % 60,
            second: of_day_ms / SECOND_MS % 60,
            millisecond: of_day_ms % SECOND_MS,
        }
    }

    /// `Mar 7`.
    #[must_use]
    pub fn short_date(&self) -> String {
        format!("{} {}", self.month_name(), self.day)
    }

    /// `09:05`.
    #[must_use]
    pub fn clock(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// `09:05:31`.
    #[must_use]
    pub fn clock_seconds(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// `2026-03-07`.
    #[must_use]
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// The value of a `datetime-local` input: `2026-03-07T09:05`.
    #[must_use]
    pub fn input_value(&self) -> String {
        format!("{}T{}", self.date(), self.clock())
    }

    fn month_name(&self) -> &'static str {
        usize::try_from(self.month - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("?")
    }
}

impl fmt::Display for Civil {
    /// `2026-03-07 09:05:31`.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} {}", self.date(), self.clock_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        assert_eq!(Civil::new(0, 0).to_string(), "1970-01-01 00:00:00");
        assert_eq!(Civil::new(951_782_400_000, 0).to_string(), "2000-02-29 00:00:00");
        assert_eq!(Civil::new(1_700_000_000_000, 0).to_string(), "2023-11-14 22:13:20");
        assert_eq!(Civil::new(1_700_000_000_000, 120).to_string(), "2023-11-15 00:13:20");
        assert_eq!(Civil::new(1_700_000_000_000, -210).clock(), "18:43");
        assert_eq!(Civil::new(1_709_251_199_000, 60).input_value(), "2024-03-01T00:59");
        assert_eq!(Civil::new(-1, 0).to_string(), "1969-12-31 23:59:59");
    }

    #[test]
    fn what_is_written_is_read() {
        for at_ms in [0, 951_782_400_000, 1_709_251_140_000, 1_785_000_000_000] {
            let civil = Civil::utc(at_ms);
            assert_eq!(civil.as_utc_ms(), at_ms);
            assert_eq!(Civil::parse(&civil.to_string()), Some(civil));
        }
        assert_eq!(Civil::parse("2026-07-03T08:05").map(|civil| civil.clock()), Some("08:05".to_owned()));
        for wrong in
            ["", "2026-07-03", "2026-02-30T08:00", "2026-13-01T08:00", "2026-01-01T24:00", "26-1-1 x", "2026-01-01T08"]
        {
            assert_eq!(Civil::parse(wrong), None, "{wrong}");
        }
    }
}
