//! Why a request to an engine failed, with advice how to fix it.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use redact::Redactor;
use reqwest::{StatusCode, header::HeaderValue};
use rustls::AlertDescription;
use serde::Deserialize;
use serde_json::Value;

use crate::{EngineConfig, ErrorKind, QueryError, transport::EngineResponse};

/// Maximum length of the excerpt of a response in an error, in characters.
const EXCERPT: usize = 120;

/// A failed request.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The error for the caller.
    pub error: QueryError,
    /// Whether the engine is at fault, rather than the request.
    pub is_engines: bool,
    /// Whether a retry may succeed.
    pub may_pass: bool,
}

impl Failure {
    fn unavailable(message: String, may_pass: bool) -> Self {
        Failure { error: QueryError::new(ErrorKind::Unavailable, message), is_engines: true, may_pass }
    }

    /// The memory limit for responses is reached.
    pub(crate) fn busy(reason: String) -> Self {
        let message = format!("{reason}: try again in a moment, or select fewer series");
        Failure { error: QueryError::new(ErrorKind::Busy, message), is_engines: false, may_pass: false }
    }

    /// The response exceeds the limit.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the answer is larger than {limit} bytes: ask for fewer series or points");
        Failure { error: QueryError::new(ErrorKind::Execution, message), is_engines: false, may_pass: false }
    }

    /// Removes secrets from the error.
    pub(crate) fn without_secrets(mut self, redactor: &Redactor) -> Self {
        self.error.message = redactor.text(&self.error.message).into_owned();
        self
    }

    /// The connection failed or was lost.
    pub(crate) fn of_transfer(base_url: &str, timeout: Duration, trust: Trust, error: &reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            let seconds = timeout.as_secs_f64();
            return Self::unavailable(format!("{base_url} cannot be reached: no answer within {seconds} s"), false);
        }
        let (hint, may_pass) = match refusal(error) {
            Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => (
                ": its certificate is signed by nobody this machine trusts; give the authority as `tls.ca` of the engine or --engine-ca",
                false,
            ),
            Some(rustls::Error::AlertReceived(alert)) if concerns_certificates(*alert) => (trust.hint(), false),
            // With TLS 1.2 an engine also sends this alert if it requires a client certificate (RFC 5246, 7.4.6), not
            // only if there is no common cipher suite.
            Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) if !trust.shows_certificate => {
                (trust.guess(), false)
            }
            Some(rustls::Error::InvalidCertificate(_)) => {
                (": check the engine's certificate, and `tls` of the engine in the configuration", false)
            }
            // An engine that closes the connection at once may close it before we have read its alert.
            None if trust.is_tls && was_connected(error) && !error.is_timeout() => (trust.guess(), true),
            _ => ("", true),
        };
        Self::unavailable(format!("{base_url} cannot be reached: {}{hint}", cause(error)), may_pass)
    }
}

/// The body of an error response without secrets: redacts the texts in JSON, or all of it.
pub(crate) fn without_secrets(body: &Bytes, redactor: &Redactor) -> Bytes {
    if let Ok(mut answer) = serde_json::from_slice::<Value>(body) {
        clean(&mut answer, redactor);
        return serde_json::to_vec(&answer).map_or_else(|_| Bytes::new(), Bytes::from);
    }
    match redactor.text(&String::from_utf8_lossy(body)) {
        Cow::Owned(replaced) => replaced.into(),
        Cow::Borrowed(_) => body.clone(),
    }
}

/// Redacts all texts of a value; returns whether there were any secrets.
pub(crate) fn clean(value: &mut Value, redactor: &Redactor) -> bool {
    match value {
        Value::String(text) => match redactor.text(text) {
            Cow::Owned(replaced) => {
                *text = replaced;
                true
            }
            Cow::Borrowed(_) => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |is_other, item| clean(item, redactor) | is_other),
        Value::Object(members) => members.values_mut().fold(false, |is_other, item| clean(item, redactor) | is_other),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The TLS settings of an engine, for advice in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    is_tls: bool,
    shows_certificate: bool,
}

impl Trust {
    /// Those of the engine of `config`.
    pub(crate) fn of(config: &EngineConfig) -> Self {
        Trust { is_tls: config.url.scheme() == "https", shows_certificate: config.tls.cert.is_some() }
    }

    /// Advice if an engine rejected our certificate, or requires one.
    fn hint(self) -> &'static str {
        if self.shows_certificate {
            ": it does not accept our certificate; check who signed it and until when it is valid (`tls.cert` of the engine, --engine-cert)"
        } else {
            ": it demands a certificate of ours: give `tls.cert` and `tls.key` of the engine, or --engine-cert and --engine-key"
        }
    }

    /// The same if this is only likely.
    fn guess(self) -> &'static str {
        if self.shows_certificate {
            "; perhaps it does not accept our certificate: check who signed it and until when it is valid (`tls.cert` of the engine, --engine-cert)"
        } else {
            "; perhaps it demands a certificate of ours: give `tls.cert` and `tls.key` of the engine, or --engine-cert and --engine-key"
        }
    }
}

/// Whether a connection was established. If it was closed before the request was sent, the library reports a connect
/// error, but the network is fine.
fn was_connected(error: &reqwest::Error) -> bool {
    !error.is_connect() || innermost(error).downcast_ref::<std::io::Error>().is_none()
}

/// The TLS error, if it is one.
fn refusal(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        // An I/O error does not return its inner error as the source.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = held.map(|held| held as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

/// Whether the alert is about our certificate, or the lack of one (RFC 8446, 6.2, and older versions).
fn concerns_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::NoCertificate
    )
}

/// The innermost cause, which is the informative one.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    innermost(error).to_string()
}

fn innermost(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// The failure that a response means, if it is not a response of the API.
pub(crate) fn of_answer(
    base_url: &str,
    path: &str,
    answer: &EngineResponse,
    location: Option<&HeaderValue>,
) -> Option<Failure> {
    #[derive(Deserialize)]
    struct Envelope {
        status: String,
        #[serde(default, rename = "errorType")]
        error_type: String,
    }
    let status = answer.status;
    let unavailable = |message: String, may_pass: bool| Some(Failure::unavailable(message, may_pass));
    let is_json = answer.body.trim_ascii_start().starts_with(b"{");
    let text = answer.content_type.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let passing =
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
    // Federation responds with text.
    let is_page = path.ends_with("federate") && !text.starts_with("text/html");
    // Federation errors are text, too.
    let is_refused_page =
        path.ends_with("federate") && status == StatusCode::BAD_REQUEST && text.starts_with("text/plain");
    if ((is_json || is_page) && status.is_success()) || status == StatusCode::NO_CONTENT || is_refused_page {
        return None;
    }
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return unavailable(
            format!(
                "{base_url} refuses access (HTTP {}): give `basic_auth`, `bearer_token` or `org_id` of the engine in the configuration",
                status.as_u16()
            ),
            false,
        );
    }
    if is_json {
        let envelope = serde_json::from_slice::<Envelope>(&answer.body).ok();
        return match envelope.filter(|envelope| envelope.status == "error") {
            // The engine's own error about this request.
            Some(envelope)
                if !passing || matches!(envelope.error_type.as_str(), "timeout" | "canceled" | "execution") =>
            {
                None
            }
            _ => unavailable(format!("{base_url} answered HTTP {}{}", status.as_u16(), excerpt(answer)), passing),
        };
    }
    if status.is_redirection() {
        let to = location.and_then(|location| location.to_str().ok()).and_then(|location| location.split('?').next());
        let to = to.unwrap_or("somewhere else");
        return unavailable(
            format!("{base_url} redirects to {to}: give the engine's own URL, or the credentials that it asks for"),
            false,
        );
    }
    if status == StatusCode::NOT_FOUND {
        // An engine may lack some endpoints; but if one that all engines have is missing, the path is wrong.
        let all_have = matches!(path, "query" | "query_range" | "labels" | "series");
        let message = format!("{base_url}/api/v1/{path} does not exist (HTTP 404): check the path of the engine's URL");
        let error = QueryError::new(if all_have { ErrorKind::Unavailable } else { ErrorKind::NotFound }, message);
        return Some(Failure { error, is_engines: all_have, may_pass: false });
    }
    if text.starts_with("text/html") || answer.body.trim_ascii_start().starts_with(b"<") {
        return unavailable(
            format!(
                "{base_url} answered HTTP {} with a web page instead of Prometheus' JSON: check the URL's address and path, and whether it asks for a login",
                status.as_u16()
            ),
            passing,
        );
    }
    let what = if status.is_success() { "something that is not Prometheus' JSON" } else { "an error" };
    unavailable(format!("{base_url} answered HTTP {} with {what}{}", status.as_u16(), excerpt(answer)), passing)
}

/// The beginning of a response, to be appended to a sentence.
fn excerpt(answer: &EngineResponse) -> String {
    let text = String::from_utf8_lossy(answer.body.get(..answer.body.len().min(EXCERPT * 4)).unwrap_or_default());
    let words: Vec<&str> = text.split_whitespace().collect();
    let short: String = words.join(" ").chars().filter(|character| !character.is_control()).take(EXCERPT).collect();
    if short.is_empty() { String::new() } else { format!(": {short}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, kind: &str, body: &str) -> Option<Failure> {
        let answer = EngineResponse {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: HeaderValue::from_str(kind).ok(),
            body: body.to_owned().into(),
            charge: None,
        };
        of_answer("http://e", "query", &answer, None)
    }

    #[test]
    fn the_engines_own_errors_are_answers() {
        let error = |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"x"}}"#);
        assert!(of(200, "application/json", r#"{"status":"success"}"#).is_none());
        assert!(of(400, "application/json", &error("bad_data")).is_none());
        assert!(of(422, "application/json", &error("execution")).is_none());
        assert!(of(503, "application/json", &error("timeout")).is_none());
        assert!(of(503, "application/json", &error("unavailable")).is_some_and(|failure| failure.may_pass));
    }

    #[test]
    fn nothing_and_refused_federation_are_answers() {
        assert!(of(204, "", "").is_none());
        let answer = |kind: &'static str| EngineResponse {
            status: StatusCode::BAD_REQUEST,
            content_type: Some(HeaderValue::from_static(kind)),
            body: "1:5: parse error: unexpected \"[\"".to_owned().into(),
            charge: None,
        };
        assert!(of_answer("http://e", "../../federate", &answer("text/plain; charset=utf-8"), None).is_none());
        assert!(of_answer("http://e", "../../federate", &answer("text/html"), None).is_some());
        assert!(of_answer("http://e", "query", &answer("text/plain; charset=utf-8"), None).is_some());
    }

    #[test]
    fn what_is_no_answer_says_what_to_do() {
        for (status, kind, body, said, may_pass) in [
            (401, "text/plain", "no", "refuses access (HTTP 401)", false),
            (401, "application/json", "{}", "bearer_token", false),
            (404, "text/plain", "404 page not found", "check the path", false),
            (200, "text/html", "<!doctype html>", "web page", false),
            (502, "text/html", "<html>", "web page", true),
            (503, "text/plain", "Service\n Unavailable", "HTTP 503 with an error: Service Unavailable", true),
            (302, "", "", "redirects", false),
            (200, "text/plain", "ok", "not Prometheus' JSON: ok", false),
            (500, "application/json", r#"{"message":"x"}"#, "HTTP 500", false),
        ] {
            let failure = of(status, kind, body).unwrap();
            assert!(failure.error.message.contains(said), "{}", failure.error.message);
            assert_eq!((failure.is_engines, failure.may_pass), (true, may_pass), "{status} {body}");
        }
    }
}
