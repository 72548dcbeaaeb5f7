//! Rules at work: files are read and read again, groups evaluated, and those who look told what changed.
//!
//! [`Alerting`] is the handle. [`Alerting::run`] owns a task for each group, and ends with the server.

pub mod api;
mod engine;
mod files;
pub mod history;
mod marks;
mod order;
pub mod past;
mod reload;
mod reported;
mod running;
mod view;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use model::live::{Alert, AlertList, AlertState, AlertTransition, Event};
use notify::alert::Posted;
use rules::{Evaluation, Notification, Surroundings};
use tokio::{
    sync::{Semaphore, broadcast},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

pub use self::files::{BuiltInRules, FilesError, expand, read, run_tests};
pub use self::view::SOURCE;

use self::{
    engine::{OverPrometheus, OverStore},
    files::Text,
    history::History,
    marks::ReadMetrics,
    order::{Listed, first},
    reload::{Hangups, LOOK_INTERVAL},
    reported::Reported,
    running::Running,
    view::GroupView,
};
use crate::{
    clock::now_ms,
    query::{Backend, Scope, embedded::Embedded},
    telemetry::{RuleCounters, Telemetry},
    visible,
    ws::hub::Hub,
};

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
    pub around: Surroundings,
}

/// The rules at work. A cheap handle.
#[derive(Clone)]
pub struct Alerting(Arc<Shared>);

struct Shared {
    settings: Settings,
    here: OverStore,
    /// Where other rules than the built-in ones are evaluated, if not over our store.
    elsewhere: Option<OverPrometheus>,
    groups: RwLock<Vec<Arc<Running>>>,
    /// The files that the groups are of.
    texts: Mutex<Vec<Text>>,
    /// Why the files are not those in use, if they are not.
    trouble: Mutex<Option<String>>,
    /// Alerts of an engine's own rules.
    upstream: Mutex<Arc<AlertList>>,
    /// Alerts that others raised.
    reported: Reported,
    notifications: broadcast::Sender<Arc<[Notification]>>,
    history: History,
    /// Of rules and of panels, for marks on charts.
    read_metrics: ReadMetrics,
    hub: OnceLock<Hub>,
    counters: Counters,
    /// How many groups are evaluated at the same time.
    slots: Arc<Semaphore>,
}

/// The counters of rules in the server's telemetry.
struct Counters(Telemetry);

impl std::ops::Deref for Counters {
    type Target = RuleCounters;

    fn deref(&self) -> &RuleCounters {
        self.0.rules()
    }
}

impl Alerting {
    /// Reads the rules. Nothing is evaluated before [`Alerting::run`].
    ///
    /// # Errors
    /// A file of rules cannot be read or is wrong.
    pub fn new(
        settings: Settings,
        embedded: Arc<Embedded>,
        backend: &Backend,
        history: History,
        telemetry: Telemetry,
    ) -> Result<Self, FilesError> {
        let texts = files::texts(settings.built_in, &settings.files)?;
        let loaded = files::parse(&texts)?;
        let elsewhere = match backend {
            Backend::Embedded(_) => None,
            Backend::Prometheus(engine) => Some(OverPrometheus(Arc::clone(engine))),
        };
        let shared = Shared {
            here: OverStore(embedded),
            elsewhere,
            groups: RwLock::default(),
            texts: Mutex::new(texts),
            trouble: Mutex::default(),
            upstream: Mutex::default(),
            reported: Reported::default(),
            notifications: broadcast::channel(NOTIFICATION_QUEUE).0,
            history,
            read_metrics: ReadMetrics::default(),
            hub: OnceLock::new(),
            counters: Counters(telemetry),
            slots: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from))),
            settings,
        };
        let groups = shared.groups_of(&loaded, false);
        let running = groups
            .into_iter()
            .map(|(group, is_built_in)| Arc::new(Running::new(group, is_built_in, false, CancellationToken::new())));
        *shared.groups.write().unwrap_or_else(PoisonError::into_inner) = running.collect();
        Ok(Alerting(Arc::new(shared)))
    }

    /// Tells who is told of changes from now on.
    pub fn attach(&self, hub: Hub) {
        // There is one hub, made after this.
        let _ = self.0.hub.set(hub);
    }

    /// What a notifier is told: after each evaluation the alerts that are due, as Prometheus tells an Alertmanager, each again
    /// every minute while it fires and once when it ends. A listener that is too slow loses the oldest batches, and hears of
    /// what still fires within a minute.
    #[must_use]
    pub fn notifications(&self) -> broadcast::Receiver<Arc<[Notification]>> {
        self.0.notifications.subscribe()
    }

    /// Alerts that are pending or fire, of our rules, of the engine's, and those that others raised; the worst first.
    #[must_use]
    pub fn list(&self) -> AlertList {
        self.worst(&Scope::all(), usize::MAX)
    }

    /// The worst of the alerts of which `scope` sees something, at most so many.
    #[must_use]
    pub fn worst(&self, scope: &Scope, most: usize) -> AlertList {
        let upstream = self.upstream();
        let alerts = self.listed(&upstream, scope, |alerts| first(alerts.collect(), most));
        let without_rules = self.0.groups().is_empty() && self.0.elsewhere.is_none();
        AlertList { alerts, unavailable: upstream.unavailable.clone(), without_rules }
    }

    /// The alerts that fire of which `scope` sees something, in no order.
    fn firing_now(&self, scope: &Scope) -> Vec<Alert> {
        let firing = |alerts: &mut dyn Iterator<Item = Listed<'_>>| {
            alerts.filter(Listed::is_firing).map(|alert| alert.written_out()).collect()
        };
        self.listed(&self.upstream(), scope, firing)
    }

    /// Looks at the alerts of any origin of which `scope` sees something.
    fn listed<T>(
        &self,
        upstream: &AlertList,
        scope: &Scope,
        look: impl FnOnce(&mut dyn Iterator<Item = Listed<'_>>) -> T,
    ) -> T {
        let views = self.0.views();
        let reported = self.0.reported.alerts(&upstream.alerts);
        let others = upstream.alerts.iter().chain(&reported).map(Listed::Others);
        let ours = views.iter().flat_map(|view| Listed::of(view));
        look(&mut ours.chain(others).filter(|alert| alert.is_seen(scope)))
    }

    fn upstream(&self) -> Arc<AlertList> {
        Arc::clone(&self.0.upstream.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many alerts fire of which `scope` sees something.
    #[must_use]
    pub fn firing(&self, scope: &Scope) -> usize {
        let is_seen = |alert: &Alert| alert.state == AlertState::Firing && visible::alert(scope, alert);
        let upstream = self.upstream();
        let elsewhere = upstream.alerts.iter().filter(|alert| is_seen(alert)).count();
        let reported = self.0.reported.count(&upstream.alerts, is_seen);
        let ours: usize = self.0.views().iter().map(|view| view.firing_in(scope)).sum();
        ours + elsewhere + reported
    }

    /// Changes of alerts' states in the past.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// Why the files of rules are not those in use, if they are not: with file and line.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in alerts that were posted as to an Alertmanager, for all who look. The notifier is told by whoever calls this.
    pub fn take_posted(&self, posted: &[Posted]) {
        self.0.tell(self.0.reported.post(posted, now_ms()));
    }

    /// Replaces what is known of the alerts of an engine's own rules, and tells what changed.
    pub fn replace_upstream(&self, new: AlertList) {
        // What could not be asked for has not resolved.
        let mut known = self.0.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        if new.unavailable.is_some() {
            *known = Arc::new(AlertList { alerts: known.alerts.clone(), ..new });
            return;
        }
        let at = now_ms();
        let change = |from: AlertState, to: AlertState, alert: &Alert| AlertTransition {
            at,
            from,
            to,
            alert: Alert { state: to, ..alert.clone() },
        };
        let before = |alert: &Alert| {
            known.alerts.iter().find(|old| old.labels == alert.labels).map_or(AlertState::Inactive, |old| old.state)
        };
        let begun = new.alerts.iter().map(|alert| change(before(alert), alert.state, alert));
        let over = known
            .alerts
            .iter()
            .filter(|old| !new.alerts.iter().any(|alert| alert.labels == old.labels))
            .map(|old| change(old.state, AlertState::Inactive, old));
        let changes: Vec<AlertTransition> = begun.chain(over).filter(|change| change.from != change.to).collect();
        *known = Arc::new(new);
        drop(known);
        self.0.tell(changes);
    }

    /// Evaluates the rules, reads the files anew when they change or the process gets SIGHUP, and takes in the alerts among the
    /// `events` of daemons, until `stop` is cancelled.
    pub async fn run(self, events: broadcast::Receiver<Event>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        tasks.spawn(reported::follow(Arc::clone(&self.0), events, stop.clone()));
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

impl Shared {
    fn groups(&self) -> Vec<Arc<Running>> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn views(&self) -> Vec<Arc<GroupView>> {
        self.groups().iter().map(|group| group.view()).collect()
    }

    /// Tells what an evaluation gave.
    fn publish(&self, at_ms: i64, evaluation: &Evaluation, view: &GroupView) {
        let changes = evaluation.transitions.iter().filter_map(|(rule, change)| view.transition(*rule, change, at_ms));
        self.tell(changes.collect());
        if !evaluation.notifications.is_empty() {
            // Nobody may be listening.
            let _ = self.notifications.send(evaluation.notifications.clone().into());
        }
    }

    /// Tells sockets, and remembers.
    fn tell(&self, changes: Vec<AlertTransition>) {
        if changes.is_empty() {
            return;
        }
        if let Some(hub) = self.hub.get() {
            let is_firing = |state| state == AlertState::Firing;
            for change in &changes {
                if is_firing(change.to) {
                    hub.publish(Event::AlertFired(Box::new(change.alert.clone())));
                } else if is_firing(change.from) {
                    hub.publish(Event::AlertResolved(Box::new(change.alert.clone())));
                }
            }
            // That alerts wait, or no longer do, is no event: who looks gets the list.
            if changes.iter().any(|change| !is_firing(change.from) && !is_firing(change.to)) {
                hub.publish_alerts();
            }
        }
        self.counters.set_firing(self.views().iter().map(|view| view.firing).sum());
        self.history.remember(changes);
    }
}
