//! The schema of the configuration file. [`ConfigFile::check`] turns it into a [`super::Config`].

use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use model::range::DurationMs;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};
use serde_saphyr::Spanned;

use super::{
    Secret,
    http::Http,
    receiver::{Discord, Email, PagerDuty, Slack, Webhook},
};
use crate::time_interval::TimeSpec;

/// A duration in Prometheus' syntax, in milliseconds; `0` is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub i64);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "0" {
            return Ok(Period(0));
        }
        DurationMs::from_str(&text).map(|DurationMs(ms)| Period(ms)).map_err(D::Error::custom)
    }
}

/// Alertmanager's configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// Defaults for receivers.
    pub global: Global,
    /// The root route.
    pub route: Option<Spanned<RouteFile>>,
    /// Inhibition rules.
    pub inhibit_rules: Vec<Spanned<InhibitFile>>,
    /// Receivers.
    pub receivers: Vec<Spanned<ReceiverFile>>,
    /// Globs of template files.
    pub templates: Vec<String>,
    /// Named time intervals, in the deprecated spelling.
    pub mute_time_intervals: Vec<Spanned<IntervalFile>>,
    /// Named time intervals.
    pub time_intervals: Vec<Spanned<IntervalFile>>,
}

/// `global`. The last keys belong to receivers that we do not support; files that Alertmanager generates contain them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "named and meant as in Alertmanager's documentation")]
pub struct Global {
    pub resolve_timeout: Option<Period>,
    pub http_config: Option<Spanned<Http>>,
    pub smtp_from: String,
    pub smtp_hello: Option<String>,
    pub smtp_smarthost: Option<Spanned<String>>,
    pub smtp_auth_username: String,
    pub smtp_auth_password: Option<Secret>,
    pub smtp_auth_password_file: Option<Spanned<PathBuf>>,
    pub smtp_auth_secret: Option<Secret>,
    pub smtp_auth_identity: String,
    pub smtp_require_tls: Option<bool>,
    pub slack_api_url: Option<Secret>,
    pub slack_api_url_file: Option<Spanned<PathBuf>>,
    pub pagerduty_url: Option<String>,
    pub opsgenie_api_key: Option<IgnoredAny>,
    pub opsgenie_api_key_file: Option<IgnoredAny>,
    pub opsgenie_api_url: Option<IgnoredAny>,
    pub wechat_api_url: Option<IgnoredAny>,
    pub wechat_api_secret: Option<IgnoredAny>,
    pub wechat_api_corp_id: Option<IgnoredAny>,
    pub victorops_api_key: Option<IgnoredAny>,
    pub victorops_api_key_file: Option<IgnoredAny>,
    pub victorops_api_url: Option<IgnoredAny>,
    pub telegram_api_url: Option<IgnoredAny>,
    pub webex_api_url: Option<IgnoredAny>,
}

/// A node of the routing tree.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "named and meant as in Alertmanager's documentation")]
pub struct RouteFile {
    pub receiver: Option<Spanned<String>>,
    pub group_by: Option<Spanned<Vec<String>>>,
    #[serde(rename = "match")]
    pub equal: BTreeMap<String, Spanned<String>>,
    pub match_re: BTreeMap<String, Spanned<String>>,
    pub matchers: Vec<Spanned<String>>,
    pub mute_time_intervals: Vec<Spanned<String>>,
    pub active_time_intervals: Vec<Spanned<String>>,
    pub labels: BTreeMap<String, Spanned<String>>,
    #[serde(rename = "continue")]
    pub goes_on: bool,
    pub routes: Vec<Spanned<RouteFile>>,
    pub group_wait: Option<Period>,
    pub group_interval: Option<Spanned<Period>>,
    pub repeat_interval: Option<Spanned<Period>>,
}

/// A receiver.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "named and meant as in Alertmanager's documentation")]
pub struct ReceiverFile {
    pub name: String,
    pub webhook_configs: Vec<Spanned<Webhook>>,
    pub slack_configs: Vec<Spanned<Slack>>,
    pub discord_configs: Vec<Spanned<Discord>>,
    pub pagerduty_configs: Vec<Spanned<PagerDuty>>,
    pub email_configs: Vec<Spanned<Email>>,
}

/// An entry of `inhibit_rules`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "named and meant as in Alertmanager's documentation")]
pub struct InhibitFile {
    pub name: String,
    pub source_match: BTreeMap<String, Spanned<String>>,
    pub source_match_re: BTreeMap<String, Spanned<String>>,
    pub source_matchers: Vec<Spanned<String>>,
    pub target_match: BTreeMap<String, Spanned<String>>,
    pub target_match_re: BTreeMap<String, Spanned<String>>,
    pub target_matchers: Vec<Spanned<String>>,
    pub equal: Vec<Spanned<String>>,
}

/// A named time interval.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "named and meant as in Alertmanager's documentation")]
pub struct IntervalFile {
    pub name: String,
    pub time_intervals: Vec<Spanned<TimeSpec>>,
}
