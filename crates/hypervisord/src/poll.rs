//! HTTP requests to a daemon: for everything while its socket is down or silent, and for what the socket lacks while it
//! is up. They are sent one after another, so that responses cannot overtake each other.

use std::time::Duration;

use scrape::{Answer, CallError, Endpoint, Request};
use serde::Serialize;

use crate::{
    clock::Now,
    daemon::Daemon,
    jobs::JobUpdate,
    scalar::parse_go_duration,
    wire::{self, JobsWire, StatusWire},
};

/// Interval between calls of [`Daemon::next_poll`].
pub const POLL_LOOK: Duration = Duration::from_millis(500);

/// Maximum size of a response other than a list of jobs or a page of metrics, in bytes.
pub(crate) const SMALL_LIMIT: usize = 1 << 20;
/// Maximum number of jobs in one request for details.
const MOST_JOBS_A_CALL: usize = 200;
/// The constant feed has neither bytes nor the tool of a running job: their details are requested at this interval.
const DETAIL_REFRESH_MS: i64 = 5000;
/// From a daemon that sends events, all jobs are requested at this interval, in case an event was missed.
const EVENTS_RESYNC: Duration = Duration::from_secs(30);
/// Delay before a failed request for details is retried.
const DETAIL_RETRY: Duration = Duration::from_secs(5);

/// When requests were last sent or failed, by the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct PollSchedule {
    asked_all: Option<Duration>,
    details_failed: Option<Duration>,
}

/// A request to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The request.
    pub request: Request,
    subject: Subject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// The uptime, before all jobs.
    Status,
    AllJobs,
    /// Details of some jobs.
    Details(Vec<String>),
}

/// What the answer to a [`Poll`] says.
#[derive(Debug)]
pub struct Polled(Content);

#[derive(Debug)]
enum Content {
    Status { uptime_seconds: Option<f64> },
    Jobs { updates: Vec<JobUpdate>, daemon_ms: Option<i64> },
}

#[derive(Serialize)]
struct JobsQuery<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    job_ids: Option<&'a [String]>,
    all: bool,
}

impl Poll {
    /// Reads the answer. This does not need the daemon, so that a long list of jobs can be parsed on another thread.
    ///
    /// # Errors
    ///
    /// It is not an answer of a daemon.
    pub fn read(&self, endpoint: &Endpoint, answer: &Answer) -> Result<Polled, CallError> {
        let path = &self.request.path;
        Ok(Polled(match self.subject {
            Subject::Status => {
                let status: StatusWire = endpoint.json(path, answer)?;
                Content::Status { uptime_seconds: status.uptime.as_text().and_then(parse_go_duration) }
            }
            Subject::AllJobs | Subject::Details(_) => {
                let jobs: JobsWire = endpoint.json(path, answer)?;
                let daemon_ms = jobs.timestamp.time_ms();
                let updates = wire::updates(jobs.jobs.unwrap_or_default(), endpoint.redactor());
                Content::Jobs { updates: updates.into_iter().flatten().collect(), daemon_ms }
            }
        }))
    }
}

impl Daemon {
    /// What to request now, if anything. Call it every [`POLL_LOOK`], when there may be something
    /// ([`Effects::has_requests`](crate::daemon::Effects)), and not before the previous poll was passed to
    /// [`Daemon::polled`].
    pub fn next_poll(&mut self, now: Now) -> Option<Poll> {
        self.profile()?;
        let since = |then: Option<Duration>| then.map_or(Duration::MAX, |then| now.at.saturating_sub(then));
        let since_all = since(self.polls.asked_all);
        let is_fresh = self.feed_is_fresh(now);
        let sends_events = self.liveness.sends_events();
        let is_resync = sends_events && since_all >= EVENTS_RESYNC;
        let is_poll = !is_fresh && since_all >= self.options.poll_interval;
        if self.liveness.take_wants_all() || is_resync || is_poll {
            self.polls.asked_all = Some(now.at);
            let path = format!("{}/status", self.prefix());
            return Some(Poll { request: Request::get(path, SMALL_LIMIT), subject: Subject::Status });
        }
        if !is_fresh || since(self.polls.details_failed) < DETAIL_RETRY {
            return None;
        }
        self.polls.details_failed = None;
        let refresh_ms = (!sends_events).then_some(DETAIL_REFRESH_MS);
        let ids = self.wanting_detail(MOST_JOBS_A_CALL, now.ms, refresh_ms);
        if ids.is_empty() {
            return None;
        }
        let request = self.jobs_request(&JobsQuery { job_ids: Some(&ids), all: false });
        Some(Poll { request, subject: Subject::Details(ids) })
    }

    /// Applies the answer to a poll. Returns a poll to send at once, if there is one.
    pub fn polled(&mut self, poll: Poll, polled: Result<Polled, CallError>, now: Now) -> Option<Poll> {
        match (polled, poll.subject) {
            (Ok(Polled(Content::Status { uptime_seconds })), _) => {
                if let Some(uptime) = uptime_seconds {
                    self.note_uptime(uptime, now);
                }
                let request = self.jobs_request(&JobsQuery { job_ids: None, all: true });
                return Some(Poll { request, subject: Subject::AllJobs });
            }
            (Ok(Polled(Content::Jobs { updates, daemon_ms })), Subject::Details(ids)) => {
                self.answered_some(&ids, updates, daemon_ms, now);
            }
            (Ok(Polled(Content::Jobs { updates, daemon_ms })), _) => self.answered_all(updates, daemon_ms, now),
            (Err(error), Subject::Details(_)) => {
                tracing::debug!(upstream = self.name(), %error, "cannot get details of jobs");
                self.polls.details_failed = Some(now.at);
            }
            (Err(error), Subject::Status | Subject::AllJobs) => {
                if !self.feed_is_fresh(now) {
                    self.liveness.poll_failed(error.to_string(), error.is_reached());
                    self.refresh(now);
                }
            }
        }
        None
    }

    fn jobs_request(&self, query: &JobsQuery) -> Request {
        Request::post(format!("{}/jobs/query", self.prefix()), to_json(query), self.options.list_bytes)
    }
}

/// A request as JSON. Serialization of these types cannot fail.
pub(crate) fn to_json(request: &impl Serialize) -> String {
    serde_json::to_string(request).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::script::{Script, now};

    const STATUS: &str = r#"{"version":"0.0.1","uptime":"1m0s","total_jobs":1}"#;
    const QUIET: &str = r#"{"type":"metrics","data":{"raw":{"uptime_seconds":60,"recent_jobs":[
        {"id":"a","name":"A","status":"running","progress":10,"created_at":"2026-03-01T08:59:00Z"}]}}}"#;
    const JOBS: &str = r#"{"jobs":[{"definition":{"id":"a","name":"A"},"status":"running","progress":{"percent_complete":20.5,
        "export_method":"ctl"}}],"total":1,"timestamp":"2026-03-01T09:00:01Z"}"#;

    /// Path and body of each request that is sent at this time, where each is answered with one of the bodies.
    fn polls(script: &mut Script, second: f64, bodies: &[&str]) -> Vec<String> {
        let (mut next, mut sent, mut bodies) = (script.daemon.next_poll(now(second)), Vec::new(), bodies.iter());
        while let Some(poll) = next {
            sent.push(format!("{} {}", poll.request.path, poll.request.body.as_deref().unwrap_or_default()));
            next = script.answer(second, poll, bodies.next().copied());
        }
        assert_eq!(bodies.next(), None);
        sent
    }

    #[test]
    fn all_jobs_are_requested_after_the_socket_opens_and_details_while_it_is_fresh() {
        let all = ["/status ", r#"/jobs/query {"all":true}"#];
        let details = [r#"/jobs/query {"job_ids":["a"],"all":false}"#];
        let mut script = Script::new();
        assert!(script.daemon.next_poll(now(0.0)).is_none(), "its dialect is not known");
        script.recognise_stock(0.0);
        script.daemon.socket_opened(now(0.0));
        assert!(script.daemon.take_effects().has_requests);
        script.message(0.5, QUIET);
        assert_eq!(polls(&mut script, 0.6, &[STATUS, JOBS]), all);
        assert_eq!(script.daemon.job("a").unwrap().export_method.as_deref(), Some("ctl"));
        assert!(polls(&mut script, 1.1, &[]).is_empty(), "the list had the details");
        script.message(5.0, QUIET);
        assert_eq!(polls(&mut script, 5.7, &[JOBS]), details, "of a running job again");
        assert!(polls(&mut script, 6.2, &[]).is_empty());
    }

    #[test]
    fn failed_requests_for_details_wait_and_failed_polls_are_shown() {
        let mut script = Script::new();
        script.recognise_stock(0.0);
        script.daemon.socket_opened(now(0.0));
        script.message(0.5, QUIET);
        polls(&mut script, 0.6, &[STATUS]);
        assert_eq!(script.daemon.status().error, None, "the feed goes on");
        assert_eq!(polls(&mut script, 1.1, &[]).len(), 1);
        for (second, count) in [(1.6, 0), (6.0, 0), (6.2, 1)] {
            script.message(second, QUIET);
            assert_eq!(polls(&mut script, second, &[]).len(), count, "{second}");
        }

        script.daemon.socket_failed("the live socket was closed", true, now(7.0));
        script.events();
        for (second, count) in [(12.0, 1), (13.0, 0), (14.0, 1)] {
            assert_eq!(polls(&mut script, second, &[]).len(), count, "{second}");
        }
        assert_eq!(script.daemon.status().error.as_deref(), Some("the live socket was closed"));
        let sent = polls(&mut script, 16.0, &[STATUS, JOBS]);
        assert_eq!(sent.len(), 2);
        let [stale, polling] = ["stale", "polling"].map(|state| format!("{state}: the live socket was closed"));
        assert_eq!(script.events(), [stale, "a 20%".to_owned(), polling]);
    }

    #[test]
    fn a_daemon_of_events_is_asked_now_and_then_in_case_one_was_missed() {
        let mut script = Script::new();
        script.recognise_stock(0.0);
        script.daemon.socket_opened(now(0.0));
        let system = r#"{"type":"system.metrics","data":{"cpu_percent":12.5}}"#;
        script.message(0.1, system);
        let mut asked = Vec::new();
        for second in 1..70 {
            let second = f64::from(second);
            script.message(second, system);
            if !polls(&mut script, second, &[]).is_empty() {
                asked.push(second);
            }
        }
        assert_eq!(asked, [1.0, 31.0, 61.0]);
    }
}
