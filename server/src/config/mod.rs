//! Settings: flag, then `HYPERSCOPE_*` variable, then key of the configuration file, then default.
//!
//! [`Options`] are the given settings; [`Config`] are the effective ones: complete, checked, with secrets read from
//! their files.

mod engines;
mod options;
mod resolve;
#[cfg(test)]
mod tests;
pub(crate) mod value;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use budget::machine;
use datasource::{EngineConfig, EngineSettings};
use redact::Secret;
use reqwest::Url;

pub(crate) use self::{
    engines::EngineEntry,
    options::{AlertmanagerEntry, DaemonEntry, DaemonSim, Demo, Dialect, Options, Tls},
    resolve::{ConfigError, default_data_dir},
    value::{ByteSize, Listen, LogFormat, Network, Period},
};

/// The effective settings of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on; port 0 is any free one.
    pub listen: SocketAddr,
    /// Data directory.
    pub data_dir: PathBuf,
    /// Format of the log.
    pub log_format: LogFormat,
    /// URL at which browsers reach the server, if set.
    pub public_url: Option<Url>,
    /// Whether requests need no token; only possible on loopback.
    pub insecure_no_auth: bool,
    /// The first token, if the operator chose one.
    pub admin_token: Option<Secret>,
    /// Proxies whose `X-Forwarded-*` headers are trusted.
    pub trusted_proxies: Vec<Network>,
    /// Maximum lifetime of a session.
    pub session_lifetime: Duration,
    /// Maximum idle time of a session.
    pub session_idle: Duration,
    /// `max-age` of HSTS, if set.
    pub hsts: Option<Duration>,
    /// Sources of the CSP directive `frame-ancestors`.
    pub frame_ancestors: Vec<String>,
    /// Daemons; their names are distinct.
    pub daemons: Vec<DaemonConfig>,
    /// Whether daemons are reached through the proxy of the environment.
    pub daemon_env_proxy: bool,
    /// Remote engines; the first one is the default for queries.
    pub engines: Vec<EngineConfig>,
    /// Settings of all remote engines.
    pub engine: EngineSettings,
    /// Alertmanagers that get the alerts instead of the built-in notifier.
    pub alertmanagers: Vec<notify::AlertmanagerConfig>,
    /// The built-in notifier.
    pub notify: notify::Options,
    /// Rule files; may contain wildcards.
    pub rules: Vec<PathBuf>,
    /// Whether to evaluate the built-in rules, if set.
    pub rules_builtin: Option<bool>,
    /// Names of disabled rule groups.
    pub rules_off: Vec<String>,
    /// Evaluation interval of rule groups that do not set one.
    pub evaluation_interval: Duration,
    /// Labels that identify this server's alerts.
    pub external_labels: Vec<(String, String)>,
    /// Directory of the operator's dashboards.
    pub dashboards_dir: Option<PathBuf>,
    /// Whether queries may use Prometheus' experimental features.
    pub promql_experimental: bool,
    /// Retention of samples.
    pub retention: Duration,
    /// Maximum disk size of samples in bytes; beyond it the oldest are removed.
    pub retention_bytes: Option<u64>,
    /// How much older than the last sample of its series a sample may be; zero rejects all out-of-order samples.
    pub out_of_order_window: Duration,
    /// Maximum number of stored series.
    pub max_series: usize,
    /// HTTPS, if set.
    pub tls: Option<TlsConfig>,
    /// Scraping of the daemons.
    pub scrape: ScrapeConfig,
    /// Whether `/metrics` needs no token.
    pub metrics_public: bool,
    /// Whether to hide the user names that daemons report.
    pub redact_user_names: bool,
    /// Limits per request, socket and address.
    pub limits: Limits,
    /// The simulation of `demo`.
    pub demo: DemoConfig,
}

/// A daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Value of the label `daemon` of its series.
    pub name: String,
    /// URL.
    pub url: Url,
    /// Sent as `X-API-Key`.
    pub key: Option<Secret>,
}

/// Files of HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Scraping of daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeConfig {
    /// Scrape interval.
    pub interval: Duration,
    /// Scrape timeout; at most the interval.
    pub timeout: Duration,
}

/// Limits per request, socket and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum memory of the process, in bytes, from which the budgets for viewers are derived.
    pub memory: u64,
    /// Maximum number of concurrent queries and other reads.
    pub reads: usize,
    /// Maximum time that a read waits for its turn.
    pub read_wait: Duration,
    /// Maximum number of live queries that a token starts per minute.
    pub query_starts: u32,
    /// Query timeout.
    pub query_time: Duration,
    /// Maximum number of points per series in a response.
    pub points: usize,
    /// Maximum number of series in a query.
    pub series: usize,
    /// Maximum size of a query's response, in bytes.
    pub response_bytes: usize,
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Maximum size of a remote write body, in bytes.
    pub write_body_bytes: usize,
    /// Maximum size of a decompressed remote write body, in bytes.
    pub write_unpacked_bytes: usize,
    /// Maximum number of exemplars in memory.
    pub exemplars: usize,
    /// Maximum number of live sockets.
    pub sockets: usize,
    /// Maximum number of live sockets per token, except for kiosks and admins.
    pub token_sockets: usize,
    /// Maximum number of live sockets per kiosk token, which many displays may share.
    pub kiosk_sockets: usize,
    /// Maximum number of subscriptions per socket.
    pub subscriptions: usize,
    /// Maximum number of failed logins per minute and address.
    pub wrong_logins: u32,
    /// Maximum size of a request head, in bytes.
    pub header_bytes: usize,
    /// Maximum time until a request head is received, or a socket is upgraded.
    pub upgrade_time: Duration,
    /// Maximum number of connections.
    pub connections: usize,
    /// Maximum number of connections per address.
    pub address_connections: usize,
    /// Maximum time from the start of a connection to its first request.
    pub first_request_time: Duration,
    /// Maximum time of a connection without a request.
    pub idle_time: Duration,
    /// Maximum time in which a client reads nothing of what is sent.
    pub stalled_write_time: Duration,
    /// Maximum number of images drawn concurrently.
    pub pictures: usize,
    /// Maximum number of pixels per image.
    pub picture_pixels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: machine::default_limit(),
            reads: std::thread::available_parallelism().map_or(2, usize::from).saturating_mul(2),
            read_wait: Duration::from_secs(10),
            query_starts: 600,
            query_time: Duration::from_secs(30),
            points: 11_000,
            series: 50_000,
            response_bytes: 64 << 20,
            body_bytes: 1 << 20,
            write_body_bytes: 16 << 20,
            write_unpacked_bytes: 64 << 20,
            exemplars: 100_000,
            sockets: 20_000,
            token_sockets: 50,
            kiosk_sockets: 500,
            subscriptions: 256,
            wrong_logins: 10,
            header_bytes: 64 << 10,
            upgrade_time: Duration::from_secs(10),
            connections: 30_000,
            address_connections: 1_000,
            first_request_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            stalled_write_time: Duration::from_secs(30),
            pictures: 2,
            picture_pixels: 16_000_000,
        }
    }
}

/// The simulation of `demo`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DemoConfig {
    /// Seed: the same seed gives the same simulation.
    pub seed: u64,
    /// Length of the history at the start.
    pub history: Duration,
    /// Number of jobs submitted per minute.
    pub jobs_per_minute: f64,
}
