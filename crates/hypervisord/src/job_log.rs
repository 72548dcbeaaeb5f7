//! The log entries of a job at the daemon.

use model::job::{Job, JobDetail, JobLogEntry};
use scrape::{Answer, CallError, Endpoint, Request};

use crate::{
    daemon::Daemon,
    poll::SMALL_LIMIT,
    wire::{LogWire, LogsWire},
};

/// The log entries of a job, with times of the daemon's clock.
#[derive(Debug)]
pub struct JobLog(Vec<JobLogEntry>);

impl JobLog {
    /// Reads the answer to [`Daemon::log_request`].
    ///
    /// # Errors
    ///
    /// It is not an answer of a daemon.
    pub fn read(request: &Request, endpoint: &Endpoint, answer: &Answer) -> Result<Self, CallError> {
        let logs: LogsWire = endpoint.json(&request.path, answer)?;
        Ok(JobLog(logs.logs.unwrap_or_default().into_iter().map(|entry| read_entry(entry, endpoint)).collect()))
    }
}

fn read_entry(entry: LogWire, endpoint: &Endpoint) -> JobLogEntry {
    let text = |text: Option<String>| text.map(|text| endpoint.redactor().text(&text).into_owned());
    let message = match (text(entry.message.text()), text(entry.error.text())) {
        (Some(message), Some(error)) => format!("{message}: {error}"),
        (message, error) => message.or(error).unwrap_or_default(),
    };
    let level = entry.level.text().unwrap_or_else(|| "info".to_owned());
    JobLogEntry { timestamp: entry.timestamp.time_ms(), level, message }
}

impl Daemon {
    /// The request for the log entries of a job; `None` if the daemon has none.
    #[must_use]
    pub fn log_request(&self, job: &Job) -> Option<Request> {
        // The daemon no longer has a historic job, and an ID with special characters would be a different path.
        let is_safe = job.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte));
        let has_log = !job.historic && is_safe && !job.id.starts_with('.');
        has_log.then(|| Request::get(format!("{}/jobs/logs/{}", self.prefix(), job.id), SMALL_LIMIT))
    }

    /// A job with its log entries; `None` if there was no request for them.
    #[must_use]
    pub fn job_detail(&self, job: Job, log: Option<Result<JobLog, CallError>>) -> JobDetail {
        match log {
            Some(Ok(JobLog(mut log))) => {
                for entry in &mut log {
                    entry.timestamp = entry.timestamp.map(|daemon_ms| self.our_time(daemon_ms));
                }
                log.sort_by_key(|entry| entry.timestamp);
                JobDetail { job, log, log_error: None }
            }
            Some(Err(error)) => JobDetail { job, log: Vec::new(), log_error: Some(error.to_string()) },
            None => {
                let log_error = Some("the daemon has no log of this job any more".to_owned());
                JobDetail { job, log: Vec::new(), log_error }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{START_MS, Script};

    fn job(id: &str, historic: bool) -> Job {
        Job { id: id.to_owned(), historic, ..Job::default() }
    }

    #[test]
    fn entries_are_in_order_and_by_our_clock() {
        let mut script = Script::new();
        script.recognise_stock(0.0);
        // The daemon's clock is a minute behind.
        script.message(0.0, r#"{"type":"metrics","timestamp":"2026-03-01T08:59:00Z","data":{"goroutines":1}}"#);
        let request = script.daemon.log_request(&job("a", false)).unwrap();
        assert_eq!(request.path, "/jobs/logs/a");
        let body = r#"{"job_id":"a","logs":[
            {"timestamp":"2026-03-01T08:58:02Z","level":"error","message":"Job failed","error":"no space, token=abcdefgh1"},
            {"timestamp":"2026-03-01T08:58:01Z","message":"Job started"}]}"#;
        let answer = Answer { content_type: None, body: body.to_owned() };
        let log = JobLog::read(&request, &script.endpoint, &answer);
        let detail = script.daemon.job_detail(job("a", false), Some(log));
        let entry = |second: i64, level: &str, message: &str| JobLogEntry {
            timestamp: Some(START_MS - 60_000 + second * 1_000),
            level: level.to_owned(),
            message: message.to_owned(),
        };
        let entries = [entry(1, "info", "Job started"), entry(2, "error", "Job failed: no space, token=***")];
        assert_eq!((detail.log.as_slice(), detail.log_error), (&entries[..], None));
    }

    #[test]
    fn a_job_that_is_gone_or_has_an_odd_id_has_no_log() {
        let mut script = Script::new();
        script.recognise_stock(0.0);
        for (id, historic) in [("a", true), ("a/b", false), ("..", false), ("a%2f", false)] {
            assert_eq!(script.daemon.log_request(&job(id, historic)), None, "{id}");
        }
        let error = script.daemon.job_detail(job("a", true), None).log_error;
        assert_eq!(error.as_deref(), Some("the daemon has no log of this job any more"));
        let failed = CallError::TimedOut { url: "u".to_owned(), seconds: 10 };
        let error = script.daemon.job_detail(job("a", false), Some(Err(failed))).log_error;
        assert_eq!(error.as_deref(), Some("u did not answer within 10 s"));
    }
}
