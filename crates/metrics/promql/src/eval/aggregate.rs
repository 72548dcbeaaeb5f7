//! Aggregations: combine the series of each group into one.

use std::{collections::HashMap, sync::Arc};

use super::Context;
use crate::{
    annotation::Position,
    engine::EvalError,
    functions::{
        Inputs, histogram_total, label,
        numeric::{Mean, PlainSpread, count, greater, lesser, quantile},
        over_time::invalid_quantile,
    },
    plan::{Aggregate, Aggregator},
    value::{Column, Series, Steps},
};
use labels::{Labels, METRIC_NAME};
use timeseries::{CompensatedSum, Sample, format, histogram::Histogram, is_stale_marker};

/// Series to be combined.
pub(super) struct Group<'a> {
    pub(super) labels: Labels,
    pub(super) drop_name: bool,
    pub(super) members: Vec<&'a Series>,
}

/// Groups series; groups are ordered by their first series.
pub(super) fn groups<'a>(aggregate: &Aggregate, series: &'a [Series]) -> Vec<Group<'a>> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for series in series {
        let listed = |name: &str| aggregate.labels.iter().any(|label| label == name);
        let labels = if aggregate.without {
            series.labels.filtered(|name| name != METRIC_NAME && !listed(name))
        } else if aggregate.labels.is_empty() {
            Labels::default()
        } else {
            series.labels.filtered(listed)
        };
        let place = *places.entry(labels.clone()).or_insert_with(|| {
            groups.push(Group { labels, drop_name: false, members: Vec::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.members.push(series);
            group.drop_name |= series.drop_name;
        }
    }
    groups
}

impl Context<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate, steps: Steps) -> Result<Vec<Series>, EvalError> {
        let parameter = |aggregate: &Aggregate| match &aggregate.parameter {
            Some(node) => self.scalar(node, steps),
            None => Ok(Vec::new()),
        };
        match aggregate.operator {
            Aggregator::CountValues => return self.count_values(aggregate, steps),
            Aggregator::TopK | Aggregator::BottomK | Aggregator::LimitK | Aggregator::LimitRatio => {
                let parameter = parameter(aggregate)?;
                let series = self.vector(&aggregate.inner, steps)?;
                return self.ranked(aggregate, &series, &parameter, steps);
            }
            _ => {}
        }
        let parameter = parameter(aggregate)?;
        let series = self.vector(&aggregate.inner, steps)?;
        if aggregate.operator == Aggregator::Quantile {
            // Only the extreme invalid values are reported.
            let (least, most) = extremes(&parameter);
            let wrong = [most.is_nan().then_some(most), (most > 1.0).then_some(most), (least < 0.0).then_some(least)];
            for phi in wrong.into_iter().flatten() {
                self.warn(aggregate.parameter_position, invalid_quantile(phi));
            }
        }
        let mut results = Vec::new();
        for group in groups(aggregate, &series) {
            self.check()?;
            let plain = !group.members.iter().any(|series| series.column.has_histograms());
            let fast = if plain { fold(aggregate.operator, &group.members, steps) } else { None };
            let column = match fast {
                Some(values) => Column::from_values(values),
                None => self.reduce(aggregate, &group.members, &parameter, steps)?,
            };
            if !column.is_absent() {
                results.push(Series { labels: group.labels, drop_name: group.drop_name, column });
            }
        }
        Ok(results)
    }

    /// Any aggregation of any values, step by step.
    fn reduce(
        &self,
        aggregate: &Aggregate,
        members: &[&Series],
        parameter: &[f64],
        steps: Steps,
    ) -> Result<Column, EvalError> {
        let mut column = Column::absent(steps.count);
        let mut floats = Vec::with_capacity(members.len());
        for step in 0..steps.count {
            self.check()?;
            floats.clear();
            let mut histograms = 0;
            for series in members {
                match series.column.histogram(step) {
                    Some(_) => histograms += 1,
                    None => floats.extend(series.column.float(step)),
                }
            }
            let operator = aggregate.operator;
            let sample = if histograms > 0 && matches!(operator, Aggregator::Sum | Aggregator::Avg) {
                self.reduce_histograms(operator, members, step, aggregate.position)
            } else {
                let phi = parameter.get(step).copied().unwrap_or(f64::NAN);
                self.reduce_step(aggregate, &mut floats, histograms, phi)
            };
            column.set(step, sample);
        }
        Ok(column)
    }

    fn reduce_step(&self, aggregate: &Aggregate, floats: &mut [f64], histograms: usize, phi: f64) -> Option<Sample> {
        let operator = aggregate.operator;
        match operator {
            Aggregator::Count if floats.len() + histograms > 0 => {
                return Some(Sample::Float(count(floats.len() + histograms)));
            }
            Aggregator::Group if floats.len() + histograms > 0 => return Some(Sample::Float(1.0)),
            _ => {}
        }
        if histograms > 0 {
            self.note_ignored(operator, aggregate.position);
        }
        if floats.is_empty() {
            return None;
        }
        let numbers = floats.iter().copied();
        Some(Sample::Float(match operator {
            Aggregator::Sum => {
                let mut sum = CompensatedSum::default();
                numbers.for_each(|value| sum.add(value));
                sum.total()
            }
            Aggregator::Avg => {
                let mut mean = Mean::default();
                numbers.for_each(|value| mean.add(value));
                mean.mean()
            }
            Aggregator::Min => numbers.reduce(lesser)?,
            Aggregator::Max => numbers.reduce(greater)?,
            Aggregator::Stddev | Aggregator::Stdvar => {
                let mut spread = PlainSpread::default();
                numbers.for_each(|value| spread.add(value));
                deviation(operator, &spread)
            }
            Aggregator::Quantile => quantile(phi, floats),
            _ => return None,
        }))
    }

    /// The sum or mean of a group's histograms at a step. Stops at the first one that cannot be added; histograms after
    /// a float are ignored too.
    fn reduce_histograms(
        &self,
        operator: Aggregator,
        members: &[&Series],
        step: usize,
        position: Position,
    ) -> Option<Sample> {
        let mut notes = self.notes.borrow_mut();
        let mut inputs = Inputs {
            scalars: [0.0; 2],
            metric: "",
            position,
            scalar_position: position,
            notes: &mut notes,
            error: None,
        };
        let mut histograms: Vec<(i64, Arc<Histogram>)> = Vec::new();
        let mut layout: Option<Histogram> = None;
        let (mut has_floats, mut has_histograms, mut fits) = (false, false, true);
        for series in members {
            let Some(histogram) = series.column.histogram(step) else {
                has_floats |= series.column.float(step).is_some();
                continue;
            };
            has_histograms = true;
            if has_floats && histograms.is_empty() {
                break;
            }
            inputs.metric = series.labels.metric_name();
            if !histogram_total::fit(&mut layout, histogram, &mut inputs) {
                fits = false;
                break;
            }
            histograms.push((0, Arc::clone(histogram)));
        }
        if has_floats && has_histograms {
            inputs.notes.warn(position, "encountered a mix of histograms and floats for aggregation");
            return None;
        }
        if !fits {
            return None;
        }
        let reduced = match operator {
            Aggregator::Avg => histogram_total::mean_of(&histograms, &layout?, &mut inputs),
            _ => histogram_total::sum_of(&histograms, &layout?, &mut inputs),
        };
        Some(Sample::Histogram(Arc::new(reduced)))
    }

    pub(super) fn note_ignored(&self, operator: Aggregator, position: Position) {
        self.info(position, format!("ignored histogram in {} aggregation", operator.text()));
    }

    fn count_values(&self, aggregate: &Aggregate, steps: Steps) -> Result<Vec<Series>, EvalError> {
        let target = aggregate.parameter.as_ref().map_or(Ok(String::new()), |node| self.text(node))?;
        label::check_name(&target).map_err(|name| EvalError::Query(format!("invalid label name \"{name}\"")))?;
        let series = self.vector(&aggregate.inner, steps)?;
        // The target label is dropped like any other.
        let is_dropped = aggregate.without && (target == METRIC_NAME || aggregate.labels.contains(&target));
        let mut results: Vec<Series> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for group in groups(aggregate, &series) {
            self.check()?;
            let kept = group.labels;
            for member in group.members {
                self.check()?;
                self.limit_series(results.len())?;
                for step in 0..steps.count {
                    let text = match member.column.get(step) {
                        None => continue,
                        Some(Sample::Float(value)) => format::float(value),
                        Some(Sample::Histogram(histogram)) => histogram.to_string(),
                    };
                    let labels = if is_dropped { kept.clone() } else { kept.with(&target, &text) };
                    let place = *places.entry(labels.clone()).or_insert_with(|| {
                        results.push(Series { labels, drop_name: false, column: Column::absent(steps.count) });
                        results.len() - 1
                    });
                    if let Some(result) = results.get_mut(place) {
                        let before = result.column.float(step).unwrap_or(0.0);
                        result.column.set(step, Some(Sample::Float(before + 1.0)));
                    }
                }
            }
        }
        Ok(results)
    }
}

/// Minimum and maximum of a parameter; both are NaN if any value is.
pub(super) fn extremes(parameter: &[f64]) -> (f64, f64) {
    if parameter.iter().any(|value| value.is_nan()) {
        return (f64::NAN, f64::NAN);
    }
    let least = parameter.iter().copied().fold(f64::INFINITY, f64::min);
    (least, parameter.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

fn deviation(operator: Aggregator, spread: &PlainSpread) -> f64 {
    if operator == Aggregator::Stddev { spread.variance().sqrt() } else { spread.variance() }
}

/// The common aggregations of floats, in one pass over each series.
fn fold(operator: Aggregator, members: &[&Series], steps: Steps) -> Option<Vec<f64>> {
    match operator {
        Aggregator::Sum => Some(fold_with(members, steps, CompensatedSum::add, |sum: &CompensatedSum| sum.total())),
        Aggregator::Avg => Some(fold_with(members, steps, Mean::add, Mean::mean)),
        Aggregator::Min => {
            Some(fold_with(members, steps, |least: &mut Extreme, value| least.take(value, lesser), |least| least.0))
        }
        Aggregator::Max => {
            Some(fold_with(members, steps, |most: &mut Extreme, value| most.take(value, greater), |most| most.0))
        }
        Aggregator::Count => Some(fold_with(members, steps, |count: &mut f64, _| *count += 1.0, |count| *count)),
        Aggregator::Group => Some(fold_with(members, steps, |(): &mut (), _| (), |()| 1.0)),
        Aggregator::Stddev | Aggregator::Stdvar => {
            Some(fold_with(members, steps, PlainSpread::add, |spread: &PlainSpread| deviation(operator, spread)))
        }
        _ => None,
    }
}

/// The minimum or maximum so far; NaN is replaced by any number.
#[derive(Clone, Copy)]
struct Extreme(f64);

impl Default for Extreme {
    fn default() -> Self {
        Extreme(f64::NAN)
    }
}

impl Extreme {
    fn take(&mut self, value: f64, pick: fn(f64, f64) -> f64) {
        self.0 = pick(self.0, value);
    }
}

fn fold_with<A: Clone + Default>(
    members: &[&Series],
    steps: Steps,
    add: impl Fn(&mut A, f64),
    finish: impl Fn(&A) -> f64,
) -> Vec<f64> {
    let mut states = vec![A::default(); steps.count];
    let mut seen = vec![false; steps.count];
    for series in members {
        for ((state, seen), value) in states.iter_mut().zip(&mut seen).zip(series.column.values()) {
            if !is_stale_marker(*value) {
                *seen = true;
                add(state, *value);
            }
        }
    }
    let finish = |(state, seen): (&A, &bool)| if *seen { finish(state) } else { timeseries::STALE_NAN };
    states.iter().zip(&seen).map(finish).collect()
}
