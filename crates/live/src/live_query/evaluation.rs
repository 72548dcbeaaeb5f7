//! Evaluations of a live query: which steps are due, and what their results change for its subscribers.

use std::time::Instant;

use budget::memory::megabytes;
use datasource::{ErrorKind, Freshness, QueryError, freshness};
use model::{
    clock::now_ms,
    frame::{Frame, StepRange},
    live::{LiveQuery, SnapshotData},
};

use query_frontend::update::Update;

use super::{Known, QueryTopic};
use crate::{corrections::Corrections, message::Content, topic::Account};

/// One topic uses at most this fraction of a token's memory for live queries.
const TOPIC_PART: u64 = 2;

impl QueryTopic {
    /// Evaluates up to `end_ms`, a multiple of the step, and corrects late steps.
    pub(super) async fn evaluate(&self, end_ms: i64, corrections: &mut Corrections) {
        let LiveQuery { window_ms, step_ms, instant, .. } = self.query;
        let known_end_ms = {
            let known = self.known.lock();
            known.frame.as_ref().map(|frame| frame.end_ms)
        };
        let start_ms = if instant { end_ms } else { end_ms.saturating_sub(window_ms) };
        // Unless there is a gap or the clock was set back.
        let newest = known_end_ms.filter(|known_end_ms| (start_ms..=end_ms).contains(known_end_ms));
        let known = newest.map(|newest| (start_ms.saturating_add(step_ms - 1).div_euclid(step_ms) * step_ms, newest));
        let due = corrections.due(&self.backend, &self.scoped, step_ms, known, end_ms).await;
        let again = due.as_ref().and_then(|due| due.steps);
        let past_caches = again.is_some() && due.as_ref().is_some_and(|due| due.past_caches);
        let started = Instant::now();
        let spans = |again| self.course.spans((start_ms, end_ms), newest, again);
        let mut result = self.evaluate_spans(spans(again), past_caches, newest.is_some()).await;
        let corrected = result.is_ok();
        if let (Err(error), Some(_)) = (&result, again) {
            // Known steps stay as they are; new ones are evaluated without waiting for the correction.
            tracing::debug!(expr = self.query.expr, %error, "cannot re-evaluate steps");
            result = self.evaluate_spans(spans(None), false, newest.is_some()).await;
        }
        if let Err(error) = result {
            self.reject(error);
        }
        if let Some(due) = due {
            corrections.done(due, started.elapsed(), corrected);
        }
    }

    async fn evaluate_spans(&self, spans: Vec<StepRange>, past_caches: bool, is_part: bool) -> Result<(), QueryError> {
        for span in spans {
            let evaluated = self.ask(span);
            let frame =
                if past_caches { freshness::with(Freshness::Results, evaluated).await } else { evaluated.await }?;
            self.accept(frame, span, is_part)?;
        }
        Ok(())
    }

    async fn ask(&self, (first, last): StepRange) -> Result<Frame, QueryError> {
        if self.query.instant {
            self.backend.instant(&self.scoped, last).await
        } else {
            self.backend.range(&self.scoped, first, last, self.query.step_ms).await
        }
    }

    /// Merges the result of a span (`is_part` if other steps are known) and publishes what is new.
    ///
    /// # Errors
    ///
    /// The memory limit is exceeded: the result is dropped.
    fn accept(&self, frame: Frame, span: StepRange, is_part: bool) -> Result<(), QueryError> {
        let mut refused = None;
        let was_failing = {
            let mut known = self.known.lock();
            known.error.take().is_some()
        };
        self.channel.publish(|| {
            let mut known = self.known.lock();
            let update = self.course.merge(&mut known.frame, frame, span, is_part)?;
            refused = self.charge(&mut known).err();
            if refused.is_some() {
                return None;
            }
            Some(match update {
                Update::Snapshot(frame) => Content::Snapshot(SnapshotData::Query(frame)),
                Update::Delta(frame) => Content::Delta(frame),
            })
        });
        if let Some(error) = refused {
            self.channel.forget();
            return Err(error);
        }
        if was_failing {
            self.channel.publish(|| {
                Some(Content::Status { fresh: true, since: now_ms(), reason: "the source answers again".into() })
            });
        }
        Ok(())
    }

    fn reject(&self, error: QueryError) {
        let (known_end_ms, is_new) = {
            let mut known = self.known.lock();
            let is_new = known.error.as_ref() != Some(&error);
            known.error = Some(error.clone());
            (known.frame.as_ref().map(|frame| frame.end_ms), is_new)
        };
        if !is_new {
            return;
        }
        if matches!(error.kind, ErrorKind::TooMany | ErrorKind::Busy) {
            // The viewer gets the error, and it is counted. It is not a warning, because any viewer could fill the log
            // with it.
            tracing::debug!(expr = self.query.expr, %error, "a live query exceeds a memory limit, here or at its engine");
        } else {
            tracing::warn!(expr = self.query.expr, %error, "a live query failed");
        }
        self.channel.publish(|| {
            Some(match known_end_ms {
                Some(since) => Content::Status { fresh: false, since, reason: error.message },
                None => Content::Error { code: error.kind.live_code(), message: error.message },
            })
        });
    }

    /// Charges the current result. If the limit is exceeded, the result is dropped.
    fn charge(&self, known: &mut Known) -> Result<(), QueryError> {
        let Some(frame) = &known.frame else { return Ok(()) };
        let Account { budget, payers } = &self.account;
        let weight = u64::try_from(frame.weight()).unwrap_or(u64::MAX).saturating_add(self.expression_bytes);
        let most = budget.token_limit() / TOPIC_PART;
        let charged = if weight > most {
            budget.refuse();
            Err(format!(
                "the query and its result take {} of memory, over the limit of {} for a live query",
                megabytes(weight),
                megabytes(most)
            ))
        } else {
            let resized = known.charge.as_mut().is_some_and(|charge| charge.resize(weight).is_ok());
            let charged = if resized {
                Ok(())
            } else {
                // Frees the old charge first.
                known.charge = None;
                payers.charge(budget, weight).map(|charge| known.charge = Some(charge))
            };
            charged.map_err(|over| {
                budget.refuse();
                over.to_string()
            })
        };
        known.is_refused = charged.is_err();
        charged.map_err(|reason| {
            (known.frame, known.charge) = (None, None);
            let message = format!("{reason}: close some panels, or select fewer series or a shorter range");
            QueryError::new(ErrorKind::TooMany, message)
        })
    }
}
