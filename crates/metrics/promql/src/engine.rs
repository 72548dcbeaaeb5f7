//! The public interface: parse a query, evaluate it at one time or over a range of times.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{
    comparison::{Comparison, comparison},
    eval::Context,
    output,
    plan::{Edges, Node, Selector, Shift},
    planner::Planned,
    stack::with_room,
    syntax::{self, ParseError, ValueType, print::Printed, value_type},
    value::Steps,
};
use labels::{Labels, Matcher};
use timeseries::{Sample, SeriesSamples, SeriesSource, SourceError};

/// A parsed query. Can be evaluated repeatedly with any source and time.
#[derive(Clone)]
pub struct Query {
    text: String,
    plan: Arc<Plan>,
}

/// The plan of a query.
#[derive(Clone)]
struct Plan(Planned);

impl Drop for Plan {
    fn drop(&mut self) {
        let root = std::mem::replace(&mut self.0.root, Node::Number(0.0));
        with_room(self.0.levels, || drop(root));
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_tuple("Query").field(&self.text).finish()
    }
}

/// Parses a query.
///
/// # Errors
/// The text is not PromQL; the error says where and why.
pub fn parse(query: &str) -> Result<Query, ParseError> {
    Ok(Query { text: query.to_owned(), plan: Arc::new(Plan(syntax::parse(query)?)) })
}

/// Parses a series selector, as in the parameter `match[]`: a metric name, matchers, or both, and nothing else.
///
/// # Errors
///
/// The text is not PromQL, or is more than a selector.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    match &parse(text)?.plan.0.root {
        Node::Instant(selector) if matches!(selector.shift, Shift { offset: None, at: None }) => {
            Ok(selector.matchers.clone())
        }
        _ => Err(ParseError::new(text, 0, "expected a series selector such as up{job=\"x\"}")),
    }
}

/// Limits and settings of an evaluation.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Lookback delta: maximum age of a sample at an evaluation time.
    pub look_back_ms: i64,
    /// Maximum number of series of one selector, and of the result.
    pub max_series: usize,
    /// Maximum number of steps of a range query.
    pub max_points_per_series: usize,
    /// Maximum number of samples and points that an evaluation may read and compute in total.
    pub max_samples: usize,
    /// Number of threads that a large evaluation may use, including the caller's.
    pub threads: usize,
    /// Called regularly; `true` aborts the evaluation with [`EvalError::Cancelled`]. For a deadline, pass a closure
    /// that reads the clock.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
    /// Default resolution of subqueries.
    pub default_subquery_step_ms: i64,
    /// Whether Prometheus' experimental functions and syntax are allowed.
    pub experimental: bool,
}

fn never() -> bool {
    false
}

/// As many threads as the machine runs in parallel, but only a few.
fn default_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, |threads| threads.get().min(4)))
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            look_back_ms: 5 * 60 * 1000,
            max_series: 50_000,
            max_points_per_series: 11_000,
            max_samples: 50_000_000,
            threads: default_threads(),
            cancelled: &never,
            default_subquery_step_ms: 60 * 1000,
            experimental: false,
        }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("look_back_ms", &self.look_back_ms)
            .field("max_series", &self.max_series)
            .field("max_points_per_series", &self.max_points_per_series)
            .field("max_samples", &self.max_samples)
            .field("threads", &self.threads)
            .field("default_subquery_step_ms", &self.default_subquery_step_ms)
            .field("experimental", &self.experimental)
            .finish_non_exhaustive()
    }
}

/// A result with annotations.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The result.
    pub value: Value,
    /// Warnings: problems that probably make the result wrong, in Prometheus' words.
    pub warnings: Vec<String>,
    /// Infos, in Prometheus' words.
    pub infos: Vec<String>,
    /// Number of samples and points that were read and computed.
    pub samples: usize,
}

/// The result of a query. A range query always yields a matrix.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number.
    Scalar {
        /// The evaluation time.
        timestamp_ms: i64,
        /// The number.
        value: f64,
    },
    /// A string.
    String {
        /// The evaluation time.
        timestamp_ms: i64,
        /// The string.
        value: String,
    },
    /// One value per series, in the order of the query.
    Vector(Vec<InstantSample>),
    /// Samples over time, sorted by labels. No series is empty.
    Matrix(Vec<SeriesSamples>),
}

/// A series' value at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct InstantSample {
    /// The series.
    pub labels: Labels,
    /// The evaluation time.
    pub timestamp_ms: i64,
    /// The value.
    pub sample: Sample,
}

/// Why an evaluation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvalError {
    /// The query is valid, but cannot be evaluated on this data.
    #[error("{0}")]
    Query(String),
    /// The query uses an experimental feature.
    #[error("{0} is experimental and not enabled")]
    NotEnabled(String),
    /// The query exceeds a limit.
    #[error("{0}")]
    Limit(String),
    /// The caller aborted the evaluation.
    #[error("query was cancelled")]
    Cancelled,
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The data that a selector reads: to list series, or to check what a query reads.
#[derive(Debug, Clone)]
pub struct SelectorBounds {
    /// The selector's matchers.
    pub matchers: Vec<Matcher>,
    /// Milliseconds since the Unix epoch; inclusive.
    pub start_ms: i64,
    /// Milliseconds since the Unix epoch; inclusive.
    pub end_ms: i64,
    /// The part of that before the window, for ranges whose first value needs an earlier sample, in milliseconds.
    pub before_ms: i64,
    /// The part after the window, for ranges whose last value needs a later sample.
    pub after_ms: i64,
}

impl Query {
    /// The query as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The query with changed selectors: other names, or more matchers. `change` is called with each selector's
    /// matchers.
    #[must_use]
    pub fn with_selectors(&self, mut change: impl FnMut(&mut Vec<Matcher>)) -> Self {
        self.changed(|plan| plan.root.each_selector(&mut |selector| change(&mut selector.matchers)))
    }

    /// Total weight of the regular expressions of its selectors: see [`Matcher::weight`].
    #[must_use]
    pub fn weight(&self) -> usize {
        let mut weight = 0_usize;
        // The copy is discarded, because nothing is changed.
        let _ = self.with_selectors(|matchers| {
            weight = matchers.iter().map(Matcher::weight).fold(weight, usize::saturating_add);
        });
        weight
    }

    /// Whether one of its ranges is `anchored`.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.any(|node| node.edges() == Edges::Anchored)
    }

    /// The query with plain ranges instead of `anchored` ones, for engines that do not support the modifier: they
    /// extrapolate such ranges, so that a count is an estimate. `None` if there are none.
    #[must_use]
    pub fn without_anchored(&self) -> Option<Self> {
        if !self.is_anchored() {
            return None;
        }
        let mut changed = self.changed(|plan| {
            plan.root.each_selector(&mut |selector| {
                if selector.edges == Edges::Anchored {
                    selector.edges = Edges::Plain;
                }
            });
            plan.experimental.retain(|word| !word.eq_ignore_ascii_case("anchored"));
        });
        changed.text = changed.to_string();
        Some(changed)
    }

    /// The query with changed label names: in selectors, groupings, vector matching, and arguments of functions such as
    /// `label_replace`. `change` is called with each name.
    #[must_use]
    pub fn with_label_names(&self, mut change: impl FnMut(&mut String)) -> Self {
        self.changed(|plan| plan.root.each_label(&mut change))
    }

    /// The query with a changed plan.
    fn changed(&self, change: impl FnOnce(&mut Planned)) -> Self {
        let mut changed = self.clone();
        with_room(self.plan.0.levels, || change(&mut Arc::make_mut(&mut changed.plan).0));
        changed
    }

    fn any(&self, mut is_it: impl FnMut(&Node) -> bool) -> bool {
        with_room(self.plan.0.levels, || self.plan.0.root.any(&mut is_it))
    }

    /// Whether a function with this name is called in the query.
    #[must_use]
    pub fn calls(&self, name: &str) -> bool {
        self.any(|node| matches!(node, Node::Call(call) if call.name == name))
    }

    /// The comparison with a number at the top of the query, or in the left operand of an `and` or `unless` at its top.
    #[must_use]
    pub fn comparison(&self) -> Option<Comparison> {
        with_room(self.plan.0.levels, || comparison(&self.plan.0.root))
    }

    /// The type of an instant query's result.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        with_room(self.plan.0.levels, || value_type(&self.plan.0.root))
    }

    /// Evaluates the query at one time.
    ///
    /// # Errors
    ///
    /// The query cannot be evaluated, exceeds a limit, was aborted, or the source failed.
    pub fn instant(&self, source: &dyn SeriesSource, time_ms: i64, options: &Options) -> Result<Outcome, EvalError> {
        self.check_experimental(options)?;
        let context = Context::new(source, options, (time_ms, time_ms), 0);
        let value = with_room(self.plan.0.levels, || match &self.plan.0.root {
            node @ (Node::Range(..) | Node::Subquery(_)) => output::tracks(&context, node, time_ms),
            node => output::instant(context.eval(node, Steps::instant(time_ms))?, time_ms),
        })?;
        check_size(&value, options)?;
        Ok(self.outcome(value, context))
    }

    /// Evaluates the query at `start_ms`, `start_ms + step_ms`, …, up to `end_ms`.
    ///
    /// # Errors
    ///
    /// As [`Query::instant`]; also if the query yields a string or a range vector, the step is not positive, or the end
    /// is before the start.
    pub fn range(
        &self,
        source: &dyn SeriesSource,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &Options,
    ) -> Result<Outcome, EvalError> {
        self.check_experimental(options)?;
        if step_ms <= 0 {
            return Err(EvalError::Query("zero or negative query resolution step widths are not accepted".to_owned()));
        }
        if end_ms < start_ms {
            return Err(EvalError::Query("end timestamp must not be before start time".to_owned()));
        }
        if let kind @ (ValueType::String | ValueType::Matrix) = self.value_type() {
            let kind = if kind == ValueType::String { "string" } else { "range vector" };
            let text = format!("invalid expression type {kind:?} for range query, must be Scalar or instant Vector");
            return Err(EvalError::Query(text));
        }
        let steps = Steps::range(start_ms, end_ms, step_ms);
        if steps.count > options.max_points_per_series {
            let most = options.max_points_per_series;
            let text = format!(
                "exceeded maximum resolution of {most} points per timeseries: use a longer step or a shorter range"
            );
            return Err(EvalError::Limit(text));
        }
        let context = Context::new(source, options, (start_ms, end_ms), step_ms);
        let computed = with_room(self.plan.0.levels, || context.eval(&self.plan.0.root, steps))?;
        let value = Value::Matrix(output::matrix(computed, steps)?);
        check_size(&value, options)?;
        Ok(self.outcome(value, context))
    }

    /// Each selector of the query with the time range that it reads, for a query from `start_ms` to `end_ms`.
    #[must_use]
    pub fn selectors(&self, start_ms: i64, end_ms: i64, step_ms: i64, options: &Options) -> Vec<SelectorBounds> {
        let mut found = Vec::new();
        let bounds = Bounds { query: (start_ms, end_ms), step_ms, options };
        with_room(self.plan.0.levels, || bounds.collect(&self.plan.0.root, (start_ms, end_ms), &mut found));
        found
    }

    fn check_experimental(&self, options: &Options) -> Result<(), EvalError> {
        match self.plan.0.experimental.first() {
            Some(name) if !options.experimental => Err(EvalError::NotEnabled(name.clone())),
            _ => Ok(()),
        }
    }

    fn outcome(&self, value: Value, context: Context) -> Outcome {
        let samples = context.samples();
        let (warnings, infos) = context.into_notes().into_texts(&self.text);
        Outcome { value, warnings, infos, samples }
    }
}

impl fmt::Display for Query {
    /// The query in a uniform notation, with changed selectors if they were changed.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        with_room(self.plan.0.levels, || Printed(&self.plan.0.root).fmt(formatter))
    }
}

/// Fails if a result has more series than the limit.
fn check_size(value: &Value, options: &Options) -> Result<(), EvalError> {
    let series = match value {
        Value::Vector(samples) => samples.len(),
        Value::Matrix(matrix) => matrix.len(),
        Value::Scalar { .. } | Value::String { .. } => return Ok(()),
    };
    if series > options.max_series {
        let most = options.max_series;
        return Err(EvalError::Limit(format!("the result has {series} series, more than the limit of {most}")));
    }
    Ok(())
}

/// Collects selectors with their time ranges.
struct Bounds<'a> {
    query: (i64, i64),
    step_ms: i64,
    options: &'a Options<'a>,
}

impl Bounds<'_> {
    fn collect(&self, node: &Node, window: (i64, i64), found: &mut Vec<SelectorBounds>) {
        match node {
            Node::Number(_) | Node::Text(_) => {}
            Node::Instant(selector) => self.push(selector, window, (self.options.look_back_ms, 0), found),
            Node::Range(selector, range) => {
                let before = if selector.edges == Edges::Plain { 0 } else { self.options.look_back_ms };
                self.push(selector, window, (self.milliseconds(range), before), found);
            }
            Node::Subquery(subquery) => {
                let (start, end) = self.shifted(&subquery.shift, window);
                let start = start.saturating_sub(self.milliseconds(&subquery.range));
                self.collect(&subquery.inner, (start, end), found);
            }
            Node::Negate(inner) | Node::Invariant(inner) => self.collect(inner, window, found),
            Node::Binary(binary) => {
                self.collect(&binary.left, window, found);
                self.collect(&binary.right, window, found);
            }
            Node::Aggregate(aggregate) => {
                for node in aggregate.parameter.iter().chain([&aggregate.inner]) {
                    self.collect(node, window, found);
                }
            }
            Node::Call(call) => call.arguments.iter().for_each(|node| self.collect(node, window, found)),
        }
    }

    fn push(
        &self,
        selector: &Selector,
        window: (i64, i64),
        (length, before_ms): (i64, i64),
        found: &mut Vec<SelectorBounds>,
    ) {
        let (start, end) = self.shifted(&selector.shift, window);
        let start_ms = start.saturating_sub(length).saturating_sub(before_ms).saturating_add(1);
        // A value between two samples needs the later one too.
        let after_ms = if selector.edges == Edges::Smoothed { self.options.look_back_ms } else { 0 };
        let end_ms = end.saturating_add(after_ms);
        found.push(SelectorBounds { matchers: selector.matchers.clone(), start_ms, end_ms, before_ms, after_ms });
    }

    fn shifted(&self, shift: &Shift, window: (i64, i64)) -> (i64, i64) {
        let offset = shift.offset.as_ref().map_or(0, |length| self.milliseconds(length));
        let (start, end) = shift.at.map_or(window, |at| {
            let time = at.time(self.query);
            (time, time)
        });
        (start.saturating_sub(offset), end.saturating_sub(offset))
    }

    fn milliseconds(&self, length: &crate::syntax::length::Length) -> i64 {
        length.milliseconds(self.step_ms, self.query).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_plain_for_an_engine_that_knows_no_other() {
        let plain = |query: &str| parse(query).unwrap().without_anchored().map(|query| query.to_string());
        assert_eq!(plain("sum(increase(a[1d] anchored))").unwrap(), "sum(increase(a[1d]))");
        assert_eq!(
            plain("rate(a{b=\"anchored\"}[5m] offset 1m ANCHORED) / changes(c[1h] @ 5 anchored)").unwrap(),
            "rate(a{b=\"anchored\"}[5m] offset 1m) / changes(c[1h] @ 5)"
        );
        for query in ["increase(a[1d])", "rate(a[5m] smoothed)", "anchored{a=\"anchored\"}"] {
            assert_eq!(plain(query), None, "{query}");
        }
        let changed = parse("increase(a[1m] anchored)").unwrap().without_anchored().unwrap();
        assert!(changed.plan.0.experimental.is_empty(), "it can be evaluated where nothing experimental is allowed");
    }
}
