//! Resolves the given settings: fills in defaults, rejects contradictions.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use datasource::EngineSettings;
use model::label::is_label_name;
use notify::{AlertmanagerConfig, AlertmanagerLogin, Options as NotifyConfig};
use redact::Secret;
use reqwest::Url;
use yaml::YamlError;

use super::{
    AlertmanagerEntry, ByteSize, Config, DaemonConfig, DaemonEntry, DemoConfig, Options, Period, ScrapeConfig,
    TlsConfig, engines, limits::limits, options, value::WrongValue, walls,
};
use crate::http::reached;

const DEFAULT_PORT: u16 = 3030;
const DEFAULT_SESSION_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
const DEFAULT_SESSION_IDLE: Duration = Duration::from_secs(7 * 86_400);
const DEFAULT_RETENTION: Duration = Duration::from_secs(15 * 86_400);
const DEFAULT_OUT_OF_ORDER: Duration = Duration::from_secs(600);
const DEFAULT_MAX_SERIES: usize = 1_000_000;
const DEFAULT_SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
const DEFAULT_EVALUATION_INTERVAL: Duration = Duration::from_secs(15);
const DEFAULT_SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_HISTORY: Duration = Duration::from_secs(6 * 3_600);
const DEFAULT_JOBS_PER_MINUTE: f64 = daemon_sim::world::USUAL_JOBS_PER_MINUTE;
const DEFAULT_SEED: u64 = 1;
const DEFAULT_NOTIFY_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_NOTIFY_GIVE_UP: Duration = Duration::from_secs(6 * 3_600);
const DEFAULT_NOTIFY_CONCURRENCY: usize = 4;
const DEFAULT_NOTIFY_RATE: u32 = 240;
const DEFAULT_NOTIFY_PICTURE_TIME: Duration = Duration::from_secs(3);

/// Allowed lengths of a chosen first token, in characters.
const ADMIN_TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 32..=128;

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read or parsed.
    #[error(transparent)]
    File(#[from] YamlError),
    /// A setting is invalid, by itself or together with another.
    #[error("{setting}: {message}")]
    Setting {
        /// Its key in the configuration file.
        setting: &'static str,
        /// What is wrong and how to fix it.
        message: String,
    },
}

/// An error about a setting.
pub(super) fn wrong(setting: &'static str, message: impl ToString) -> ConfigError {
    ConfigError::Setting { setting, message: message.to_string() }
}

/// The default data directory: `hyperscope` in the user's data directory, or `/var/lib/hyperscope` for a user without
/// one.
#[must_use]
pub(crate) fn default_data_dir() -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("hyperscope")
}

impl Config {
    /// Fills in the defaults and checks the settings; `data_dir` is the default data directory.
    ///
    /// # Errors
    ///
    /// The first invalid setting, by its key.
    pub fn resolve(given: Options, data_dir: PathBuf) -> Result<Self, ConfigError> {
        let given = given.with_secrets()?;
        let listen =
            given.listen.map_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)), |listen| listen.0);
        let insecure_no_auth = given.insecure_no_auth.unwrap_or(false);
        if insecure_no_auth && !listen.ip().is_loopback() {
            let message = format!("refused while listening on {listen}, which others can reach: listen on 127.0.0.1");
            return Err(wrong("insecure_no_auth", message));
        }
        if given.database_url.is_some() {
            let message = "only the SQLite file in the data directory is supported: leave this setting out";
            return Err(wrong("database_url", message));
        }
        let alertmanagers = alertmanagers(given.alertmanager_url, given.alertmanagers)?;
        if !alertmanagers.is_empty() && given.notify.config.is_some() {
            let message =
                "given beside an Alertmanager, which notifies by its own configuration: leave one of the two out";
            return Err(wrong("notify.config", message));
        }
        Ok(Config {
            listen,
            data_dir: given.data_dir.unwrap_or(data_dir),
            log_format: given.log_format.unwrap_or_default(),
            public_url: public_url(given.public_url.as_deref())?,
            insecure_no_auth,
            admin_token: given.admin_token.map(admin_token).transpose()?,
            trusted_proxies: given.trusted_proxies.unwrap_or_default(),
            session_lifetime: positive("session_lifetime", given.session_lifetime, DEFAULT_SESSION_LIFETIME)?,
            session_idle: positive("session_idle", given.session_idle, DEFAULT_SESSION_IDLE)?,
            hsts: given.hsts.map(|Period(hsts)| hsts),
            frame_ancestors: frame_ancestors(given.frame_ancestors)?,
            daemons: daemons(given.daemon_url, given.daemons, given.daemon_key.as_ref())?,
            daemon_env_proxy: given.daemon_env_proxy.unwrap_or(false),
            engines: engines::engines(given.prometheus_url, given.engines, &given.engine)?,
            engine: engine(&given.engine)?,
            alertmanagers,
            notify: notify(&given.notify, given.webhooks, given.public_url.is_some())?,
            rules: given.rules.unwrap_or_default(),
            rules_builtin: given.rules_builtin,
            rules_off: given.rules_off.unwrap_or_default(),
            evaluation_interval: positive(
                "evaluation_interval",
                given.evaluation_interval,
                DEFAULT_EVALUATION_INTERVAL,
            )?,
            external_labels: external_labels(given.external_labels.unwrap_or_default())?,
            dashboards_dir: given.dashboards_dir,
            walls: walls::walls(given.walls)?,
            promql_experimental: given.promql_experimental.unwrap_or(true),
            retention: positive("retention", given.retention, DEFAULT_RETENTION)?,
            retention_bytes: given
                .retention_size
                .and_then(|ByteSize(bytes)| u64::try_from(bytes).ok())
                .filter(|bytes| *bytes > 0),
            out_of_order_window: given.out_of_order_window.map_or(DEFAULT_OUT_OF_ORDER, |Period(window)| window),
            max_series: given.max_series.unwrap_or(DEFAULT_MAX_SERIES),
            tls: tls(given.tls)?,
            scrape: scrape(&given.scrape)?,
            metrics_public: given.metrics.public.unwrap_or(false),
            redact_user_names: given.redact.user_names.unwrap_or(false),
            limits: limits(&given.limits)?,
            demo: demo(&given.demo)?,
        })
    }

    /// The path below which browsers reach this server, without a trailing slash; empty for the root.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.public_url.as_ref().map_or("", |url| url.path().trim_end_matches('/'))
    }

    /// Whether browsers reach this server by HTTPS, so that cookies are `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().map_or(self.tls.is_some(), |url| url.scheme() == "https")
    }
}

/// Parses an HTTP URL. One with a password is rejected without quoting it, because URLs are logged and displayed.
pub(super) fn url(setting: &'static str, text: Option<&str>) -> Result<Option<Url>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    let unreadable = || wrong(setting, WrongValue::Url(text.to_owned()));
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(_) if text.contains('@') => return Err(wrong(setting, WrongValue::UrlWithPassword(setting.to_owned()))),
        Err(_) => return Err(unreadable()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(setting, WrongValue::UrlWithPassword(url.host_str().unwrap_or(setting).to_owned())));
    }
    if matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(Some(url)) } else { Err(unreadable()) }
}

/// The public URL: a host, and optionally a path below which the server is.
fn public_url(text: Option<&str>) -> Result<Option<Url>, ConfigError> {
    const SETTING: &str = "public_url";
    let Some(url) = url(SETTING, text)? else { return Ok(None) };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(SETTING, "leads to a host or to a path of it: leave out what follows `?` or `#`"));
    }
    let base = url.path().trim_end_matches('/');
    if !base.is_empty() && !reached::is_base(base) {
        let message = format!(
            "{base:?} cannot be the path below which this server is: use letters, digits, `-`, `.`, `_` and `~` between single slashes"
        );
        return Err(wrong(SETTING, message));
    }
    if let Some(segment) = reached::own_segment(base) {
        let message = format!(
            "below {base:?} this server's own /{segment} could not be told apart from it: choose a path that begins otherwise, for example /scope"
        );
        return Err(wrong(SETTING, message));
    }
    Ok(Some(url))
}

/// The given period, which must be positive, or the default.
pub(super) fn positive(
    setting: &'static str,
    given: Option<Period>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    match given {
        Some(Period(Duration::ZERO)) => Err(wrong(setting, "must be longer than 0s")),
        Some(Period(period)) => Ok(period),
        None => Ok(default),
    }
}

/// Checks a first token chosen by the operator: too long to be guessed, and URL-safe.
fn admin_token(token: Secret) -> Result<Secret, ConfigError> {
    let text = token.expose();
    let safe = text.chars().all(|character| character.is_ascii_alphanumeric() || "-_.~".contains(character));
    if safe && ADMIN_TOKEN_LENGTHS.contains(&text.len()) {
        Ok(token)
    } else {
        let length = text.chars().count();
        let message = format!("needs 32 to 128 letters, digits, `-`, `_`, `.` or `~`; {length} characters were given");
        Err(wrong("admin_token", message))
    }
}

/// Parses `NAME=VALUE` as labels.
fn external_labels(given: Vec<String>) -> Result<Vec<(String, String)>, ConfigError> {
    given
        .into_iter()
        .map(|label| match label.split_once('=') {
            Some((name, value)) if is_label_name(name) => Ok((name.to_owned(), value.to_owned())),
            _ => Err(wrong("external_labels", format!("{label:?} is not a label: write one as region=eu"))),
        })
        .collect()
}

/// Checks the sources of `frame-ancestors`, none of which may end the directive.
fn frame_ancestors(given: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    let given = given.unwrap_or_else(|| vec!["'self'".to_owned()]);
    // One text may contain several, separated as in the directive.
    let sources: Vec<String> = given.iter().flat_map(|text| text.split(' ')).map(str::to_owned).collect();
    let broken = |source: &&String| {
        source.is_empty() || source.chars().any(|character| !character.is_ascii_graphic() || ";,\"".contains(character))
    };
    match sources.iter().find(broken) {
        Some(source) => Err(wrong(
            "frame_ancestors",
            format!("{source:?} is not a source: write for example 'self' or https://wiki.example.org"),
        )),
        None => Ok(sources),
    }
}

/// The daemons given by flag, or otherwise those of the file.
fn daemons(
    flags: Option<Vec<String>>,
    file: Option<Vec<DaemonEntry>>,
    shared_key: Option<&Secret>,
) -> Result<Vec<DaemonConfig>, ConfigError> {
    let entries = match flags {
        Some(flags) => flags.iter().map(|flag| daemon_flag(flag)).collect(),
        None => file.unwrap_or_default(),
    };
    let mut names = HashSet::new();
    let mut daemons = Vec::with_capacity(entries.len());
    for entry in entries {
        let url =
            url("daemons", Some(&entry.url))?.ok_or_else(|| wrong("daemons", WrongValue::Url(entry.url.clone())))?;
        let name = entry.name.unwrap_or_else(|| match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        });
        if name.is_empty() || name.chars().any(|character| character.is_control() || character == '/') {
            return Err(wrong(
                "daemons",
                format!("{name:?} cannot name a daemon: it must not be empty or contain `/`"),
            ));
        }
        if !names.insert(name.clone()) {
            return Err(wrong(
                "daemons",
                format!("two daemons are named {name:?}: name one of them otherwise, as in NAME=URL"),
            ));
        }
        daemons.push(DaemonConfig { name, url, key: entry.key.or_else(|| shared_key.cloned()) });
    }
    Ok(daemons)
}

/// Reads `NAME=URL` or `URL`.
fn daemon_flag(flag: &str) -> DaemonEntry {
    match flag.split_once('=').filter(|(name, _)| !name.contains("://")) {
        Some((name, url)) => {
            DaemonEntry { name: Some(name.to_owned()), url: url.to_owned(), key: None, key_file: None }
        }
        None => DaemonEntry { name: None, url: flag.to_owned(), key: None, key_file: None },
    }
}

/// The Alertmanagers given by flag, or otherwise those of the file.
fn alertmanagers(
    urls: Option<Vec<String>>,
    file: Option<Vec<AlertmanagerEntry>>,
) -> Result<Vec<AlertmanagerConfig>, ConfigError> {
    let read =
        |setting, text: &str| url(setting, Some(text))?.ok_or_else(|| wrong(setting, WrongValue::Url(text.to_owned())));
    if let Some(urls) = urls {
        return urls
            .iter()
            .map(|text| Ok(AlertmanagerConfig { url: read("alertmanager_url", text)?, login: None }))
            .collect();
    }
    let entry = |entry: AlertmanagerEntry| {
        let login = match (entry.username, entry.password, entry.bearer_token) {
            (Some(_), _, Some(_)) => {
                return Err(wrong("alertmanagers", "give username and password, or bearer_token, not both"));
            }
            (Some(username), password, None) => Some(AlertmanagerLogin::Basic(username, password)),
            (None, Some(_), _) => return Err(wrong("alertmanagers", "a password is given without a username")),
            (None, None, Some(token)) => Some(AlertmanagerLogin::Bearer(token)),
            (None, None, None) => None,
        };
        Ok(AlertmanagerConfig { url: read("alertmanagers.url", &entry.url)?, login })
    };
    file.unwrap_or_default().into_iter().map(entry).collect()
}

fn notify(
    given: &options::Notify,
    hooks: Option<Vec<alertmanager::hook::HookFile>>,
    has_public_url: bool,
) -> Result<NotifyConfig, ConfigError> {
    if given.picture_links.is_some() && !has_public_url {
        return Err(wrong("notify.picture_links", "links need an address that others reach: set public_url as well"));
    }
    if given.concurrency == Some(0) {
        return Err(wrong("notify.concurrency", "0 would deliver nothing: use at least 1"));
    }
    if given.rate == Some(0) {
        return Err(wrong("notify.rate", "0 would deliver nothing: use at least 1"));
    }
    Ok(NotifyConfig {
        config: given.config.clone(),
        hooks: alertmanager::hook::check(hooks.unwrap_or_default()).map_err(|message| wrong("webhooks", message))?,
        allow_private: given.allow_private.unwrap_or(false),
        timeout: positive("notify.timeout", given.timeout, DEFAULT_NOTIFY_TIMEOUT)?,
        give_up: positive("notify.give_up", given.give_up, DEFAULT_NOTIFY_GIVE_UP)?,
        concurrency: given.concurrency.unwrap_or(DEFAULT_NOTIFY_CONCURRENCY),
        rate: given.rate.unwrap_or(DEFAULT_NOTIFY_RATE),
        pictures: given.pictures.unwrap_or(true),
        picture_time: positive("notify.picture_time", given.picture_time, DEFAULT_NOTIFY_PICTURE_TIME)?,
        picture_links: given.picture_links.map(|life| life.0).filter(|life| !life.is_zero()),
        ..NotifyConfig::default()
    })
}

fn tls(given: options::Tls) -> Result<Option<TlsConfig>, ConfigError> {
    match (given.cert, given.key) {
        (Some(cert), Some(key)) => Ok(Some(TlsConfig { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(wrong("tls.key", "a certificate is given without its private key")),
        (None, Some(_)) => Err(wrong("tls.cert", "a private key is given without its certificate")),
    }
}

fn scrape(given: &options::Scrape) -> Result<ScrapeConfig, ConfigError> {
    let interval = positive("scrape.interval", given.interval, DEFAULT_SCRAPE_INTERVAL)?;
    let timeout = positive("scrape.timeout", given.timeout, DEFAULT_SCRAPE_TIMEOUT.min(interval))?;
    if timeout > interval {
        return Err(wrong("scrape.timeout", "longer than the interval: let a reading end before the next one starts"));
    }
    Ok(ScrapeConfig { interval, timeout })
}

fn engine(given: &options::Engine) -> Result<EngineSettings, ConfigError> {
    let default = EngineSettings::default();
    if given.concurrency == Some(0) {
        return Err(wrong("engine.concurrency", "0 would ask no engine anything: use at least 1"));
    }
    if given.failures == Some(0) {
        return Err(wrong("engine.failures", "0 would ask no engine anything: use at least 1"));
    }
    Ok(EngineSettings {
        cache_bytes: given.cache.map_or(default.cache_bytes, |size| size.0),
        fresh: given.fresh.map_or(default.fresh, |period| period.0),
        hold: given.hold.map_or(default.hold, |period| period.0),
        concurrency: given.concurrency.unwrap_or(default.concurrency),
        retries: given.retries.unwrap_or(default.retries),
        failures: given.failures.unwrap_or(default.failures),
    })
}

fn demo(given: &options::Demo) -> Result<DemoConfig, ConfigError> {
    let jobs_per_minute = given.jobs_per_minute.unwrap_or(DEFAULT_JOBS_PER_MINUTE);
    if !jobs_per_minute.is_finite() || jobs_per_minute < 0.0 {
        return Err(wrong("demo.jobs_per_minute", "must be a number from 0"));
    }
    Ok(DemoConfig {
        seed: given.seed.unwrap_or(DEFAULT_SEED),
        history: given.history.map_or(DEFAULT_HISTORY, |period| period.0),
        jobs_per_minute,
    })
}
