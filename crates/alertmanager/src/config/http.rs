//! HTTP client settings of a receiver.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Secret;

/// `http_config` as in the file. An option of Alertmanager that we do not support is an error.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Name and password.
    pub basic_auth: Option<BasicAuth>,
    /// Header `Authorization` with any scheme.
    pub authorization: Option<Authorization>,
    /// `Authorization: Bearer`
    pub bearer_token: Option<Secret>,
    /// File that holds the bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// TLS.
    pub tls_config: Tls,
    /// Accepted for compatibility. We never follow redirects, because they would send secrets to another host.
    pub follow_redirects: Option<bool>,
    /// Whether HTTP/2 is allowed.
    pub enable_http2: Option<bool>,
}

/// Name and password.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasicAuth {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Option<Secret>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
}

/// Header `Authorization`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authorization {
    /// The scheme; `Bearer` by default.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credentials after the scheme.
    pub credentials: Option<Secret>,
    /// File that holds the credentials.
    pub credentials_file: Option<PathBuf>,
}

/// TLS.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// CA certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Client certificate, PEM.
    pub cert_file: Option<PathBuf>,
    /// Key of the client certificate, PEM.
    pub key_file: Option<PathBuf>,
    /// Whether to skip verification of the server's certificate.
    pub insecure_skip_verify: bool,
}

/// Credentials to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Credentials<'a> {
    /// Name and password.
    Basic(&'a str, Option<Secret>),
    /// Scheme and credentials of the header `Authorization`.
    Header(&'a str, Secret),
}

impl Http {
    /// The credentials to send, if any.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials<'_>> {
        if let Some(basic) = &self.basic_auth {
            return Some(Credentials::Basic(&basic.username, either(&basic.password, &basic.password_file)));
        }
        if let Some(authorization) = &self.authorization {
            let kind = if authorization.kind.is_empty() { "Bearer" } else { &authorization.kind };
            return either(&authorization.credentials, &authorization.credentials_file)
                .map(|secret| Credentials::Header(kind, secret));
        }
        either(&self.bearer_token, &self.bearer_token_file).map(|secret| Credentials::Header("Bearer", secret))
    }

    /// Describes a contradiction in these settings, if there is one.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let both = |text: &Option<Secret>, file: &Option<PathBuf>| text.is_some() && file.is_some();
        let ways = [
            self.basic_auth.is_some(),
            self.authorization.is_some(),
            self.bearer_token.is_some() || self.bearer_token_file.is_some(),
        ];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Some("give one of basic_auth, authorization and bearer_token, not several");
        }
        if both(&self.bearer_token, &self.bearer_token_file) {
            return Some("give bearer_token or bearer_token_file, not both");
        }
        if self.basic_auth.as_ref().is_some_and(|basic| both(&basic.password, &basic.password_file)) {
            return Some("give password or password_file of basic_auth, not both");
        }
        if let Some(authorization) = &self.authorization {
            if authorization.kind.eq_ignore_ascii_case("basic") {
                return Some("authorization cannot be of type Basic: use basic_auth");
            }
            if both(&authorization.credentials, &authorization.credentials_file) {
                return Some("give credentials or credentials_file of authorization, not both");
            }
        }
        if self.tls_config.cert_file.is_some() != self.tls_config.key_file.is_some() {
            return Some("a certificate needs its key: give both cert_file and key_file, or neither");
        }
        None
    }

    /// Makes the paths of files relative to `directory`.
    pub(super) fn rebase(&mut self, directory: &Path) {
        let basic = self.basic_auth.as_mut().map(|basic| &mut basic.password_file);
        let authorization = self.authorization.as_mut().map(|authorization| &mut authorization.credentials_file);
        let tls = &mut self.tls_config;
        let own = [&mut self.bearer_token_file, &mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file];
        for path in own.into_iter().chain(basic).chain(authorization).flatten() {
            *path = directory.join(&path);
        }
    }
}

/// The secret, given as text or as a file.
pub(super) fn either(text: &Option<Secret>, file: &Option<PathBuf>) -> Option<Secret> {
    text.clone().or_else(|| file.clone().map(Secret::File))
}
