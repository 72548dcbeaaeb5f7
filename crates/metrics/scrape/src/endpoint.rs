//! Requests to a source as values, and what its responses mean: answers, or errors that people can act on.

use std::sync::Arc;

use redact::Redactor;
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

/// Maximum length of the excerpt of a response in an error, in characters.
const EXCERPT: usize = 120;

/// A request to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path below the URL of the source.
    pub path: String,
    /// JSON to send with POST; `None` for GET.
    pub body: Option<String>,
    /// Value of the header `Accept`.
    pub accept: &'static str,
    /// Maximum uncompressed size of the response.
    pub limit_bytes: usize,
}

impl Request {
    /// Value of `Accept` in requests for JSON.
    pub const JSON: &str = "application/json";

    /// A GET request for JSON.
    #[must_use]
    pub fn get(path: String, limit_bytes: usize) -> Self {
        Request { path, body: None, accept: Request::JSON, limit_bytes }
    }

    /// A POST request with JSON for JSON.
    #[must_use]
    pub fn post(path: String, body: String, limit_bytes: usize) -> Self {
        Request { path, body: Some(body), accept: Request::JSON, limit_bytes }
    }
}

/// A complete response.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Value of the header `Content-Type`.
    pub content_type: Option<String>,
    /// Its content.
    pub body: Vec<u8>,
}

/// A successful response with text.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Value of the header `Content-Type`.
    pub content_type: Option<String>,
    /// Its content.
    pub body: String,
}

/// Why a request failed. The texts contain no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The connection failed or was lost.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// URL without credentials.
        url: String,
        /// The cause.
        reason: String,
    },
    /// Timeout.
    #[error("{url} did not answer within {seconds} s")]
    TimedOut {
        /// URL without credentials.
        url: String,
        /// The timeout.
        seconds: u64,
    },
    /// The key is missing or wrong.
    #[error(
        "{url} refuses access (HTTP {status}): give the daemon's API key with --daemon-key or in the configuration"
    )]
    Refused {
        /// URL without credentials.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// Any other status that is not a success.
    #[error("{url} answered HTTP {status}{}", if message.is_empty() { String::new() } else { format!(": {message}") })]
    Status {
        /// URL without credentials.
        url: String,
        /// The status.
        status: u16,
        /// The error text of the response, shortened.
        message: String,
    },
    /// A web page instead of an API response.
    #[error("{url} answered with an HTML page: this is not {expected}; check the address and port")]
    Html {
        /// URL without credentials.
        url: String,
        /// The expected kind of server.
        expected: &'static str,
        /// The status: a success or a redirect.
        status: u16,
    },
    /// Another unexpected response.
    #[error("{url} answered with something that is not {expected}: {reason}")]
    Malformed {
        /// URL without credentials.
        url: String,
        /// The expected kind of server.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The response exceeds the limit.
    #[error("the answer of {url} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// URL without credentials.
        url: String,
        /// The limit.
        limit_bytes: usize,
    },
}

impl CallError {
    /// Whether something responded: the source is there, though not as expected.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        !matches!(self, CallError::Unreachable { .. } | CallError::TimedOut { .. })
    }

    /// Whether the source does not have this path, or has something else there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, CallError::Status { status: 300..=399 | 404 | 405 | 410 | 501, .. } | CallError::Html { .. })
    }
}

/// The place of a source, by which its responses are read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoint {
    base: Url,
    expected: &'static str,
    redactor: Arc<Redactor>,
}

impl Endpoint {
    /// The source at `base`. `expected` is the kind of server, for errors.
    #[must_use]
    pub fn new(base: Url, expected: &'static str, redactor: Arc<Redactor>) -> Self {
        Endpoint { base, expected, redactor }
    }

    /// Removes secrets from texts of this source.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The URL of a path of the source.
    #[must_use]
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let joined = format!("{}{path}", self.base.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }

    /// The URL of a path of the source without credentials and query, for messages.
    #[must_use]
    pub fn shown(&self, path: &str) -> String {
        let mut url = self.url(path);
        url.set_query(None);
        url.set_fragment(None);
        // Only fails for URLs that cannot have credentials anyway.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }

    /// Reads the response to a request for `path`.
    ///
    /// # Errors
    ///
    /// It is no success, not text, or a web page.
    pub fn read(&self, path: &str, response: Response) -> Result<Answer, CallError> {
        let Response { status, content_type, body } = response;
        let body = String::from_utf8(body).map_err(|_| CallError::Malformed {
            url: self.shown(path),
            expected: self.expected,
            reason: "it is not UTF-8 text".to_owned(),
        })?;
        if matches!(status, 401 | 403) {
            return Err(CallError::Refused { url: self.shown(path), status });
        }
        let is_html = content_type.as_deref().is_some_and(|kind| kind.trim_start().starts_with("text/html"))
            || body.trim_start().get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"));
        if is_html && matches!(status, 200..=399) {
            return Err(CallError::Html { url: self.shown(path), expected: self.expected, status });
        }
        if !matches!(status, 200..=299) {
            let message = if is_html { String::new() } else { self.error_text(&body) };
            return Err(CallError::Status { url: self.shown(path), status, message });
        }
        Ok(Answer { content_type, body })
    }

    /// Parses the answer to a request for `path` as JSON.
    ///
    /// # Errors
    ///
    /// It is not JSON of this shape.
    pub fn json<T: DeserializeOwned>(&self, path: &str, answer: &Answer) -> Result<T, CallError> {
        serde_json::from_str(&answer.body).map_err(|error| self.malformed(path, &error.to_string()))
    }

    /// The error of an answer that is not what it should be.
    #[must_use]
    pub fn malformed(&self, path: &str, reason: &str) -> CallError {
        CallError::Malformed {
            url: self.shown(path),
            expected: self.expected,
            reason: self.redactor.text(reason).into_owned(),
        }
    }

    /// The error text in either format of daemons, shortened and without secrets.
    fn error_text(&self, body: &str) -> String {
        #[derive(Deserialize)]
        struct JsonError {
            error: String,
        }
        let text = serde_json::from_str::<JsonError>(body).map_or_else(|_| body.trim().to_owned(), |json| json.error);
        self.redactor.text(&text).chars().take(EXCERPT).collect()
    }
}

/// Host and port of a URL, the label `instance`. `None` if it is not a URL of HTTP.
#[must_use]
pub fn instance(url: &Url) -> Option<String> {
    let is_http = matches!(url.scheme(), "http" | "https");
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) if is_http => Some(format!("{host}:{port}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let base = Url::parse("http://user:secret-word@h:8080/below/?q=1").unwrap();
        let redactor = Redactor::default();
        redactor.learn_url(&base);
        Endpoint::new(base, "a hypervisord", Arc::new(redactor))
    }

    fn read(status: u16, content_type: Option<&str>, body: &str) -> Result<String, String> {
        let response = Response { status, content_type: content_type.map(str::to_owned), body: body.into() };
        endpoint().read("/status", response).map(|answer| answer.body).map_err(|error| error.to_string())
    }

    #[test]
    fn responses_are_answers_or_say_what_is_wrong() {
        assert_eq!(read(200, Some("application/json"), "{}").as_deref(), Ok("{}"));
        for (status, content_type, body, error) in [
            (
                401,
                None,
                "",
                "refuses access (HTTP 401): give the daemon's API key with --daemon-key or in the configuration",
            ),
            (404, Some("text/plain"), " 404 page not found\n", "answered HTTP 404: 404 page not found"),
            (500, None, r#"{"error":"no disk, secret-word"}"#, "answered HTTP 500: no disk, ***"),
            (502, Some("text/html"), "<html>", "answered HTTP 502"),
            (
                200,
                Some("text/html; charset=utf-8"),
                "x",
                "answered with an HTML page: this is not a hypervisord; check the address and port",
            ),
            (
                302,
                None,
                "\n<!DOCTYPE html>",
                "answered with an HTML page: this is not a hypervisord; check the address and port",
            ),
        ] {
            let error = format!("http://h:8080/below/status {error}");
            assert_eq!(read(status, content_type, body), Err(error));
        }
        let body = vec![0xff];
        let error = endpoint().read("/ws", Response { status: 200, content_type: None, body }).unwrap_err();
        assert!(error.to_string().ends_with("is not a hypervisord: it is not UTF-8 text"), "{error}");
        assert!(endpoint().json::<u8>("/ws", &Answer { content_type: None, body: "[".to_owned() }).is_err());
    }

    #[test]
    fn an_instance_is_a_host_and_a_port() {
        let of = |url: &str| instance(&Url::parse(url).unwrap());
        assert_eq!(of("https://h/metrics").as_deref(), Some("h:443"));
        assert_eq!(of("http://h:9100/").as_deref(), Some("h:9100"));
        assert_eq!(of("ftp://h/"), None);
    }
}
