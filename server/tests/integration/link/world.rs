//! A connection to a simulated daemon, and its output.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use collect::{ApiKey, DaemonConfig, MetadataSink, Options, ScrapeTarget, Sinks, Upstreams};
use daemon_sim::{Dialect, SimOptions, Simulator};
use exposition::Metadata;
use labels::Matcher;
use model::{
    job::JobStatus,
    live::{Event, JobTransition},
    upstream::UpstreamState,
};
use timeseries::{AppendOutcome, Point, SampleSink, SeriesSamples, SeriesSource, SourceError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Timeout of every wait; far more than needed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stores every sample and all metadata.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) points: Mutex<Vec<Point>>,
    pub(crate) metadata: Mutex<Vec<Metadata>>,
}

impl SampleSink for Memory {
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError> {
        self.points.lock().unwrap().extend_from_slice(points);
        Ok(AppendOutcome { stored: points.len(), ..AppendOutcome::default() })
    }
}

/// Each world begins with an empty store.
impl SeriesSource for Memory {
    fn select(&self, _: &[Matcher], _: i64, _: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        Ok(Vec::new())
    }
}

impl MetadataSink for Memory {
    fn describe(&self, metadata: &[Metadata]) {
        self.metadata.lock().unwrap().extend_from_slice(metadata);
    }
}

/// Connections and their output.
pub(crate) struct World {
    pub(crate) upstreams: Upstreams,
    pub(crate) events: broadcast::Receiver<Event>,
    /// Every event so far.
    pub(crate) seen: Vec<Event>,
    pub(crate) memory: Arc<Memory>,
    stop: CancellationToken,
}

impl World {
    /// A connection named `sim` to one daemon, with short intervals.
    pub(crate) fn to(url: &str) -> Self {
        World::start(vec![daemon("sim", url)], Vec::new(), quick())
    }

    pub(crate) fn start(daemons: Vec<DaemonConfig>, targets: Vec<ScrapeTarget>, options: Options) -> Self {
        let (sender, events) = broadcast::channel(65_536);
        let memory = Arc::new(Memory::default());
        let outlets =
            Sinks { events: sender, samples: memory.clone(), stored: memory.clone(), metadata: memory.clone() };
        let stop = CancellationToken::new();
        let upstreams = Upstreams::start(daemons, targets, outlets, options, Default::default(), stop.clone()).unwrap();
        World { upstreams, events, seen: Vec::new(), memory, stop }
    }

    /// Waits for an event that `wanted` accepts.
    pub(crate) async fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let event = self.events.recv().await.unwrap();
                let found = wanted(&event);
                self.seen.push(event);
                if let Some(found) = found {
                    return found;
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("no {what}; statuses: {:#?}", self.upstreams.statuses()),
        }
    }

    /// Waits for the transition of a job to this status.
    pub(crate) async fn transition(&mut self, id: &str, status: JobStatus) -> JobTransition {
        let what = format!("job.status {} of {id}", status.name());
        self.event(&what, |event| match event {
            Event::JobStatus(transition) if transition.job_id == id && transition.status == status => {
                Some((**transition).clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits until `condition` returns a value.
    pub(crate) async fn until<T>(&self, what: &str, mut condition: impl FnMut(&Self) -> Option<T>) -> T {
        let start = tokio::time::Instant::now();
        loop {
            if let Some(found) = condition(self) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "not {what}; statuses: {:#?}", self.upstreams.statuses());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the first source is in this state.
    pub(crate) async fn state(&self, state: UpstreamState) {
        self.until(state.name(), |world| (world.upstreams.statuses()[0].state == state).then_some(())).await;
    }

    /// Waits for an error of the first source that contains `text`.
    pub(crate) async fn error(&self, text: &str) -> String {
        self.until(text, |world| world.upstreams.statuses()[0].error.clone().filter(|error| error.contains(text))).await
    }

    /// The newest value of the series with this name and labels, if there is one.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let points = self.memory.points.lock().unwrap();
        let is_it = |point: &&Point| {
            point.labels.metric_name() == name && labels.iter().all(|(name, value)| point.labels.get(name) == *value)
        };
        points.iter().rev().find(is_it).map(|point| point.value)
    }

    /// Waits for a value of the series that `wanted` accepts.
    pub(crate) async fn sample(&self, name: &str, labels: &[(&str, &str)], wanted: impl Fn(f64) -> bool) -> f64 {
        self.until(name, |world| world.value(name, labels).filter(|value| wanted(*value))).await
    }

    /// Every series has one value per scrape: derived series do not duplicate scraped ones.
    pub(crate) fn assert_no_series_twice(&self) {
        let points = self.memory.points.lock().unwrap();
        let mut known = std::collections::HashSet::new();
        for point in points.iter() {
            assert!(known.insert((&point.labels, point.timestamp_ms)), "twice: {:?}", point.labels);
        }
    }

    /// Ends the connections and waits for their tasks.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.upstreams.stopped()).await.expect("the links end when told to");
    }
}

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Short intervals, so that tests are fast.
pub(crate) fn quick() -> Options {
    Options {
        scrape_interval: Duration::from_millis(300),
        stale_after: Duration::from_secs(2),
        poll_interval: Duration::from_millis(300),
        first_retry: Duration::from_millis(100),
        longest_retry: Duration::from_millis(500),
        call_timeout: Duration::from_secs(5),
        ..Options::default()
    }
}

pub(crate) fn daemon(name: &str, url: &str) -> DaemonConfig {
    DaemonConfig { name: name.to_owned(), url: url.parse().unwrap(), key: None }
}

pub(crate) fn with_key(name: &str, url: &str, key: &str) -> DaemonConfig {
    DaemonConfig { key: Some(ApiKey::new(key)), ..daemon(name, url) }
}

/// A simulated daemon without events of its own.
pub(crate) async fn quiet_sim(dialect: Dialect) -> Simulator {
    sim(SimOptions { dialect, jobs_per_minute: 0.0, ..SimOptions::default() }).await
}

pub(crate) async fn sim(options: SimOptions) -> Simulator {
    Simulator::start(options).await.unwrap()
}

pub(crate) fn url(sim: &Simulator) -> String {
    format!("http://{}", sim.addr())
}

/// Calls an admin route of the simulator and returns its answer.
pub(crate) async fn admin(sim: &Simulator, path: &str, body: &str) -> serde_json::Value {
    // This client needs a crypto provider for the process. An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::Client::new()
        .post(format!("{}{path}", url(sim)))
        .header("content-type", "application/json")
        .body(body.to_owned())
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// A job that only the test moves.
pub(crate) async fn manual_job(sim: &Simulator) -> String {
    let body = r#"{"name":"manual","status":"running","bytes_total":1000000000}"#;
    admin(sim, "/sim/jobs", body).await["job_id"].as_str().unwrap().to_owned()
}
