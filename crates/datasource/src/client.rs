//! The HTTP client for one engine, with its credentials, headers and certificates.

use std::{path::Path, time::Duration};

use reqwest::header::{self, HeaderMap, HeaderValue};

use crate::{EngineAuth, EngineConfig, failure};

/// Connect timeout.
const CONNECT: Duration = Duration::from_secs(5);
/// Additional time for the response, beyond the query timeout.
const GRACE: Duration = Duration::from_secs(2);

/// Why a client could not be created.
#[derive(Debug, thiserror::Error)]
#[error("engine {engine}: {reason}")]
pub struct EngineError {
    engine: String,
    reason: String,
}

/// A client for the engine of `config`, with a query timeout of `timeout`.
///
/// # Errors
///
/// A certificate or key file is unreadable or invalid, or TLS cannot be set up with it.
pub(crate) fn client(config: &EngineConfig, timeout: Duration) -> Result<reqwest::Client, EngineError> {
    let wrong = |reason: String| EngineError { engine: config.name.clone(), reason };
    let builder = reqwest::Client::builder()
        .default_headers(headers(config).map_err(wrong)?)
        .user_agent(concat!("hyperscope/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout + GRACE)
        .redirect(reqwest::redirect::Policy::none());
    with_certificates(builder, config).map_err(wrong)
}

fn headers(config: &EngineConfig) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let name: header::HeaderName = name.parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| format!("{name:?} cannot be sent in a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok::<(), String>(())
    };
    for (name, value) in &config.headers {
        add(name, value.expose())?;
    }
    match &config.auth {
        EngineAuth::None => {}
        EngineAuth::Bearer(token) => add("authorization", &format!("Bearer {}", token.expose()))?,
        EngineAuth::Basic(user, password) => {
            use base64::Engine;
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.expose()));
            add("authorization", &format!("Basic {pair}"))?;
        }
    }
    Ok(headers)
}

/// Builds the client with the certificates of `config`.
fn with_certificates(mut builder: reqwest::ClientBuilder, config: &EngineConfig) -> Result<reqwest::Client, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    if let Some(ca) = &config.tls.ca {
        let none = |reason: &str| format!("{} holds no certificate{reason}", ca.display());
        let authorities = reqwest::Certificate::from_pem_bundle(&read(ca)?)
            .map_err(|error| none(&format!(": {}", failure::cause(&error))))?;
        if authorities.is_empty() {
            return Err(none(""));
        }
        builder = builder.tls_certs_only(authorities);
    }
    let mut of_ours = String::new();
    if let (Some(cert), Some(key)) = (&config.tls.cert, &config.tls.key) {
        let mut pem = read(key)?;
        pem.push(b'\n');
        pem.extend(read(cert)?);
        of_ours = format!("{} and {} are no certificate and its private key: ", cert.display(), key.display());
        let identity =
            reqwest::Identity::from_pem(&pem).map_err(|error| format!("{of_ours}{}", failure::cause(&error)))?;
        builder = builder.identity(identity);
    }
    if config.tls.insecure_skip_verify {
        tracing::warn!(
            engine = config.name,
            "this engine's certificate is not verified: anyone between can pretend to be it"
        );
        builder = builder.danger_accept_invalid_certs(true);
    }
    builder.build().map_err(|error| format!("{of_ours}{}", failure::cause(&error)))
}
