//! The notation of series in unit tests.

use labels::{Labels, MatchOp};
use promql::ParseError;
use timeseries::STALE_NAN;

/// Maximum number of samples that one item expands to.
const MAX_REPEAT: usize = 1_000_000;

/// Why a text is no series, or no samples of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidSeries {
    /// It is no selector.
    #[error("{text:?} is not a series: {error}")]
    Selector { text: String, error: ParseError },
    /// A label has another operator, or no value.
    #[error("{0:?} is not a series: its labels have `=` and a value")]
    Matcher(String),
    /// There is a native histogram.
    #[error("native histograms cannot be made up here: leave this series out")]
    Histogram,
    /// An item is nothing that is known.
    #[error("{0:?} is not a value: write 1, 1x5, 1+2x5, _, _x5 or stale")]
    Value(String),
}

/// Labels of `name{label="value"}`; `{}` has none.
pub(super) fn labels(text: &str) -> Result<Labels, InvalidSeries> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed == "{}" {
        return Ok(Labels::default());
    }
    // A selector needs a name or a value; a series does not.
    let selector = match trimmed.strip_prefix('{') {
        Some(rest) => format!("{{__name__=~\".*\",{rest}"),
        None => trimmed.to_owned(),
    };
    let selector = selector.replace("\".*\",}", "\".*\"}");
    let matchers = match promql::parse_selector(&selector) {
        Ok(matchers) => matchers,
        Err(_) => promql::parse_selector(&selector.replacen("\".*\"", "\".+\"", 1))
            .map_err(|error| InvalidSeries::Selector { text: text.to_owned(), error })?,
    };
    let mut pairs = Vec::new();
    for matcher in matchers {
        match matcher.op {
            MatchOp::Equal(value) => pairs.push((matcher.name, value)),
            MatchOp::Regex(_) if matcher.name == "__name__" && trimmed.starts_with('{') => {}
            _ => return Err(InvalidSeries::Matcher(text.to_owned())),
        }
    }
    Ok(Labels::new(pairs))
}

/// The samples, one per interval; `None` for a missing one.
pub(super) fn values(text: &str) -> Result<Vec<Option<f64>>, InvalidSeries> {
    let mut values = Vec::new();
    if text.contains("{{") {
        return Err(InvalidSeries::Histogram);
    }
    for item in text.split_whitespace() {
        let wrong = || InvalidSeries::Value(item.to_owned());
        let repeat = |text: &str| text.parse::<usize>().ok().filter(|count| *count <= MAX_REPEAT).ok_or_else(wrong);
        if let Some(rest) = item.strip_prefix('_') {
            let count = match rest.strip_prefix('x') {
                Some(count) => repeat(count)?,
                None if rest.is_empty() => 1,
                None => return Err(wrong()),
            };
            values.extend(std::iter::repeat_n(None, count));
            continue;
        }
        if item == "stale" {
            values.push(Some(STALE_NAN));
            continue;
        }
        let Some((formula, count)) = item.split_once('x') else {
            values.push(Some(number(item).ok_or_else(wrong)?));
            continue;
        };
        let count = repeat(count)?;
        let (start, step) = match split_step(formula) {
            Some((start, step)) => (number(start).ok_or_else(wrong)?, number(step).ok_or_else(wrong)?),
            None => (number(formula).ok_or_else(wrong)?, 0.0),
        };
        let mut value = start;
        values.push(Some(value));
        for _ in 0..count {
            value += step;
            values.push(Some(value));
        }
    }
    Ok(values)
}

/// Start and signed step of `1+2`, `-1-2`, `1e-3+5`.
fn split_step(formula: &str) -> Option<(&str, &str)> {
    let bytes = formula.as_bytes();
    let at = (1..bytes.len()).find(|at| {
        let is_sign = matches!(bytes.get(*at), Some(b'+' | b'-'));
        let in_exponent = matches!(bytes.get(at - 1), Some(b'e' | b'E'));
        is_sign && !in_exponent
    })?;
    Some(formula.split_at(at))
}

fn number(text: &str) -> Option<f64> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    match plain.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        lower if lower.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '.')) => {
            lower.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_expanded() {
        let some = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
        assert_eq!(values("1 2.5 -3").unwrap(), some(&[1.0, 2.5, -3.0]));
        assert_eq!(values("1x2").unwrap(), some(&[1.0, 1.0, 1.0]));
        assert_eq!(values("0+10x3").unwrap(), some(&[0.0, 10.0, 20.0, 30.0]));
        assert_eq!(values("-1-1x2").unwrap(), some(&[-1.0, -2.0, -3.0]));
        assert_eq!(values("1e-1+1e1x1").unwrap(), some(&[0.1, 10.1]));
        assert_eq!(values("_ _x2 1").unwrap(), [None, None, None, Some(1.0)]);
        assert!(values("stale").unwrap()[0].is_some_and(f64::is_nan));
        for wrong in ["a", "1x", "1+x3", "x3", "_3", "1x99999999999", "{{schema:1}}"] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn series_have_labels() {
        assert_eq!(labels("up").unwrap().to_string(), r#"{__name__="up"}"#);
        assert_eq!(labels(r#"up{job="a"}"#).unwrap().to_string(), r#"{__name__="up", job="a"}"#);
        assert_eq!(labels(r#"{job="a"}"#).unwrap().to_string(), r#"{job="a"}"#);
        assert_eq!(labels("{}").unwrap(), Labels::default());
        assert!(labels(r#"up{job!="a"}"#).is_err());
        assert!(labels("sum(up)").is_err());
    }
}
