//! The page's requests: the paths that a server has for it, as far as a page alone can answer.

use embedded_engine::Span;
use hypervisord::{CancelAnswer, Now};
use model::{
    job::{Job, JobDetail},
    range::TimeRange,
};
use percent_encoding::percent_decode_str;
use scrape::Request;
use serde::Serialize;
use serde_json::json;

use crate::{DAEMON, Standalone, queries::evaluate};

/// What is said of an unknown UID.
const NO_DASHBOARD: &str = "There is no dashboard at this address.";

/// A request of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Whether it is a POST request.
    pub is_post: bool,
    /// Path and query, as for a server.
    pub path: String,
}

/// An answer for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// What became of a request.
#[derive(Debug)]
pub enum Answered {
    /// It is answered.
    Reply(Reply),
    /// The log of a job: send the request to the daemon, and pass the answer to [`Standalone::job_reply`].
    Log {
        /// The job.
        job: Box<Job>,
        /// The request; `None` if the daemon has no log of it.
        request: Option<Request>,
    },
    /// The cancellation of a job: send the request to the daemon, and pass the answer to [`Standalone::cancel_reply`].
    Cancel {
        /// ID of the job.
        id: String,
        /// The request.
        request: Request,
    },
}

impl Reply {
    fn json(value: &impl Serialize) -> Self {
        // All maps of these types have strings for keys.
        Reply { status: 200, body: serde_json::to_string(value).unwrap_or_default() }
    }

    /// An error as a server answers with it.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Reply { status, body: json!({ "error": { "code": code, "message": message } }).to_string() }
    }

    fn not_found(message: &str) -> Self {
        Reply::error(404, "not_found", message)
    }
}

impl Standalone {
    /// Answers a request of the page at `now`, or says what is needed for an answer.
    pub fn answer(&mut self, request: &PageRequest, now: Now) -> Answered {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let segments: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let reply = match (request.is_post, segments.as_slice()) {
            (false, ["api", "boot"]) => Reply::json(&self.site.boot(now.ms)),
            (false, ["api", "live"]) => Reply::json(&json!({ "since": "", "now_ms": now.ms, "messages": [] })),
            (false, ["api", "dashboards", uid]) => match self.site.dashboard(uid) {
                Some(dashboard) => Reply::json(dashboard),
                None => Reply::not_found(NO_DASHBOARD),
            },
            (false, ["api", "dashboards", uid, "marks"]) => self.marks(uid, query, now.ms),
            (false, ["api", "alerts", "past"]) => match number(query, "at") {
                Some(at_ms) => Reply::json(&self.rules.list_at(at_ms)),
                None => Reply::error(400, "bad_request", "at is a time in milliseconds since the Unix epoch"),
            },
            (false, ["api", "frame"]) => self.frame(query),
            (false, ["api", "jobs", DAEMON, id]) => return self.job(id),
            (true, ["api", "jobs", DAEMON, id, "cancel"]) => match self.daemon.cancel_request(id) {
                Some(request) => return Answered::Cancel { id: (*id).to_owned(), request },
                None => Reply::not_found(&format!("the daemon has no job {id:?}")),
            },
            _ => Reply::not_found("this page has no server: only the daemon's own data is here"),
        };
        Answered::Reply(reply)
    }

    /// The answer to a request for a job.
    #[must_use]
    pub fn job_reply(&self, job: Job, log: Option<Result<hypervisord::JobLog, scrape::CallError>>) -> Reply {
        let detail: JobDetail = self.daemon.job_detail(job, log);
        Reply::json(&detail)
    }

    /// The answer to a request to cancel the job `id`.
    pub fn cancel_reply(&mut self, id: &str, answer: Result<CancelAnswer, scrape::CallError>, now: Now) -> Reply {
        match answer {
            Ok(answer) => {
                self.change(now, |daemon| daemon.cancel_answered(id, &answer, now));
                let message = answer.message.unwrap_or_else(|| "The daemon accepted the cancel.".to_owned());
                Reply::json(&json!({ "cancelled": answer.accepted, "message": message }))
            }
            Err(error) => Reply::error(502, "upstream", &error.to_string()),
        }
    }

    fn job(&self, id: &str) -> Answered {
        match self.daemon.job(id).cloned().map(Job::as_shown) {
            Some(job) => Answered::Log { request: self.daemon.log_request(&job), job: Box::new(job) },
            None => Answered::Reply(Reply::not_found(&format!("the daemon has no job {id:?}"))),
        }
    }

    fn marks(&self, uid: &str, query: &str, now_ms: i64) -> Reply {
        let Some(dashboard) = self.site.dashboard(uid) else { return Reply::not_found(NO_DASHBOARD) };
        let (from, to) = (parameter(query, "from"), parameter(query, "to"));
        match TimeRange::parse(from.as_deref(), to.as_deref(), now_ms) {
            Ok(range) => Reply::json(&self.rules.marks(dashboard, range.resolve(now_ms))),
            Err(error) => Reply::error(400, "bad_request", &error.to_string()),
        }
    }

    fn frame(&self, query: &str) -> Reply {
        let bad = |message: &str| Reply::error(400, "bad_query", message);
        let Some(expr) = parameter(query, "query") else { return bad("query is missing: it is PromQL") };
        let (Some(end_ms), Some(step_ms)) = (number(query, "end_ms"), number(query, "step_ms").filter(|ms| *ms > 0))
        else {
            return bad("end_ms is a time in milliseconds since the Unix epoch, and step_ms is more than 0");
        };
        let align = |ms: i64| ms.div_euclid(step_ms).saturating_mul(step_ms);
        let span = match number(query, "start_ms") {
            Some(start_ms) if parameter(query, "instant").as_deref() != Some("true") => {
                Span::Range { start_ms: align(start_ms), end_ms: align(end_ms), step_ms }
            }
            _ => Span::At(end_ms),
        };
        let evaluated = promql::parse(&expr).map_err(|error| error.to_string());
        match evaluated.and_then(|query| evaluate(&self.evaluator, &query, span)) {
            Ok(frame) => Reply::json(&frame),
            Err(message) => bad(&message),
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

fn number(query: &str, name: &str) -> Option<i64> {
    parameter(query, name)?.parse().ok()
}
