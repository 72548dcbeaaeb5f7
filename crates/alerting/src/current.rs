//! The current alerts with what mutes each: one shared list, rebuilt when something changed.
//!
//! Pages, panels and sockets read the same [`CurrentAlerts`], so that ten thousand alerts are sorted and annotated once
//! for all viewers, and viewers do not block the dispatch loop.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use access::Scope;
use model::{
    clock::now_ms,
    live::{Alert, AlertList, AlertState, FiringCount},
};
use notify::LONGEST_WAIT_MS;
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use crate::{Alerting, Shared};

/// Alerts of all sources, most severe first, each with what mutes it.
#[derive(Debug, Default)]
pub struct CurrentAlerts {
    alerts: Vec<Arc<Alert>>,
    unavailable: Option<String>,
    without_rules: bool,
    /// Counts over all alerts.
    firing: FiringCount,
    /// Approximate size in bytes.
    weight: u64,
    made: Made,
}

/// The versions from which a list was built.
#[derive(Debug, Default)]
struct Made {
    versions: Option<Versions>,
    /// The time range in which the list is valid if no version changes, in milliseconds since the Unix epoch.
    during_ms: std::ops::Range<i64>,
}

/// Versions of the alerts and of muting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Versions(u64, u64);

impl CurrentAlerts {
    /// Alerts that `scope` may see, most severe first.
    pub fn seen_by(&self, scope: &Scope) -> impl Iterator<Item = &Arc<Alert>> {
        self.alerts.iter().filter(|alert| access::is_visible(scope, *alert))
    }

    /// Firing alerts that `scope` may see, most severe first.
    pub fn firing_alerts(&self, scope: &Scope) -> Vec<Arc<Alert>> {
        self.seen_by(scope).filter(|alert| alert.state == AlertState::Firing).map(Arc::clone).collect()
    }

    /// Fingerprints of pending and firing alerts.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.alerts.iter().map(|alert| alert.fingerprint.as_str())
    }

    /// Counts of firing alerts that `scope` may see.
    #[must_use]
    pub fn firing(&self, scope: &Scope) -> FiringCount {
        if scope.is_all() { self.firing } else { FiringCount::of(self.seen_by(scope).map(AsRef::as_ref)) }
    }

    /// The `most` most severe alerts that `scope` may see; muted ones come last.
    #[must_use]
    pub fn worst(&self, scope: &Scope, most: usize) -> AlertList {
        let muted = |alert: &Alert| alert.muted().is_some();
        let mut room_for_muted =
            most.saturating_sub(self.seen_by(scope).filter(|alert| !muted(alert)).take(most).count());
        let mut has_room = |alert: &Alert| {
            let fits = !muted(alert) || room_for_muted > 0;
            room_for_muted = room_for_muted.saturating_sub(usize::from(muted(alert)));
            fits
        };
        let worst = self.seen_by(scope).filter(|alert| has_room(alert)).take(most);
        self.with(worst.map(|alert| Alert::clone(alert)).collect())
    }

    /// All alerts that `scope` may see.
    #[must_use]
    pub fn list(&self, scope: &Scope) -> AlertList {
        self.with(self.seen_by(scope).map(|alert| Alert::clone(alert)).collect())
    }

    /// Approximate size in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Which sources are unavailable, and why.
    #[must_use]
    pub fn unavailable(&self) -> Option<&String> {
        self.unavailable.as_ref()
    }

    /// Whether no source has alerting rules, so that an empty list does not mean that all is well.
    #[must_use]
    pub fn is_without_rules(&self) -> bool {
        self.without_rules
    }

    fn with(&self, alerts: Vec<Alert>) -> AlertList {
        AlertList { alerts, unavailable: self.unavailable.clone(), without_rules: self.without_rules }
    }

    fn holds(&self, versions: Versions, now_ms: i64) -> bool {
        self.made.versions == Some(versions) && self.made.during_ms.contains(&now_ms)
    }

    /// A hash of the firing alerts and of what mutes them.
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for alert in &self.alerts {
            let firing = (alert.state.rank(), alert.firing_key());
            let muting = (&alert.silenced_by, alert.silenced_until, &alert.inhibited_by, &alert.acknowledged_by);
            (firing, muting).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The last list, and what is needed to check whether it is still valid.
#[derive(Default)]
pub(crate) struct Latest {
    /// Increases whenever an alert of any source changes.
    version: AtomicU64,
    list: RwLock<Arc<CurrentAlerts>>,
    /// Locked while the list is rebuilt.
    making: Mutex<()>,
    /// Async callers wait here, so that they do not block a thread.
    queue: tokio::sync::Mutex<()>,
}

impl Latest {
    /// Marks the list as outdated after an alert changed: the next caller rebuilds it. Call it after the change is
    /// made.
    pub(crate) fn is_outdated(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    fn list(&self) -> Arc<CurrentAlerts> {
        Arc::clone(&self.list.read())
    }
}

impl Alerting {
    /// The current alerts. If the list is outdated, one caller rebuilds it on a blocking thread, and the others wait.
    pub async fn current(&self) -> Arc<CurrentAlerts> {
        if let Some(list) = self.0.at_hand() {
            return list;
        }
        let _first = self.0.latest.queue.lock().await;
        if let Some(list) = self.0.at_hand() {
            return list;
        }
        let shared = Arc::clone(&self.0);
        // This only fails when the server stops; the last list is good enough then.
        tokio::task::spawn_blocking(move || shared.current()).await.unwrap_or_else(|_| self.0.latest.list())
    }

    /// The current alerts, for synchronous callers. May block while the list is rebuilt.
    #[must_use]
    pub fn current_now(&self) -> Arc<CurrentAlerts> {
        self.0.current()
    }
}

impl Shared {
    fn versions(&self) -> Versions {
        let of_muting = self.notifier.muting_version();
        Versions(self.latest.version.load(Ordering::Acquire), of_muting)
    }

    /// The last list, if it is still valid.
    fn at_hand(&self) -> Option<Arc<CurrentAlerts>> {
        let list = self.latest.list();
        list.holds(self.versions(), now_ms()).then_some(list)
    }

    pub(crate) fn current(&self) -> Arc<CurrentAlerts> {
        if let Some(list) = self.at_hand() {
            return list;
        }
        let _making = self.latest.making.lock();
        if let Some(list) = self.at_hand() {
            return list;
        }
        let list = Arc::new(self.made());
        *self.latest.list.write() = Arc::clone(&list);
        list
    }

    /// Builds the list. Reads the versions before the data, so that a change meanwhile causes another rebuild.
    fn made(&self) -> CurrentAlerts {
        let (versions, now_ms) = (self.versions(), now_ms());
        let change_ms = self.notifier.next_muting_change(now_ms);
        let latest_ms = now_ms.saturating_add(LONGEST_WAIT_MS);
        let during_ms = now_ms..change_ms.map_or(latest_ms, |change_ms| change_ms.min(latest_ms));
        let upstream = self.upstream.list();
        let groups = self.views();
        let mut alerts: Vec<Arc<Alert>> = groups.iter().flat_map(|group| group.alerts()).map(Arc::clone).collect();
        alerts.extend(upstream.alerts.iter().cloned().map(Arc::new));
        alerts.extend(self.reported.alerts(&upstream.alerts).into_iter().map(Arc::new));
        self.mark(&mut alerts);
        alerts.sort_by(|one, other| one.order(other));
        CurrentAlerts {
            firing: FiringCount::of(alerts.iter().map(AsRef::as_ref)),
            weight: alerts.iter().map(|alert| alert.weight_bytes()).sum(),
            alerts,
            unavailable: upstream.unavailable.clone(),
            without_rules: groups.is_empty() && (self.elsewhere.is_none() || upstream.without_rules),
            made: Made { versions: Some(versions), during_ms },
        }
    }

    /// Annotates each alert with what mutes it now.
    pub(crate) fn mark(&self, alerts: &mut [Arc<Alert>]) {
        self.notifier.mark(alerts);
    }
}

/// Publishes the list when different alerts are muted than before, until `stop` is cancelled.
pub(crate) async fn follow(alerting: Alerting, stop: CancellationToken) {
    let shared = &alerting.0;
    loop {
        tokio::select! {
            () = shared.notifier.muting_changed() => {}
            () = stop.cancelled() => return,
        }
        let now = alerting.current().await.digest();
        if shared.muted.swap(now, Ordering::Relaxed) != now {
            shared.publish_list();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alertmanager::{alert::PostableAlert, silence::Silence};
    use budget::Budgets;
    use datasource::{Backend, Embedded, QueryLimits, ReadScheduler};
    use notify::{Notifier, Options};
    use telemetry::Telemetry;
    use tempfile::TempDir;

    use super::*;
    use crate::{BuiltInRules, LoadedRules, Settings, history::History};

    /// A publisher without subscribers.
    struct Nobody;

    impl crate::Publisher for Nobody {
        fn publish(&self, _: model::live::Event) {}

        fn publish_list(&self) {}
    }

    async fn with_alerts(count: usize) -> (TempDir, Alerting, Notifier) {
        let directory = tempfile::tempdir().unwrap();
        let pool = database::open(directory.path()).await.unwrap();
        let (history, _) = History::open(pool.clone()).await.unwrap();
        let (notifier, _) =
            Notifier::open(pool, Options::default(), &[], "http://localhost", Telemetry::default(), None)
                .await
                .unwrap();
        let store = tsdb::Store::in_memory(tsdb::StoreOptions::default());
        let reads = ReadScheduler::new(&Budgets::of(1 << 30), 2, std::time::Duration::from_secs(10));
        let embedded = Arc::new(Embedded::new(store, QueryLimits::default(), reads));
        let settings = Settings {
            files: Vec::new(),
            built_in: BuiltInRules::None,
            off: Vec::new(),
            interval: Duration::from_secs(15),
            context: rules::EvalContext::default(),
        };
        let backend = Backend::Embedded(Arc::clone(&embedded));
        let alerting = Alerting::new(
            LoadedRules::read(settings).unwrap(),
            embedded,
            &backend,
            history,
            Telemetry::default(),
            notifier.clone(),
            Arc::new(Nobody),
        );
        alerting.take_posted(&(0..count).map(|number| posted(&format!("A{number}"), "warning")).collect::<Vec<_>>());
        (directory, alerting, notifier)
    }

    fn posted(name: &str, severity: &str) -> PostableAlert {
        let labels = [("alertname", name), ("severity", severity)];
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        PostableAlert { labels, ..PostableAlert::default() }
    }

    fn silence(matchers: &str, lasts_ms: i64) -> Silence {
        Silence {
            id: String::new(),
            matchers: matchers.parse().unwrap(),
            starts_at_ms: now_ms(),
            ends_at_ms: now_ms() + lasts_ms,
            created_by: "ops".into(),
            comment: "works".into(),
            updated_at_ms: 0,
        }
    }

    #[tokio::test]
    async fn all_viewers_get_one_list_until_something_changes() {
        let (_directory, alerting, notifier) = with_alerts(300).await;
        let first = alerting.current().await;
        let all = Scope::all();
        assert_eq!(first.firing(&all).active, 300);
        for _ in 0..50 {
            assert!(Arc::ptr_eq(&alerting.current().await, &first), "nothing changed");
        }
        alerting.take_posted(&[posted("B", "critical")]);
        let more = alerting.current().await;
        assert_eq!((more.firing(&all).active, more.firing(&all).worst), (301, model::Severity::Critical));
        assert!(more.seen_by(&all).skip(1).zip(first.seen_by(&all)).all(|(one, other)| one == other));

        // A silence takes effect at once, and ends on time.
        notifier.put_silence(silence("alertname=B", 300)).await.unwrap();
        let silenced = alerting.current().await;
        assert_eq!((silenced.firing(&all).silenced, silenced.firing(&all).worst), (1, model::Severity::Warning));
        assert!(Arc::ptr_eq(&alerting.current().await, &silenced));
        tokio::time::sleep(Duration::from_millis(320)).await;
        assert_eq!(alerting.current().await.firing(&all).silenced, 0);
    }

    #[tokio::test]
    async fn what_is_muted_gives_way_among_the_worst() {
        let (_directory, alerting, notifier) = with_alerts(3).await;
        alerting.take_posted(&[posted("B", "critical"), posted("C", "critical")]);
        notifier.put_silence(silence("severity=critical", 60_000)).await.unwrap();
        let current = alerting.current().await;
        let names = |most| -> Vec<String> {
            current.worst(&Scope::all(), most).alerts.into_iter().map(|alert| alert.name).collect()
        };
        assert_eq!(names(2), ["A0", "A1"]);
        assert_eq!(names(4), ["B", "A0", "A1", "A2"]);
        assert_eq!(names(9), ["B", "C", "A0", "A1", "A2"]);
        assert!(names(0).is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn viewers_do_not_wait_for_the_dispatch_loop() {
        let (_directory, alerting, notifier) = with_alerts(10).await;
        alerting.current().await;
        let (done, until_done) = std::sync::mpsc::channel::<()>();
        let (held, until_held) = std::sync::mpsc::channel();
        let holding = std::thread::spawn(move || {
            let _dispatch = notifier.hold_dispatch();
            held.send(()).unwrap();
            let _ = until_done.recv_timeout(Duration::from_secs(20));
        });
        until_held.recv().unwrap();
        let view = tokio::spawn(async move {
            let current = alerting.current().await;
            (current.firing(&Scope::all()).active, current.worst(&Scope::all(), 5).alerts.len())
        });
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), view).await.unwrap().unwrap(), (10, 5));
        done.send(()).unwrap();
        holding.join().unwrap();
    }
}
