//! Which engines there are and how they are reached.

use std::{path::PathBuf, time::Duration};

use query_frontend::labels::LabelNames;
use redact::Secret;
use reqwest::Url;
use serde::Deserialize;

/// Name of the embedded store among the engines.
pub const EMBEDDED: &str = "embedded";

/// Certificates for an engine, PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineTls {
    /// The authority that signed the engine's certificate; by default those that the machine trusts.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Take any certificate. Anyone between can then read and change what is asked and answered.
    pub insecure_skip_verify: bool,
}

impl EngineTls {
    /// These, and for the rest those of `common`. A certificate and its key stay together.
    #[must_use]
    pub fn or(self, common: &Self) -> Self {
        let (cert, key) = match self.cert {
            Some(_) => (self.cert, self.key),
            None => (common.cert.clone(), common.key.clone()),
        };
        EngineTls { ca: self.ca.or_else(|| common.ca.clone()), cert, key, ..self }
    }
}

/// How an engine knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAuth {
    /// Not at all.
    None,
    /// By name and password.
    Basic(String, Secret),
    /// By a token.
    Bearer(Secret),
}

/// An engine that answers queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Names it in dashboards and requests.
    pub name: String,
    /// Where it answers, with the path before `/api/v1`.
    pub url: Url,
    /// How it knows us.
    pub auth: EngineAuth,
    /// Sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// Certificates.
    pub tls: EngineTls,
    /// Labels that it names otherwise.
    pub labels: LabelNames,
    /// Longest wait for an answer, if not that of queries.
    pub timeout: Option<Duration>,
}

/// What holds for all engines that are not the embedded store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// Memory for answers to range queries, in bytes.
    pub cache_bytes: usize,
    /// Steps younger than this can still change.
    pub fresh: Duration,
    /// An answer for given times is given again for so long.
    pub hold: Duration,
    /// Requests that one engine gets at a time.
    pub concurrency: usize,
    /// Further tries of a request that an engine could not answer.
    pub retries: u32,
    /// Failures in a row after which an engine is left alone for a while.
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
