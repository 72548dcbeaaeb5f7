//! Functions over range vectors, series by series.

use std::sync::Arc;

use super::{Context, edges, parallel, window};
use crate::{
    annotation::{Notes, Position},
    engine::EvalError,
    functions::{Inputs, WindowFunction},
    plan::{Call, Edges, Node},
    value::{Series, Steps, Track},
};
use labels::Labels;
use timeseries::histogram::ResetHint;

/// Number of samples between checks for an abort.
const SAMPLES_A_CHECK: usize = 200_000;

/// The computation for each series.
struct Job<'a> {
    name: &'a str,
    function: WindowFunction,
    /// The scalar arguments, one number per step.
    scalars: Vec<Vec<f64>>,
    frame: window::Frame,
    steps: Steps,
    ends: edges::Ends,
    position: Position,
    scalar_position: Position,
    cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Context<'_> {
    pub(super) fn windowed(
        &self,
        call: &Call,
        function: WindowFunction,
        steps: Steps,
    ) -> Result<Vec<Series>, EvalError> {
        let argument = self.argument(call, function.range_argument)?;
        let ends = edges::Ends { edges: argument.edges(), look_back_ms: self.options.look_back_ms };
        ends.check(call.name)?;
        let mut scalars: Vec<Vec<f64>> = Vec::new();
        for (index, argument) in call.arguments.iter().enumerate() {
            if index != function.range_argument {
                scalars.push(self.scalar(argument, steps)?);
            }
        }
        let (mut tracks, frame) = self.tracks(argument, steps)?;
        if matches!(argument, Node::Subquery(_)) {
            tracks.iter_mut().for_each(forget_resets);
        }
        let points = tracks.len().saturating_mul(steps.count);
        self.afford(points)?;
        let job = Job {
            name: call.name,
            function,
            scalars,
            frame,
            steps,
            ends,
            position: call.argument_position(function.range_argument),
            scalar_position: call.argument_position(usize::from(function.range_argument == 0)),
            cancelled: self.options.cancelled,
        };
        let mut computed = Vec::with_capacity(tracks.len());
        for (part, notes) in parallel::split(tracks, points, self.options.threads, |tracks| job.run(tracks)) {
            self.notes.borrow_mut().merge(notes);
            computed.extend(part?);
        }
        Ok(computed)
    }
}

/// Reset hints refer to the previous stored sample, so they are not valid between the steps of a subquery.
fn forget_resets(track: &mut Track) {
    for (_, histogram) in &mut track.histograms {
        if matches!(histogram.reset_hint, ResetHint::Reset | ResetHint::NotReset) {
            Arc::make_mut(histogram).reset_hint = ResetHint::Unknown;
        }
    }
}

/// Adds an info if a metric does not look like a counter, by its type label, otherwise by its name.
fn note_doubtful_counter(labels: &Labels, position: Position, notes: &mut Notes) {
    let (name, kind) = (labels.metric_name(), labels.get("__type__"));
    if name.is_empty() {
        return;
    }
    if !kind.is_empty() {
        if !matches!(kind, "counter" | "histogram") {
            let expected = r#"__type__ label is not set to "counter" or "histogram""#;
            notes.info(position, format!("metric might not be a counter, {expected}, got {kind:?}: {name:?}"));
        }
    } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix)) {
        let expected = "name does not end in _total/_sum/_count/_bucket";
        notes.info(position, format!("metric might not be a counter, {expected}: {name:?}"));
    }
}

impl Job<'_> {
    fn run(&self, tracks: Vec<Track>) -> (Result<Vec<Series>, EvalError>, Notes) {
        let mut notes = Notes::default();
        let computed = tracks.into_iter().filter_map(|track| self.series(track, &mut notes).transpose()).collect();
        (computed, notes)
    }

    /// The function's result for a series; `None` if it has no value at any step.
    fn series(&self, track: Track, notes: &mut Notes) -> Result<Option<Series>, EvalError> {
        if (self.cancelled)() {
            return Err(EvalError::Cancelled);
        }
        let mut inputs = Inputs {
            scalars: [0.0; 2],
            metric: track.labels.metric_name(),
            position: self.position,
            scalar_position: self.scalar_position,
            notes,
            error: None,
        };
        let is_plain = self.ends.edges == Edges::Plain;
        let only_floats = is_plain && track.histograms.is_empty();
        let column = if let Some(sliding) = self.function.sliding.filter(|_| only_floats) {
            sliding(&track, self.frame, self.steps)
        } else if is_plain {
            let mut unchecked = 0;
            let mut cancelled = false;
            let column = window::slide(&track, self.frame, self.steps, |step, window| {
                // A single series may need a long time if its windows are long.
                unchecked += window.len();
                if unchecked > SAMPLES_A_CHECK {
                    unchecked = 0;
                    cancelled = cancelled || (self.cancelled)();
                }
                if cancelled {
                    return None;
                }
                for (slot, values) in inputs.scalars.iter_mut().zip(&self.scalars) {
                    *slot = values.get(step).copied().unwrap_or(f64::NAN);
                }
                (self.function.compute)(window, &mut inputs)
            });
            if cancelled {
                return Err(EvalError::Cancelled);
            }
            column
        } else {
            self.ends.column(self.name, &track, self.frame, self.steps, &mut inputs)
        };
        if let Some(error) = inputs.error {
            return Err(EvalError::Query(error));
        }
        if matches!(self.name, "rate" | "increase") && column.has_floats() {
            note_doubtful_counter(&track.labels, self.position, inputs.notes);
        }
        let drop_name = track.drop_name || !self.function.keeps_name;
        Ok((!column.is_absent()).then_some(Series { labels: track.labels, drop_name, column }))
    }
}
