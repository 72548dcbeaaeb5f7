//! Every setting as it may be given: by flag, by variable, or by key of the configuration file.
//!
//! One field is all three: clap reads the flag and the variable, serde the key, and [`Options::or`] lays the first over
//! the second. A field that is `None` was not given; defaults and checks are [`super::Config`]'s.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use redact::Secret;
use serde::Deserialize;

use super::{
    EngineEntry,
    value::{ByteSize, Listen, LogFormat, Network, Period},
};

/// Declares a set of settings, each an `Option` or another such set, with `or` to lay one over another.
macro_rules! options {
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[$meta:meta])* pub $field:ident: $kind:ty,)* }) => {
        #[derive(Debug, Clone, Default, clap::Args, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        $(#[$outer])*
        pub struct $name { $($(#[$meta])* pub $field: $kind,)* }

        impl $name {
            /// What is given here, and for the rest what is given in `under`.
            #[must_use]
            pub fn or(self, under: Self) -> Self {
                Self { $($field: self.$field.or(under.$field),)* }
            }
        }
    };
}

options! {
    /// Settings of `serve` and `demo`.
    pub struct Options {
        /// Address to listen on; port 0 takes any free one [default: 127.0.0.1:3030]
        #[arg(long, env = "HYPERSCOPE_LISTEN", value_name = "ADDRESS:PORT")]
        pub listen: Option<Listen>,
        /// Directory of tokens, series and dashboards [default: hyperscope in the user's data directory]
        #[arg(long, env = "HYPERSCOPE_DATA_DIR", value_name = "DIR")]
        pub data_dir: Option<PathBuf>,
        /// Shape of the log on stderr [default: text]
        #[arg(long, env = "HYPERSCOPE_LOG_FORMAT")]
        pub log_format: Option<LogFormat>,
        /// Where browsers reach this server, if not where it listens; decides the cookie and the origins that are ours
        #[arg(long, env = "HYPERSCOPE_PUBLIC_URL", value_name = "URL")]
        pub public_url: Option<String>,
        /// Ask for no token at all; refused unless listening on loopback
        #[arg(long, env = "HYPERSCOPE_INSECURE_NO_AUTH", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub insecure_no_auth: Option<bool>,
        /// The first token, 32 to 128 URL-safe characters; better given by the variable or a file than by this flag
        #[arg(long, env = "HYPERSCOPE_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
        pub admin_token: Option<Secret>,
        /// File that holds the first token
        #[arg(long, env = "HYPERSCOPE_ADMIN_TOKEN_FILE", value_name = "FILE")]
        pub admin_token_file: Option<PathBuf>,
        /// Proxies, by address or network, whose X-Forwarded-* and Forwarded headers are believed
        #[arg(long, env = "HYPERSCOPE_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
        pub trusted_proxies: Option<Vec<Network>>,
        /// How long a login lasts [default: 30d]
        #[arg(long, env = "HYPERSCOPE_SESSION_LIFETIME", value_name = "DURATION")]
        pub session_lifetime: Option<Period>,
        /// How long a login may go unused; a kiosk's does not end [default: 7d]
        #[arg(long, env = "HYPERSCOPE_SESSION_IDLE", value_name = "DURATION")]
        pub session_idle: Option<Period>,
        /// How long browsers shall reach this host by HTTPS alone (Strict-Transport-Security), said over HTTPS; 0s takes it back [default: nothing is said]
        #[arg(long, env = "HYPERSCOPE_HSTS", value_name = "DURATION")]
        pub hsts: Option<Period>,
        /// Who may show our pages in a frame, as in the CSP directive [default: 'self']
        #[arg(long, env = "HYPERSCOPE_FRAME_ANCESTORS", value_name = "SOURCE", value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_several")]
        pub frame_ancestors: Option<Vec<String>>,
        /// A daemon to watch, repeatable; the name defaults to the URL's host and port
        #[arg(long, env = "HYPERSCOPE_DAEMON_URL", value_name = "[NAME=]URL", value_delimiter = ',')]
        #[serde(skip)]
        pub daemon_url: Option<Vec<String>>,
        /// API key of the daemons that have none of their own
        #[arg(long, env = "HYPERSCOPE_DAEMON_KEY", value_name = "KEY", hide_env_values = true)]
        pub daemon_key: Option<Secret>,
        /// File that holds the API key of the daemons that have none of their own
        #[arg(long, env = "HYPERSCOPE_DAEMON_KEY_FILE", value_name = "FILE")]
        pub daemon_key_file: Option<PathBuf>,
        /// Reach daemons through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name
        #[arg(long, env = "HYPERSCOPE_DAEMON_ENV_PROXY", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub daemon_env_proxy: Option<bool>,
        /// The file's way to name daemons, each with a key of its own if need be.
        #[arg(skip)]
        pub daemons: Option<Vec<DaemonEntry>>,
        /// Prometheus, Thanos, Mimir or VictoriaMetrics to query instead of the embedded store, repeatable; the first answers what names no engine
        #[arg(long, env = "HYPERSCOPE_PROMETHEUS_URL", value_name = "[NAME=]URL", value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_several")]
        pub prometheus_url: Option<Vec<String>>,
        /// The file's way to name engines, with how they are reached.
        #[arg(skip)]
        pub engines: Option<Vec<EngineEntry>>,
        /// Alertmanager that is told of alerts and keeps the silences, instead of the built-in notifier; repeatable for the
        /// members of a cluster
        #[arg(long, env = "HYPERSCOPE_ALERTMANAGER_URL", value_name = "URL", value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_several")]
        pub alertmanager_url: Option<Vec<String>>,
        /// The file's way to name Alertmanagers, each with what lets us in.
        #[arg(skip)]
        pub alertmanagers: Option<Vec<AlertmanagerEntry>>,
        /// Webhooks of the short form; only in the file.
        #[arg(skip)]
        pub webhooks: Option<Vec<alertmanager::hook::HookFile>>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub notify: Notify,
        /// File of alert and recording rules in Prometheus' format, repeatable; may have wildcards. Read again when it changes, and on SIGHUP
        #[arg(long, env = "HYPERSCOPE_RULES", value_name = "FILE", value_delimiter = ',')]
        pub rules: Option<Vec<PathBuf>>,
        /// Evaluate the rules for daemons that come with the program [default: true where a daemon is watched]
        #[arg(long, env = "HYPERSCOPE_RULES_BUILTIN", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub rules_builtin: Option<bool>,
        /// A group of rules to switch off, by its name; repeatable
        #[arg(long, env = "HYPERSCOPE_RULES_OFF", value_name = "GROUP", value_delimiter = ',')]
        pub rules_off: Option<Vec<String>>,
        /// How often rules are evaluated whose group does not say it [default: 15s]
        #[arg(long, env = "HYPERSCOPE_EVALUATION_INTERVAL", value_name = "DURATION")]
        pub evaluation_interval: Option<Period>,
        /// A label that tells this server's alerts from another's, repeatable; templates see it as $externalLabels
        #[arg(long, env = "HYPERSCOPE_EXTERNAL_LABELS", value_name = "NAME=VALUE", value_delimiter = ',')]
        pub external_labels: Option<Vec<String>>,
        /// Directory of dashboards of your own, YAML; they replace built-in ones of the same uid
        #[arg(long, env = "HYPERSCOPE_DASHBOARDS_DIR", value_name = "DIR")]
        pub dashboards_dir: Option<PathBuf>,
        /// Database for tokens and dashboards [default: SQLite in the data directory]
        #[arg(long, env = "HYPERSCOPE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
        pub database_url: Option<Secret>,
        /// Allow what Prometheus calls experimental in PromQL, such as limitk and info [default: true]
        #[arg(long, env = "HYPERSCOPE_PROMQL_EXPERIMENTAL", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub promql_experimental: Option<bool>,
        /// How long samples are kept [default: 15d]
        #[arg(long, env = "HYPERSCOPE_RETENTION", value_name = "DURATION")]
        pub retention: Option<Period>,
        /// Most disk that samples take before the oldest go; 0 for no limit [default: 0]
        #[arg(long, env = "HYPERSCOPE_RETENTION_SIZE", value_name = "SIZE")]
        pub retention_size: Option<ByteSize>,
        /// How much later than newer samples of its series a sample may come [default: 10m]
        #[arg(long, env = "HYPERSCOPE_OUT_OF_ORDER_WINDOW", value_name = "DURATION")]
        pub out_of_order_window: Option<Period>,
        /// Most series that are stored at once; samples of further ones are refused [default: 1000000]
        #[arg(long, env = "HYPERSCOPE_MAX_SERIES", value_name = "N")]
        pub max_series: Option<usize>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub tls: Tls,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub scrape: Scrape,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub metrics: Metrics,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub redact: Redact,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub engine: Engine,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub limits: Limits,
        /// Settings of `demo`; its command line reads the flags.
        #[arg(skip)]
        pub demo: Demo,
        /// Settings of `daemon-sim`; its command line reads the flags.
        #[arg(skip)]
        pub daemon_sim: DaemonSim,
    }
}

/// A daemon in the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonEntry {
    /// Labels its series; by default the URL's host and port.
    pub name: Option<String>,
    /// Where it answers.
    pub url: String,
    /// Its API key.
    pub key: Option<Secret>,
    /// File that holds its API key.
    pub key_file: Option<PathBuf>,
}

/// An Alertmanager in the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerEntry {
    /// Where it answers.
    pub url: String,
    /// Who asks, with `password`.
    pub username: Option<String>,
    /// What lets us in, with `username`.
    pub password: Option<Secret>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// What lets us in, by itself.
    pub bearer_token: Option<Secret>,
    /// File that holds the bearer token.
    pub bearer_token_file: Option<PathBuf>,
}

options! {
    /// Settings under `notify`.
    #[command(next_help_heading = "Notifications")]
    pub struct Notify {
        /// Alertmanager's configuration file: whom the built-in notifier tells of alerts
        #[arg(id = "notify_config", long = "alertmanager-config", env = "HYPERSCOPE_ALERTMANAGER_CONFIG", value_name = "FILE")]
        pub config: Option<PathBuf>,
        /// Deliver to private, loopback and link-local addresses too
        #[arg(long = "notify-allow-private", env = "HYPERSCOPE_NOTIFY_ALLOW_PRIVATE", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub allow_private: Option<bool>,
        /// Longest try of one delivery [default: 10s]
        #[arg(long = "notify-timeout", env = "HYPERSCOPE_NOTIFY_TIMEOUT", value_name = "DURATION")]
        pub timeout: Option<Period>,
        /// How long a delivery is tried again before it is given up [default: 6h]
        #[arg(long = "notify-give-up", env = "HYPERSCOPE_NOTIFY_GIVE_UP", value_name = "DURATION")]
        pub give_up: Option<Period>,
        /// Deliveries at a time to one receiver [default: 4]
        #[arg(long = "notify-concurrency", env = "HYPERSCOPE_NOTIFY_CONCURRENCY", value_name = "N")]
        pub concurrency: Option<usize>,
        /// Deliveries a minute to one receiver, of which a quarter may come at once [default: 240]
        #[arg(long = "notify-rate", env = "HYPERSCOPE_NOTIFY_RATE", value_name = "N")]
        pub rate: Option<u32>,
        /// Send a picture of the panel behind an alert along, by mail and to Discord [default: true]
        #[arg(long = "notify-pictures", env = "HYPERSCOPE_NOTIFY_PICTURES", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub pictures: Option<bool>,
        /// How long a message waits for its picture before it goes without [default: 3s]
        #[arg(long = "notify-picture-time", env = "HYPERSCOPE_NOTIFY_PICTURE_TIME", value_name = "DURATION")]
        pub picture_time: Option<Period>,
        /// Show the picture in messages to Slack by a signed link under --public-url, which needs no login and holds for so long;
        /// without it there are no such links
        #[arg(long = "notify-picture-links", env = "HYPERSCOPE_NOTIFY_PICTURE_LINKS", value_name = "DURATION")]
        pub picture_links: Option<Period>,
    }
}

options! {
    /// Settings under `tls`.
    pub struct Tls {
        /// Certificate chain, PEM; with --tls-key the server speaks HTTPS
        #[arg(long = "tls-cert", env = "HYPERSCOPE_TLS_CERT", value_name = "FILE")]
        pub cert: Option<PathBuf>,
        /// Private key, PEM
        #[arg(long = "tls-key", env = "HYPERSCOPE_TLS_KEY", value_name = "FILE")]
        pub key: Option<PathBuf>,
    }
}

options! {
    /// Settings under `scrape`.
    pub struct Scrape {
        /// How often the daemons' metrics are read [default: 15s]
        #[arg(id = "scrape_interval", long = "scrape-interval", env = "HYPERSCOPE_SCRAPE_INTERVAL", value_name = "DURATION")]
        pub interval: Option<Period>,
        /// How long one reading may take [default: 10s]
        #[arg(id = "scrape_timeout", long = "scrape-timeout", env = "HYPERSCOPE_SCRAPE_TIMEOUT", value_name = "DURATION")]
        pub timeout: Option<Period>,
    }
}

options! {
    /// Settings under `metrics`.
    pub struct Metrics {
        /// Answer /metrics without a token
        #[arg(long = "metrics-public", env = "HYPERSCOPE_METRICS_PUBLIC", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub public: Option<bool>,
    }
}

options! {
    /// Settings under `redact`.
    pub struct Redact {
        /// Hide the user names that daemons report, beside the secrets that are always hidden
        #[arg(long = "redact-user-names", env = "HYPERSCOPE_REDACT_USER_NAMES", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub user_names: Option<bool>,
    }
}

options! {
    /// Settings under `engine`: of all engines that are not the embedded store.
    #[command(next_help_heading = "Engines")]
    pub struct Engine {
        /// Memory for answers to range queries, of which only what is new is asked for again; 0 keeps none [default: 64MiB]
        #[arg(id = "engine_cache", long = "engine-cache", env = "HYPERSCOPE_ENGINE_CACHE", value_name = "SIZE")]
        pub cache: Option<ByteSize>,
        /// Steps younger than this can still change and are asked for each time [default: 1m]
        #[arg(id = "engine_fresh", long = "engine-fresh", env = "HYPERSCOPE_ENGINE_FRESH", value_name = "DURATION")]
        pub fresh: Option<Period>,
        /// An answer for given times is given again for so long to whoever asks the same; 0s asks each time [default: 1s]
        #[arg(id = "engine_hold", long = "engine-hold", env = "HYPERSCOPE_ENGINE_HOLD", value_name = "DURATION")]
        pub hold: Option<Period>,
        /// Requests that one engine gets at a time; further ones wait [default: 20]
        #[arg(id = "engine_concurrency", long = "engine-concurrency", env = "HYPERSCOPE_ENGINE_CONCURRENCY", value_name = "N")]
        pub concurrency: Option<usize>,
        /// Further tries of a request that an engine could not answer (502, 503, 504, no connection), while few fail [default: 2]
        #[arg(id = "engine_retries", long = "engine-retries", env = "HYPERSCOPE_ENGINE_RETRIES", value_name = "N")]
        pub retries: Option<u32>,
        /// Failures in a row after which an engine is left alone for a while [default: 5]
        #[arg(id = "engine_failures", long = "engine-failures", env = "HYPERSCOPE_ENGINE_FAILURES", value_name = "N")]
        pub failures: Option<u32>,
        /// A label that engines name otherwise, by our name and theirs, repeatable: theirs is sent, ours is shown
        #[arg(id = "engine_labels", long = "engine-labels", env = "HYPERSCOPE_ENGINE_LABELS", value_name = "OURS=THEIRS", value_delimiter = ',')]
        pub labels: Option<Vec<String>>,
        /// Authority that signed the certificates of the engines that name none of their own, PEM [default: those that the machine trusts]
        #[arg(id = "engine_ca", long = "engine-ca", env = "HYPERSCOPE_ENGINE_CA", value_name = "FILE")]
        pub ca: Option<PathBuf>,
        /// Our certificate for engines that ask for one, PEM; with --engine-key
        #[arg(id = "engine_cert", long = "engine-cert", env = "HYPERSCOPE_ENGINE_CERT", value_name = "FILE")]
        pub cert: Option<PathBuf>,
        /// Its private key, PEM
        #[arg(id = "engine_key", long = "engine-key", env = "HYPERSCOPE_ENGINE_KEY", value_name = "FILE")]
        pub key: Option<PathBuf>,
    }
}

/// Reads a text, or a list of them.
fn one_or_several<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrSeveral {
        One(String),
        Several(Vec<String>),
    }
    Ok(Option::<OneOrSeveral>::deserialize(deserializer)?.map(|given| match given {
        OneOrSeveral::One(one) => vec![one],
        OneOrSeveral::Several(several) => several,
    }))
}

options! {
    /// Settings under `limits`.
    #[command(next_help_heading = "Limits")]
    pub struct Limits {
        /// Memory of the process, from which the budgets for viewers are derived [default: three quarters of the machine's or the container's]
        #[arg(long = "memory-limit", env = "HYPERSCOPE_MEMORY_LIMIT", value_name = "SIZE")]
        pub memory: Option<ByteSize>,
        /// Most queries and other reads that run at a time [default: two for each processor]
        #[arg(long = "limit-reads", env = "HYPERSCOPE_LIMIT_READS", value_name = "N")]
        pub reads: Option<usize>,
        /// Longest time that one of them waits for its turn [default: 10s]
        #[arg(long = "limit-read-wait", env = "HYPERSCOPE_LIMIT_READ_WAIT", value_name = "DURATION")]
        pub read_wait: Option<Period>,
        /// Most live queries that a token starts in a minute [default: 600]
        #[arg(long = "limit-query-starts", env = "HYPERSCOPE_LIMIT_QUERY_STARTS", value_name = "N")]
        pub query_starts: Option<u32>,
        /// Longest run of one query [default: 30s]
        #[arg(long = "limit-query-time", env = "HYPERSCOPE_LIMIT_QUERY_TIME", value_name = "DURATION")]
        pub query_time: Option<Period>,
        /// Most points of a series in one answer [default: 11000]
        #[arg(long = "limit-points", env = "HYPERSCOPE_LIMIT_POINTS", value_name = "N")]
        pub points: Option<usize>,
        /// Most series one query may touch [default: 50000]
        #[arg(long = "limit-series", env = "HYPERSCOPE_LIMIT_SERIES", value_name = "N")]
        pub series: Option<usize>,
        /// Longest answer to a query [default: 64MiB]
        #[arg(long = "limit-response", env = "HYPERSCOPE_LIMIT_RESPONSE", value_name = "SIZE")]
        pub response: Option<ByteSize>,
        /// Longest body of a request [default: 1MiB]
        #[arg(long = "limit-body", env = "HYPERSCOPE_LIMIT_BODY", value_name = "SIZE")]
        pub body: Option<ByteSize>,
        /// Longest body of a remote write [default: 16MiB]
        #[arg(long = "limit-write-body", env = "HYPERSCOPE_LIMIT_WRITE_BODY", value_name = "SIZE")]
        pub write_body: Option<ByteSize>,
        /// Longest body of a remote write once it is unpacked [default: 64MiB]
        #[arg(long = "limit-write-unpacked", env = "HYPERSCOPE_LIMIT_WRITE_UNPACKED", value_name = "SIZE")]
        pub write_unpacked: Option<ByteSize>,
        /// Most exemplars held in memory; 0 holds none [default: 100000]
        #[arg(long = "limit-exemplars", env = "HYPERSCOPE_LIMIT_EXEMPLARS", value_name = "N")]
        pub exemplars: Option<usize>,
        /// Most live sockets in all [default: 20000]
        #[arg(long = "limit-sockets", env = "HYPERSCOPE_LIMIT_SOCKETS", value_name = "N")]
        pub sockets: Option<usize>,
        /// Most live sockets of one token; admins have no such limit [default: 50]
        #[arg(long = "limit-token-sockets", env = "HYPERSCOPE_LIMIT_TOKEN_SOCKETS", value_name = "N")]
        pub token_sockets: Option<usize>,
        /// Most live sockets of one kiosk's token, which many displays may share [default: 500]
        #[arg(long = "limit-kiosk-sockets", env = "HYPERSCOPE_LIMIT_KIOSK_SOCKETS", value_name = "N")]
        pub kiosk_sockets: Option<usize>,
        /// Most subscriptions of one socket [default: 256]
        #[arg(long = "limit-subscriptions", env = "HYPERSCOPE_LIMIT_SUBSCRIPTIONS", value_name = "N")]
        pub subscriptions: Option<usize>,
        /// Most wrong logins a minute from one address [default: 10]
        #[arg(long = "limit-wrong-logins", env = "HYPERSCOPE_LIMIT_WRONG_LOGINS", value_name = "N")]
        pub wrong_logins: Option<u32>,
        /// Longest head of a request: address and header fields, cookies among them [default: 64KiB]
        #[arg(long = "limit-header", env = "HYPERSCOPE_LIMIT_HEADER", value_name = "SIZE")]
        pub header: Option<ByteSize>,
        /// Longest time until a request's head is there or a socket is upgraded [default: 10s]
        #[arg(long = "limit-upgrade-time", env = "HYPERSCOPE_LIMIT_UPGRADE_TIME", value_name = "DURATION")]
        pub upgrade_time: Option<Period>,
        /// Most connections in all; fewer where the system allows fewer open files [default: 30000]
        #[arg(long = "limit-connections", env = "HYPERSCOPE_LIMIT_CONNECTIONS", value_name = "N")]
        pub connections: Option<usize>,
        /// Most connections of one address; loopback and trusted proxies have no such limit [default: 1000]
        #[arg(long = "limit-address-connections", env = "HYPERSCOPE_LIMIT_ADDRESS_CONNECTIONS", value_name = "N")]
        pub address_connections: Option<usize>,
        /// Longest time from the beginning of a connection to its first request [default: 10s]
        #[arg(long = "limit-first-request-time", env = "HYPERSCOPE_LIMIT_FIRST_REQUEST_TIME", value_name = "DURATION")]
        pub first_request_time: Option<Period>,
        /// Longest time that a connection stays without a request [default: 60s]
        #[arg(long = "limit-idle-time", env = "HYPERSCOPE_LIMIT_IDLE_TIME", value_name = "DURATION")]
        pub idle_time: Option<Period>,
        /// Longest time in which a client takes nothing of what is sent to it [default: 30s]
        #[arg(long = "limit-stalled-write-time", env = "HYPERSCOPE_LIMIT_STALLED_WRITE_TIME", value_name = "DURATION")]
        pub stalled_write_time: Option<Period>,
        /// Most pictures that are drawn at a time [default: 2]
        #[arg(id = "limit_pictures", long = "limit-pictures", env = "HYPERSCOPE_LIMIT_PICTURES", value_name = "N")]
        pub pictures: Option<usize>,
        /// Most pixels of one picture, width times height [default: 16000000]
        #[arg(id = "limit_picture_pixels", long = "limit-picture-pixels", env = "HYPERSCOPE_LIMIT_PICTURE_PIXELS", value_name = "N")]
        pub picture_pixels: Option<usize>,
    }
}

options! {
    /// Settings under `demo`.
    pub struct Demo {
        /// Seed of the simulated world: equal seeds make equal worlds [default: 1]
        #[arg(long, env = "HYPERSCOPE_SEED", value_name = "N")]
        pub seed: Option<u64>,
        /// How much history there is at the start [default: 6h]
        #[arg(long, env = "HYPERSCOPE_HISTORY", value_name = "DURATION")]
        pub history: Option<Period>,
        /// How many jobs are submitted a minute [default: 2]
        #[arg(long, env = "HYPERSCOPE_JOBS_PER_MINUTE", value_name = "N")]
        pub jobs_per_minute: Option<f64>,
    }
}

options! {
    /// Settings under `daemon_sim`.
    pub struct DaemonSim {
        /// Address to listen on; port 0 takes any free one [default: 127.0.0.1:8080]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_LISTEN", value_name = "ADDRESS:PORT")]
        pub listen: Option<Listen>,
        /// Which daemon it behaves like [default: stock]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_DIALECT")]
        pub dialect: Option<Dialect>,
        /// Seed of the simulated world: equal seeds make equal worlds [default: 1]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_SEED", value_name = "N")]
        pub seed: Option<u64>,
        /// How many jobs are submitted a minute [default: 2]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_JOBS_PER_MINUTE", value_name = "N")]
        pub jobs_per_minute: Option<f64>,
        /// Key that clients must send; the dialects `custom` and `documented` ask for it
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_API_KEY", value_name = "KEY", hide_env_values = true)]
        pub api_key: Option<Secret>,
    }
}

/// What a simulated daemon speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The daemon as released: no key, no metrics, everything over its socket.
    #[default]
    Stock,
    /// The daemon as its code can be set up: API key, origin check, `/metrics`.
    Custom,
    /// The daemon as the HyperSDK documents describe it.
    Documented,
}
