//! The state of the live connection, and its words.

use leptos::prelude::Get;

use crate::clock::Clock;

/// State of the live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connection {
    /// The first attempt is under way.
    #[default]
    Connecting,
    /// Messages arrive as they happen.
    Live,
    /// The socket was lost.
    Reconnecting {
        /// When it was lost, in milliseconds since the Unix epoch.
        since_ms: i64,
        /// When the next attempt is due; `None` while one is under way.
        retry_at_ms: Option<i64>,
    },
    /// Sockets cannot be opened. The page polls by HTTP instead.
    Polling,
    /// Neither sockets nor polling work.
    Offline {
        /// When the connection was lost, in milliseconds since the Unix epoch.
        since_ms: i64,
    },
    /// The viewer paused the page.
    Paused,
    /// The viewer paused the page, and the server cannot be reached.
    PausedOffline {
        /// When the last update came, in milliseconds since the Unix epoch.
        since_ms: i64,
    },
}

impl Connection {
    /// For the indicator: `live`, `reconnecting in 4 s`, `offline since 12:03`.
    #[must_use]
    pub fn words(self, clock: Clock) -> String {
        match self {
            Connection::Connecting => "connecting".to_owned(),
            Connection::Live => "live".to_owned(),
            Connection::Reconnecting { retry_at_ms: None, .. } => "reconnecting".to_owned(),
            Connection::Reconnecting { retry_at_ms: Some(at_ms), .. } => {
                let wait_ms = at_ms.saturating_sub(clock.now_ms.get()).max(0);
                format!("reconnecting in {} s", wait_ms.saturating_add(999) / 1_000)
            }
            Connection::Polling => "polling".to_owned(),
            Connection::Offline { since_ms } => format!("offline since {}", clock.time(since_ms)),
            Connection::Paused => "paused".to_owned(),
            Connection::PausedOffline { .. } => "paused, server gone".to_owned(),
        }
    }

    /// The words for a page whose range is in the past, which has no updates and so is not live.
    #[must_use]
    pub fn words_on_the_past(self, clock: Clock) -> String {
        match self {
            Connection::Live | Connection::Polling => "connected".to_owned(),
            other => other.words(clock),
        }
    }

    /// Name of the state, for style sheets and tests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Connection::Connecting => "connecting",
            Connection::Live => "live",
            Connection::Reconnecting { .. } => "reconnecting",
            Connection::Polling => "polling",
            Connection::Offline { .. } | Connection::PausedOffline { .. } => "offline",
            Connection::Paused => "paused",
        }
    }

    /// When updates stopped, in milliseconds since the Unix epoch, if they did.
    #[must_use]
    pub fn lost_at_ms(self) -> Option<i64> {
        match self {
            Connection::Reconnecting { since_ms, .. }
            | Connection::Offline { since_ms }
            | Connection::PausedOffline { since_ms } => Some(since_ms),
            Connection::Connecting | Connection::Live | Connection::Polling | Connection::Paused => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use leptos::prelude::Owner;
    use model::zone::Zone;

    use super::*;

    #[test]
    fn the_indicator_counts_down_in_whole_seconds() {
        let owner = Owner::new();
        owner.with(|| {
            let clock = Clock::new(10_000, Zone::UTC);
            let words = |retry_at_ms| Connection::Reconnecting { since_ms: 0, retry_at_ms }.words(clock);
            assert_eq!(words(Some(13_001)), "reconnecting in 4 s");
            assert_eq!(words(Some(9_000)), "reconnecting in 0 s");
            assert_eq!(words(None), "reconnecting");
            let alone = Connection::PausedOffline { since_ms: 7_000 };
            assert_eq!((alone.words(clock).as_str(), alone.lost_at_ms()), ("paused, server gone", Some(7_000)));
            assert_eq!(
                Connection::Offline { since_ms: 0 }.words(Clock::new(43_200_000, Zone::Fixed(3))),
                "offline since 00:03"
            );
        });
    }
}
