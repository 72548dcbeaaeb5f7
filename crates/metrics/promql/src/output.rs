//! Converts computed columns to a result: drops metric names that are no longer valid, and merges series that are then
//! equal.

use std::collections::HashMap;

use crate::{
    engine::{EvalError, InstantSample, Value},
    eval::{Context, edges},
    plan::{Edges, Node},
    value::{Column, Computed, Series, Steps},
};
use labels::Labels;
use timeseries::{SeriesSamples, is_stale_marker};

/// Prometheus' error if a label set occurs twice at the same time.
pub(crate) const DUPLICATE: &str = "vector cannot contain metrics with the same labelset";

/// The result of an instant query.
///
/// # Errors
/// Two series have the same labels.
pub(crate) fn instant(computed: Computed, timestamp_ms: i64) -> Result<Value, EvalError> {
    Ok(match computed {
        Computed::Scalar(values) => Value::Scalar { timestamp_ms, value: values.first().copied().unwrap_or(f64::NAN) },
        Computed::Text(value) => Value::String { timestamp_ms, value },
        Computed::Vector(series) => {
            let series = settle(series)?.into_iter();
            Value::Vector(
                series
                    .filter_map(|series| {
                        let sample = series.column.get(0)?;
                        Some(InstantSample { labels: series.labels, timestamp_ms, sample })
                    })
                    .collect(),
            )
        }
    })
}

/// The result of a range query.
///
/// # Errors
/// Two series have the same labels and a value at the same step.
pub(crate) fn matrix(computed: Computed, steps: Steps) -> Result<Vec<SeriesSamples>, EvalError> {
    let series = match computed {
        Computed::Scalar(values) => {
            vec![Series { labels: Labels::default(), drop_name: false, column: Column::from_values(values) }]
        }
        Computed::Text(_) => return Err(EvalError::Query("a string has no values over time".to_owned())),
        Computed::Vector(series) => settle(series)?,
    };
    let mut matrix: Vec<SeriesSamples> = series
        .into_iter()
        .map(|series| samples(series, steps))
        .filter(|series| !(series.timestamps.is_empty() && series.histograms.is_empty()))
        .collect();
    matrix.sort_by(|left, right| left.labels.cmp(&right.labels));
    Ok(matrix)
}

fn samples(series: Series, steps: Steps) -> SeriesSamples {
    let Series { labels, column, .. } = series;
    let mut samples = SeriesSamples { labels, ..SeriesSamples::default() };
    if !column.values().iter().any(|value| is_stale_marker(*value)) {
        samples.timestamps = steps.times().collect();
        samples.values = column.into_values();
        return samples;
    }
    for (step, (time, value)) in steps.times().zip(column.values()).enumerate() {
        if !is_stale_marker(*value) {
            samples.timestamps.push(time);
            samples.values.push(*value);
        } else if let Some(histogram) = column.histogram(step) {
            samples.histograms.push((time, histogram.clone()));
        }
    }
    samples
}

/// The result of an instant query whose expression is a range vector.
///
/// # Errors
///
/// As for any evaluation.
pub(crate) fn tracks(context: &Context, node: &Node, time_ms: i64) -> Result<Value, EvalError> {
    let (tracks, frame) = context.tracks(node, Steps::instant(time_ms))?;
    let (start, end) = frame.window(time_ms);
    let edged = node.edges() != Edges::Plain;
    let mut matrix: Vec<SeriesSamples> = Vec::with_capacity(tracks.len());
    let mut seen: HashMap<Labels, ()> = HashMap::with_capacity(tracks.len());
    for track in tracks {
        let labels = if track.drop_name { track.labels.without_name() } else { track.labels.clone() };
        let (times, values) = match node.edges() {
            Edges::Plain => (track.times, track.values),
            edges => edges::extend(&track, (start, end), edges)?,
        };
        let histograms = track.histograms;
        let inside = |time: i64| (time > start || edged) && time <= end;
        let (timestamps, values): (Vec<i64>, Vec<f64>) =
            times.into_iter().zip(values).filter(|(time, _)| inside(*time)).unzip();
        let histograms: Vec<_> = histograms.into_iter().filter(|(time, _)| inside(*time)).collect();
        if timestamps.is_empty() && histograms.is_empty() {
            continue;
        }
        if seen.insert(labels.clone(), ()).is_some() {
            return Err(EvalError::Query(DUPLICATE.to_owned()));
        }
        matrix.push(SeriesSamples { labels, timestamps, values, histograms });
    }
    matrix.sort_by(|left, right| left.labels.cmp(&right.labels));
    Ok(Value::Matrix(matrix))
}

/// Drops the marked metric names, and merges series that then have the same labels.
///
/// # Errors
///
/// Two of them have a value at the same step.
pub(crate) fn settle(series: Vec<Series>) -> Result<Vec<Series>, EvalError> {
    merge(series.into_iter().map(|series| match series.drop_name {
        true => Series { labels: series.labels.without_name(), drop_name: false, column: series.column },
        false => series,
    }))
}

/// Merges series with the same labels, in the order of the first of each.
///
/// # Errors
///
/// Two of them have a value at the same step.
pub(crate) fn merge(series: impl Iterator<Item = Series>) -> Result<Vec<Series>, EvalError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(series.size_hint().0);
    let mut merged: Vec<Series> = Vec::with_capacity(series.size_hint().0);
    for series in series {
        let place = *places.entry(series.labels.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push(series),
            Some(first) => {
                first.drop_name |= series.drop_name;
                if !first.column.fill_from(&series.column) {
                    return Err(EvalError::Query(DUPLICATE.to_owned()));
                }
            }
        }
    }
    Ok(merged)
}
