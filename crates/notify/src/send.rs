//! One attempt of a delivery: by HTTP here, by mail in [`crate::mail`].

use std::time::{Duration, Instant};

use alertmanager::{
    config::{Integration, Secret, http::Http},
    hook::{Format, Hook, signature},
    message::Outgoing,
};
use model::clock::now_ms;
use redact::Redactor;
use reqwest::{
    Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use telemetry::AttemptOutcome;

use crate::{
    Shared, Transport,
    alert_image::{self, StoredMessage},
    outbox::QueuedDelivery,
};

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
        if let Transport::Shown(receivers) = &self.options.transport {
            receivers.take(ticket, outgoing);
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
                crate::mail::send(email, mail, &ticket.id, picture, self.http.guard(), timeout, sent).await
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
        self.http.post(&url, http, headers, body, self.options.timeout, sent).await
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
        self.http.post(&url, &Http::default(), headers, body.into_bytes(), timeout, sent).await
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
