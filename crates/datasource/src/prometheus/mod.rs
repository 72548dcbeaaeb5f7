//! A remote engine with Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics.

mod alerts;
mod result_cache;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use access::{ScopedQuery, ScopedRequest};
use futures_util::FutureExt;
use model::{
    clock::now_ms,
    frame::{Frame, Series},
    upstream::UpstreamStatus,
};
use parking_lot::Mutex;
use query_frontend::{aliases::Aliases, labels::LabelNames};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::result_cache::UNSETTLED_MS;
pub(crate) use self::result_cache::{ResultCache, result_cache};
use crate::{
    Admission, EngineConfig, EngineSettings, ErrorKind, QueryError, QueryLimits,
    anchoring::{self, Anchoring},
    answer::{Envelope, QueryData, Ranged},
    coverage::EngineCoverage,
    freshness::{self, Freshness},
    label_mapping,
    names::{LOOK_BACK_MS, SourceNames},
    transport::{EngineResponse, Transport},
};

/// Larger responses are parsed on a blocking thread, so that they delay nothing else.
const LARGE_ANSWER: usize = 512 << 10;
/// Maximum number of long ranges that live queries re-evaluate at the same time on one engine.
const CORRECTIONS: usize = 2;
/// Lifetime of an engine's metric names.
const NAMES_LAST: Duration = Duration::from_secs(60);

/// A client of one engine.
pub struct Prometheus {
    transport: Transport,
    limits: QueryLimits,
    cache: ResultCache,
    /// Steps newer than this may still change.
    fresh_ms: i64,
    corrections: Arc<Semaphore>,
    names: SourceNames,
    anchoring: Anchoring,
    labels: LabelNames,
    /// Checks how far back the data of a query reaches.
    coverage: EngineCoverage,
    /// Whether it has no alerting rules, and when that was checked.
    without_rules: Mutex<Option<(Instant, bool)>>,
}

/// The steps of a range query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first step, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// No step is later than this.
    pub end_ms: i64,
    /// Interval between steps.
    pub step_ms: i64,
}

impl Prometheus {
    /// A client for the engine of `config` over `transport`.
    pub fn new(
        transport: Transport,
        config: &EngineConfig,
        settings: &EngineSettings,
        limits: QueryLimits,
        cache: ResultCache,
        aliases: Arc<Aliases>,
    ) -> Self {
        let fresh_ms = i64::try_from(settings.fresh.as_millis()).unwrap_or(i64::MAX);
        Prometheus {
            transport,
            limits,
            cache,
            fresh_ms,
            corrections: Arc::new(Semaphore::new(CORRECTIONS)),
            names: SourceNames::new(aliases, NAMES_LAST),
            anchoring: Anchoring::default(),
            labels: config.labels.clone(),
            coverage: EngineCoverage::default(),
            without_rules: Mutex::default(),
        }
    }

    /// Name of the engine.
    #[must_use]
    pub fn name(&self) -> &str {
        self.transport.name()
    }

    /// Admits requests of viewers.
    #[must_use]
    pub fn gate(&self) -> &Admission {
        self.transport.gate()
    }

    /// Steps newer than this, in milliseconds, may still change and are evaluated each time.
    #[must_use]
    pub fn fresh_ms(&self) -> i64 {
        self.fresh_ms
    }

    /// A permit to re-evaluate a long range; `None` if enough live queries of the engine do that already.
    #[must_use]
    pub fn correction_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.corrections).try_acquire_owned().ok()
    }

    /// See [`crate::Backend::as_sent`].
    pub async fn as_sent(&self, query: &ScopedQuery) -> Option<ScopedQuery> {
        let ask = async |names: &[&str]| {
            let now_ms = now_ms();
            let pairs = pairs([
                ("match[]", format!("{{__name__=~\"{}\"}}", names.join("|"))),
                ("start", seconds(now_ms.saturating_sub(LOOK_BACK_MS))),
                ("end", seconds(now_ms)),
            ]);
            let envelope: Envelope<Vec<String>> = self.ask("label/__name__/values", &pairs).await.ok()?;
            Some(envelope.data?.into_iter().collect())
        };
        let named = self.names.as_sent(query, ask).await;
        let knows = async || {
            let pairs = pairs([("query", anchoring::PROBE.to_owned()), ("time", seconds(now_ms()))]);
            match self.ask::<serde::de::IgnoredAny>("query", &pairs).await {
                Ok(_) => Some(true),
                Err(error) if matches!(error.kind, ErrorKind::BadData | ErrorKind::Execution) => Some(false),
                Err(_) => None,
            }
        };
        self.anchoring.as_sent(named.as_ref().unwrap_or(query), knows).await.or(named)
    }

    /// The text of a query with the engine's label names; `None` if they are the same.
    #[must_use]
    pub fn renamed_text(&self, query: &ScopedQuery) -> Option<String> {
        self.labels.query(query.text())
    }

    fn wire_text(&self, query: &ScopedQuery) -> String {
        self.renamed_text(query).unwrap_or_else(|| query.text().to_owned())
    }

    /// Evaluates a range query. See [`crate::Backend::range`].
    ///
    /// # Errors
    ///
    /// The engine's error, or it is not reachable.
    pub async fn range_frame(
        &self,
        query: &ScopedQuery,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Frame, QueryError> {
        let steps = Steps { start_ms, end_ms, step_ms };
        let frame = async {
            let ranged = match self.kept_range(query, steps).await? {
                Some(ranged) => ranged,
                None => self.whole_range(query, steps).await?,
            };
            let mut notices = ranged.warnings;
            notices.extend(ranged.infos);
            Ok(Frame { series: ranged.series, end_ms, notices, ..Frame::default() })
        };
        self.remarked(frame, query, end_ms).await
    }

    /// Evaluates an instant query. See [`crate::Backend::instant`].
    ///
    /// # Errors
    /// As [`Prometheus::range_frame`].
    pub async fn instant_frame(&self, query: &ScopedQuery, time_ms: i64) -> Result<Frame, QueryError> {
        self.remarked(self.bare_instant(query, time_ms), query, time_ms).await
    }

    /// Adds a remark about how far back the data of the query reaches at `end_ms`.
    async fn remarked(
        &self,
        frame: impl Future<Output = Result<Frame, QueryError>>,
        query: &ScopedQuery,
        end_ms: i64,
    ) -> Result<Frame, QueryError> {
        let ask = |query: ScopedQuery, steps: Steps| self.whole_answer(query, steps).boxed();
        // A fresh result is only required for values, not for the remark.
        let remark = freshness::with(Freshness::Any, self.coverage.remark(query, end_ms, &ask));
        let (frame, remark) = tokio::try_join!(frame, async { Ok(remark.await) })?;
        Ok(Frame { remarks: remark.into_iter().collect(), ..frame })
    }

    /// The series of a response, if it is complete.
    async fn whole_answer(&self, query: ScopedQuery, steps: Steps) -> Option<Vec<Series>> {
        if steps.start_ms == steps.end_ms {
            let frame = self.bare_instant(&query, steps.end_ms).await.ok()?;
            return frame.notices.is_empty().then_some(frame.series);
        }
        let ranged = self.whole_range(&query, steps).await.ok()?;
        ranged.warnings.is_empty().then_some(ranged.series)
    }

    async fn bare_instant(&self, query: &ScopedQuery, time_ms: i64) -> Result<Frame, QueryError> {
        let pairs = pairs([("query", self.wire_text(query)), ("time", seconds(time_ms))]);
        let envelope: Envelope<QueryData> = self.ask("query", &pairs).await?;
        let mut notices = envelope.warnings;
        notices.extend(envelope.infos);
        let series = envelope.data.map(|data| data.into_ranged(&self.labels).series).unwrap_or_default();
        Ok(Frame { series, end_ms: time_ms, notices, ..Frame::default() })
    }

    async fn whole_range(&self, query: &ScopedQuery, steps: Steps) -> Result<Ranged, QueryError> {
        let pairs = pairs([
            ("query", self.wire_text(query)),
            ("start", seconds(steps.start_ms)),
            ("end", seconds(steps.end_ms)),
            ("step", seconds(steps.step_ms)),
        ]);
        let envelope: Envelope<QueryData> = self.ask("query_range", &pairs).await?;
        let mut ranged = envelope.data.map(|data| data.into_ranged(&self.labels)).unwrap_or_default();
        ranged.warnings = envelope.warnings;
        ranged.infos = envelope.infos;
        Ok(ranged)
    }

    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        pairs: &[(String, String)],
    ) -> Result<Envelope<T>, QueryError> {
        let EngineResponse { status, body, charge: _charge, .. } = self.transport.fetch(path, pairs).await?;
        let is_large = body.len() > LARGE_ANSWER;
        let read = move || serde_json::from_slice::<Envelope<T>>(&body).map_err(|error| error.to_string());
        let read = if is_large {
            tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string()).flatten()
        } else {
            read()
        };
        let envelope = read.map_err(|error| {
            let base_url = self.transport.base_url();
            let text = format!("{base_url} answered {status} with something that is not Prometheus' JSON ({error})");
            QueryError::new(ErrorKind::Unavailable, text)
        })?;
        match envelope.error {
            Some(message) => Err(QueryError::new(kind_of(envelope.error_type.as_deref()), message)),
            None => Ok(envelope),
        }
    }

    /// Requests the engine's version, as a health check.
    pub async fn probe(&self) {
        #[derive(Deserialize)]
        struct BuildInfo {
            version: String,
        }
        if let Ok(Envelope { data: Some(BuildInfo { version }), .. }) = self.ask("status/buildinfo", &[]).await {
            self.transport.learn_version(version);
        }
    }

    /// Health of the engine.
    #[must_use]
    pub fn status(&self) -> UpstreamStatus {
        self.transport.status()
    }

    /// The data of a response of the HTTP API.
    ///
    /// # Errors
    ///
    /// The engine's error, or it is not reachable.
    pub async fn json(&self, request: &ScopedRequest) -> Result<serde_json::Value, QueryError> {
        let (path, pairs) = label_mapping::sent(&self.labels, request);
        let envelope: Envelope<serde_json::Value> = self.ask(&path, &pairs).await?;
        let mut data = envelope.data.unwrap_or_default();
        label_mapping::shown(&self.labels, request.path(), &mut data);
        Ok(data)
    }

    /// Proxies a request of the HTTP API: returns the response with translated label names.
    ///
    /// # Errors
    ///
    /// The engine is not reachable, or its response is invalid.
    pub async fn pass_on(&self, request: &ScopedRequest) -> Result<EngineResponse, QueryError> {
        let (path, pairs) = label_mapping::sent(&self.labels, request);
        Ok(self.shown(request, self.transport.fetch(&path, &pairs).await?).await)
    }

    /// A response with our label names, and with a remark about how the request was rewritten.
    async fn shown(&self, request: &ScopedRequest, fetched: EngineResponse) -> EngineResponse {
        let remark = request.remark();
        if self.labels.is_empty() && remark.is_none() {
            return fetched;
        }
        let (labels, path, body) = (self.labels.clone(), request.path().to_owned(), fetched.body.clone());
        let shown = tokio::task::spawn_blocking(move || label_mapping::answer(&labels, &path, &body, remark)).await;
        // A response that is not JSON is passed on unchanged.
        match shown {
            Ok(Some(body)) => EngineResponse { body: body.into(), ..fetched },
            _ => fetched,
        }
    }
}

/// Parameters of a request.
fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn kind_of(error_type: Option<&str>) -> ErrorKind {
    match error_type {
        Some("bad_data") => ErrorKind::BadData,
        Some("timeout" | "canceled") => ErrorKind::Timeout,
        Some("unavailable") => ErrorKind::Unavailable,
        Some("internal") => ErrorKind::Internal,
        Some("not_found") => ErrorKind::NotFound,
        Some("too_many_requests") => ErrorKind::TooMany,
        _ => ErrorKind::Execution,
    }
}

/// Milliseconds as seconds in the API's format, exactly.
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
