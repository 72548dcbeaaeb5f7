//! Settings as given: by flag, variable, or key of the configuration file.
//!
//! One field is all three: clap reads the flag and the variable, serde the key, and [`Options::or`] merges them. `None`
//! means not given; defaults and checks are in [`super::Config`].

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use redact::Secret;
use serde::Deserialize;

use super::{
    EngineEntry, WallEntry,
    limits::GivenLimits,
    value::{ByteSize, Listen, LogFormat, Network, Period},
};

/// Declares a set of settings, each an `Option` or another such set, with `or` to merge two of them.
macro_rules! options {
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[$meta:meta])* pub $field:ident: $kind:ty,)* }) => {
        #[derive(Debug, Clone, Default, clap::Args, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        $(#[$outer])*
        pub struct $name { $($(#[$meta])* pub $field: $kind,)* }

        impl $name {
            /// Merges two sets; `self` has priority over `under`.
            #[must_use]
            pub fn or(self, under: Self) -> Self {
                Self { $($field: self.$field.or(under.$field),)* }
            }
        }
    };
}

pub(super) use options;

options! {
    /// Settings of `serve` and `demo`.
    pub struct Options {
        /// Address to listen on; port 0 takes any free one [default: 127.0.0.1:3030]
        #[arg(long, env = "HYPERSCOPE_LISTEN", value_name = "ADDRESS:PORT")]
        pub listen: Option<Listen>,
        /// Data directory: tokens, series and dashboards [default: hyperscope in the user's data directory]
        #[arg(long, env = "HYPERSCOPE_DATA_DIR", value_name = "DIR")]
        pub data_dir: Option<PathBuf>,
        /// Format of the log on stderr [default: text]
        #[arg(long, env = "HYPERSCOPE_LOG_FORMAT")]
        pub log_format: Option<LogFormat>,
        /// URL at which browsers reach this server, if it differs from the listen address; determines cookies and
        /// allowed origins
        #[arg(long, env = "HYPERSCOPE_PUBLIC_URL", value_name = "URL")]
        pub public_url: Option<String>,
        /// Require no token; only allowed when listening on loopback
        #[arg(long, env = "HYPERSCOPE_INSECURE_NO_AUTH", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub insecure_no_auth: Option<bool>,
        /// The first token, 32 to 128 URL-safe characters; prefer the variable or a file over this flag
        #[arg(long, env = "HYPERSCOPE_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
        pub admin_token: Option<Secret>,
        /// File with the first token
        #[arg(long, env = "HYPERSCOPE_ADMIN_TOKEN_FILE", value_name = "FILE")]
        pub admin_token_file: Option<PathBuf>,
        /// Proxies (addresses or networks) whose X-Forwarded-* and Forwarded headers are trusted
        #[arg(long, env = "HYPERSCOPE_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
        pub trusted_proxies: Option<Vec<Network>>,
        /// Maximum lifetime of a session [default: 30d]
        #[arg(long, env = "HYPERSCOPE_SESSION_LIFETIME", value_name = "DURATION")]
        pub session_lifetime: Option<Period>,
        /// Maximum idle time of a session; kiosk sessions have none [default: 7d]
        #[arg(long, env = "HYPERSCOPE_SESSION_IDLE", value_name = "DURATION")]
        pub session_idle: Option<Period>,
        /// max-age of HSTS (Strict-Transport-Security), sent over HTTPS only; 0s makes browsers forget it [default: not
        /// sent]
        #[arg(long, env = "HYPERSCOPE_HSTS", value_name = "DURATION")]
        pub hsts: Option<Period>,
        /// Sites that may show our pages in a frame, as in the CSP directive frame-ancestors [default: 'self']
        #[arg(long, env = "HYPERSCOPE_FRAME_ANCESTORS", value_name = "SOURCE", value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_several")]
        pub frame_ancestors: Option<Vec<String>>,
        /// A daemon to watch, repeatable; its name defaults to the URL's host and port
        #[arg(long, env = "HYPERSCOPE_DAEMON_URL", value_name = "[NAME=]URL", value_delimiter = ',')]
        #[serde(skip)]
        pub daemon_url: Option<Vec<String>>,
        /// API key for daemons without their own
        #[arg(long, env = "HYPERSCOPE_DAEMON_KEY", value_name = "KEY", hide_env_values = true)]
        pub daemon_key: Option<Secret>,
        /// File with the API key for daemons without their own
        #[arg(long, env = "HYPERSCOPE_DAEMON_KEY_FILE", value_name = "FILE")]
        pub daemon_key_file: Option<PathBuf>,
        /// Reach daemons through the proxy in HTTP_PROXY, HTTPS_PROXY and NO_PROXY
        #[arg(long, env = "HYPERSCOPE_DAEMON_ENV_PROXY", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub daemon_env_proxy: Option<bool>,
        /// Daemons in the file, each optionally with its own key.
        #[arg(skip)]
        pub daemons: Option<Vec<DaemonEntry>>,
        /// Prometheus, Thanos, Mimir or VictoriaMetrics to query instead of the embedded store, repeatable; the first
        /// one is the default engine
        #[arg(long, env = "HYPERSCOPE_PROMETHEUS_URL", value_name = "[NAME=]URL", value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_several")]
        pub prometheus_url: Option<Vec<String>>,
        /// Engines in the file, with all settings.
        #[arg(skip)]
        pub engines: Option<Vec<EngineEntry>>,
        /// Alertmanager that gets the alerts and stores the silences, instead of the built-in notifier; repeatable for
        /// the members of a cluster
        #[arg(long, env = "HYPERSCOPE_ALERTMANAGER_URL", value_name = "URL", value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_several")]
        pub alertmanager_url: Option<Vec<String>>,
        /// Alertmanagers in the file, with credentials.
        #[arg(skip)]
        pub alertmanagers: Option<Vec<AlertmanagerEntry>>,
        /// Short-form webhooks; only in the file.
        #[arg(skip)]
        pub webhooks: Option<Vec<alertmanager::hook::HookFile>>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "a doc comment here would become the help's heading")]
        pub notify: Notify,
        /// Rule file in Prometheus' format, repeatable; may contain wildcards. Reloaded when it changes, and on SIGHUP
        #[arg(long, env = "HYPERSCOPE_RULES", value_name = "FILE", value_delimiter = ',')]
        pub rules: Option<Vec<PathBuf>>,
        /// Evaluate the built-in rules for daemons [default: true if there is a daemon]
        #[arg(long, env = "HYPERSCOPE_RULES_BUILTIN", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub rules_builtin: Option<bool>,
        /// Name of a rule group to disable; repeatable
        #[arg(long, env = "HYPERSCOPE_RULES_OFF", value_name = "GROUP", value_delimiter = ',')]
        pub rules_off: Option<Vec<String>>,
        /// Evaluation interval of rule groups that do not set one [default: 15s]
        #[arg(long, env = "HYPERSCOPE_EVALUATION_INTERVAL", value_name = "DURATION")]
        pub evaluation_interval: Option<Period>,
        /// External label that identifies this server's alerts, repeatable; available in templates as $externalLabels
        #[arg(long, env = "HYPERSCOPE_EXTERNAL_LABELS", value_name = "NAME=VALUE", value_delimiter = ',')]
        pub external_labels: Option<Vec<String>>,
        /// Directory of your own dashboards, YAML; they override built-in ones with the same UID
        #[arg(long, env = "HYPERSCOPE_DASHBOARDS_DIR", value_name = "DIR")]
        pub dashboards_dir: Option<PathBuf>,
        /// Walls in the file.
        #[arg(skip)]
        pub walls: Option<Vec<WallEntry>>,
        /// Database for tokens and dashboards [default: SQLite in the data directory]
        #[arg(long, env = "HYPERSCOPE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
        pub database_url: Option<Secret>,
        /// Allow Prometheus' experimental PromQL features, such as limitk and info [default: true]
        #[arg(long, env = "HYPERSCOPE_PROMQL_EXPERIMENTAL", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub promql_experimental: Option<bool>,
        /// Retention of samples [default: 15d]
        #[arg(long, env = "HYPERSCOPE_RETENTION", value_name = "DURATION")]
        pub retention: Option<Period>,
        /// Maximum disk size of samples; beyond it the oldest are removed; 0 means unlimited [default: 0]
        #[arg(long, env = "HYPERSCOPE_RETENTION_SIZE", value_name = "SIZE")]
        pub retention_size: Option<ByteSize>,
        /// How much older than the last sample of its series a sample may be [default: 10m]
        #[arg(long, env = "HYPERSCOPE_OUT_OF_ORDER_WINDOW", value_name = "DURATION")]
        pub out_of_order_window: Option<Period>,
        /// Maximum number of stored series; samples of further series are rejected [default: 1000000]
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
        pub limits: GivenLimits,
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
    /// Value of the label `daemon`; by default the URL's host and port.
    pub name: Option<String>,
    /// URL.
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
    /// URL.
    pub url: String,
    /// User name, with `password`.
    pub username: Option<String>,
    /// Password, with `username`.
    pub password: Option<Secret>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Bearer token.
    pub bearer_token: Option<Secret>,
    /// File that holds the bearer token.
    pub bearer_token_file: Option<PathBuf>,
}

options! {
    /// Settings under `notify`.
    #[command(next_help_heading = "Notifications")]
    pub struct Notify {
        /// Alertmanager configuration file: routes and receivers of the built-in notifier
        #[arg(id = "notify_config", long = "alertmanager-config", env = "HYPERSCOPE_ALERTMANAGER_CONFIG", value_name = "FILE")]
        pub config: Option<PathBuf>,
        /// Deliver to private, loopback and link-local addresses too
        #[arg(long = "notify-allow-private", env = "HYPERSCOPE_NOTIFY_ALLOW_PRIVATE", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub allow_private: Option<bool>,
        /// Timeout of one delivery attempt [default: 10s]
        #[arg(long = "notify-timeout", env = "HYPERSCOPE_NOTIFY_TIMEOUT", value_name = "DURATION")]
        pub timeout: Option<Period>,
        /// How long a failed delivery is retried before it is given up [default: 6h]
        #[arg(long = "notify-give-up", env = "HYPERSCOPE_NOTIFY_GIVE_UP", value_name = "DURATION")]
        pub give_up: Option<Period>,
        /// Maximum concurrent deliveries per receiver [default: 4]
        #[arg(long = "notify-concurrency", env = "HYPERSCOPE_NOTIFY_CONCURRENCY", value_name = "N")]
        pub concurrency: Option<usize>,
        /// Maximum deliveries per minute and receiver, a quarter of which may come at once [default: 240]
        #[arg(long = "notify-rate", env = "HYPERSCOPE_NOTIFY_RATE", value_name = "N")]
        pub rate: Option<u32>,
        /// Attach an image of the related panel to mails and Discord messages [default: true]
        #[arg(long = "notify-pictures", env = "HYPERSCOPE_NOTIFY_PICTURES", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub pictures: Option<bool>,
        /// How long a message waits for its image before it is sent without [default: 3s]
        #[arg(long = "notify-picture-time", env = "HYPERSCOPE_NOTIFY_PICTURE_TIME", value_name = "DURATION")]
        pub picture_time: Option<Period>,
        /// Show the image in Slack messages by a signed link below --public-url, which needs no login and is valid for
        /// this long; without this setting there are no such links
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
        /// Scrape interval of the daemons [default: 15s]
        #[arg(id = "scrape_interval", long = "scrape-interval", env = "HYPERSCOPE_SCRAPE_INTERVAL", value_name = "DURATION")]
        pub interval: Option<Period>,
        /// Scrape timeout [default: 10s]
        #[arg(id = "scrape_timeout", long = "scrape-timeout", env = "HYPERSCOPE_SCRAPE_TIMEOUT", value_name = "DURATION")]
        pub timeout: Option<Period>,
    }
}

options! {
    /// Settings under `metrics`.
    pub struct Metrics {
        /// Serve /metrics without a token
        #[arg(long = "metrics-public", env = "HYPERSCOPE_METRICS_PUBLIC", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub public: Option<bool>,
    }
}

options! {
    /// Settings under `redact`.
    pub struct Redact {
        /// Hide the user names that daemons report, besides the secrets that are always hidden
        #[arg(long = "redact-user-names", env = "HYPERSCOPE_REDACT_USER_NAMES", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
        pub user_names: Option<bool>,
    }
}

options! {
    /// Settings under `engine`: of all remote engines.
    #[command(next_help_heading = "Engines")]
    pub struct Engine {
        /// Memory of the range query cache, which lets us query only new steps; 0 disables it [default: 64MiB]
        #[arg(id = "engine_cache", long = "engine-cache", env = "HYPERSCOPE_ENGINE_CACHE", value_name = "SIZE")]
        pub cache: Option<ByteSize>,
        /// Steps newer than this may still change and are queried each time [default: 1m]
        #[arg(id = "engine_fresh", long = "engine-fresh", env = "HYPERSCOPE_ENGINE_FRESH", value_name = "DURATION")]
        pub fresh: Option<Period>,
        /// How long identical fixed-time responses are served from cache; 0s disables [default: 1s]
        #[arg(id = "engine_hold", long = "engine-hold", env = "HYPERSCOPE_ENGINE_HOLD", value_name = "DURATION")]
        pub hold: Option<Period>,
        /// Maximum concurrent requests per engine; further ones wait [default: 20]
        #[arg(id = "engine_concurrency", long = "engine-concurrency", env = "HYPERSCOPE_ENGINE_CONCURRENCY", value_name = "N")]
        pub concurrency: Option<usize>,
        /// Maximum retries of a request that failed with 502, 503, 504 or no connection, while few requests fail
        /// [default: 2]
        #[arg(id = "engine_retries", long = "engine-retries", env = "HYPERSCOPE_ENGINE_RETRIES", value_name = "N")]
        pub retries: Option<u32>,
        /// Consecutive failures after which requests to an engine are paused [default: 5]
        #[arg(id = "engine_failures", long = "engine-failures", env = "HYPERSCOPE_ENGINE_FAILURES", value_name = "N")]
        pub failures: Option<u32>,
        /// A label with another name in the engines, repeatable: their name is sent, ours is shown
        #[arg(id = "engine_labels", long = "engine-labels", env = "HYPERSCOPE_ENGINE_LABELS", value_name = "OURS=THEIRS", value_delimiter = ',')]
        pub labels: Option<Vec<String>>,
        /// CA of the certificates of engines without their own setting, PEM [default: the CAs that the machine trusts]
        #[arg(id = "engine_ca", long = "engine-ca", env = "HYPERSCOPE_ENGINE_CA", value_name = "FILE")]
        pub ca: Option<PathBuf>,
        /// Client certificate for engines that require one, PEM; with --engine-key
        #[arg(id = "engine_cert", long = "engine-cert", env = "HYPERSCOPE_ENGINE_CERT", value_name = "FILE")]
        pub cert: Option<PathBuf>,
        /// Private key of the client certificate, PEM
        #[arg(id = "engine_key", long = "engine-key", env = "HYPERSCOPE_ENGINE_KEY", value_name = "FILE")]
        pub key: Option<PathBuf>,
    }
}

/// Parses a text, or a list of texts.
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
    /// Settings under `demo`.
    pub struct Demo {
        /// Seed: the same seed gives the same simulation [default: 1]
        #[arg(long, env = "HYPERSCOPE_SEED", value_name = "N")]
        pub seed: Option<u64>,
        /// Length of the history at the start [default: 6h]
        #[arg(long, env = "HYPERSCOPE_HISTORY", value_name = "DURATION")]
        pub history: Option<Period>,
        /// Number of jobs submitted per minute [default: 2]
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
        /// Dialect of the daemon [default: stock]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_DIALECT")]
        pub dialect: Option<Dialect>,
        /// Seed: the same seed gives the same simulation [default: 1]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_SEED", value_name = "N")]
        pub seed: Option<u64>,
        /// Number of jobs submitted per minute [default: 2]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_JOBS_PER_MINUTE", value_name = "N")]
        pub jobs_per_minute: Option<f64>,
        /// API key that clients must send; required by the dialects `custom` and `documented`
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_API_KEY", value_name = "KEY", hide_env_values = true)]
        pub api_key: Option<Secret>,
        /// How far the daemon's clock is ahead, in seconds; may be negative [default: 0]
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_CLOCK_OFFSET", value_name = "SECONDS", allow_hyphen_values = true)]
        pub clock_offset: Option<i64>,
        /// Directory to serve at /web/dashboard/, as the daemon serves its dashboard
        #[arg(long, env = "HYPERSCOPE_DAEMON_SIM_WEB", value_name = "DIR")]
        pub web: Option<PathBuf>,
    }
}

/// Dialect of a simulated daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The daemon as released: no key, no metrics, all data over its socket.
    #[default]
    Stock,
    /// The daemon with all options of its code: API key, origin check, `/metrics`.
    Custom,
    /// The daemon as in the HyperSDK documentation.
    Documented,
}
