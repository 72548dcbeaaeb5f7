//! Formats values by Grafana's unit IDs, with a sensible precision.
//!
//! A value has three significant digits unless its panel sets the number of decimals. The format does not depend on a
//! locale, so that server and browser produce the same text.

mod digits;
mod length;

pub use self::digits::{fixed, short};
pub use self::length::{age, duration, rough_duration, rough_duration_secs, whole_duration};
use self::{
    digits::{decimals_of, divisor, grouped, non_finite, number, percent, rounded, scale, trimmed},
    length::{duration_with, time_symbol},
};
use crate::civil::Civil;

/// The unit of a value, parsed from Grafana's unit ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A number without prefix.
    Plain,
    /// A number followed by the text (` req/s`), with prefixes `K`, `Mil`, `Bil` for thousands.
    Short(String),
    /// 0 to 100.
    Percent,
    /// 0 to 1, formatted as percent.
    PercentUnit,
    /// Bytes in powers of 1024, followed by the text (`/s`).
    Binary(&'static str),
    /// Bytes or bits in powers of 1000: the base symbol (`B`, `b`) and what follows (`/s`).
    Decimal(&'static str, &'static str),
    /// A duration, measured in this scale.
    Duration(TimeScale),
    /// An instant: milliseconds since the Unix epoch.
    Instant,
}

/// Scale of a duration.
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

/// Which numbers are round in a unit: ticks of an axis are there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Roundness {
    /// 1, 2 and 5 times powers of ten.
    Decimal,
    /// Powers of two.
    Binary,
    /// Round durations; one unit has this many seconds.
    Time(f64),
}

const SHORT: [&str; 5] = ["", " K", " Mil", " Bil", " Tri"];
const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL: [&str; 6] = ["", "k", "M", "G", "T", "P"];

impl Unit {
    /// Parses a unit ID. An unknown ID is the text after the number (`jobs/min`); an empty one is `short`.
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

    /// The round numbers for ticks of an axis.
    #[must_use]
    pub fn roundness(&self) -> Roundness {
        match self {
            Unit::Binary(_) => Roundness::Binary,
            Unit::Duration(scale) => Roundness::Time(scale.seconds()),
            _ => Roundness::Decimal,
        }
    }

    /// Formats a value: `1.43 GiB`, `12.3 ms`, `4.2 jobs/min`. `decimals` sets the number of decimals.
    #[must_use]
    pub fn format(&self, value: f64, decimals: Option<u8>) -> String {
        if !value.is_finite() {
            return non_finite(value).to_owned();
        }
        match self {
            Unit::Plain => number(value, decimals),
            Unit::Short(suffix) => match decimals {
                // Whole numbers are required, and a prefix would hide their digits.
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
            Unit::Instant => Civil::utc(rounded(value)).to_string(),
        }
    }

    /// Formats a value briefly: a duration in one unit (`34 min`, `2.3 h`), others as [`Unit::format`].
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

    /// The format of an axis' ticks: all with the same prefix, and with as few decimals as distinguish them. `greatest`
    /// is the greatest absolute value of the axis, `step` the distance between ticks.
    #[must_use]
    pub fn axis(&self, greatest: f64, step: f64) -> AxisFormat {
        let (divisor, suffix) = match self {
            Unit::Plain | Unit::Instant => (1.0, String::new()),
            // The legend shows the unit; at the axis it would only need space.
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

/// The format of an axis' ticks.
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
            ("percent", 99.997, "99.997%"),
            ("percent", 99.999_96, "99.99996%"),
            ("percentunit", 0.999_99, "99.999%"),
            ("percent", 100.0, "100%"),
            ("percent", 100.04, "100%"),
            ("short", 1e300, "1.00e288 Tri"),
            ("none", -1.5e300, "-1.50e300"),
            ("none", 1.7e18, "1700000000000000000"),
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
        let axis = Unit::from_id("short").axis(1e300, 5e299);
        assert_eq!((axis.label(1e300), axis.label(5e299)), ("1.00e288 Tri".into(), "5.00e287 Tri".into()));
        assert_eq!(Unit::from_id("none").axis(1e300, 5e299).label(1e300), "1.00e300");
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
