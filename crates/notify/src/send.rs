//! One attempt of a delivery: by HTTP here, by mail in [`crate::mail`].

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use alertmanager::{
    config::{
        Integration, Secret,
        http::{Credentials, Http},
    },
    hook::{Format, Hook, signature},
    message::Outgoing,
};
use model::clock::now_ms;
use parking_lot::Mutex;
use redact::Redactor;
use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use telemetry::AttemptOutcome;

use crate::{
    Shared,
    alert_image::{self, StoredMessage},
    egress_policy::EgressPolicy,
    outbox::QueuedDelivery,
};

/// Maximum number of bytes to read of a response.
const ANSWER_BYTES: usize = 4_096;
/// Maximum length of the shown excerpt of a response, in characters.
const EXCERPT: usize = 160;
/// Maximum number of cached clients: one for each TLS configuration.
const MAX_CLIENTS: usize = 64;
/// Minimum length of a URL's path segment that may be a secret.
const SECRET_SEGMENT: usize = 16;
/// Delay before the first retry, unless the receiver has its own.
const FIRST_DELAY_MS: i64 = 1_000;
/// URL of PagerDuty's Events API v1.
const PAGERDUTY_V1: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";
/// URL of PagerDuty's Events API v2, unless another one is configured.
const PAGERDUTY_V2: &str = "https://events.pagerduty.com/v2/enqueue";

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver accepted it.
    Delivered { status: Option<u16> },
    /// Failed, but a retry may help. `after` is the delay that the receiver asked for.
    Failed { status: Option<u16>, reason: String, after: Option<Duration> },
    /// The receiver rejects it permanently.
    Refused { status: Option<u16>, reason: String },
}

impl Outcome {
    /// Its label in metrics.
    fn counted(&self) -> AttemptOutcome {
        match self {
            Outcome::Delivered { .. } => AttemptOutcome::Delivered,
            Outcome::Failed { .. } => AttemptOutcome::Failed,
            Outcome::Refused { .. } => AttemptOutcome::Refused,
        }
    }

    /// Removes secrets from the reason: a receiver's response may repeat what was sent.
    fn without_secrets(mut self, redactor: &Redactor) -> Self {
        if let Outcome::Failed { reason, .. } | Outcome::Refused { reason, .. } = &mut self {
            *reason = redactor.text(reason).into_owned();
        }
        self
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Outcome::Refused { status: None, reason: reason.into() }
    }

    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Outcome::Failed { status: None, reason: reason.into(), after: None }
    }
}

/// When to retry a failed delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// Maximum number of attempts; `None` retries until `give_up_ms`.
    pub tries: Option<u32>,
    pub delay_ms: i64,
    pub give_up_ms: i64,
}

/// HTTP clients by their TLS configuration.
#[derive(Debug)]
pub(crate) struct Sender {
    guard: EgressPolicy,
    clients: Mutex<HashMap<String, Client>>,
}

impl Sender {
    pub(crate) fn new(guard: EgressPolicy) -> Self {
        Sender { guard, clients: Mutex::default() }
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
    async fn post(
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

/// Reads a secret from its source.
pub(crate) fn read_secret(secret: &Secret) -> Result<String, String> {
    let text = match secret {
        Secret::Text(text) => return Ok(text.clone()),
        Secret::Variable(name) => std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?,
        Secret::File(path) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
    };
    match text.trim() {
        "" => Err("a secret is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Reads a secret and adds it to `sent`.
pub(crate) fn reveal(secret: &Secret, sent: &Redactor) -> Result<String, String> {
    let text = read_secret(secret)?;
    sent.learn_configured(&text);
    Ok(text)
}

/// Reads the URL of a receiver. Adds its credentials and long path segments to `sent`, because chat services put keys
/// there.
fn reveal_url(secret: &Secret, sent: &Redactor) -> Result<String, String> {
    let text = read_secret(secret)?;
    if let Ok(url) = Url::parse(&text) {
        sent.learn_url(&url);
        let path = url.path().split('/');
        let query = url.query().unwrap_or_default().split(['&', '=']);
        path.chain(query).filter(|part| part.len() >= SECRET_SEGMENT).for_each(|part| sent.learn_configured(part));
    }
    Ok(text)
}

impl Shared {
    /// Tries to deliver a message once.
    #[tracing::instrument(level = "debug", skip_all, fields(receiver = ticket.receiver, kind = ticket.kind))]
    pub(crate) async fn attempt(&self, ticket: &QueuedDelivery) -> (Policy, Outcome) {
        // A redactor for this delivery only: its secrets may be ordinary words in other texts.
        let sent = Redactor::default();
        let begun = Instant::now();
        let (policy, outcome) = self.attempt_once(ticket, &sent).await;
        self.telemetry.notification_attempted(&ticket.kind, outcome.counted(), begun.elapsed());
        (policy, outcome.without_secrets(&sent))
    }

    /// Like [`Shared::attempt`]; adds the secrets that are sent to `sent`.
    async fn attempt_once(&self, ticket: &QueuedDelivery, sent: &Redactor) -> (Policy, Outcome) {
        let mut policy = Policy {
            tries: None,
            delay_ms: FIRST_DELAY_MS,
            give_up_ms: i64::try_from(self.options.give_up.as_millis()).unwrap_or(i64::MAX),
        };
        let body = match self.outbox.body(ticket.seq).await {
            Ok(Some(body)) => body,
            Ok(None) => return (policy, Outcome::refused("the message is no longer in the outbox")),
            Err(error) => return (policy, Outcome::failed(error.to_string())),
        };
        let Ok(StoredMessage { outgoing, of }) = serde_json::from_str::<StoredMessage>(&body) else {
            return (policy, Outcome::refused("the message cannot be read"));
        };
        if let Some(showcase) = &self.showcase {
            showcase.take(ticket, outgoing);
            return (policy, Outcome::Delivered { status: None });
        }
        if ticket.kind == crate::webhook::KIND {
            let Some(hook) = self.options.hooks.iter().find(|hook| hook.name == ticket.receiver) else {
                return (policy, Outcome::refused("there is no such webhook in the configuration any more"));
            };
            policy.tries = Some(hook.retry_count.saturating_add(1));
            policy.delay_ms = hook.retry_delay_ms;
            return (policy, self.post_hook(hook, ticket, outgoing, sent).await);
        }
        let config = self.config();
        let integration = config
            .receivers
            .get(&ticket.receiver)
            .and_then(|receiver| receiver.integrations.get(ticket.place))
            .filter(|integration| integration.kind().name() == ticket.kind);
        let picture = match integration {
            Some(Integration::Email(_) | Integration::Discord(_)) => self.picture(of.as_ref()).await,
            _ => None,
        };
        let Some(integration) = integration else {
            return (policy, Outcome::refused("there is no such receiver in the configuration any more"));
        };
        let outgoing = match (integration, outgoing) {
            (Integration::Slack(_), Outgoing::Json(mut body)) => {
                if let Some(address) = self.picture_link(of.as_ref()) {
                    alert_image::link_from_slack(&mut body, address);
                }
                Outgoing::Json(body)
            }
            (_, outgoing) => outgoing,
        };
        let mut outcome = self.send(integration, ticket, &outgoing, picture.as_deref(), sent).await;
        // The image may be too large or unsupported: send the message without it.
        if picture.is_some() && matches!(outcome, Outcome::Refused { .. }) {
            outcome = self.send(integration, ticket, &outgoing, None, sent).await;
        }
        (policy, outcome)
    }

    async fn send(
        &self,
        integration: &Integration,
        ticket: &QueuedDelivery,
        outgoing: &Outgoing,
        picture: Option<&[u8]>,
        sent: &Redactor,
    ) -> Outcome {
        match (integration, outgoing) {
            (Integration::Email(email), Outgoing::Mail(mail)) => {
                let timeout = self.options.timeout;
                crate::mail::send(email, mail, &ticket.id, picture, self.sender.guard(), timeout, sent).await
            }
            (integration, Outgoing::Json(body)) => {
                self.post_integration(integration, ticket, body.clone(), picture, sent).await
            }
            (_, Outgoing::Mail(_)) => Outcome::refused("the receiver is of another kind now"),
        }
    }

    async fn post_integration(
        &self,
        integration: &Integration,
        ticket: &QueuedDelivery,
        mut body: serde_json::Value,
        picture: Option<&[u8]>,
        sent: &Redactor,
    ) -> Outcome {
        let plain = Http::default();
        let (url, http) = match integration {
            Integration::Webhook(webhook) => (webhook.url.clone(), &webhook.http_config),
            Integration::Slack(slack) => (slack.api_url.clone(), &slack.http_config),
            Integration::Discord(discord) => (discord.webhook_url.clone(), &discord.http_config),
            Integration::PagerDuty(pagerduty) => {
                let (name, key) = match (&pagerduty.service_key, &pagerduty.routing_key) {
                    (Some(key), _) => ("service_key", key),
                    (None, Some(key)) => ("routing_key", key),
                    (None, None) => return Outcome::refused("the receiver has no key"),
                };
                let key = match reveal(key, sent) {
                    Ok(key) => key,
                    Err(reason) => return Outcome::failed(reason),
                };
                if let Some(fields) = body.as_object_mut() {
                    fields.insert(name.to_owned(), key.into());
                }
                let is_old = pagerduty.service_key.is_some() && pagerduty.url == PAGERDUTY_V2;
                let url = if is_old { PAGERDUTY_V1 } else { &pagerduty.url };
                (Some(Secret::Text(url.to_owned())), &pagerduty.http_config)
            }
            Integration::Email(_) => return Outcome::refused("the receiver is of another kind now"),
        };
        let url = match url.as_ref().map(|url| reveal_url(url, sent)) {
            Some(Ok(url)) => url,
            Some(Err(reason)) => return Outcome::failed(reason),
            None => return Outcome::refused("the receiver has no URL"),
        };
        let http = http.as_ref().unwrap_or(&plain);
        let mut headers = headers(&ticket.id);
        let body = match picture {
            // The ID is random, so neither the image nor the message contains it.
            Some(picture) => alert_image::form_for_discord(body, picture, &mut headers, &ticket.id),
            None => body.to_string().into_bytes(),
        };
        self.sender.post(&url, http, headers, body, self.options.timeout, sent).await
    }

    async fn post_hook(&self, hook: &Hook, ticket: &QueuedDelivery, outgoing: Outgoing, sent: &Redactor) -> Outcome {
        let Outgoing::Json(mut body) = outgoing else { return Outcome::refused("the message cannot be read") };
        let url = match reveal_url(&hook.url, sent) {
            Ok(url) => url,
            Err(reason) => return Outcome::failed(reason),
        };
        let mut headers = headers(&ticket.id);
        for (name, value) in &hook.headers {
            let value = match read_secret(value) {
                Ok(value) => value,
                Err(reason) => return Outcome::failed(reason),
            };
            sent.learn_header(name, &value);
            let pair = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
            let Some((name, mut value)) = pair else {
                return Outcome::refused(format!("the header {name} has a value that no header can have"));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if hook.format.resolve(&url) == Format::PagerDuty {
            // The documentation gives PagerDuty's key as a header; the event needs it in the body.
            let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once("token="));
            if let (Some((_, key)), Some(fields)) = (token, body.as_object_mut()) {
                fields.insert("routing_key".to_owned(), key.trim().trim_matches('"').into());
            }
        }
        let body = body.to_string();
        if let Some(secret) = &hook.secret {
            let secret = match reveal(secret, sent) {
                Ok(secret) => secret,
                Err(reason) => return Outcome::failed(reason),
            };
            let timestamp = now_ms().div_euclid(1_000).to_string();
            let signed = signature::sign(&secret, &timestamp, body.as_bytes());
            for (name, value) in [(signature::SIGNATURE, signed), (signature::TIMESTAMP, timestamp)] {
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
                {
                    headers.insert(name, value);
                }
            }
        }
        let timeout = Duration::from_millis(u64::try_from(hook.timeout_ms).unwrap_or(0));
        self.sender.post(&url, &Http::default(), headers, body.into_bytes(), timeout, sent).await
    }
}

/// Headers of all HTTP messages.
fn headers(delivery: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let name = HeaderName::from_bytes(signature::DELIVERY.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(delivery)) {
        headers.insert(name, value);
    }
    headers
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
