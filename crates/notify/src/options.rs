//! How people are notified, and by whom.

use std::{path::PathBuf, time::Duration};

use redact::Secret;
use reqwest::Url;

/// An Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerConfig {
    /// Where it answers.
    pub url: Url,
    /// What lets us in.
    pub login: Option<AlertmanagerLogin>,
}

/// What an Alertmanager asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertmanagerLogin {
    /// Name and password.
    Basic(String, Option<Secret>),
    /// A token.
    Bearer(Secret),
}

/// How people are told of alerts and jobs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Alertmanager's configuration file, if there is one.
    pub config: Option<PathBuf>,
    /// Webhooks of the short form.
    pub hooks: Vec<alertmanager::hook::Hook>,
    /// Whether private, loopback and link-local addresses are delivered to.
    pub allow_private: bool,
    /// Longest try of one delivery.
    pub timeout: Duration,
    /// How long a delivery is tried again.
    pub give_up: Duration,
    /// Deliveries at a time to one receiver.
    pub concurrency: usize,
    /// Deliveries a minute to one receiver.
    pub rate: u32,
    /// Whether a picture goes with messages to Discord and by mail.
    pub pictures: bool,
    /// How long a message waits for its picture.
    pub picture_time: Duration,
    /// How long links to pictures hold, if messages to Slack have such.
    pub picture_links: Option<Duration>,
}

impl Default for Options {
    /// No receivers.
    fn default() -> Self {
        Options {
            config: None,
            hooks: Vec::new(),
            allow_private: false,
            timeout: Duration::from_secs(10),
            give_up: Duration::from_secs(3_600),
            concurrency: 1,
            rate: 60,
            pictures: false,
            picture_time: Duration::from_secs(5),
            picture_links: None,
        }
    }
}
