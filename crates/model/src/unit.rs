//! Values in words: Grafana's unit ids, at a sensible precision.
//!
//! A value has three significant digits unless its panel says how many decimals it wants. Nothing here depends on a locale,
//! so that the server and the browser write the same text.

use crate::civil::Civil;

/// What a value counts, read from Grafana's unit id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A number that is written in full.
    Plain,
    /// A number, followed by the text (` req/s`), with thousands shortened to `K`, `Mil`, `Bil`.
    Short(String),
    /// 0 to 100.
    Percent,
    /// 0 to 1, written as percent.
    PercentUnit,
    /// Bytes in powers of 1024, followed by the text (`/s`).
    Binary(&'static str),
    /// Bytes or bits in powers of 1000: the base symbol (`B`, `b`) and what follows (`/s`).
    Decimal(&'static str, &'static str),
    /// A length of time; one of the unit is so many seconds.
    Duration(TimeScale),
    /// An instant: milliseconds since the Unix epoch.
    Instant,
}

/// Unit in which a duration is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeScale {
    /// Nanoseconds.
    Nanosecond,
    /// Microseconds.
    Microsecond,
    /// Milliseconds.
    Millisecond,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
}

impl TimeScale {
    /// Length in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            TimeScale::Nanosecond => 1e-9,
            TimeScale::Microsecond => 1e-6,
            TimeScale::Millisecond => 1e-3,
            TimeScale::Second => 1.0,
            TimeScale::Minute => 60.0,
            TimeScale::Hour => 3_600.0,
            TimeScale::Day => 86_400.0,
        }
    }
}

/// What round numbers are in a unit: where ticks of an axis fall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Roundness {
    /// 1, 2 and 5 times powers of ten.
    Decimal,
    /// Powers of two.
    Binary,
    /// Round lengths of time; one of the unit is so many seconds.
    Time(f64),
}

const SHORT: [&str; 5] = ["", " K", " Mil", " Bil", " Tri"];
const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL: [&str; 6] = ["", "k", "M", "G", "T", "P"];

impl Unit {
    /// Reads a unit id. An id that Grafana does not have is the text after the number (`jobs/min`); an empty one is `short`.
    #[must_use]
    pub fn from_id(id: &str) -> Self {
        match id {
            "" | "short" => Unit::Short(String::new()),
            "none" => Unit::Plain,
            "percent" => Unit::Percent,
            "percentunit" => Unit::PercentUnit,
            "bytes" => Unit::Binary(""),
            "binBps" => Unit::Binary("/s"),
            "decbytes" => Unit::Decimal("B", ""),
            "Bps" => Unit::Decimal("B", "/s"),
            "decbits" => Unit::Decimal("b", ""),
            "bps" => Unit::Decimal("b", "/s"),
            "hertz" => Unit::Decimal("Hz", ""),
            "ns" => Unit::Duration(TimeScale::Nanosecond),
            "µs" => Unit::Duration(TimeScale::Microsecond),
            "ms" | "dtdurationms" => Unit::Duration(TimeScale::Millisecond),
            "s" | "dtdurations" => Unit::Duration(TimeScale::Second),
            "m" => Unit::Duration(TimeScale::Minute),
            "h" => Unit::Duration(TimeScale::Hour),
            "d" => Unit::Duration(TimeScale::Day),
            "reqps" => Unit::Short(" req/s".into()),
            "ops" => Unit::Short(" ops/s".into()),
            "rps" => Unit::Short(" reads/s".into()),
            "wps" => Unit::Short(" writes/s".into()),
            "iops" => Unit::Short(" io/s".into()),
            "cps" => Unit::Short(" counts/s".into()),
            "pps" => Unit::Short(" packets/s".into()),
            "celsius" => Unit::Short(" °C".into()),
            _ if id.starts_with("dateTime") => Unit::Instant,
            _ => Unit::Short(format!(" {}", id.strip_prefix("suffix:").unwrap_or(id))),
        }
    }

    /// Where an axis of this unit has its ticks.
    #[must_use]
    pub fn roundness(&self) -> Roundness {
        match self {
            Unit::Binary(_) => Roundness::Binary,
            Unit::Duration(scale) => Roundness::Time(scale.seconds()),
            _ => Roundness::Decimal,
        }
    }

    /// A value by itself: `1.43 GiB`, `12.3 ms`, `4.2 jobs/min`. `decimals` fixes the number of decimals.
    #[must_use]
    pub fn format(&self, value: f64, decimals: Option<u8>) -> String {
        if !value.is_finite() {
            return non_finite(value).to_owned();
        }
        match self {
            Unit::Plain => number(value, decimals),
            Unit::Short(suffix) => match decimals {
                // Asked for whole numbers: shortening would hide the digits that were asked for.
                Some(0) if value.abs() < 999_999.5 => format!("{}{suffix}", grouped(value)),
                _ => {
                    let (scaled, prefix) = scale(value, 1_000.0, &SHORT);
                    format!("{}{prefix}{suffix}", number(scaled, decimals))
                }
            },
            Unit::Percent => percent(value, decimals),
            Unit::PercentUnit => percent(value * 100.0, decimals),
            Unit::Binary(suffix) => {
                let (scaled, symbol) = scale(value, 1_024.0, &BINARY);
                format!("{} {symbol}{suffix}", number(scaled, decimals))
            }
            Unit::Decimal(base, suffix) => {
                let (scaled, prefix) = scale(value, 1_000.0, &DECIMAL);
                format!("{} {prefix}{base}{suffix}", number(scaled, decimals))
            }
            Unit::Duration(time_scale) => duration_with(value * time_scale.seconds(), decimals),
            Unit::Instant => Civil::new(rounded(value), 0).to_string(),
        }
    }

    /// A value in little room: a length of time in one unit (`34 min`, `2.3 h`), others as by themselves.
    #[must_use]
    pub fn brief(&self, value: f64) -> String {
        match self {
            Unit::Duration(time_scale) if value.is_finite() => {
                let seconds = value * time_scale.seconds();
                let (length, symbol) = time_symbol(seconds);
                let count = seconds / length;
                let decimals = usize::from(count.abs() < 9.95);
                format!("{} {symbol}", trimmed(fixed(count, decimals)))
            }
            _ => self.format(value, None),
        }
    }

    /// How the ticks of an axis are written: all in the same unit, with as few decimals as tell them apart.
    /// `greatest` is the greatest absolute value of the axis, `step` the distance between ticks.
    #[must_use]
    pub fn axis(&self, greatest: f64, step: f64) -> AxisFormat {
        let (divisor, suffix) = match self {
            Unit::Plain | Unit::Instant => (1.0, String::new()),
            // What is counted is said by the legend; beside an axis it would only take room.
            Unit::Short(_) => {
                let (divisor, prefix) = divisor(greatest, 1_000.0, &SHORT);
                (divisor, prefix.to_owned())
            }
            Unit::Percent => (1.0, "%".to_owned()),
            Unit::PercentUnit => (0.01, "%".to_owned()),
            Unit::Binary(suffix) => {
                let (divisor, symbol) = divisor(greatest, 1_024.0, &BINARY);
                (divisor, format!(" {symbol}{suffix}"))
            }
            Unit::Decimal(base, suffix) => {
                let (divisor, prefix) = divisor(greatest, 1_000.0, &DECIMAL);
                (divisor, format!(" {prefix}{base}{suffix}"))
            }
            Unit::Duration(time_scale) => {
                let seconds = time_scale.seconds();
                let (length, symbol) = time_symbol(greatest * seconds);
                (length / seconds, format!(" {symbol}"))
            }
        };
        AxisFormat { divisor, decimals: decimals_of(step / divisor), suffix }
    }
}

/// How the ticks of one axis are written.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisFormat {
    divisor: f64,
    decimals: usize,
    suffix: String,
}

impl AxisFormat {
    /// Text of a tick.
    #[must_use]
    pub fn label(&self, value: f64) -> String {
        if !value.is_finite() {
            return non_finite(value).to_owned();
        }
        if value == 0.0 && self.suffix != "%" {
            return "0".to_owned();
        }
        format!("{}{}", trimmed(fixed(value / self.divisor, self.decimals)), self.suffix)
    }
}

/// A length of time in its two largest units: `2 h 5 min`, `12.3 ms`, `3 d`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds.is_finite() { duration_with(seconds, None) } else { non_finite(seconds).to_owned() }
}

/// How long ago something was, or how old a number is: `12 s ago`, `2 h 5 min ago`, `14 min ago`. What lies ahead is `now`.
#[must_use]
pub fn age(age_ms: i64) -> String {
    if age_ms < 1_000 { "now".to_owned() } else { format!("{} ago", rough_duration(age_ms)) }
}

/// A length of time as one says it: as [`whole_duration`], without the smaller unit from ten of the larger one up.
#[must_use]
pub fn rough_duration(length_ms: i64) -> String {
    let seconds = length_ms.max(0) / 1_000;
    let rough = TIME_UNITS.iter().map(|(length, _)| length).find(|length| seconds / **length >= 10);
    two_units(rough.map_or(seconds, |length| seconds - seconds % length))
}

/// [`rough_duration`] of a length in seconds.
#[must_use]
pub fn rough_duration_secs(seconds: f64) -> String {
    rough_duration(rounded(seconds.max(0.0)).saturating_mul(1_000))
}

/// A length of time in whole seconds: `12 s`, `2 h 5 min`.
#[must_use]
pub fn whole_duration(length_ms: i64) -> String {
    two_units(length_ms.max(0) / 1_000)
}

const TIME_UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];

fn two_units(seconds: i64) -> String {
    let Some(first) = TIME_UNITS.iter().position(|(length, _)| seconds >= *length) else { return "0 s".to_owned() };
    let mut rest = seconds;
    let mut parts = Vec::with_capacity(2);
    for (length, symbol) in TIME_UNITS.iter().skip(first).take(2) {
        if rest / length > 0 {
            parts.push(format!("{} {symbol}", rest / length));
        }
        rest %= length;
    }
    parts.join(" ")
}

fn duration_with(seconds: f64, decimals: Option<u8>) -> String {
    if seconds.abs() < 59.95 || decimals.is_some() {
        let (length, symbol) = time_symbol(seconds);
        return format!("{} {symbol}", number(seconds / length, decimals));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    // From a day up seconds do not matter, nor from an hour up: the two largest units are written, rounded to the second one.
    let whole = rounded(seconds.abs());
    let whole = if whole >= 86_400 {
        (whole + 1_800) / 3_600 * 3_600
    } else if whole >= 3_600 {
        (whole + 30) / 60 * 60
    } else {
        whole
    };
    format!("{sign}{}", two_units(whole))
}

/// The unit in which so many seconds are best written: its length in seconds and its symbol.
fn time_symbol(seconds: f64) -> (f64, &'static str) {
    let seconds = seconds.abs();
    if seconds == 0.0 {
        (1.0, "s")
    } else if seconds < 0.999_5e-6 {
        (1e-9, "ns")
    } else if seconds < 0.999_5e-3 {
        (1e-6, "µs")
    } else if seconds < 0.999_5 {
        (1e-3, "ms")
    } else if seconds < 120.0 {
        (1.0, "s")
    } else if seconds < 7_200.0 {
        (60.0, "min")
    } else if seconds < 172_800.0 {
        (3_600.0, "h")
    } else {
        (86_400.0, "d")
    }
}

fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// Divides by the largest power of `base` that leaves at least one, with the symbol of that power. What would be rounded to
/// the next power has that power.
fn scale<'a>(value: f64, base: f64, symbols: &[&'a str]) -> (f64, &'a str) {
    let (divisor, symbol) = divisor(value, base, symbols);
    (value / divisor, symbol)
}

fn divisor<'a>(value: f64, base: f64, symbols: &[&'a str]) -> (f64, &'a str) {
    let (mut power, mut chosen) = (1.0, "");
    for (index, symbol) in symbols.iter().enumerate() {
        if index > 0 {
            if value.abs() / power < base - 0.5 {
                break;
            }
            power *= base;
        }
        chosen = symbol;
    }
    (power, chosen)
}

/// A number with three significant digits and no trailing zeros, or with so many decimals.
fn number(value: f64, decimals: Option<u8>) -> String {
    if let Some(decimals) = decimals {
        return fixed(value, usize::from(decimals));
    }
    let size = value.abs();
    let decimals = if size >= 99.95 || size == 0.0 {
        0
    } else if size >= 9.995 {
        1
    } else if size >= 0.999_5 {
        2
    } else if size >= 0.099_95 {
        3
    } else if size >= 0.000_5 {
        4
    } else {
        return format!("{value:.2e}");
    };
    trimmed(fixed(value, decimals))
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// So many decimals, and never a negative zero.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|character| matches!(character, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

/// A whole number with a comma every three digits.
fn grouped(value: f64) -> String {
    let text = fixed(value, 0);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Percent. What is not quite all is never written as 100.
fn percent(value: f64, decimals: Option<u8>) -> String {
    let text = number(value, decimals);
    if text == "100" && value < 100.0 && decimals.is_none() && value < 99.995 {
        return format!("{}%", fixed(value, 2));
    }
    format!("{text}%")
}

/// Decimals that tell apart numbers a `step` apart.
fn decimals_of(step: f64) -> usize {
    let step = step.abs();
    if !step.is_finite() || step == 0.0 {
        return 0;
    }
    (0..9)
        .find(|decimals| {
            let shifted = step * 10_f64.powi(*decimals);
            shifted >= 0.999_999 && (shifted - shifted.round()).abs() < 0.01 * shifted
        })
        .and_then(|decimals| usize::try_from(decimals).ok())
        .unwrap_or(9)
}

#[allow(clippy::cast_possible_truncation)] // saturates, which is what a nonsensical time deserves
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str, value: f64) -> String {
        Unit::from_id(id).format(value, None)
    }

    #[test]
    fn values_have_three_digits_and_their_unit() {
        for (id, value, wanted) in [
            ("short", 0.0, "0"),
            ("short", 42.0, "42"),
            ("short", 1_234.0, "1.23 K"),
            ("short", 999.9, "1 K"),
            ("short", 999_940.0, "1 Mil"),
            ("short", 2.5e9, "2.5 Bil"),
            ("short", -1_500.0, "-1.5 K"),
            ("short", 0.123_4, "0.123"),
            ("short", 0.000_012, "1.20e-5"),
            ("", 7.0, "7"),
            ("none", 12_345.0, "12345"),
            ("percent", 93.44, "93.4%"),
            ("percent", 99.97, "99.97%"),
            ("percent", 100.0, "100%"),
            ("percentunit", 0.05, "5%"),
            ("bytes", 512.0, "512 B"),
            ("bytes", 1_535_469_056.0, "1.43 GiB"),
            ("bytes", 1_048_575.9, "1 MiB"),
            ("decbytes", 1.5e9, "1.5 GB"),
            ("Bps", 12_345_678.0, "12.3 MB/s"),
            ("binBps", 2_097_152.0, "2 MiB/s"),
            ("s", 0.012_3, "12.3 ms"),
            ("s", 1.5, "1.5 s"),
            ("s", 0.0, "0 s"),
            ("s", 125.0, "2 min 5 s"),
            ("s", 7_500.0, "2 h 5 min"),
            ("s", 7_199.0, "2 h"),
            ("s", -7_500.0, "-2 h 5 min"),
            ("s", 0.000_02, "20 µs"),
            ("ms", 1_500.0, "1.5 s"),
            ("m", 90.0, "1 h 30 min"),
            ("reqps", 4.25, "4.25 req/s"),
            ("jobs/min", 4.2, "4.2 jobs/min"),
            ("jobs/h", 1_200.0, "1.2 K jobs/h"),
            ("dateTimeAsIso", 1_700_000_000_000.0, "2023-11-14 22:13:20"),
            ("short", f64::NAN, "NaN"),
            ("bytes", f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(text(id, value), wanted, "{id} {value}");
        }
    }

    #[test]
    fn decimals_can_be_fixed() {
        assert_eq!(Unit::from_id("short").format(12_345.4, Some(0)), "12,345");
        assert_eq!(Unit::from_id("short").format(-0.2, Some(0)), "0");
        assert_eq!(Unit::from_id("short").format(1_234_567.0, Some(0)), "1 Mil");
        assert_eq!(Unit::from_id("percent").format(99.97, Some(1)), "100.0%");
        assert_eq!(Unit::from_id("bytes").format(1_610_612_736.0, Some(2)), "1.50 GiB");
    }

    #[test]
    fn an_axis_has_one_unit() {
        let gibibyte = 1_073_741_824.0;
        let axis = Unit::from_id("bytes").axis(2.0 * gibibyte, 0.5 * gibibyte);
        assert_eq!(axis.label(0.0), "0");
        assert_eq!(axis.label(0.5 * gibibyte), "0.5 GiB");
        assert_eq!(axis.label(2.0 * gibibyte), "2 GiB");
        let axis = Unit::from_id("s").axis(0.5, 0.1);
        assert_eq!(axis.label(0.3), "300 ms");
        let axis = Unit::from_id("percentunit").axis(1.0, 0.25);
        assert_eq!((axis.label(0.25), axis.label(0.0)), ("25%".into(), "0%".into()));
        for unit in ["short", "jobs/h"] {
            assert_eq!(Unit::from_id(unit).axis(4_000.0, 500.0).label(1_500.0), "1.5 K");
        }
        let axis = Unit::from_id("s").axis(1_800.0, 300.0);
        assert_eq!(axis.label(600.0), "10 min");
    }

    #[test]
    fn brief_lengths_of_time_have_one_unit() {
        let brief = |seconds| Unit::from_id("s").brief(seconds);
        assert_eq!([0.005, 1.0, 2.5, 2_048.0, 8_192.0].map(brief), ["5 ms", "1 s", "2.5 s", "34 min", "2.3 h"]);
        assert_eq!(Unit::from_id("bytes").brief(2_048.0), "2 KiB");
    }

    #[test]
    fn ages_and_durations_are_short() {
        assert_eq!(age(-5), "now");
        assert_eq!(age(12_400), "12 s ago");
        assert_eq!(age(7_500_000), "2 h 5 min ago");
        assert_eq!(age(599_000), "9 min 59 s ago");
        assert_eq!(age(659_000), "10 min ago");
        assert_eq!(rough_duration(86_400_000 - 1), "23 h");
        assert_eq!(rough_duration(25 * 3_600_000), "1 d 1 h");
        assert_eq!(rough_duration(12_000), "12 s");
        assert_eq!(whole_duration(86_400_000 * 3), "3 d");
        assert_eq!(duration(0.0), "0 s");
        assert_eq!(duration(86_399.0), "1 d");
        assert_eq!(duration(f64::NAN), "NaN");
    }
}
