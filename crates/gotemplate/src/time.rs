//! Times in templates: Go's `time.Time` in UTC, with its layouts.

use std::{fmt::Write, sync::Arc};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

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

/// A time in UTC, with the methods that templates use: `Format`, `Unix`, `UnixMilli`, `UTC`, `Local`, `String`, `IsZero`,
/// `Year`, `Month`, `Day`, `Weekday`, `Hour`, `Minute`, `Second`, `Before`, `After`, `Sub` (in seconds).
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: i64,
}

impl Time {
    /// The time as a value.
    #[must_use]
    pub fn value(unix_ms: i64) -> Value {
        Value::Object(Arc::new(Time { unix_ms }))
    }

    fn civil(self) -> DateTime {
        let timestamp = Timestamp::from_millisecond(self.unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        TimeZone::UTC.to_datetime(timestamp)
    }

    /// The time in one of Go's layouts, such as `2006-01-02T15:04:05Z07:00`.
    #[must_use]
    pub fn format(self, layout: &str) -> String {
        let time = self.civil();
        let mut output = String::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            let length = element(&mut output, rest, time);
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
fn element(output: &mut String, layout: &str, time: DateTime) -> usize {
    let hour12 = if time.hour() % 12 == 0 { 12 } else { time.hour() % 12 };
    let name = |names: &[&'static str], number: i8| {
        usize::try_from(number - 1).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let month = name(&MONTHS, time.month());
    let day = name(&DAYS, time.weekday().to_monday_one_offset());
    let short = |name: &'static str| name.get(..3).unwrap_or(name).to_owned();
    let nanos = time.subsec_nanosecond();
    // Longer elements first where one begins with another.
    let elements: [(&str, String); 29] = [
        ("January", month.to_owned()),
        ("Jan", short(month)),
        ("Monday", day.to_owned()),
        ("Mon", short(day)),
        ("MST", "UTC".to_owned()),
        ("2006", format!("{:04}", time.year())),
        ("-07:00:00", "+00:00:00".to_owned()),
        ("-07:00", "+00:00".to_owned()),
        ("-0700", "+0000".to_owned()),
        ("-07", "+00".to_owned()),
        ("Z07:00:00", "Z".to_owned()),
        ("Z07:00", "Z".to_owned()),
        ("Z0700", "Z".to_owned()),
        ("Z07", "Z".to_owned()),
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
            [Value::Object(object)] => match object.member("UnixMilli", &[]) {
                Some(Ok(Value::Int(ms))) => Ok(then(ms)),
                _ => Err(format!("expected time.Time; got {}", object.type_name())),
            },
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
            #[allow(clippy::cast_precision_loss)] // milliseconds between two times
            "Sub" => return Some(other(&|ms| Value::Float((self.unix_ms - ms) as f64 / 1000.0))),
            "Unix" => Value::Int(self.unix_ms.div_euclid(1000)),
            "UnixMilli" => Value::Int(self.unix_ms),
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
