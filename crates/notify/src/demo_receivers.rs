//! The receivers of a demo: nothing is sent, and what each would have got is kept for people to look at.

use std::collections::VecDeque;

use alertmanager::{
    config::Secret,
    hook::{self, HookFile},
    message::Outgoing,
    silence::Silence,
};
use model::clock::now_ms;
use parking_lot::Mutex;
use serde::Serialize;

use crate::{Notifier, Options as NotifyConfig, outbox::QueuedDelivery};

/// Alertmanager's configuration file of a demo.
pub(crate) const FILE: &str = include_str!("demo.yml");
/// Messages kept of each receiver's means, so that none crowds out the others.
const KEPT: usize = 20;
/// The alerts that a demo silences, so that a silence can be seen.
const SILENCED: &str = r#"alertname="DemoProviderBusy",provider=~"aws|azure""#;
/// For how long.
const SILENCE_MS: i64 = 2 * 3_600_000;

/// A message that a receiver would have got.
#[derive(Debug, Clone, Serialize)]
pub struct ShownMessage {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Whom it is for.
    pub receiver: String,
    /// `webhook`, `slack`, `discord`, `pagerduty`, `email` or `hook`.
    pub kind: String,
    /// The message.
    pub message: Outgoing,
}

/// What was kept, the newest first.
#[derive(Debug, Default)]
pub(crate) struct DemoReceivers(Mutex<VecDeque<ShownMessage>>);

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

/// Whether a demo with these settings shows messages rather than sends them: it is told nothing of receivers.
pub(crate) fn is_wanted(options: &NotifyConfig) -> bool {
    options.config.is_none() && options.hooks.is_empty()
}

/// The settings of a demo that shows messages: webhooks of every format beside the receivers of [`FILE`].
pub(crate) fn options(mut options: NotifyConfig) -> NotifyConfig {
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
        Err(error) => tracing::error!(error, "the webhooks of the demo are wrong"),
    }
    options
}

impl Notifier {
    /// The messages that receivers would have got, the newest first; `None` where messages are sent.
    #[must_use]
    pub fn shown(&self) -> Option<Vec<ShownMessage>> {
        let showcase = self.0.showcase.as_ref()?;
        Some(showcase.0.lock().iter().cloned().collect())
    }

    /// Begins the silence of a demo, unless it has one.
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
            tracing::warn!(%error, "the silence of the demo could not be made");
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
        let showcase = DemoReceivers::default();
        showcase.take(&ticket("quiet"), Outgoing::Json(0.into()));
        for number in 1..100 {
            showcase.take(&ticket("loud"), Outgoing::Json(number.into()));
        }
        let kept = showcase.0.lock();
        assert_eq!(kept.len(), 1 + KEPT);
        assert_eq!(kept.front().unwrap().message, Outgoing::Json(99.into()), "the newest first");
        assert_eq!(kept.back().unwrap().receiver, "quiet");
    }
}
