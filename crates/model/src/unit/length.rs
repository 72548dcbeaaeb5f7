//! Formats durations.

use super::digits::{non_finite, number, rounded};

/// A duration in its two largest units: `2 h 5 min`, `12.3 ms`, `3 d`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds.is_finite() { duration_with(seconds, None) } else { non_finite(seconds).to_owned() }
}

/// An age: `12 s ago`, `2 h 5 min ago`, `14 min ago`. A time in the future is `now`.
#[must_use]
pub fn age(age_ms: i64) -> String {
    if age_ms < 1_000 { "now".to_owned() } else { format!("{} ago", rough_duration(age_ms)) }
}

/// A duration as in speech: like [`whole_duration`], but without the smaller unit if the larger one is at least ten.
#[must_use]
pub fn rough_duration(length_ms: i64) -> String {
    let seconds = length_ms.max(0) / 1_000;
    let rough = TIME_UNITS.iter().map(|(length, _)| length).find(|length| seconds / **length >= 10);
    two_units(rough.map_or(seconds, |length| seconds - seconds % length))
}

/// [`rough_duration`] of seconds.
#[must_use]
pub fn rough_duration_secs(seconds: f64) -> String {
    rough_duration(rounded(seconds.max(0.0)).saturating_mul(1_000))
}

/// A duration in whole seconds: `12 s`, `2 h 5 min`.
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

/// A duration with `decimals` in one unit, or in its two largest units.
pub(super) fn duration_with(seconds: f64, decimals: Option<u8>) -> String {
    if seconds.abs() < 59.95 || decimals.is_some() {
        let (length, symbol) = time_symbol(seconds);
        return format!("{} {symbol}", number(seconds / length, decimals));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    // For long durations seconds do not matter: the two largest units are used, rounded to the second one.
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

/// The best unit for a duration: its length in seconds and its symbol.
pub(super) fn time_symbol(seconds: f64) -> (f64, &'static str) {
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
