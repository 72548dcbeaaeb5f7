//! Starts the connections: the tasks of each source, over what all of them share.

use std::{sync::Arc, time::Duration};

use labels::TargetLabels;
use model::{clock::now_ms, upstream::UpstreamKind};
use redact::Redactor;
use rustls::ClientConfig;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{
    DAEMON_JOB, DaemonConfig, Options, ScrapeTarget, Sinks,
    client::{ApiKey, Client, ClientError},
    daemon_connection::DaemonConnection,
    daemon_scrape_loop, poller,
    scrape::{ScrapeLimits, Scraper},
    scrape_loop, socket,
    status::StatusCell,
};

/// Interval between checks for delayed progress.
const TICK: Duration = Duration::from_millis(100);

/// Why the connections cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Two sources have the same name.
    #[error("two sources are named {0:?}: give each its own name")]
    RepeatedName(String),
    /// A URL that is not HTTP.
    #[error("the address of {name:?} must begin with http:// or https:// and name a host")]
    Address {
        /// The source.
        name: String,
    },
    /// The client of a source could not be created.
    #[error("{name:?}: {error}")]
    Client {
        /// The source.
        name: String,
        /// What is wrong.
        #[source]
        error: ClientError,
    },
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// What all connections share at start.
pub(crate) struct Builder {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) sinks: Sinks,
    pub(crate) options: Options,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Builder {
    pub(crate) fn daemon(&self, config: DaemonConfig) -> Result<Arc<DaemonConnection>, StartError> {
        let instance = instance(&config.name, &config.url)?;
        let client = self.client(&config.name, config.url.clone(), config.key.as_ref(), "a hypervisord")?;
        let labels = TargetLabels::new([("job", DAEMON_JOB), ("instance", &*instance), ("daemon", &*config.name)]);
        let scraper = self.scraper(client.clone(), labels);
        let redactor = Arc::clone(&self.redactor);
        let connection =
            Arc::new(DaemonConnection::new(config, client, redactor, self.sinks.events.clone(), self.options));
        let stop = || self.stop.clone();
        self.tasks.spawn(socket::run(Arc::clone(&connection), Arc::clone(&self.tls), stop()));
        self.tasks.spawn(poller::run(Arc::clone(&connection), stop()));
        self.tasks.spawn(daemon_scrape_loop::run(Arc::clone(&connection), scraper, self.sinks.clone(), stop()));
        self.tasks.spawn(tick(Arc::clone(&connection), stop()));
        Ok(connection)
    }

    pub(crate) fn target(&self, target: ScrapeTarget) -> Result<Arc<StatusCell>, StartError> {
        let instance = instance(&target.name, &target.url)?;
        let path = target.url.path().to_owned();
        let mut base = target.url.clone();
        base.set_path("");
        let client = self.client(&target.name, base, None, "a page of metrics")?;
        let own = [("job", &*target.name), ("instance", &*instance)];
        let more = target.labels.iter().map(|(name, value)| (&**name, &**value));
        let scraper = self.scraper(client, TargetLabels::new(own.into_iter().chain(more)));
        let events = self.sinks.events.clone();
        let status = Arc::new(StatusCell::new(&target.name, UpstreamKind::Prometheus, now_ms(), events));
        let interval = target.interval.unwrap_or(self.options.scrape_interval);
        let collecting = scrape_loop::run_target(
            target.name,
            path,
            scraper,
            interval,
            Arc::clone(&status),
            self.sinks.clone(),
            self.stop.clone(),
        );
        self.tasks.spawn(collecting);
        Ok(status)
    }

    fn client(&self, name: &str, url: Url, key: Option<&ApiKey>, expected: &'static str) -> Result<Client, StartError> {
        self.redactor.learn_url(&url);
        Client::new(url, key, &self.tls, &self.options, Arc::clone(&self.redactor), expected)
            .map_err(|error| StartError::Client { name: name.to_owned(), error })
    }

    fn scraper(&self, client: Client, labels: TargetLabels) -> Scraper {
        let limits =
            ScrapeLimits { body_bytes: self.options.scrape_body_limit, samples: self.options.scrape_sample_limit };
        Scraper::new(client, labels, limits, Arc::clone(&self.redactor))
    }
}

/// Publishes delayed progress, and detects stale data.
async fn tick(connection: Arc<DaemonConnection>, stop: CancellationToken) {
    /// Number of ticks between updates of the status, and between checks of cancelled jobs.
    const STATE: u64 = 3;
    const CANCELLED: u64 = 100;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for count in 0_u64.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        connection.tick();
        if count % STATE == 0 {
            connection.refresh();
        }
        if count % CANCELLED == 0 {
            connection.settle_cancelled();
        }
    }
}

pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), StartError> {
    let mut known = std::collections::HashSet::new();
    for name in names {
        if !known.insert(name) {
            return Err(StartError::RepeatedName(name.to_owned()));
        }
    }
    Ok(())
}

/// Host and port of a URL.
fn instance(name: &str, url: &Url) -> Result<String, StartError> {
    let is_http = matches!(url.scheme(), "http" | "https");
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) if is_http => Ok(format!("{host}:{port}")),
        _ => Err(StartError::Address { name: name.to_owned() }),
    }
}
