//! Rules at work: files are read and read again, groups evaluated, and those who look told what changed.
//!
//! [`Alerting`] is the handle. [`Alerting::run`] owns a task for each group, and ends with the server.

mod annotations;
mod current;
mod engine_alerts;
mod external_alerts;
mod group_runner;
mod handover;
pub mod history;
mod past;
mod querier;
mod reload;
mod rule_files;
mod snapshot;
mod unseen;

pub use self::history::{History, HistoryFilter, MAX_ANSWER};

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use access::Restricted;
use alertmanager::alert::PostableAlert;
use datasource::{Backend, Embedded};
use model::{
    clock::now_ms,
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
    annotations::ReadMetrics,
    current::Latest,
    engine_alerts::EngineAlerts,
    external_alerts::ExternalAlerts,
    group_runner::GroupRunner,
    querier::{EmbeddedQuerier, RemoteQuerier},
    reload::{Hangups, LOOK_INTERVAL},
    rule_files::Text,
};

pub use crate::annotations::may_have_marks;
pub use crate::current::CurrentAlerts;
pub use crate::handover::posted;
pub use crate::history::FiringChanges;
pub use crate::rule_files::{BuiltInRules, FilesError, LoadedRules, expand, read, run_tests};
pub use crate::snapshot::SOURCE;
pub use crate::snapshot::{GroupView, RulesFilter, alert_json, reported_json};

/// Batches that a listener may be behind before it loses the oldest.
const NOTIFICATION_QUEUE: usize = 256;

/// Which rules are evaluated, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Files of rules; may have wildcards.
    pub files: Vec<PathBuf>,
    /// Rules that come with the program.
    pub built_in: BuiltInRules,
    /// Names of groups that are switched off.
    pub off: Vec<String>,
    /// How often groups that do not say so themselves are evaluated.
    pub interval: Duration,
    /// What all rules have in common.
    pub around: EvalContext,
}

/// Whoever shows alerts as they change.
pub trait Publisher: Send + Sync {
    /// An alert fired or was resolved.
    fn publish(&self, event: Event);

    /// The list of alerts changed in another way.
    fn publish_list(&self);
}

/// The rules at work. A cheap handle.
#[derive(Clone)]
pub struct Alerting(Arc<Shared>);

struct Shared {
    settings: Settings,
    here: EmbeddedQuerier,
    /// Where other rules than the built-in ones are evaluated, if not over our store.
    elsewhere: Option<RemoteQuerier>,
    groups: RwLock<Vec<Arc<GroupRunner>>>,
    /// The files that the groups are of.
    texts: Mutex<Vec<Text>>,
    /// Why the files are not those in use, if they are not.
    trouble: Mutex<Option<String>>,
    /// Alerts of the engines' own rules.
    upstream: EngineAlerts,
    /// Alerts that others raised.
    reported: ExternalAlerts,
    notifications: broadcast::Sender<Arc<[Notification]>>,
    history: History,
    /// Of rules and of panels, for marks on charts.
    read_metrics: ReadMetrics,
    publisher: Arc<dyn Publisher>,
    notifier: Notifier,
    latest: Latest,
    /// That rules were replaced: alerts of those that are gone are to be ended.
    rules_replaced: Notify,
    /// What muted which alerts when it was looked at last.
    muted: AtomicU64,
    telemetry: Telemetry,
    /// How many groups are evaluated at the same time.
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

    /// What a notifier is told: after each evaluation the alerts that are due, as Prometheus tells an Alertmanager, each again
    /// every minute while it fires and once when it ends. A listener that is too slow loses the oldest batches, and hears of
    /// what still fires within a minute.
    #[must_use]
    pub fn notifications(&self) -> broadcast::Receiver<Arc<[Notification]>> {
        self.0.notifications.subscribe()
    }

    /// Changes of alerts' states in the past.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// Why the files of rules are not those in use, if they are not: with file and line.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().clone()
    }

    /// Takes in alerts that were posted as to an Alertmanager, for all who look. The notifier is told by whoever calls this.
    pub fn take_posted(&self, posted: &[PostableAlert]) {
        self.0.notifier.foresee(posted);
        let changes = self.0.reported.post(posted, now_ms());
        self.0.latest.is_outdated();
        self.0.tell(changes);
    }

    /// Replaces what is known of the alerts of the engines' own rules, by the name of the engine, and tells what changed.
    pub fn replace_upstream(&self, lists: Vec<(String, AlertList)>) {
        let replaced = self.0.upstream.replace(lists, now_ms());
        self.0.latest.is_outdated();
        self.0.tell(replaced.changes);
        if replaced.is_reachability_other {
            self.0.publish_list();
        }
    }

    /// Evaluates the rules, reads the files again when they change or the process gets SIGHUP, and takes in the alerts among the
    /// `events` of daemons, until `stop` is cancelled.
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
            let is_told = tokio::select! {
                _ = looks.tick() => false,
                () = hangups.next() => true,
                () = stop.cancelled() => break,
            };
            while tasks.try_join_next().is_some() {}
            for group in self.reload(is_told).await {
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
    /// The groups as they were after their last evaluation.
    pub fn rule_groups(&self) -> Vec<Arc<GroupView>> {
        self.0.views()
    }

    /// The alerts that others raised, without those that an engine lists itself.
    pub fn reported_alerts(&self) -> Restricted<Vec<Alert>> {
        let alerts = self.0.reported.alerts(&self.0.upstream.list().alerts);
        Restricted::new(alerts)
    }
}

impl Shared {
    fn groups(&self) -> Vec<Arc<GroupRunner>> {
        self.groups.read().clone()
    }

    fn views(&self) -> Vec<Arc<GroupView>> {
        self.groups().iter().map(|group| group.view()).collect()
    }

    /// Tells what an evaluation gave.
    fn publish(&self, at_ms: i64, evaluation: &Evaluation, view: &GroupView, before: &GroupView) {
        let changes = evaluation.transitions.iter().filter_map(|(rule, change)| view.transition(*rule, change, at_ms));
        let changes: Vec<AlertTransition> = changes.collect();
        self.foresee(&evaluation.notifications);
        self.tell(changes);
        if view.differs_in_staleness(before) {
            self.publish_list();
        }
        self.raise(evaluation.notifications.clone());
    }

    /// Tells those who follow the alerts the whole list.
    fn publish_list(&self) {
        self.publisher.publish_list();
    }

    /// Tells sockets, and remembers.
    fn tell(&self, changes: Vec<AlertTransition>) {
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
        // That alerts wait, or no longer do, is no event: who looks gets the list.
        if changes.iter().any(|change| !is_firing(change.from) && !is_firing(change.to)) {
            self.publish_list();
        }
        let remembered = changes.into_iter().zip(&alerts).filter_map(|(change, marked)| goes_on(change, marked));
        let remembered: Vec<AlertTransition> = remembered.collect();
        self.telemetry.rules().set_firing(self.views().iter().map(|view| view.firing).sum());
        self.history.remember(remembered);
    }
}

/// What the history is to have of a change, of which `marked` is the alert as pages show it: one that fired before this server was
/// started goes on from its begin, also while its rule waits again. `None` where pages show no change.
fn goes_on(change: AlertTransition, marked: &Alert) -> Option<AlertTransition> {
    if marked.state == change.to && marked.fired_at == change.alert.fired_at {
        return Some(change);
    }
    let Alert { state, fired_at, active_at, .. } = *marked;
    let alert = Alert { state, fired_at, active_at, ..change.alert };
    // That it waited again was remembered as going on.
    let is_known = change.from == AlertState::Pending;
    (!is_known).then_some(AlertTransition { from: state, to: state, alert, ..change })
}
