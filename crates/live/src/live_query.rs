//! One live query: evaluated once at each step, however many look at it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use access::{Scope, ScopedQuery};
use budget::{Charge, Requester, memory::megabytes};
use datasource::{Backend, ErrorKind, Freshness, QueryError, freshness};
use model::{
    clock::now_ms,
    frame::{Frame, StepRange},
    live::{LiveQuery, SnapshotData},
    panel::{QueryState, Staleness},
};
use parking_lot::Mutex;
use query_frontend::late;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    corrections::{Corrections, only_what_differs},
    message::Content,
    topic::{Account, Channel, Sequence},
};

/// Deltas kept for sockets that come back. They may hold many series, so there are fewer of them than of events.
const DELTA_LOG_LENGTH: usize = 64;
/// How long a query without subscribers goes on for the next page, where that costs little.
const LINGER_MS: i64 = 120_000;
/// The same where it does not, and how long the delta log outlives the last subscriber, who may come back.
const HEAVY_LINGER_MS: i64 = 5_000;
/// A result of more bytes is heavy, and so is one that takes longer to evaluate.
const HEAVY_BYTES: u64 = 256 << 10;
const HEAVY_TIME: Duration = Duration::from_millis(100);
/// What a unit of the weight of regular expressions takes, in bytes.
const EXPRESSION_BYTES: usize = 400;
/// One topic has at most this part of a token's memory for live queries.
const TOPIC_PART: u64 = 2;
/// When a query is evaluated again whose result had no room.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Between two looks whether anybody still wants it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A live query and its subscribers.
pub struct QueryTopic {
    query: LiveQuery,
    /// The query with the matchers of those who look.
    scoped: ScopedQuery,
    backend: Backend,
    account: Account,
    /// The subscribers.
    pub channel: Channel,
    /// What its regular expressions take.
    expression_bytes: u64,
    known: Arc<Mutex<Known>>,
    /// True once the first evaluation ended.
    evaluated: watch::Sender<bool>,
    last_used_ms: AtomicI64,
    /// True when new points cannot be had by evaluating only the new steps: what `@ end()` means moves with the window.
    whole: bool,
}

/// Which result a topic has, without the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultVersion {
    /// Tells it from all other results, of this topic and others.
    pub version: u64,
    /// Up to when it was evaluated, in milliseconds since the Unix epoch, if that ever went well.
    pub end_ms: Option<i64>,
    /// Whether it is current.
    pub is_stale: bool,
}

/// What is known of the query's result.
#[derive(Default)]
struct Known {
    frame: Option<Frame>,
    /// What the frame is charged to.
    charge: Option<Charge>,
    /// Set while the newest evaluation failed.
    error: Option<QueryError>,
    /// The result had no room.
    is_refused: bool,
}

impl QueryTopic {
    /// A topic that is not evaluated yet; [`QueryTopic::run`] does that.
    ///
    /// # Errors
    /// The query cannot be parsed, or its step or window makes no sense.
    pub fn new(
        query: LiveQuery,
        scope: &Scope,
        backend: Backend,
        sequence: Sequence,
        account: Account,
    ) -> Result<Self, QueryError> {
        let bad = |message: String| QueryError::new(ErrorKind::BadData, message);
        if query.step_ms < 1_000 {
            return Err(bad(format!("step_ms is {}: a live query has steps of at least 1000 ms", query.step_ms)));
        }
        if !query.instant && (query.window_ms < query.step_ms || query.window_ms / query.step_ms > 11_000) {
            return Err(bad(format!(
                "window_ms is {}: it must be between one and 11000 steps of {} ms",
                query.window_ms, query.step_ms
            )));
        }
        let scoped = scope.query(&query.expr)?;
        let expressions = scoped.parsed()?.weight().saturating_mul(EXPRESSION_BYTES);
        let moves_with_window = late::depends_on_window(scoped.parsed()?);
        // What lies ahead of now, by an offset or a fixed time, comes after the step that reads it.
        let now_ms = now_ms();
        let reads_ahead = late::Reads::of(scoped.parsed()?, query.step_ms).until(now_ms) > now_ms;
        let known = Arc::new(Mutex::new(Known::default()));
        let snapshot_of = Arc::clone(&known);
        let snapshot = move || {
            let known = snapshot_of.lock();
            known.frame.clone().map(SnapshotData::Query)
        };
        Ok(QueryTopic {
            channel: Channel::new(sequence, DELTA_LOG_LENGTH, Box::new(snapshot)).charged_to(account.clone()),
            account,
            whole: query.instant || moves_with_window || reads_ahead,
            query,
            scoped,
            expression_bytes: u64::try_from(expressions).unwrap_or(u64::MAX),
            backend,
            known,
            evaluated: watch::Sender::new(false),
            last_used_ms: AtomicI64::new(now_ms),
        })
    }

    /// Who started it, by token.
    pub fn starter(&self) -> &Arc<str> {
        self.account.payers.starter()
    }

    /// Notes that a token asks for it.
    pub fn asked_by(&self, token: Arc<str>) {
        self.account.payers.add(token);
    }

    /// For whom it is evaluated next: whose other reads wait least.
    fn requester(&self) -> Requester {
        let turns = match &self.backend {
            Backend::Embedded(engine) => engine.reads().admission(),
            Backend::Prometheus(engine) => engine.gate(),
        };
        Requester::Token(self.account.payers.least(|token| turns.waiting_of(token)))
    }

    /// Whether our own store answers it.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.backend, Backend::Embedded(_))
    }

    /// Notes that somebody wants it, so that it is kept.
    pub fn touch(&self) {
        self.last_used_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// What a panel shows of it; waits for the first evaluation.
    pub async fn state(&self) -> QueryState {
        self.touch();
        let mut evaluated = self.evaluated.subscribe();
        // An error means that the topic was dropped, and then it was evaluated as well.
        let _ = evaluated.wait_for(|evaluated| *evaluated).await;
        let known = self.known.lock();
        match (&known.frame, &known.error) {
            (Some(frame), _) => {
                let stale = self.channel.trouble().map(|(since_ms, reason)| Staleness { since_ms, reason });
                QueryState::Ready { frame: frame.clone(), stale }
            }
            (None, Some(error)) => QueryState::Failed { message: error.message.clone() },
            (None, None) => QueryState::Loading,
        }
    }

    /// Which result there is; `None` before the first.
    pub fn result_version(&self) -> Option<ResultVersion> {
        self.touch();
        if !*self.evaluated.borrow() {
            return None;
        }
        // The number first: what is read after it is as new or newer.
        let version = self.channel.newest();
        let is_stale = self.channel.trouble().is_some();
        let known = self.known.lock();
        Some(ResultVersion { version, end_ms: known.frame.as_ref().map(|frame| frame.end_ms), is_stale })
    }

    /// Evaluates at each multiple of the step, and again what came late, until nobody has wanted it for a while or `stop` is cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        let window_ms = if self.query.instant { 0 } else { self.query.window_ms };
        let mut corrections = Corrections::new(window_ms, self.whole && !self.query.instant);
        loop {
            let step_ms = self.query.step_ms;
            let begun = Instant::now();
            let evaluating = self.evaluate(now_ms().div_euclid(step_ms) * step_ms, &mut corrections);
            self.requester().scope(evaluating).await;
            self.evaluated.send_replace(true);
            let took = begun.elapsed();
            let wait_ms = step_ms - now_ms().rem_euclid(step_ms);
            let to_next_step = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1_000));
            // What takes longer than its step leaves as much time to others.
            let mut wait = to_next_step.min(corrections.rest(&self.backend)).max(took);
            if self.known.lock().is_refused {
                wait = REFUSED_PAUSE;
            }
            let next = Instant::now() + wait;
            loop {
                let idle_ms = self.idle_ms();
                if idle_ms > HEAVY_LINGER_MS {
                    self.channel.forget();
                }
                let is_heavy = took > HEAVY_TIME || self.weight() > HEAVY_BYTES;
                if idle_ms > if is_heavy { HEAVY_LINGER_MS } else { LINGER_MS } {
                    return;
                }
                let left = next.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }

    /// How long nobody has wanted it, in milliseconds.
    fn idle_ms(&self) -> i64 {
        if !self.channel.is_idle() {
            self.touch();
        }
        now_ms().saturating_sub(self.last_used_ms.load(Ordering::Relaxed))
    }

    /// Bytes that its result is charged.
    fn weight(&self) -> u64 {
        self.known.lock().charge.as_ref().map_or(0, Charge::bytes)
    }

    /// Charges what is known. Where there is no room, nothing is known any more.
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
                // What was charged makes room for it.
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

    /// Brings the result up to `end_ms`, a multiple of the step, and makes good what came late.
    async fn evaluate(&self, end_ms: i64, corrections: &mut Corrections) {
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
        let spans = |again| self.spans((start_ms, end_ms), newest, again);
        let mut result = self.evaluate_spans(spans(again), past_caches, newest.is_some()).await;
        let corrected = result.is_ok();
        if let (Err(error), Some(_)) = (&result, again) {
            // What is known stays as it is; what is new does not wait for it.
            tracing::debug!(expr = self.query.expr, %error, "steps could not be evaluated again");
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

    /// What is to be evaluated of `window`, from the first to the last step: what is new after `newest`, and `again` what is known.
    fn spans(&self, window: StepRange, newest: Option<i64>, again: Option<StepRange>) -> Vec<StepRange> {
        let Some(newest) = newest else { return vec![window] };
        let step_ms = self.query.step_ms;
        let is_longer = newest < window.1;
        if self.whole {
            return if is_longer || again.is_some() { vec![window] } else { Vec::new() };
        }
        let newer = is_longer.then_some((newest + step_ms, window.1));
        let aligned = |(first, last): StepRange| {
            ((first.saturating_add(step_ms - 1)).div_euclid(step_ms) * step_ms, last.div_euclid(step_ms) * step_ms)
        };
        match again.map(aligned).filter(|(first, last)| first <= last) {
            // In one piece with what is new.
            Some((first, last)) if last >= newest => vec![(first, window.1)],
            Some(again) => [Some(again), newer].into_iter().flatten().collect(),
            None => newer.into_iter().collect(),
        }
    }

    async fn ask(&self, (first, last): StepRange) -> Result<Frame, QueryError> {
        if self.query.instant {
            self.backend.instant(&self.scoped, last).await
        } else {
            self.backend.range(&self.scoped, first, last, self.query.step_ms).await
        }
    }

    /// Takes in what some steps are, given whether others are known, and publishes what is new of it.
    ///
    /// # Errors
    /// There is no room for it: nothing is known any more.
    fn accept(&self, mut frame: Frame, span: StepRange, is_part: bool) -> Result<(), QueryError> {
        frame.end_ms = span.1;
        let mut refused = None;
        let was_failing = {
            let mut known = self.known.lock();
            known.error.take().is_some()
        };
        self.channel.publish(|| {
            let mut known = self.known.lock();
            if let Some(whole) = &known.frame {
                frame.share_labels(whole);
            }
            let news = match known.frame.as_mut() {
                // All steps of it depend on the window, which has moved.
                Some(whole) if self.whole && !self.query.instant && whole.end_ms != span.1 => {
                    whole.clone_from(&frame);
                    Some(Content::Snapshot(SnapshotData::Query(frame)))
                }
                Some(whole) if is_part || self.query.instant => {
                    if !only_what_differs(whole, &mut frame, span) {
                        return None;
                    }
                    if whole.end_ms > span.1 {
                        frame.end_ms = whole.end_ms;
                        // What is said of older steps is not what there is to say now.
                        frame.notices.clone_from(&whole.notices);
                        frame.remarks.clone_from(&whole.remarks);
                    }
                    frame.removed = whole.apply(&frame, if self.query.instant { 0 } else { self.query.window_ms });
                    Some(Content::Delta(frame))
                }
                _ => {
                    known.frame = Some(frame.clone());
                    Some(Content::Snapshot(SnapshotData::Query(frame)))
                }
            };
            refused = self.charge(&mut known).err();
            news.filter(|_| refused.is_none())
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
            // Told to whoever asked, and counted. A log that anybody can fill tells nothing.
            tracing::debug!(expr = self.query.expr, %error, "a live query has no room, here or at its engine");
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
}
