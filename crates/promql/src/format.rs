//! Numbers as Prometheus writes them.

/// A sample's value as Prometheus' API and `count_values` give it: the shortest text that reads back as the same number,
/// never with an exponent; `NaN`, `+Inf`, `-Inf`.
#[must_use]
pub fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

/// A number as Go's `%g` writes it: with an exponent if that is below -4 or at least 21.
#[must_use]
pub fn general(value: f64) -> String {
    let exponent = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    if !value.is_finite() || (-4.0..21.0).contains(&exponent) {
        return float(value);
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, number) = exponent.strip_prefix('-').map_or(('+', exponent), |number| ('-', number));
            format!("{digits}e{sign}{number:0>2}")
        }
        None => text,
    }
}

/// A number as OpenMetrics writes it in labels: with a point at least, `1.0`.
pub(crate) fn open_metrics(value: f64) -> String {
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
    fn general_numbers_have_one_when_it_is_shorter() {
        assert_eq!(general(0.25), "0.25");
        assert_eq!(general(1e21), "1e+21");
        assert_eq!(general(2.5e-7), "2.5e-07");
        assert_eq!(general(123_456.0), "123456");
    }
}
