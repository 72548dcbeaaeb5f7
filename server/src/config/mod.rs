//! Settings: flag, then `HYPERSCOPE_*` variable, then key of the configuration file, then default.
//!
//! [`Options`] is what was given, [`Config`] what holds: complete, checked, and with the secrets read from their files.

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

/// The settings of a server that runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 means any free one.
    pub listen: SocketAddr,
    /// Directory of everything it keeps.
    pub data_dir: PathBuf,
    /// Shape of the log.
    pub log_format: LogFormat,
    /// Where browsers reach it, if said.
    pub public_url: Option<Url>,
    /// Nobody is asked for a token; only ever true on loopback.
    pub insecure_no_auth: bool,
    /// The first token, if it was chosen by the operator.
    pub admin_token: Option<Secret>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How long a login lasts.
    pub session_lifetime: Duration,
    /// How long a login may go unused.
    pub session_idle: Duration,
    /// How long browsers are told to come by HTTPS alone, if they are told.
    pub hsts: Option<Duration>,
    /// Sources of the CSP directive `frame-ancestors`.
    pub frame_ancestors: Vec<String>,
    /// Daemons that are watched; their names are distinct.
    pub daemons: Vec<DaemonConfig>,
    /// Whether daemons are reached through the proxy that the environment names.
    pub daemon_env_proxy: bool,
    /// Engines that answer queries instead of the embedded store; the first answers what names none.
    pub engines: Vec<EngineConfig>,
    /// What holds for all engines.
    pub engine: EngineSettings,
    /// Alertmanagers that are told of alerts instead of the built-in notifier.
    pub alertmanagers: Vec<notify::AlertmanagerConfig>,
    /// The built-in notifier.
    pub notify: notify::Options,
    /// Files of rules; may have wildcards.
    pub rules: Vec<PathBuf>,
    /// Whether the rules that come with the program are evaluated, if said.
    pub rules_builtin: Option<bool>,
    /// Groups of rules that are switched off, by name.
    pub rules_off: Vec<String>,
    /// How often rules are evaluated whose group does not say it.
    pub evaluation_interval: Duration,
    /// Labels that tell this server's alerts from another's.
    pub external_labels: Vec<(String, String)>,
    /// Directory of the operator's own dashboards.
    pub dashboards_dir: Option<PathBuf>,
    /// Whether queries may use what Prometheus calls experimental.
    pub promql_experimental: bool,
    /// How long samples are kept.
    pub retention: Duration,
    /// Most disk that samples take before the oldest go, in bytes, if there is a limit.
    pub retention_bytes: Option<u64>,
    /// How much later than newer samples of its series a sample may come; zero refuses all that are late.
    pub out_of_order_window: Duration,
    /// Most series that are stored at once.
    pub max_series: usize,
    /// HTTPS, if set up.
    pub tls: Option<TlsConfig>,
    /// Reading of the daemons' metrics.
    pub scrape: ScrapeConfig,
    /// Whether `/metrics` asks for no token.
    pub metrics_public: bool,
    /// Whether the user names that daemons report are hidden.
    pub redact_user_names: bool,
    /// What one request, socket or address may take.
    pub limits: Limits,
    /// The simulated world of `demo`.
    pub demo: DemoConfig,
}

/// A daemon that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Labels its series.
    pub name: String,
    /// Where it answers.
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

/// How daemons' metrics are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeConfig {
    /// From one reading to the next.
    pub interval: Duration,
    /// Longest reading; at most the interval.
    pub timeout: Duration,
}

/// What one request, socket or address may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most memory of the process, in bytes, from which the budgets for viewers are derived.
    pub memory: u64,
    /// Most queries and other reads that run at a time.
    pub reads: usize,
    /// Longest time that one of them waits for its turn.
    pub read_wait: Duration,
    /// Most live queries that a token starts in a minute.
    pub query_starts: u32,
    /// Longest run of one query.
    pub query_time: Duration,
    /// Most points of a series in one answer.
    pub points: usize,
    /// Most series one query may touch.
    pub series: usize,
    /// Longest answer to a query, in bytes.
    pub response_bytes: usize,
    /// Longest body of a request, in bytes.
    pub body_bytes: usize,
    /// Longest body of a remote write, in bytes.
    pub write_body_bytes: usize,
    /// Longest body of a remote write once it is unpacked, in bytes.
    pub write_unpacked_bytes: usize,
    /// Most exemplars held in memory.
    pub exemplars: usize,
    /// Most live sockets in all.
    pub sockets: usize,
    /// Most live sockets of one token, but for kiosks and admins.
    pub token_sockets: usize,
    /// Most live sockets of one kiosk's token, which many displays may share.
    pub kiosk_sockets: usize,
    /// Most subscriptions of one socket.
    pub subscriptions: usize,
    /// Most wrong logins a minute from one address.
    pub wrong_logins: u32,
    /// Longest head of a request, in bytes.
    pub header_bytes: usize,
    /// Longest time until a request's head is there or a socket is upgraded.
    pub upgrade_time: Duration,
    /// Most connections in all.
    pub connections: usize,
    /// Most connections of one address.
    pub address_connections: usize,
    /// Longest time from the beginning of a connection to its first request.
    pub first_request_time: Duration,
    /// Longest time that a connection stays without a request.
    pub idle_time: Duration,
    /// Longest time in which a client takes nothing of what is sent.
    pub stalled_write_time: Duration,
    /// Most pictures that are drawn at a time.
    pub pictures: usize,
    /// Most pixels of one picture.
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

/// The simulated world of `demo`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DemoConfig {
    /// Equal seeds make equal worlds.
    pub seed: u64,
    /// How much history there is at the start.
    pub history: Duration,
    /// How many jobs are submitted a minute.
    pub jobs_per_minute: f64,
}
