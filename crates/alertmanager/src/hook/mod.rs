//! The short form of webhooks: `webhooks:` lists URLs and the events to send there, for jobs and for alerts.

mod body;
mod event;
pub mod signature;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

pub use self::{
    body::body,
    event::{EventName, HookEvent, Subject, of_transition},
};
use crate::config::{Secret, file::Period};

const DEFAULT_RETRY_COUNT: u32 = 3;
const DEFAULT_RETRY_DELAY_MS: i64 = 5_000;
const DEFAULT_TIMEOUT_MS: i64 = 10_000;
/// Maximum number of retries.
const MAX_RETRY_COUNT: u32 = 100;

/// An entry of `webhooks:` as in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookFile {
    /// Name on the notifications page and in the API.
    pub name: String,
    /// URL; `${NAME}` reads it from the environment.
    #[serde(default)]
    pub url: Option<Secret>,
    /// File that holds the URL.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// Events to send; empty or `*` for all.
    #[serde(default)]
    pub events: Vec<String>,
    /// Additional headers; `${NAME}` reads a value from the environment.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Number of retries.
    #[serde(default, alias = "retry")]
    pub retry_count: Option<u32>,
    /// Delay before the first retry; it doubles before each further one.
    #[serde(default)]
    pub retry_delay: Option<Period>,
    /// Timeout of one attempt.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// Key for the signature.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// File that holds the key for the signature.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Format of the body.
    #[serde(default)]
    pub format: Format,
    /// Whether the webhook is used.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl Default for HookFile {
    fn default() -> Self {
        HookFile {
            name: String::new(),
            url: None,
            url_file: None,
            events: Vec::new(),
            headers: BTreeMap::new(),
            retry_count: None,
            retry_delay: None,
            timeout: None,
            secret: None,
            secret_file: None,
            format: Format::Auto,
            enabled: true,
        }
    }
}

/// Format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Chosen by the host of the URL.
    #[default]
    Auto,
    /// Slack's blocks.
    Slack,
    /// Discord's embeds.
    Discord,
    /// PagerDuty's Events API v2.
    PagerDuty,
    /// Our own JSON.
    Generic,
}

impl Format {
    /// The format for a URL.
    #[must_use]
    pub fn resolve(self, url: &str) -> Format {
        if self != Format::Auto {
            return self;
        }
        let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':', '?']).next().unwrap_or("");
        match host {
            "hooks.slack.com" | "hooks.slack-gov.com" => Format::Slack,
            "discord.com" | "discordapp.com" | "canary.discord.com" | "ptb.discord.com" => Format::Discord,
            "events.pagerduty.com" | "events.eu.pagerduty.com" => Format::PagerDuty,
            _ => Format::Generic,
        }
    }
}

/// A webhook of the short form.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Name.
    pub name: String,
    /// URL.
    pub url: Secret,
    /// Events to send.
    pub events: Vec<EventName>,
    /// Additional headers.
    pub headers: BTreeMap<String, Secret>,
    /// Number of retries.
    pub retry_count: u32,
    /// Delay before the first retry, in milliseconds.
    pub retry_delay_ms: i64,
    /// Timeout of one attempt, in milliseconds.
    pub timeout_ms: i64,
    /// Key for the signature.
    pub secret: Option<Secret>,
    /// Format of the body.
    pub format: Format,
}

impl Hook {
    /// Whether the webhook receives this event.
    #[must_use]
    pub fn wants(&self, event: EventName) -> bool {
        self.events.contains(&event)
    }
}

/// Checks the enabled webhooks.
///
/// # Errors
///
/// The first problem, as a sentence.
pub fn check(files: Vec<HookFile>) -> Result<Vec<Hook>, String> {
    let mut hooks: Vec<Hook> = Vec::new();
    for file in files {
        let name = file.name.clone();
        let enabled = file.enabled;
        let hook = hook(file).map_err(|message| format!("webhook {name:?}: {message}"))?;
        if hooks.iter().any(|other| other.name == name) {
            return Err(format!("two webhooks are named {name:?}: name one of them otherwise"));
        }
        if enabled {
            hooks.push(hook);
        }
    }
    Ok(hooks)
}

fn hook(file: HookFile) -> Result<Hook, String> {
    if file.name.trim().is_empty() {
        return Err("it needs a name".to_owned());
    }
    let either = |key: &str, text: Option<Secret>, path: Option<PathBuf>| match (text, path) {
        (Some(_), Some(_)) => Err(format!("give {key} or {key}_file, not both")),
        (text, path) => Ok(text.or(path.map(Secret::File))),
    };
    let url = either("url", file.url, file.url_file)?.ok_or("it needs a url")?;
    if let Secret::Text(text) = &url {
        let is_url = ["https://", "http://"].iter().any(|scheme| {
            text.strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
        });
        if !is_url {
            return Err("its url is not one of http or https".to_owned());
        }
    }
    let retry_count = file.retry_count.unwrap_or(DEFAULT_RETRY_COUNT);
    if retry_count > MAX_RETRY_COUNT {
        return Err(format!("retry_count is at most {MAX_RETRY_COUNT}"));
    }
    let positive = |key: &str, period: Option<Period>, default: i64| match period {
        Some(Period(0)) => Err(format!("{key} must be longer than 0s")),
        other => Ok(other.map_or(default, |period| period.0)),
    };
    let is_token = |name: &String| {
        !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter))
    };
    if let Some(wrong) = file.headers.keys().find(|name| !is_token(name)) {
        return Err(format!("{wrong:?} is not a name of a header"));
    }
    Ok(Hook {
        name: file.name,
        url,
        events: event::named(&file.events)?,
        headers: file.headers,
        retry_count,
        retry_delay_ms: positive("retry_delay", file.retry_delay, DEFAULT_RETRY_DELAY_MS)?,
        timeout_ms: positive("timeout", file.timeout, DEFAULT_TIMEOUT_MS)?,
        secret: either("secret", file.secret, file.secret_file)?,
        format: file.format,
    })
}
