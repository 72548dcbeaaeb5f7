//! Settings: flag, then `HYPERSCOPE_*` variable, then key of the configuration file, then default.
//!
//! [`Options`] are the given settings; [`Config`] are the effective ones: complete, checked, with secrets read from
//! their files.

mod engines;
mod file;
mod limits;
mod options;
mod resolve;
#[cfg(test)]
mod tests;
pub(crate) mod value;
mod walls;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use datasource::{EngineConfig, EngineSettings};
use redact::Secret;
use reqwest::Url;

pub(crate) use self::{
    engines::EngineEntry,
    limits::Limits,
    options::{AlertmanagerEntry, DaemonEntry, DaemonSim, Demo, Dialect, Options, Tls},
    resolve::{ConfigError, default_data_dir},
    value::{ByteSize, Listen, LogFormat, Network, Period},
    walls::{Orientation, WallConfig, WallEntry},
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
    /// Walls; their names are distinct.
    pub walls: Vec<WallConfig>,
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
