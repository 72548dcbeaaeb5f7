//! Sends a request: it waits for its turn, is retried if that may help, and informs the circuit breaker.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use budget::{Charge, OverBudget, json};
use bytes::Bytes;
use model::clock::now_ms;
use reqwest::{StatusCode, header};
use tokio::sync::SemaphorePermit;

use super::{Answer, EngineResponse, Inner, in_flight::Lane};
use crate::{
    ErrorKind, QueryError,
    admission::{ReadPermit, Refusal},
    failure::{self, Failure},
    words,
};

/// Responses up to this size are redacted on the current thread, in bytes.
const SHORT_ANSWER: usize = 256 << 10;
/// Step by which the charge of a response grows while it arrives, in bytes.
const CHARGE_STEP: u64 = 256 << 10;
/// Shortest wait before the first further try; each next one doubles it. Jitter adds up to as much.
const FIRST_RETRY: Duration = Duration::from_millis(75);

/// Permission to send a request.
struct Turn<'a> {
    /// Of a viewer.
    permit: Option<ReadPermit>,
    /// Of a rule, or of the server itself.
    _place: Option<SemaphorePermit<'a>>,
}

/// Informs the circuit breaker if an admitted request is dropped before its end.
struct Admitted<'a> {
    inner: &'a Inner,
    reported: bool,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if !self.reported {
            self.inner.state.lock().breaker.abandoned(now_ms());
        }
    }
}

impl Inner {
    /// Charges a cached response to the current task's requester, if it is a viewer.
    pub(super) fn charge(&self, bytes: u64) -> Result<Option<Charge>, OverBudget> {
        match Lane::current() {
            Lane::Token(token) => self.gate.memory().try_charge(&token, bytes).map(Some),
            Lane::Rules | Lane::Server | Lane::Pictures => Ok(None),
        }
    }

    /// Waits for a turn in `lane`.
    async fn turn(&self, lane: Lane) -> Result<Turn<'_>, QueryError> {
        let too_late = || {
            let message = format!("{} has more requests waiting than it answers in time: try again", self.base_url);
            QueryError::new(ErrorKind::Timeout, message)
        };
        let places = match lane {
            Lane::Token(token) => {
                return match self.gate.admit(token, 0).await {
                    Ok(permit) => Ok(Turn { permit: Some(permit), _place: None }),
                    Err(Refusal::TooLate(_)) => Err(too_late()),
                    Err(refusal) => Err(refusal.into()),
                };
            }
            Lane::Rules => &self.rule_gate,
            Lane::Server => &self.own_gate,
            Lane::Pictures => &self.picture_gate,
        };
        match tokio::time::timeout(self.timeout, places.acquire()).await {
            Ok(Ok(place)) => Ok(Turn { permit: None, _place: Some(place) }),
            Ok(Err(_)) | Err(_) => Err(too_late()),
        }
    }

    pub(super) async fn ask(
        &self,
        path: &str,
        pairs: &[(String, String)],
        lane: Lane,
        asked_at: &OnceLock<Instant>,
    ) -> Answer {
        let mut turn = self.turn(lane).await?;
        asked_at.get_or_init(Instant::now);
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_RETRY)
            .without_max_delay()
            .with_max_times(usize::try_from(self.retries).unwrap_or(usize::MAX))
            .with_jitter()
            .build();
        loop {
            let started = Instant::now();
            let mut admitted = self.admit()?;
            let outcome = self.once(path, pairs, turn.permit.as_mut().map(ReadPermit::charge_mut)).await;
            admitted.reported = true;
            match outcome {
                Ok(fetched) => {
                    self.succeeded(started.elapsed());
                    return Ok(EngineResponse {
                        charge: turn.permit.map(|permit| Arc::new(permit.into_charge())),
                        ..fetched
                    });
                }
                Err(failure) => {
                    let may_help = self.failed(&failure);
                    let Some(pause) = pauses.next().filter(|_| may_help) else { return Err(failure.error) };
                    tracing::debug!(engine = self.name, error = %failure.error, "asking again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Checks the circuit breaker; returns the last error if it is open.
    fn admit(&self) -> Result<Admitted<'_>, QueryError> {
        let mut state = self.state.lock();
        if state.breaker.admits(now_ms()) {
            return Ok(Admitted { inner: self, reported: false });
        }
        let unknown = || QueryError::new(ErrorKind::Unavailable, format!("{} cannot be reached", self.base_url));
        Err(state.error.clone().unwrap_or_else(unknown))
    }

    /// Sends the request once. The response is charged to a viewer.
    async fn once(
        &self,
        path: &str,
        pairs: &[(String, String)],
        mut charge: Option<&mut Charge>,
    ) -> Result<EngineResponse, Failure> {
        let url = format!("{}/api/v1/{path}", self.base_url);
        // Long parameters are sent as a form, which Prometheus only accepts for these paths.
        let request = if matches!(path, "query" | "query_range" | "query_exemplars" | "labels" | "series") {
            self.client.post(url).form(pairs)
        } else {
            self.client.get(url).query(pairs)
        };
        let broken = |error| {
            Failure::of_transfer(&self.base_url, self.timeout, self.trust, &error).without_secrets(&self.redactor)
        };
        let mut answer = request.send().await.map_err(broken)?;
        let busy = |over: OverBudget| Failure::busy(over.to_string());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                return Err(Failure::too_large(self.max_response_bytes));
            }
            let needed = u64::try_from(body.len() + chunk.len()).unwrap_or(u64::MAX).next_multiple_of(CHARGE_STEP);
            if let Some(charge) = charge.as_mut().filter(|charge| charge.bytes() < needed) {
                charge.resize(needed).map_err(busy)?;
            }
            body.extend_from_slice(&chunk);
        }
        if let Some(charge) = &mut charge {
            charge.resize(json::weight(&body)).map_err(busy)?;
        }
        let mut fetched = EngineResponse {
            status: StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY),
            content_type: answer.headers().get(header::CONTENT_TYPE).cloned(),
            body: body.into(),
            charge: None,
        };
        fetched.body = if fetched.status.is_success() {
            self.without_secrets(fetched.body).await
        } else {
            failure::without_secrets(&fetched.body, &self.redactor)
        };
        match failure::of_answer(&self.base_url, path, &fetched, answer.headers().get(header::LOCATION)) {
            Some(failure) => Err(failure),
            None => Ok(fetched),
        }
    }

    /// The body of a successful response, with secrets removed from its texts; a long one is processed on a blocking
    /// thread.
    async fn without_secrets(&self, body: Bytes) -> Bytes {
        if body.len() <= SHORT_ANSWER {
            return words::without_secrets(body, &self.redactor);
        }
        let (long, redactor) = (body.clone(), Arc::clone(&self.redactor));
        let cleaned = tokio::task::spawn_blocking(move || words::without_secrets(long, &redactor)).await;
        // After a panic the body is left empty.
        cleaned.unwrap_or_default()
    }

    fn succeeded(&self, took: Duration) {
        let mut state = self.state.lock();
        state.breaker.succeeded();
        state.budget.earn();
        state.error = None;
        if state.health.answered(now_ms(), Some(took)) {
            tracing::info!(engine = self.name, "the engine answers again");
        }
    }

    /// Records a failure; returns whether to retry.
    fn failed(&self, failure: &Failure) -> bool {
        let mut state = self.state.lock();
        if !failure.is_engines {
            // The engine responded, though not with what was requested.
            state.breaker.succeeded();
            return false;
        }
        state.breaker.failed(now_ms(), rand::random_range(0.0..=1.0));
        if state.health.failed(&failure.error.message, now_ms()) {
            tracing::warn!(engine = self.name, error = %failure.error, "the engine does not answer");
        }
        state.error = Some(failure.error.clone());
        failure.may_pass && !state.breaker.is_open() && state.budget.spend()
    }
}
