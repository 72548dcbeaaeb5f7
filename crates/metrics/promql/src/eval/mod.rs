//! Evaluation of a plan, for all steps at once.

mod aggregate;
mod aggregate_rank;
mod binary;
mod binary_match;
mod binary_sets;
mod call;
mod call_histogram;
pub(crate) mod edges;
mod info;
mod operate;
mod parallel;
mod selector;
mod subquery;
pub(crate) mod window;
mod windowed;

use std::cell::{Cell, RefCell};

use timeseries::{Sample, SeriesSource};

use crate::{
    annotation::{Notes, Position},
    engine::{EvalError, Options},
    plan::{Node, Shift},
    syntax::length::Length,
    value::{Column, Computed, Series, Steps},
};

/// State of one evaluation.
pub(crate) struct Context<'a> {
    source: &'a dyn SeriesSource,
    options: &'a Options<'a>,
    /// Start and end of the query.
    query: (i64, i64),
    /// Step of the query; 0 for an instant query.
    step_ms: i64,
    notes: RefCell<Notes>,
    /// Number of samples and points so far.
    samples: Cell<usize>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(source: &'a dyn SeriesSource, options: &'a Options<'a>, query: (i64, i64), step_ms: i64) -> Self {
        Context { source, options, query, step_ms, notes: RefCell::default(), samples: Cell::new(0) }
    }

    /// Number of samples and points so far.
    pub(crate) fn samples(&self) -> usize {
        self.samples.get()
    }

    pub(crate) fn into_notes(self) -> Notes {
        self.notes.into_inner()
    }

    fn warn(&self, position: Position, text: impl Into<String>) {
        self.notes.borrow_mut().warn(position, text);
    }

    fn info(&self, position: Position, text: impl Into<String>) {
        self.notes.borrow_mut().info(position, text);
    }

    /// Checks whether the caller aborted the evaluation.
    fn check(&self) -> Result<(), EvalError> {
        if (self.options.cancelled)() { Err(EvalError::Cancelled) } else { Ok(()) }
    }

    /// Counts samples before they are held.
    fn charge(&self, samples: usize) -> Result<(), EvalError> {
        let total = self.samples.get().saturating_add(samples);
        self.samples.set(total);
        if total > self.options.max_samples {
            let text = "query processing would load too many samples into memory in query execution";
            return Err(EvalError::Limit(text.to_owned()));
        }
        Ok(())
    }

    /// Rejects this many points before they are computed and counted.
    fn afford(&self, points: usize) -> Result<(), EvalError> {
        let counted = self.samples.get();
        let affordable = self.charge(points);
        self.samples.set(counted);
        affordable
    }

    /// Rejects the creation of this many series. Each has a column, even with few values.
    fn limit_series(&self, series: usize) -> Result<(), EvalError> {
        let most = self.options.max_series;
        if series > most {
            return Err(EvalError::Limit(format!("the query makes more than {most} series")));
        }
        Ok(())
    }

    fn milliseconds(&self, length: &Length) -> Result<i64, EvalError> {
        length.milliseconds(self.step_ms, self.query).map_err(EvalError::Query)
    }

    fn range_milliseconds(&self, length: &Length) -> Result<i64, EvalError> {
        length.positive_milliseconds(self.step_ms, self.query).map_err(EvalError::Query)
    }

    /// Offset in milliseconds, and the fixed time if there is one.
    fn resolve(&self, shift: &Shift) -> Result<(i64, Option<i64>), EvalError> {
        let offset = shift.offset.as_ref().map_or(Ok(0), |length| self.milliseconds(length))?;
        Ok((offset, shift.at.map(|at| at.time(self.query))))
    }

    /// Evaluates a node that is not a range vector.
    pub(crate) fn eval(&self, node: &Node, steps: Steps) -> Result<Computed, EvalError> {
        self.check()?;
        let computed = match node {
            Node::Number(value) => Computed::Scalar(vec![*value; steps.count]),
            Node::Text(text) => Computed::Text(text.clone()),
            Node::Instant(selector) => Computed::Vector(self.instant(selector, steps)?),
            Node::Range(..) | Node::Subquery(_) => {
                return Err(EvalError::Query("a range vector is only allowed as an argument of a function".to_owned()));
            }
            Node::Negate(inner) => negate(self.eval(inner, steps)?),
            Node::Binary(binary) => self.binary(binary, steps)?,
            Node::Aggregate(aggregate) => Computed::Vector(self.aggregate(aggregate, steps)?),
            Node::Call(call) => self.call(call, steps)?,
            Node::Invariant(inner) => {
                let once = Steps { count: steps.count.min(1), ..steps };
                repeat(self.eval(inner, once)?, steps.count)
            }
        };
        if let Computed::Vector(series) = &computed {
            self.charge(series.len().saturating_mul(steps.count))?;
        }
        Ok(computed)
    }

    /// Evaluates a node that yields a vector.
    fn vector(&self, node: &Node, steps: Steps) -> Result<Vec<Series>, EvalError> {
        match self.eval(node, steps)? {
            Computed::Vector(series) => Ok(series),
            Computed::Scalar(_) | Computed::Text(_) => Err(EvalError::Query("expected type instant vector".to_owned())),
        }
    }

    /// Evaluates a node that yields one number per step.
    fn scalar(&self, node: &Node, steps: Steps) -> Result<Vec<f64>, EvalError> {
        match self.eval(node, steps)? {
            Computed::Scalar(values) => Ok(values),
            Computed::Vector(_) | Computed::Text(_) => Err(EvalError::Query("expected type scalar".to_owned())),
        }
    }

    /// Evaluates a node that yields a string.
    fn text(&self, node: &Node) -> Result<String, EvalError> {
        match node {
            Node::Text(text) => Ok(text.clone()),
            _ => Err(EvalError::Query("expected type string".to_owned())),
        }
    }
}

/// The same value at each step.
fn repeat(computed: Computed, steps: usize) -> Computed {
    match computed {
        Computed::Scalar(values) => Computed::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); steps]),
        Computed::Text(text) => Computed::Text(text),
        Computed::Vector(series) => Computed::Vector(
            series
                .into_iter()
                .filter_map(|series| {
                    let column = Column::constant(series.column.get(0)?, steps);
                    Some(Series { column, ..series })
                })
                .collect(),
        ),
    }
}

fn negate(computed: Computed) -> Computed {
    match computed {
        Computed::Scalar(values) => Computed::Scalar(values.into_iter().map(|value| -value).collect()),
        Computed::Text(text) => Computed::Text(text),
        Computed::Vector(mut series) => {
            for series in &mut series {
                series.drop_name = true;
                map_column(&mut series.column, |sample| match sample {
                    Sample::Float(value) => Some(Sample::Float(-value)),
                    Sample::Histogram(histogram) => {
                        Some(Sample::Histogram(std::sync::Arc::new(histogram.scaled(-1.0))))
                    }
                });
            }
            Computed::Vector(series)
        }
    }
}

/// Replaces each value of a column.
fn map_column(column: &mut Column, mut replace: impl FnMut(Sample) -> Option<Sample>) {
    for step in 0..column.len() {
        if let Some(sample) = column.get(step) {
            column.set(step, replace(sample));
        }
    }
}

/// Replaces each float of a column and removes its histograms.
fn map_floats(column: &mut Column, replace: impl Fn(f64) -> f64) {
    for value in column.values_mut() {
        if !timeseries::is_stale_marker(*value) {
            *value = replace(*value);
        }
    }
}
