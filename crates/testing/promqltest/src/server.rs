//! A server that is loaded by remote write and queried over HTTP.

use std::collections::BTreeMap;

use labels::Labels;
use remote_write::{Request, TimeSeries};
use serde_json::Value as Json;
use timeseries::{Sample, histogram::Bucket};

use crate::{
    Answer, Buckets, Found, Memory, Target, Times, Value,
    http::{form, post},
    series::Loaded,
};

/// A running server with Prometheus' HTTP API.
#[derive(Debug)]
pub struct Server {
    /// Host and port.
    address: String,
    token: Option<String>,
    has_histograms: bool,
    is_empty: bool,
}

impl Server {
    /// The server at `http://address`, whose store must be empty.
    #[must_use]
    pub fn new(address: &str, token: Option<&str>) -> Self {
        Server { address: address.to_owned(), token: token.map(str::to_owned), has_histograms: false, is_empty: true }
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let authorization = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all = headers.to_vec();
        all.extend(authorization.as_deref().map(|authorization| ("authorization", authorization)));
        post(&self.address, path, &all, body)
    }

    /// Writes series.
    ///
    /// # Errors The server's error if it rejects any of them.
    pub fn write(&self, series: Vec<TimeSeries>) -> Result<(), String> {
        let message = remote_write::encode(&Request { series, ..Request::default() });
        let body = remote_write::compress(&message).map_err(|error| error.to_string())?;
        let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
        let (status, answer) = self.post("/api/v1/write", &headers, &body)?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        Err(format!("remote write: {status}: {}", String::from_utf8_lossy(&answer)))
    }

    /// Sends a form to the API; returns the envelope of a successful answer.
    ///
    /// # Errors The server's error, or why the request failed.
    pub fn ask(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Json, String> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let (status, body) = self.post(path, &headers, form(pairs).as_bytes())?;
        let answer: Json = serde_json::from_slice(&body)
            .map_err(|error| format!("{path}: {status}: {error}: {}", String::from_utf8_lossy(&body)))?;
        match answer.get("error").and_then(Json::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Target for Server {
    fn clear(&mut self) -> Result<(), String> {
        if self.is_empty { Ok(()) } else { Err("a server that runs cannot be emptied".to_owned()) }
    }

    fn load(&mut self, loaded: Vec<Loaded>, with_custom_buckets: bool) -> Result<(), String> {
        let mut memory = Memory::default();
        memory.add(loaded, with_custom_buckets);
        self.has_histograms |= memory.has_histograms();
        self.is_empty = false;
        self.write(memory.series().map(|(labels, samples)| time_series(labels, samples)).collect())
    }

    fn evaluate(&self, expression: &str, (start, end, step): Times) -> Result<Answer, String> {
        let (start, end, step_text) = (seconds(start), seconds(end), seconds(step));
        let answer = if step == 0 {
            self.ask("/api/v1/query", &[("query", expression), ("time", &start)])?
        } else {
            let pairs = [("query", expression), ("start", &start), ("end", &end), ("step", &step_text)];
            self.ask("/api/v1/query_range", &pairs)?
        };
        let notes = |name: &str| {
            let notes = answer.get(name).and_then(Json::as_array).into_iter().flatten();
            notes.filter_map(Json::as_str).map(str::to_owned).collect()
        };
        let value = value(&answer).ok_or_else(|| format!("an answer that cannot be read: {answer}"))?;
        Ok(Answer { value, warnings: notes("warnings"), infos: notes("infos") })
    }

    fn has_histograms(&self) -> bool {
        self.has_histograms
    }

    fn is_remote(&self) -> bool {
        true
    }
}

fn time_series(labels: &Labels, samples: &BTreeMap<i64, Sample>) -> TimeSeries {
    let mut series = TimeSeries { labels: labels.clone(), ..TimeSeries::default() };
    for (time, sample) in samples {
        match sample {
            Sample::Float(value) => series.samples.push((*time, *value)),
            Sample::Histogram(histogram) => series.histograms.push((*time, histogram.clone())),
        }
    }
    series
}

/// Converts milliseconds to the API's seconds.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

fn value(answer: &Json) -> Option<Value> {
    let data = answer.get("data")?;
    let result = data.get("result")?;
    Some(match data.get("resultType")?.as_str()? {
        "scalar" => Value::Scalar(number(result.get(1)?)?),
        "string" => Value::String(result.get(1)?.as_str()?.to_owned()),
        "vector" => Value::Vector(
            result
                .as_array()?
                .iter()
                .map(|one| {
                    let found = match one.get("value") {
                        Some(pair) => float(pair)?.1,
                        None => histogram(one.get("histogram")?)?.1,
                    };
                    Some((labels(one)?, found))
                })
                .collect::<Option<_>>()?,
        ),
        "matrix" => Value::Matrix(
            result
                .as_array()?
                .iter()
                .map(|one| {
                    let pairs = |name: &str| one.get(name).and_then(Json::as_array).into_iter().flatten();
                    let found = pairs("values").map(float).chain(pairs("histograms").map(histogram));
                    Some((labels(one)?, found.collect::<Option<_>>()?))
                })
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

fn labels(one: &Json) -> Option<Labels> {
    let metric = one.get("metric")?.as_object()?;
    let pairs: Option<Vec<(&str, &str)>> =
        metric.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    Some(Labels::new(pairs?))
}

#[allow(clippy::cast_possible_truncation, reason = "times of scripts are small")]
fn time(pair: &Json) -> Option<i64> {
    Some((pair.get(0)?.as_f64()? * 1000.0).round() as i64)
}

fn number(text: &Json) -> Option<f64> {
    text.as_str()?.parse().ok()
}

fn float(pair: &Json) -> Option<(i64, Found)> {
    Some((time(pair)?, Found::Float(number(pair.get(1)?)?)))
}

fn histogram(pair: &Json) -> Option<(i64, Found)> {
    let histogram = pair.get(1)?;
    let buckets = histogram.get("buckets").and_then(Json::as_array).into_iter().flatten();
    let bucket = |one: &Json| {
        let boundaries = one.get(0)?.as_u64()?;
        Some(Bucket {
            lower: number(one.get(1)?)?,
            upper: number(one.get(2)?)?,
            includes_lower: matches!(boundaries, 1 | 3),
            includes_upper: matches!(boundaries, 0 | 3),
            count: number(one.get(3)?)?,
        })
    };
    let buckets = Buckets {
        count: number(histogram.get("count")?)?,
        sum: number(histogram.get("sum")?)?,
        buckets: buckets.map(bucket).collect::<Option<_>>()?,
    };
    Some((time(pair)?, Found::Buckets(buckets)))
}
