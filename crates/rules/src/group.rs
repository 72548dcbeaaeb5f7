//! A group of rules with its state.

use std::collections::{BTreeMap, HashMap, HashSet};

use labels::Labels;
use timeseries::{STALE_NAN, Sample, SourceError};

use crate::{
    alert::{Alert, AlertState, Notification},
    error::InvalidRule,
    file::{GroupSpec, Placed},
    rule::{Engine, EvalContext, Kind, Rule, Times, Transition},
};

/// The sink for samples of rules.
pub trait Sink: Sync {
    /// Stores samples. A stale marker ends its series.
    ///
    /// # Errors
    ///
    /// What went wrong; nothing is stored.
    fn append(&self, points: &[Recorded]) -> Result<(), SourceError>;
}

/// One sample of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// A float or a native histogram; [`STALE_NAN`] ends the series.
    pub sample: Sample,
}

impl Recorded {
    /// A float sample.
    #[must_use]
    pub fn float(labels: Labels, timestamp_ms: i64, value: f64) -> Self {
        Recorded { labels, timestamp_ms, sample: Sample::Float(value) }
    }
}

/// The environment of an evaluation.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Evaluates queries.
    pub engine: &'a dyn Engine,
    /// Stores samples; those of each rule before the next rule is evaluated.
    pub sink: &'a dyn Sink,
    /// The context that all rules share.
    pub context: &'a EvalContext,
    /// A monotonic clock in seconds, to measure evaluations.
    pub clock: &'a (dyn Fn() -> f64 + Sync),
}

/// Health of a rule.
#[derive(Debug, Clone, Default)]
pub struct RuleHealth {
    /// Why the last evaluation failed, if it did.
    pub error: Option<String>,
    /// Duration of the last evaluation, in seconds.
    pub evaluation_secs: f64,
    /// Time of the last evaluation, in milliseconds since the Unix epoch; `None` before the first.
    pub evaluated_at_ms: Option<i64>,
    /// Time of the last successful evaluation, in milliseconds since the Unix epoch.
    pub succeeded_at_ms: Option<i64>,
    /// Number of series or alerts.
    pub samples: usize,
}

/// A group of rules with their state.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its file.
    pub file: String,
    /// Its name; unique within the file.
    pub name: String,
    /// Evaluation interval, in milliseconds; positive.
    pub interval_ms: i64,
    /// Maximum number of series or alerts of each rule; 0 or less for no limit.
    pub limit: i64,
    /// How far back the evaluation time is, in milliseconds.
    pub query_offset_ms: i64,
    spec: GroupSpec,
    rules: Vec<Entry>,
    /// Series of removed rules, which the next evaluation ends with stale markers.
    leftover: Vec<Labels>,
}

#[derive(Debug, Clone)]
struct Entry {
    rule: Rule,
    health: RuleHealth,
    /// The series of the last evaluation.
    previous: HashSet<Labels>,
}

/// Result of an evaluation of a group.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// State changes of alerts, with the index of the rule.
    pub transitions: Vec<(usize, Transition)>,
    /// Notifications to send.
    pub notifications: Vec<Notification>,
    /// Number of rules that failed.
    pub failures: usize,
    /// Number of samples written.
    pub samples: usize,
}

impl Group {
    /// A group of a checked file. `is_restored` is false if the state from before a restart must still be restored.
    ///
    /// # Errors
    ///
    /// It would not pass the check.
    pub fn new(file: &str, spec: &GroupSpec, default_interval_ms: i64, is_restored: bool) -> Result<Self, InvalidRule> {
        let mut rules = Vec::with_capacity(spec.rules.len());
        for Placed { value, .. } in &spec.rules {
            let rule = Rule::new(value, spec, is_restored)?;
            rules.push(Entry { rule, health: RuleHealth::default(), previous: HashSet::new() });
        }
        let interval_ms = spec.interval.map_or(0, |span| span.ms);
        Ok(Group {
            file: file.to_owned(),
            name: spec.name.clone(),
            interval_ms: if interval_ms > 0 { interval_ms } else { default_interval_ms.max(1) },
            limit: spec.limit,
            query_offset_ms: spec.query_offset.map_or(0, |span| span.ms),
            spec: spec.clone(),
            rules,
            leftover: Vec::new(),
        })
    }

    /// Whether both evaluate the same rules.
    #[must_use]
    pub fn is_same(&self, other: &Group) -> bool {
        let spec = |group: &Group| {
            let mut spec = group.spec.clone();
            // The position in the file does not matter.
            for placed in &mut spec.rules {
                (placed.line, placed.column) = (0, 0);
                if let Some(expr) = &mut placed.value.expr {
                    (expr.line, expr.column) = (0, 0);
                }
            }
            spec
        };
        self.interval_ms == other.interval_ms && self.file == other.file && spec(self) == spec(other)
    }

    /// The rules with their health, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = (&Rule, &RuleHealth)> {
        self.rules.iter().map(|entry| (&entry.rule, &entry.health))
    }

    /// Takes the alerts and series of the previous version of the group: rules are matched by name and labels.
    pub fn take_state(&mut self, from: Group) {
        let mut old: HashMap<Identity, Vec<Entry>> = HashMap::new();
        for entry in from.rules.into_iter().rev() {
            old.entry(identity(&entry.rule)).or_default().push(entry);
        }
        for entry in &mut self.rules {
            if let Some(before) = old.get_mut(&identity(&entry.rule)).and_then(Vec::pop) {
                entry.previous = before.previous;
                entry.rule.take_state(before.rule);
            }
        }
        let unmatched = old.into_values().flatten().flat_map(|entry| entry.previous);
        self.leftover = from.leftover.into_iter().chain(unmatched).collect();
    }

    /// Evaluates the rules in order.
    pub fn evaluate(&mut self, at_ms: i64, environment: Environment) -> Evaluation {
        let query_ms = at_ms - self.query_offset_ms;
        let times = Times { at_ms, query_ms, interval_ms: self.interval_ms };
        let mut evaluation = Evaluation::default();
        for (index, entry) in self.rules.iter_mut().enumerate() {
            let start = (environment.clock)();
            let result = entry.rule.evaluate(environment.engine, times, self.limit, environment.context);
            let result = result.and_then(|output| {
                let made = output.points.len();
                let (points, current) = with_ended(output.points, &entry.previous, query_ms);
                evaluation.transitions.extend(output.transitions.into_iter().map(|transition| (index, transition)));
                evaluation.notifications.extend(output.notifications);
                entry.previous = current;
                environment.sink.append(&points)?;
                evaluation.samples += points.len();
                Ok(made)
            });
            entry.health.evaluation_secs = (environment.clock)() - start;
            entry.health.evaluated_at_ms = Some(at_ms);
            match result {
                Ok(made) => {
                    entry.health.samples = made;
                    entry.health.succeeded_at_ms = Some(at_ms);
                    entry.health.error = None;
                }
                Err(error) => {
                    evaluation.failures += 1;
                    entry.health.error = Some(error.to_string());
                }
            }
        }
        if !self.leftover.is_empty() {
            let ends: Vec<Recorded> =
                std::mem::take(&mut self.leftover).into_iter().map(|labels| end(labels, query_ms)).collect();
            evaluation.samples += ends.len();
            // If the store rejects the markers, it has rejected the samples of the rules too, which was reported.
            let _ = environment.sink.append(&ends);
        }
        evaluation
    }

    /// Stale markers for all series of the group, when it is removed.
    #[must_use]
    pub fn ends(&self, at_ms: i64) -> Vec<Recorded> {
        let previous = self.rules.iter().flat_map(|entry| &entry.previous);
        previous.chain(&self.leftover).map(|labels| end(labels.clone(), at_ms)).collect()
    }

    /// Pending and firing alerts, with the index of their rule.
    #[must_use]
    pub fn alerts(&self) -> Vec<(usize, Alert)> {
        let mut found = Vec::new();
        for (index, entry) in self.rules.iter().enumerate() {
            if let Kind::Alerting(alerting) = &entry.rule.kind {
                found.extend(alerting.alerts().into_iter().map(|alert| (index, alert)));
            }
        }
        found
    }

    pub(crate) fn rules_mut(&mut self) -> impl Iterator<Item = &mut Rule> {
        self.rules.iter_mut().map(|entry| &mut entry.rule)
    }
}

impl Rule {
    /// The highest state of a rule's alerts; inactive for a recording rule.
    #[must_use]
    pub fn state(&self) -> AlertState {
        match &self.kind {
            Kind::Alerting(alerting) => {
                alerting.alerts().iter().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive)
            }
            Kind::Recording => AlertState::Inactive,
        }
    }
}

/// What identifies a rule when its file is reloaded: name, labels, and whether it records.
type Identity = (String, BTreeMap<String, String>, bool);

fn identity(rule: &Rule) -> Identity {
    (rule.name.clone(), rule.labels.clone(), matches!(rule.kind, Kind::Recording))
}

fn end(labels: Labels, timestamp_ms: i64) -> Recorded {
    Recorded::float(labels, timestamp_ms, STALE_NAN)
}

/// Adds stale markers for previous series that have no point; returns the current series too.
fn with_ended(
    mut points: Vec<Recorded>,
    previous: &HashSet<Labels>,
    query_ms: i64,
) -> (Vec<Recorded>, HashSet<Labels>) {
    let current: HashSet<Labels> = points.iter().map(|point| point.labels.clone()).collect();
    points.extend(
        previous.iter().filter(|labels| !current.contains(*labels)).map(|labels| end(labels.clone(), query_ms)),
    );
    (points, current)
}
