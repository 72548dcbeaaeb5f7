//! One Alertmanager of the cluster: its queue of alerts, and requests to it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alertmanager::alert::Alert;
use backon::{BackoffBuilder, ExponentialBuilder};
use datasource::SourceHealth;
use labels::Fingerprint;
use model::clock::now_ms;
use parking_lot::Mutex;
use redact::Redactor;
use reqwest::{Method, Url};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{AlertmanagerClient, ClientError, wire::AlertJson};
use crate::{AlertmanagerConfig, AlertmanagerLogin, refused::Refusals};

/// Maximum size of a response, in bytes.
const ANSWER_BYTES: usize = 32 << 20;
/// Alerts in one request, as in Prometheus.
pub(super) const BATCH: usize = 64;
/// Longest wait after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Waits after failures that follow each other. Jitter adds up to as much as each has.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(15))
    .with_jitter()
    .without_max_times();
/// Statuses with which an Alertmanager rejects the posted alerts.
pub(super) const FAULTS_OF_ALERTS: [u16; 3] = [400, 413, 422];

/// One Alertmanager of the cluster.
#[derive(Debug)]
pub(super) struct Member {
    client: reqwest::Client,
    pub(super) config: AlertmanagerConfig,
    refusals: Arc<Refusals>,
    pub(super) waiting: Mutex<HashMap<Fingerprint, Alert>>,
    /// Why the last post failed, if it did.
    pub(super) failure: Mutex<Option<String>>,
    pub(super) health: Mutex<SourceHealth>,
    /// Its version, once it is known.
    pub(super) version: Mutex<Option<String>>,
    pub(super) wake: Notify,
}

impl Member {
    pub(super) fn new(client: reqwest::Client, config: AlertmanagerConfig, refusals: Arc<Refusals>) -> Self {
        Member {
            client,
            config,
            refusals,
            waiting: Mutex::default(),
            failure: Mutex::default(),
            health: Mutex::new(SourceHealth::new(now_ms())),
            version: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// A redactor that knows the credentials we send, because a proxy may repeat them in a response.
    fn sent(&self) -> Redactor {
        let sent = Redactor::default();
        match &self.config.login {
            Some(AlertmanagerLogin::Basic(_, Some(password))) => sent.learn_configured(password.expose()),
            Some(AlertmanagerLogin::Bearer(token)) => sent.learn_configured(token.expose()),
            Some(AlertmanagerLogin::Basic(_, None)) | None => {}
        }
        sent
    }

    /// Posts the queued alerts until `stop` is cancelled.
    pub(super) async fn run(self: Arc<Self>, client: Arc<AlertmanagerClient>, stop: CancellationToken) {
        let mut pauses = PAUSES.build();
        loop {
            if self.waiting.lock().is_empty() {
                tokio::select! {
                    () = self.wake.notified() => continue,
                    () = stop.cancelled() => return,
                }
            }
            let batch: Vec<Alert> = self.waiting.lock().values().take(BATCH).cloned().collect();
            let handed_over = tokio::select! {
                handed_over = self.hand_over(&batch) => handed_over,
                () = stop.cancelled() => return,
            };
            let is_done = match handed_over {
                Ok(()) => {
                    pauses = PAUSES.build();
                    self.failure.lock().take();
                    true
                }
                Err(error) => {
                    tracing::warn!(%error, url = %self.config.url, "cannot post alerts, will retry");
                    *self.failure.lock() = Some(error.reason().to_owned());
                    false
                }
            };
            if is_done {
                let mut waiting = self.waiting.lock();
                for alert in batch {
                    // An alert that changed meanwhile is posted again next.
                    if waiting.get(&alert.fingerprint) == Some(&alert) {
                        waiting.remove(&alert.fingerprint);
                    }
                }
                // Reads back once, after all batches are posted.
                if waiting.is_empty() {
                    client.stirred.notify_one();
                }
            } else {
                tokio::select! {
                    () = tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }

    /// Posts alerts. If a batch is rejected, posts its alerts one by one, so that one invalid alert does not block the
    /// others and we know which one it is.
    ///
    /// # Errors
    ///
    /// The Alertmanager is not reachable: post all of them again.
    async fn hand_over(&self, batch: &[Alert]) -> Result<(), ClientError> {
        match self.post(batch).await {
            // Not the alerts are wrong, but the credentials or the URL: the alerts stay in the queue until that is
            // fixed.
            Err(ClientError::Refused { status: Some(status), reason }) if !FAULTS_OF_ALERTS.contains(&status) => {
                Err(ClientError::Unreachable(reason))
            }
            Err(ClientError::Refused { reason, .. }) => match batch {
                [alert] => {
                    self.refusals.add(&alert.labels, &reason, now_ms());
                    Ok(())
                }
                batch => {
                    for alert in batch {
                        match self.post(std::slice::from_ref(alert)).await {
                            Err(ClientError::Refused { reason, .. }) => {
                                self.refusals.add(&alert.labels, &reason, now_ms())
                            }
                            sent => sent?,
                        }
                    }
                    Ok(())
                }
            },
            sent => sent,
        }
    }

    async fn post(&self, alerts: &[Alert]) -> Result<(), ClientError> {
        let alerts: Vec<AlertJson> = alerts.iter().map(AlertJson::from).collect();
        let body = serde_json::to_value(&alerts).map_err(ClientError::refused)?;
        self.call(Method::POST, "api/v2/alerts", Some(&body)).await.map(|_| ())
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.config.url.clone();
        let joined = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }

    /// Sends a request and records the health of the Alertmanager.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<String, ClientError> {
        let started = Instant::now();
        let answer = self.exchange(method, path, body).await;
        self.note(path, &answer, started.elapsed());
        answer
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<String, ClientError> {
        let unreachable =
            |error: reqwest::Error| ClientError::Unreachable(format!("{}: {}", self.config.url, cause(&error)));
        let mut request = self.client.request(method, self.url(path));
        request = match &self.config.login {
            Some(AlertmanagerLogin::Basic(name, password)) => {
                request.basic_auth(name, password.as_ref().map(|password| password.expose()))
            }
            Some(AlertmanagerLogin::Bearer(token)) => request.bearer_auth(token.expose()),
            None => request,
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES {
                return Err(ClientError::refused(format!("the answer is larger than {ANSWER_BYTES} bytes")));
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let text = self.sent().text(&text).into_owned();
        let excerpt: String = text.chars().filter(|letter| !letter.is_control()).take(200).collect();
        let reason = format!("{}: HTTP {status}: {excerpt}", self.config.url);
        if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS {
            Err(ClientError::Unreachable(reason))
        } else {
            Err(ClientError::Refused { status: Some(status.as_u16()), reason })
        }
    }
}

fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
