//! Evaluates and compares.

use std::collections::BTreeMap;

use promql::{
    Options, Outcome, Sample, Value,
    histogram::{Buckets, Histogram},
    labels::Labels,
    source::SeriesSamples,
};

use crate::{
    script::{Eval, Message},
    store::Memory,
};

/// Evaluates; says what is not as expected.
pub(crate) fn check(eval: &Eval, store: &Memory) -> Result<(), String> {
    let outcome = evaluate(eval, &eval.expression, store);
    if let Some(message) = &eval.fails {
        return match outcome {
            Ok(_) => Err("succeeded, but should have failed".to_owned()),
            Err(text) if says(message, &text) => Ok(()),
            Err(text) => Err(format!("failed with {text:?}, expected {message:?}")),
        };
    }
    let outcome = outcome?;
    remarks("warning", &outcome.warnings, &eval.warns, eval.warns_not)?;
    remarks("info", &outcome.infos, &eval.informs, eval.informs_not)?;
    values(eval, outcome.value)?;
    printed(eval, store)?;
    let (time, _, step) = eval.times;
    if step == 0 && eval.string.is_none() && eval.range_vector.is_none() && !eval.ordered {
        same_in_range(eval, store, time)?;
    }
    Ok(())
}

fn options() -> Options<'static> {
    Options { experimental: true, max_points_per_series: 1_000_000, ..Options::default() }
}

fn evaluate(eval: &Eval, expression: &str, store: &Memory) -> Result<Outcome, String> {
    let query = promql::parse(expression).map_err(|error| error.to_string())?;
    let (start, end, step) = eval.times;
    let outcome = if step == 0 {
        query.instant(store, start, &options())
    } else {
        query.range(store, start, end, step, &options())
    };
    outcome.map_err(|error| error.to_string())
}

/// The query as the engine prints it must be the same query.
fn printed(eval: &Eval, store: &Memory) -> Result<(), String> {
    let text = promql::parse(&eval.expression).map_err(|error| error.to_string())?.to_string();
    let again = promql::parse(&text).map_err(|error| format!("printed as {text}: {error}"))?;
    if again.to_string() != text {
        return Err(format!("printed as {text}, and that as {again}"));
    }
    let outcome = evaluate(eval, &text, store)?;
    values(eval, outcome.value).map_err(|reason| format!("printed as {text}: {reason}"))
}

/// An instant query must give what a range query gives at the same time.
fn same_in_range(eval: &Eval, store: &Memory, time: i64) -> Result<(), String> {
    let uses_bounds = ["start()", "end()", "range()", "step()"].iter().any(|call| eval.expression.contains(call));
    if uses_bounds {
        return Ok(());
    }
    let query = promql::parse(&eval.expression).map_err(|error| error.to_string())?;
    let range = match query.range(store, time - 60_000, time + 60_000, 60_000, &options()) {
        Ok(range) => range,
        // At another step the data may not allow an answer.
        Err(_) => return Ok(()),
    };
    let Value::Matrix(matrix) = range.value else { return Err("a range query gave no matrix".to_owned()) };
    let expected = match eval.scalar {
        Some(value) => BTreeMap::from([(Labels::default(), Sample::Float(value))]),
        None => expected_at(eval, 0),
    };
    let found = matrix.iter().filter_map(|series| Some((series.labels.clone(), at(series, time)?))).collect();
    compare(&expected, &found).map_err(|reason| format!("as a range query: {reason}"))
}

fn says(message: &Message, text: &str) -> bool {
    match message {
        Message::Any => true,
        Message::Exactly(expected) => text == expected,
        Message::Matches(pattern) => regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)),
    }
}

fn remarks(kind: &str, found: &[String], expected: &[Message], none: bool) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    for message in expected {
        if !found.iter().any(|text| says(message, text)) {
            return Err(format!("expected {kind} {message:?}, found {found:?}"));
        }
    }
    if !expected.is_empty() {
        for text in found {
            if !expected.iter().any(|message| says(message, text)) {
                return Err(format!("unexpected {kind} {text:?}"));
            }
        }
    }
    Ok(())
}

/// What is expected at a step.
fn expected_at(eval: &Eval, step: usize) -> BTreeMap<Labels, Sample> {
    let series = eval.series.iter();
    series.filter_map(|series| Some((series.labels.clone(), series.samples.get(step)?.clone()?))).collect()
}

/// What a series has at a time.
fn at(series: &SeriesSamples, time: i64) -> Option<Sample> {
    let index = series.timestamps.binary_search(&time).ok();
    let float = index.and_then(|index| series.values.get(index)).map(|value| Sample::Float(*value));
    float.or_else(|| {
        let found = series.histograms.iter().find(|(timestamp, _)| *timestamp == time);
        found.map(|(_, histogram)| Sample::Histogram(histogram.clone()))
    })
}

fn values(eval: &Eval, value: Value) -> Result<(), String> {
    match value {
        Value::String { value, .. } => match &eval.string {
            Some(expected) if *expected == value => Ok(()),
            expected => Err(format!("got string {value:?}, expected {expected:?}")),
        },
        Value::Scalar { value, .. } => match eval.scalar {
            Some(expected) if close(expected, value) => Ok(()),
            expected => Err(format!("got scalar {value}, expected {expected:?}")),
        },
        Value::Vector(samples) => {
            if eval.scalar.is_some() {
                return Err("got a vector, expected a scalar".to_owned());
            }
            if eval.ordered {
                let expected: Vec<&Labels> = eval.series.iter().map(|series| &series.labels).collect();
                let found: Vec<&Labels> = samples.iter().map(|sample| &sample.labels).collect();
                if expected != found {
                    return Err(format!("order is {found:?}, expected {expected:?}"));
                }
            }
            let count = samples.len();
            let found: BTreeMap<Labels, Sample> =
                samples.into_iter().map(|sample| (sample.labels, sample.sample)).collect();
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
                let found: BTreeMap<Labels, Sample> =
                    matrix.iter().filter_map(|series| Some((series.labels.clone(), at(series, time)?))).collect();
                seen += found.len();
                compare(&expected_at(eval, index), &found).map_err(|reason| format!("at {time} ms: {reason}"))?;
            }
            let all: usize = matrix.iter().map(|series| series.timestamps.len() + series.histograms.len()).sum();
            if all == seen { Ok(()) } else { Err(format!("{all} samples, but {seen} at the steps")) }
        }
    }
}

fn compare(expected: &BTreeMap<Labels, Sample>, found: &BTreeMap<Labels, Sample>) -> Result<(), String> {
    for (labels, sample) in expected {
        match found.get(labels) {
            None => return Err(format!("{labels} is missing; found {found:?}")),
            Some(other) if !same(sample, other) => {
                return Err(format!("{labels} is {}, expected {}", show(other), show(sample)));
            }
            Some(_) => {}
        }
    }
    match found.iter().find(|(labels, _)| !expected.contains_key(labels)) {
        Some((labels, sample)) => Err(format!("{labels} {} is unexpected", show(sample))),
        None => Ok(()),
    }
}

fn show(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => value.to_string(),
        Sample::Histogram(histogram) => format!("{histogram} {histogram:?}"),
    }
}

fn same(left: &Sample, right: &Sample) -> bool {
    match (left, right) {
        (Sample::Float(left), Sample::Float(right)) => close(*left, *right),
        (Sample::Histogram(left), Sample::Histogram(right)) => same_histograms(left, right),
        _ => false,
    }
}

fn same_histograms(left: &Histogram, right: &Histogram) -> bool {
    let buckets = |left: &Buckets, right: &Buckets| {
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

/// Equal but for rounding.
fn close(left: f64, right: f64) -> bool {
    left == right
        || (left.is_nan() && right.is_nan())
        || (left - right).abs() / (left.abs() + right.abs()).max(f64::MIN_POSITIVE) < 1e-6
}
