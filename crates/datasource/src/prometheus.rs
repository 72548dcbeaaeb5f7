//! A remote engine with Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::labels::Fingerprint;
use access::{ScopedQuery, ScopedRequest};
use futures_util::FutureExt;
use model::{
    clock::now_ms,
    frame::{Frame, Labels, Series},
    live::{Alert, AlertList, AlertState},
    upstream::UpstreamStatus,
};
use parking_lot::Mutex;
use query_frontend::{
    aliases::Aliases,
    cache::{Ages, Cache, Extent, Key, Lookup, Settled},
    horizon,
    labels::LabelNames,
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
/// Lifetime of whether an engine has alerting rules.
const RULES_LAST: Duration = Duration::from_secs(60);
/// Lifetime of cached results, because samples in the past may be added or deleted too.
const MAX_AGE_MS: i64 = 3_600_000;
/// Lifetime of cached results that are likely to change, and of those with gaps.
const BRIEFLY_MS: i64 = 10_000;
/// Steps newer than this may change: Prometheus accepts out-of-order samples of an hour, and rules may run late.
pub const UNSETTLED_MS: i64 = 3_600_000;
/// Maximum number of long ranges that live queries re-evaluate at the same time on one engine.
const CORRECTIONS: usize = 2;
/// Lifetime of an engine's metric names.
const NAMES_LAST: Duration = Duration::from_secs(60);

/// The range query cache, shared by all engines.
pub(crate) type ResultCache = Arc<Mutex<Cache>>;

/// An empty cache for engines with these settings.
#[must_use]
pub(crate) fn result_cache(settings: &EngineSettings) -> ResultCache {
    Arc::new(Mutex::new(Cache::new(settings.cache_bytes, Ages { firm_ms: MAX_AGE_MS, brief_ms: BRIEFLY_MS })))
}

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

    /// Evaluates only the steps of a range query that are not cached; `None` if the result cannot be cached.
    ///
    /// # Errors
    ///
    /// As [`Prometheus::range_frame`].
    pub async fn kept_range(&self, query: &ScopedQuery, steps: Steps) -> Result<Option<Ranged>, QueryError> {
        let Steps { start_ms, end_ms, step_ms } = steps;
        let aligned = step_ms > 0 && start_ms.rem_euclid(step_ms) == 0 && start_ms <= end_ms;
        if !aligned {
            return Ok(None);
        }
        let last_ms = end_ms.div_euclid(step_ms) * step_ms;
        // The engine itself rejects longer ranges.
        let too_long = usize::try_from((last_ms - start_ms) / step_ms)
            .map_or(true, |steps| steps >= self.limits.max_points_per_series);
        let Ok(parsed) = query.parsed() else { return Ok(None) };
        let now = now_ms();
        let until = |age_ms| horizon::settled_until(parsed, step_ms, now, age_ms);
        let unsettled_ms = self.fresh_ms.max(UNSETTLED_MS);
        let settled = until(self.fresh_ms).zip(until(unsettled_ms)).filter(|_| !too_long);
        let Some(settled) = settled.map(|(until_ms, firm_until_ms)| Settled { until_ms, firm_until_ms }) else {
            return Ok(None);
        };
        let key = Key {
            engine: self.transport.name().to_owned(),
            scope: query.scope().text().to_owned(),
            query: query.text().to_owned(),
            step_ms,
        };
        let lookup = match freshness::wanted() {
            Freshness::Any => self.cache.lock().look_up(&key, (start_ms, last_ms), now_ms()),
            _ => Lookup { known: Vec::new(), missing: vec![(start_ms, last_ms)] },
        };
        let mut extents = lookup.known;
        let mut warnings = Vec::new();
        for (start_ms, end_ms) in lookup.missing {
            let part = self.whole_range(query, Steps { start_ms, end_ms, step_ms }).await?;
            if part.has_histograms {
                return Ok(None);
            }
            let extent = Extent { start_ms, end_ms, series: part.series, infos: part.infos };
            // A warning may mean that a part of the data is missing.
            if part.warnings.is_empty() {
                self.cache.lock().keep(&key, &extent, settled, now_ms());
            }
            warnings.extend(part.warnings);
            extents.push(extent);
        }
        let (series, infos) = if extents.len() == 1 {
            extents.pop().map(|extent| (extent.series, extent.infos)).unwrap_or_default()
        } else {
            extents.sort_by_key(|extent| extent.start_ms);
            let whole = Extent::join(start_ms, last_ms, extents);
            (whole.series, whole.infos)
        };
        Ok(Some(Ranged { series, has_histograms: false, warnings, infos }))
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

    /// The alerts of the engine's rules.
    pub async fn alerts(&self) -> AlertList {
        match self.ask::<AlertsData>("alerts", &[]).await {
            Ok(envelope) => {
                let mut alerts: Vec<Alert> =
                    envelope.data.map(|data| data.alerts).unwrap_or_default().into_iter().map(Alert::from).collect();
                for alert in &mut alerts {
                    self.name().clone_into(&mut alert.source);
                    if !self.labels.is_empty() {
                        alert.labels = self.labels.series(std::mem::take(&mut alert.labels));
                    }
                }
                alerts.sort_by(Alert::order);
                let without_rules = alerts.is_empty() && self.is_without_rules().await;
                AlertList { alerts, without_rules, ..AlertList::default() }
            }
            Err(error) => AlertList { unavailable: Some(error.message), ..AlertList::default() },
        }
    }

    /// Whether the engine has no alerting rules, so that an empty list of alerts means nothing. Checked once a minute;
    /// false if unknown.
    async fn is_without_rules(&self) -> bool {
        if let Some((asked, is_without)) = *self.without_rules.lock()
            && asked.elapsed() < RULES_LAST
        {
            return is_without;
        }
        let answer = self.ask::<RulesData>("rules", &[("type".to_owned(), "alert".to_owned())]).await;
        let groups = answer.ok().and_then(|envelope| envelope.data).map(|data| data.groups);
        let is_without = groups.is_some_and(|groups| groups.iter().all(|group| group.rules.is_empty()));
        *self.without_rules.lock() = Some((Instant::now(), is_without));
        is_without
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

#[derive(Deserialize)]
struct AlertsData {
    alerts: Vec<PrometheusAlert>,
}

#[derive(Deserialize)]
struct RulesData {
    groups: Vec<RulesOfGroup>,
}

#[derive(Deserialize)]
struct RulesOfGroup {
    #[serde(default)]
    rules: Vec<IgnoredAny>,
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
            ..Alert::default()
        }
    }
}

fn fingerprint(labels: &Labels) -> String {
    Fingerprint::of(labels).to_string()
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
