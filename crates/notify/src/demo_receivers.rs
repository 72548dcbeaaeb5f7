//! The receivers of a demo: messages are not sent, but stored for the notifications page.

use std::{collections::VecDeque, sync::Arc};

use alertmanager::{
    config::Secret,
    hook::{self, HookFile},
    message::Outgoing,
    silence::Silence,
};
use model::clock::now_ms;
use parking_lot::Mutex;
use serde::Serialize;

use crate::{Notifier, Options, Transport, outbox::QueuedDelivery};

/// The demo's Alertmanager configuration.
const FILE: &str = include_str!("demo.yml");
/// Number of messages to retain per integration, so that no integration crowds out the others.
const KEPT: usize = 20;
/// Matchers of the demo's silence.
const SILENCED: &str = r#"alertname="DemoProviderBusy",provider=~"aws|azure""#;
/// Duration of the demo's silence.
const SILENCE_MS: i64 = 2 * 3_600_000;

/// A message that would have been sent.
#[derive(Debug, Clone, Serialize)]
pub struct ShownMessage {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Name of the receiver.
    pub receiver: String,
    /// `webhook`, `slack`, `discord`, `pagerduty`, `email` or `hook`.
    pub kind: String,
    /// The message.
    pub message: Outgoing,
}

/// The messages, newest first. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct DemoReceivers(Arc<Mutex<VecDeque<ShownMessage>>>);

impl DemoReceivers {
    pub(crate) fn take(&self, ticket: &QueuedDelivery, message: Outgoing) {
        let mut kept = self.0.lock();
        kept.push_front(ShownMessage {
            at: now_ms(),
            receiver: ticket.receiver.clone(),
            kind: ticket.kind.clone(),
            message,
        });
        let mut count = 0;
        kept.retain(|shown| {
            let is_same = shown.receiver == ticket.receiver && shown.kind == ticket.kind;
            count += usize::from(is_same);
            !is_same || count <= KEPT
        });
    }
}

/// `options` for a demo: without receivers of its own it has those of a file, and webhooks in each format, and shows their messages.
#[must_use]
pub fn demo_options(mut options: Options) -> Options {
    if options.config.is_some() || !options.hooks.is_empty() {
        return options;
    }
    options.built_in = FILE;
    options.transport = Transport::Shown(DemoReceivers::default());
    let webhook = |name: &str, url: &str, events: &[&str]| HookFile {
        name: name.to_owned(),
        url: Some(Secret::new(url)),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        ..HookFile::default()
    };
    let hooks = hook::check(vec![
        webhook("jobs to Slack", "https://hooks.slack.com/services/demo", &["job.failed"]),
        webhook(
            "jobs to Discord",
            "https://discord.com/api/webhooks/demo",
            &["job.completed", "job.failed", "job.cancelled"],
        ),
        webhook("everything as JSON", "https://hooks.example.org/events", &["*"]),
    ]);
    match hooks {
        Ok(hooks) => options.hooks = hooks,
        Err(error) => tracing::error!(error, "invalid webhooks of the demo"),
    }
    options
}

impl Notifier {
    /// The messages that would have been sent, newest first; `None` if messages are really sent.
    #[must_use]
    pub fn shown(&self) -> Option<Vec<ShownMessage>> {
        match &self.0.options.transport {
            Transport::Shown(receivers) => Some(receivers.0.lock().iter().cloned().collect()),
            Transport::Network => None,
        }
    }

    /// Creates the demo's silence unless it exists.
    pub async fn begin_demo_silence(&self) {
        let Ok(matchers) = SILENCED.parse() else { return };
        let now_ms = now_ms();
        if self.0.dispatcher().silences.all().any(|silence| silence.ends_at_ms > now_ms) {
            return;
        }
        let silence = Silence {
            id: String::new(),
            matchers,
            starts_at_ms: now_ms,
            ends_at_ms: now_ms.saturating_add(SILENCE_MS),
            created_by: "demo".to_owned(),
            comment: "A planned migration keeps these providers busy".to_owned(),
            updated_at_ms: 0,
        };
        if let Err(error) = self.put_silence(silence).await {
            tracing::warn!(%error, "cannot create the silence of the demo");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_gets_much_crowds_out_no_other() {
        let ticket = |receiver: &str| QueuedDelivery {
            seq: 1,
            id: "d".into(),
            receiver: receiver.into(),
            kind: "hook".into(),
            place: 0,
            lane: "l".into(),
            attempts: 1,
            created_at: 0,
            next_at: 0,
        };
        let receivers = DemoReceivers::default();
        receivers.take(&ticket("quiet"), Outgoing::Json(0.into()));
        for number in 1..100 {
            receivers.take(&ticket("loud"), Outgoing::Json(number.into()));
        }
        let kept = receivers.0.lock();
        assert_eq!(kept.len(), 1 + KEPT);
        assert_eq!(kept.front().unwrap().message, Outgoing::Json(99.into()), "the newest first");
        assert_eq!(kept.back().unwrap().receiver, "quiet");
    }
}
