//! Tracks the health of a source by its responses.

use std::time::Duration;

use model::upstream::{UpstreamKind, UpstreamState, UpstreamStatus};

/// Health of a source that is polled or queried.
#[derive(Debug)]
pub struct SourceHealth {
    state: UpstreamState,
    since_ms: i64,
    last_data_ms: Option<i64>,
    reconnects: u64,
    duration_secs: Option<f64>,
    error: Option<String>,
}

impl SourceHealth {
    /// Before the first request.
    pub fn new(now_ms: i64) -> Self {
        SourceHealth {
            state: UpstreamState::Connecting,
            since_ms: now_ms,
            last_data_ms: None,
            reconnects: 0,
            duration_secs: None,
            error: None,
        }
    }

    /// Records a response, with its duration if measured; returns whether the source was down before.
    pub fn answered(&mut self, now_ms: i64, took: Option<Duration>) -> bool {
        let is_back = matches!(self.state, UpstreamState::Down | UpstreamState::Stale);
        if is_back {
            self.reconnects += 1;
        }
        self.become_state(UpstreamState::Live, now_ms);
        self.last_data_ms = Some(now_ms);
        self.duration_secs = took.map(|took| took.as_secs_f64());
        self.error = None;
        is_back
    }

    /// Sets when data last arrived, if that is known better than by responses.
    pub fn set_last_data(&mut self, at_ms: Option<i64>) {
        self.last_data_ms = at_ms;
    }

    /// Records a failure; returns whether it is new. `error` is for people and contains no secrets.
    pub fn failed(&mut self, error: &str, now_ms: i64) -> bool {
        self.error = Some(error.to_owned());
        self.become_state(UpstreamState::Down, now_ms)
    }

    /// Records that the source rejects requests; returns whether that is new. `error` is for people and contains no
    /// secrets.
    pub fn refused(&mut self, error: &str, now_ms: i64) -> bool {
        self.error = Some(error.to_owned());
        let state = if self.last_data_ms.is_some() { UpstreamState::Stale } else { UpstreamState::Down };
        self.become_state(state, now_ms)
    }

    fn become_state(&mut self, state: UpstreamState, now_ms: i64) -> bool {
        let is_news = self.state != state;
        if is_news {
            self.state = state;
            self.since_ms = now_ms;
        }
        is_news
    }

    /// The status to show, with the source's name. `detail` describes the kind of source.
    pub fn status(&self, name: &str, kind: UpstreamKind, detail: Option<String>) -> UpstreamStatus {
        UpstreamStatus {
            name: name.to_owned(),
            kind,
            state: self.state,
            since_ms: self.since_ms,
            last_data_ms: self.last_data_ms,
            reconnects: self.reconnects,
            scrape_duration_seconds: self.duration_secs,
            error: self.error.clone(),
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_judged_by_its_answers() {
        let mut health = SourceHealth::new(1);
        let shown = |health: &SourceHealth| {
            let status = health.status("a", UpstreamKind::Alertmanager, None);
            (status.state, status.since_ms, status.last_data_ms, status.reconnects, status.error)
        };
        assert_eq!(shown(&health), (UpstreamState::Connecting, 1, None, 0, None));
        assert!(health.refused("HTTP 401", 2), "it never answered: it is down");
        assert_eq!(shown(&health), (UpstreamState::Down, 2, None, 0, Some("HTTP 401".to_owned())));
        assert!(health.answered(3, Some(Duration::ZERO)) && !health.answered(4, None));
        assert_eq!(shown(&health), (UpstreamState::Live, 3, Some(4), 1, None));
        assert!(health.refused("HTTP 401", 5) && !health.refused("HTTP 403", 6));
        assert_eq!(shown(&health), (UpstreamState::Stale, 5, Some(4), 1, Some("HTTP 403".to_owned())));
        assert!(health.failed("refused", 7));
        assert_eq!(shown(&health), (UpstreamState::Down, 7, Some(4), 1, Some("refused".to_owned())));
    }
}
