//! Requests to one engine: identical ones are sent once, concurrency is limited and fair between tokens, failures are
//! retried if that may help, and a circuit breaker protects an engine with problems.

mod in_flight;
mod sending;

use std::{collections::HashMap, sync::Arc, time::Duration};

use budget::Charge;
use bytes::Bytes;
use model::{
    clock::now_ms,
    upstream::{UpstreamKind, UpstreamStatus},
};
use parking_lot::Mutex;
use query_frontend::{
    breaker::{Breaker, BreakerOptions},
    budget::RetryBudget,
};
use redact::Redactor;
use reqwest::{StatusCode, header::HeaderValue};
use tokio::sync::Semaphore;

use self::in_flight::{Flight, Lane};
use crate::{
    EngineAuth, EngineConfig, EngineSettings, ErrorKind, QueryError, QueryLimits,
    admission::{Admission, MOST_WAITING},
    client::{self, EngineError},
    failure::Trust,
    freshness,
    response_cache::ResponseCache,
    source_health::SourceHealth,
};

/// Maximum number of concurrent requests for images of notifications.
const PICTURE_REQUESTS: usize = 2;

/// A response of an engine's API, not parsed yet.
#[derive(Debug, Clone)]
pub struct EngineResponse {
    /// The status of the response.
    pub status: StatusCode,
    /// Its media type, if any.
    pub content_type: Option<HeaderValue>,
    /// Body.
    pub body: Bytes,
    /// The memory charge of it and of what is parsed from it, while anybody holds it.
    pub charge: Option<Arc<Charge>>,
}

type Answer = Result<EngineResponse, QueryError>;
/// Path and parameters.
pub(crate) type Asked = (String, Vec<(String, String)>);

/// The transport to one engine. Cheap to clone.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    name: String,
    client: reqwest::Client,
    redactor: Arc<Redactor>,
    trust: Trust,
    /// Without a trailing slash.
    base_url: String,
    timeout: Duration,
    max_response_bytes: usize,
    retries: u32,
    /// Admits viewers' requests, and charges them for responses.
    gate: Admission,
    /// Permits for rules, which do not wait for viewers and are not charged.
    rule_gate: Semaphore,
    /// Permits for the server itself, which checks health and alerts regardless of viewers.
    own_gate: Semaphore,
    /// Permits for images of notifications, however many are sent at once.
    picture_gate: Semaphore,
    state: Mutex<State>,
    /// Responses for given times; `None` where none is served again.
    cache: Option<ResponseCache>,
    /// Requests in flight, to share them: the latest one of each lane.
    in_flight: Mutex<HashMap<Asked, HashMap<Lane, Flight>>>,
}

/// Whether the same request has the same meaning a moment later: a query with explicit times.
fn has_its_times((path, pairs): &Asked) -> bool {
    let has = |name: &str| pairs.iter().any(|(other, value)| other == name && !value.is_empty());
    (path == "query" && has("time")) || (path == "query_range" && has("start") && has("end"))
}

struct State {
    breaker: Breaker,
    budget: RetryBudget,
    health: SourceHealth,
    /// The engine's last error, while it has a problem.
    error: Option<QueryError>,
    version: Option<String>,
}

/// Adds an engine's credentials to the redactor, because its responses may repeat them.
fn learn(redactor: &Redactor, config: &EngineConfig) {
    match &config.auth {
        EngineAuth::None => {}
        EngineAuth::Bearer(token) => redactor.learn_configured(token.expose()),
        EngineAuth::Basic(user, password) => {
            redactor.learn_configured(password.expose());
            redactor.learn_user_name(user);
        }
    }
    for (name, value) in &config.headers {
        redactor.learn_header(name, value.expose());
    }
}

impl Transport {
    /// A transport to the engine of `config`.
    ///
    /// # Errors
    ///
    /// A certificate file is unreadable, or TLS cannot be set up.
    pub fn new(
        config: &EngineConfig,
        settings: &EngineSettings,
        limits: &QueryLimits,
        reads: &Admission,
        redactor: Arc<Redactor>,
    ) -> Result<Self, EngineError> {
        learn(&redactor, config);
        let timeout = config.timeout.unwrap_or(limits.timeout);
        let breaker = Breaker::new(BreakerOptions { failures: settings.failures, ..BreakerOptions::default() });
        Ok(Transport(Arc::new(Inner {
            client: client::client(config, timeout)?,
            redactor,
            trust: Trust::of(config),
            name: config.name.clone(),
            base_url: config.url.as_str().trim_end_matches('/').to_owned(),
            timeout,
            max_response_bytes: limits.max_response_bytes,
            retries: settings.retries,
            gate: reads.beside(settings.concurrency, MOST_WAITING, timeout),
            rule_gate: Semaphore::new(settings.concurrency),
            own_gate: Semaphore::new(settings.concurrency),
            picture_gate: Semaphore::new(PICTURE_REQUESTS),
            state: Mutex::new(State {
                breaker,
                budget: RetryBudget::default(),
                health: SourceHealth::new(now_ms()),
                error: None,
                version: None,
            }),
            cache: (!settings.hold.is_zero()).then(|| ResponseCache::new(settings.hold)),
            in_flight: Mutex::default(),
        })))
    }

    /// Name of the engine.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Admits viewers' requests.
    pub fn gate(&self) -> &Admission {
        &self.0.gate
    }

    /// URL of the engine, without credentials.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// Requests `path` below `/api/v1/`, or joins an identical request in flight. A fresh response needs a request sent
    /// later: one request, sent when the one in flight has ended, serves all callers that arrive until then.
    #[tracing::instrument(level = "debug", skip_all, fields(path))]
    pub async fn fetch(&self, path: &str, pairs: &[(String, String)]) -> Answer {
        let asked = (path.to_owned(), pairs.to_vec());
        let since = freshness::since();
        let cache = self.0.cache.as_ref().filter(|_| has_its_times(&asked));
        if since.is_none()
            && let Some(answer) = cache.and_then(|cache| cache.get(&asked, |bytes| self.0.charge(bytes)))
        {
            return Ok(answer);
        }
        let answer = loop {
            let (sharing, is_of_another) = self.share(asked.clone(), since);
            match sharing.await {
                // Another token's limit says nothing about this one.
                Err(error) if is_of_another && matches!(error.kind, ErrorKind::Busy | ErrorKind::TooMany) => {}
                answer => break answer?,
            }
        };
        if let Some(cache) = cache {
            cache.put(asked, &answer, since.is_some());
        }
        Ok(answer)
    }

    /// Records the engine's version.
    pub fn learn_version(&self, version: String) {
        self.0.state.lock().version = Some(version);
    }

    /// Health of the engine.
    pub fn status(&self) -> UpstreamStatus {
        let state = self.0.state.lock();
        let detail = state.version.as_ref().map(|version| format!("Prometheus API, version {version}"));
        state.health.status(&self.0.name, UpstreamKind::Prometheus, detail)
    }
}

#[cfg(test)]
mod tests {
    use budget::{Budgets, Requester};
    use query_frontend::labels::LabelNames;

    use super::*;
    use crate::EngineTls;

    /// An engine in this process that returns empty responses.
    async fn engine() -> EngineConfig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let router = axum::Router::new().fallback(async || r#"{"status":"success","data":{"alerts":[]}}"#);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        EngineConfig {
            name: "engine".to_owned(),
            url,
            auth: EngineAuth::None,
            headers: Vec::new(),
            tls: EngineTls::default(),
            labels: LabelNames::default(),
            timeout: None,
        }
    }

    #[tokio::test]
    async fn the_server_asks_for_itself_where_viewers_have_no_turn_or_no_memory() {
        let budgets = Budgets::of(100 << 20);
        let limits = QueryLimits { timeout: Duration::from_millis(500), ..QueryLimits::default() };
        let reads = Admission::new(&budgets, 2, limits.timeout);
        let redactor = Arc::new(Redactor::new(false));
        let transport = Transport::new(&engine().await, &EngineSettings::default(), &limits, &reads, redactor).unwrap();
        let viewer = Requester::Token("viewer".into());
        let ask = async |requester: Requester| requester.scope(transport.fetch("alerts", &[])).await.map(drop);
        let asks_alone = async || {
            let asked = tokio::join!(ask(viewer.clone()), ask(Requester::Server), ask(Requester::Rules));
            assert!(asked.0.is_err(), "a viewer has room");
            assert_eq!((asked.1, asked.2), (Ok(()), Ok(())));
        };
        budgets.pressure.set(99 << 20);
        asks_alone().await;
        budgets.pressure.set(0);
        let token = |name: &str| Arc::<str>::from(name);
        let most = reads.most_bytes();
        let _full = [
            budgets.reads.charge(&token("a"), most).unwrap(),
            budgets.reads.charge(&token("b"), budgets.reads.limit() - most).unwrap(),
        ];
        asks_alone().await;
    }
}
