//! Posts a message by HTTP, and interprets the response.

use std::{collections::HashMap, time::Duration};

use alertmanager::config::http::{Credentials, Http};
use model::clock::now_ms;
use parking_lot::Mutex;
use redact::Redactor;
use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, RETRY_AFTER},
};

use crate::{
    egress_policy::EgressPolicy,
    send::{Outcome, reveal},
};

/// Maximum number of bytes to read of a response.
const ANSWER_BYTES: usize = 4_096;
/// Maximum length of the shown excerpt of a response, in characters.
const EXCERPT: usize = 160;
/// Maximum number of cached clients: one for each TLS configuration.
const MAX_CLIENTS: usize = 64;

/// HTTP clients by their TLS configuration.
#[derive(Debug)]
pub(crate) struct HttpClient {
    guard: EgressPolicy,
    clients: Mutex<HashMap<String, Client>>,
}

impl HttpClient {
    pub(crate) fn new(guard: EgressPolicy) -> Self {
        HttpClient { guard, clients: Mutex::default() }
    }

    pub(crate) fn guard(&self) -> EgressPolicy {
        self.guard
    }

    fn client(&self, http: &Http) -> Result<Client, String> {
        let tls = &http.tls_config;
        let key = format!("{tls:?} {:?}", http.enable_http2);
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let read = |path: &std::path::Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let mut builder = Client::builder()
            .user_agent(concat!("hyperscope/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the body and its secrets to another host; a proxy would hide the real destination.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(self.guard)
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(2);
        if let Some(path) = &tls.ca_file {
            let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some((cert, key)) = tls.cert_file.as_ref().zip(tls.key_file.as_ref()) {
            let pem = [read(cert)?, b"\n".to_vec(), read(key)?].concat();
            let identity = reqwest::Identity::from_pem(&pem).map_err(|error| format!("{}: {error}", cert.display()))?;
            builder = builder.identity(identity);
        }
        if tls.insecure_skip_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if http.enable_http2 == Some(false) {
            builder = builder.http1_only();
        }
        let client = builder.build().map_err(|error| error.to_string())?;
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Posts a body.
    pub(crate) async fn post(
        &self,
        url: &str,
        http: &Http,
        headers: HeaderMap,
        body: Vec<u8>,
        timeout: Duration,
        sent: &Redactor,
    ) -> Outcome {
        // The URL may contain a secret, so no error repeats it.
        let Ok(url) = Url::parse(url) else { return Outcome::refused("the receiver's URL cannot be read") };
        if let Err(reason) = self.guard.check(&url) {
            return Outcome::refused(reason);
        }
        let client = match self.client(http) {
            Ok(client) => client,
            Err(reason) => return Outcome::failed(reason),
        };
        let request = client.post(url).timeout(timeout).headers(headers).body(body);
        let request = match http.credentials() {
            None => request,
            Some(Credentials::Basic(name, password)) => {
                match password.as_ref().map(|password| reveal(password, sent)).transpose() {
                    Ok(password) => request.basic_auth(name, password),
                    Err(reason) => return Outcome::failed(reason),
                }
            }
            Some(Credentials::Header(kind, secret)) => match reveal(&secret, sent) {
                Ok(secret) => request.header(AUTHORIZATION, format!("{kind} {secret}")),
                Err(reason) => return Outcome::failed(reason),
            },
        };
        match request.send().await {
            Ok(answer) => answered(answer, sent).await,
            Err(error) => broken(&error, timeout),
        }
    }
}

/// Interprets a response. Secrets in `sent` are removed from the excerpt before it is shortened: half a secret would
/// not be recognized.
async fn answered(mut answer: reqwest::Response, sent: &Redactor) -> Outcome {
    let code = answer.status();
    let status = Some(code.as_u16());
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    let mut text = Vec::new();
    while text.len() < ANSWER_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break,
            // The request succeeded; only the text of the response is lost.
            Err(_) if code.is_success() => break,
            Err(error) => return Outcome::Failed { status, reason: chain(&error), after },
        }
    }
    text.truncate(ANSWER_BYTES);
    let text = String::from_utf8_lossy(&text);
    let excerpt: String = sent.text(&text).chars().filter(|letter| !letter.is_control()).take(EXCERPT).collect();
    let reason = if excerpt.is_empty() { format!("HTTP {code}") } else { format!("HTTP {code}: {excerpt}") };
    if code.is_success() {
        // Slack's Web API reports errors with status 200.
        return match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(body) if body.get("ok") == Some(&serde_json::Value::Bool(false)) => Outcome::Refused { status, reason },
            _ => Outcome::Delivered { status },
        };
    }
    let may_help = code.is_server_error()
        || matches!(code, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    match may_help {
        true => Outcome::Failed { status, reason, after },
        false if code.is_redirection() => Outcome::Refused {
            status,
            reason: format!("HTTP {code}: redirects are not followed, since they would carry secrets elsewhere"),
        },
        false => Outcome::Refused { status, reason },
    }
}

/// Parses seconds or an HTTP date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        // Discord sends fractions.
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(&text.trim().replace("GMT", "+0000")).ok()?;
    let wait_ms = date.timestamp().as_millisecond().saturating_sub(now_ms());
    Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// Why there was no response. A forbidden address is a permanent failure.
fn broken(error: &reqwest::Error, timeout: Duration) -> Outcome {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        let refused =
            inner.downcast_ref::<std::io::Error>().filter(|inner| inner.kind() == std::io::ErrorKind::PermissionDenied);
        if let Some(refused) = refused {
            return Outcome::refused(refused.to_string());
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        return Outcome::failed(format!("no answer within {} s", timeout.as_secs_f64()));
    }
    Outcome::failed(chain(error))
}

/// An error with its innermost cause, without the URL.
fn chain(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match error.url() {
        Some(url) => innermost.to_string().replace(url.as_str(), "the receiver"),
        None => innermost.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_by_date() {
        assert_eq!(retry_after("3"), Some(Duration::from_secs(3)));
        assert_eq!(retry_after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(retry_after("Wed, 21 Oct 2065 07:28:00 GMT").is_some_and(|wait| wait > Duration::from_secs(86_400)));
        assert_eq!((retry_after("soon"), retry_after("-1")), (None, None));
    }
}
