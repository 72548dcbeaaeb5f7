//! Sends HTTP requests to one daemon: those that its state asks for, one after another, and those for users.

use std::sync::Arc;

use hypervisord::{
    CancelAnswer, JobLog,
    poll::{POLL_LOOK, Poll, Polled},
};
use model::job::{Job, JobDetail};
use scrape::CallError;
use tokio_util::sync::CancellationToken;

use crate::{CancelError, daemon_connection::DaemonConnection};

/// Larger responses are parsed on a blocking thread, so that they delay nothing else.
const LARGE_ANSWER: usize = 512 * 1024;

/// Runs for the daemon of `connection` until `stop` is cancelled.
pub(crate) async fn run(connection: Arc<DaemonConnection>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = connection.wake.notified() => {}
            () = tokio::time::sleep(POLL_LOOK) => {}
        }
        let polls = async {
            let mut next = connection.change(|daemon, now| daemon.next_poll(now));
            while let Some(poll) = next {
                let polled = send(&connection, &poll).await;
                next = connection.change(|daemon, now| daemon.polled(poll, polled, now));
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = polls => {}
        }
    }
}

async fn send(connection: &DaemonConnection, poll: &Poll) -> Result<Polled, CallError> {
    let answer = connection.client.send(&poll.request).await?;
    let endpoint = connection.client.endpoint();
    if answer.body.len() <= LARGE_ANSWER {
        return poll.read(endpoint, &answer);
    }
    let (poll, endpoint) = (poll.clone(), endpoint.clone());
    let path = poll.request.path.clone();
    let read = tokio::task::spawn_blocking(move || poll.read(&endpoint, &answer)).await;
    read.unwrap_or_else(|error| Err(connection.client.endpoint().malformed(&path, &error.to_string())))
}

/// Requests the cancellation of one job.
pub(crate) async fn cancel(connection: &DaemonConnection, id: &str) -> Result<CancelAnswer, CancelError> {
    let unknown = || CancelError::UnknownJob { daemon: connection.name.clone(), id: id.to_owned() };
    let request = connection.read(|daemon| daemon.cancel_request(id)).ok_or_else(unknown)?;
    let answer = connection.client.send(&request).await?;
    let answer = CancelAnswer::read(id, &request, connection.client.endpoint(), &answer)?;
    connection.change(|daemon, now| daemon.cancel_answered(id, &answer, now));
    Ok(answer)
}

/// A job with its log entries at the daemon.
pub(crate) async fn detail(connection: &DaemonConnection, job: Job) -> JobDetail {
    let log = match connection.read(|daemon| daemon.log_request(&job)) {
        Some(request) => {
            let answer = connection.client.send(&request).await;
            Some(answer.and_then(|answer| JobLog::read(&request, connection.client.endpoint(), &answer)))
        }
        None => None,
    };
    connection.read(|daemon| daemon.job_detail(job, log))
}
