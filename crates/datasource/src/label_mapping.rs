//! Translates label names in requests to an engine with other names, and in its responses, in Prometheus' JSON.

use std::borrow::Cow;

use access::ScopedRequest;
use query_frontend::labels::LabelNames;
use serde_json::{Map, Value, value::to_raw_value};

use crate::fields::Fields;

/// Fields of responses that contain the labels of a series or an alert.
const LABELS: [&str; 3] = ["metric", "labels", "seriesLabels"];
/// Parameters that contain PromQL.
const PROMQL: [&str; 2] = ["query", "match[]"];

/// Path and parameters of a request with the engine's label names.
pub(crate) fn sent(names: &LabelNames, request: &ScopedRequest) -> (String, Vec<(String, String)>) {
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

/// The path of a label's values with the engine's label name.
fn of_values(names: &LabelNames, path: &str) -> Option<String> {
    let label = path.strip_prefix("label/")?.strip_suffix("/values")?;
    let label = percent_encoding::percent_decode_str(label).decode_utf8().ok()?;
    let theirs = percent_encoding::utf8_percent_encode(names.theirs(&label), percent_encoding::NON_ALPHANUMERIC);
    Some(format!("label/{theirs}/values"))
}

/// The body of a response for `path` with our label names, and with `remark` added to the engine's own; `None` if it is
/// not Prometheus' JSON.
pub(crate) fn answer(names: &LabelNames, path: &str, body: &[u8], remark: Option<&str>) -> Option<Vec<u8>> {
    let mut fields = Fields::read(body)?;
    if !names.is_empty() {
        let data = fields.get("data")?;
        let mut value: Value = serde_json::from_str(data.get()).ok()?;
        shown(names, path, &mut value);
        *data = Cow::Owned(to_raw_value(&value).ok()?);
    }
    if let Some(remark) = remark {
        let infos = fields.get("infos");
        let mut all: Vec<Value> =
            infos.as_ref().and_then(|infos| serde_json::from_str(infos.get()).ok()).unwrap_or_default();
        all.push(remark.into());
        let all = Cow::Owned(to_raw_value(&all).ok()?);
        match infos {
            Some(infos) => *infos = all,
            None => fields.push("infos", all),
        }
    }
    fields.write(body.len() + 128)
}

/// Replaces the engine's label names by ours in the data of a response for `path`.
pub(crate) fn shown(names: &LabelNames, path: &str, data: &mut Value) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_changes_nothing_else_of_an_answer() {
        let none = LabelNames::default();
        let remarked = |body: &str| {
            answer(&none, "query", body.as_bytes(), Some("x")).map(|body| String::from_utf8(body).unwrap())
        };
        let data = r#"{"result": [ [1.50, "1e3"] ] }"#;
        assert_eq!(
            remarked(&format!(r#"{{"status":"success", "data":{data}}}"#)).unwrap(),
            format!(r#"{{"status":"success","data":{data},"infos":["x"]}}"#)
        );
        assert_eq!(
            remarked(&format!(r#"{{"infos":["a"],"data":{data},"warnings":["b"]}}"#)).unwrap(),
            format!(r#"{{"infos":["a","x"],"data":{data},"warnings":["b"]}}"#)
        );
        assert_eq!(remarked("502 Bad Gateway"), None);
        assert_eq!(remarked("[]"), None);
    }
}
