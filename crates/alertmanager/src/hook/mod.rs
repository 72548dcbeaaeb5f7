//! The short form: `webhooks:` with a URL and the events that go there, for jobs as well as for alerts.

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
/// Most tries beside the first.
const MAX_RETRY_COUNT: u32 = 100;

/// An entry of `webhooks:` as it stands in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookFile {
    /// Names it on the page and in the API.
    pub name: String,
    /// Where; `${NAME}` takes it from the environment.
    #[serde(default)]
    pub url: Option<Secret>,
    /// File that holds where.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// What goes there; nothing or `*` for everything.
    #[serde(default)]
    pub events: Vec<String>,
    /// Further headers; `${NAME}` takes a value from the environment.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How often it is tried again.
    #[serde(default, alias = "retry")]
    pub retry_count: Option<u32>,
    /// Wait before the second try; doubled before each further one.
    #[serde(default)]
    pub retry_delay: Option<Period>,
    /// Longest try.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// Key of the signature.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// File that holds the key of the signature.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Shape of the body.
    #[serde(default)]
    pub format: Format,
    /// Whether it is used.
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

/// Shape of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By the host of the URL.
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
    /// The shape for a URL.
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
    /// Names it.
    pub name: String,
    /// Where.
    pub url: Secret,
    /// What goes there.
    pub events: Vec<EventName>,
    /// Further headers.
    pub headers: BTreeMap<String, Secret>,
    /// How often it is tried again.
    pub retry_count: u32,
    /// Wait before the second try, in milliseconds.
    pub retry_delay_ms: i64,
    /// Longest try, in milliseconds.
    pub timeout_ms: i64,
    /// Key of the signature.
    pub secret: Option<Secret>,
    /// Shape of the body.
    pub format: Format,
}

impl Hook {
    /// Whether an event goes there.
    #[must_use]
    pub fn wants(&self, event: EventName) -> bool {
        self.events.contains(&event)
    }
}

/// Checks the webhooks that are enabled.
///
/// # Errors
/// What is wrong, in a sentence.
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
        Some(Period(0)) => Err(format!("{key} must be longer than nothing")),
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
