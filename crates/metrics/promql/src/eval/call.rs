//! Function calls.

use std::collections::BTreeMap;

use super::{Context, map_column, map_floats, window};
use crate::{
    engine::EvalError,
    functions::{Function, Special, clock::Moment, label, math},
    output,
    plan::{Call, Node},
    syntax::length::to_seconds,
    value::{Column, Computed, Series, Steps},
};
use labels::{Labels, MatchOp, Matcher};
use timeseries::{Sample, histogram::Histogram, is_stale_marker};

impl Context<'_> {
    pub(super) fn call(&self, call: &Call, steps: Steps) -> Result<Computed, EvalError> {
        match call.function {
            Function::Math(compute) => self.mapped(call, steps, |column, _| map_floats(column, compute)),
            Function::Clock(part) => self.clock(call, part, steps),
            Function::Window(function) => Ok(Computed::Vector(self.windowed(call, function, steps)?)),
            Function::Special(special) => self.special(call, special, steps),
        }
    }

    pub(super) fn argument<'c>(&self, call: &'c Call, index: usize) -> Result<&'c Node, EvalError> {
        call.arguments
            .get(index)
            .ok_or_else(|| EvalError::Query(format!("missing argument in call to function {:?}", call.name)))
    }

    fn vector_argument(&self, call: &Call, index: usize, steps: Steps) -> Result<Vec<Series>, EvalError> {
        self.vector(self.argument(call, index)?, steps)
    }

    fn scalar_argument(&self, call: &Call, index: usize, steps: Steps) -> Result<Vec<f64>, EvalError> {
        self.scalar(self.argument(call, index)?, steps)
    }

    /// Changes each column of the first argument and drops metric names.
    fn mapped(&self, call: &Call, steps: Steps, change: impl Fn(&mut Column, usize)) -> Result<Computed, EvalError> {
        let mut series = self.vector_argument(call, 0, steps)?;
        for (index, series) in series.iter_mut().enumerate() {
            change(&mut series.column, index);
            series.drop_name = true;
        }
        series.retain(|series| !series.column.is_absent());
        Ok(Computed::Vector(series))
    }

    /// Changes each number by the first argument's step.
    fn mapped_by_step(
        &self,
        call: &Call,
        steps: Steps,
        change: impl Fn(usize, f64) -> Option<f64>,
    ) -> Result<Computed, EvalError> {
        self.mapped(call, steps, |column, _| {
            for (step, value) in column.values_mut().iter_mut().enumerate() {
                if !is_stale_marker(*value) {
                    *value = change(step, *value).unwrap_or(timeseries::STALE_NAN);
                }
            }
        })
    }

    fn clock(&self, call: &Call, part: fn(Moment) -> f64, steps: Steps) -> Result<Computed, EvalError> {
        if call.arguments.is_empty() {
            let values = steps.times().map(|time| part(Moment::new(to_seconds(time)))).collect();
            let column = Column::from_values(values);
            return Ok(Computed::Vector(vec![Series { labels: Labels::default(), drop_name: false, column }]));
        }
        self.mapped(call, steps, |column, _| map_floats(column, |seconds| part(Moment::new(seconds))))
    }

    fn special(&self, call: &Call, special: Special, steps: Steps) -> Result<Computed, EvalError> {
        let constant = |value: f64| Ok(Computed::Scalar(vec![value; steps.count]));
        match special {
            Special::Pi => constant(std::f64::consts::PI),
            Special::Start => constant(to_seconds(self.query.0)),
            Special::End => constant(to_seconds(self.query.1)),
            // An instant query has no step.
            Special::Step if self.query.0 == self.query.1 => constant(0.0),
            Special::Step => constant(to_seconds(self.step_ms)),
            Special::Range => constant(to_seconds(self.query.1.saturating_sub(self.query.0))),
            Special::Time => Ok(Computed::Scalar(steps.times().map(to_seconds).collect())),
            Special::MinOf | Special::MaxOf => {
                let (left, right) = (self.scalar_argument(call, 0, steps)?, self.scalar_argument(call, 1, steps)?);
                let pick = |(a, b): (f64, f64)| match special {
                    _ if a.is_nan() || b.is_nan() => f64::NAN,
                    Special::MinOf => a.min(b),
                    _ => a.max(b),
                };
                Ok(Computed::Scalar(left.into_iter().zip(right).map(pick).collect()))
            }
            Special::Scalar => self.only_number(call, steps),
            Special::Vector => {
                let column = Column::from_values(self.scalar_argument(call, 0, steps)?);
                Ok(Computed::Vector(vec![Series { labels: Labels::default(), drop_name: false, column }]))
            }
            Special::Timestamp => self.timestamp(call, steps),
            // Start timestamps are not stored, so no sample has one.
            Special::StartTimestamp => self.vector_argument(call, 0, steps).map(|_| Computed::Vector(Vec::new())),
            Special::Absent | Special::AbsentOverTime => self.absent(call, special, steps),
            Special::Clamp | Special::ClampMin | Special::ClampMax => self.clamp(call, special, steps),
            Special::Round => {
                let to = match call.arguments.len() {
                    1 => vec![1.0; steps.count],
                    _ => self.scalar_argument(call, 1, steps)?,
                };
                self.mapped_by_step(call, steps, |step, value| Some(math::round(value, *to.get(step)?)))
            }
            Special::LabelReplace => {
                let mut series = self.vector_argument(call, 0, steps)?;
                let texts = self.texts(call, 1)?;
                if let [target, replacement, source, pattern] = texts.as_slice() {
                    label::replace(&mut series, target, replacement, source, pattern)?;
                }
                Ok(Computed::Vector(output::merge(series.into_iter())?))
            }
            Special::LabelJoin => {
                let mut series = self.vector_argument(call, 0, steps)?;
                let texts = self.texts(call, 1)?;
                if let [target, separator, sources @ ..] = texts.as_slice() {
                    label::join(&mut series, target, separator, sources)?;
                }
                Ok(Computed::Vector(output::merge(series.into_iter())?))
            }
            Special::Sort { descending } => self.sort(call, descending, steps),
            Special::SortByLabel { descending } => {
                self.note_useless_sort(call, steps);
                let mut series = self.vector_argument(call, 0, steps)?;
                let names = self.texts(call, 1)?;
                series.sort_by(|left, right| {
                    let ordering = label::compare(&left.labels, &right.labels, &names);
                    if descending { ordering.reverse() } else { ordering }
                });
                Ok(Computed::Vector(series))
            }
            Special::HistogramQuantile | Special::HistogramQuantiles | Special::HistogramFraction => {
                self.histogram_function(call, special, steps)
            }
            Special::Info => Ok(Computed::Vector(self.info_function(call, steps)?)),
            Special::HistogramCount => self.of_histograms(call, steps, |histogram| histogram.count),
            Special::HistogramSum => self.of_histograms(call, steps, |histogram| histogram.sum),
            Special::HistogramAvg => self.of_histograms(call, steps, |histogram| histogram.sum / histogram.count),
            Special::HistogramStddev => self.of_histograms(call, steps, |histogram| histogram.variance().sqrt()),
            Special::HistogramStdvar => self.of_histograms(call, steps, Histogram::variance),
        }
    }

    /// The string arguments from an index on.
    fn texts(&self, call: &Call, from: usize) -> Result<Vec<String>, EvalError> {
        call.arguments.iter().skip(from).map(|argument| self.text(argument)).collect()
    }

    pub(super) fn call_argument_vector(
        &self,
        call: &Call,
        index: usize,
        steps: Steps,
    ) -> Result<Vec<Series>, EvalError> {
        self.vector_argument(call, index, steps)
    }

    pub(super) fn call_argument_scalar(&self, call: &Call, index: usize, steps: Steps) -> Result<Vec<f64>, EvalError> {
        self.scalar_argument(call, index, steps)
    }

    pub(super) fn call_argument_text(&self, call: &Call, index: usize) -> Result<String, EvalError> {
        self.text(self.argument(call, index)?)
    }

    /// A number per histogram; floats are left out.
    fn of_histograms(
        &self,
        call: &Call,
        steps: Steps,
        compute: impl Fn(&Histogram) -> f64,
    ) -> Result<Computed, EvalError> {
        self.mapped(call, steps, |column, _| {
            map_column(column, |sample| match sample {
                Sample::Histogram(histogram) => Some(Sample::Float(compute(&histogram))),
                Sample::Float(_) => None,
            });
        })
    }

    /// `scalar()`: the single float of a vector, NaN if there are none or several.
    fn only_number(&self, call: &Call, steps: Steps) -> Result<Computed, EvalError> {
        let series = self.vector_argument(call, 0, steps)?;
        let value = |step: usize| {
            let mut values = series.iter().filter_map(|series| series.column.float(step));
            match (values.next(), values.next()) {
                (Some(value), None) => value,
                _ => f64::NAN,
            }
        };
        Ok(Computed::Scalar((0..steps.count).map(value).collect()))
    }

    /// `timestamp()`: for a selector the time of the sample, otherwise the evaluation time.
    fn timestamp(&self, call: &Call, steps: Steps) -> Result<Computed, EvalError> {
        let argument = match self.argument(call, 0)? {
            Node::Invariant(inner) => inner,
            node => node,
        };
        if let Node::Instant(selector) = argument {
            let mut series = self.sample_times(selector, steps)?;
            series.iter_mut().for_each(|series| series.drop_name = true);
            return Ok(Computed::Vector(series));
        }
        let times: Vec<f64> = steps.times().map(to_seconds).collect();
        self.mapped(call, steps, |column, _| {
            for (step, time) in times.iter().enumerate() {
                if column.is_present(step) {
                    column.set(step, Some(Sample::Float(*time)));
                }
            }
        })
    }

    /// `absent()`: 1 at each step without a value, with the labels that the selector requires.
    fn absent(&self, call: &Call, special: Special, steps: Steps) -> Result<Computed, EvalError> {
        let argument = self.argument(call, 0)?;
        let mut present = vec![false; steps.count];
        let mut mark = |column: &Column| {
            for (step, present) in present.iter_mut().enumerate() {
                *present |= column.is_present(step);
            }
        };
        if special == Special::Absent {
            self.vector(argument, steps)?.iter().for_each(|series| mark(&series.column));
        } else {
            let ends = super::edges::Ends { edges: argument.edges(), look_back_ms: self.options.look_back_ms };
            ends.check(call.name)?;
            let (tracks, frame) = self.tracks(argument, steps)?;
            for track in &tracks {
                mark(&window::slide(track, frame, steps, |_, _| Some(Sample::Float(1.0))));
            }
        }
        let values = present.iter().map(|present| if *present { timeseries::STALE_NAN } else { 1.0 }).collect();
        let series = Series { labels: asked_labels(argument), drop_name: false, column: Column::from_values(values) };
        Ok(Computed::Vector(if series.column.is_absent() { Vec::new() } else { vec![series] }))
    }

    fn clamp(&self, call: &Call, special: Special, steps: Steps) -> Result<Computed, EvalError> {
        let first = self.scalar_argument(call, 1, steps)?;
        let infinite = |value: f64| vec![value; steps.count];
        let (least, most) = match special {
            Special::ClampMin => (first, infinite(f64::INFINITY)),
            Special::ClampMax => (infinite(f64::NEG_INFINITY), first),
            _ => (first, self.scalar_argument(call, 2, steps)?),
        };
        self.mapped_by_step(call, steps, |step, value| {
            let (least, most) = (*least.get(step)?, *most.get(step)?);
            if most < least {
                return None;
            }
            let below = if special == Special::ClampMin { value } else { math::least(most, value) };
            Some(if special == Special::ClampMax { below } else { math::greatest(least, below) })
        })
    }

    /// `sort()` and `sort_desc()`: by value, NaN last. Only an instant query has an order; histograms are left out.
    fn sort(&self, call: &Call, descending: bool, steps: Steps) -> Result<Computed, EvalError> {
        self.note_useless_sort(call, steps);
        let mut series = self.vector_argument(call, 0, steps)?;
        series.retain(|series| series.column.has_floats());
        if steps.count == 1 {
            series.sort_by(|left, right| {
                let of = |series: &Series| series.column.float(0).unwrap_or(f64::NAN);
                let (left, right) = (of(left), of(right));
                match (left.is_nan(), right.is_nan()) {
                    (false, false) if descending => right.total_cmp(&left),
                    (false, false) => left.total_cmp(&right),
                    (left, right) => left.cmp(&right),
                }
            });
        }
        Ok(Computed::Vector(series))
    }

    /// Adds a warning that sorting has no effect on a range query.
    fn note_useless_sort(&self, call: &Call, steps: Steps) {
        if steps.count > 1 {
            let text = "sort is ineffective for range queries since results are always ordered by labels";
            self.warn(call.position, text);
        }
    }
}

/// The labels that a selector requires with `=`; none for other expressions. As in Prometheus, a later matcher of the
/// same label removes it.
fn asked_labels(node: &Node) -> Labels {
    let selector = match node {
        Node::Invariant(inner) => return asked_labels(inner),
        Node::Instant(selector) | Node::Range(selector, _) => selector,
        _ => return Labels::default(),
    };
    let mut asked: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for Matcher { name, op } in &selector.matchers {
        match (op, asked.get_mut(name.as_str())) {
            _ if name == labels::METRIC_NAME => {}
            (MatchOp::Equal(value), None) => drop(asked.insert(name, Some(value))),
            (_, Some(value)) => *value = None,
            (_, None) => {}
        }
    }
    Labels::new(asked.into_iter().filter_map(|(name, value)| Some((name, value?))))
}
