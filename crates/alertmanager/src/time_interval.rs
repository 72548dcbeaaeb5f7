//! Time intervals in which a route is muted or active, in Alertmanager's syntax.

use std::ops::RangeInclusive;

use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const MINUTES_OF_DAY: i64 = 24 * 60;

/// Part of a time interval as in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSpec {
    /// Time ranges of the day.
    #[serde(default)]
    times: Vec<ClockSpec>,
    /// `monday:friday`, `sunday`
    #[serde(default)]
    weekdays: Vec<String>,
    /// `1:5`, `-3:-1`
    #[serde(default)]
    days_of_month: Vec<String>,
    /// `january:march`, `12`
    #[serde(default)]
    months: Vec<String>,
    /// `2026:2027`
    #[serde(default)]
    years: Vec<String>,
    /// Time zone; UTC by default.
    #[serde(default)]
    location: Option<String>,
}

/// A time range of the day as in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockSpec {
    #[serde(default)]
    start_time: String,
    #[serde(default)]
    end_time: String,
}

/// Ranges of each kind. A time is inside if each kind that is set has a range that contains it.
#[derive(Debug, Clone)]
pub struct TimeInterval {
    /// Minutes since midnight; the end is exclusive.
    times: Vec<RangeInclusive<i64>>,
    weekdays: Vec<RangeInclusive<i64>>,
    days_of_month: Vec<RangeInclusive<i64>>,
    months: Vec<RangeInclusive<i64>>,
    years: Vec<RangeInclusive<i64>>,
    zone: TimeZone,
}

/// Why a time interval is invalid, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongInterval(String);

fn wrong(message: impl Into<String>) -> WrongInterval {
    WrongInterval(message.into())
}

impl TryFrom<&TimeSpec> for TimeInterval {
    type Error = WrongInterval;

    fn try_from(spec: &TimeSpec) -> Result<Self, WrongInterval> {
        let all = |texts: &[String], read: fn(&str) -> Result<RangeInclusive<i64>, WrongInterval>| {
            texts.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()
        };
        let zone = match spec.location.as_deref() {
            None | Some("" | "UTC") => TimeZone::UTC,
            Some("Local") => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                wrong(format!("{name:?} is not a time zone: write for example Europe/Paris, or leave it out for UTC"))
            })?,
        };
        Ok(TimeInterval {
            times: spec.times.iter().map(clock_range).collect::<Result<_, _>>()?,
            weekdays: all(&spec.weekdays, |text| named_range(text, &WEEKDAYS, 0))?,
            days_of_month: all(&spec.days_of_month, day_range)?,
            months: all(&spec.months, |text| named_range(text, &MONTHS, 1))?,
            years: all(&spec.years, year_range)?,
            zone,
        })
    }
}

impl TimeInterval {
    /// Whether a time, in milliseconds since the Unix epoch, is inside.
    #[must_use]
    pub fn contains(&self, now_ms: i64) -> bool {
        let Ok(now) = Timestamp::from_millisecond(now_ms) else { return false };
        let now = now.to_zoned(self.zone.clone());
        let minute = i64::from(now.hour()) * 60 + i64::from(now.minute());
        let (day, days) = (i64::from(now.day()), i64::from(now.days_in_month()));
        let any = |ranges: &[RangeInclusive<i64>], value: i64| {
            ranges.is_empty() || ranges.iter().any(|range| range.contains(&value))
        };
        let is_in_times =
            self.times.is_empty() || self.times.iter().any(|range| *range.start() <= minute && minute < *range.end());
        let is_in_days = self.days_of_month.is_empty()
            || self.days_of_month.iter().any(|range| {
                // Negative days count from the end of the month.
                let of_month = |day: i64| if day < 0 { days + day + 1 } else { day };
                of_month(*range.start()) <= day && day <= of_month(*range.end())
            });
        is_in_times
            && is_in_days
            && any(&self.weekdays, i64::from(now.weekday().to_sunday_zero_offset()))
            && any(&self.months, i64::from(now.month()))
            && any(&self.years, i64::from(now.year()))
    }
}

fn clock_range(spec: &ClockSpec) -> Result<RangeInclusive<i64>, WrongInterval> {
    let minute = |text: &str| -> Result<i64, WrongInterval> {
        let complaint = || wrong(format!("{text:?} is not a time of the day: write it as 09:30, up to 24:00"));
        let (hours, minutes) = text.split_once(':').ok_or_else(complaint)?;
        let two = |digits: &str| -> Option<i64> {
            (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
        };
        let (hours, minutes) = two(hours).zip(two(minutes)).ok_or_else(complaint)?;
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= MINUTES_OF_DAY { Ok(total) } else { Err(complaint()) }
    };
    if spec.start_time.is_empty() || spec.end_time.is_empty() {
        return Err(wrong("a time of the day needs both start_time and end_time"));
    }
    let range = minute(&spec.start_time)?..=minute(&spec.end_time)?;
    if range.start() < range.end() {
        Ok(range)
    } else {
        Err(wrong(format!(
            "{}-{} ends before it starts: write a range over midnight as two, up to 24:00 and from 00:00",
            spec.start_time, spec.end_time
        )))
    }
}

/// The two ends of `a:b`, or `a` twice.
fn ends(text: &str) -> (String, String) {
    let text = text.to_lowercase();
    let (start, end) = text.split_once(':').unwrap_or((&text, &text));
    (start.trim().to_owned(), end.trim().to_owned())
}

/// A range of names. Numbers are accepted too if `first` is the number of the first name.
fn named_range(text: &str, names: &[&str], first: i64) -> Result<RangeInclusive<i64>, WrongInterval> {
    let number = |name: &str| -> Result<i64, WrongInterval> {
        let named = (first..).zip(names).find(|(_, known)| **known == name).map(|(number, _)| number);
        let digits = || name.parse::<i64>().ok().filter(|number| first == 1 && (1..=12).contains(number));
        named.or_else(digits).ok_or_else(|| wrong(format!("{name:?} is none of {}", names.join(", "))))
    };
    let (start, end) = ends(text);
    let range = number(&start)?..=number(&end)?;
    if range.start() <= range.end() { Ok(range) } else { Err(wrong(format!("{text:?} ends before it starts"))) }
}

fn day_range(text: &str) -> Result<RangeInclusive<i64>, WrongInterval> {
    let complaint =
        || wrong(format!("{text:?} is not a range of days of the month: write 1:15, or -3:-1 for the last three"));
    let day = |text: &str| text.parse::<i64>().ok().filter(|day| *day != 0 && (-31..=31).contains(day));
    let (start, end) = ends(text);
    let (start, end) = day(&start).zip(day(&end)).ok_or_else(complaint)?;
    // A range from the end of the month to its start is always empty.
    let is_ordered = if (start < 0) == (end < 0) { start <= end } else { start > 0 };
    if is_ordered { Ok(start..=end) } else { Err(complaint()) }
}

fn year_range(text: &str) -> Result<RangeInclusive<i64>, WrongInterval> {
    let complaint = || wrong(format!("{text:?} is not a range of years: write 2026 or 2026:2028"));
    let (start, end) = ends(text);
    let (start, end) = start.parse::<i64>().ok().zip(end.parse::<i64>().ok()).ok_or_else(complaint)?;
    if start <= end { Ok(start..=end) } else { Err(complaint()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(yaml: &str) -> Result<TimeInterval, String> {
        let spec: TimeSpec = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
        TimeInterval::try_from(&spec).map_err(|error| error.to_string())
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn all_kinds_must_hold_and_one_of_each_suffices() {
        let office = interval(
            "{times: [{start_time: '09:00', end_time: '17:00'}], weekdays: ['monday:friday'], location: Europe/Paris}",
        )
        .unwrap();
        assert!(office.contains(ms("2026-11-20T08:00:00Z")), "09:00 in Paris on a Friday");
        assert!(!office.contains(ms("2026-11-20T16:00:00Z")), "17:00 in Paris is the end");
        assert!(office.contains(ms("2026-07-20T07:00:00Z")), "summer time");
        assert!(!office.contains(ms("2026-11-21T10:00:00Z")), "a Saturday");
        let ends = interval("{days_of_month: ['1', '-2:-1'], months: ['february', '11:december'], years: ['2026']}");
        let ends = ends.unwrap();
        assert!(ends.contains(ms("2026-02-27T00:00:00Z")) && ends.contains(ms("2026-12-01T23:59:59Z")));
        assert!(!ends.contains(ms("2026-02-26T00:00:00Z")) && !ends.contains(ms("2027-02-28T00:00:00Z")));
        assert!(interval("{}").unwrap().contains(0), "nothing said is always");
        assert!(
            interval("{times: [{start_time: '00:00', end_time: '24:00'}]}")
                .unwrap()
                .contains(ms("2026-01-01T23:59:59Z"))
        );
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        for wrong in [
            "{times: [{start_time: '17:00', end_time: '09:00'}]}",
            "{times: [{start_time: '9:00', end_time: '10:00'}]}",
            "{times: [{start_time: '09:00', end_time: '24:01'}]}",
            "{times: [{start_time: '09:00'}]}",
            "{weekdays: ['mon']}",
            "{weekdays: ['friday:monday']}",
            "{days_of_month: ['0']}",
            "{days_of_month: ['-1:5']}",
            "{days_of_month: ['5:1']}",
            "{months: ['13']}",
            "{years: ['2027:2026']}",
            "{location: Mars/Olympus}",
            "{timez: []}",
        ] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
