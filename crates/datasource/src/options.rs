//! Settings of the engines.

use std::{path::PathBuf, time::Duration};

use query_frontend::labels::LabelNames;
use redact::Secret;
use reqwest::Url;
use serde::Deserialize;

/// Name of the embedded store as an engine.
pub const EMBEDDED: &str = "embedded";

/// Certificates for an engine, PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineTls {
    /// CA of the engine's certificate; by default the machine's.
    pub ca: Option<PathBuf>,
    /// Client certificate.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Skip verification of the certificate. Then anyone on the network can read and change requests and responses.
    pub insecure_skip_verify: bool,
}

impl EngineTls {
    /// These settings, with missing ones from `common`. A certificate and its key stay together.
    #[must_use]
    pub fn or(self, common: &Self) -> Self {
        let (cert, key) = match self.cert {
            Some(_) => (self.cert, self.key),
            None => (common.cert.clone(), common.key.clone()),
        };
        EngineTls { ca: self.ca.or_else(|| common.ca.clone()), cert, key, ..self }
    }
}

/// Credentials for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAuth {
    /// None.
    None,
    /// User name and password.
    Basic(String, Secret),
    /// Bearer token.
    Bearer(Secret),
}

/// A configured engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Name in dashboards and requests.
    pub name: String,
    /// URL, with the path before `/api/v1`.
    pub url: Url,
    /// Credentials.
    pub auth: EngineAuth,
    /// Headers to send with each request.
    pub headers: Vec<(String, Secret)>,
    /// Certificates.
    pub tls: EngineTls,
    /// Labels with other names.
    pub labels: LabelNames,
    /// Timeout, if it differs from that of queries.
    pub timeout: Option<Duration>,
}

/// Settings of all remote engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// Memory of the range query cache, in bytes.
    pub cache_bytes: usize,
    /// Steps newer than this may still change.
    pub fresh: Duration,
    /// How long identical fixed-time responses are served from cache.
    pub hold: Duration,
    /// Maximum number of concurrent requests per engine.
    pub concurrency: usize,
    /// Maximum number of retries.
    pub retries: u32,
    /// Number of consecutive failures that open the circuit breaker.
    pub failures: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            cache_bytes: 64 << 20,
            fresh: Duration::from_secs(60),
            hold: Duration::from_secs(1),
            concurrency: 20,
            retries: 2,
            failures: 5,
        }
    }
}
