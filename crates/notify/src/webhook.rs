//! Short-form webhooks: which events of jobs and alerts become messages.

use std::collections::HashMap;

use alertmanager::{
    hook::{self, EventName, Format, Hook, HookEvent, Subject},
    message::Outgoing,
};
use model::{
    clock::now_ms,
    job::JobStatus,
    live::{Event, JobTransition},
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    Shared,
    outbox::{Entry, NewDelivery},
};

/// The kind of these deliveries.
pub(crate) const KIND: &str = "hook";

/// Maximum number of jobs whose last event is cached in memory.
const MAX_JOBS: usize = 100_000;

/// The messages for an event.
pub(crate) fn deliveries(shared: &Shared, event: &HookEvent) -> Vec<NewDelivery> {
    let wanting = shared.options.hooks.iter().filter(|hook| hook.wants(event.name));
    wanting.map(|hook| delivery(shared, hook, event)).collect()
}

fn delivery(shared: &Shared, hook: &Hook, event: &HookEvent) -> NewDelivery {
    let id = crate::new_id();
    let format = match crate::send::read_secret(&hook.url) {
        Ok(url) => hook.format.resolve(&url),
        // The secret may become available before the message is sent.
        Err(_) if hook.format == Format::Auto => Format::Generic,
        Err(_) => hook.format,
    };
    let body = Outgoing::Json(hook::body(format, event, &id, &shared.external_url));
    let (lane, subject, alerts) = match &event.subject {
        Subject::Job(job) => (format!("{}/{}", job.daemon, job.id), job.name.clone(), Vec::new()),
        Subject::Alert(alert) => (alert.fingerprint.to_string(), alert.name().to_owned(), vec![alert.fingerprint]),
    };
    NewDelivery {
        lane: format!("{KIND}/{}/{lane}", hook.name),
        subject: format!("{}: {subject}", event.name.name()),
        id,
        receiver: hook.name.clone(),
        kind: KIND.to_owned(),
        place: 0,
        body: crate::body_of(&body, &hook.name),
        alerts,
        log: None,
    }
}

/// Sends job events to webhooks until `stop` is cancelled.
pub(crate) async fn follow_jobs(
    shared: std::sync::Arc<Shared>,
    mut events: broadcast::Receiver<Event>,
    stop: CancellationToken,
) {
    let started_ms = now_ms();
    let mut notified = match shared.outbox.notified_jobs().await {
        Ok(notified) => notified,
        Err(error) => {
            tracing::error!(%error, "cannot read the last events of jobs: some may be sent twice");
            HashMap::new()
        }
    };
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = stop.cancelled() => return,
        };
        let transition = match event {
            Ok(Event::JobStatus(transition)) => transition,
            Ok(_) => continue,
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                tracing::warn!(lost, "webhooks fell behind and skipped job events");
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let Some(event) = hook::of_transition(&transition) else { continue };
        let key = (transition.daemon.clone(), transition.job_id.clone());
        let last = notified.get(&key).map(String::as_str);
        if last == Some(event.name.name()) {
            continue;
        }
        let is_old = last.is_none() && is_older(&transition, started_ms);
        let entry = Entry {
            deliveries: if is_old { Vec::new() } else { deliveries(&shared, &event) },
            jobs: vec![(key.0.clone(), key.1.clone(), event.name)],
            ..Entry::default()
        };
        if notified.len() >= MAX_JOBS {
            notified.clear();
        }
        notified.insert(key, event.name.name().to_owned());
        if !shared.save(&entry, &stop).await {
            return;
        }
    }
}

/// Whether a job that we see for the first time had reached its state before the server started.
fn is_older(transition: &JobTransition, started_ms: i64) -> bool {
    if transition.from.is_some() {
        return false;
    }
    let job = &transition.job;
    let since = match job.status {
        JobStatus::Pending => job.created_at,
        JobStatus::Running => job.started_at,
        _ => job.completed_at.or(job.updated_at),
    };
    since.unwrap_or(transition.timestamp) < started_ms
}

/// The event for an alert that starts to fire or resolves.
pub(crate) fn of_alert(alert: &std::sync::Arc<alertmanager::alert::Alert>, fires: bool, now_ms: i64) -> HookEvent {
    let name = if fires { EventName::AlertFired } else { EventName::AlertResolved };
    HookEvent { name, at_ms: now_ms, subject: Subject::Alert(std::sync::Arc::clone(alert)) }
}
