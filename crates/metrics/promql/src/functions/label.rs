//! Functions that change labels or sort by labels.

use std::cmp::Ordering;

use crate::{engine::EvalError, value::Series};
use labels::Labels;

/// Sets a label to an expansion of a pattern's match in another label; does not change series without a match.
///
/// # Errors
///
/// The pattern is not a regular expression, or the name is invalid.
pub(crate) fn replace(
    series: &mut [Series],
    target: &str,
    replacement: &str,
    source: &str,
    pattern: &str,
) -> Result<(), EvalError> {
    let regex = labels::go_regex::compile_anchored(pattern)
        .map_err(|_| EvalError::Query(format!("invalid regular expression in label_replace(): {pattern}")))?;
    check_name(target)
        .map_err(|name| EvalError::Query(format!("invalid destination label name in label_replace(): {name}")))?;
    for series in series {
        if let Some(captures) = regex.captures(series.labels.get(source)) {
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            set(series, target, &value);
        }
    }
    Ok(())
}

/// Sets a label to the joined values of others.
///
/// # Errors
///
/// The name is invalid.
pub(crate) fn join(series: &mut [Series], target: &str, separator: &str, sources: &[String]) -> Result<(), EvalError> {
    let refuse =
        |which: &str, name: String| EvalError::Query(format!("invalid {which} label name in label_join(): {name}"));
    check_name(target).map_err(|name| refuse("destination", name))?;
    for name in sources {
        check_name(name).map_err(|name| refuse("source", name))?;
    }
    for series in series {
        let values: Vec<&str> = sources.iter().map(|name| series.labels.get(name)).collect();
        let value = values.join(separator);
        set(series, target, &value);
    }
    Ok(())
}

fn set(series: &mut Series, name: &str, value: &str) {
    if name == labels::METRIC_NAME {
        series.drop_name = false;
    }
    series.labels = series.labels.with(name, value);
}

/// Fails if a text is not a label name.
///
/// # Errors
///
/// The name as it should be displayed.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    // Any valid UTF-8 is a name; invalid bytes were marked when the query was parsed.
    if name.is_empty() || name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(name.replace(char::REPLACEMENT_CHARACTER, ""));
    }
    Ok(())
}

/// Compares label sets by some labels, with numbers in them by value, then by all labels.
pub(crate) fn compare(left: &Labels, right: &Labels, names: &[String]) -> Ordering {
    names
        .iter()
        .map(|name| natural(left.get(name), right.get(name)))
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| left.cmp(right))
}

/// Compares texts in natural order: `a2` before `a10`.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left_rest, mut right_rest) = (left, right);
    loop {
        match (chunk(left_rest), chunk(right_rest)) {
            (None, None) => return left.cmp(right),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some((a, a_rest)), Some((b, b_rest))) => {
                let ordering = match (number(a), number(b)) {
                    (Some(a), Some(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
                    _ => a.cmp(b),
                };
                if ordering.is_ne() {
                    return ordering;
                }
                (left_rest, right_rest) = (a_rest, b_rest);
            }
        }
    }
}

/// The first run of digits, or of other characters, and the remaining text.
fn chunk(text: &str) -> Option<(&str, &str)> {
    let first = text.chars().next()?;
    let end = text.find(|c: char| c.is_ascii_digit() != first.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end)
}

/// A run of digits without leading zeros.
fn number(chunk: &str) -> Option<&str> {
    chunk.starts_with(|c: char| c.is_ascii_digit()).then(|| chunk.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_ordered_by_size() {
        let mut names = vec!["cpu10", "cpu2", "cpu", "cpu1", "4m1000", "4m5", "1.11.3", "1.2.3"];
        names.sort_by(|left, right| natural(left, right));
        assert_eq!(names, ["1.2.3", "1.11.3", "4m5", "4m1000", "cpu", "cpu1", "cpu2", "cpu10"]);
    }
}
