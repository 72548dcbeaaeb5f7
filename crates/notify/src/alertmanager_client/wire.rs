//! JSON types of Alertmanager's API v2 that the client reads and writes.

use std::sync::Arc;

use alertmanager::{
    alert::{Alert, Labels},
    matcher::MatcherJson,
    silence::{Silence, matchers},
};
use jiff::Timestamp;
use labels::Fingerprint;
use serde::{Deserialize, Serialize};

/// Alertmanager's status of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RemoteStatus {
    /// IDs of the silences that mute it.
    #[serde(rename = "silencedBy", default)]
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibit it.
    #[serde(rename = "inhibitedBy", default)]
    pub inhibited_by: Vec<String>,
}

/// An alert in the API's JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AlertJson {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(rename = "startsAt", skip_serializing_if = "Option::is_none", default)]
    starts_at: Option<String>,
    #[serde(rename = "endsAt", skip_serializing_if = "Option::is_none", default)]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", default)]
    generator_url: String,
}

/// An alert as the API returns it.
#[derive(Debug, Deserialize)]
pub(crate) struct RemoteAlert {
    pub fingerprint: Fingerprint,
    pub status: RemoteStatus,
    #[serde(default)]
    receivers: Vec<RemoteReceiver>,
    #[serde(rename = "updatedAt", default)]
    updated_at: Option<String>,
    #[serde(flatten)]
    alert: AlertJson,
}

/// An alert that an Alertmanager knows.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub alert: Arc<Alert>,
    pub status: RemoteStatus,
    pub receivers: Vec<String>,
}

impl From<RemoteAlert> for Remote {
    fn from(remote: RemoteAlert) -> Self {
        let ms = |text: &Option<String>| text.as_deref().and_then(read_time).unwrap_or(0);
        let alert = Alert {
            fingerprint: remote.fingerprint,
            labels: remote.alert.labels,
            annotations: remote.alert.annotations,
            starts_at_ms: ms(&remote.alert.starts_at),
            ends_at_ms: ms(&remote.alert.ends_at),
            updated_at_ms: ms(&remote.updated_at),
            generator_url: remote.alert.generator_url,
            value: None,
        };
        let receivers = remote.receivers.into_iter().map(|receiver| receiver.name).collect();
        Remote { alert: Arc::new(alert), status: remote.status, receivers }
    }
}

fn read_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[derive(Debug, Deserialize)]
struct RemoteReceiver {
    name: String,
}

/// A silence in the API's JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SilenceJson {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub matchers: Vec<MatcherJson>,
    #[serde(rename = "startsAt")]
    pub starts_at: String,
    #[serde(rename = "endsAt")]
    pub ends_at: String,
    #[serde(rename = "createdBy")]
    pub created_by: String,
    pub comment: String,
    #[serde(rename = "updatedAt", default, skip_serializing)]
    pub updated_at: Option<String>,
}

/// A time in the API's format.
pub fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

impl From<&Alert> for AlertJson {
    fn from(alert: &Alert) -> Self {
        AlertJson {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at: Some(time(alert.starts_at_ms)),
            ends_at: Some(time(alert.ends_at_ms)),
            generator_url: alert.generator_url.clone(),
        }
    }
}

impl SilenceJson {
    /// The silence; `None` if we cannot parse it.
    pub(crate) fn read(self) -> Option<Silence> {
        let ms = read_time;
        Some(Silence {
            id: self.id,
            matchers: matchers(self.matchers).ok()?,
            starts_at_ms: ms(&self.starts_at)?,
            ends_at_ms: ms(&self.ends_at)?,
            created_by: self.created_by,
            comment: self.comment,
            updated_at_ms: self.updated_at.as_deref().and_then(ms).unwrap_or(0),
        })
    }
}
