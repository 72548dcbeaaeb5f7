//! Human-readable numbers in Prometheus' format.

use crate::{printf::sprintf, value::Value};

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

fn four_digits(value: f64) -> String {
    sprintf("%.4g", &[Value::Float(value)])
}

/// Divides by `base` until the number is below it.
fn shrink(mut value: f64, base: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

/// Multiplies by 1000 until the number is 1 or more.
fn grow(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

/// With a metric prefix: `1.235k`.
#[must_use]
pub fn metric(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = if value.abs() >= 1.0 { shrink(value, 1000.0, LARGE) } else { grow(value) };
    four_digits(value) + prefix
}

/// With a binary prefix: `1.206ki`.
#[must_use]
pub fn binary(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four_digits(value);
    }
    let (value, prefix) = shrink(value, 1024.0, BINARY);
    four_digits(value) + prefix
}

/// A ratio in percent: `12.5%`.
#[must_use]
pub fn percentage(ratio: f64) -> String {
    four_digits(ratio * 100.0) + "%"
}

/// Seconds: `1d 2h 3m 4s`, `12.5ms`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return four_digits(seconds);
    }
    if seconds == 0.0 {
        return four_digits(seconds) + "s";
    }
    if seconds.abs() < 1.0 {
        let (value, prefix) = grow(seconds);
        return four_digits(value) + prefix + "s";
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let length = seconds.abs();
    let whole = length.trunc();
    let (days, hours) = ((whole / 86_400.0).trunc(), (whole / 3600.0).trunc() % 24.0);
    let (minutes, rest) = ((whole / 60.0).trunc() % 60.0, whole % 60.0);
    if days > 0.0 {
        format!("{sign}{days}d {hours}h {minutes}m {rest}s")
    } else if hours > 0.0 {
        format!("{sign}{hours}h {minutes}m {rest}s")
    } else if minutes > 0.0 {
        format!("{sign}{minutes}m {rest}s")
    } else {
        format!("{sign}{}s", four_digits(length))
    }
}
