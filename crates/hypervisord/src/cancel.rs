//! The cancellation of a job.

use scrape::{Answer, CallError, Endpoint, Request};
use serde::Serialize;

use crate::{
    clock::Now,
    daemon::Daemon,
    poll::{SMALL_LIMIT, to_json},
    wire::CancelWire,
};

/// A daemon's response to a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelAnswer {
    /// Whether the daemon accepted it.
    pub accepted: bool,
    /// The daemon's reason for a rejection.
    pub message: Option<String>,
}

#[derive(Serialize)]
struct CancelRequest<'a> {
    job_ids: [&'a str; 1],
}

impl CancelAnswer {
    /// Reads the answer to a request to cancel a job.
    ///
    /// # Errors
    ///
    /// It is not an answer of a daemon.
    pub fn read(id: &str, request: &Request, endpoint: &Endpoint, answer: &Answer) -> Result<Self, CallError> {
        let answer: CancelWire = endpoint.json(&request.path, answer)?;
        // The status is always 200; the body says whether the ID was accepted.
        if answer.cancelled.is_some_and(|ids| ids.iter().any(|cancelled| cancelled == id)) {
            return Ok(CancelAnswer { accepted: true, message: None });
        }
        let message = answer.errors.and_then(|mut errors| errors.remove(id));
        let message = message.unwrap_or_else(|| "the daemon did not cancel it and does not say why".to_owned());
        Ok(CancelAnswer { accepted: false, message: Some(endpoint.redactor().text(&message).into_owned()) })
    }
}

impl Daemon {
    /// The request that cancels a job; `None` if there is no such job.
    #[must_use]
    pub fn cancel_request(&self, id: &str) -> Option<Request> {
        self.job(id)?;
        let body = to_json(&CancelRequest { job_ids: [id] });
        Some(Request::post(format!("{}/jobs/cancel", self.prefix()), body, SMALL_LIMIT))
    }

    /// Applies the answer to a request to cancel a job. If the daemon accepts it, the job is being cancelled at once; its
    /// end arrives as a message.
    pub fn cancel_answered(&mut self, id: &str, answer: &CancelAnswer, now: Now) {
        if answer.accepted {
            self.cancel_accepted(id, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Script, now};

    #[test]
    fn the_body_of_an_answer_says_whether_a_job_is_cancelled() {
        let mut script = Script::new();
        script.recognise_stock(0.0);
        assert_eq!(script.daemon.cancel_request("a"), None);
        script.message(
            0.0,
            r#"{"type":"metrics","data":{"recent_jobs":[{"id":"a","status":"running","created_at":"2026-03-01T08:59:00Z"}]}}"#,
        );
        let request = script.daemon.cancel_request("a").unwrap();
        assert_eq!((&*request.path, request.body.as_deref()), ("/jobs/cancel", Some(r#"{"job_ids":["a"]}"#)));
        let read = |body: &str| {
            let answer = Answer { content_type: None, body: body.to_owned() };
            CancelAnswer::read("a", &request, &script.endpoint, &answer)
        };
        let rejected = read(r#"{"cancelled":[],"failed":["a"],"errors":{"a":"it ended, password=hunter2x"}}"#).unwrap();
        assert_eq!((rejected.accepted, rejected.message.as_deref()), (false, Some("it ended, password=***")));
        let silent = read(r#"{"cancelled":null}"#).unwrap().message;
        assert_eq!(silent.as_deref(), Some("the daemon did not cancel it and does not say why"));
        assert!(read("5").is_err());
        let accepted = read(r#"{"cancelled":["a"],"failed":[]}"#).unwrap();
        assert_eq!(accepted, CancelAnswer { accepted: true, message: None });

        script.daemon.cancel_answered("a", &rejected, now(1.0));
        assert!(script.events().is_empty());
        script.daemon.cancel_answered("a", &accepted, now(1.0));
        assert!(script.daemon.job("a").unwrap().cancel_requested);
        let effects = script.daemon.take_effects();
        assert!(effects.has_requests && effects.events.len() == 1);
    }
}
