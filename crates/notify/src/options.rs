//! Settings of notifications.

use std::{path::PathBuf, time::Duration};

use redact::Secret;
use reqwest::Url;

use crate::{config_file::NOBODY, demo_receivers::DemoReceivers};

/// How messages reach their receivers.
#[derive(Debug, Clone)]
pub enum Transport {
    /// They are sent.
    Network,
    /// They are shown on a page and go nowhere.
    Shown(DemoReceivers),
}

/// An Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerConfig {
    /// Base URL.
    pub url: Url,
    /// Credentials, if it needs any.
    pub login: Option<AlertmanagerLogin>,
}

/// Credentials for an Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertmanagerLogin {
    /// User name and password.
    Basic(String, Option<Secret>),
    /// Bearer token.
    Bearer(Secret),
}

/// Settings of notifications of alerts and jobs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Path of Alertmanager's configuration file, if any.
    pub config: Option<PathBuf>,
    /// The configuration where there is no file.
    pub built_in: &'static str,
    /// How messages reach their receivers.
    pub transport: Transport,
    /// Short-form webhooks.
    pub hooks: Vec<alertmanager::hook::Hook>,
    /// Whether to deliver to private, loopback and link-local addresses.
    pub allow_private: bool,
    /// Timeout of one attempt.
    pub timeout: Duration,
    /// How long a delivery is retried.
    pub give_up: Duration,
    /// Maximum concurrent deliveries to one receiver.
    pub concurrency: usize,
    /// Maximum deliveries per minute to one receiver.
    pub rate: u32,
    /// Whether mails and Discord messages contain an image.
    pub pictures: bool,
    /// How long to wait for an image.
    pub picture_time: Duration,
    /// How long signed links to images in Slack messages are valid; `None` sends no links.
    pub picture_links: Option<Duration>,
}

impl Default for Options {
    /// Without receivers.
    fn default() -> Self {
        Options {
            config: None,
            built_in: NOBODY,
            transport: Transport::Network,
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
