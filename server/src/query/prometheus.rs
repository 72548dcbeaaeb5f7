//! An engine elsewhere that speaks Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use model::{
    frame::{Frame, Labels, Series},
    live::{Alert, AlertList, AlertState},
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};
use serde::{Deserialize, Serialize};

use super::{ErrorKind, QueryError, QueryLimits, ScopedQuery, ScopedRequest};
use crate::clock::now_ms;

/// Parameters of a request that has none.
const NO_PARAMETERS: &[(&str, &str)] = &[];

/// Names the engine among the sources.
const SOURCE: &str = "prometheus";

/// A client of one engine.
pub struct Prometheus {
    client: reqwest::Client,
    /// Without a slash at its end.
    base_url: String,
    limits: QueryLimits,
    health: Mutex<Health>,
}

/// What the requests so far tell about the engine.
struct Health {
    state: UpstreamState,
    since_ms: i64,
    last_data_ms: Option<i64>,
    reconnects: u64,
    duration_secs: Option<f64>,
    error: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum QueryData {
    Matrix(Vec<MatrixSeries>),
    Vector(Vec<VectorSample>),
    Scalar(Sample),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct MatrixSeries {
    metric: Labels,
    /// Absent for a series of native histograms alone.
    #[serde(default)]
    values: Vec<Sample>,
}

#[derive(Deserialize)]
struct VectorSample {
    metric: Labels,
    value: Option<Sample>,
}

/// Unix seconds and the value as text.
#[derive(Deserialize)]
struct Sample(f64, String);

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

fn series(labels: Labels, samples: &[Sample]) -> Series {
    let (timestamps, values) = samples.iter().filter_map(Sample::point).unzip();
    Series { labels, timestamps, values }
}

impl Prometheus {
    /// A client for the engine at `base_url`, which may have a path prefix.
    ///
    /// # Errors
    /// The TLS back-end could not be set up.
    pub fn new(base_url: &str, limits: QueryLimits) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(limits.timeout + Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let health = Health {
            state: UpstreamState::Connecting,
            since_ms: now_ms(),
            last_data_ms: None,
            reconnects: 0,
            duration_secs: None,
            error: None,
            version: None,
        };
        Ok(Prometheus {
            client,
            base_url: base_url.trim_end_matches('/').to_owned(),
            limits,
            health: Mutex::new(health),
        })
    }

    /// Evaluates a range query. See [`super::Backend::range`].
    ///
    /// # Errors
    /// The engine's own error, or that it cannot be reached.
    pub async fn range_frame(
        &self,
        query: &ScopedQuery,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Frame, QueryError> {
        let parameters = [
            ("query", query.text().to_owned()),
            ("start", seconds(start_ms)),
            ("end", seconds(end_ms)),
            ("step", seconds(step_ms)),
        ];
        self.frame("query_range", &parameters, end_ms).await
    }

    /// Evaluates an instant query. See [`super::Backend::instant`].
    ///
    /// # Errors
    /// As [`Prometheus::range_frame`].
    pub async fn instant_frame(&self, query: &ScopedQuery, time_ms: i64) -> Result<Frame, QueryError> {
        self.frame("query", &[("query", query.text().to_owned()), ("time", seconds(time_ms))], time_ms).await
    }

    async fn frame(&self, path: &str, parameters: &[(&str, String)], end_ms: i64) -> Result<Frame, QueryError> {
        let envelope: Envelope<QueryData> = self.ask(path, parameters).await?;
        let mut notices = envelope.warnings;
        notices.extend(envelope.infos);
        let series = match envelope.data {
            Some(QueryData::Matrix(matrix)) => matrix.into_iter().map(|one| series(one.metric, &one.values)).collect(),
            Some(QueryData::Vector(vector)) => {
                vector.into_iter().filter_map(|one| Some(series(one.metric, &[one.value?]))).collect()
            }
            Some(QueryData::Scalar(sample)) => vec![series(Labels::new(), &[sample])],
            Some(QueryData::String(_)) | None => Vec::new(),
        };
        Ok(Frame { series, removed: Vec::new(), end_ms, notices })
    }

    async fn ask<T: for<'de> Deserialize<'de>, P: Serialize + ?Sized>(
        &self,
        path: &str,
        parameters: &P,
    ) -> Result<Envelope<T>, QueryError> {
        let started = std::time::Instant::now();
        let outcome = async {
            let mut response = self.request(path, parameters).send().await.map_err(|e| self.unreachable(&e))?;
            let status = response.status();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
                if body.len() + chunk.len() > self.limits.max_response_bytes {
                    let limit = self.limits.max_response_bytes;
                    return Err(QueryError::new(
                        ErrorKind::Execution,
                        format!("the answer is larger than {limit} bytes: ask for fewer series or points"),
                    ));
                }
                body.extend_from_slice(&chunk);
            }
            let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(|error| {
                QueryError::new(
                    ErrorKind::Unavailable,
                    format!(
                        "{} answered {status} with something that is not Prometheus' JSON ({error}): is the URL right?",
                        self.base_url
                    ),
                )
            })?;
            match envelope.error {
                Some(message) => Err(QueryError::new(kind_of(envelope.error_type.as_deref()), message)),
                None => Ok(envelope),
            }
        }
        .await;
        let reached = !matches!(&outcome, Err(error) if error.kind == ErrorKind::Unavailable);
        self.note(reached, outcome.as_ref().err().map(|error| error.message.clone()), started.elapsed());
        outcome
    }

    /// A request of the HTTP API. What may be long is sent as a form, which Prometheus takes for these paths alone.
    fn request<P: Serialize + ?Sized>(&self, path: &str, parameters: &P) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v1/{path}", self.base_url);
        if matches!(path, "query" | "query_range" | "labels" | "series") {
            self.client.post(url).form(parameters)
        } else {
            self.client.get(url).query(parameters)
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> QueryError {
        let why = if error.is_timeout() {
            "it did not answer in time".to_owned()
        } else {
            let mut cause: &dyn std::error::Error = error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            cause.to_string()
        };
        QueryError::new(ErrorKind::Unavailable, format!("{} cannot be reached: {why}", self.base_url))
    }

    fn note(&self, reached: bool, error: Option<String>, took: Duration) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let state = if reached { UpstreamState::Live } else { UpstreamState::Down };
        if health.state != state {
            if reached && health.state == UpstreamState::Down {
                health.reconnects += 1;
            }
            health.state = state;
            health.since_ms = now_ms();
        }
        if reached {
            health.last_data_ms = Some(now_ms());
            health.duration_secs = Some(took.as_secs_f64());
            health.error = None;
        } else {
            health.error = error;
        }
    }

    /// Asks for the engine's version, which tells whether it can be reached.
    pub async fn probe(&self) {
        #[derive(Deserialize)]
        struct BuildInfo {
            version: String,
        }
        if let Ok(Envelope { data: Some(BuildInfo { version }), .. }) =
            self.ask("status/buildinfo", NO_PARAMETERS).await
        {
            self.health.lock().unwrap_or_else(PoisonError::into_inner).version = Some(version);
        }
    }

    /// How the engine is doing.
    #[must_use]
    pub fn status(&self) -> UpstreamStatus {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        UpstreamStatus {
            name: SOURCE.to_owned(),
            kind: UpstreamKind::Prometheus,
            state: health.state,
            since_ms: health.since_ms,
            last_data_ms: health.last_data_ms,
            reconnects: health.reconnects,
            scrape_duration_seconds: health.duration_secs,
            error: health.error.clone(),
            detail: health.version.as_ref().map(|version| format!("Prometheus API, version {version}")),
        }
    }

    /// The alerts of the engine's rules.
    pub async fn alerts(&self) -> AlertList {
        match self.ask::<AlertsData, _>("alerts", NO_PARAMETERS).await {
            Ok(envelope) => {
                let mut alerts: Vec<Alert> =
                    envelope.data.map(|data| data.alerts).unwrap_or_default().into_iter().map(Alert::from).collect();
                alerts.sort_by(|a, b| {
                    let rank = |alert: &Alert| {
                        (alert.state != AlertState::Firing, alert.severity != "critical", alert.name.clone())
                    };
                    rank(a).cmp(&rank(b))
                });
                AlertList { alerts, unavailable: None }
            }
            Err(error) => AlertList { alerts: Vec::new(), unavailable: Some(error.message) },
        }
    }

    /// The data of the answer to a request of the HTTP API.
    ///
    /// # Errors
    /// The engine's own error, or that it cannot be reached.
    pub async fn json(&self, request: &ScopedRequest) -> Result<serde_json::Value, QueryError> {
        let envelope: Envelope<serde_json::Value> = self.ask(request.path(), request.pairs()).await?;
        Ok(envelope.data.unwrap_or_default())
    }

    /// Passes a request of the HTTP API on, and the answer back as it is.
    pub async fn pass_on(&self, request: &ScopedRequest) -> Response {
        let started = std::time::Instant::now();
        match self.request(request.path(), request.pairs()).send().await {
            Ok(answer) => {
                self.note(true, None, started.elapsed());
                let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
                let content_type = answer.headers().get(CONTENT_TYPE).cloned();
                let mut response = (status, Body::from_stream(answer.bytes_stream())).into_response();
                if let Some(content_type) = content_type {
                    response.headers_mut().insert(CONTENT_TYPE, content_type);
                }
                response
            }
            Err(error) => {
                let error = self.unreachable(&error);
                self.note(false, Some(error.message.clone()), started.elapsed());
                error.into_response()
            }
        }
    }
}

#[derive(Deserialize)]
struct AlertsData {
    alerts: Vec<PrometheusAlert>,
}

#[derive(Deserialize)]
struct PrometheusAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    state: String,
    #[serde(default, rename = "activeAt")]
    active_at: Option<String>,
    #[serde(default)]
    value: String,
}

impl From<PrometheusAlert> for Alert {
    fn from(alert: PrometheusAlert) -> Self {
        let text = |from: &Labels, name: &str| from.get(name).cloned().unwrap_or_default();
        Alert {
            name: text(&alert.labels, "alertname"),
            state: if alert.state == "firing" { AlertState::Firing } else { AlertState::Pending },
            severity: text(&alert.labels, "severity"),
            summary: text(&alert.annotations, "summary"),
            description: text(&alert.annotations, "description"),
            value: alert.value.parse().ok(),
            active_at: alert.active_at.and_then(|at| at.parse::<jiff::Timestamp>().ok()).map(|at| at.as_millisecond()),
            runbook: alert.annotations.get("runbook_url").or_else(|| alert.annotations.get("runbook")).cloned(),
            fingerprint: fingerprint(&alert.labels),
            labels: alert.labels,
            annotations: alert.annotations,
            source: SOURCE.to_owned(),
            ..Alert::default()
        }
    }
}

fn fingerprint(labels: &Labels) -> String {
    format!("{:016x}", rules::fingerprint(&promql::labels::Labels::new(labels.clone())))
}

fn kind_of(error_type: Option<&str>) -> ErrorKind {
    match error_type {
        Some("bad_data") => ErrorKind::BadData,
        Some("timeout" | "canceled") => ErrorKind::Timeout,
        Some("unavailable") => ErrorKind::Unavailable,
        Some("internal") => ErrorKind::Internal,
        _ => ErrorKind::Execution,
    }
}

/// Milliseconds as the API's seconds, exactly.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(1_700_000_000_005), "1700000000.005");
        assert_eq!(seconds(-5), "-0.005");
    }
}
