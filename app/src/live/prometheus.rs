//! Prometheus' JSON answer as a frame: for fixed ranges, and where the socket does not get through.

use model::{
    frame::{Frame, Labels, Series},
    tree::{Tree, float},
};
use serde::Deserialize;

use crate::platform;

/// What `/api/v1/query` and `/api/v1/query_range` answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    /// Its shape is that of its kind.
    result: Tree,
}

#[derive(Debug, Deserialize)]
struct Matrix {
    metric: Labels,
    values: Vec<Point>,
}

#[derive(Debug, Deserialize)]
struct Vector {
    metric: Labels,
    value: Point,
}

/// Seconds since the Unix epoch and a value as text.
#[derive(Debug, Deserialize)]
struct Point(#[serde(deserialize_with = "float")] f64, String);

impl Data {
    fn series(self) -> Result<Vec<Series>, String> {
        let unreadable = |error| format!("the answer cannot be read: {error}");
        Ok(match self.kind.as_str() {
            "matrix" => {
                let all: Vec<Matrix> = self.result.deserialized().map_err(unreadable)?;
                all.into_iter().map(|one| series(one.metric, one.values)).collect()
            }
            "vector" => {
                let all: Vec<Vector> = self.result.deserialized().map_err(unreadable)?;
                all.into_iter().map(|one| series(one.metric, vec![one.value])).collect()
            }
            "scalar" => vec![series(Labels::new(), vec![self.result.deserialized().map_err(unreadable)?])],
            kind => return Err(format!("the query gives a {kind}; a panel shows numbers")),
        })
    }
}

impl Answer {
    /// The series of the answer, or the engine's message.
    ///
    /// # Errors
    /// The engine refused the query, or its result is not made of numbers.
    pub(crate) fn into_frame(self, end_ms: i64) -> Result<Frame, String> {
        if self.status != "success" {
            return Err(self.error);
        }
        let series = match self.data {
            None => Vec::new(),
            Some(data) => data.series()?,
        };
        Ok(Frame { series, end_ms, notices: self.warnings, ..Frame::default() })
    }
}

fn series(labels: Labels, points: Vec<Point>) -> Series {
    let mut series = Series { labels, ..Series::default() };
    for Point(seconds, value) in points {
        if let Some(value) = platform::sample_value(&value) {
            series.timestamps.push(whole_ms(seconds));
            series.values.push(value);
        }
    }
    series
}

/// Seconds with a fraction as milliseconds.
#[allow(clippy::cast_possible_truncation)] // a cast from float saturates, and no time of ours is near the ends of i64
fn whole_ms(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_becomes_columns() {
        let answer = r#"{"status":"success","warnings":["w"],"data":{"resultType":"matrix","result":[
            {"metric":{"provider":"aws"},"values":[[1700000000.123,"1"],[1700000015,"NaN"],[1700000030,"+Inf"]]}]}}"#;
        let frame = serde_json::from_str::<Answer>(answer).unwrap().into_frame(7).unwrap();
        let series = &frame.series[0];
        assert_eq!(series.timestamps, [1_700_000_000_123, 1_700_000_015_000, 1_700_000_030_000]);
        assert!(series.values[1].is_nan() && series.values[2].is_infinite());
        assert_eq!((frame.end_ms, frame.notices.as_slice()), (7, ["w".to_owned()].as_slice()));
    }

    #[test]
    fn a_refusal_carries_the_engines_words() {
        let answer = r#"{"status":"error","errorType":"bad_data","error":"1:5: unknown function"}"#;
        assert_eq!(serde_json::from_str::<Answer>(answer).unwrap().into_frame(0), Err("1:5: unknown function".into()));
    }
}
