//! Values of a daemon's JSON, parsed leniently: a field of the wrong type counts as unknown, and the message is still
//! used.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A field that should be text, a number or a time. Objects and lists parse as [`Scalar::Nothing`].
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Scalar {
    /// Absent, `null`, or not a scalar.
    #[default]
    Nothing,
    /// `true` or `false`.
    Truth,
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Scalar {
    /// The text, unless it is empty.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Scalar::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The text, unless it is empty.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The number, if it is finite.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is a non-negative integer.
    pub(crate) fn count(&self) -> Option<u64> {
        /// Above this, floats cannot represent every integer.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the range")]
        self.number().filter(|number| (0.0..=EXACT).contains(number)).map(|number| number as u64)
    }

    /// The time in milliseconds since the Unix epoch. Go's zero time counts as none.
    pub(crate) fn time_ms(&self) -> Option<i64> {
        self.as_text().and_then(parse_time_ms)
    }
}

/// An RFC 3339 time with any offset, in milliseconds since the Unix epoch. `None` for anything before 1970, such as Go's zero time.
pub(crate) fn parse_time_ms(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_millisecond()).filter(|milliseconds| *milliseconds > 0)
}

/// Parses Go's format of a duration (`2h30m15.5s`, `950.1ms`) into seconds.
pub(crate) fn parse_go_duration(text: &str) -> Option<f64> {
    let (sign, mut rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    if rest == "0" {
        return Some(0.0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit_seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit_seconds;
        rest = after;
    }
    Some(sign * seconds)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Truth)
    }

    #[allow(clippy::cast_precision_loss, reason = "a daemon's numbers are far below 2^53")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "a daemon's numbers are far below 2^53")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_offsets_and_go_has_a_zero() {
        assert_eq!(parse_time_ms("2026-03-01T10:00:00.123456789+01:00"), Some(1_772_355_600_123));
        assert_eq!(parse_time_ms("2026-03-01T09:00:00Z"), Some(1_772_355_600_000));
        assert_eq!(parse_time_ms("0001-01-01T00:00:00Z"), None);
        assert_eq!(parse_time_ms("yesterday"), None);
    }

    #[test]
    fn durations_are_go_durations() {
        assert_eq!(parse_go_duration("2h30m15.5s"), Some(9015.5));
        assert_eq!(parse_go_duration("950.5ms"), Some(0.9505));
        assert_eq!(parse_go_duration("0s"), Some(0.0));
        for wrong in ["", "5", "h", "1d", "1h x"] {
            assert_eq!(parse_go_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn any_json_is_a_scalar() {
        let read = |json: &str| serde_json::from_str::<Scalar>(json).unwrap();
        assert_eq!(read("3").count(), Some(3));
        assert_eq!(read("-3").count(), None);
        assert_eq!(read("\"\"").text(), None);
        for nothing in ["null", "[1,[2]]", "{\"a\":{\"b\":1}}"] {
            assert_eq!(read(nothing), Scalar::Nothing);
        }
    }
}
