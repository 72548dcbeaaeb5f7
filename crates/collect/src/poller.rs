//! HTTP requests to one daemon: for everything while its socket is down or silent, and for what the socket lacks while
//! it is up. One task sends them one after another, so that responses cannot overtake each other.

use std::{sync::Arc, time::Duration};

use hypervisord::{
    scalar::parse_go_duration,
    wire::{self, CancelWire, JobsWire, LogsWire, StatusWire},
};
use model::job::{Job, JobDetail, JobLogEntry};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{CancelAnswer, CancelError, client::CallError, daemon_connection::DaemonConnection, detect::STATUS_LIMIT};

/// Interval between checks of what to request.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of jobs in one request for details.
const MOST_JOBS_A_CALL: usize = 200;
/// The constant feed has neither bytes nor the tool of a running job: their details are requested at this interval.
const DETAIL_REFRESH_MS: i64 = 5000;
/// From a daemon that sends events, all jobs are requested at this interval, in case an event was missed.
const EVENTS_RESYNC: Duration = Duration::from_secs(30);
/// Delay before a failed request for details is retried.
const DETAIL_RETRY: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct JobsQuery<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    job_ids: Option<&'a [String]>,
    all: bool,
}

#[derive(Serialize)]
struct CancelRequest<'a> {
    job_ids: [&'a str; 1],
}

/// Runs for the daemon of `connection` until `stop` is cancelled.
pub(crate) async fn run(connection: Arc<DaemonConnection>, stop: CancellationToken) {
    let mut asked_all: Option<Instant> = None;
    let mut details_failed: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = connection.wake.notified() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        if connection.dialect().is_none() {
            continue;
        }
        let since_all = asked_all.map_or(Duration::MAX, |at| at.elapsed());
        let is_fresh = connection.feed_is_fresh();
        let is_resync = connection.sends_events() && since_all >= EVENTS_RESYNC;
        let is_poll = !is_fresh && since_all >= connection.options.poll_interval;
        let questions = async {
            if connection.take_wants_all() || is_resync || is_poll {
                asked_all = Some(Instant::now());
                if let Err(error) = ask_all(&connection).await {
                    connection.poll_failed(&error);
                }
            } else if is_fresh && details_failed.is_none_or(|at| at.elapsed() >= DETAIL_RETRY) {
                let refresh_ms = (!connection.sends_events()).then_some(DETAIL_REFRESH_MS);
                details_failed = match ask_details(&connection, refresh_ms).await {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::debug!(upstream = connection.name, %error, "cannot get details of jobs");
                        Some(Instant::now())
                    }
                };
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = questions => {}
        }
    }
}

/// Requests the uptime and all jobs.
async fn ask_all(connection: &DaemonConnection) -> Result<(), CallError> {
    let prefix = connection.prefix();
    let status: StatusWire = connection.client.get(&format!("{prefix}/status"), STATUS_LIMIT).await?;
    if let Some(uptime) = status.uptime.as_text().and_then(parse_go_duration) {
        connection.note_uptime(uptime);
    }
    let jobs = query(connection, &JobsQuery { job_ids: None, all: true }).await?;
    let daemon_ms = jobs.timestamp.time_ms();
    let updates = wire::updates(jobs.jobs.unwrap_or_default(), &connection.redactor).into_iter().flatten().collect();
    connection.answered_all(updates, daemon_ms);
    Ok(())
}

/// Requests details of new and changed jobs, and of running ones every `refresh_ms`.
async fn ask_details(connection: &DaemonConnection, refresh_ms: Option<i64>) -> Result<(), CallError> {
    let ids = connection.wanting_detail(MOST_JOBS_A_CALL, refresh_ms);
    if ids.is_empty() {
        return Ok(());
    }
    let jobs = query(connection, &JobsQuery { job_ids: Some(&ids), all: false }).await?;
    let daemon_ms = jobs.timestamp.time_ms();
    let updates = wire::updates(jobs.jobs.unwrap_or_default(), &connection.redactor).into_iter().flatten().collect();
    connection.answered_some(&ids, updates, daemon_ms);
    Ok(())
}

async fn query(connection: &DaemonConnection, query: &JobsQuery<'_>) -> Result<JobsWire, CallError> {
    let path = format!("{}/jobs/query", connection.prefix());
    connection.client.post(&path, to_json(query), connection.options.message_limit).await
}

/// Requests the cancellation of one job.
pub(crate) async fn cancel(connection: &DaemonConnection, id: &str) -> Result<CancelAnswer, CancelError> {
    if connection.job(id).is_none() {
        return Err(CancelError::UnknownJob { daemon: connection.name.clone(), id: id.to_owned() });
    }
    let path = format!("{}/jobs/cancel", connection.prefix());
    let answer: CancelWire =
        connection.client.post(&path, to_json(&CancelRequest { job_ids: [id] }), STATUS_LIMIT).await?;
    // The status is always 200; the body says whether the ID was accepted.
    let accepted = answer.cancelled.is_some_and(|ids| ids.iter().any(|cancelled| cancelled == id));
    if accepted {
        connection.cancel_accepted(id);
        return Ok(CancelAnswer { accepted, message: None });
    }
    let message = answer.errors.and_then(|mut errors| errors.remove(id));
    let message = message.unwrap_or_else(|| "the daemon did not cancel it and does not say why".to_owned());
    Ok(CancelAnswer { accepted, message: Some(connection.redactor.text(&message).into_owned()) })
}

/// A job with its log entries at the daemon.
pub(crate) async fn detail(connection: &DaemonConnection, job: Job) -> JobDetail {
    // The daemon no longer has a historic job, and an ID with special characters would be a different path.
    let is_safe = job.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte));
    if job.historic || !is_safe || job.id.starts_with('.') {
        let log_error = Some("the daemon has no log of this job any more".to_owned());
        return JobDetail { job, log: Vec::new(), log_error };
    }
    let path = format!("{}/jobs/logs/{}", connection.prefix(), job.id);
    match connection.client.get::<LogsWire>(&path, STATUS_LIMIT).await {
        Ok(logs) => {
            let text = |text: Option<String>| text.map(|text| connection.redactor.text(&text).into_owned());
            let mut log: Vec<JobLogEntry> = logs
                .logs
                .unwrap_or_default()
                .into_iter()
                .map(|entry| {
                    let timestamp = entry.timestamp.time_ms().map(|daemon_ms| connection.our_time(daemon_ms));
                    let message = match (text(entry.message.text()), text(entry.error.text())) {
                        (Some(message), Some(error)) => format!("{message}: {error}"),
                        (message, error) => message.or(error).unwrap_or_default(),
                    };
                    JobLogEntry { timestamp, level: entry.level.text().unwrap_or_else(|| "info".to_owned()), message }
                })
                .collect();
            log.sort_by_key(|entry| entry.timestamp);
            JobDetail { job, log, log_error: None }
        }
        Err(error) => JobDetail { job, log: Vec::new(), log_error: Some(error.to_string()) },
    }
}

/// A request as JSON. Serialization of these types cannot fail.
fn to_json(request: &impl Serialize) -> String {
    serde_json::to_string(request).unwrap_or_default()
}
