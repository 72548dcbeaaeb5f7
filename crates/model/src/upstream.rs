//! What the server reads from, and in what state each source is.

use serde::{Deserialize, Serialize};

use crate::{from_members, from_word};

/// Kind of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamKind {
    /// `hypervisord`.
    Daemon,
    /// Prometheus, Thanos, Mimir, VictoriaMetrics.
    Prometheus,
    /// Alertmanager.
    Alertmanager,
    /// The store in this process.
    Store,
}

from_word!(UpstreamKind {
    "daemon" => Daemon,
    "prometheus" => Prometheus,
    "alertmanager" => Alertmanager,
    "store" => Store,
});

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamState {
    /// Not reached yet.
    Connecting,
    /// Data arrives over the socket or answers arrive in time.
    Live,
    /// The socket is down; data comes by polling.
    Polling,
    /// Reached, but nothing new for too long.
    Stale,
    /// Not reached.
    Down,
}

from_word!(UpstreamState {
    "connecting" => Connecting,
    "live" => Live,
    "polling" => Polling,
    "stale" => Stale,
    "down" => Down,
});

impl UpstreamState {
    /// The word for it in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            UpstreamState::Connecting => "connecting",
            UpstreamState::Live => "live",
            UpstreamState::Polling => "polling",
            UpstreamState::Stale => "stale",
            UpstreamState::Down => "down",
        }
    }

    /// True when what is shown from this source is current.
    #[must_use]
    pub fn is_fresh(self) -> bool {
        matches!(self, UpstreamState::Live | UpstreamState::Polling)
    }
}

/// One source, as `/api/upstreams` and the live topic `upstreams` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Configured name.
    pub name: String,
    /// What it is.
    pub kind: UpstreamKind,
    /// How it is doing.
    pub state: UpstreamState,
    /// When its state last changed, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// When data last came from it.
    pub last_data_ms: Option<i64>,
    /// Times the connection was made again after the first.
    pub reconnects: u64,
    /// How long the last scrape or query took.
    pub scrape_duration_seconds: Option<f64>,
    /// What is wrong, in words for a person, without secrets.
    pub error: Option<String>,
    /// What it is made to be: dialect and version of a daemon, version of an engine.
    pub detail: Option<String>,
}

from_members!(UpstreamStatus {
    name,
    kind,
    state,
    since_ms,
    last_data_ms,
    reconnects,
    scrape_duration_seconds,
    error,
    detail,
});
