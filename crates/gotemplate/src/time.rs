//! Times in templates: Go's `time.Time` with its layouts, and `time.Duration`.

use std::{fmt::Write, sync::Arc};

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::value::{Object, Value};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A time, with the methods that templates use: `Format`, `Unix`, `UnixMilli`, `UTC`, `Local`, `String`, `IsZero`,
/// `Year`, `Month`, `Day`, `Weekday`, `Hour`, `Minute`, `Second`, `Before`, `After`, `Sub`.
#[derive(Debug, Clone)]
pub struct Time {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: i64,
    /// Where it is told.
    pub zone: TimeZone,
}

impl Time {
    /// The time in UTC as a value.
    #[must_use]
    pub fn value(unix_ms: i64) -> Value {
        Time::in_zone(unix_ms, TimeZone::UTC)
    }

    /// The time in a time zone as a value.
    #[must_use]
    pub fn in_zone(unix_ms: i64, zone: TimeZone) -> Value {
        Value::Object(Arc::new(Time { unix_ms, zone }))
    }

    /// Milliseconds since the Unix epoch of a value that is a time.
    ///
    /// # Errors
    /// It is none; in Go's words.
    pub fn unix_ms_of(value: &Value) -> Result<i64, String> {
        if let Value::Object(object) = value
            && let Some(Ok(Value::Int(ms))) = object.member("UnixMilli", &[])
        {
            return Ok(ms);
        }
        Err(format!("wrong type for value; expected time.Time; got {}", value.type_name()))
    }

    fn civil(&self) -> Zoned {
        let timestamp = Timestamp::from_millisecond(self.unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        timestamp.to_zoned(self.zone.clone())
    }

    /// The time in one of Go's layouts, such as `2006-01-02T15:04:05Z07:00`.
    #[must_use]
    pub fn format(&self, layout: &str) -> String {
        let time = self.civil();
        let mut output = String::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            let length = element(&mut output, rest, &time);
            if length == 0 {
                output.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            } else {
                rest = rest.get(length..).unwrap_or_default();
            }
        }
        output
    }
}

/// Writes the element that the layout begins with; its length, or 0 if it begins with none.
fn element(output: &mut String, layout: &str, time: &Zoned) -> usize {
    let hour12 = if time.hour() % 12 == 0 { 12 } else { time.hour() % 12 };
    let name = |names: &[&'static str], number: i8| {
        usize::try_from(number - 1).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let month = name(&MONTHS, time.month());
    let day = name(&DAYS, time.weekday().to_monday_one_offset());
    let short = |name: &'static str| name.get(..3).unwrap_or(name).to_owned();
    let nanos = time.subsec_nanosecond();
    let zone = time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned();
    let offset_secs = time.offset().seconds();
    let offset = |separator: &str, parts: usize| {
        let (sign, secs) = (if offset_secs < 0 { '-' } else { '+' }, offset_secs.abs());
        let fields = [secs / 3600, secs / 60 % 60, secs % 60].map(|part| format!("{part:02}"));
        format!("{sign}{}", fields.get(..parts).unwrap_or(&fields).join(separator))
    };
    let or_zulu = |separator: &str, parts| if offset_secs == 0 { "Z".to_owned() } else { offset(separator, parts) };
    // Longer elements first where one begins with another.
    let elements: [(&str, String); 29] = [
        ("January", month.to_owned()),
        ("Jan", short(month)),
        ("Monday", day.to_owned()),
        ("Mon", short(day)),
        ("MST", zone),
        ("2006", format!("{:04}", time.year())),
        ("-07:00:00", offset(":", 3)),
        ("-07:00", offset(":", 2)),
        ("-0700", offset("", 2)),
        ("-07", offset("", 1)),
        ("Z07:00:00", or_zulu(":", 3)),
        ("Z07:00", or_zulu(":", 2)),
        ("Z0700", or_zulu("", 2)),
        ("Z07", or_zulu("", 1)),
        ("002", format!("{:03}", time.day_of_year())),
        ("01", format!("{:02}", time.month())),
        ("02", format!("{:02}", time.day())),
        ("03", format!("{hour12:02}")),
        ("04", format!("{:02}", time.minute())),
        ("05", format!("{:02}", time.second())),
        ("06", format!("{:02}", time.year().rem_euclid(100))),
        ("15", format!("{:02}", time.hour())),
        ("PM", if time.hour() < 12 { "AM" } else { "PM" }.to_owned()),
        ("pm", if time.hour() < 12 { "am" } else { "pm" }.to_owned()),
        ("_2", format!("{:>2}", time.day())),
        ("1", time.month().to_string()),
        ("2", time.day().to_string()),
        ("3", hour12.to_string()),
        ("4", time.minute().to_string()),
    ];
    if let Some(digits) = fraction_length(layout) {
        let all = format!("{nanos:09}");
        let digits_text = all.get(..digits.min(9)).unwrap_or(&all);
        let is_trimmed = layout.get(1..2) == Some("9");
        let shown = if is_trimmed { digits_text.trim_end_matches('0') } else { digits_text };
        if !shown.is_empty() {
            let _ = write!(output, "{}{shown}", layout.get(..1).unwrap_or("."));
        }
        return digits + 1;
    }
    for (element, text) in elements {
        if layout.starts_with(element) {
            output.push_str(&text);
            return element.len();
        }
    }
    if layout.starts_with('5') {
        output.push_str(&time.second().to_string());
        return 1;
    }
    0
}

/// Digits of a fraction of a second, `.000` or `.999`, that the layout begins with.
fn fraction_length(layout: &str) -> Option<usize> {
    let rest = layout.strip_prefix(['.', ','])?;
    let first = rest.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = rest.len() - rest.trim_start_matches(first).len();
    let after = rest.get(digits..).unwrap_or_default();
    (!after.starts_with(|next: char| next.is_ascii_digit())).then_some(digits)
}

impl Object for Time {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn member(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let other = |then: &dyn Fn(i64) -> Value| match arguments {
            [time] => Time::unix_ms_of(time).map(then),
            _ => Err("expected one time.Time".to_owned()),
        };
        let time = self.civil();
        Some(Ok(match name {
            "Format" => match arguments {
                [layout] => return Some(layout.as_str().map(|layout| self.format(layout).into())),
                _ => return Some(Err(format!("wrong number of args for Format: want 1 got {}", arguments.len()))),
            },
            "Before" => return Some(other(&|ms| Value::Bool(self.unix_ms < ms))),
            "After" => return Some(other(&|ms| Value::Bool(self.unix_ms > ms))),
            "Equal" => return Some(other(&|ms| Value::Bool(self.unix_ms == ms))),
            "Sub" => return Some(other(&|ms| Duration::between(ms, self.unix_ms))),
            "Unix" => Value::Int(self.unix_ms.div_euclid(1000)),
            "UnixMilli" => Value::Int(self.unix_ms),
            // A server has no other local time.
            "UTC" | "Local" => Time::value(self.unix_ms),
            "String" => self.text().unwrap_or_default().into(),
            "IsZero" => Value::Bool(false),
            "Year" => Value::Int(i64::from(time.year())),
            "Month" => Value::Int(i64::from(time.month())),
            "Day" => Value::Int(i64::from(time.day())),
            "Weekday" => Value::Int(i64::from(time.weekday().to_sunday_zero_offset())),
            "Hour" => Value::Int(i64::from(time.hour())),
            "Minute" => Value::Int(i64::from(time.minute())),
            "Second" => Value::Int(i64::from(time.second())),
            _ => return None,
        }))
    }

    fn text(&self) -> Option<String> {
        Some(self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// A length of time: Go's `time.Duration`, with the methods `Hours`, `Minutes`, `Seconds`, `Milliseconds` and `String`.
#[derive(Debug, Clone, Copy)]
pub struct Duration {
    secs: f64,
}

impl Duration {
    /// A length in seconds as a value.
    #[must_use]
    pub fn value(secs: f64) -> Value {
        Value::Object(Arc::new(Duration { secs }))
    }

    /// The time from one time to another, both in milliseconds, as a value.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // milliseconds between two times
    pub fn between(from_ms: i64, to_ms: i64) -> Value {
        Duration::value(to_ms.saturating_sub(from_ms) as f64 / 1000.0)
    }

    /// The seconds of a value that is a length of time.
    #[must_use]
    pub fn secs_of(value: &Value) -> Option<f64> {
        match value {
            Value::Object(object) if object.type_name() == TYPE_NAME => {
                object.member("Seconds", &[]).and_then(Result::ok).and_then(|secs| secs.as_float().ok())
            }
            _ => None,
        }
    }
}

const TYPE_NAME: &str = "time.Duration";

impl Object for Duration {
    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    fn member(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        Some(Ok(match name {
            "Hours" => Value::Float(self.secs / 3600.0),
            "Minutes" => Value::Float(self.secs / 60.0),
            "Seconds" => Value::Float(self.secs),
            #[allow(clippy::cast_possible_truncation)] // a number of milliseconds, saturated
            "Milliseconds" => Value::Int((self.secs * 1000.0) as i64),
            "String" => self.text().unwrap_or_default().into(),
            _ => return None,
        }))
    }

    fn text(&self) -> Option<String> {
        let sign = if self.secs < 0.0 { "-" } else { "" };
        #[allow(clippy::cast_possible_truncation)] // `as` saturates
        let nanos = (self.secs.abs() * 1e9).round() as i64;
        // Digits of a fraction with nothing behind that could be left out.
        let with_fraction = |nanos: i64, unit: i64| {
            let digits = unit.ilog10() as usize;
            let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
            if digits == 0 {
                (nanos / unit).to_string()
            } else {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        };
        Some(match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{sign}{nanos}ns"),
            1_000..1_000_000 => format!("{sign}{}\u{b5}s", with_fraction(nanos, 1_000)),
            1_000_000..1_000_000_000 => format!("{sign}{}ms", with_fraction(nanos, 1_000_000)),
            _ => {
                let minutes = nanos / 60_000_000_000;
                let secs = with_fraction(nanos % 60_000_000_000, 1_000_000_000);
                match (minutes / 60, minutes % 60) {
                    (0, 0) => format!("{sign}{secs}s"),
                    (0, minutes) => format!("{sign}{minutes}m{secs}s"),
                    (hours, minutes) => format!("{sign}{hours}h{minutes}m{secs}s"),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_go_writes_them() {
        let shown = |secs: f64| Duration::value(secs).to_string();
        assert_eq!(shown(0.0), "0s");
        assert_eq!(shown(90.0), "1m30s");
        assert_eq!(shown(3600.0), "1h0m0s");
        assert_eq!(shown(-3661.5), "-1h1m1.5s");
        assert_eq!(shown(0.012), "12ms");
        assert_eq!(shown(1.5e-6), "1.5\u{b5}s");
    }

    #[test]
    fn times_are_told_in_their_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let time = Time { unix_ms: 1_700_000_000_000, zone };
        assert_eq!(time.format("2006-01-02T15:04:05Z07:00"), "2023-11-14T19:13:20-03:00");
        assert_eq!(time.format("15:04 -0700 -07"), "19:13 -0300 -03");
        let utc = Time { zone: TimeZone::UTC, ..time };
        assert_eq!(utc.format("Mon 15:04:05 MST -07:00 Z0700"), "Tue 22:13:20 UTC +00:00 Z");
    }
}
