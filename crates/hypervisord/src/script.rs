//! A scripted daemon: tests say what it sends and when, and see the events.

use std::{sync::Arc, time::Duration};

use model::live::Event;
use redact::Redactor;
use scrape::{Endpoint, Response};

use crate::{
    clock::Now,
    daemon::{Daemon, Options},
    detect::{Dialect, Profile},
    feed::FeedReader,
    poll::Poll,
};

/// The second 0 of a script: 2026-03-01T09:00:00Z.
pub(crate) const START_MS: i64 = 1_772_355_600_000;

/// The time of a second of the script.
pub(crate) fn now(second: f64) -> Now {
    let at = Duration::from_secs_f64(second);
    Now { ms: START_MS + i64::try_from(at.as_millis()).unwrap(), at }
}

pub(crate) struct Script {
    pub(crate) daemon: Daemon,
    pub(crate) endpoint: Endpoint,
    reader: FeedReader,
}

impl Script {
    pub(crate) fn new() -> Self {
        let redactor = Arc::new(Redactor::default());
        Script {
            daemon: Daemon::new("d", Options::default(), Arc::clone(&redactor), START_MS),
            endpoint: Endpoint::new("http://h:8080".parse().unwrap(), "a hypervisord", Arc::clone(&redactor)),
            reader: FeedReader::new(redactor),
        }
    }

    /// The daemon is stock, without metrics.
    pub(crate) fn recognise_stock(&mut self, second: f64) {
        self.daemon.recognised(profile(Dialect::Stock, None), now(second));
        let _ = self.daemon.take_effects();
    }

    /// A message of the socket; returns the events.
    pub(crate) fn message(&mut self, second: f64, text: &str) -> Vec<String> {
        let incoming = self.reader.read(text).unwrap();
        self.daemon.receive(incoming, now(second));
        self.events()
    }

    /// Answers a poll: with this body, or with an error of the daemon. Returns the next poll.
    pub(crate) fn answer(&mut self, second: f64, poll: Poll, body: Option<&str>) -> Option<Poll> {
        let response = Response {
            status: if body.is_some() { 200 } else { 500 },
            content_type: None,
            body: body.unwrap_or("broken").into(),
        };
        let answer = self.endpoint.read(&poll.request.path, response);
        let polled = answer.and_then(|answer| poll.read(&self.endpoint, &answer));
        self.daemon.polled(poll, polled, now(second))
    }

    /// The events since the last call, in short words.
    pub(crate) fn events(&mut self) -> Vec<String> {
        self.daemon.take_effects().events.iter().map(short).collect()
    }
}

pub(crate) fn profile(dialect: Dialect, metrics_path: Option<&'static str>) -> Profile {
    Profile { prefix: "", dialect, version: None, metrics_path, metrics_trouble: None, may_have_metrics: false }
}

fn short(event: &Event) -> String {
    match event {
        Event::JobProgress(progress) => format!("{} {:.0}%", progress.job_id, progress.percent.unwrap_or(f64::NAN)),
        Event::JobStatus(transition) => format!("{} {}", transition.job_id, transition.status.name()),
        Event::JobRemoved(key) => format!("{} removed", key.job_id),
        Event::SystemMetrics(_) => "system".to_owned(),
        Event::UpstreamStatus(status) => match &status.error {
            Some(error) => format!("{}: {error}", status.state.name()),
            None => status.state.name().to_owned(),
        },
        Event::AlertFired(alert) => format!("{} fires at {}", alert.name, alert.labels["daemon"]),
        Event::AlertResolved(alert) => format!("{} resolved at {}", alert.name, alert.labels["daemon"]),
    }
}
