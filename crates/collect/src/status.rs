//! The status of a source, and the publication of its changes.

use model::{
    live::Event,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};
use parking_lot::Mutex;
use tokio::sync::broadcast;

/// The status of one source. Publishes changes that people would notice.
pub(crate) struct StatusCell {
    status: Mutex<UpstreamStatus>,
    /// The last logged error: an intermittent error is logged once.
    logged: Mutex<Option<String>>,
    events: broadcast::Sender<Event>,
}

impl StatusCell {
    pub(crate) fn new(name: &str, kind: UpstreamKind, now_ms: i64, events: broadcast::Sender<Event>) -> Self {
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
        StatusCell { status: Mutex::new(status), logged: Mutex::default(), events }
    }

    pub(crate) fn get(&self) -> UpstreamStatus {
        self.status.lock().clone()
    }

    pub(crate) fn state(&self) -> UpstreamState {
        self.status.lock().state
    }

    /// When the daemon last sent data, in milliseconds since the Unix epoch.
    pub(crate) fn last_data_ms(&self) -> Option<i64> {
        self.status.lock().last_data_ms
    }

    /// Changes the status. The times of data and scrapes change constantly and are not published by themselves.
    pub(crate) fn update(&self, now_ms: i64, change: impl FnOnce(&mut UpstreamStatus)) {
        let mut status = self.status.lock();
        let before = status.clone();
        change(&mut status);
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
        self.log_error(&status, &before);
        let is_news = status.state != before.state
            || status.error != before.error
            || status.detail != before.detail
            || status.reconnects != before.reconnects;
        if is_news {
            // There are no receivers shortly after the start and before the end of the server.
            let _ = self.events.send(Event::UpstreamStatus(status.clone()));
        }
    }

    /// Logs an error once, unless the line about the state contains it.
    fn log_error(&self, status: &UpstreamStatus, before: &UpstreamStatus) {
        let Some(error) = status.error.as_ref().filter(|_| status.error != before.error) else { return };
        let mut logged = self.logged.lock();
        if logged.as_ref() == Some(error) {
            return;
        }
        *logged = Some(error.clone());
        if status.state == before.state {
            tracing::warn!(upstream = status.name, error, "upstream has a problem");
        }
    }
}
