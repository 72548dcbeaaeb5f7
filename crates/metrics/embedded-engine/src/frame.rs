//! Results of queries as the frames that panels draw.

use std::sync::Arc;

use model::frame::{Frame, Labels, Series};
use promql::{Outcome, Value};
use timeseries::Sample;

/// Converts a result to the frame of panels. Native histograms and strings are left out, because they cannot be drawn.
#[must_use]
pub fn frame(outcome: Outcome, end_ms: i64) -> Frame {
    let labels = |labels: &labels::Labels| -> Arc<Labels> {
        Arc::new(labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    let series = match outcome.value {
        Value::Matrix(matrix) => matrix
            .into_iter()
            .map(|series| Series {
                labels: labels(&series.labels),
                timestamps: series.timestamps,
                values: series.values,
            })
            .collect(),
        Value::Vector(vector) => vector
            .into_iter()
            .filter_map(|sample| {
                let Sample::Float(value) = sample.sample else { return None };
                Some(Series { labels: labels(&sample.labels), timestamps: vec![end_ms], values: vec![value] })
            })
            .collect(),
        Value::Scalar { value, .. } => {
            vec![Series { labels: Arc::default(), timestamps: vec![end_ms], values: vec![value] }]
        }
        Value::String { .. } => Vec::new(),
    };
    let mut notices = outcome.warnings;
    notices.extend(outcome.infos);
    Frame { series, end_ms, notices, ..Frame::default() }
}
