//! Formats the digits of a number.

/// The text of a value that is not finite.
pub(super) fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// Divides by the largest power of `base` that leaves at least one; returns the symbol of that power too. A value that
/// would round up to the next power uses that one.
pub(super) fn scale<'a>(value: f64, base: f64, symbols: &[&'a str]) -> (f64, &'a str) {
    let (divisor, symbol) = divisor(value, base, symbols);
    (value / divisor, symbol)
}

/// That power of `base`, and its symbol.
pub(super) fn divisor<'a>(value: f64, base: f64, symbols: &[&'a str]) -> (f64, &'a str) {
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

/// A number with three significant digits and no trailing zeros, or with `decimals`.
pub(super) fn number(value: f64, decimals: Option<u8>) -> String {
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

/// Removes trailing zeros of the decimals.
pub(super) fn trimmed(text: String) -> String {
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Formats with `decimals`, and never a negative zero. A huge number has an exponent.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if value.abs() >= 1e21 {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|character| matches!(character, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

/// An integer with thousands separators.
pub(super) fn grouped(value: f64) -> String {
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

/// Percent. A value below 100 is never rounded to 100.
pub(super) fn percent(value: f64, decimals: Option<u8>) -> String {
    let mut text = number(value, decimals);
    if text == "100" && value < 100.0 && decimals.is_none() {
        text = (2..12).map(|decimals| fixed(value, decimals)).find(|text| text.starts_with('9')).unwrap_or(text);
    }
    format!("{text}%")
}

/// The number of decimals that distinguish numbers with a distance of `step`.
pub(super) fn decimals_of(step: f64) -> usize {
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

/// The nearest integer.
#[allow(clippy::cast_possible_truncation)] // saturates, which is what a nonsensical time deserves
pub(super) fn rounded(value: f64) -> i64 {
    value.round() as i64
}
