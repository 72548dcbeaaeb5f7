//! Requests to one engine: identical ones are sent once, concurrency is limited and fair between tokens, failures are
//! retried if that may help, and a circuit breaker protects an engine with problems.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use budget::{Charge, OverBudget, Requester, json};
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
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
use reqwest::{
    StatusCode,
    header::{self, HeaderValue},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    EngineAuth, EngineConfig, EngineSettings, ErrorKind, QueryError, QueryLimits,
    admission::{Admission, MOST_WAITING, ReadPermit, Refusal},
    client::{self, EngineError},
    failure::{self, Failure, Trust},
    freshness,
    response_cache::ResponseCache,
    source_health::SourceHealth,
    words,
};

/// Responses up to this size are redacted on the current thread, in bytes.
const SHORT_ANSWER: usize = 256 << 10;
/// Step by which the charge of a response grows while it arrives, in bytes.
const CHARGE_STEP: u64 = 256 << 10;
/// Shortest wait before the first further try; each next one doubles it. Jitter adds up to as much.
const FIRST_RETRY: Duration = Duration::from_millis(75);
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
type Sharing = Shared<BoxFuture<'static, Answer>>;
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

/// The queue in which a request waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lane {
    /// With those of a token. A request joins one of another token that has already been sent, but never waits in
    /// another token's queue.
    Token(Arc<str>),
    /// With those of rules, which do not share requests with viewers.
    Rules,
    /// With those of the server itself, which do not share requests with viewers either.
    Server,
    /// With those of other images of notifications.
    Pictures,
}

impl Lane {
    fn current() -> Self {
        match Requester::current() {
            Requester::Rules => Lane::Rules,
            Requester::Server => Lane::Server,
            Requester::Pictures => Lane::Pictures,
            Requester::Token(token) => Lane::Token(token),
        }
    }

    fn is_of_viewers(&self) -> bool {
        matches!(self, Lane::Token(_))
    }
}

/// Permission to send a request.
struct Turn<'a> {
    /// Of a viewer.
    permit: Option<ReadPermit>,
    /// Of a rule, or of the server itself.
    _place: Option<SemaphorePermit<'a>>,
}

/// A request in flight.
struct Flight {
    sharing: WeakShared<BoxFuture<'static, Answer>>,
    /// The previous request, for which it waits. Its response serves callers that do not need a fresh one.
    before: Option<WeakShared<BoxFuture<'static, Answer>>>,
    /// When the request was sent; unset while it waits for its turn, or for the previous one.
    asked_at: Arc<OnceLock<Instant>>,
}

impl Flight {
    /// The request, while its response is pending.
    fn running(&self) -> Option<Sharing> {
        running(&self.sharing)
    }

    /// The next pending response, perhaps of the previous request.
    fn next(&self) -> Option<Sharing> {
        self.before.as_ref().and_then(running).or_else(|| self.running())
    }

    /// The request, if it was sent at or after `since` and its response is pending.
    fn asked(&self, since: Option<Instant>) -> Option<Sharing> {
        let asked_at = self.asked_at.get()?;
        if since.is_none_or(|since| *asked_at >= since) { self.running() } else { None }
    }

    /// Whether its response will be from `since` or later.
    fn is_after(&self, since: Instant) -> bool {
        self.asked_at.get().is_none_or(|asked_at| *asked_at >= since)
    }
}

fn running(sharing: &WeakShared<BoxFuture<'static, Answer>>) -> Option<Sharing> {
    // A request with a response is no longer in flight.
    sharing.upgrade().filter(|one| one.peek().is_none())
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

    /// A request in flight whose response is from `since` or later, or otherwise a new one; and whether it belongs to
    /// another token.
    fn share(&self, asked: Asked, since: Option<Instant>) -> (Sharing, bool) {
        let lane = Lane::current();
        let mut in_flight = self.0.in_flight.lock();
        let flights = in_flight.get(&asked);
        let own = flights.and_then(|flights| flights.get(&lane));
        if since.is_none()
            && let Some(next) = own.and_then(Flight::next)
        {
            return (next, false);
        }
        let mut others =
            flights.into_iter().flatten().filter(|(other, _)| other.is_of_viewers() && lane.is_of_viewers());
        if let Some(asked) = others.find_map(|(_, flight)| flight.asked(since)) {
            return (asked, true);
        }
        let before = own.and_then(|flight| Some((flight.running()?, flight)));
        let before = match before {
            Some((running, flight)) if since.is_none_or(|since| flight.is_after(since)) => return (running, false),
            before => before.map(|(running, _)| running),
        };
        in_flight.retain(|_, flights| {
            flights.retain(|_, flight| flight.running().is_some());
            !flights.is_empty()
        });
        let (inner, (path, pairs), waits_in) = (Arc::clone(&self.0), asked.clone(), lane.clone());
        let asked_at = Arc::<OnceLock<Instant>>::default();
        let going_out = Arc::clone(&asked_at);
        let waits_for = before.as_ref().and_then(Shared::downgrade);
        let sharing = async move {
            if let Some(before) = before {
                // Regardless of its result. Callers that join until then share the new response.
                let _ = before.await;
            }
            inner.ask(&path, &pairs, waits_in, &going_out).await
        };
        let sharing = sharing.boxed().shared();
        if let Some(weak) = sharing.downgrade() {
            in_flight.entry(asked).or_default().insert(lane, Flight { sharing: weak, before: waits_for, asked_at });
        }
        (sharing, false)
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

/// Informs the circuit breaker if an admitted request is dropped before its end.
struct Admitted<'a> {
    inner: &'a Inner,
    reported: bool,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if !self.reported {
            self.inner.state.lock().breaker.abandoned(now_ms());
        }
    }
}

impl Inner {
    /// Charges a cached response to the current task's requester, if it is a viewer.
    fn charge(&self, bytes: u64) -> Result<Option<Charge>, OverBudget> {
        match Lane::current() {
            Lane::Token(token) => self.gate.memory().try_charge(&token, bytes).map(Some),
            Lane::Rules | Lane::Server | Lane::Pictures => Ok(None),
        }
    }

    /// Waits for a turn in `lane`.
    async fn turn(&self, lane: Lane) -> Result<Turn<'_>, QueryError> {
        let too_late = || {
            let message = format!("{} has more requests waiting than it answers in time: try again", self.base_url);
            QueryError::new(ErrorKind::Timeout, message)
        };
        let places = match lane {
            Lane::Token(token) => {
                return match self.gate.admit(token, 0).await {
                    Ok(permit) => Ok(Turn { permit: Some(permit), _place: None }),
                    Err(Refusal::TooLate(_)) => Err(too_late()),
                    Err(refusal) => Err(refusal.into()),
                };
            }
            Lane::Rules => &self.rule_gate,
            Lane::Server => &self.own_gate,
            Lane::Pictures => &self.picture_gate,
        };
        match tokio::time::timeout(self.timeout, places.acquire()).await {
            Ok(Ok(place)) => Ok(Turn { permit: None, _place: Some(place) }),
            Ok(Err(_)) | Err(_) => Err(too_late()),
        }
    }

    async fn ask(&self, path: &str, pairs: &[(String, String)], lane: Lane, asked_at: &OnceLock<Instant>) -> Answer {
        let mut turn = self.turn(lane).await?;
        asked_at.get_or_init(Instant::now);
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_RETRY)
            .without_max_delay()
            .with_max_times(usize::try_from(self.retries).unwrap_or(usize::MAX))
            .with_jitter()
            .build();
        loop {
            let started = Instant::now();
            let mut admitted = self.admit()?;
            let outcome = self.once(path, pairs, turn.permit.as_mut().map(ReadPermit::charge_mut)).await;
            admitted.reported = true;
            match outcome {
                Ok(fetched) => {
                    self.succeeded(started.elapsed());
                    return Ok(EngineResponse {
                        charge: turn.permit.map(|permit| Arc::new(permit.into_charge())),
                        ..fetched
                    });
                }
                Err(failure) => {
                    let may_help = self.failed(&failure);
                    let Some(pause) = pauses.next().filter(|_| may_help) else { return Err(failure.error) };
                    tracing::debug!(engine = self.name, error = %failure.error, "asking again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Checks the circuit breaker; returns the last error if it is open.
    fn admit(&self) -> Result<Admitted<'_>, QueryError> {
        let mut state = self.state.lock();
        if state.breaker.admits(now_ms()) {
            return Ok(Admitted { inner: self, reported: false });
        }
        let unknown = || QueryError::new(ErrorKind::Unavailable, format!("{} cannot be reached", self.base_url));
        Err(state.error.clone().unwrap_or_else(unknown))
    }

    /// Sends the request once. The response is charged to a viewer.
    async fn once(
        &self,
        path: &str,
        pairs: &[(String, String)],
        mut charge: Option<&mut Charge>,
    ) -> Result<EngineResponse, Failure> {
        let url = format!("{}/api/v1/{path}", self.base_url);
        // Long parameters are sent as a form, which Prometheus only accepts for these paths.
        let request = if matches!(path, "query" | "query_range" | "query_exemplars" | "labels" | "series") {
            self.client.post(url).form(pairs)
        } else {
            self.client.get(url).query(pairs)
        };
        let broken = |error| {
            Failure::of_transfer(&self.base_url, self.timeout, self.trust, &error).without_secrets(&self.redactor)
        };
        let mut answer = request.send().await.map_err(broken)?;
        let busy = |over: OverBudget| Failure::busy(over.to_string());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                return Err(Failure::too_large(self.max_response_bytes));
            }
            let needed = u64::try_from(body.len() + chunk.len()).unwrap_or(u64::MAX).next_multiple_of(CHARGE_STEP);
            if let Some(charge) = charge.as_mut().filter(|charge| charge.bytes() < needed) {
                charge.resize(needed).map_err(busy)?;
            }
            body.extend_from_slice(&chunk);
        }
        if let Some(charge) = &mut charge {
            charge.resize(json::weight(&body)).map_err(busy)?;
        }
        let mut fetched = EngineResponse {
            status: StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY),
            content_type: answer.headers().get(header::CONTENT_TYPE).cloned(),
            body: body.into(),
            charge: None,
        };
        fetched.body = if fetched.status.is_success() {
            self.without_secrets(fetched.body).await
        } else {
            failure::without_secrets(&fetched.body, &self.redactor)
        };
        match failure::of_answer(&self.base_url, path, &fetched, answer.headers().get(header::LOCATION)) {
            Some(failure) => Err(failure),
            None => Ok(fetched),
        }
    }

    /// The body of a successful response, with secrets removed from its texts; a long one is processed on a blocking
    /// thread.
    async fn without_secrets(&self, body: Bytes) -> Bytes {
        if body.len() <= SHORT_ANSWER {
            return words::without_secrets(body, &self.redactor);
        }
        let (long, redactor) = (body.clone(), Arc::clone(&self.redactor));
        let cleaned = tokio::task::spawn_blocking(move || words::without_secrets(long, &redactor)).await;
        // After a panic the body is left empty.
        cleaned.unwrap_or_default()
    }

    fn succeeded(&self, took: Duration) {
        let mut state = self.state.lock();
        state.breaker.succeeded();
        state.budget.earn();
        state.error = None;
        if state.health.answered(now_ms(), Some(took)) {
            tracing::info!(engine = self.name, "the engine answers again");
        }
    }

    /// Records a failure; returns whether to retry.
    fn failed(&self, failure: &Failure) -> bool {
        let mut state = self.state.lock();
        if !failure.is_engines {
            // The engine responded, though not with what was requested.
            state.breaker.succeeded();
            return false;
        }
        state.breaker.failed(now_ms(), rand::random_range(0.0..=1.0));
        if state.health.failed(&failure.error.message, now_ms()) {
            tracing::warn!(engine = self.name, error = %failure.error, "the engine does not answer");
        }
        state.error = Some(failure.error.clone());
        failure.may_pass && !state.breaker.is_open() && state.budget.spend()
    }
}

#[cfg(test)]
mod tests {
    use budget::Budgets;
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
