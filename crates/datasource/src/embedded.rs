//! Our engine over our store.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use access::ScopedQuery;
use budget::Requester;
use embedded_engine::{frame, selected_metrics};
use labels::METRIC_NAME;
use model::{clock::now_ms, frame::Frame};
use promql::{Options, Outcome};
use query_frontend::aliases::Aliases;
use tsdb::Store;

use crate::{
    ErrorKind, QueryError, QueryLimits, ReadPermit, ReadScheduler, cost,
    coverage::Coverage,
    names::{LOOK_BACK_MS, SourceNames},
    schedule::{Reading, ended},
};

/// Lifetime of the cached list of metric names in the store.
const NAMES_LAST: Duration = Duration::from_secs(5);

/// Evaluates queries over the embedded store, admitted by its scheduler.
pub struct Embedded {
    store: Store,
    limits: QueryLimits,
    reads: ReadScheduler,
    experimental: bool,
    names: SourceNames,
    /// Checks how much of a query's time range is stored.
    coverage: Coverage,
    /// Explains why a metric has no series, if known.
    explainer: OnceLock<Explainer>,
}

/// Explains why there are no series with a metric name, if there can be none.
pub(crate) type Explainer = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// When a query is evaluated.
#[derive(Debug, Clone, Copy)]
pub enum EvalTime {
    /// At one time, in milliseconds since the Unix epoch.
    At(i64),
    /// At each step of a closed range.
    Range {
        /// Milliseconds since the Unix epoch.
        start_ms: i64,
        /// Milliseconds since the Unix epoch.
        end_ms: i64,
        /// More than 0.
        step_ms: i64,
    },
}

/// Deviations from the default settings of an evaluation.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuerySettings {
    /// Timeout; at most the configured limit.
    pub timeout: Option<Duration>,
    /// Lookback delta, in milliseconds.
    pub look_back_ms: Option<i64>,
}

/// The result of an evaluation, and its cost.
pub struct Evaluated {
    /// The result.
    pub outcome: Outcome,
    /// Charge of the result and its encoding.
    pub permit: ReadPermit,
    /// Time in the queue.
    pub queued: Duration,
    /// Time of the evaluation.
    pub evaluation: Duration,
}

impl Embedded {
    /// An engine over `store`.
    #[must_use]
    pub fn new(store: Store, limits: QueryLimits, reads: ReadScheduler) -> Self {
        Embedded {
            store,
            limits,
            reads,
            experimental: false,
            names: SourceNames::new(Arc::default(), NAMES_LAST),
            coverage: Coverage::default(),
            explainer: OnceLock::new(),
        }
    }

    /// Sets the explainer of empty results for panels. Only the first call has an effect.
    pub fn explain_with(&self, explainer: Explainer) {
        let _ = self.explainer.set(explainer);
    }

    /// Sets aliases of metric names.
    #[must_use]
    pub fn with_aliases(mut self, aliases: Arc<Aliases>) -> Self {
        self.names = SourceNames::new(aliases, NAMES_LAST);
        self
    }

    /// See [`crate::Backend::as_sent`].
    pub async fn as_sent(&self, query: &ScopedQuery) -> Option<ScopedQuery> {
        let ask = async |_: &[&str]| {
            let (store, now_ms) = (self.store.clone(), now_ms());
            // One cached list for all, so that nobody waits for it often.
            let names = tokio::task::spawn_blocking(move || {
                store.label_values(METRIC_NAME, &[], now_ms.saturating_sub(LOOK_BACK_MS), now_ms)
            });
            Some(names.await.ok()?.into_iter().map(|name| name.to_string()).collect())
        };
        let named = self.names.as_sent(query, ask).await;
        if self.experimental {
            return named;
        }
        named.as_ref().unwrap_or(query).renamed(promql::Query::without_anchored).or(named)
    }

    /// Whether Prometheus' experimental functions are allowed.
    #[must_use]
    pub fn with_experimental(mut self, allowed: bool) -> Self {
        self.experimental = allowed;
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &QueryLimits {
        &self.limits
    }

    /// The scheduler of its reads.
    #[must_use]
    pub fn reads(&self) -> &ReadScheduler {
        &self.reads
    }

    /// Evaluates a query.
    ///
    /// # Errors
    ///
    /// It is invalid, exceeds a limit, or timed out.
    pub async fn evaluate(&self, query: &ScopedQuery, when: EvalTime) -> Result<Outcome, QueryError> {
        let Evaluated { outcome, permit, .. } = self.evaluate_with(query, when, &QuerySettings::default()).await?;
        Requester::hold(permit.into_result(cost::of_value(&outcome.value)));
        Ok(outcome)
    }

    /// Rejects a range with more steps than the limit.
    ///
    /// # Errors
    ///
    /// The limit.
    pub fn check_steps(&self, start_ms: i64, end_ms: i64, step_ms: i64) -> Result<(), QueryError> {
        let points = end_ms.saturating_sub(start_ms) / step_ms.max(1);
        if usize::try_from(points).is_ok_and(|points| points <= self.limits.max_points_per_series) {
            return Ok(());
        }
        let most = in_thousands(self.limits.max_points_per_series);
        let message = format!(
            "exceeded maximum resolution of {most} points per timeseries. Try decreasing the query resolution (?step=XX)"
        );
        Err(QueryError::new(ErrorKind::BadData, message))
    }

    /// Evaluates a query with other settings, and returns its cost too.
    ///
    /// # Errors
    ///
    /// As [`Embedded::evaluate`].
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn evaluate_with(
        &self,
        query: &ScopedQuery,
        when: EvalTime,
        settings: &QuerySettings,
    ) -> Result<Evaluated, QueryError> {
        let query = query.parsed()?.clone();
        if let EvalTime::Range { start_ms, end_ms, step_ms } = when {
            self.check_steps(start_ms, end_ms, step_ms)?;
        }
        let timeout = settings.timeout.map_or(self.limits.timeout, |timeout| timeout.min(self.limits.timeout));
        let started = Instant::now();
        let deadline = started + timeout;
        let timed_out = || {
            QueryError::new(
                ErrorKind::Timeout,
                format!(
                    "query timed out in query execution: it took longer than {} s; narrow its range or its selectors",
                    timeout.as_secs_f64()
                ),
            )
        };
        let experimental = self.experimental;
        let look_back_ms = settings.look_back_ms.unwrap_or(promql::Options::default().look_back_ms);
        let usual = Options::default();
        let most_samples = usize::try_from(self.reads.most_bytes()).unwrap_or(usize::MAX) / cost::SAMPLE_BYTES;
        let limited = Options {
            max_series: self.limits.max_series,
            max_points_per_series: self.limits.max_points_per_series + 1,
            max_samples: usual.max_samples.min(most_samples),
            experimental,
            look_back_ms,
            ..usual
        };
        let (sized, sized_store, store) = (query.clone(), self.store.clone(), self.store.clone());
        let size = move |reading: &Reading| cost::of_query(&sized, &sized_store, when, &limited, reading);
        let read = move |reading: &Reading| {
            let begun = Instant::now();
            let cancelled = || reading.is_over() || Instant::now() > deadline;
            let options = Options { cancelled: &cancelled, ..limited };
            let outcome = match when {
                EvalTime::At(time_ms) => query.instant(&store, time_ms, &options),
                EvalTime::Range { start_ms, end_ms, step_ms } => {
                    query.range(&store, start_ms, end_ms, step_ms, &options)
                }
            };
            (outcome, begun)
        };
        let ((outcome, begun), permit) = tokio::time::timeout_at(deadline.into(), self.reads.run_sized(size, read))
            .await
            .map_err(|_| timed_out())??;
        let (queued, evaluation) = (begun.duration_since(started), begun.elapsed());
        outcome
            .map_err(|error| {
                if permit.is_aborted() {
                    ended()
                } else if Instant::now() > deadline {
                    timed_out()
                } else {
                    QueryError::new(ErrorKind::Execution, error.to_string())
                }
            })
            .map(|outcome| Evaluated { outcome, permit, queued, evaluation })
    }

    /// See [`crate::Backend::range`].
    ///
    /// # Errors
    /// As [`Embedded::evaluate`].
    #[tracing::instrument(level = "debug", skip_all, fields(step_ms))]
    pub async fn range_frame(
        &self,
        query: &ScopedQuery,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Frame, QueryError> {
        let outcome = self.evaluate(query, EvalTime::Range { start_ms, end_ms, step_ms }).await?;
        let frame = self.explained(query, frame(outcome, end_ms));
        Ok(Frame {
            remarks: self.coverage.remark(query, &self.store, &self.reads, end_ms).await.into_iter().collect(),
            ..frame
        })
    }

    /// See [`crate::Backend::instant`].
    ///
    /// # Errors
    /// As [`Embedded::evaluate`].
    pub async fn instant_frame(&self, query: &ScopedQuery, time_ms: i64) -> Result<Frame, QueryError> {
        let outcome = self.evaluate(query, EvalTime::At(time_ms)).await?;
        let frame = self.explained(query, frame(outcome, time_ms));
        Ok(Frame {
            remarks: self.coverage.remark(query, &self.store, &self.reads, time_ms).await.into_iter().collect(),
            ..frame
        })
    }

    /// Adds to an empty frame why it is empty. The names of sources are only shown to viewers who may see everything.
    fn explained(&self, query: &ScopedQuery, mut frame: Frame) -> Frame {
        let Some(explainer) = self.explainer.get().filter(|_| frame.is_empty() && query.scope().is_all()) else {
            return frame;
        };
        let names = query.parsed().map(selected_metrics).unwrap_or_default();
        for explanation in names.iter().filter_map(|name| explainer(name)) {
            if !frame.notices.contains(&explanation) {
                frame.notices.push(explanation);
            }
        }
        frame
    }
}

/// A number with thousands separators, as in Prometheus' message.
fn in_thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
