//! Requests to one engine: identical ones are made once, few at a time and fair between tokens, again where that may help, and none for a
//! while to an engine that is in trouble.

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

/// Answers up to this are looked through for secrets at once, in bytes.
const SHORT_ANSWER: usize = 256 << 10;
/// The charge of an answer grows by this while it comes, in bytes.
const CHARGE_STEP: u64 = 256 << 10;
/// Shortest wait before the first further try; each next one doubles it. Jitter adds up to as much.
const FIRST_RETRY: Duration = Duration::from_millis(75);
/// Requests at a time for pictures in notifications.
const PICTURE_REQUESTS: usize = 2;

/// An answer: not yet read, but from an engine's API.
#[derive(Debug, Clone)]
pub struct EngineResponse {
    /// The status of the response.
    pub status: StatusCode,
    /// Its media type, if it says one.
    pub content_type: Option<HeaderValue>,
    /// Its body.
    pub body: Bytes,
    /// What it takes, with what is read from it, as long as anybody has it.
    pub charge: Option<Arc<Charge>>,
}

type Answer = Result<EngineResponse, QueryError>;
type Sharing = Shared<BoxFuture<'static, Answer>>;
/// Path and parameters.
pub(crate) type Asked = (String, Vec<(String, String)>);

/// The way to one engine. A cheap handle.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    name: String,
    client: reqwest::Client,
    redactor: Arc<Redactor>,
    trust: Trust,
    /// Without a slash at its end.
    base_url: String,
    timeout: Duration,
    max_response_bytes: usize,
    retries: u32,
    /// Gives turns to viewers, and charges them for answers.
    gate: Admission,
    /// The same for rules, which no viewer makes wait, and which have what they need.
    rule_gate: Semaphore,
    /// And for the server itself, which asks how the engine is and what it alerts about whatever viewers do.
    own_gate: Semaphore,
    /// And for pictures in notifications, however many are sent at once.
    picture_gate: Semaphore,
    state: Mutex<State>,
    /// Responses for given times; `None` where none is served again.
    cache: Option<ResponseCache>,
    /// Requests on their way, for those who ask the same: the newest of each lane.
    in_flight: Mutex<HashMap<Asked, HashMap<Lane, Flight>>>,
}

/// Where a request waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lane {
    /// With those of a token. One of another token that has had its turn is joined, but nobody waits in the queue of somebody else.
    Token(Arc<str>),
    /// With those of rules, which join none of a viewer.
    Rules,
    /// With those of the server itself, which join none of a viewer either.
    Server,
    /// With those of other pictures in notifications.
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

/// Leave to ask the engine.
struct Turn<'a> {
    /// A viewer's.
    permit: Option<ReadPermit>,
    /// A rule's, or the server's own.
    _place: Option<SemaphorePermit<'a>>,
}

/// A request on its way.
struct Flight {
    sharing: WeakShared<BoxFuture<'static, Answer>>,
    /// The one that it waits for, whose answer is enough for who wants no fresh one.
    before: Option<WeakShared<BoxFuture<'static, Answer>>>,
    /// When the engine was asked; not yet if it waits for its turn, or for the one before it.
    asked_at: Arc<OnceLock<Instant>>,
}

impl Flight {
    /// Its answer is still to come.
    fn running(&self) -> Option<Sharing> {
        running(&self.sharing)
    }

    /// The next answer, be it that of the one before it.
    fn next(&self) -> Option<Sharing> {
        self.before.as_ref().and_then(running).or_else(|| self.running())
    }

    /// Its answer is still to come, and will be of `since` or later, and it waits for no turn.
    fn asked(&self, since: Option<Instant>) -> Option<Sharing> {
        let asked_at = self.asked_at.get()?;
        if since.is_none_or(|since| *asked_at >= since) { self.running() } else { None }
    }

    /// Whether its answer will be of `since` or later.
    fn is_after(&self, since: Instant) -> bool {
        self.asked_at.get().is_none_or(|asked_at| *asked_at >= since)
    }
}

fn running(sharing: &WeakShared<BoxFuture<'static, Answer>>) -> Option<Sharing> {
    // One that has its answer already is no longer on its way.
    sharing.upgrade().filter(|one| one.peek().is_none())
}

/// Whether the same request means the same a moment later: a query whose times are given.
fn has_its_times((path, pairs): &Asked) -> bool {
    let has = |name: &str| pairs.iter().any(|(other, value)| other == name && !value.is_empty());
    (path == "query" && has("time")) || (path == "query_range" && has("start") && has("end"))
}

struct State {
    breaker: Breaker,
    budget: RetryBudget,
    health: SourceHealth,
    /// What was wrong with the engine last, while something is.
    error: Option<QueryError>,
    version: Option<String>,
}

/// Remembers what an engine is given to know us by: its answers may repeat it.
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
    /// The way to the engine of `config`.
    ///
    /// # Errors
    /// A certificate cannot be read, or TLS cannot be set up.
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

    /// Gives turns to viewers.
    pub fn gate(&self) -> &Admission {
        &self.0.gate
    }

    /// Where the engine answers, without credentials.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// Asks for `path` below `/api/v1/`, or joins somebody who asks the same just now. A fresh answer is asked for after it was wanted: by
    /// one request that goes out when the one on its way has ended, for all who come until then.
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
                // What another token has no room for says nothing of this one.
                Err(error) if is_of_another && matches!(error.kind, ErrorKind::Busy | ErrorKind::TooMany) => {}
                answer => break answer?,
            }
        };
        if let Some(cache) = cache {
            cache.put(asked, &answer, since.is_some());
        }
        Ok(answer)
    }

    /// A request on its way whose answer is of `since` or later, or the next one whose answer comes; and whether it is another token's.
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
                // Whatever came of it. Who joins until then has the same answer.
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

    /// Notes the engine's version.
    pub fn learn_version(&self, version: String) {
        self.0.state.lock().version = Some(version);
    }

    /// How the engine is doing.
    pub fn status(&self) -> UpstreamStatus {
        let state = self.0.state.lock();
        let detail = state.version.as_ref().map(|version| format!("Prometheus API, version {version}"));
        state.health.status(&self.0.name, UpstreamKind::Prometheus, detail)
    }
}

/// Tells the breaker when a request that it admitted is dropped before its end.
struct Admitted<'a> {
    inner: &'a Inner,
    told: bool,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if !self.told {
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

    /// Waits for a turn of `lane`.
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
            admitted.told = true;
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

    /// Whether the engine is asked now; what was wrong with it last if not.
    fn admit(&self) -> Result<Admitted<'_>, QueryError> {
        let mut state = self.state.lock();
        if state.breaker.admits(now_ms()) {
            return Ok(Admitted { inner: self, told: false });
        }
        let unknown = || QueryError::new(ErrorKind::Unavailable, format!("{} cannot be reached", self.base_url));
        Err(state.error.clone().unwrap_or_else(unknown))
    }

    /// Asks once. What comes is charged to a viewer.
    async fn once(
        &self,
        path: &str,
        pairs: &[(String, String)],
        mut charge: Option<&mut Charge>,
    ) -> Result<EngineResponse, Failure> {
        let url = format!("{}/api/v1/{path}", self.base_url);
        // What may be long is sent as a form, which Prometheus takes for these paths alone.
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

    /// The body of an answer that went well with no secrets in its words; a long one is looked through beside the runtime's threads.
    async fn without_secrets(&self, body: Bytes) -> Bytes {
        if body.len() <= SHORT_ANSWER {
            return words::without_secrets(body, &self.redactor);
        }
        let (long, redactor) = (body.clone(), Arc::clone(&self.redactor));
        let cleaned = tokio::task::spawn_blocking(move || words::without_secrets(long, &redactor)).await;
        // It broke off: then nothing is shown of it.
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

    /// Notes a failure; whether the request is made again.
    fn failed(&self, failure: &Failure) -> bool {
        let mut state = self.state.lock();
        if !failure.is_engines {
            // It answered, though not what was asked for.
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

    /// An engine in this process that says nothing, as often as it is asked.
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
