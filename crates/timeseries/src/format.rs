//! Formats numbers like Prometheus.

/// A sample's value as in Prometheus' API and `count_values`: the shortest text that parses back to the same number,
/// never with an exponent; `NaN`, `+Inf`, `-Inf`.
#[must_use]
pub fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        let text = value.to_string();
        let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
        if may_tie(value, digits) { closest(value, &text).unwrap_or(text) } else { text }
    }
}

/// A finite number with an exponent of at least two digits, `1.5e-07`: Go's formats `e` and `g` with the fewest digits.
#[must_use]
pub fn scientific(value: f64) -> String {
    let mut text = format!("{value:e}");
    if let Some((digits, exponent)) = text.split_once('e') {
        let decimals = digits.split_once('.').map_or(0, |(_, digits)| digits.len());
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let after_point = i64::try_from(decimals).unwrap_or(0) - exponent;
        if usize::try_from(after_point).map_or(true, |after_point| may_tie(value, after_point)) {
            let rounded = format!("{value:.decimals$e}");
            if rounded.parse() == Ok(value) {
                text = rounded;
            }
        }
    }
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, number) = exponent.strip_prefix('-').map_or(('+', exponent), |number| ('-', number));
            format!("{digits}e{sign}{number:0>2}")
        }
        None => text,
    }
}

/// Whether the shortest text of a number, with this many decimals, may have the same distance from it as another text
/// of that length. Then Go prefers an even digit, and Rust rounds up.
fn may_tie(value: f64, decimals: usize) -> bool {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52) & 0x7ff);
    let (whole, exponent) = if exponent == 0 { (fraction, 1) } else { (fraction | 1 << 52, exponent) };
    // The number is an odd integer times two to this power. If the power is negative, it has as many decimals.
    let power = i64::try_from(exponent).unwrap_or(0) - 1075 + i64::from(whole.trailing_zeros());
    power > 0 || usize::try_from(-power).is_ok_and(|exact| exact == decimals + 1)
}

/// The number rounded to as many digits as the text has, ties to even, if that parses back to the same number.
fn closest(value: f64, text: &str) -> Option<String> {
    let rounded = match text.split_once('.') {
        Some((_, decimals)) => format!("{value:.*}", decimals.len()),
        None => {
            let zeros = text.len() - text.trim_end_matches('0').len();
            let digits = text.trim_start_matches('-').len().checked_sub(zeros + 1)?;
            let (digits, exponent) =
                format!("{value:.digits$e}").split_once('e').map(|(d, e)| (d.replace('.', ""), e.to_owned()))?;
            let places: usize = exponent.parse().ok()?;
            let length = places + 1 + usize::from(digits.starts_with('-'));
            format!("{digits:0<length$}")
        }
    };
    (rounded.parse() == Ok(value)).then_some(rounded)
}

/// From this exponent on Go's `%g` uses exponent notation.
const LEAST_EXPONENT: i32 = 6;

/// A number as Go's `%g`: with an exponent if that is below -4 or at least 6, `1e+06`.
#[must_use]
pub fn general(value: f64) -> String {
    with_exponent_from(value, LEAST_EXPONENT)
}

fn with_exponent_from(value: f64, least: i32) -> String {
    if !value.is_finite() || value == 0.0 {
        return float(value);
    }
    let text = scientific(value);
    let exponent = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok()).unwrap_or(0);
    if (-4..least).contains(&exponent) { float(value) } else { text }
}

/// A number as Go's `%.Ng`: rounded to `digits` digits, without trailing zeros.
pub fn general_rounded(value: f64, digits: usize) -> String {
    let rounded = format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value);
    with_exponent_from(rounded, i32::try_from(digits).unwrap_or(LEAST_EXPONENT))
}

/// A number as in OpenMetrics labels: always with a point, `1.0`.
pub fn open_metrics(value: f64) -> String {
    let text = general(value);
    if value.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_no_exponent() {
        assert_eq!(float(1e21), "1000000000000000000000");
        assert_eq!(float(1e-7), "0.0000001");
        assert_eq!(float(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(float(5.0), "5");
        assert_eq!(float(-0.0), "-0");
        assert_eq!(float(f64::INFINITY), "+Inf");
    }

    #[test]
    fn a_tie_ends_in_an_even_digit() {
        let power = |exponent: i32| gomath::exp2(f64::from(exponent));
        assert_eq!(scientific(power(-25)), "2.9802322387695312e-08");
        assert_eq!(float(power(-25)), "0.000000029802322387695312");
        assert_eq!(float(power(-24)), "0.00000005960464477539063");
        assert_eq!(float(5e-324), 5e-324_f64.to_string());
        for exponent in -80..80 {
            for factor in [1.0, 3.0, -7.0, 12_345.0] {
                let value = factor * power(exponent);
                assert_eq!(float(value).parse(), Ok(value));
                assert_eq!(scientific(value).parse(), Ok(value));
            }
        }
        assert_eq!(float(1e300).len(), 301);
    }

    #[test]
    fn general_numbers_have_one_when_they_are_large_or_small() {
        assert_eq!(general(0.25), "0.25");
        assert_eq!(general(999_999.5), "999999.5");
        assert_eq!(general(1e6), "1e+06");
        assert_eq!(general(0.0001), "0.0001");
        assert_eq!(general(0.000_01), "1e-05");
        assert_eq!(general_rounded(123.4, 2), "1.2e+02");
        assert_eq!(general_rounded(0.000_123, 2), "0.00012");
        assert_eq!(general_rounded(9.0, 2), "9");
        assert_eq!(general(1e21), "1e+21");
        assert_eq!(general(2.5e-7), "2.5e-07");
        assert_eq!(general(123_456.0), "123456");
    }
}
