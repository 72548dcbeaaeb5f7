//! Notifications: alerts come in by [`Notifier::post`] and [`Notifier::keep`], messages go out to receivers and
//! webhooks.
//!
//! `dispatch_loop` decides by Alertmanager's configuration file and writes messages into the [`outbox`] in the
//! database; `delivery_worker` delivers them. If Alertmanagers are configured, `alertmanager_client` sends alerts to
//! them instead. Short-form webhooks get jobs and alerts in both cases.

mod alert_image;
mod alert_status;
mod alertmanager_client;
pub mod config_file;
mod delivery_list;
mod delivery_worker;
mod demo_receivers;
mod dispatch_loop;
mod egress_policy;
mod given_up;
mod groups;
mod http_client;
mod mail;
mod muting;
mod options;
mod outbox;
mod quiet;
mod refused;
mod send;
mod silences;
mod webhook;

pub use self::muting::LONGEST_WAIT_MS;
pub use self::silences::{Acknowledgement, SilenceError};

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alertmanager::{
    alert::{Labels, PostableAlert},
    config::Config as AlertmanagerFile,
    dispatch::Dispatcher,
};
use labels::Fingerprint;
use model::{clock::now_ms, live::Event, upstream::UpstreamStatus};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use sqlx::SqlitePool;
use telemetry::Telemetry;
use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    alertmanager_client::AlertmanagerClient,
    config_file::{LoadError, Loaded},
    egress_policy::EgressPolicy,
    given_up::GivenUpMessages,
    http_client::HttpClient,
    muting::MutingChanges,
    outbox::{GivenUp, Outbox, State},
    quiet::Quiet,
    refused::Refusals,
};

pub use crate::{
    alert_image::{AlertSubject, ImageRenderer},
    alert_status::Routed,
    alertmanager_client::wire::time,
    delivery_list::{DeliveryFilter, DeliveryInfo},
    demo_receivers::{DemoReceivers, ShownMessage, demo_options},
    groups::AlertGroup,
    options::{AlertmanagerConfig, AlertmanagerLogin, Options, Transport},
};

/// Maximum number of batches in the queue of the dispatch loop.
const POST_QUEUE: usize = 256;
/// How long a post waits until its alerts are stored: less than the 10 s after which a Prometheus times out and posts
/// again.
const KEEPING: Duration = Duration::from_secs(8);
/// After a restart, how long we wait until firing alerts are posted again.
const GRACE_MS: i64 = 5 * 60_000;

/// Sends notifications of alerts and jobs. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

struct Shared {
    outbox: Outbox,
    http: HttpClient,
    options: Options,
    external_url: String,
    loaded: Mutex<Loaded>,
    dispatcher: Mutex<Dispatcher>,
    /// Firing alerts that short-form webhooks were notified of.
    notified: Mutex<HashSet<Fingerprint>>,
    /// Firing alerts that short-form webhooks were not notified of.
    quiet: Mutex<Quiet>,
    acknowledged: Mutex<HashMap<Fingerprint, Acknowledgement>>,
    muting: Arc<MutingChanges>,
    alertmanagers: Option<Arc<AlertmanagerClient>>,
    refusals: Arc<Refusals>,
    given_up: Mutex<GivenUpMessages>,
    posts: mpsc::Sender<Batch>,
    worker_wake: Notify,
    started_ms: i64,
    telemetry: Telemetry,
    /// Draws the images of messages.
    images: Option<Arc<dyn ImageRenderer>>,
}

/// Receiving ends of a notifier's queues, for its tasks.
pub struct Inbox {
    posts: mpsc::Receiver<Batch>,
}

/// Alerts queued for the dispatch loop.
struct Batch {
    alerts: Vec<PostableAlert>,
    /// Notified once they are stored in the database.
    kept: Option<oneshot::Sender<()>>,
}

/// Why alerts were not stored. The caller should post them again.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The queue is full.
    #[error("alerts come faster than they are taken in: post these again")]
    TooMany,
    /// The database is slow or fails, or the server is stopping.
    #[error("the alerts could not be written down in time: post them again")]
    TooSlow,
}

/// An ID for a delivery. It must be unique, not secret.
fn new_id() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    access::random_text::<12>().unwrap_or_else(|_| format!("{:x}-{:x}", now_ms(), MADE.fetch_add(1, Ordering::Relaxed)))
}

/// A message as the outbox stores it, or why it could not be built: such a delivery is listed as dead.
fn body_of<T: Serialize>(message: &T, receiver: &str) -> Result<String, String> {
    serde_json::to_string(message).or_else(|error| unbuilt(receiver, &error.to_string()))
}

/// Logs that a message could not be built.
fn unbuilt(receiver: &str, error: &str) -> Result<String, String> {
    tracing::error!(receiver, error, "a notification could not be built");
    Err(format!("the message could not be built: {error}"))
}

impl Shared {
    fn loaded(&self) -> Loaded {
        self.loaded.lock().clone()
    }

    fn config(&self) -> Arc<AlertmanagerFile> {
        Arc::clone(&self.loaded.lock().config)
    }

    fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.dispatcher.lock()
    }

    fn notified(&self) -> MutexGuard<'_, HashSet<Fingerprint>> {
        self.notified.lock()
    }

    fn quiet(&self) -> MutexGuard<'_, Quiet> {
        self.quiet.lock()
    }

    fn acknowledged(&self) -> MutexGuard<'_, HashMap<Fingerprint, Acknowledgement>> {
        self.acknowledged.lock()
    }

    /// Records a message that was given up: the alert page reports it, and its change of the log is undone.
    fn note_given_up(&self, message: GivenUp) {
        if let Some(change) = &message.taken_back {
            self.dispatcher().take_back(change);
        }
        self.given_up.lock().add(message.receiver, &message.reason, now_ms());
    }

    fn count(&self, state: &State) {
        let counters = self.telemetry.deliveries();
        let counter = match state {
            State::Delivered => &counters.delivered,
            State::Pending { .. } => &counters.failed,
            State::Dead => &counters.dead,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Notifier {
    /// Loads the configuration file and restores the state from before a restart. Links in messages start with
    /// `external_url`.
    ///
    /// # Errors
    ///
    /// The file is invalid, or the database fails.
    pub async fn open(
        pool: SqlitePool,
        options: Options,
        alertmanagers: &[AlertmanagerConfig],
        external_url: &str,
        telemetry: Telemetry,
        images: Option<Arc<dyn ImageRenderer>>,
    ) -> anyhow::Result<(Self, Inbox)> {
        let loaded = match &options.config {
            Some(file) => config_file::load(file, external_url)?,
            None => config_file::built_in(options.built_in, external_url)?,
        };
        let outbox = Outbox { pool };
        let now_ms = now_ms();
        let mut dispatcher = Dispatcher::new(Arc::clone(&loaded.config));
        for silence in outbox.silences().await? {
            dispatcher.silences.put(silence);
        }
        dispatcher.restore_log(outbox.log().await?);
        let (alerts, notified) = outbox.alerts().await?;
        let quiet = Quiet::of(&alerts, &notified);
        dispatcher.restore_alerts(alerts, now_ms, now_ms.saturating_add(GRACE_MS));
        let acknowledged = outbox.acknowledgements().await?.into_iter().collect();
        let refusals = Arc::new(Refusals::new(telemetry.clone()));
        let muting = Arc::<MutingChanges>::default();
        let alertmanagers = match alertmanagers {
            [] => None,
            members => Some(Arc::new(AlertmanagerClient::new(members, &refusals, Arc::clone(&muting))?)),
        };
        let (posts, received) = mpsc::channel(POST_QUEUE);
        let notifier = Notifier(Arc::new(Shared {
            outbox,
            http: HttpClient::new(EgressPolicy { allows_private: options.allow_private }),
            options,
            external_url: external_url.trim_end_matches('/').to_owned(),
            loaded: Mutex::new(loaded),
            dispatcher: Mutex::new(dispatcher),
            notified: Mutex::new(notified),
            quiet: Mutex::new(quiet),
            acknowledged: Mutex::new(acknowledged),
            muting,
            alertmanagers,
            refusals,
            given_up: Mutex::default(),
            posts,
            worker_wake: Notify::new(),
            started_ms: now_ms,
            telemetry,
            images,
        }));
        Ok((notifier, Inbox { posts: received }))
    }

    /// Runs until `stop` is cancelled: accepts alerts, delivers messages, and follows the jobs of `events`.
    pub async fn run(self, inbox: Inbox, events: broadcast::Receiver<Event>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let Notifier(shared) = self;
        if !shared.options.hooks.is_empty() {
            tasks.spawn(webhook::follow_jobs(Arc::clone(&shared), events, stop.clone()));
        }
        if let Some(alertmanagers) = &shared.alertmanagers {
            tasks.spawn(Arc::clone(alertmanagers).run(stop.clone()));
        }
        tasks.spawn(delivery_worker::run(Arc::clone(&shared), stop.clone()));
        tasks.spawn(dispatch_loop::run(shared, inbox.posts, stop));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the notifier panicked");
            }
        }
    }

    /// Posts alerts of rules: at each change, and at least every minute while they fire. Does not wait: if the queue is
    /// full, the alerts are dropped, and the next post repeats them.
    pub fn post(&self, alerts: Vec<PostableAlert>) {
        if alerts.is_empty() {
            return;
        }
        let labels: Vec<Labels> = alerts.iter().map(|alert| alert.labels.clone()).collect();
        if let Err(error) = self.send(alerts, None) {
            tracing::error!(%error, "alerts of rules were dropped");
            let (now_ms, reason) = (now_ms(), error.to_string());
            for labels in &labels {
                self.refuse(labels, &reason, now_ms);
            }
        }
    }

    /// Posts alerts, and returns once they are stored and survive a crash.
    ///
    /// # Errors
    ///
    /// They may be lost: the queue is full, or the database is slow or fails.
    pub async fn keep(&self, alerts: Vec<PostableAlert>) -> Result<(), EnqueueError> {
        let (kept, written) = oneshot::channel();
        self.send(alerts, Some(kept))?;
        match tokio::time::timeout(KEEPING, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(EnqueueError::TooSlow),
        }
    }

    fn send(&self, alerts: Vec<PostableAlert>, kept: Option<oneshot::Sender<()>>) -> Result<(), EnqueueError> {
        self.0.posts.try_send(Batch { alerts, kept }).map_err(|_| EnqueueError::TooMany)
    }

    /// Counts a rejected alert and reports it on the alert page.
    pub fn refuse(&self, labels: &Labels, reason: &str, now_ms: i64) {
        self.0.refusals.add(labels, reason, now_ms);
    }

    /// Sentences about alerts rejected and messages given up in the last hour, and about Alertmanagers that do not
    /// accept alerts; `None` if there is nothing to report.
    #[must_use]
    pub fn troubles(&self) -> Option<String> {
        let failures = self.0.alertmanagers.as_ref().map(|alertmanagers| alertmanagers.failures()).unwrap_or_default();
        let now_ms = now_ms();
        let given_up = self.0.given_up.lock().summary(now_ms);
        let all: Vec<String> = self.0.refusals.summary(now_ms).into_iter().chain(given_up).chain(failures).collect();
        (!all.is_empty()).then(|| all.join(". "))
    }

    /// Health of the configured Alertmanagers.
    #[must_use]
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        self.0.alertmanagers.as_ref().map(|alertmanagers| alertmanagers.statuses()).unwrap_or_default()
    }

    /// Path of the configuration file, if any.
    #[must_use]
    pub fn config_file(&self) -> Option<&PathBuf> {
        self.0.options.config.as_ref()
    }

    /// Reloads the configuration file; an invalid one changes nothing.
    ///
    /// # Errors
    ///
    /// The file is invalid.
    pub fn reload(&self) -> Result<(), LoadError> {
        let Some(file) = &self.0.options.config else { return Ok(()) };
        let loaded = config_file::load(file, &self.0.external_url)?;
        self.0.dispatcher().reload(Arc::clone(&loaded.config), now_ms());
        *self.0.loaded.lock() = loaded;
        self.0.muting.note();
        Ok(())
    }

    /// Time since the start, in milliseconds.
    #[must_use]
    pub fn uptime_ms(&self) -> i64 {
        now_ms().saturating_sub(self.0.started_ms)
    }

    /// Keeps the dispatch loop from working, as long as what is returned lives.
    #[cfg(feature = "testing")]
    pub fn hold_dispatch(&self) -> impl Drop {
        self.0.dispatcher()
    }
}
