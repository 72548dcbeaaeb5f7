//! Live queries over the store of this page: evaluated at each multiple of their step, and where samples came late.

use std::collections::BTreeSet;

use embedded_engine::{Evaluator, Span};
use model::{
    frame::{Frame, StepRange},
    live::LiveQuery,
};
use promql::{Options, Query};
use query_frontend::{
    late::{Reads, depends_on_window},
    update::{Course, Update},
};
use tsdb::LateMark;
use web_time::{Duration, Instant};

/// How long an evaluation may take: the page gets no other news meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// Interval of checks for late samples, in milliseconds.
const LATE_INTERVAL_MS: i64 = 5_000;
/// The shortest step, in milliseconds.
const LEAST_STEP_MS: i64 = 1_000;
/// Largest number of steps in a window, as in Prometheus.
const MOST_STEPS: i64 = 11_000;

/// A live query, its result and its subscribers.
pub(crate) struct LiveResult {
    query: LiveQuery,
    parsed: Query,
    course: Course,
    frame: Option<Frame>,
    error: Option<String>,
    mark: LateMark,
    /// When late samples are looked for again, in milliseconds since the Unix epoch.
    late_due_ms: i64,
    /// IDs of subscriptions.
    pub(crate) subscribers: BTreeSet<u64>,
}

/// What the subscribers of a query get.
#[derive(Debug, PartialEq)]
pub(crate) enum QueryNews {
    /// New data.
    Update(Update),
    /// The evaluation failed for the first time. With the time of the last good result, in milliseconds since the Unix
    /// epoch, if there is one.
    Failed { message: String, known_end_ms: Option<i64> },
    /// It works again.
    Recovered,
}

impl LiveResult {
    /// A query that nobody has evaluated.
    ///
    /// # Errors
    ///
    /// It cannot be parsed, or its step or window is invalid.
    pub(crate) fn new(query: LiveQuery, now_ms: i64) -> Result<Self, String> {
        if query.step_ms < LEAST_STEP_MS {
            return Err(format!("step_ms is {}: a live query has steps of at least {LEAST_STEP_MS} ms", query.step_ms));
        }
        if !query.instant && (query.window_ms < query.step_ms || query.window_ms / query.step_ms > MOST_STEPS) {
            return Err(format!(
                "window_ms is {}: it must be between one and {MOST_STEPS} steps of {} ms",
                query.window_ms, query.step_ms
            ));
        }
        let parsed = promql::parse(&query.expr).map_err(|error| error.to_string())?;
        let reads_ahead = Reads::of(&parsed, query.step_ms).until(now_ms) > now_ms;
        let course = Course {
            window_ms: if query.instant { 0 } else { query.window_ms },
            step_ms: query.step_ms,
            whole: query.instant || depends_on_window(&parsed) || reads_ahead,
        };
        Ok(LiveResult {
            query,
            parsed,
            course,
            frame: None,
            error: None,
            mark: LateMark::default(),
            late_due_ms: 0,
            subscribers: BTreeSet::new(),
        })
    }

    /// The query.
    pub(crate) fn query(&self) -> &LiveQuery {
        &self.query
    }

    /// Its current result.
    pub(crate) fn frame(&self) -> Option<&Frame> {
        self.frame.as_ref()
    }

    /// Why its last evaluation failed.
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Evaluates what is due at `now_ms`, and returns what is new.
    pub(crate) fn advance(&mut self, evaluator: &Evaluator, now_ms: i64) -> Vec<QueryNews> {
        let step_ms = self.query.step_ms;
        let end_ms = now_ms.div_euclid(step_ms) * step_ms;
        let is_due = self.frame.as_ref().is_none_or(|frame| frame.end_ms != end_ms);
        if !is_due && now_ms < self.late_due_ms {
            return Vec::new();
        }
        self.late_due_ms = now_ms.saturating_add(LATE_INTERVAL_MS);
        let start_ms = end_ms.saturating_sub(self.course.window_ms);
        // Unless there is a gap or the clock was set back.
        let newest =
            self.frame.as_ref().map(|frame| frame.end_ms).filter(|newest| (start_ms..=end_ms).contains(newest));
        let again = self.late_steps(evaluator, (start_ms, end_ms), newest, now_ms);
        let mut news = Vec::new();
        for span in self.course.spans((start_ms, end_ms), newest, again) {
            match self.evaluate(evaluator, span) {
                Ok(frame) => {
                    if self.error.take().is_some() {
                        news.push(QueryNews::Recovered);
                    }
                    let update = self.course.merge(&mut self.frame, frame, span, newest.is_some());
                    news.extend(update.map(QueryNews::Update));
                }
                Err(message) => {
                    if self.error.as_ref() != Some(&message) {
                        self.error = Some(message.clone());
                        let known_end_ms = self.frame.as_ref().map(|frame| frame.end_ms);
                        news.push(QueryNews::Failed { message, known_end_ms });
                    }
                    return news;
                }
            }
        }
        news
    }

    /// The known steps that samples changed which came since the last look.
    fn late_steps(
        &mut self,
        evaluator: &Evaluator,
        (start_ms, end_ms): StepRange,
        newest: Option<i64>,
        now_ms: i64,
    ) -> Option<StepRange> {
        let renamed = evaluator.as_evaluated(&self.parsed, now_ms);
        let reads = Reads::of(renamed.as_ref().unwrap_or(&self.parsed), self.query.step_ms);
        evaluator.store().reads(reads.until(end_ms).min(now_ms));
        let (late, mark) = evaluator.store().late_since(self.mark);
        self.mark = mark;
        let step_ms = self.query.step_ms;
        let first_ms = start_ms.saturating_add(step_ms - 1).div_euclid(step_ms) * step_ms;
        (!late.is_empty()).then(|| reads.affected((first_ms, newest?), |matchers| late.times(matchers))).flatten()
    }

    fn evaluate(&self, evaluator: &Evaluator, (start_ms, end_ms): StepRange) -> Result<Frame, String> {
        let span = if self.query.instant {
            Span::At(end_ms)
        } else {
            Span::Range { start_ms, end_ms, step_ms: self.query.step_ms }
        };
        evaluate(evaluator, &self.parsed, span)
    }
}

/// The result of a query, within the limits of a page.
///
/// # Errors
///
/// It exceeds a limit, in words.
pub(crate) fn evaluate(evaluator: &Evaluator, query: &Query, span: Span) -> Result<Frame, String> {
    let deadline = Instant::now() + PATIENCE;
    let cancelled = move || Instant::now() > deadline;
    evaluator.frame(query, span, &options(&cancelled)).map_err(|error| error.to_string())
}

/// Settings of evaluations in a page.
pub(crate) fn options<'a>(cancelled: &'a (dyn Fn() -> bool + Sync)) -> Options<'a> {
    Options {
        threads: 1,
        experimental: true,
        max_samples: 5_000_000,
        max_series: 5_000,
        cancelled,
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use labels::Labels;
    use query_frontend::aliases::Aliases;
    use timeseries::{Point, SampleSink};
    use tsdb::{Store, StoreOptions};

    use super::*;

    const STEP_MS: i64 = 15_000;
    const START_MS: i64 = 1_795_165_200_000;

    fn evaluator() -> Evaluator {
        Evaluator::new(Store::in_memory(StoreOptions::default()), Aliases::default())
    }

    fn put(evaluator: &Evaluator, at_ms: i64, value: f64) {
        let labels = Labels::new([("__name__", "jobs")]);
        evaluator.store().append(&[Point { labels, timestamp_ms: at_ms, value }]).unwrap();
    }

    fn live(expr: &str) -> Result<LiveResult, String> {
        let query =
            LiveQuery { expr: expr.into(), window_ms: 10 * STEP_MS, step_ms: STEP_MS, instant: false, engine: None };
        LiveResult::new(query, START_MS)
    }

    #[test]
    fn a_window_comes_whole_then_new_steps_then_what_came_late() {
        let evaluator = evaluator();
        let mut result = live("jobs").unwrap();
        put(&evaluator, START_MS, 1.0);
        let QueryNews::Update(Update::Snapshot(frame)) = result.advance(&evaluator, START_MS + 1).remove(0) else {
            panic!("the first result is whole");
        };
        assert_eq!(frame.series[0].points().collect::<Vec<_>>(), [(START_MS, 1.0)]);
        assert!(result.advance(&evaluator, START_MS + 200).is_empty(), "no step is due");

        put(&evaluator, START_MS + STEP_MS, 2.0);
        let QueryNews::Update(Update::Delta(frame)) = result.advance(&evaluator, START_MS + STEP_MS + 1).remove(0)
        else {
            panic!("then what is new");
        };
        assert_eq!(frame.series[0].points().collect::<Vec<_>>(), [(START_MS + STEP_MS, 2.0)]);

        put(&evaluator, START_MS + 1_000, 7.0);
        put(&evaluator, START_MS + STEP_MS - 500, 9.0);
        result.advance(&evaluator, START_MS + STEP_MS + LATE_INTERVAL_MS + 2);
        let later = result.advance(&evaluator, START_MS + 2 * STEP_MS + 1);
        assert!(!later.is_empty());
        let points: Vec<_> = result.frame().unwrap().series[0].points().collect();
        assert_eq!(points, [(START_MS, 1.0), (START_MS + STEP_MS, 2.0), (START_MS + 2 * STEP_MS, 2.0)]);
    }

    #[test]
    fn what_cannot_be_evaluated_says_why_once() {
        assert!(live("sum(").is_err());
        let evaluator = evaluator();
        put(&evaluator, START_MS, 1.0);
        let mut result =
            live("label_replace(jobs, \"a\", \"$1\", \"b\", \"(\")").or_else(|_| live("1 + jobs")).unwrap();
        result.advance(&evaluator, START_MS + 1);
        assert!(result.advance(&evaluator, START_MS + 100).is_empty());
    }
}
