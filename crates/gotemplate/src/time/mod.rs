//! Times in templates: Go's `time.Time` with its methods and layouts, and `time.Duration`.

mod duration;
mod layout;
mod parse;
mod zone;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, Zoned, civil, tz::TimeZone};

use self::zone::Location;
pub use self::{
    duration::{DURATION, Duration},
    zone::{LOCATION, MONTH, WEEKDAY},
};
use crate::{
    types::{Method, Named, Type},
    value::{Object, Value},
    value_error::ValueError,
};

/// More days than between the minimum and the maximum date.
const MOST_DAYS: i64 = 8_000_000;
/// Seconds from Go's zero time, the start of year 1, to the Unix epoch.
const ZERO_TIME_SECS: i64 = -62_135_596_800;

/// A time, with those of Go's methods that return one result.
#[derive(Debug, Clone)]
pub struct Time {
    at: Timestamp,
    /// Its time zone.
    zone: TimeZone,
}

/// Its type, for the check of templates.
pub static TIME: Named = Named {
    name: "time.Time",
    fields: &[],
    methods: &[
        Method::new("Add", &[Type::Named(&DURATION)], Type::Named(&TIME)),
        Method::new("AddDate", &[Type::Int, Type::Int, Type::Int], Type::Named(&TIME)),
        Method::new("After", &[Type::Named(&TIME)], Type::Bool),
        Method::new("Before", &[Type::Named(&TIME)], Type::Bool),
        Method::new("Compare", &[Type::Named(&TIME)], Type::Int),
        Method::new("Day", &[], Type::Int),
        Method::new("Equal", &[Type::Named(&TIME)], Type::Bool),
        Method::new("Format", &[Type::Str], Type::Str),
        Method::new("Hour", &[], Type::Int),
        Method::new("In", &[Type::Named(&LOCATION)], Type::Named(&TIME)),
        Method::new("IsDST", &[], Type::Bool),
        Method::new("IsZero", &[], Type::Bool),
        Method::new("Local", &[], Type::Named(&TIME)),
        Method::new("Location", &[], Type::Named(&LOCATION)),
        Method::new("Minute", &[], Type::Int),
        Method::new("Month", &[], Type::Named(&MONTH)),
        Method::new("Nanosecond", &[], Type::Int),
        Method::new("Round", &[Type::Named(&DURATION)], Type::Named(&TIME)),
        Method::new("Second", &[], Type::Int),
        Method::new("String", &[], Type::Str),
        Method::new("Sub", &[Type::Named(&TIME)], Type::Named(&DURATION)),
        Method::new("Truncate", &[Type::Named(&DURATION)], Type::Named(&TIME)),
        Method::new("UTC", &[], Type::Named(&TIME)),
        Method::new("Unix", &[], Type::Int),
        Method::new("UnixMicro", &[], Type::Int),
        Method::new("UnixMilli", &[], Type::Int),
        Method::new("UnixNano", &[], Type::Int),
        Method::new("Weekday", &[], Type::Named(&WEEKDAY)),
        Method::new("Year", &[], Type::Int),
        Method::new("YearDay", &[], Type::Int),
    ],
    underlying: None,
};

impl Time {
    /// The time in UTC as a value, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn value(unix_ms: i64) -> Value {
        Time::in_zone(unix_ms, TimeZone::UTC)
    }

    /// The time in a time zone as a value.
    #[must_use]
    pub fn in_zone(unix_ms: i64, zone: TimeZone) -> Value {
        Time { at: Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH), zone }.into_value()
    }

    /// Go's zero time.
    #[must_use]
    pub fn zero() -> Value {
        Time::value(ZERO_TIME_SECS * 1_000)
    }

    /// Parses a time with one of Go's layouts; without an offset it is in UTC.
    ///
    /// # Errors
    ///
    /// The text does not match the layout.
    pub fn parse(layout: &str, text: &str) -> Result<Value, ValueError> {
        parse::parse(layout, text).map(|at| Time { at, zone: TimeZone::UTC }.into_value())
    }

    /// The same time in the zone with this name: an IANA name, `UTC`, or `Local` for the machine's.
    ///
    /// # Errors
    ///
    /// The value is not a time, or there is no such zone.
    pub fn moved(value: &Value, zone: &str) -> Result<Value, ValueError> {
        let at = Time::at_of(value)?;
        let zone = match zone {
            "" | "UTC" => TimeZone::UTC,
            "Local" => local(),
            name => TimeZone::get(name).map_err(|_| ValueError::UnknownZone(name.to_owned()))?,
        };
        Ok(Time { at, zone }.into_value())
    }

    fn into_value(self) -> Value {
        Value::Object(Arc::new(self))
    }

    fn with(&self, at: Timestamp) -> Value {
        Time { at, zone: self.zone.clone() }.into_value()
    }

    fn at_of(value: &Value) -> Result<Timestamp, ValueError> {
        if let Value::Object(object) = value
            && object.type_name() == TIME.name
            && let Some(Ok(Value::Int(secs))) = object.member("Unix", &[])
            && let Some(Ok(Value::Int(nanos))) = object.member("Nanosecond", &[])
        {
            let at = Timestamp::new(secs, i32::try_from(nanos).unwrap_or(0));
            return at.map_err(|error| ValueError::Failed(error.to_string()));
        }
        Err(ValueError::wrong_type(TIME.name, value.type_name()))
    }

    /// Milliseconds since the Unix epoch of a time value.
    ///
    /// # Errors
    ///
    /// It is not a time; in Go's words.
    pub fn unix_ms_of(value: &Value) -> Result<i64, ValueError> {
        Time::at_of(value).map(|at| at.as_nanosecond().div_euclid(1_000_000)).map(saturated)
    }

    fn civil(&self) -> Zoned {
        self.at.to_zoned(self.zone.clone())
    }

    /// The time in one of Go's layouts, such as `2006-01-02T15:04:05Z07:00`.
    #[must_use]
    pub fn format(&self, layout: &str) -> String {
        let time = self.civil();
        let mut output = String::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            let length = layout::element(&mut output, rest, &time);
            if length == 0 {
                output.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            } else {
                rest = rest.get(length..).unwrap_or_default();
            }
        }
        output
    }

    /// Rounds down to a multiple of a duration since Go's zero time; with `nearest` to the nearest multiple.
    fn rounded(&self, unit_nanos: i64, nearest: bool) -> Timestamp {
        if unit_nanos <= 0 {
            return self.at;
        }
        let zero = i128::from(ZERO_TIME_SECS) * 1_000_000_000;
        let (nanos, unit) = (self.at.as_nanosecond(), i128::from(unit_nanos));
        let rest = (nanos - zero).rem_euclid(unit);
        let start = nanos - rest;
        let rounded = if nearest && rest * 2 >= unit { start + unit } else { start };
        Timestamp::from_nanosecond(rounded).unwrap_or(self.at)
    }

    /// Adds years, months and days; a day that the month does not have is in the next month.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Timestamp {
        let time = self.civil();
        let months = i64::from(time.month()).saturating_sub(1).saturating_add(months);
        let year = i64::from(time.year()).saturating_add(years).saturating_add(months.div_euclid(12));
        let first = i16::try_from(year)
            .ok()
            .zip(i8::try_from(months.rem_euclid(12) + 1).ok())
            .and_then(|(year, month)| civil::Date::new(year, month, 1).ok());
        let days = i64::from(time.day()).saturating_sub(1).saturating_add(days);
        // More days than there are dates have no result.
        let days = (-MOST_DAYS..=MOST_DAYS).contains(&days).then(|| SignedDuration::from_hours(days * 24));
        let date = first.zip(days).and_then(|(first, days)| first.checked_add(days).ok());
        let moved = date.and_then(|date| date.to_datetime(time.time()).to_zoned(self.zone.clone()).ok());
        moved.map_or(self.at, |moved| moved.timestamp())
    }
}

/// The machine's zone; UTC if it has none, as in Go.
fn local() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

fn saturated(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

impl Object for Time {
    fn type_name(&self) -> &'static str {
        TIME.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(&TIME)
    }

    fn member(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        let first = arguments.first().unwrap_or(&Value::Nil);
        let length = || Duration::nanos_of(first).unwrap_or(0);
        let other = |then: &dyn Fn(Timestamp) -> Value| Time::at_of(first).map(then);
        let number = |at: usize| arguments.get(at).and_then(|number| number.as_int().ok()).unwrap_or(0);
        let nanos = self.at.as_nanosecond();
        let time = self.civil();
        Some(Ok(match name {
            "Add" => {
                let later = Timestamp::from_nanosecond(nanos + i128::from(length()));
                self.with(later.unwrap_or(self.at))
            }
            "AddDate" => self.with(self.add_date(number(0), number(1), number(2))),
            "After" => return Some(other(&|at| Value::Bool(self.at > at))),
            "Before" => return Some(other(&|at| Value::Bool(self.at < at))),
            "Compare" => return Some(other(&|at| Value::Int(i64::from(self.at.cmp(&at) as i8)))),
            "Day" => Value::Int(i64::from(time.day())),
            "Equal" => return Some(other(&|at| Value::Bool(self.at == at))),
            "Format" => return Some(first.as_str().map(|layout| self.format(layout).into())),
            "Hour" => Value::Int(i64::from(time.hour())),
            "In" => match Location::of(first) {
                Some(zone) => Time { at: self.at, zone }.into_value(),
                None => return Some(Err("the time zone is not known here".into())),
            },
            "IsDST" => Value::Bool(self.zone.to_offset_info(self.at).dst().is_dst()),
            "IsZero" => Value::Bool(nanos == i128::from(ZERO_TIME_SECS) * 1_000_000_000),
            "Local" => Time { at: self.at, zone: local() }.into_value(),
            "Location" => Value::Object(Arc::new(Location(self.zone.clone()))),
            "Minute" => Value::Int(i64::from(time.minute())),
            "Month" => zone::month(time.month()),
            "Nanosecond" => Value::Int(saturated(nanos.rem_euclid(1_000_000_000))),
            "Round" => self.with(self.rounded(length(), true)),
            "Second" => Value::Int(i64::from(time.second())),
            "String" => self.text().unwrap_or_default().into(),
            "Sub" => return Some(other(&|at| Duration::of_nanos(saturated(nanos - at.as_nanosecond())))),
            "Truncate" => self.with(self.rounded(length(), false)),
            "UTC" => Time { at: self.at, zone: TimeZone::UTC }.into_value(),
            "Unix" => Value::Int(saturated(nanos.div_euclid(1_000_000_000))),
            "UnixMicro" => Value::Int(saturated(nanos.div_euclid(1_000))),
            "UnixMilli" => Value::Int(saturated(nanos.div_euclid(1_000_000))),
            "UnixNano" => Value::Int(saturated(nanos)),
            "Weekday" => zone::weekday(time.weekday().to_sunday_zero_offset()),
            "Year" => Value::Int(i64::from(time.year())),
            "YearDay" => Value::Int(i64::from(time.day_of_year())),
            _ => return None,
        }))
    }

    fn text(&self) -> Option<String> {
        Some(self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let time = Time { at: Timestamp::from_millisecond(1_700_000_000_000).unwrap(), zone };
        assert_eq!(time.format("2006-01-02T15:04:05Z07:00"), "2023-11-14T19:13:20-03:00");
        assert_eq!(time.format("15:04 -0700 -07 -070000"), "19:13 -0300 -03 -030000");
        let utc = Time { zone: TimeZone::UTC, ..time };
        assert_eq!(utc.format("Mon 15:04:05 MST -07:00 Z0700"), "Tue 22:13:20 UTC +00:00 Z");
        // A word that only starts like an element is literal; the day of the year has three digits.
        assert_eq!(utc.format("Monk Janet __2 002 _2006 Jan"), "Monk Janet 318 318 _2023 Nov");
    }

    #[test]
    fn times_are_read_by_their_layout() {
        let read = |layout: &str, text: &str| Time::parse(layout, text).map(|time| time.to_string());
        for (layout, text, time) in [
            ("2006-01-02", "2026-11-20", "2026-11-20 00:00:00 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2026-11-20T10:00:00.25+01:00", "2026-11-20 09:00:00.25 +0000 UTC"),
            ("Mon, 02 Jan 2006 3:04PM", "Fri, 20 Nov 2026 9:05pm", "2026-11-20 21:05:00 +0000 UTC"),
            ("January 2, 06 MST", "November 3, 99 UTC", "1999-11-03 00:00:00 +0000 UTC"),
        ] {
            assert_eq!(read(layout, text).as_deref(), Ok(time), "{text}");
        }
        for (layout, text) in
            [("2006-01-02", "2026-13-01"), ("2006-01-02", "today"), ("15:04", "10:00 x"), ("15:04", "25:00")]
        {
            assert!(read(layout, text).is_err(), "{text}");
        }
    }
}
