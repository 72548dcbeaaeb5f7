//! Go's `time.Duration`.

use std::sync::Arc;

use crate::{
    types::{Method, Named, Type},
    value::{Object, Value},
    value_error::ValueError,
};

/// Nanoseconds per second.
const SECOND: i64 = 1_000_000_000;

/// A duration in nanoseconds, with all of Go's methods.
#[derive(Debug, Clone, Copy)]
pub struct Duration {
    nanos: i64,
}

/// Its type, for the check of templates.
pub static DURATION: Named = Named {
    name: "time.Duration",
    fields: &[],
    methods: &[
        Method::new("Abs", &[], Type::Named(&DURATION)),
        Method::new("Hours", &[], Type::Float),
        Method::new("Microseconds", &[], Type::Int),
        Method::new("Milliseconds", &[], Type::Int),
        Method::new("Minutes", &[], Type::Float),
        Method::new("Nanoseconds", &[], Type::Int),
        Method::new("Round", &[Type::Named(&DURATION)], Type::Named(&DURATION)),
        Method::new("Seconds", &[], Type::Float),
        Method::new("String", &[], Type::Str),
        Method::new("Truncate", &[Type::Named(&DURATION)], Type::Named(&DURATION)),
    ],
    underlying: Some(Type::Int),
};

impl Duration {
    /// A duration from seconds, as a value.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // `as` saturates
    pub fn value(secs: f64) -> Value {
        Duration::of_nanos((secs * 1e9).round() as i64)
    }

    /// A duration from nanoseconds, as a value.
    #[must_use]
    pub fn of_nanos(nanos: i64) -> Value {
        Value::Object(Arc::new(Duration { nanos }))
    }

    /// The duration between two times in milliseconds, as a value.
    #[must_use]
    pub fn between(from_ms: i64, to_ms: i64) -> Value {
        Duration::of_nanos(to_ms.saturating_sub(from_ms).saturating_mul(1_000_000))
    }

    /// The nanoseconds of a duration value.
    #[must_use]
    pub fn nanos_of(value: &Value) -> Option<i64> {
        match value {
            Value::Object(object) if object.type_name() == DURATION.name => object.underlying().as_int().ok(),
            _ => None,
        }
    }

    /// The seconds of a duration value.
    #[must_use]
    pub fn secs_of(value: &Value) -> Option<f64> {
        Duration::nanos_of(value).map(|nanos| in_units(nanos, SECOND))
    }

    /// Rounds to the nearest multiple of `unit`, halves away from zero; unchanged if `unit` is not positive.
    fn rounded(self, unit: i64) -> i64 {
        if unit <= 0 {
            return self.nanos;
        }
        let rest = self.nanos % unit;
        let down = self.nanos - rest;
        match rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2) {
            true if self.nanos < 0 => down.saturating_sub(unit),
            true => down.saturating_add(unit),
            false => down,
        }
    }

    fn truncated(self, unit: i64) -> i64 {
        if unit <= 0 { self.nanos } else { self.nanos - self.nanos % unit }
    }
}

/// Divides like Go: whole units and the rest separately, so that large numbers stay exact.
#[allow(clippy::cast_precision_loss)] // what is lost is lost in Go too
fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

impl Object for Duration {
    fn type_name(&self) -> &'static str {
        DURATION.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(&DURATION)
    }

    fn member(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        let unit = || arguments.first().and_then(Duration::nanos_of).unwrap_or(0);
        Some(Ok(match name {
            "Abs" => Duration::of_nanos(self.nanos.saturating_abs()),
            "Hours" => Value::Float(in_units(self.nanos, 3_600 * SECOND)),
            "Minutes" => Value::Float(in_units(self.nanos, 60 * SECOND)),
            "Seconds" => Value::Float(in_units(self.nanos, SECOND)),
            "Milliseconds" => Value::Int(self.nanos / 1_000_000),
            "Microseconds" => Value::Int(self.nanos / 1_000),
            "Nanoseconds" => Value::Int(self.nanos),
            "Round" => Duration::of_nanos(self.rounded(unit())),
            "Truncate" => Duration::of_nanos(self.truncated(unit())),
            "String" => self.text().unwrap_or_default().into(),
            _ => return None,
        }))
    }

    /// Its nanoseconds, with which Go compares and calculates.
    fn underlying(&self) -> Value {
        Value::Int(self.nanos)
    }

    fn text(&self) -> Option<String> {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        // A fraction without trailing zeros.
        let with_fraction = |nanos: u64, unit: u64| {
            let digits = unit.ilog10() as usize;
            let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
        assert_eq!(Duration::of_nanos(i64::MIN).to_string(), "-2562047h47m16.854775808s");
    }

    #[test]
    fn lengths_are_rounded_as_go_rounds_them() {
        let of = |nanos: i64, unit: i64| {
            let length = Duration { nanos };
            (length.rounded(unit), length.truncated(unit))
        };
        assert_eq!(of(15, 10), (20, 10));
        assert_eq!(of(14, 10), (10, 10));
        assert_eq!(of(-15, 10), (-20, -10));
        assert_eq!(of(-14, 10), (-10, -10));
        assert_eq!(of(4, 3), (3, 3));
        assert_eq!(of(7, 0), (7, 7));
        assert_eq!(of(i64::MAX, 10), (i64::MAX, i64::MAX - 7));
    }
}
