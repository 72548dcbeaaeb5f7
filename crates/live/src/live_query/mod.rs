//! One live query: evaluated once per step for all its viewers.

mod evaluation;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use access::{Scope, ScopedQuery};
use budget::{Charge, Requester};
use datasource::{Backend, ErrorKind, QueryError};
use model::{
    clock::now_ms,
    frame::Frame,
    live::{LiveQuery, SnapshotData},
    panel::{QueryState, Staleness},
};
use parking_lot::Mutex;
use query_frontend::{late, update::Course};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    corrections::Corrections,
    topic::{Account, Channel, Sequence},
};

/// Deltas in the log for sockets that reconnect. A delta may have many series, so there are fewer of them than of
/// events.
const DELTA_LOG_LENGTH: usize = 64;
/// How long a cheap query without subscribers keeps running for the next page.
const LINGER_MS: i64 = 120_000;
/// The same for an expensive query; also how long the delta log is retained after the last subscriber left, who may
/// reconnect.
const HEAVY_LINGER_MS: i64 = 5_000;
/// A result of more bytes is expensive, and so is one whose evaluation takes longer.
const HEAVY_BYTES: u64 = 256 << 10;
const HEAVY_TIME: Duration = Duration::from_millis(100);
/// Bytes per unit of weight of regular expressions.
const EXPRESSION_BYTES: usize = 400;
/// Delay before a query whose result exceeded the memory limit is evaluated again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Interval of checks for whether the query is still needed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A live query and its subscribers.
pub struct QueryTopic {
    query: LiveQuery,
    /// The query with the matchers of the viewers' scope.
    scoped: ScopedQuery,
    backend: Backend,
    account: Account,
    /// The subscribers.
    pub channel: Channel,
    /// Memory of its regular expressions.
    expression_bytes: u64,
    known: Arc<Mutex<Known>>,
    /// True after the first evaluation.
    evaluated: watch::Sender<bool>,
    last_used_ms: AtomicI64,
    /// How its result moves on. Each step needs a complete evaluation if the value of `@ end()` moves with the window.
    course: Course,
}

/// Identifies a topic's current result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultVersion {
    /// Unique among all results of all topics.
    pub version: u64,
    /// Time of the last step, in milliseconds since the Unix epoch; `None` if no evaluation has succeeded.
    pub end_ms: Option<i64>,
    /// Whether the data is stale.
    pub is_stale: bool,
}

/// The query's current result.
#[derive(Default)]
struct Known {
    frame: Option<Frame>,
    /// The memory charge of the frame.
    charge: Option<Charge>,
    /// Set if the last evaluation failed.
    error: Option<QueryError>,
    /// Whether the result exceeded the memory limit.
    is_refused: bool,
}

impl QueryTopic {
    /// Creates a topic; [`QueryTopic::run`] evaluates it.
    ///
    /// # Errors
    ///
    /// The query cannot be parsed, or its step or window is invalid.
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
        // Samples in the future, by an offset or a fixed time, may arrive after the step that reads them was evaluated.
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
            course: Course {
                window_ms: if query.instant { 0 } else { query.window_ms },
                step_ms: query.step_ms,
                whole: query.instant || moves_with_window || reads_ahead,
            },
            query,
            scoped,
            expression_bytes: u64::try_from(expressions).unwrap_or(u64::MAX),
            backend,
            known,
            evaluated: watch::Sender::new(false),
            last_used_ms: AtomicI64::new(now_ms),
        })
    }

    /// The token that started it.
    pub fn starter(&self) -> &Arc<str> {
        self.account.payers.starter()
    }

    /// Records a token that subscribed.
    pub fn asked_by(&self, token: Arc<str>) {
        self.account.payers.add(token);
    }

    /// The requester of the next evaluation: the payer whose other reads are shortest in the queue.
    fn requester(&self) -> Requester {
        let turns = match &self.backend {
            Backend::Embedded(engine) => engine.reads().admission(),
            Backend::Prometheus(engine) => engine.gate(),
        };
        Requester::Token(self.account.payers.least(|token| turns.waiting_of(token)))
    }

    /// Whether our own store evaluates it.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.backend, Backend::Embedded(_))
    }

    /// Records a use, so that it keeps running.
    pub fn touch(&self) {
        self.last_used_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// Its result for a panel; waits for the first evaluation.
    pub async fn state(&self) -> QueryState {
        self.touch();
        let mut evaluated = self.evaluated.subscribe();
        // An error means that the topic was dropped, after an evaluation.
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

    /// The version of its result; `None` before the first evaluation.
    pub fn result_version(&self) -> Option<ResultVersion> {
        self.touch();
        if !*self.evaluated.borrow() {
            return None;
        }
        // The version is read first: the other values are as new or newer.
        let version = self.channel.newest();
        let is_stale = self.channel.trouble().is_some();
        let known = self.known.lock();
        Some(ResultVersion { version, end_ms: known.frame.as_ref().map(|frame| frame.end_ms), is_stale })
    }

    /// Evaluates at each multiple of the step, and re-evaluates late steps, until nobody has used it for a while or
    /// `stop` is cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        let mut corrections = Corrections::new(self.course.window_ms, self.course.whole && !self.query.instant);
        loop {
            let step_ms = self.query.step_ms;
            let begun = Instant::now();
            let evaluating = self.evaluate(now_ms().div_euclid(step_ms) * step_ms, &mut corrections);
            self.requester().scope(evaluating).await;
            self.evaluated.send_replace(true);
            let took = begun.elapsed();
            let wait_ms = step_ms - now_ms().rem_euclid(step_ms);
            let to_next_step = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1_000));
            // If an evaluation takes longer than the step, an equally long pause follows.
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

    /// How long it has not been used, in milliseconds.
    fn idle_ms(&self) -> i64 {
        if !self.channel.is_idle() {
            self.touch();
        }
        now_ms().saturating_sub(self.last_used_ms.load(Ordering::Relaxed))
    }

    /// Charged bytes of its result.
    fn weight(&self) -> u64 {
        self.known.lock().charge.as_ref().map_or(0, Charge::bytes)
    }
}
