//! `info()`: adds the labels of info metrics, such as `target_info`, to the series that they describe.

use std::collections::{BTreeSet, HashMap};

use super::Context;
use crate::{
    engine::EvalError,
    output::DUPLICATE,
    plan::{Call, Node, Selector},
    value::{Column, Series, Steps},
};
use labels::{Labels, METRIC_NAME, MatchOp, Matcher, Pattern};

/// Labels that match a series with its info series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
const DEFAULT_METRIC: &str = "target_info";
/// The pattern of info metrics if the query only excludes some.
const ANY_METRIC: &str = ".+_info";

/// The second argument.
struct Wanted {
    /// Matchers of the info metric's name.
    names: Vec<Matcher>,
    /// Matchers of the labels to add.
    labels: Vec<Matcher>,
}

impl Wanted {
    fn of(node: Option<&Node>) -> Self {
        let matchers = match node {
            Some(Node::Instant(selector)) => selector.matchers.clone(),
            _ => Vec::new(),
        };
        let (mut names, labels): (Vec<_>, Vec<_>) =
            matchers.into_iter().partition(|matcher| matcher.name == METRIC_NAME);
        let says_which = names.iter().any(|name| matches!(name.op, MatchOp::Equal(_) | MatchOp::Regex(_)));
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, DEFAULT_METRIC));
        } else if !says_which && let Some(pattern) = Pattern::compile(ANY_METRIC) {
            names.push(Matcher { name: METRIC_NAME.to_owned(), op: MatchOp::Regex(pattern) });
        }
        Wanted { names, labels }
    }

    /// True for a series of an info metric itself.
    fn names_match(&self, labels: &Labels) -> bool {
        self.names.iter().all(|matcher| matcher.matches(labels.metric_name()))
    }

    /// Whether to add a label.
    fn takes(&self, name: &str) -> bool {
        name != METRIC_NAME && (self.labels.is_empty() || self.labels.iter().any(|matcher| matcher.name == name))
    }

    /// True if a series without an info series stays.
    fn allows_none(&self) -> bool {
        self.labels.iter().all(|matcher| matcher.matches(""))
    }
}

impl Context<'_> {
    pub(super) fn info_function(&self, call: &Call, steps: Steps) -> Result<Vec<Series>, EvalError> {
        let base = self.call_argument_vector(call, 0, steps)?;
        let wanted = Wanted::of(call.arguments.get(1).map(|node| match node {
            Node::Invariant(inner) => inner,
            node => node,
        }));
        let infos = self.info_series(call, &base, &wanted, steps)?;
        let mut by_identity: HashMap<Labels, Vec<&Series>> = HashMap::new();
        for info in &infos {
            by_identity.entry(identity(&info.labels)).or_default().push(info);
        }
        for described in by_identity.values() {
            check_unique(described, steps)?;
        }
        let mut results = Results { places: HashMap::new(), series: Vec::new() };
        for series in base {
            self.check()?;
            let described = by_identity.get(&identity(&series.labels)).map_or(&[][..], Vec::as_slice);
            if wanted.names_match(&series.labels) {
                results.add_all(&series, steps)?;
            } else {
                results.describe(&series, described, &wanted, steps)?;
                self.limit_series(results.series.len())?;
            }
        }
        Ok(results.series)
    }

    /// The info series that may describe any of the series, with the times of their samples. As in Prometheus, they are
    /// read with the `offset` and `@` of the first selector in the described expression, but evaluated at each step.
    fn info_series(
        &self,
        call: &Call,
        base: &[Series],
        wanted: &Wanted,
        steps: Steps,
    ) -> Result<Vec<Series>, EvalError> {
        let mut matchers: Vec<Matcher> = wanted.names.iter().chain(&wanted.labels).cloned().collect();
        let mut identified = false;
        for name in IDENTIFYING {
            let described = base.iter().filter(|series| !wanted.names_match(&series.labels));
            let values: BTreeSet<&str> = described.map(|series| series.labels.get(name)).collect();
            let values = values.into_iter().filter(|value| !value.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            if !values.is_empty() {
                identified = true;
                matchers.push(Matcher { name: name.to_owned(), op: MatchOp::Regex(Pattern::one_of(values)) });
            }
        }
        if !identified {
            return Ok(Vec::new());
        }
        let (offset, at) = match call.arguments.first().and_then(first_selector) {
            Some(selector) => self.resolve(&selector.shift)?,
            None => (0, None),
        };
        let window = (at.unwrap_or(steps.start_ms), at.unwrap_or(steps.end_ms()));
        let from = window.0.saturating_sub(offset).saturating_sub(self.options.look_back_ms);
        self.info_times(&matchers, (from, window.1.saturating_sub(offset)), steps)
    }
}

/// The first selector in an expression.
fn first_selector(node: &Node) -> Option<&Selector> {
    match node {
        Node::Instant(selector) | Node::Range(selector, _) => Some(selector),
        Node::Number(_) | Node::Text(_) => None,
        Node::Subquery(subquery) => first_selector(&subquery.inner),
        Node::Negate(inner) | Node::Invariant(inner) => first_selector(inner),
        Node::Binary(binary) => first_selector(&binary.left).or_else(|| first_selector(&binary.right)),
        Node::Aggregate(aggregate) => {
            first_selector(&aggregate.inner).or_else(|| aggregate.parameter.as_ref().and_then(first_selector))
        }
        Node::Call(call) => call.arguments.iter().find_map(first_selector),
    }
}

fn identity(labels: &Labels) -> Labels {
    labels.filtered(|name| IDENTIFYING.contains(&name))
}

/// Series by their labels, which may change from step to step.
struct Results {
    places: HashMap<Labels, usize>,
    series: Vec<Series>,
}

impl Results {
    fn place(&mut self, labels: Labels, steps: Steps) -> usize {
        let Results { places, series } = self;
        *places.entry(labels.clone()).or_insert_with(|| {
            series.push(Series { labels, drop_name: false, column: Column::absent(steps.count) });
            series.len() - 1
        })
    }

    fn copy(&mut self, place: usize, step: usize, from: &Series) -> Result<(), EvalError> {
        if let (Some(result), Some(sample)) = (self.series.get_mut(place), from.column.get(step)) {
            if result.column.is_present(step) {
                return Err(EvalError::Query(DUPLICATE.to_owned()));
            }
            result.column.set(step, Some(sample));
        }
        Ok(())
    }

    /// Adds a series unchanged.
    fn add_all(&mut self, series: &Series, steps: Steps) -> Result<(), EvalError> {
        let place = self.place(series.labels.clone(), steps);
        (0..steps.count).try_for_each(|step| self.copy(place, step, series))
    }

    /// Adds a series with the labels of its info series at each step.
    fn describe(
        &mut self,
        series: &Series,
        described: &[&Series],
        wanted: &Wanted,
        steps: Steps,
    ) -> Result<(), EvalError> {
        let mut before: Option<(Vec<usize>, Option<usize>)> = None;
        for step in (0..steps.count).filter(|step| series.column.is_present(*step)) {
            let present = latest(described, step)?;
            if before.as_ref().is_none_or(|(known, _)| *known != present) {
                let infos: Vec<&Series> = present.iter().filter_map(|index| described.get(*index).copied()).collect();
                let labels = added_labels(&series.labels, &infos, wanted)?;
                let place = labels.map(|labels| self.place(labels, steps));
                before = Some((present, place));
            }
            if let Some((_, Some(place))) = before {
                self.copy(place, step, series)?;
            }
        }
        Ok(())
    }
}

/// Fails if a metric has two current info series at a step.
fn check_unique(described: &[&Series], steps: Steps) -> Result<(), EvalError> {
    if described.len() < 2 {
        return Ok(());
    }
    (0..steps.count).try_for_each(|step| latest(described, step).map(drop))
}

/// Indices of the current info series at a step: for each metric the one with the latest sample.
fn latest(described: &[&Series], step: usize) -> Result<Vec<usize>, EvalError> {
    let mut found: Vec<(usize, f64, &Labels)> = Vec::new();
    for (index, info) in described.iter().enumerate() {
        let Some(time) = info.column.float(step) else { continue };
        let known = found.iter_mut().find(|(_, _, labels)| labels.metric_name() == info.labels.metric_name());
        match known {
            None => found.push((index, time, &info.labels)),
            Some((_, other, labels)) if *other == time => {
                return Err(EvalError::Query(format!(
                    "found duplicate series for info metric: existing {labels} @ {time}, new {} @ {time}",
                    info.labels
                )));
            }
            Some(known) if known.1 < time => *known = (index, time, &info.labels),
            Some(_) => {}
        }
    }
    Ok(found.into_iter().map(|(index, ..)| index).collect())
}

/// A series' labels with those of its info series; `None` if it is dropped.
fn added_labels(labels: &Labels, infos: &[&Series], wanted: &Wanted) -> Result<Option<Labels>, EvalError> {
    let mut added: HashMap<&str, &str> = HashMap::new();
    let mut result = labels.clone();
    for info in infos {
        let new = info.labels.iter().filter(|(name, _)| wanted.takes(name) && labels.get(name).is_empty());
        for (name, value) in new {
            match added.insert(name, value) {
                Some(other) if other != value => {
                    return Err(EvalError::Query(format!("conflicting label: {name}")));
                }
                _ => {}
            }
            result = result.with(name, value);
        }
    }
    Ok((!infos.is_empty() || wanted.allows_none()).then_some(result))
}
