//! HTTP client of one source: sends its requests, and limits time and size.

use std::{sync::Arc, time::Duration};

use budget::json;
use hypervisord::detect::{Detection, Next, Profile};
use redact::{MASK, Redactor};
use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use rustls::ClientConfig;
use scrape::{Answer, CallError, Endpoint, Request, Response};

/// The header with a daemon's API key.
pub(crate) const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Idle timeout of connections. A daemon closes them after 30 s; we close earlier so that no request hits a closed one.
const IDLE: Duration = Duration::from_secs(20);

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

/// HTTP client of one source.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    timeout: Duration,
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
        Ok(Client { http, endpoint: Endpoint::new(base, expected, redactor), timeout })
    }

    /// The place of the source, by which its answers are read.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request. An answer with JSON does not have too many values.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, CallError> {
        let path = &request.path;
        let answer = self.endpoint.read(path, self.respond(request).await?)?;
        if request.accept == Request::JSON {
            json::check(answer.body.as_bytes(), json::OF_DAEMONS)
                .map_err(|error| self.endpoint.malformed(path, &error.to_string()))?;
        }
        Ok(answer)
    }

    /// Sends the requests of a detection.
    pub(crate) async fn detect(&self, mut detection: Detection) -> Result<Profile, CallError> {
        loop {
            match detection.next() {
                Next::Request(request) => detection.answered(&self.endpoint, self.send(&request).await)?,
                Next::Done(profile) => return Ok(profile),
            }
        }
    }

    async fn respond(&self, request: &Request) -> Result<Response, CallError> {
        let Request { path, body, accept, limit_bytes } = request;
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut call = self.http.request(method, self.endpoint.url(path)).header(ACCEPT, *accept);
        if let Some(body) = body {
            call = call.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = call.send().await.map_err(|error| self.failure(path, &error))?;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(path, &error))? {
            if body.len() + chunk.len() > *limit_bytes {
                return Err(CallError::TooLarge { url: self.endpoint.shown(path), limit_bytes: *limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, content_type, body })
    }

    fn failure(&self, path: &str, error: &reqwest::Error) -> CallError {
        let url = self.endpoint.shown(path);
        if error.is_timeout() {
            return CallError::TimedOut { url, seconds: self.timeout.as_secs() };
        }
        CallError::Unreachable { url, reason: self.endpoint.redactor().text(&innermost(error)).into_owned() }
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
