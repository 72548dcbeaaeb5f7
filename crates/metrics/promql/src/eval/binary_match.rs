//! Arithmetic and comparisons between two vectors: one-to-one, many-to-one and one-to-many.
//!
//! Series are grouped by signature once for all steps. Prometheus checks at each step that a side is unique; we only
//! check groups and steps where this can fail.

use std::collections::{BTreeMap, HashMap};

use super::{Context, binary_sets::signature, operate};
use crate::{
    engine::EvalError,
    output::DUPLICATE,
    plan::{Binary, Many, Matching},
    value::{Column, Series, Steps},
};
use labels::{Labels, is_schema_label};
use timeseries::{Sample, is_stale_marker};

/// The series with one signature.
#[derive(Default)]
struct Group<'a> {
    many: Vec<&'a Series>,
    one: Vec<&'a Series>,
}

/// Result series by their labels.
struct Results {
    places: HashMap<Labels, usize>,
    series: Vec<Series>,
    steps: Steps,
}

impl Results {
    /// Index of the series with these labels.
    fn place(&mut self, labels: Labels, drop_name: bool) -> usize {
        let Results { places, series, steps } = self;
        let place = *places.entry(labels.clone()).or_insert_with(|| {
            series.push(Series { labels, drop_name: false, column: Column::absent(steps.count) });
            series.len() - 1
        });
        if let Some(series) = series.get_mut(place) {
            series.drop_name |= drop_name;
        }
        place
    }
}

/// Which results of one group already exist.
struct Taken {
    /// Whether there is a result at a step, if only one is allowed.
    one_to_one: Option<Vec<bool>>,
    /// Steps by result series, if several are allowed.
    grouped: HashMap<usize, Vec<bool>>,
    steps: usize,
}

impl Taken {
    /// Fails if a result series, or any if only one is allowed, already has a result at the step.
    fn take(&mut self, place: usize, step: usize) -> Result<(), EvalError> {
        let (taken, text) = match &mut self.one_to_one {
            Some(taken) => {
                (taken, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
            }
            None => (
                self.grouped.entry(place).or_insert_with(|| vec![false; self.steps]),
                "multiple matches for labels: grouping labels must ensure unique matches",
            ),
        };
        match taken.get_mut(step).map(|taken| std::mem::replace(taken, true)) {
            Some(true) => Err(EvalError::Query(text.to_owned())),
            Some(false) | None => Ok(()),
        }
    }
}

impl Context<'_> {
    pub(super) fn matched(
        &self,
        binary: &Binary,
        left: Vec<Series>,
        right: Vec<Series>,
        steps: Steps,
    ) -> Result<Vec<Series>, EvalError> {
        let matching = &binary.matching;
        let swapped = matching.many == Many::Right;
        let (many, one) = if swapped { (&right, &left) } else { (&left, &right) };
        // Nothing can fail at a step at which a side is empty.
        let busy = busy_steps(many, one, matching, steps);
        let mut groups: BTreeMap<Labels, Group> = BTreeMap::new();
        let mut order: HashMap<Labels, usize> = HashMap::new();
        for series in many {
            let key = signature(&series.labels, matching);
            let next = order.len();
            order.entry(key.clone()).or_insert(next);
            groups.entry(key).or_default().many.push(series);
        }
        for series in one {
            groups.entry(signature(&series.labels, matching)).or_default().one.push(series);
        }
        let mut results = Results { places: HashMap::new(), series: Vec::new(), steps };
        let mut sorted: Vec<(Labels, Group)> = groups.into_iter().collect();
        sorted.sort_by_key(|(key, _)| order.get(key).copied().unwrap_or(usize::MAX));
        for (key, group) in sorted {
            self.check()?;
            self.check_one_side(&key, &group, &busy, swapped)?;
            self.group(binary, &key, &group, &mut results)?;
        }
        results.series.retain(|series| !series.column.is_absent());
        Ok(results.series)
    }

    /// Fails if the "one" side has two values at a step.
    fn check_one_side(&self, key: &Labels, group: &Group, busy: &[bool], swapped: bool) -> Result<(), EvalError> {
        if group.one.len() < 2 {
            return Ok(());
        }
        for step in busy.iter().enumerate().filter_map(|(step, busy)| busy.then_some(step)) {
            let mut present: Vec<&Labels> =
                group.one.iter().filter(|series| series.column.is_present(step)).map(|series| &series.labels).collect();
            present.sort();
            if let [first, second, ..] = present.as_slice() {
                let side = if swapped { "left" } else { "right" };
                return Err(EvalError::Query(format!(
                    "found duplicate series for the match group {key} on the {side} hand-side of the operation: \
                     [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
                )));
            }
        }
        Ok(())
    }

    fn group(&self, binary: &Binary, key: &Labels, group: &Group, results: &mut Results) -> Result<(), EvalError> {
        let matching = &binary.matching;
        let swapped = matching.many == Many::Right;
        let steps = results.steps;
        let (fill_many, fill_one) =
            if swapped { (matching.fill_right, matching.fill_left) } else { (matching.fill_left, matching.fill_right) };
        let grouped = matching.many != Many::Neither;
        let mut taken = Taken {
            one_to_one: (!grouped).then(|| vec![false; steps.count]),
            grouped: HashMap::new(),
            steps: steps.count,
        };
        let stand_in = |value: Option<f64>| {
            value.map(|value| Series {
                labels: key.clone(),
                drop_name: false,
                column: Column::constant(Sample::Float(value), steps.count),
            })
        };
        let (missing_many, missing_one) = (stand_in(fill_many), stand_in(fill_one));
        for many in &group.many {
            for one in &group.one {
                self.pair(binary, many, one, |step| step_pair(many, one, step), results, &mut taken)?;
            }
            if let Some(one) = &missing_one {
                let alone: Vec<bool> = (0..steps.count)
                    .map(|step| {
                        many.column.is_present(step) && !group.one.iter().any(|one| one.column.is_present(step))
                    })
                    .collect();
                let at = |step: usize| alone.get(step).copied().unwrap_or(false);
                self.pair(binary, many, one, at, results, &mut taken)?;
            }
        }
        if let Some(many) = &missing_many {
            for one in &group.one {
                let at = |step: usize| {
                    one.column.is_present(step) && !group.many.iter().any(|many| many.column.is_present(step))
                };
                self.pair(binary, many, one, at, results, &mut taken)?;
            }
        }
        Ok(())
    }

    /// Combines two series at the steps for which `meets` is true.
    fn pair(
        &self,
        binary: &Binary,
        many: &Series,
        one: &Series,
        meets: impl Fn(usize) -> bool,
        results: &mut Results,
        taken: &mut Taken,
    ) -> Result<(), EvalError> {
        let Some(first) = (0..results.steps.count).find(|step| meets(*step)) else { return Ok(()) };
        self.limit_series(results.series.len())?;
        let swapped = binary.matching.many == Many::Right;
        let (left, right) = if swapped { (one, many) } else { (many, one) };
        let returns_bool = binary.returns_bool;
        // As in Prometheus, whether the name of the left series should be dropped is ignored.
        let drop_name = returns_bool;
        let labels = result_labels(&many.labels, &one.labels, binary);
        let place = results.place(labels, drop_name);
        let fast = !left.column.has_histograms() && !right.column.has_histograms();
        let Some(result) = results.series.get_mut(place) else { return Ok(()) };
        for step in first..results.steps.count {
            if !meets(step) {
                continue;
            }
            let mut is_combined = true;
            let sample = match (left.column.values().get(step), right.column.values().get(step)) {
                (Some(left), Some(right)) if fast => {
                    match (operate::floats(binary.operator, *left, *right), returns_bool) {
                        (result, true) => Some(Sample::Float(f64::from(u8::from(result.is_some())))),
                        (result, false) => result.map(Sample::Float),
                    }
                }
                _ => match (left.column.get(step), right.column.get(step)) {
                    (Some(left), Some(right)) => {
                        let verdict = self.operate(binary.operator, &left, &right, binary.position);
                        is_combined = verdict != operate::Verdict::Never;
                        verdict.sample(returns_bool)
                    }
                    _ => None,
                },
            };
            // Series without a result conflict with others too, but not those that cannot be combined.
            if is_combined {
                taken.take(place, step)?;
            }
            if let Some(sample) = sample {
                if result.column.is_present(step) {
                    return Err(EvalError::Query(DUPLICATE.to_owned()));
                }
                result.column.set(step, Some(sample));
            }
        }
        Ok(())
    }
}

fn step_pair(many: &Series, one: &Series, step: usize) -> bool {
    many.column.is_present(step) && one.column.is_present(step)
}

/// Steps at which both sides have a value, or one has and the other is filled.
fn busy_steps(many: &[Series], one: &[Series], matching: &Matching, steps: Steps) -> Vec<bool> {
    if matching.fill_left.is_some() || matching.fill_right.is_some() {
        return vec![true; steps.count];
    }
    let any = |series: &[Series]| {
        let mut any = vec![false; steps.count];
        for series in series {
            for (step, (any, value)) in any.iter_mut().zip(series.column.values()).enumerate() {
                *any = *any || !is_stale_marker(*value) || series.column.histogram(step).is_some();
            }
        }
        any
    };
    any(many).into_iter().zip(any(one)).map(|(many, one)| many && one).collect()
}

/// The labels of a result series.
fn result_labels(many: &Labels, one: &Labels, binary: &Binary) -> Labels {
    let matching = &binary.matching;
    let keeps_name = binary.operator.is_comparison() || binary.operator.is_trim();
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let mut labels = many.filtered(|name| {
        if is_schema_label(name) && !keeps_name {
            return false;
        }
        match (matching.many, matching.on) {
            (Many::Neither, true) => listed(name),
            (Many::Neither, false) => !listed(name),
            _ => true,
        }
    });
    for name in &matching.include {
        labels = labels.with(name, one.get(name));
    }
    labels
}
