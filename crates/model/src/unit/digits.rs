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
        return exponential(value);
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

/// Formats with at most `decimals`, without trailing zeros: for style sheets and drawings.
#[must_use]
pub fn short(value: f64, decimals: usize) -> String {
    trimmed(fixed(value, decimals))
}

/// Formats with `decimals`, of which there are 20 at most, and never a negative zero. A huge number has an exponent.
///
/// With whole numbers alone. The standard library gives the same digits, with tables and four algorithms that every page would load.
#[must_use]
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return non_finite(value).to_owned();
    }
    if value.abs() >= HUGE {
        return exponential(value);
    }
    let decimals = decimals.min(MOST_DECIMALS);
    let (whole, fraction) = parts(value.abs(), decimals);
    let mut text = if decimals > 0 { format!("{whole}.{fraction:0>decimals$}") } else { whole };
    if value < 0.0 && text.chars().any(|character| !matches!(character, '0' | '.')) {
        text.insert(0, '-');
    }
    text
}

/// From here on a number has an exponent.
const HUGE: f64 = 1e21;
/// A fraction of this many digits fits into 64 bits, and times a float's own bits into 128.
const MOST_DECIMALS: usize = 19;
/// Bits of a float after its first one.
const FRACTION_BITS: u32 = 52;

/// The digits before and after the point of a `size` that is neither negative nor huge. A half is rounded to even.
fn parts(size: f64, decimals: usize) -> (String, u64) {
    let bits = size.to_bits();
    let (exponent, fraction) = (i64::try_from(bits >> FRACTION_BITS).unwrap_or(0), bits & ((1 << FRACTION_BITS) - 1));
    // `size` is `digits` divided by two to the power of `right`.
    let digits = if exponent == 0 { fraction } else { fraction | (1 << FRACTION_BITS) };
    let right = 1_023 + i64::from(FRACTION_BITS) - exponent.max(1);
    let Ok(right) = u32::try_from(right) else {
        return (large(digits, right.unsigned_abs()), 0);
    };
    let whole = digits.checked_shr(right).unwrap_or(0);
    let rest = digits - whole.checked_shl(right).unwrap_or(0);
    let power = (0..decimals).fold(1_u64, |power, _| power * 10);
    let shifted = u128::from(rest) * u128::from(power);
    // Less than a half is left of what is shifted by more than all bits.
    let decimal = shifted.checked_shr(right).unwrap_or(0);
    let left = shifted - decimal.checked_shl(right).unwrap_or(0);
    let half = right.checked_sub(1).and_then(|bits| 1_u128.checked_shl(bits)).unwrap_or(u128::MAX);
    let mut decimal = u64::try_from(decimal).unwrap_or(u64::MAX);
    let last = if decimals > 0 { decimal } else { whole };
    if left > half || (left == half && last & 1 == 1) {
        decimal += 1;
    }
    if decimal == power { ((whole + 1).to_string(), 0) } else { (whole.to_string(), decimal) }
}

/// The digits of a whole number: `digits` times two to the power of `left`, below a sextillion.
fn large(digits: u64, left: u64) -> String {
    const BILLION: u64 = 1_000_000_000;
    let low = (digits % BILLION) << left;
    let high = ((digits / BILLION) << left) + low / BILLION;
    format!("{high}{:09}", low % BILLION)
}

/// Formats with three digits and an exponent: `1.20e-5`.
fn exponential(value: f64) -> String {
    let (mut size, mut exponent) = (value.abs(), 0);
    while size >= 9.995 {
        size /= 10.0;
        exponent += 1;
    }
    while size < 0.999_5 {
        size *= 10.0;
        exponent -= 1;
    }
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}e{exponent}", fixed(size, 2))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of all sizes, some of them halfway between two of fewer decimals.
    fn numbers() -> impl Iterator<Item = f64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let any = std::iter::repeat_with(move || {
            let bits = next();
            #[allow(clippy::cast_precision_loss)]
            match bits % 3 {
                0 => f64::from_bits(next()),
                1 => (bits >> 40) as f64 / 1_024.0,
                _ => (bits >> 11) as f64 * 10_f64.powi((next() % 40) as i32 - 30),
            }
        });
        [0.0, -0.0, 0.5, 1.5, 2.5, 0.125, 0.375, 99.995, 1e15, 1.8e19, 9.99e20, 5e-324, 0.95, f64::MIN_POSITIVE]
            .into_iter()
            .chain(any.take(200_000))
    }

    #[test]
    fn the_digits_are_those_of_the_standard_library() {
        for value in numbers().filter(|value| value.abs() < HUGE) {
            for decimals in [0, 1, 2, 3, 4, 9, 19] {
                let wanted = format!("{value:.decimals$}");
                let is_zero = wanted.chars().all(|character| matches!(character, '-' | '0' | '.'));
                let wanted = if is_zero { wanted.trim_start_matches('-') } else { &wanted };
                assert_eq!(fixed(value, decimals), wanted, "{value:e} with {decimals} decimals");
            }
        }
        assert_eq!([fixed(f64::NAN, 2), fixed(f64::NEG_INFINITY, 0)], ["NaN", "-Inf"]);
    }

    #[test]
    fn a_number_with_an_exponent_is_rounded_to_three_digits() {
        for value in numbers().filter(|value| value.is_normal() && value.abs() < 1e308) {
            let text = exponential(value);
            let (digits, exponent) = text.split_once('e').unwrap();
            assert_eq!(digits.trim_start_matches('-').len(), 4, "{text}");
            let last: f64 = format!("0.01e{exponent}").parse().unwrap();
            let read: f64 = text.parse().unwrap();
            assert!((read - value).abs() <= last * 0.500_001, "{value:e} is {text}");
        }
        assert_eq!([exponential(-1.5e300), exponential(0.000_012)], ["-1.50e300", "1.20e-5"]);
    }

    #[test]
    fn what_needs_no_decimals_has_none() {
        assert_eq!([12.5, 12.0, 12.345, 0.001].map(|value| short(value, 2)), ["12.5", "12", "12.35", "0"]);
    }
}
