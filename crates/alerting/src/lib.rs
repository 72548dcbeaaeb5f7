//! Rule manager: loads and reloads rule files, evaluates groups, publishes changes.
//!
//! [`Alerting`] is the handle. [`Alerting::run`] starts a task for each group, and ends with the server.

mod current;
mod engine_alerts;
mod external_alerts;
mod group_runner;
mod handover;
pub mod history;
mod past;
mod querier;
mod reload;
pub mod rule_files;
mod snapshot;
mod unseen;

pub use self::history::{History, HistoryFilter, MAX_ANSWER};

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use access::{Restricted, Scope};
use alertmanager::alert::PostableAlert;
use dashboards::annotations::{FiringChanges, ReadMetrics, marks};
use datasource::{Backend, Embedded};
use model::{
    clock::now_ms,
    dashboard::Dashboard,
    frame::Frame,
    live::{Alert, AlertList, AlertState, AlertTransition, Event},
};
use notify::Notifier;
use parking_lot::{Mutex, RwLock};
use rules::{EvalContext, Evaluation, Notification};
use telemetry::Telemetry;
use tokio::{
    sync::{Notify, Semaphore, broadcast},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use crate::{
    current::Latest,
    engine_alerts::EngineAlerts,
    external_alerts::ExternalAlerts,
    group_runner::GroupRunner,
    querier::{EmbeddedQuerier, RemoteQuerier},
    reload::{Hangups, LOOK_INTERVAL},
    rule_files::Text,
};

pub use crate::current::CurrentAlerts;
pub use crate::handover::posted;
pub use crate::rule_files::{BuiltInRules, FilesError, LoadedRules, expand, read, run_tests};
pub use crate::snapshot::SOURCE;
pub use crate::snapshot::{GroupView, RulesFilter, alert_json, reported_json};

/// Number of batches that a receiver may lag before it loses the oldest.
const NOTIFICATION_QUEUE: usize = 256;

/// Rules to evaluate, and settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Rule files; may contain wildcards.
    pub files: Vec<PathBuf>,
    /// Rules that come with the program.
    pub built_in: BuiltInRules,
    /// Names of disabled groups.
    pub off: Vec<String>,
    /// Evaluation interval of groups that do not set one.
    pub interval: Duration,
    /// The evaluation context of all rules.
    pub context: EvalContext,
}

/// Publishes changes of alerts to viewers.
pub trait Publisher: Send + Sync {
    /// An alert fired or resolved.
    fn publish(&self, event: Event);

    /// The list of alerts changed in another way.
    fn publish_list(&self);
}

/// The rule manager. Cheap to clone.
#[derive(Clone)]
pub struct Alerting(Arc<Shared>);

struct Shared {
    settings: Settings,
    here: EmbeddedQuerier,
    /// The remote engine that evaluates all rules except the built-in ones; `None` evaluates them over our store.
    elsewhere: Option<RemoteQuerier>,
    groups: RwLock<Vec<Arc<GroupRunner>>>,
    /// Contents of the loaded rule files.
    texts: Mutex<Vec<Text>>,
    /// Why the current files are not the loaded ones, if they are not.
    trouble: Mutex<Option<String>>,
    /// Alerts of the engines' own rules.
    upstream: EngineAlerts,
    /// External alerts.
    reported: ExternalAlerts,
    notifications: broadcast::Sender<Arc<[Notification]>>,
    history: History,
    /// For rules and panels, to annotate charts.
    read_metrics: ReadMetrics,
    publisher: Arc<dyn Publisher>,
    notifier: Notifier,
    latest: Latest,
    /// Signals that rules were replaced: alerts of removed rules must end.
    rules_replaced: Notify,
    /// Hash of what muted which alerts at the last check.
    muted: AtomicU64,
    telemetry: Telemetry,
    /// Limits the number of concurrent evaluations.
    slots: Arc<Semaphore>,
}

impl Alerting {
    /// A manager of these rules. Nothing is evaluated before [`Alerting::run`].
    pub fn new(
        rules: LoadedRules,
        embedded: Arc<Embedded>,
        backend: &Backend,
        history: History,
        telemetry: Telemetry,
        notifier: Notifier,
        publisher: Arc<dyn Publisher>,
    ) -> Self {
        let elsewhere = match backend {
            Backend::Embedded(_) => None,
            Backend::Prometheus(engine) => Some(RemoteQuerier(Arc::clone(engine))),
        };
        let shared = Shared {
            here: EmbeddedQuerier(embedded),
            elsewhere,
            groups: RwLock::default(),
            texts: Mutex::new(rules.texts),
            trouble: Mutex::default(),
            upstream: EngineAlerts::default(),
            reported: ExternalAlerts::default(),
            notifications: broadcast::channel(NOTIFICATION_QUEUE).0,
            history,
            read_metrics: ReadMetrics::default(),
            publisher,
            notifier,
            latest: Latest::default(),
            rules_replaced: Notify::new(),
            muted: AtomicU64::default(),
            telemetry,
            slots: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from))),
            settings: rules.settings,
        };
        let groups = shared.groups_of(&rules.files, false);
        let running = groups.into_iter().map(|(group, is_built_in)| {
            Arc::new(GroupRunner::new(group, is_built_in, false, CancellationToken::new()))
        });
        *shared.groups.write() = running.collect();
        Alerting(Arc::new(shared))
    }

    /// Notifications of alerts after each evaluation, as Prometheus posts them to an Alertmanager: repeatedly every
    /// minute while an alert fires, and once when it resolves. A receiver that lags loses the oldest batches, and gets
    /// alerts that still fire again within a minute.
    #[must_use]
    pub fn notifications(&self) -> broadcast::Receiver<Arc<[Notification]>> {
        self.0.notifications.subscribe()
    }

    /// History of alert state changes.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// Why the current rule files are not the loaded ones, if they are not: with file and line.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().clone()
    }

    /// Records posted alerts for viewers. The caller must also send them to the notifier.
    pub fn take_posted(&self, posted: &[PostableAlert]) {
        self.0.notifier.foresee(posted);
        let changes = self.0.reported.post(posted, now_ms());
        self.0.latest.is_outdated();
        self.0.publish_changes(changes);
    }

    /// Updates the alerts of the engines' own rules, by engine, and publishes the changes.
    pub fn replace_upstream(&self, lists: Vec<(String, AlertList)>) {
        let replaced = self.0.upstream.replace(lists, now_ms());
        self.0.latest.is_outdated();
        self.0.publish_changes(replaced.changes);
        if replaced.is_reachability_other {
            self.0.publish_list();
        }
    }

    /// Evaluates the rules, reloads the files when they change or on SIGHUP, and records the alerts in the `events` of
    /// daemons, until `stop` is cancelled.
    pub async fn run(self, events: broadcast::Receiver<Event>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        tasks.spawn(external_alerts::follow(Arc::clone(&self.0), events, stop.clone()));
        tasks.spawn(current::follow(self.clone(), stop.clone()));
        tasks.spawn(unseen::follow(Arc::clone(&self.0), stop.clone()));
        for group in self.0.groups() {
            tasks.spawn(group.run(Arc::clone(&self.0)));
        }
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangups = Hangups::new();
        loop {
            let is_requested = tokio::select! {
                _ = looks.tick() => false,
                () = hangups.next() => true,
                () = stop.cancelled() => break,
            };
            while tasks.try_join_next().is_some() {}
            for group in self.reload(is_requested).await {
                tasks.spawn(group.run(Arc::clone(&self.0)));
            }
        }
        for group in self.0.groups() {
            group.stop();
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Alerting {
    /// The groups after their last evaluation.
    pub fn rule_groups(&self) -> Vec<Arc<GroupView>> {
        self.0.views()
    }

    /// External alerts, except those that an engine lists itself.
    pub fn reported_alerts(&self) -> Restricted<Vec<Alert>> {
        let alerts = self.0.reported.alerts(&self.0.upstream.list().alerts);
        Restricted::new(alerts)
    }

    /// Time ranges between two times, in milliseconds since the Unix epoch, in which alerts fired that `scope` may see
    /// and that are related to the time series panels of `dashboard`. `firing` is the result of
    /// [`History::firing_in`] for that time; see [`model::page::Boot::marks`].
    #[must_use]
    pub fn marks(
        &self,
        mut firing: FiringChanges,
        current: &CurrentAlerts,
        scope: &Scope,
        dashboard: &Dashboard,
        start_ms: i64,
        end_ms: i64,
    ) -> Frame {
        firing.changes.retain(|change| access::is_visible(scope, &change.alert));
        marks(firing, current.firing_alerts(scope), dashboard, (start_ms, end_ms), &self.0.read_metrics)
    }
}

impl Shared {
    fn groups(&self) -> Vec<Arc<GroupRunner>> {
        self.groups.read().clone()
    }

    fn views(&self) -> Vec<Arc<GroupView>> {
        self.groups().iter().map(|group| group.view()).collect()
    }

    /// Publishes the result of an evaluation.
    fn publish(&self, at_ms: i64, evaluation: &Evaluation, view: &GroupView, before: &GroupView) {
        let changes = evaluation.transitions.iter().filter_map(|(rule, change)| view.transition(*rule, change, at_ms));
        let changes: Vec<AlertTransition> = changes.collect();
        self.foresee(&evaluation.notifications);
        self.publish_changes(changes);
        if view.differs_in_staleness(before) {
            self.publish_list();
        }
        self.raise(evaluation.notifications.clone());
    }

    /// Publishes the whole list of alerts.
    fn publish_list(&self) {
        self.publisher.publish_list();
    }

    /// Publishes changes and stores them in the history.
    fn publish_changes(&self, changes: Vec<AlertTransition>) {
        if changes.is_empty() {
            return;
        }
        let is_firing = |state| state == AlertState::Firing;
        let mut alerts: Vec<Arc<Alert>> = changes.iter().map(|change| Arc::new(change.alert.clone())).collect();
        self.mark(&mut alerts);
        for (change, alert) in changes.iter().zip(&alerts) {
            let alert = Box::new(Alert::clone(alert));
            if is_firing(change.to) {
                self.publisher.publish(Event::AlertFired(alert));
            } else if is_firing(change.from) {
                self.publisher.publish(Event::AlertResolved(alert));
            }
        }
        // A change from or to pending is not an event, so viewers get the list.
        if changes.iter().any(|change| !is_firing(change.from) && !is_firing(change.to)) {
            self.publish_list();
        }
        let remembered = changes.into_iter().zip(&alerts).filter_map(|(change, marked)| goes_on(change, marked));
        let remembered: Vec<AlertTransition> = remembered.collect();
        self.telemetry.rules().set_firing(self.views().iter().map(|view| view.firing).sum());
        self.history.remember(remembered);
    }
}

/// Converts a change for the history; `marked` is the alert as pages show it: an alert that fired before a restart of
/// this server continues from its start, even while its rule waits for `for` again. `None` if pages show no change.
fn goes_on(change: AlertTransition, marked: &Alert) -> Option<AlertTransition> {
    if marked.state == change.to && marked.fired_at == change.alert.fired_at {
        return Some(change);
    }
    let Alert { state, fired_at, active_at, .. } = *marked;
    let alert = Alert { state, fired_at, active_at, ..change.alert };
    // The history already has it as firing, from when the rule waited again.
    let is_known = change.from == AlertState::Pending;
    (!is_known).then_some(AlertTransition { from: state, to: state, alert, ..change })
}
