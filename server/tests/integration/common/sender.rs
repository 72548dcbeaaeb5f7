//! A remote-write sender.

use labels::{Labels, METRIC_NAME};
use remote_write::{Request, TimeSeries};
use reqwest::{RequestBuilder, Response};

use super::Server;

/// A series of floats: name, labels, and samples by time in milliseconds.
pub fn series(name: &str, labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    let labels = Labels::new(labels.iter().copied().chain([(METRIC_NAME, name)]));
    TimeSeries { labels, samples: samples.to_vec(), ..TimeSeries::default() }
}

/// The body of a request with these series.
pub fn body(series: Vec<TimeSeries>) -> Vec<u8> {
    remote_write::compress(&remote_write::encode(&Request { series, ..Request::default() })).unwrap()
}

/// A body with the headers of a sender.
pub fn with_body(request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
    request
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(body)
}

/// Writes series as the admin.
pub async fn write(server: &Server, series: Vec<TimeSeries>) -> Response {
    with_body(server.post("/api/v1/write"), body(series)).send().await.unwrap()
}
