//! The status of a source, and which of its changes are published and logged.

use model::{
    live::Event,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};

/// The status of one source.
#[derive(Debug)]
pub struct TrackedStatus {
    status: UpstreamStatus,
    /// The last logged error: an intermittent error is logged once.
    logged: Option<String>,
}

impl TrackedStatus {
    /// The status of a source that is not connected yet.
    #[must_use]
    pub fn new(name: &str, kind: UpstreamKind, now_ms: i64) -> Self {
        let status = UpstreamStatus {
            name: name.to_owned(),
            kind,
            state: UpstreamState::Connecting,
            since_ms: now_ms,
            last_data_ms: None,
            reconnects: 0,
            scrape_duration_seconds: None,
            error: None,
            detail: None,
        };
        TrackedStatus { status, logged: None }
    }

    /// The current status.
    #[must_use]
    pub fn get(&self) -> &UpstreamStatus {
        &self.status
    }

    /// Changes the status. Returns an event if people would notice: the times of data and scrapes change constantly and
    /// are not published by themselves.
    #[must_use = "a change is to be published"]
    pub fn update(&mut self, now_ms: i64, change: impl FnOnce(&mut UpstreamStatus)) -> Option<Event> {
        let before = self.status.clone();
        let status = &mut self.status;
        change(status);
        if status.state != before.state {
            status.since_ms = now_ms;
            tracing::info!(
                upstream = status.name,
                from = before.state.name(),
                to = status.state.name(),
                error = status.error,
                "upstream changed"
            );
        }
        self.log_error(&before);
        let status = &self.status;
        let is_news = status.state != before.state
            || status.error != before.error
            || status.detail != before.detail
            || status.reconnects != before.reconnects;
        is_news.then(|| Event::UpstreamStatus(status.clone()))
    }

    /// Logs an error once, unless the line about the state contains it.
    fn log_error(&mut self, before: &UpstreamStatus) {
        let status = &self.status;
        let Some(error) = status.error.as_ref().filter(|_| status.error != before.error) else { return };
        if self.logged.as_ref() == Some(error) {
            return;
        }
        self.logged = Some(error.clone());
        if status.state == before.state {
            tracing::warn!(upstream = status.name, error, "upstream has a problem");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_what_people_notice() {
        let mut status = TrackedStatus::new("d", UpstreamKind::Daemon, 1);
        assert_eq!((status.get().state, status.get().since_ms), (UpstreamState::Connecting, 1));
        let Some(Event::UpstreamStatus(published)) = status.update(2, |status| status.state = UpstreamState::Live)
        else {
            panic!("a new state is published");
        };
        assert_eq!((published.state, published.since_ms), (UpstreamState::Live, 2));
        let quiet = status.update(3, |status| {
            status.last_data_ms = Some(3);
            status.scrape_duration_seconds = Some(0.1);
        });
        assert_eq!((quiet, status.get().since_ms, status.get().last_data_ms), (None, 2, Some(3)));
        assert!(status.update(4, |status| status.error = Some("broken".to_owned())).is_some());
        assert!(status.update(5, |status| status.error = Some("broken".to_owned())).is_none(), "nothing new");
        assert!(status.update(6, |status| status.reconnects += 1).is_some());
        assert_eq!(status.get().since_ms, 2, "the state is the same");
    }
}
