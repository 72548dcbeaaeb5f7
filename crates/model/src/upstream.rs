//! The sources of the server and their states.

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

/// State of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamState {
    /// Not reached yet.
    Connecting,
    /// Data arrives over the socket, or responses arrive in time.
    Live,
    /// The socket is down; data arrives by polling.
    Polling,
    /// Reachable, but without new data for too long.
    Stale,
    /// Not reachable.
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
    /// Name in messages.
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

    /// True if data of this source is fresh.
    #[must_use]
    pub fn is_fresh(self) -> bool {
        matches!(self, UpstreamState::Live | UpstreamState::Polling)
    }
}

/// One source in `/api/upstreams` and the live topic `upstreams`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Configured name.
    pub name: String,
    /// Kind.
    pub kind: UpstreamKind,
    /// State.
    pub state: UpstreamState,
    /// When its state last changed, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// When data last arrived.
    pub last_data_ms: Option<i64>,
    /// Number of reconnects.
    pub reconnects: u64,
    /// Duration of the last scrape or query.
    pub scrape_duration_seconds: Option<f64>,
    /// What is wrong, for people, without secrets.
    pub error: Option<String>,
    /// Dialect and version of a daemon, or version of an engine.
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

/// Since when (milliseconds since the Unix epoch) and why data of these sources is old; `None` if it is fresh, or if
/// there never was any.
#[must_use]
pub fn trouble<'a>(statuses: impl IntoIterator<Item = &'a UpstreamStatus>) -> Option<(i64, String)> {
    let mut since_ms: Option<i64> = None;
    let mut reasons = Vec::new();
    for status in statuses {
        let Some(last_ms) = status.last_data_ms.filter(|_| !status.state.is_fresh()) else { continue };
        since_ms = Some(since_ms.map_or(last_ms, |earliest| earliest.min(last_ms)));
        let state = format!("{} is {}", status.name, status.state.name());
        reasons.push(match &status.error {
            Some(error) => format!("{state}: {error}"),
            None => state,
        });
    }
    Some((since_ms?, reasons.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_old_since_the_earliest_source_was_last_heard() {
        let status = |name: &str, state, last_data_ms, error: Option<&str>| UpstreamStatus {
            name: name.into(),
            kind: UpstreamKind::Daemon,
            state,
            since_ms: 0,
            last_data_ms,
            reconnects: 0,
            scrape_duration_seconds: None,
            error: error.map(str::to_owned),
            detail: None,
        };
        let fresh = status("a", UpstreamState::Polling, Some(9), Some("slow"));
        let down = status("b", UpstreamState::Down, Some(7), Some("refused"));
        let stale = status("c", UpstreamState::Stale, Some(5), None);
        let unheard = status("d", UpstreamState::Down, None, Some("refused"));
        assert_eq!(trouble([&fresh, &unheard]), None);
        assert_eq!(trouble([&down, &fresh, &stale]), Some((5, "b is down: refused; c is stale".to_owned())));
    }
}
