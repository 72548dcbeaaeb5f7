//! Client of external Alertmanagers: posts alerts to them and manages their silences.

mod member;
mod readback;
mod watch;
pub(crate) mod wire;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alertmanager::{
    alert::{Alert, PostableAlert},
    silence::Silence,
};
use labels::Fingerprint;
use model::clock::now_ms;
use parking_lot::Mutex;
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::{member::Member, readback::Readback, wire::SilenceJson};
use crate::{AlertmanagerConfig, muting::MutingChanges, refused::Refusals};

pub(crate) use self::wire::time;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of alerts in the queue of an Alertmanager; the oldest are dropped.
const MAX_WAITING: usize = 10_000;
/// Interval between reads of alert states and silences.
const READ_INTERVAL: Duration = Duration::from_secs(5);
/// Delay between a post and the next read.
const STIRRED_PAUSE: Duration = Duration::from_millis(200);
/// Interval between posts of a firing alert.
const RESEND: Duration = Duration::from_secs(60);
/// How long resolved alerts are re-sent, for Alertmanagers that were down.
const RESOLVED_KEPT_MS: i64 = 15 * 60_000;
/// How long an alert without an end lasts; four times the resend interval, as in Prometheus.
const LIFETIME_MS: i64 = 240_000;
/// Why a request to the Alertmanagers failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// None of them answered.
    #[error("no Alertmanager answers: {0}")]
    Unreachable(String),
    /// It rejected the request.
    #[error("the Alertmanager refused: {reason}")]
    Refused {
        /// HTTP status of its response, if that is the reason.
        status: Option<u16>,
        /// The reason in words.
        reason: String,
    },
}

impl ClientError {
    /// The reason, without the prefix of the error.
    fn reason(&self) -> &str {
        match self {
            ClientError::Unreachable(reason) | ClientError::Refused { reason, .. } => reason,
        }
    }

    fn refused(reason: impl ToString) -> Self {
        ClientError::Refused { status: None, reason: reason.to_string() }
    }
}

/// The Alertmanagers of one cluster. Each of them gets all alerts.
#[derive(Debug)]
pub(crate) struct AlertmanagerClient {
    members: Vec<Arc<Member>>,
    /// Alerts to re-send.
    known: Mutex<HashMap<Fingerprint, Alert>>,
    /// The last alerts and silences that we read.
    readback: Mutex<Readback>,
    /// Wakes the task that reads, because what we read may have changed.
    stirred: Notify,
    muting: Arc<MutingChanges>,
    begun: Instant,
}

impl AlertmanagerClient {
    pub(crate) fn new(
        configs: &[AlertmanagerConfig],
        refusals: &Arc<Refusals>,
        muting: Arc<MutingChanges>,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("hyperscope/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .build()?;
        let member =
            |config: &AlertmanagerConfig| Arc::new(Member::new(client.clone(), config.clone(), Arc::clone(refusals)));
        Ok(AlertmanagerClient {
            members: configs.iter().map(member).collect(),
            known: Mutex::default(),
            readback: Mutex::default(),
            stirred: Notify::new(),
            muting,
            begun: Instant::now(),
        })
    }

    /// Enqueues these alerts for all Alertmanagers.
    pub(crate) fn post(&self, posted: &[PostableAlert], now_ms: i64) {
        let alerts = posted.iter().filter_map(|posted| Alert::from_posted(posted.clone(), now_ms, LIFETIME_MS).ok());
        let alerts: Vec<Alert> = alerts.collect();
        self.known.lock().extend(alerts.iter().map(|alert| (alert.fingerprint, alert.clone())));
        self.enqueue(alerts);
    }

    fn enqueue(&self, alerts: Vec<Alert>) {
        for member in &self.members {
            let mut waiting = member.waiting.lock();
            waiting.extend(alerts.iter().map(|alert| (alert.fingerprint, alert.clone())));
            let excess = waiting.len().saturating_sub(MAX_WAITING);
            if excess > 0 {
                let mut oldest: Vec<_> =
                    waiting.values().map(|alert| (alert.updated_at_ms, alert.fingerprint)).collect();
                oldest.sort_unstable();
                for (_, fingerprint) in oldest.into_iter().take(excess) {
                    waiting.remove(&fingerprint);
                }
                tracing::warn!(excess, url = %member.config.url, "the queue of this Alertmanager is full: dropping the oldest alerts");
            }
            drop(waiting);
            member.wake.notify_one();
        }
    }

    /// Re-sends alerts and reads their state until `stop` is cancelled.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tasks = tokio::task::JoinSet::new();
        for member in &self.members {
            tasks.spawn(Arc::clone(member).run(Arc::clone(&self), stop.clone()));
            tasks.spawn(Arc::clone(member).watch(stop.clone()));
        }
        let mut ticks = tokio::time::interval(RESEND);
        let mut readings = tokio::time::interval(READ_INTERVAL);
        readings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let now_ms = now_ms();
                    let mut known = self.known.lock();
                    known.retain(|_, alert| alert.ends_at_ms.saturating_add(RESOLVED_KEPT_MS) > now_ms);
                    // A firing alert that nobody posted again ends at the end time of its last post.
                    let again = known.values().cloned().collect();
                    drop(known);
                    self.enqueue(again);
                }
                _ = readings.tick() => self.read_back().await,
                () = self.stirred.notified() => {
                    // Several Alertmanagers may get posts at the same time.
                    tokio::time::sleep(STIRRED_PAUSE).await;
                    self.read_back().await;
                }
                () = stop.cancelled() => break,
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// A sentence for each Alertmanager that does not accept alerts, with the reason and the number of queued alerts.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failing = self.members.iter().filter_map(|member| {
            let reason = member.failure.lock().clone()?;
            let noun = |count| if count == 1 { "alert waits" } else { "alerts wait" };
            let count = member.waiting.lock().len();
            Some(format!("{count} {} for an Alertmanager: {reason}", noun(count)))
        });
        failing.collect()
    }

    pub(crate) async fn silences(&self) -> Result<Vec<Silence>, ClientError> {
        let silences: Vec<SilenceJson> = self.ask(Method::GET, "api/v2/silences", None).await?;
        Ok(silences.into_iter().filter_map(SilenceJson::read).collect())
    }

    pub(crate) async fn put_silence(&self, silence: &Silence) -> Result<String, ClientError> {
        #[derive(Deserialize)]
        struct Made {
            #[serde(rename = "silenceID")]
            silence_id: String,
        }
        let body = serde_json::to_value(SilenceJson {
            id: silence.id.clone(),
            matchers: silence.matchers_json(),
            starts_at: time(silence.starts_at_ms),
            ends_at: time(silence.ends_at_ms),
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            updated_at: None,
        });
        let body = body.map_err(ClientError::refused)?;
        let made: Made = self.ask(Method::POST, "api/v2/silences", Some(&body)).await?;
        Ok(made.silence_id)
    }

    pub(crate) async fn expire_silence(&self, id: &str) -> Result<(), ClientError> {
        let encoded = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
        self.ask::<Nothing>(Method::DELETE, &format!("api/v2/silence/{encoded}"), None).await.map(|_| ())
    }

    /// Sends a request to the first Alertmanager that answers: all members of a cluster have the same data.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<T, ClientError> {
        let mut last = ClientError::Unreachable("none is configured".to_owned());
        for member in &self.members {
            match member.call(method.clone(), path, body).await {
                Ok(answer) => {
                    let text = if answer.trim().is_empty() { "null" } else { &answer };
                    return serde_json::from_str(text).map_err(ClientError::refused);
                }
                Err(error @ ClientError::Refused { .. }) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A response whose content does not matter.
#[derive(Debug)]
struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Nothing)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use axum::{Router, extract::State, http::StatusCode, routing::get};
    use model::upstream::UpstreamState;
    use telemetry::Telemetry;

    use super::{member::BATCH, *};

    /// An Alertmanager that counts requests and can require a login.
    #[derive(Default)]
    struct Fake {
        is_locked: AtomicBool,
        posts: AtomicUsize,
        readings: AtomicUsize,
    }

    async fn take(State(fake): State<Arc<Fake>>) -> StatusCode {
        if fake.is_locked.load(Ordering::Relaxed) {
            return StatusCode::UNAUTHORIZED;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
        fake.posts.fetch_add(1, Ordering::Relaxed);
        StatusCode::OK
    }

    async fn show(State(fake): State<Arc<Fake>>) -> (StatusCode, &'static str) {
        if fake.is_locked.load(Ordering::Relaxed) {
            return (StatusCode::UNAUTHORIZED, "");
        }
        fake.readings.fetch_add(1, Ordering::Relaxed);
        (StatusCode::OK, "[]")
    }

    async fn show_silences(State(fake): State<Arc<Fake>>) -> (StatusCode, &'static str) {
        let is_locked = fake.is_locked.load(Ordering::Relaxed);
        if is_locked { (StatusCode::UNAUTHORIZED, "") } else { (StatusCode::OK, "[]") }
    }

    /// A client of one, which runs until the guard is dropped.
    async fn connected(fake: &Arc<Fake>) -> (Arc<AlertmanagerClient>, Arc<Refusals>, tokio_util::sync::DropGuard) {
        // Another test may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let routes = Router::new()
            .route("/api/v2/alerts", get(show).post(take))
            .route("/api/v2/silences", get(show_silences))
            .with_state(Arc::clone(fake));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let refusals = Arc::new(Refusals::new(Telemetry::default()));
        let client =
            AlertmanagerClient::new(&[AlertmanagerConfig { url, login: None }], &refusals, Arc::default()).unwrap();
        let (client, stop) = (Arc::new(client), CancellationToken::new());
        tokio::spawn(Arc::clone(&client).run(stop.clone()));
        (client, refusals, stop.drop_guard())
    }

    fn posted(name: &str) -> PostableAlert {
        PostableAlert { labels: [("alertname".to_owned(), name.to_owned())].into(), ..PostableAlert::default() }
    }

    async fn until(what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain for {what}");
    }

    #[tokio::test]
    async fn what_is_posted_in_many_batches_is_read_back_once() {
        let fake = Arc::<Fake>::default();
        let (client, ..) = &connected(&fake).await;
        until("the first reading", || fake.readings.load(Ordering::Relaxed) == 1).await;
        let alerts: Vec<PostableAlert> = (0..20 * BATCH).map(|number| posted(&format!("A{number}"))).collect();
        client.post(&alerts, now_ms());
        until("all batches", || fake.posts.load(Ordering::Relaxed) == 20).await;
        until("a reading after them", || fake.readings.load(Ordering::Relaxed) == 2).await;
        tokio::time::sleep(2 * STIRRED_PAUSE).await;
        assert_eq!(fake.readings.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn one_that_asks_for_a_login_is_at_fault_and_not_the_alerts() {
        let fake = Arc::<Fake>::default();
        fake.is_locked.store(true, Ordering::Relaxed);
        let (client, refusals, _stop) = connected(&fake).await;
        assert!(client.failures().is_empty());
        client.post(&[posted("A"), posted("B")], now_ms());
        until("a failure", || !client.failures().is_empty()).await;
        let failure = client.failures().remove(0);
        assert!(failure.starts_with("2 alerts wait for an Alertmanager: http://"), "{failure}");
        assert!(failure.contains("HTTP 401"), "{failure}");
        assert_eq!(refusals.summary(now_ms()), None, "nobody says that the alerts are wrong");
        let status = client.statuses().remove(0);
        assert_eq!(status.state, UpstreamState::Down, "it never answered as it should: {status:?}");
        assert!(status.error.is_some_and(|error| error.contains("HTTP 401")));
        fake.is_locked.store(false, Ordering::Relaxed);
        until("the alerts", || fake.posts.load(Ordering::Relaxed) == 1).await;
        until("that all is well", || client.failures().is_empty()).await;
        assert_eq!(client.statuses().remove(0).state, UpstreamState::Live);
    }
}
