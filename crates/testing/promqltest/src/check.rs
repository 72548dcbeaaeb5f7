//! Evaluates and compares.

use std::collections::BTreeMap;

use labels::Labels;
use timeseries::{
    Sample,
    histogram::{self, Bucket, Histogram},
};

use crate::{
    Answer, Buckets, Found, Target, Value,
    script::{Eval, Message},
};

/// Evaluates; returns the difference from the expected result.
pub(crate) fn check(eval: &Eval, target: &dyn Target) -> Result<(), String> {
    let answer = target.evaluate(&eval.expression, eval.times);
    if let Some(message) = &eval.fails {
        return match answer {
            Ok(_) => Err("succeeded, but should have failed".to_owned()),
            Err(text) if says(message, &text, target.is_remote()) => Ok(()),
            Err(text) => Err(format!("failed with {text:?}, expected {message:?}")),
        };
    }
    let answer = answer?;
    remarks("warning", &answer.warnings, &eval.warns, eval.warns_not)?;
    remarks("info", &answer.infos, &eval.informs, eval.informs_not)?;
    values(eval, answer.value)?;
    if !target.is_remote() {
        printed(eval, target)?;
    }
    let (time, _, step) = eval.times;
    if step == 0 && eval.string.is_none() && eval.range_vector.is_none() && !eval.ordered {
        same_in_range(eval, target, time)?;
    }
    Ok(())
}

/// The query printed by the engine must parse to the same query.
fn printed(eval: &Eval, target: &dyn Target) -> Result<(), String> {
    let text = promql::parse(&eval.expression).map_err(|error| error.to_string())?.to_string();
    let again = promql::parse(&text).map_err(|error| format!("printed as {text}: {error}"))?;
    if again.to_string() != text {
        return Err(format!("printed as {text}, and that as {again}"));
    }
    let answer = target.evaluate(&text, eval.times)?;
    values(eval, answer.value).map_err(|reason| format!("printed as {text}: {reason}"))
}

/// An instant query must return what a range query returns at the same time.
fn same_in_range(eval: &Eval, target: &dyn Target, time: i64) -> Result<(), String> {
    let uses_bounds = ["start()", "end()", "range()", "step()"].iter().any(|call| eval.expression.contains(call));
    if uses_bounds {
        return Ok(());
    }
    let range = match target.evaluate(&eval.expression, (time - 60_000, time + 60_000, 60_000)) {
        Ok(Answer { value, .. }) => value,
        // With another step the data may not allow an answer.
        Err(_) => return Ok(()),
    };
    let Value::Matrix(matrix) = range else { return Err("a range query gave no matrix".to_owned()) };
    let expected = match eval.scalar {
        Some(value) => BTreeMap::from([(Labels::default(), Sample::Float(value))]),
        None => expected_at(eval, 0),
    };
    compare(&expected, &at(&matrix, time)).map_err(|reason| format!("as a range query: {reason}"))
}

fn says(message: &Message, text: &str, is_remote: bool) -> bool {
    match message {
        Message::Any => true,
        Message::Exactly(expected) if is_remote => text.contains(expected),
        Message::Exactly(expected) => text == expected,
        Message::Matches(pattern) => regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)),
    }
}

fn remarks(kind: &str, found: &[String], expected: &[Message], none: bool) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    for message in expected {
        if !found.iter().any(|text| says(message, text, false)) {
            return Err(format!("expected {kind} {message:?}, found {found:?}"));
        }
    }
    if !expected.is_empty() {
        for text in found {
            if !expected.iter().any(|message| says(message, text, false)) {
                return Err(format!("unexpected {kind} {text:?}"));
            }
        }
    }
    Ok(())
}

/// The expected values at a step.
fn expected_at(eval: &Eval, step: usize) -> BTreeMap<Labels, Sample> {
    let series = eval.series.iter();
    series.filter_map(|series| Some((series.labels.clone(), series.samples.get(step)?.clone()?))).collect()
}

/// The values of the series at a time.
fn at(matrix: &[(Labels, BTreeMap<i64, Found>)], time: i64) -> BTreeMap<Labels, Found> {
    matrix.iter().filter_map(|(labels, found)| Some((labels.clone(), found.get(&time)?.clone()))).collect()
}

fn values(eval: &Eval, value: Value) -> Result<(), String> {
    match value {
        Value::String(value) => match &eval.string {
            Some(expected) if *expected == value => Ok(()),
            expected => Err(format!("got string {value:?}, expected {expected:?}")),
        },
        Value::Scalar(value) => match eval.scalar {
            Some(expected) if close(expected, value) => Ok(()),
            expected => Err(format!("got scalar {value}, expected {expected:?}")),
        },
        Value::Vector(samples) => {
            if eval.scalar.is_some() {
                return Err("got a vector, expected a scalar".to_owned());
            }
            if eval.ordered {
                let expected: Vec<&Labels> = eval.series.iter().map(|series| &series.labels).collect();
                let found: Vec<&Labels> = samples.iter().map(|(labels, _)| labels).collect();
                if expected != found {
                    return Err(format!("order is {found:?}, expected {expected:?}"));
                }
            }
            let count = samples.len();
            let found: BTreeMap<Labels, Found> = samples.into_iter().collect();
            if found.len() != count {
                return Err("a label set came twice".to_owned());
            }
            compare(&expected_at(eval, 0), &found)
        }
        Value::Matrix(matrix) => {
            let (start, end, step) = match (eval.range_vector, eval.times) {
                (Some((start, step)), _) => {
                    let most = eval.series.iter().map(|series| series.samples.len()).max().unwrap_or(1);
                    (start, start + step * i64::try_from(most.saturating_sub(1)).unwrap_or(0), step)
                }
                (None, times) => times,
            };
            let mut seen = 0;
            for (index, time) in (start..=end).step_by(usize::try_from(step).unwrap_or(0).max(1)).enumerate() {
                let found = at(&matrix, time);
                seen += found.len();
                compare(&expected_at(eval, index), &found).map_err(|reason| format!("at {time} ms: {reason}"))?;
            }
            let all: usize = matrix.iter().map(|(_, found)| found.len()).sum();
            if all == seen { Ok(()) } else { Err(format!("{all} samples, but {seen} at the steps")) }
        }
    }
}

fn compare(expected: &BTreeMap<Labels, Sample>, found: &BTreeMap<Labels, Found>) -> Result<(), String> {
    for (labels, sample) in expected {
        match found.get(labels) {
            None => return Err(format!("{labels} is missing; found {found:?}")),
            Some(other) if !same(sample, other) => {
                return Err(format!("{labels} is {}, expected {}", show(other), show(&sample.clone().into())));
            }
            Some(_) => {}
        }
    }
    match found.iter().find(|(labels, _)| !expected.contains_key(labels)) {
        Some((labels, found)) => Err(format!("{labels} {} is unexpected", show(found))),
        None => Ok(()),
    }
}

fn show(found: &Found) -> String {
    match found {
        Found::Float(value) => value.to_string(),
        Found::Histogram(histogram) => format!("{histogram} {histogram:?}"),
        Found::Buckets(buckets) => format!("{buckets:?}"),
    }
}

fn same(expected: &Sample, found: &Found) -> bool {
    match (expected, found) {
        (Sample::Float(left), Found::Float(right)) => close(*left, *right),
        (Sample::Histogram(left), Found::Histogram(right)) => same_histograms(left, right),
        (Sample::Histogram(left), Found::Buckets(right)) => same_buckets(&Buckets::from(&**left), right),
        _ => false,
    }
}

fn same_histograms(left: &Histogram, right: &Histogram) -> bool {
    let buckets = |left: &histogram::Buckets, right: &histogram::Buckets| {
        left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.0 == b.0 && close(a.1, b.1))
    };
    left.schema == right.schema
        && close(left.count, right.count)
        && close(left.sum, right.sum)
        && close(left.zero_count, right.zero_count)
        && close(left.zero_threshold, right.zero_threshold)
        && left.custom_bounds == right.custom_bounds
        && buckets(&left.positive, &right.positive)
        && buckets(&left.negative, &right.negative)
}

fn same_buckets(left: &Buckets, right: &Buckets) -> bool {
    let same = |a: &Bucket, b: &Bucket| {
        close(a.lower, b.lower)
            && close(a.upper, b.upper)
            && close(a.count, b.count)
            && (a.includes_lower, a.includes_upper) == (b.includes_lower, b.includes_upper)
    };
    close(left.count, right.count)
        && close(left.sum, right.sum)
        && left.buckets.len() == right.buckets.len()
        && left.buckets.iter().zip(&right.buckets).all(|(a, b)| same(a, b))
}

/// Equal except for rounding.
fn close(left: f64, right: f64) -> bool {
    left == right
        || (left.is_nan() && right.is_nan())
        || (left - right).abs() / (left.abs() + right.abs()).max(f64::MIN_POSITIVE) < 1e-6
}
