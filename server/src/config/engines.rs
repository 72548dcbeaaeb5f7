//! Settings of the remote engines that evaluate queries instead of the embedded store.

use std::{collections::BTreeMap, path::PathBuf};

use datasource::{EMBEDDED, EngineAuth, EngineConfig, EngineTls};
use query_frontend::labels::LabelNames;
use redact::Secret;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{
    ConfigError, Period,
    file::secret,
    options,
    resolve::{url, wrong},
};

/// Name of the only engine if it has none.
const DEFAULT_NAME: &str = "prometheus";
/// Header that selects a tenant in Mimir, Loki and Thanos.
const ORG_ID_HEADER: &str = "x-scope-orgid";

/// An engine in the configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineEntry {
    /// Name in dashboards and requests.
    pub name: Option<String>,
    /// URL.
    pub url: String,
    /// Path before `/api/v1`, appended to the path of the URL.
    pub path_prefix: Option<String>,
    /// Basic authentication.
    pub basic_auth: Option<BasicAuthEntry>,
    /// Sent as `Authorization: Bearer`.
    pub bearer_token: Option<Secret>,
    /// File that holds the bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable that holds the bearer token.
    pub bearer_token_env: Option<String>,
    /// Certificates.
    pub tls: EngineTls,
    /// Headers to send with each request. Their values are secret.
    pub headers: BTreeMap<String, Secret>,
    /// Sent as `X-Scope-OrgID`.
    pub org_id: Option<String>,
    /// Labels with other names: our name to the engine's. Added to those of all engines.
    pub labels: BTreeMap<String, String>,
    /// Timeout; by default that of queries.
    pub timeout: Option<Period>,
}

/// Basic authentication of an engine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuthEntry {
    /// User name.
    pub username: String,
    /// The password.
    pub password: Option<Secret>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
}

impl EngineEntry {
    /// All its paths, which are relative to the configuration file.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let password = self.basic_auth.as_mut().and_then(|basic| basic.password_file.as_mut());
        [self.bearer_token_file.as_mut(), self.tls.ca.as_mut(), self.tls.cert.as_mut(), self.tls.key.as_mut(), password]
            .into_iter()
            .flatten()
    }
}

/// The engines given by flag, or otherwise those of the file. Missing TLS settings come from `common`.
pub(super) fn engines(
    flags: Option<Vec<String>>,
    file: Option<Vec<EngineEntry>>,
    common: &options::Engine,
) -> Result<Vec<EngineConfig>, ConfigError> {
    let (certificates, labels) = (certificates(common)?, label_names(common.labels.iter().flatten())?);
    let (setting, entries) = match (flags, file) {
        (Some(flags), None) => ("prometheus_url", flags.iter().map(|flag| of_flag(flag)).collect()),
        (None, file) => ("engines", file.unwrap_or_default()),
        (Some(flags), Some(mut file)) => {
            // A flag overrides the URL of an engine in the file; its other settings stay.
            for flag in flags.iter().map(|flag| of_flag(flag)) {
                match file.iter_mut().find(|entry| flag.name.is_some() && entry.name == flag.name) {
                    Some(entry) => entry.url = flag.url,
                    None => file.push(flag),
                }
            }
            ("engines", file)
        }
    };
    let mut engines: Vec<EngineConfig> = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut engine = engine(setting, entry, &labels, engines.is_empty())?;
        engine.tls = engine.tls.or(&certificates);
        if engines.iter().any(|other| other.name == engine.name) {
            let message =
                format!("two engines are named {:?}: name one of them otherwise, as in NAME=URL", engine.name);
            return Err(wrong(setting, message));
        }
        engines.push(engine);
    }
    Ok(engines)
}

/// The TLS settings of engines without their own.
fn certificates(given: &options::Engine) -> Result<EngineTls, ConfigError> {
    match (&given.cert, &given.key) {
        (Some(_), None) => Err(wrong("engine.key", "a certificate is given without its private key")),
        (None, Some(_)) => Err(wrong("engine.cert", "a private key is given without its certificate")),
        (cert, key) => {
            Ok(EngineTls { ca: given.ca.clone(), cert: cert.clone(), key: key.clone(), insecure_skip_verify: false })
        }
    }
}

/// Reads `NAME=URL` or `URL`.
fn of_flag(flag: &str) -> EngineEntry {
    let (name, url) = match flag.split_once('=').filter(|(name, _)| !name.contains("://")) {
        Some((name, url)) => (Some(name.to_owned()), url),
        None => (None, flag),
    };
    EngineEntry { name, url: url.to_owned(), ..EngineEntry::default() }
}

/// Parses `OURS=THEIRS`.
fn label_names<'a>(given: impl Iterator<Item = &'a String>) -> Result<BTreeMap<String, String>, ConfigError> {
    let read = |text: &String| match text.split_once('=') {
        Some((ours, theirs)) => Ok((ours.to_owned(), theirs.to_owned())),
        None => {
            Err(wrong("engine.labels", format!("{text:?} is not two names of a label: write them as provider=vcenter")))
        }
    };
    given.map(read).collect()
}

fn engine(
    setting: &'static str,
    entry: EngineEntry,
    labels: &BTreeMap<String, String>,
    is_first: bool,
) -> Result<EngineConfig, ConfigError> {
    let mut url = url(setting, Some(&entry.url))?.ok_or_else(|| wrong(setting, "an engine needs a url"))?;
    let name = entry.name.unwrap_or_else(|| match (url.host_str(), url.port()) {
        _ if is_first => DEFAULT_NAME.to_owned(),
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    });
    if name == EMBEDDED {
        return Err(wrong(setting, "\"embedded\" is the name of the store in this process: choose another"));
    }
    if name.is_empty() || name.chars().any(|character| character.is_control() || character == '/') {
        return Err(wrong(setting, format!("{name:?} cannot name an engine: it must not be empty or contain `/`")));
    }
    if let Some(prefix) = entry.path_prefix {
        let path = format!("{}/{}", url.path().trim_end_matches('/'), prefix.trim_matches('/'));
        url.set_path(&path);
    }
    let bearer = from_environment("engines.bearer_token", entry.bearer_token, entry.bearer_token_env)?;
    let bearer = secret("engines.bearer_token", bearer, entry.bearer_token_file)?;
    let auth = match (entry.basic_auth, bearer) {
        (Some(_), Some(_)) => return Err(wrong("engines.basic_auth", "given beside a bearer token: leave one out")),
        (Some(basic), None) => {
            let password = from_environment("engines.basic_auth.password", basic.password, basic.password_env)?;
            let password = secret("engines.basic_auth.password", password, basic.password_file)?;
            EngineAuth::Basic(basic.username, password.unwrap_or_else(|| Secret::new("")))
        }
        (None, Some(token)) => EngineAuth::Bearer(token),
        (None, None) => EngineAuth::None,
    };
    let mut headers: Vec<(String, Secret)> = entry.headers.into_iter().collect();
    headers.extend(entry.org_id.map(|org_id| (ORG_ID_HEADER.to_owned(), Secret::new(org_id))));
    for (header, value) in &headers {
        if header.parse::<HeaderName>().is_err() {
            return Err(wrong("engines.headers", format!("{header:?} is not the name of a header")));
        }
        if HeaderValue::from_str(value.expose()).is_err() {
            return Err(wrong("engines.headers", format!("the value of {header:?} cannot be sent in a header")));
        }
    }
    if entry.tls.cert.is_some() != entry.tls.key.is_some() {
        return Err(wrong("engines.tls", "a client certificate needs both `cert` and `key`"));
    }
    let timeout = entry.timeout.map(|period| period.0);
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(wrong("engines.timeout", "must be longer than 0s"));
    }
    let mut labels = labels.clone();
    labels.extend(entry.labels);
    let labels = LabelNames::new(labels).map_err(|message| wrong("engines.labels", message))?;
    Ok(EngineConfig { name, url, auth, headers, tls: entry.tls, labels, timeout })
}

/// A secret given as text or by an environment variable.
fn from_environment(
    setting: &'static str,
    given: Option<Secret>,
    variable: Option<String>,
) -> Result<Option<Secret>, ConfigError> {
    let Some(variable) = variable else { return Ok(given) };
    if given.is_some() {
        return Err(wrong(setting, "given both as it is and as a variable: leave one out"));
    }
    match std::env::var(&variable) {
        Ok(value) if !value.is_empty() => Ok(Some(Secret::new(value))),
        _ => Err(wrong(setting, format!("the variable {variable} is not set or empty"))),
    }
}
