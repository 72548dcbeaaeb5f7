//! Times, durations and JSON in the format of Go's standard library.

use chrono::{DateTime, FixedOffset, Offset, Utc};
use serde::Serialize;

/// Writes times with the offset of the daemon's zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoTime {
    offset: FixedOffset,
}

impl GoTime {
    /// A zone `minutes` east of UTC; UTC if there is no such zone.
    pub(crate) fn east(minutes: i32) -> Self {
        GoTime { offset: FixedOffset::east_opt(minutes.saturating_mul(60)).unwrap_or(Utc.fix()) }
    }

    /// RFC 3339 in whole seconds: the format of times that the daemon formats itself.
    pub(crate) fn seconds(self, ms: i64) -> String {
        let time = self.local(ms);
        format!("{}{}", time.format("%Y-%m-%dT%H:%M:%S"), self.zone())
    }

    /// RFC 3339 with nanoseconds, without trailing zeros: the format of a marshalled `time.Time`. The world counts
    /// milliseconds; `salt` generates the digits below.
    pub(crate) fn nanos(self, ms: i64, salt: u64) -> String {
        let time = self.local(ms);
        let fraction = format!("{:03}{:06}", ms.rem_euclid(1000), salt % 1_000_000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}{}", time.format("%Y-%m-%dT%H:%M:%S"), self.zone())
    }

    fn local(self, ms: i64) -> DateTime<FixedOffset> {
        DateTime::from_timestamp_millis(ms).unwrap_or_default().with_timezone(&self.offset)
    }

    fn zone(self) -> String {
        if self.offset.local_minus_utc() == 0 { "Z".to_owned() } else { self.offset.to_string() }
    }
}

/// RFC 3339, UTC, milliseconds: the format of times in the documented dialect.
pub(crate) fn utc_millis(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A duration in Go's format: `2h30m15.5s`, `950.1ms`, `12µs`, `0s`.
pub(crate) fn go_duration(nanos: u64) -> String {
    match nanos {
        0 => return "0s".to_owned(),
        1..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => return format!("{}µs", decimal(nanos, 3)),
        1_000_000..1_000_000_000 => return format!("{}ms", decimal(nanos, 6)),
        _ => {}
    }
    let minutes = nanos / 60_000_000_000;
    let rest = decimal(nanos % 60_000_000_000, 9);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `value` with the decimal point `places` digits from the right and no trailing zeros.
fn decimal(value: u64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let width = usize::try_from(places).unwrap_or(0);
    let fraction = format!("{:0width$}", value % scale);
    match fraction.trim_end_matches('0') {
        "" => (value / scale).to_string(),
        fraction => format!("{}.{fraction}", value / scale),
    }
}

/// JSON in the format of `json.Encoder`: `<`, `>`, `&` and the two line separators escaped, a newline at the end.
pub(crate) fn go_json(value: &impl Serialize) -> String {
    // All serialised values are maps with text keys, which cannot fail.
    let plain = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    let mut text = String::with_capacity(plain.len() + 16);
    for letter in plain.chars() {
        match letter {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text.push('\n');
    text
}

/// A hash of a text, stable across runs.
pub(crate) fn salt(text: &str) -> u64 {
    // FNV-1a.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_the_offset() {
        let berlin = GoTime::east(60);
        assert_eq!(berlin.seconds(1_772_355_600_500), "2026-03-01T10:00:00+01:00");
        assert_eq!(berlin.nanos(1_772_355_600_500, 0), "2026-03-01T10:00:00.5+01:00");
        assert_eq!(berlin.nanos(1_772_355_600_123, 456_789), "2026-03-01T10:00:00.123456789+01:00");
        assert_eq!(GoTime::east(0).nanos(1_772_355_600_000, 0), "2026-03-01T09:00:00Z");
        assert_eq!(GoTime::east(-210).seconds(1_772_355_600_000), "2026-03-01T05:30:00-03:30");
        assert_eq!(utc_millis(1_772_355_600_050), "2026-03-01T09:00:00.050Z");
    }

    #[test]
    fn durations_are_gos() {
        for (nanos, text) in [
            (0, "0s"),
            (17, "17ns"),
            (1_500, "1.5µs"),
            (950_100_000, "950.1ms"),
            (1_000_000_000, "1s"),
            (75_000_000_000, "1m15s"),
            (9_015_123_456_789, "2h30m15.123456789s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(nanos), text);
        }
    }

    #[test]
    fn json_is_escaped_for_html() {
        assert_eq!(go_json(&"R&D <x>"), "\"R\\u0026D \\u003cx\\u003e\"\n");
    }
}
