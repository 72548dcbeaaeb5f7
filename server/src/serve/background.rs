//! Background tasks. Each is owned here, and ends when the server stops.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alerting::{Alerting, history, posted};
use collect::Upstreams;
use dashboards::DashboardRegistry;
use datasource::{Admission, Engines};
use exposition::{
    page::Format,
    parse::{Limits, parse},
};
use labels::{Labels, METRIC_NAME};
use live::Hub;
use model::{clock::now_ms, live::Event, upstream::trouble};
use notify::{Inbox, Notifier};
use parking_lot::Mutex;
use telemetry::Telemetry;
use timeseries::{Point, SampleSink};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::{broadcast, watch},
    task::{self, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tsdb::Store;

use crate::{signals::stop_signal, source_list::SourceList, walls::Walls};

/// How long tasks may take to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const ALERT_INTERVAL: Duration = Duration::from_secs(15);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const FRESHNESS_INTERVAL: Duration = Duration::from_millis(500);
const SOURCES_INTERVAL: Duration = Duration::from_secs(5);
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);
const STORE_INTERVAL: Duration = Duration::from_secs(60);
const WALLS_INTERVAL: Duration = Duration::from_secs(5);
const DASHBOARDS_INTERVAL: Duration = Duration::from_secs(2);

/// Label `job` of our own metrics.
const OWN_JOB: &str = "hyperscope";

/// Threads for the tasks of rules. The evaluations have their own threads.
const RULE_THREADS: usize = 2;

/// The runtime of rules.
///
/// # Errors
///
/// The system cannot start threads.
pub(super) fn rule_runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(RULE_THREADS).thread_name("rules").enable_all().build()
}

/// Blocks. Reads the dashboards again if their files changed. The same fault is logged once.
fn read_dashboards(directory: &Path, dashboards: &watch::Sender<DashboardRegistry>, reported: &Mutex<String>) {
    let before = dashboards.borrow().clone();
    let mut reported = reported.lock();
    let faults = match before.renewed(directory) {
        Ok(None) => return,
        Ok(Some(renewed)) => {
            let faults = renewed.all_faults().collect::<Vec<_>>().join("; ");
            tracing::info!(dashboards = renewed.all().count(), "read the dashboards again");
            dashboards.send_replace(renewed);
            faults
        }
        Err(error) => error.to_string(),
    };
    if !faults.is_empty() && *reported != faults {
        tracing::error!(error = faults, "invalid dashboards; keeping the previous ones");
    }
    *reported = faults;
}

/// The background tasks of a server.
pub(super) struct Background {
    tasks: JoinSet<()>,
    /// Name of each task in the log.
    names: HashMap<task::Id, &'static str>,
    stop: CancellationToken,
}

impl Background {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Background { tasks: JoinSet::new(), names: HashMap::new(), stop }
    }

    /// Starts a task, which ends when the server stops.
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(task.instrument(tracing::debug_span!("task", name)));
        self.names.insert(handle.id(), name);
    }

    /// Runs `each` at every `interval` until the server stops.
    fn every<F: Future<Output = ()> + Send>(
        &mut self,
        name: &'static str,
        interval: Duration,
        mut each: impl FnMut() -> F + Send + 'static,
    ) {
        let stop = self.stop.clone();
        self.spawn(name, async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => each().await,
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Publishes events of the daemons.
    pub(super) fn forward_events(&mut self, hub: Hub, events: broadcast::Receiver<Event>) {
        self.spawn("daemon events", async move { hub.forward(events).await });
    }

    /// Publishes whether the daemons' data is fresh.
    pub(super) fn watch_freshness(&mut self, hub: Hub, upstreams: Upstreams) {
        self.every("freshness", FRESHNESS_INTERVAL, move || {
            hub.publish_freshness(trouble(&upstreams.statuses()));
            std::future::ready(())
        });
    }

    /// Publishes the age of each source's data at intervals; changes of state are published at once.
    pub(super) fn publish_sources(&mut self, hub: Hub, sources: SourceList) {
        self.every("sources", SOURCES_INTERVAL, move || {
            for status in sources.statuses() {
                hub.publish(Event::UpstreamStatus(status));
            }
            std::future::ready(())
        });
    }

    /// Evaluates rules, records the alerts of daemons, and writes the alert history.
    pub(super) fn evaluate_rules(
        &mut self,
        alerting: Alerting,
        events: broadcast::Receiver<Event>,
        history: history::Writer,
        runtime: Runtime,
    ) {
        // On its own threads, so that other work does not delay evaluations.
        let stop = self.stop.clone();
        let rules = self.tasks.spawn_blocking(move || runtime.block_on(alerting.run(events, stop)));
        self.names.insert(rules.id(), "rules");
        self.spawn("alert history", history.run(self.stop.clone()));
    }

    /// Checks the health of each engine.
    pub(super) fn probe_engines(&mut self, engines: &Engines) {
        for engine in engines.elsewhere().map(Arc::clone) {
            self.every("engine probes", PROBE_INTERVAL, move || {
                let engine = Arc::clone(&engine);
                async move { engine.probe().await }
            });
        }
    }

    /// Polls the alerts of the engines' own rules.
    pub(super) fn poll_alerts(&mut self, alerting: Alerting, engines: Engines) {
        if engines.elsewhere().next().is_none() {
            return;
        }
        self.every("engine alerts", ALERT_INTERVAL, move || {
            let (alerting, engines) = (alerting.clone(), engines.clone());
            async move {
                let asked = engines.elsewhere().map(async |engine| (engine.name().to_owned(), engine.alerts().await));
                alerting.replace_upstream(futures_util::future::join_all(asked).await);
            }
        });
    }

    /// Stores our own metrics, beside the daemons'.
    pub(super) fn sample_ourselves(&mut self, telemetry: Telemetry, samples: Arc<dyn SampleSink>, interval: Duration) {
        self.every("own metrics", interval, move || {
            let (telemetry, samples) = (telemetry.clone(), Arc::clone(&samples));
            async move {
                let appended = tokio::task::spawn_blocking(move || {
                    let timestamp_ms = now_ms();
                    let scalars = telemetry.gather().into_iter().map(|metric| Point {
                        labels: Labels::new([(METRIC_NAME, metric.name), ("job", OWN_JOB)]),
                        timestamp_ms,
                        value: metric.value,
                    });
                    let page = telemetry.labelled_page();
                    let families = parse(&page, Format::OpenMetrics, Limits::default()).unwrap_or_else(|error| {
                        tracing::error!(%error, "cannot read our own labelled metrics");
                        Vec::new()
                    });
                    let labelled = families.iter().flat_map(|family| &family.samples).map(|sample| {
                        let labels = sample.labels.iter().map(|(name, value)| (&**name, &**value));
                        Point {
                            labels: Labels::new(labels.chain([(METRIC_NAME, &*sample.name), ("job", OWN_JOB)])),
                            timestamp_ms,
                            value: sample.value,
                        }
                    });
                    let points: Vec<Point> = scalars.chain(labelled).collect();
                    samples.append(&points)
                })
                .await;
                match appended {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "cannot store our own metrics"),
                    Err(error) => tracing::error!(%error, "reading our own metrics panicked"),
                }
            }
        });
    }

    /// Checks the memory limit, and admits waiting reads.
    pub(super) fn watch_memory(&mut self, admissions: Vec<Admission>) {
        self.every("memory", MEMORY_INTERVAL, move || {
            admissions.iter().for_each(Admission::look);
            std::future::ready(())
        });
    }

    /// Runs the store's maintenance.
    pub(super) fn keep_store(&mut self, store: Store) {
        self.every("store maintenance", STORE_INTERVAL, move || {
            let store = store.clone();
            async move {
                match tokio::task::spawn_blocking(move || store.run_retention(now_ms())).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "cannot remove old samples"),
                    Err(error) => tracing::error!(%error, "removing old samples panicked"),
                }
            }
        });
    }

    /// Measures how long ago each wall reported.
    pub(super) fn watch_walls(&mut self, walls: Walls, telemetry: Telemetry) {
        self.every("walls", WALLS_INTERVAL, move || {
            for (name, age_ms) in walls.ages_ms(now_ms()) {
                telemetry.wall_reported(name, age_ms);
            }
            std::future::ready(())
        });
    }

    /// Reads the operator's dashboards again when their files change.
    pub(super) fn watch_dashboards(
        &mut self,
        directory: Option<PathBuf>,
        dashboards: watch::Sender<DashboardRegistry>,
    ) {
        let Some(directory) = directory else { return };
        let dashboards = Arc::new(dashboards);
        let reported = Arc::new(Mutex::new(String::new()));
        self.every("dashboards", DASHBOARDS_INTERVAL, move || {
            let (directory, dashboards, reported) = (directory.clone(), Arc::clone(&dashboards), Arc::clone(&reported));
            async move {
                let read =
                    tokio::task::spawn_blocking(move || read_dashboards(&directory, &dashboards, &reported)).await;
                if let Err(error) = read {
                    tracing::error!(%error, "reading the dashboards panicked");
                }
            }
        });
    }

    /// Passes alerts of rules to the notifier.
    pub(super) fn hand_alerts_over(
        &mut self,
        mut raised: broadcast::Receiver<Arc<[rules::Notification]>>,
        notifier: Notifier,
    ) {
        let stop = self.stop.clone();
        self.spawn("alerts to the notifier", async move {
            loop {
                let batch = tokio::select! {
                    batch = raised.recv() => batch,
                    () = stop.cancelled() => return,
                };
                match batch {
                    Ok(batch) => notifier.post(batch.iter().map(posted).collect()),
                    Err(broadcast::error::RecvError::Lagged(lost)) => {
                        tracing::warn!(lost, "the notifier lags: skipped alerts, which rules will send again");
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
    }

    /// Sends notifications, and reloads the receivers' configuration on SIGHUP.
    pub(super) fn notify(&mut self, notifier: Notifier, inbox: Inbox, events: broadcast::Receiver<Event>) {
        if let Some(file) = notifier.config_file().cloned() {
            let (notifier, stop) = (notifier.clone(), self.stop.clone());
            self.spawn("reload of receivers", async move {
                let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
                loop {
                    tokio::select! {
                        hangup = hangups.recv() => if hangup.is_none() { return },
                        () = stop.cancelled() => return,
                    }
                    match notifier.reload() {
                        Ok(()) => tracing::info!(file = %file.display(), "reloaded the receiver configuration"),
                        Err(error) => {
                            tracing::error!(%error, "invalid receiver configuration; keeping the previous one")
                        }
                    }
                }
            });
        }
        self.spawn("notifications", notifier.run(inbox, events, self.stop.clone()));
    }

    /// Stops the server on SIGINT and SIGTERM.
    pub(super) fn stop_on_signal(&mut self) {
        let stop = self.stop.clone();
        self.spawn("stop signal", async move {
            tokio::select! {
                () = stop_signal() => {
                    tracing::info!("stopping");
                    stop.cancel();
                }
                () = stop.cancelled() => {}
            }
        });
    }

    /// Waits for all tasks after the server was stopped, and logs tasks that failed or did not end.
    pub(super) async fn ended(mut self) {
        let Background { tasks, names, .. } = &mut self;
        let all = async {
            while let Some(ended) = tasks.join_next_with_id().await {
                let (id, panicked) = match ended {
                    Ok((id, ())) => (id, false),
                    Err(error) => (error.id(), error.is_panic()),
                };
                let name = names.remove(&id).unwrap_or_default();
                if panicked {
                    tracing::error!(task = name, "a background task panicked");
                }
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            let late: Vec<&str> = names.values().copied().collect();
            tracing::warn!(tasks = late.join(", "), "background tasks did not end in time");
        }
    }
}

/// Stores the metadata of scraped metric families.
pub(super) struct StoreMetadata(pub(super) Store);

impl collect::MetadataSink for StoreMetadata {
    fn describe(&self, families: &[exposition::Metadata]) {
        let families: Vec<_> = families
            .iter()
            .map(|family| {
                let metadata = tsdb::Metadata {
                    kind: family.kind.name().to_owned(),
                    help: family.help.clone(),
                    unit: family.unit.clone(),
                };
                (family.name.clone(), metadata)
            })
            .collect();
        if let Err(error) = self.0.set_metadata(&families) {
            tracing::warn!(%error, "cannot store metadata of scraped metrics");
        }
    }
}
