//! Results in the JSON of Prometheus' HTTP API, written directly into a string.

use std::fmt::Write;

use labels::Labels;
use promql::Value;
use timeseries::{Sample, histogram::Histogram};

/// Writes `{"resultType":...,"result":...}`; false once it exceeds `limit` bytes.
pub(super) fn write_value(data: &mut String, value: &Value, limit: usize) -> bool {
    match value {
        Value::Matrix(matrix) => {
            data.push_str("{\"resultType\":\"matrix\",\"result\":[");
            for (index, series) in matrix.iter().enumerate() {
                comma(data, index);
                data.push_str("{\"metric\":");
                write_labels(data, &series.labels);
                if !series.timestamps.is_empty() || series.histograms.is_empty() {
                    data.push_str(",\"values\":[");
                    for (index, (timestamp, value)) in series.timestamps.iter().zip(&series.values).enumerate() {
                        comma(data, index);
                        write_float(data, *timestamp, *value);
                    }
                    data.push(']');
                }
                if !series.histograms.is_empty() {
                    data.push_str(",\"histograms\":[");
                    for (index, (timestamp, histogram)) in series.histograms.iter().enumerate() {
                        comma(data, index);
                        write_histogram(data, *timestamp, histogram);
                    }
                    data.push(']');
                }
                data.push('}');
                if data.len() > limit {
                    return false;
                }
            }
            data.push_str("]}");
        }
        Value::Vector(vector) => {
            data.push_str("{\"resultType\":\"vector\",\"result\":[");
            for (index, sample) in vector.iter().enumerate() {
                comma(data, index);
                data.push_str("{\"metric\":");
                write_labels(data, &sample.labels);
                match &sample.sample {
                    Sample::Float(value) => {
                        data.push_str(",\"value\":");
                        write_float(data, sample.timestamp_ms, *value);
                    }
                    Sample::Histogram(histogram) => {
                        data.push_str(",\"histogram\":");
                        write_histogram(data, sample.timestamp_ms, histogram);
                    }
                }
                data.push('}');
                if data.len() > limit {
                    return false;
                }
            }
            data.push_str("]}");
        }
        Value::Scalar { timestamp_ms, value } => {
            // Prometheus writes scalars without an exponent, unlike samples, and their time as a plain number.
            data.push_str("{\"resultType\":\"scalar\",\"result\":[");
            data.push_str(&seconds(*timestamp_ms).to_string());
            data.push_str(",\"");
            data.push_str(&timeseries::format::float(*value));
            data.push_str("\"]}");
        }
        Value::String { timestamp_ms, value } => {
            data.push_str("{\"resultType\":\"string\",\"result\":[");
            data.push_str(&seconds(*timestamp_ms).to_string());
            data.push(',');
            write_text(data, value);
            data.push_str("]}");
        }
    }
    data.len() <= limit
}

/// Writes float series as `{"resultType":"matrix","result":[...]}`.
pub(super) fn write_series(data: &mut String, all: &[model::frame::Series]) {
    data.push_str("{\"resultType\":\"matrix\",\"result\":[");
    for (index, series) in all.iter().enumerate() {
        comma(data, index);
        data.push_str("{\"metric\":{");
        for (index, (name, value)) in series.labels.iter().enumerate() {
            comma(data, index);
            write_text(data, name);
            data.push(':');
            write_text(data, value);
        }
        data.push_str("},\"values\":[");
        for (index, (timestamp, value)) in series.points().enumerate() {
            comma(data, index);
            write_float(data, timestamp, value);
        }
        data.push_str("]}");
    }
    data.push_str("]}");
}

fn comma(data: &mut String, index: usize) {
    if index > 0 {
        data.push(',');
    }
}

fn write_text(data: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        data.push('"');
        data.push_str(text);
        data.push('"');
    } else {
        // Serialization of strings cannot fail.
        data.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

fn write_labels(data: &mut String, labels: &Labels) {
    data.push('{');
    for (index, (name, value)) in labels.iter().enumerate() {
        comma(data, index);
        write_text(data, name);
        data.push(':');
        write_text(data, value);
    }
    data.push('}');
}

/// Unix seconds, with milliseconds if not zero, as in Prometheus.
fn write_time(data: &mut String, time_ms: i64) {
    let sign = if time_ms < 0 { "-" } else { "" };
    let (seconds, millis) = (time_ms.unsigned_abs() / 1000, time_ms.unsigned_abs() % 1000);
    // Writing to a string cannot fail.
    let _ = write!(data, "{sign}{seconds}");
    if millis > 0 {
        let _ = write!(data, ".{millis:03}");
    }
}

fn write_float(data: &mut String, time_ms: i64, value: f64) {
    data.push('[');
    write_time(data, time_ms);
    data.push_str(",\"");
    write_number(data, value);
    data.push_str("\"]");
}

/// Unix seconds as a JSON number.
pub(super) fn seconds(time_ms: i64) -> serde_json::Number {
    if time_ms % 1000 == 0 {
        return (time_ms / 1000).into();
    }
    // Times are far below 2^53 ms, and finite.
    #[allow(clippy::cast_precision_loss)]
    serde_json::Number::from_f64(time_ms as f64 / 1000.0).unwrap_or_else(|| 0.into())
}

/// A value as in Prometheus' JSON: the shortest text that parses back, with an exponent below 1e-6 and from 1e21 on.
pub(crate) fn write_number(data: &mut String, value: f64) {
    let magnitude = value.abs();
    if value.is_finite() && magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        data.push_str(&timeseries::format::scientific(value));
    } else {
        data.push_str(&timeseries::format::float(value));
    }
}

fn write_histogram(data: &mut String, time_ms: i64, histogram: &Histogram) {
    data.push('[');
    write_time(data, time_ms);
    data.push_str(",{\"count\":\"");
    write_number(data, histogram.count);
    data.push_str("\",\"sum\":\"");
    write_number(data, histogram.sum);
    data.push('"');
    let mut open = false;
    for bucket in histogram.buckets().iter().filter(|bucket| bucket.count != 0.0) {
        data.push_str(if open { "," } else { ",\"buckets\":[" });
        open = true;
        let _ = write!(data, "[{},\"", boundaries(bucket.includes_lower, bucket.includes_upper));
        write_number(data, bucket.lower);
        data.push_str("\",\"");
        write_number(data, bucket.upper);
        data.push_str("\",\"");
        write_number(data, bucket.count);
        data.push_str("\"]");
    }
    data.push_str(if open { "]}]" } else { "}]" });
}

/// Prometheus' code for which bounds of a bucket are inclusive.
fn boundaries(lower_included: bool, upper_included: bool) -> u8 {
    match (lower_included, upper_included) {
        (false, true) => 0,
        (true, false) => 1,
        (false, false) => 2,
        (true, true) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_does() {
        let number = |value| {
            let mut text = String::new();
            write_number(&mut text, value);
            text
        };
        assert_eq!(number(1e-7), "1e-07");
        assert_eq!(number(1e21), "1e+21");
        assert_eq!(number(0.000_001), "0.000001");
        assert_eq!(number(-0.0), "-0");
        assert_eq!(number(f64::NAN), "NaN");
    }

    #[test]
    fn text_is_escaped_where_it_must_be() {
        for text in ["", "plain", "ä ö", "a\"b", "a\\b", "a\nb", "\u{1}", "\u{7f}", "\u{2028}"] {
            let mut written = String::new();
            write_text(&mut written, text);
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }

    #[test]
    fn times_have_milliseconds_only_where_there_are_any() {
        let time = |time_ms| {
            let mut text = String::new();
            write_time(&mut text, time_ms);
            text
        };
        assert_eq!(time(1_700_000_000_000), "1700000000");
        assert_eq!(time(1_700_000_000_050), "1700000000.050");
        assert_eq!(time(-5), "-0.005");
    }
}
