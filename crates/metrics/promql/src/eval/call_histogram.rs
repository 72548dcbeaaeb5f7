//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, for classic and native histograms.

use std::collections::HashMap;

use super::Context;
use crate::{
    annotation::{Mended, Position, for_metric},
    engine::EvalError,
    functions::{
        Special,
        classic::{self, Bucket},
        label,
        over_time::invalid_quantile,
    },
    plan::Call,
    value::{Column, Computed, Series, Steps},
};
use labels::Labels;
use timeseries::{Sample, format, histogram::NanEffect};

/// Label of a classic bucket's upper bound.
const BOUND: &str = "le";

/// The series of one histogram: its buckets, or the native one, or by mistake both.
struct Member<'a> {
    labels: Labels,
    drop_name: bool,
    /// Bounds and columns.
    buckets: Vec<(f64, &'a Column)>,
    native: Option<&'a Column>,
}

/// What to compute of each histogram.
enum Question {
    Quantile(Vec<f64>),
    /// With a label name and value.
    LabelledQuantile(String, String, Vec<f64>),
    Fraction(Vec<f64>, Vec<f64>),
}

impl Context<'_> {
    pub(super) fn histogram_function(
        &self,
        call: &Call,
        special: Special,
        steps: Steps,
    ) -> Result<Computed, EvalError> {
        let vector_index = match special {
            Special::HistogramQuantile => 1,
            Special::HistogramFraction => 2,
            _ => 0,
        };
        let mut questions = Vec::new();
        match special {
            Special::HistogramFraction => {
                let lower = self.call_argument_scalar(call, 0, steps)?;
                questions.push(Question::Fraction(lower, self.call_argument_scalar(call, 1, steps)?));
            }
            Special::HistogramQuantile => {
                let quantiles = self.call_argument_scalar(call, 0, steps)?;
                self.check_quantiles(&quantiles, call.argument_position(0));
                questions.push(Question::Quantile(quantiles));
            }
            _ => {
                let name = self.call_argument_text(call, 1)?;
                label::check_name(&name).map_err(|name| EvalError::Query(format!("invalid label name \"{name}\"")))?;
                for index in 2..call.arguments.len() {
                    let quantiles = self.call_argument_scalar(call, index, steps)?;
                    self.check_quantiles(&quantiles, call.argument_position(index));
                    let text = quantiles.first().map_or(String::new(), |phi| format::open_metrics(*phi));
                    questions.push(Question::LabelledQuantile(name.clone(), text, quantiles));
                }
            }
        }
        let series = self.call_argument_vector(call, vector_index, steps)?;
        let position = call.argument_position(vector_index);
        let positions = (call.argument_position(0), position);
        let members = self.members(&series, position);
        let mut results = Vec::new();
        for question in &questions {
            for member in &members {
                self.check()?;
                let column = self.answer(question, member, positions, steps);
                if column.is_absent() {
                    continue;
                }
                let labels = match question {
                    Question::LabelledQuantile(name, text, _) => member.labels.with(name, text),
                    _ => member.labels.clone(),
                };
                results.push(Series { labels, drop_name: member.drop_name, column });
            }
        }
        Ok(Computed::Vector(results))
    }

    fn check_quantiles(&self, quantiles: &[f64], position: Position) {
        for phi in quantiles.iter().filter(|phi| !(0.0..=1.0).contains(*phi)) {
            self.warn(position, invalid_quantile(*phi));
        }
    }

    /// Groups series into histograms.
    fn members<'a>(&self, series: &'a [Series], position: Position) -> Vec<Member<'a>> {
        let mut members: Vec<Member> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for series in series {
            let name = series.labels.metric_name();
            let mut add = |labels: Labels, bound: Option<f64>| {
                let place = *places.entry(labels.clone()).or_insert_with(|| {
                    members.push(Member { labels, drop_name: true, buckets: Vec::new(), native: None });
                    members.len() - 1
                });
                let Some(member) = members.get_mut(place) else { return };
                match bound {
                    Some(bound) => member.buckets.push((bound, &series.column)),
                    None => member.native = Some(&series.column),
                }
            };
            if series.column.has_histograms() {
                add(series.labels.clone(), None);
            }
            if !series.column.has_floats() {
                continue;
            }
            let text = series.labels.get(BOUND);
            match parse_bound(text) {
                Some(bound) => add(series.labels.filtered(|name| name != BOUND), Some(bound)),
                None => {
                    let text = format!(
                        "bucket label \"le\" is missing or has a malformed value of {text:?}{}",
                        for_metric(name)
                    );
                    self.warn(position, text);
                }
            }
        }
        members
    }

    /// The result at each step. `positions` are those of the first argument and of the vector.
    fn answer(
        &self,
        question: &Question,
        member: &Member,
        (first, position): (Position, Position),
        steps: Steps,
    ) -> Column {
        let mut column = Column::absent(steps.count);
        let metric = for_metric(member.labels.metric_name());
        let mut buckets: Vec<Bucket> = Vec::with_capacity(member.buckets.len());
        let times: Vec<i64> = steps.times().collect();
        for step in 0..steps.count {
            buckets.clear();
            let counts = member
                .buckets
                .iter()
                .filter_map(|(upper, column)| column.float(step).map(|count| Bucket { upper: *upper, count }));
            buckets.extend(counts);
            let native = member.native.and_then(|column| column.histogram(step));
            let at = |values: &[f64]| values.get(step).copied().unwrap_or(f64::NAN);
            let value = match (native, question) {
                (None, _) if buckets.is_empty() => continue,
                (Some(_), _) if !buckets.is_empty() => {
                    self.warn(position, format!("vector contains a mix of classic and native histograms{metric}"));
                    continue;
                }
                (Some(histogram), Question::Fraction(lower, upper)) => {
                    let (fraction, has_nan) = histogram.fraction(at(lower), at(upper));
                    if has_nan {
                        let text =
                            "input to histogram_fraction has NaN observations, which are excluded from all fractions";
                        self.info(first, format!("{text}{metric}"));
                    }
                    fraction
                }
                (None, Question::Fraction(lower, upper)) => classic::fraction(at(lower), at(upper), &mut buckets),
                (Some(histogram), Question::Quantile(phi) | Question::LabelledQuantile(_, _, phi)) => {
                    let estimate = histogram.quantile(at(phi));
                    let effect = match estimate.effect {
                        NanEffect::Unknown => None,
                        NanEffect::IsNan => Some("NaN"),
                        NanEffect::SkewedHigher => Some("skewed higher"),
                    };
                    if let Some(effect) = effect {
                        let text =
                            format!("input to histogram_quantile has NaN observations, result is {effect}{metric}");
                        self.info(first, text);
                    }
                    estimate.value
                }
                (None, Question::Quantile(phi) | Question::LabelledQuantile(_, _, phi)) => {
                    let quantile = classic::quantile(at(phi), &mut buckets);
                    if let Some(falls) = quantile.mended {
                        let text = "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
                        let time = times.get(step).copied().unwrap_or(steps.start_ms);
                        let mended = Mended {
                            bounds: falls.bounds,
                            difference: falls.difference,
                            times: (time, time),
                            samples: 1,
                        };
                        self.notes.borrow_mut().mended(position, format!("{text}{metric}"), mended);
                    }
                    quantile.value
                }
            };
            column.set(step, Some(Sample::Float(value)));
        }
        column
    }
}

/// Parses a bound.
fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}
