//! Requests to an engine that names labels otherwise, and its answers, in Prometheus' JSON.

use front::labels::LabelNames;
use serde_json::{Map, Value};

use super::ScopedRequest;

/// Fields of answers that hold the labels of a series or an alert.
const LABELS: [&str; 3] = ["metric", "labels", "seriesLabels"];
/// Parameters that hold PromQL.
const PROMQL: [&str; 2] = ["query", "match[]"];

/// Path and parameters of a request with the engine's names.
pub(super) fn sent(names: &LabelNames, request: &ScopedRequest) -> (String, Vec<(String, String)>) {
    let (path, pairs) = (request.path().to_owned(), request.pairs().to_vec());
    if names.is_empty() {
        return (path, pairs);
    }
    let pairs = pairs.into_iter().map(|(name, value)| {
        let renamed = PROMQL.contains(&name.as_str()).then(|| names.query(&value)).flatten();
        (name, renamed.unwrap_or(value))
    });
    (of_values(names, &path).unwrap_or(path), pairs.collect())
}

/// The path of a label's values, with the engine's name.
fn of_values(names: &LabelNames, path: &str) -> Option<String> {
    let label = path.strip_prefix("label/")?.strip_suffix("/values")?;
    let label = percent_encoding::percent_decode_str(label).decode_utf8().ok()?;
    let theirs = percent_encoding::utf8_percent_encode(names.theirs(&label), percent_encoding::NON_ALPHANUMERIC);
    Some(format!("label/{theirs}/values"))
}

/// The body of an answer to a request for `path` with our names; `None` if it is not Prometheus' JSON.
pub(super) fn answer(names: &LabelNames, path: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut envelope: Value = serde_json::from_slice(body).ok()?;
    shown(names, path, envelope.get_mut("data")?);
    serde_json::to_vec(&envelope).ok()
}

/// Gives the data of an answer to a request for `path` our names.
pub(super) fn shown(names: &LabelNames, path: &str, data: &mut Value) {
    if names.is_empty() {
        return;
    }
    match (path, data) {
        ("labels", Value::Array(labels)) => {
            let theirs = std::mem::take(labels).into_iter().filter_map(|name| match name {
                Value::String(name) => Some(name),
                _ => None,
            });
            *labels = names.names(theirs).into_iter().map(Value::String).collect();
        }
        ("series", Value::Array(series)) => {
            series.iter_mut().filter_map(Value::as_object_mut).for_each(|labels| rename(names, labels))
        }
        (_, data) => everywhere(names, data),
    }
}

fn everywhere(names: &LabelNames, value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| everywhere(names, value)),
        Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Value::Object(labels) if LABELS.contains(&field.as_str()) => rename(names, labels),
                    value => everywhere(names, value),
                }
            }
        }
        _ => {}
    }
}

fn rename(names: &LabelNames, labels: &mut Map<String, Value>) {
    *labels = names.series(std::mem::take(labels)).into_iter().collect();
}
