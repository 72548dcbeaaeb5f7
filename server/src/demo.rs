//! The simulated daemon of `hyperscope demo`, and its initial history.

use std::time::Duration;

use anyhow::Context;
use collect::DaemonConfig;
use daemon_sim::{Dialect, SimOptions, Simulator, world::World};
use labels::{Labels, METRIC_NAME};
use model::clock::now_ms;
use timeseries::{Point, SampleSink};
use tsdb::Store;

use crate::config::DemoConfig;

/// Name of the daemon.
const NAME: &str = "demo";
/// Interval of the samples in the history.
const HISTORY_STEP_SECS: u32 = 15;
/// Maximum number of points in one append.
const BATCH: usize = 50_000;

/// A running simulated daemon.
pub(crate) struct Demo {
    simulator: Simulator,
}

impl Demo {
    /// Generates the history, stores it, and starts the daemon at its end.
    ///
    /// # Errors
    ///
    /// The history cannot be stored, or no port is free on loopback.
    pub(crate) async fn start(demo: &DemoConfig, store: &Store) -> anyhow::Result<Self> {
        let options = SimOptions {
            dialect: Dialect::Documented,
            seed: demo.seed,
            jobs_per_minute: demo.jobs_per_minute,
            ..SimOptions::default()
        };
        let history_ms = i64::try_from(demo.history.as_millis()).unwrap_or(0);
        let world = options.world(now_ms() - history_ms);
        let length = demo.history;
        let (world, history) = tokio::task::spawn_blocking(move || History::make(world, length)).await?;
        let simulator =
            Simulator::start_with(options, world).await.context("the simulated daemon could not be started")?;
        let (store, instance) = (store.clone(), simulator.addr().to_string());
        tokio::task::spawn_blocking(move || history.store(&instance, &store)).await??;
        Ok(Demo { simulator })
    }

    /// The connection settings of the daemon.
    ///
    /// # Errors
    ///
    /// Its address is not a valid URL, which cannot happen.
    pub(crate) fn daemon(&self) -> anyhow::Result<DaemonConfig> {
        let url = format!("http://{}", self.simulator.addr()).parse()?;
        Ok(DaemonConfig { name: NAME.to_owned(), url, key: None })
    }

    /// Stops the daemon.
    pub(crate) async fn stop(self) {
        self.simulator.shutdown().await;
    }
}

/// The scrapes of the past, in columns, so that the store gets each series in one piece.
struct History {
    /// Names and labels, without the target labels.
    series: Vec<(String, Vec<(&'static str, String)>)>,
    timestamps: Vec<i64>,
    columns: Vec<Vec<f64>>,
}

impl History {
    /// Advances the simulation.
    fn make(mut world: World, length: Duration) -> (World, Self) {
        let table = world.table();
        let series: Vec<_> = table.series.iter().map(|series| (series.name.clone(), series.labels.clone())).collect();
        let mut timestamps = Vec::new();
        let mut columns = vec![Vec::new(); series.len()];
        world.run_history(length.as_secs_f64() / 3600.0, HISTORY_STEP_SECS, |timestamp_ms, values| {
            timestamps.push(timestamp_ms);
            for (column, value) in columns.iter_mut().zip(values) {
                column.push(*value);
            }
        });
        (world, History { series, timestamps, columns })
    }

    /// Stores the history with the target labels that live scrapes will have, and with `up`.
    fn store(self, instance: &str, store: &Store) -> anyhow::Result<()> {
        let target = [("job", "hypersdk"), ("instance", instance), ("daemon", NAME)];
        let up = ("up".to_owned(), Vec::new());
        let always_up = vec![1.0; self.timestamps.len()];
        let all = self.series.iter().chain([&up]).zip(self.columns.iter().chain([&always_up]));
        let mut points = Vec::with_capacity(BATCH + self.timestamps.len());
        for ((name, labels), column) in all {
            let own = labels.iter().map(|(name, value)| (*name, value.as_str()));
            let labels = Labels::new([(METRIC_NAME, name.as_str())].into_iter().chain(own).chain(target));
            points.extend(self.timestamps.iter().zip(column).map(|(timestamp_ms, value)| Point {
                labels: labels.clone(),
                timestamp_ms: *timestamp_ms,
                value: *value,
            }));
            if points.len() >= BATCH {
                store.append(&points)?;
                points.clear();
            }
        }
        store.append(&points)?;
        tracing::info!(series = self.series.len(), steps = self.timestamps.len(), "made the demo's history");
        Ok(())
    }
}
