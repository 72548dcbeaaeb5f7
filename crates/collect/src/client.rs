//! HTTP client of one source: limits time and size, and returns errors that people can act on.

use std::{sync::Arc, time::Duration};

use budget::json;
use redact::{MASK, Redactor};
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use rustls::ClientConfig;
use serde::de::DeserializeOwned;

/// The header with a daemon's API key.
pub(crate) const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Idle timeout of connections. A daemon closes them after 30 s; we close earlier so that no request hits a closed one.
const IDLE: Duration = Duration::from_secs(20);

/// Larger responses are parsed on a blocking thread, so that they delay nothing else.
const LARGE_ANSWER: usize = 512 * 1024;

/// Maximum length of the excerpt of a response in an error, in characters.
const EXCERPT: usize = 120;

/// The API key of a source. Its `Debug` output hides it.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key as configured.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        ApiKey(key.into())
    }

    /// The key itself, to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str(MASK)
    }
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
    pub fn is_absent(&self) -> bool {
        matches!(self, CallError::Status { status: 300..=399 | 404 | 405 | 410 | 501, .. } | CallError::Html { .. })
    }
}

/// A response with its body.
pub(crate) struct Answer {
    pub content_type: Option<String>,
    pub body: String,
}

/// HTTP client of one source.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    redactor: Arc<Redactor>,
    expected: &'static str,
}

impl Client {
    /// A client for the source at `base`. `expected` is the kind of server, for errors.
    ///
    /// # Errors
    ///
    /// The key is not valid in a header, or TLS cannot be set up.
    pub(crate) fn new(
        base: Url,
        key: Option<&ApiKey>,
        tls: &ClientConfig,
        options: &crate::Options,
        redactor: Arc<Redactor>,
        expected: &'static str,
    ) -> Result<Self, ClientError> {
        let timeout = options.call_timeout;
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            redactor.learn_configured(key.reveal());
            let mut value = HeaderValue::from_str(key.reveal()).map_err(|_| ClientError::Key)?;
            value.set_sensitive(true);
            headers.insert(KEY_HEADER, value);
        }
        let builder = reqwest::Client::builder();
        let builder = if options.env_proxy { builder } else { builder.no_proxy() };
        let http = builder
            .tls_backend_preconfigured(tls.clone())
            .default_headers(headers)
            .user_agent(concat!("hyperscope/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(IDLE)
            .connect_timeout(timeout)
            .timeout(timeout)
            .build()
            .map_err(|error| ClientError::Setup(error.to_string()))?;
        Ok(Client { http, base, timeout, redactor, expected })
    }

    /// The URL of a path of the source, without credentials, for messages.
    pub(crate) fn shown(&self, path: &str) -> String {
        shown(&self.url(path))
    }

    /// Sends a GET request for JSON.
    pub(crate) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        limit_bytes: usize,
    ) -> Result<T, CallError> {
        let answer = self.call(Method::GET, path, None, "application/json", limit_bytes).await?;
        self.json(path, answer).await
    }

    /// Sends a POST request with JSON, and parses a JSON response.
    pub(crate) async fn post<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        body: String,
        limit_bytes: usize,
    ) -> Result<T, CallError> {
        let answer = self.call(Method::POST, path, Some(body), "application/json", limit_bytes).await?;
        self.json(path, answer).await
    }

    /// Sends a GET request for text of any kind except HTML.
    pub(crate) async fn get_text(&self, path: &str, accept: &str, limit_bytes: usize) -> Result<Answer, CallError> {
        self.call(Method::GET, path, None, accept, limit_bytes).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let joined = format!("{}{path}", self.base.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }

    async fn json<T: DeserializeOwned + Send + 'static>(&self, path: &str, answer: Answer) -> Result<T, CallError> {
        let malformed = |reason: String| CallError::Malformed {
            url: self.shown(path),
            expected: self.expected,
            reason: self.redactor.text(&reason).into_owned(),
        };
        let is_large = answer.body.len() > LARGE_ANSWER;
        json::check(answer.body.as_bytes(), json::OF_DAEMONS).map_err(|error| malformed(error.to_string()))?;
        let read = move || serde_json::from_str(&answer.body);
        let result = if is_large {
            tokio::task::spawn_blocking(read).await.map_err(|error| malformed(error.to_string()))?
        } else {
            read()
        };
        result.map_err(|error| malformed(error.to_string()))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        accept: &str,
        limit_bytes: usize,
    ) -> Result<Answer, CallError> {
        let mut request = self.http.request(method, self.url(path)).header(ACCEPT, accept);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|error| self.failure(path, &error))?;
        let status = response.status();
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(path, &error))? {
            if bytes.len() + chunk.len() > limit_bytes {
                return Err(CallError::TooLarge { url: self.shown(path), limit_bytes });
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = String::from_utf8(bytes).map_err(|_| CallError::Malformed {
            url: self.shown(path),
            expected: self.expected,
            reason: "it is not UTF-8 text".to_owned(),
        })?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(CallError::Refused { url: self.shown(path), status: status.as_u16() });
        }
        let is_html = content_type.as_deref().is_some_and(|kind| kind.trim_start().starts_with("text/html"))
            || body.trim_start().get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"));
        if is_html && (status.is_success() || status.is_redirection()) {
            return Err(CallError::Html { url: self.shown(path), expected: self.expected, status: status.as_u16() });
        }
        if !status.is_success() {
            let message = if is_html { String::new() } else { self.error_text(&body) };
            return Err(CallError::Status { url: self.shown(path), status: status.as_u16(), message });
        }
        Ok(Answer { content_type, body })
    }

    /// The error text in either format of daemons, shortened and without secrets.
    fn error_text(&self, body: &str) -> String {
        #[derive(serde::Deserialize)]
        struct JsonError {
            error: String,
        }
        let text = serde_json::from_str::<JsonError>(body).map_or_else(|_| body.trim().to_owned(), |json| json.error);
        self.redactor.text(&text).chars().take(EXCERPT).collect()
    }

    fn failure(&self, path: &str, error: &reqwest::Error) -> CallError {
        let url = self.shown(path);
        if error.is_timeout() {
            return CallError::TimedOut { url, seconds: self.timeout.as_secs() };
        }
        CallError::Unreachable { url, reason: self.redactor.text(&innermost(error)).into_owned() }
    }
}

/// Why a client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The key contains characters that are not valid in a header.
    #[error("the API key has characters that cannot be sent in a header")]
    Key,
    /// TLS or the HTTP client failed.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
}

/// The innermost cause of an error, which is the useful one: "Connection refused", not "error sending request".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A URL without its credentials and query.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only fails for URLs that cannot have credentials anyway.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
