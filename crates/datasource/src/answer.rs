//! Parses an engine's responses in Prometheus' JSON into columns.

use model::frame::{Labels, Series};
use query_frontend::labels::LabelNames;
use serde::Deserialize;

/// Prometheus' response envelope.
#[derive(Deserialize)]
pub(crate) struct Envelope<T> {
    pub data: Option<T>,
    #[serde(default, rename = "errorType")]
    pub error_type: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub warnings: Vec<String>,
    #[serde(default)]
    pub infos: Vec<String>,
}

/// The data of a query.
#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(crate) enum QueryData {
    Matrix(Vec<MatrixSeries>),
    Vector(Vec<VectorSample>),
    Scalar(Sample),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
pub(crate) struct MatrixSeries {
    metric: Labels,
    /// Absent if the series only has native histograms.
    #[serde(default)]
    values: Vec<Sample>,
    #[serde(default)]
    histograms: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
pub(crate) struct VectorSample {
    metric: Labels,
    value: Option<Sample>,
}

/// Unix seconds, and the value as text.
#[derive(Deserialize)]
pub(crate) struct Sample(f64, String);

impl Sample {
    #[allow(clippy::cast_possible_truncation)] // a time within a query's bounds
    fn point(&self) -> Option<(i64, f64)> {
        let value = match self.1.as_str() {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            text => text.parse().ok()?,
        };
        Some(((self.0 * 1000.0).round() as i64, value))
    }
}

/// Series of floats, with the engine's warnings and infos.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranged {
    pub series: Vec<Series>,
    /// Whether native histograms were left out.
    pub has_histograms: bool,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

fn series(labels: Labels, names: &LabelNames, samples: &[Sample]) -> Series {
    let labels = if names.is_empty() { labels } else { names.series(labels) };
    let (timestamps, values) = samples.iter().filter_map(Sample::point).unzip();
    Series { labels: labels.into(), timestamps, values }
}

impl QueryData {
    /// Converts to series with our label names. Native histograms and strings are left out, because they cannot be
    /// drawn.
    pub(crate) fn into_ranged(self, names: &LabelNames) -> Ranged {
        let mut has_histograms = false;
        let series = match self {
            QueryData::Matrix(matrix) => matrix
                .into_iter()
                .map(|one| {
                    has_histograms |= one.histograms.is_some();
                    series(one.metric, names, &one.values)
                })
                .collect(),
            QueryData::Vector(vector) => {
                vector.into_iter().filter_map(|one| Some(series(one.metric, names, &[one.value?]))).collect()
            }
            QueryData::Scalar(sample) => vec![series(Labels::new(), names, &[sample])],
            QueryData::String(_) => Vec::new(),
        };
        Ranged { series, has_histograms, ..Ranged::default() }
    }
}
