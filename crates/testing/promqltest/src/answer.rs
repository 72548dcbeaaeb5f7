//! The answer of a target, independent of its kind.

use std::{collections::BTreeMap, sync::Arc};

use labels::Labels;
use promql::Outcome;
use timeseries::{
    Sample, SeriesSamples,
    histogram::{Bucket, Histogram},
};

/// A result with its annotations.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// Warnings.
    pub warnings: Vec<String>,
    /// Infos.
    pub infos: Vec<String>,
}

/// A result.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// A string.
    String(String),
    /// One value a series, in order.
    Vector(Vec<(Labels, Found)>),
    /// Values of each series by time in milliseconds.
    Matrix(Vec<(Labels, BTreeMap<i64, Found>)>),
}

/// A value.
#[derive(Debug, Clone)]
pub enum Found {
    /// A number.
    Float(f64),
    /// A native histogram as the engine has it.
    Histogram(Arc<Histogram>),
    /// A native histogram as the HTTP API returns it.
    Buckets(Buckets),
}

/// A native histogram as the HTTP API returns it.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// Number of observations.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// Non-empty buckets.
    pub buckets: Vec<Bucket>,
}

impl From<Sample> for Found {
    fn from(sample: Sample) -> Self {
        match sample {
            Sample::Float(value) => Found::Float(value),
            Sample::Histogram(histogram) => Found::Histogram(histogram),
        }
    }
}

impl From<&Histogram> for Buckets {
    fn from(histogram: &Histogram) -> Self {
        Buckets { count: histogram.count, sum: histogram.sum, buckets: histogram.buckets() }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        let value = match outcome.value {
            promql::Value::Scalar { value, .. } => Value::Scalar(value),
            promql::Value::String { value, .. } => Value::String(value),
            promql::Value::Vector(samples) => {
                Value::Vector(samples.into_iter().map(|sample| (sample.labels, sample.sample.into())).collect())
            }
            promql::Value::Matrix(matrix) => Value::Matrix(matrix.into_iter().map(by_time).collect()),
        };
        Answer { value, warnings: outcome.warnings, infos: outcome.infos }
    }
}

fn by_time(series: SeriesSamples) -> (Labels, BTreeMap<i64, Found>) {
    let floats = series.timestamps.into_iter().zip(series.values).map(|(time, value)| (time, Found::Float(value)));
    let histograms = series.histograms.into_iter().map(|(time, histogram)| (time, Found::Histogram(histogram)));
    (series.labels, floats.chain(histograms).collect())
}
