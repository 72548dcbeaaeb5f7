//! Events that short-form webhooks receive.

use std::sync::Arc;

use model::{
    job::{Job, JobStatus},
    live::JobTransition,
};
use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// Names of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventName {
    /// A job was accepted.
    #[serde(rename = "job.created")]
    JobCreated,
    /// A job started.
    #[serde(rename = "job.started")]
    JobStarted,
    /// A job completed successfully.
    #[serde(rename = "job.completed")]
    JobCompleted,
    /// A job ended with an error.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// A job was cancelled.
    #[serde(rename = "job.cancelled")]
    JobCancelled,
    /// An alert started to fire.
    #[serde(rename = "alert.fired")]
    AlertFired,
    /// An alert resolved.
    #[serde(rename = "alert.resolved")]
    AlertResolved,
}

impl EventName {
    /// All events.
    pub const ALL: [EventName; 7] = [
        EventName::JobCreated,
        EventName::JobStarted,
        EventName::JobCompleted,
        EventName::JobFailed,
        EventName::JobCancelled,
        EventName::AlertFired,
        EventName::AlertResolved,
    ];

    /// Name in the configuration and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventName::JobCreated => "job.created",
            EventName::JobStarted => "job.started",
            EventName::JobCompleted => "job.completed",
            EventName::JobFailed => "job.failed",
            EventName::JobCancelled => "job.cancelled",
            EventName::AlertFired => "alert.fired",
            EventName::AlertResolved => "alert.resolved",
        }
    }
}

/// Parses the `events` list of the file; an empty list selects all events.
pub(super) fn named(texts: &[String]) -> Result<Vec<EventName>, String> {
    let mut events = Vec::new();
    let everything = ["*".to_owned()];
    for text in if texts.is_empty() { everything.as_slice() } else { texts } {
        let before = events.len();
        let prefix = text.strip_suffix('*');
        events.extend(EventName::ALL.into_iter().filter(|event| {
            prefix.map_or(event.name() == text, |prefix| {
                (prefix.is_empty() || prefix.ends_with('.')) && event.name().starts_with(prefix)
            })
        }));
        if events.len() == before {
            let known: Vec<_> = EventName::ALL.into_iter().map(EventName::name).collect();
            return Err(format!("there is no event {text:?}: use {}, job.*, alert.* or *", known.join(", ")));
        }
    }
    Ok(events)
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct HookEvent {
    /// Name of the event.
    pub name: EventName,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What it is about.
    pub subject: Subject,
}

/// The subject of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A job, in its state after the event.
    Job(Box<Job>),
    /// An alert, in its state after the event.
    Alert(Arc<Alert>),
}

/// The event for a job's transition. A job that already existed when the server started creates no event until it
/// starts.
#[must_use]
pub fn of_transition(transition: &JobTransition) -> Option<HookEvent> {
    let name = match (transition.from, transition.status) {
        (None, JobStatus::Pending) => EventName::JobCreated,
        (_, JobStatus::Running) => EventName::JobStarted,
        (_, JobStatus::Completed) => EventName::JobCompleted,
        (_, JobStatus::Failed) => EventName::JobFailed,
        (_, JobStatus::Cancelled) => EventName::JobCancelled,
        (_, JobStatus::Pending | JobStatus::Cancelling | JobStatus::Unknown) => return None,
    };
    Some(HookEvent { name, at_ms: transition.timestamp, subject: Subject::Job(Box::new(transition.job.clone())) })
}
