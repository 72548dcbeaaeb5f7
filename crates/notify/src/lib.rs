//! Telling people: alerts come in by [`Notifier::post`] and [`Notifier::keep`], messages go out to receivers and webhooks.
//!
//! `dispatch_loop` decides by the rules of Alertmanager's configuration file and writes what is to be sent into the [`outbox`] of the
//! database; `delivery_worker` delivers what stands there. Where Alertmanagers are configured, `alertmanager_client` hands alerts to them
//! instead. Webhooks of the short form are told of jobs and alerts either way.

mod alert_image;
mod alertmanager_client;
pub mod config_file;
mod delivery_worker;
mod demo_receivers;
mod dispatch_loop;
mod egress_policy;
mod given_up;
mod groups;
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

use access::{Restricted, Scope};
use alertmanager::{
    alert::{Alert, Labels, PostableAlert},
    config::Config as AlertmanagerFile,
    dispatch::{Dispatcher, Status},
    matcher::Matchers,
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
    demo_receivers::DemoReceivers,
    egress_policy::EgressPolicy,
    given_up::GivenUpMessages,
    muting::MutingChanges,
    outbox::{GivenUp, Outbox, State},
    quiet::Quiet,
    refused::Refusals,
    send::Sender,
};

pub use crate::{
    alert_image::{AlertSubject, ImageRenderer},
    alertmanager_client::wire::time,
    demo_receivers::ShownMessage,
    groups::AlertGroup,
    options::{AlertmanagerConfig, AlertmanagerLogin, Options},
    outbox::{DeliveryFilter, DeliveryInfo},
};

/// Batches of alerts that may wait to be taken in.
const POST_QUEUE: usize = 256;
/// How long whoever posts waits until it is kept: less than the 10 s after which a Prometheus gives up and tells of it again.
const KEEPING: Duration = Duration::from_secs(8);
/// After a restart, alerts that fired have so long to be told of again.
const GRACE_MS: i64 = 5 * 60_000;

/// Tells people of alerts and jobs. A cheap handle.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

struct Shared {
    outbox: Outbox,
    sender: Sender,
    options: Options,
    external_url: String,
    loaded: Mutex<Loaded>,
    dispatcher: Mutex<Dispatcher>,
    /// Alerts that webhooks were told fire.
    told: Mutex<HashSet<Fingerprint>>,
    /// Alerts that fire and that webhooks were not told of.
    quiet: Mutex<Quiet>,
    acknowledged: Mutex<HashMap<Fingerprint, Acknowledgement>>,
    muting: Arc<MutingChanges>,
    link: Option<Arc<AlertmanagerClient>>,
    refusals: Arc<Refusals>,
    given_up: Mutex<GivenUpMessages>,
    posts: mpsc::Sender<Batch>,
    worker_wake: Notify,
    started_ms: i64,
    telemetry: Telemetry,
    /// Keeps messages instead of sending them.
    showcase: Option<DemoReceivers>,
    /// Draws the images that go with messages.
    images: Option<Arc<dyn ImageRenderer>>,
}

/// Where an alert goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// Receivers that are told of it, those included that are muted for the time of the day.
    pub receivers: Vec<String>,
    /// Named times that keep it quiet at one of them.
    pub muted_by: Vec<String>,
}

/// What the tasks of a notifier need beside it.
pub struct Inbox {
    posts: mpsc::Receiver<Batch>,
}

/// Alerts on their way to the dispatch loop.
struct Batch {
    alerts: Vec<PostableAlert>,
    /// Who waits until they are in the database.
    kept: Option<oneshot::Sender<()>>,
}

/// Alerts that were not kept, and have to be told of again.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// Too many wait already.
    #[error("alerts come faster than they are taken in: post these again")]
    TooMany,
    /// The database is slow or fails, or the server stops.
    #[error("the alerts could not be written down in time: post them again")]
    TooSlow,
}

/// An id for a delivery. It need not be secret, only new.
fn new_id() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    access::random_text::<12>().unwrap_or_else(|_| format!("{:x}-{:x}", now_ms(), MADE.fetch_add(1, Ordering::Relaxed)))
}

/// A message as it is written down, or why it cannot be: a delivery without one is listed as dead.
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

    fn told(&self) -> MutexGuard<'_, HashSet<Fingerprint>> {
        self.told.lock()
    }

    fn quiet(&self) -> MutexGuard<'_, Quiet> {
        self.quiet.lock()
    }

    fn acknowledged(&self) -> MutexGuard<'_, HashMap<Fingerprint, Acknowledgement>> {
        self.acknowledged.lock()
    }

    /// Notes that a message was given up: the alert page says so, and what was told counts as told no more.
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
    /// Reads the configuration file, and what was known before a restart. Links in messages lead to `external_url`. A demo that
    /// was told nothing of receivers shows messages instead of sending them.
    ///
    /// # Errors
    /// The file is wrong, or the database fails.
    pub async fn open(
        pool: SqlitePool,
        options: Options,
        alertmanagers: &[AlertmanagerConfig],
        external_url: &str,
        telemetry: Telemetry,
        images: Option<Arc<dyn ImageRenderer>>,
        is_demo: bool,
    ) -> anyhow::Result<(Self, Inbox)> {
        let is_showcase = is_demo && alertmanagers.is_empty() && demo_receivers::is_wanted(&options);
        let options = if is_showcase { demo_receivers::options(options) } else { options };
        let loaded = match &options.config {
            Some(file) => config_file::load(file, external_url)?,
            None if is_showcase => config_file::built_in(demo_receivers::FILE, external_url)?,
            None => config_file::built_in(config_file::NOBODY, external_url)?,
        };
        let outbox = Outbox { pool };
        let now_ms = now_ms();
        let mut dispatcher = Dispatcher::new(Arc::clone(&loaded.config));
        for silence in outbox.silences().await? {
            dispatcher.silences.put(silence);
        }
        dispatcher.restore_log(outbox.log().await?);
        let (alerts, told) = outbox.alerts().await?;
        let quiet = Quiet::of(&alerts, &told);
        dispatcher.restore_alerts(alerts, now_ms, now_ms.saturating_add(GRACE_MS));
        let acknowledged = outbox.acknowledgements().await?.into_iter().collect();
        let refusals = Arc::new(Refusals::new(telemetry.clone()));
        let muting = Arc::<MutingChanges>::default();
        let link = match alertmanagers {
            [] => None,
            members => Some(Arc::new(AlertmanagerClient::new(members, &refusals, Arc::clone(&muting))?)),
        };
        let (posts, received) = mpsc::channel(POST_QUEUE);
        let notifier = Notifier(Arc::new(Shared {
            outbox,
            sender: Sender::new(EgressPolicy { allows_private: options.allow_private }),
            options,
            external_url: external_url.trim_end_matches('/').to_owned(),
            loaded: Mutex::new(loaded),
            dispatcher: Mutex::new(dispatcher),
            told: Mutex::new(told),
            quiet: Mutex::new(quiet),
            acknowledged: Mutex::new(acknowledged),
            muting,
            link,
            refusals,
            given_up: Mutex::default(),
            posts,
            worker_wake: Notify::new(),
            started_ms: now_ms,
            telemetry,
            showcase: is_showcase.then(DemoReceivers::default),
            images,
        }));
        if is_showcase {
            notifier.begin_demo_silence().await;
        }
        Ok((notifier, Inbox { posts: received }))
    }

    /// Works until `stop` is cancelled: takes alerts in, delivers, and follows the jobs of `events`.
    pub async fn run(self, inbox: Inbox, events: broadcast::Receiver<Event>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let Notifier(shared) = self;
        if !shared.options.hooks.is_empty() {
            tasks.spawn(webhook::follow_jobs(Arc::clone(&shared), events, stop.clone()));
        }
        if let Some(link) = &shared.link {
            tasks.spawn(Arc::clone(link).run(stop.clone()));
        }
        tasks.spawn(delivery_worker::run(Arc::clone(&shared), stop.clone()));
        tasks.spawn(dispatch_loop::run(shared, inbox.posts, stop));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the notifier broke off");
            }
        }
    }

    /// Takes alerts in, as whoever evaluates rules tells of them: at each change, and again at least every minute while they
    /// fire. Never waits: when far too many come at once, some are dropped, and told of again by the next call.
    pub fn post(&self, alerts: Vec<PostableAlert>) {
        if alerts.is_empty() {
            return;
        }
        let labels: Vec<Labels> = alerts.iter().map(|alert| alert.labels.clone()).collect();
        if let Err(error) = self.send(alerts, None) {
            tracing::error!(%error, "alerts of rules were not taken in");
            let (now_ms, reason) = (now_ms(), error.to_string());
            for labels in &labels {
                self.refuse(labels, &reason, now_ms);
            }
        }
    }

    /// Takes alerts in, and returns when a crash does not lose them any more.
    ///
    /// # Errors
    /// They may be lost: too many come at once, or the database is slow or fails.
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

    /// Notes that an alert was refused: it is counted, and the alert page says so.
    pub fn refuse(&self, labels: &Labels, reason: &str, now_ms: i64) {
        self.0.refusals.add(labels, reason, now_ms);
    }

    /// What was refused or given up in the last hour, and which Alertmanagers do not take alerts now: in sentences, if there is anything.
    #[must_use]
    pub fn troubles(&self) -> Option<String> {
        let failures = self.0.link.as_ref().map(|link| link.failures()).unwrap_or_default();
        let now_ms = now_ms();
        let given_up = self.0.given_up.lock().summary(now_ms);
        let all: Vec<String> = self.0.refusals.summary(now_ms).into_iter().chain(given_up).chain(failures).collect();
        (!all.is_empty()).then(|| all.join(". "))
    }

    /// How the Alertmanagers are doing that alerts are handed to.
    #[must_use]
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        self.0.link.as_ref().map(|link| link.statuses()).unwrap_or_default()
    }

    /// The configuration file, if there is one.
    #[must_use]
    pub fn config_file(&self) -> Option<&PathBuf> {
        self.0.options.config.as_ref()
    }

    /// Reads the configuration file again; a wrong one changes nothing.
    ///
    /// # Errors
    /// The file is wrong.
    pub fn reload(&self) -> Result<(), LoadError> {
        let Some(file) = &self.0.options.config else { return Ok(()) };
        let loaded = config_file::load(file, &self.0.external_url)?;
        self.0.dispatcher().reload(Arc::clone(&loaded.config), now_ms());
        *self.0.loaded.lock() = loaded;
        self.0.muting.note();
        Ok(())
    }

    /// How long it works already, in milliseconds.
    #[must_use]
    pub fn uptime_ms(&self) -> i64 {
        now_ms().saturating_sub(self.0.started_ms)
    }

    /// The alerts that fire, in order of their labels: those told of here, and those that an Alertmanager knows beside them.
    #[must_use]
    pub fn alerts(&self) -> Restricted<Vec<Arc<Alert>>> {
        Restricted::new(self.all_alerts())
    }

    pub(crate) fn all_alerts(&self) -> Vec<Arc<Alert>> {
        let now_ms = now_ms();
        let mut alerts = self.0.dispatcher().firing(now_ms);
        if let Some(link) = &self.0.link {
            let own: HashSet<Fingerprint> = alerts.iter().map(|alert| alert.fingerprint).collect();
            alerts.extend(link.alerts(now_ms).into_iter().filter(|alert| !own.contains(&alert.fingerprint)));
            alerts.sort_by(|one, other| one.labels.cmp(&other.labels));
        }
        alerts
    }

    /// The alerts that fire and that `matchers` take.
    #[must_use]
    pub fn preview(&self, matchers: &Matchers) -> Restricted<Vec<Arc<Alert>>> {
        let mut alerts = self.all_alerts();
        alerts.retain(|alert| matchers.matches(&alert.labels));
        Restricted::new(alerts)
    }

    /// Who is told of an alert with these labels, and what keeps it quiet.
    #[must_use]
    pub fn status(&self, labels: &Labels) -> Status {
        let now_ms = now_ms();
        let own = self.0.dispatcher().status(labels, now_ms);
        let Some(link) = &self.0.link else { return own };
        let fingerprint = Fingerprint::of(labels);
        let muting = link.muting(fingerprint, labels, now_ms);
        Status {
            state: if muting.is_empty() { "active" } else { "suppressed" },
            silenced_by: muting.silenced_by,
            inhibited_by: muting.inhibited_by,
            receivers: link.receivers(fingerprint).unwrap_or(own.receivers),
            muted_by: Vec::new(),
        }
    }

    /// Who is told of an alert with these labels, and which times of the day keep it from them at `now_ms`.
    #[must_use]
    pub fn routed(&self, fingerprint: Fingerprint, labels: &Labels, now_ms: i64) -> Routed {
        let config = self.0.config();
        let routes = || config.routes_of(labels).into_iter().filter_map(|id| config.routes.get(id));
        let own = || routes().map(|route| route.receiver.clone()).collect();
        match &self.0.link {
            Some(link) => Routed { receivers: link.receivers(fingerprint).unwrap_or_else(own), muted_by: Vec::new() },
            None => Routed {
                receivers: own(),
                muted_by: routes().flat_map(|route| config.muted_by(route, now_ms)).collect(),
            },
        }
    }

    /// The name of an alert that is known here or to an Alertmanager.
    #[must_use]
    pub fn name_of(&self, fingerprint: Fingerprint) -> Option<String> {
        let own = self.0.dispatcher().alert(fingerprint).map(Arc::clone);
        let known = own.or_else(|| self.0.link.as_ref()?.alert(fingerprint))?;
        Some(known.name().to_owned())
    }

    /// Names of the receivers of the configuration.
    #[must_use]
    pub fn receivers(&self) -> Vec<String> {
        self.0.config().receivers.keys().cloned().collect()
    }

    /// The newest deliveries of an alert, as far as `scope` may see them: each tells of all alerts that it was of, so that those who see some
    /// alerts only see none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn told_of(
        &self,
        scope: &Scope,
        alert: Fingerprint,
        limit: i64,
    ) -> Result<Vec<DeliveryInfo>, sqlx::Error> {
        if !scope.is_all() {
            return Ok(Vec::new());
        }
        self.deliveries(&DeliveryFilter { alert: Some(alert), limit, ..DeliveryFilter::default() }).await
    }

    /// Lists deliveries, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryInfo>, sqlx::Error> {
        self.0.outbox.list(filter).await
    }

    /// Delivers again what was given up, under a new id, which is returned; `None` if nothing of that id was given up.
    ///
    /// # Errors
    /// The database fails.
    pub async fn send_again(&self, id: &str) -> Result<Option<String>, sqlx::Error> {
        let new_id = new_id();
        let is_there = self.0.outbox.send_again(id, &new_id, now_ms()).await?;
        self.0.worker_wake.notify_one();
        Ok(is_there.then_some(new_id))
    }

    /// Keeps the dispatch loop from working, as long as what is returned lives.
    #[cfg(feature = "testing")]
    pub fn hold_dispatch(&self) -> impl Drop {
        self.0.dispatcher()
    }
}
