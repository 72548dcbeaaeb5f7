//! A group of rules at work.

use std::collections::{BTreeMap, HashMap, HashSet};

use labels::Labels;
use timeseries::{STALE_NAN, Sample, SourceError};

use crate::{
    alert::{Alert, AlertState, Notification},
    error::InvalidRule,
    file::{GroupSpec, Placed},
    rule::{Engine, EvalContext, Kind, Rule, Times, Transition},
};

/// Where what rules record goes.
pub trait Sink: Sync {
    /// Stores samples. A staleness marker ends its series.
    ///
    /// # Errors
    /// What went wrong; nothing is stored.
    fn append(&self, points: &[Recorded]) -> Result<(), SourceError>;
}

/// One sample that a rule made.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// A number or a native histogram; [`STALE_NAN`] ends the series.
    pub sample: Sample,
}

impl Recorded {
    /// A number.
    #[must_use]
    pub fn float(labels: Labels, timestamp_ms: i64, value: f64) -> Self {
        Recorded { labels, timestamp_ms, sample: Sample::Float(value) }
    }
}

/// What a group is evaluated with.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Answers its queries.
    pub engine: &'a dyn Engine,
    /// Takes its samples; each rule's before the next rule is evaluated.
    pub sink: &'a dyn Sink,
    /// What all rules have in common.
    pub around: &'a EvalContext,
    /// Seconds on a clock that never goes back, for telling how long evaluations take.
    pub clock: &'a (dyn Fn() -> f64 + Sync),
}

/// How a rule fares.
#[derive(Debug, Clone, Default)]
pub struct RuleHealth {
    /// Why the last evaluation failed, if it did.
    pub error: Option<String>,
    /// How long it took, in seconds.
    pub evaluation_secs: f64,
    /// When it was, in milliseconds since the Unix epoch; `None` before the first.
    pub evaluated_at_ms: Option<i64>,
    /// When the last one was that did not fail, in milliseconds since the Unix epoch.
    pub succeeded_at_ms: Option<i64>,
    /// Series or alerts that it made.
    pub samples: usize,
}

/// A group of rules with their state.
#[derive(Debug, Clone)]
pub struct Group {
    /// The file it stands in.
    pub file: String,
    /// Its name, one of a kind within the file.
    pub name: String,
    /// How often it is evaluated, in milliseconds; positive.
    pub interval_ms: i64,
    /// Most series or alerts that one rule may make; 0 and less for no limit.
    pub limit: i64,
    /// How far back it is evaluated, in milliseconds.
    pub query_offset_ms: i64,
    spec: GroupSpec,
    rules: Vec<Entry>,
    /// Series of rules that are no more, which the next evaluation ends.
    leftover: Vec<Labels>,
}

#[derive(Debug, Clone)]
struct Entry {
    rule: Rule,
    health: RuleHealth,
    /// The series that the rule made last.
    previous: HashSet<Labels>,
}

/// What an evaluation of a group gave.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Changes of alerts' states.
    pub transitions: Vec<(usize, Transition)>,
    /// What others are to be told.
    pub notifications: Vec<Notification>,
    /// Rules that could not be evaluated.
    pub failures: usize,
    /// Samples written.
    pub samples: usize,
}

impl Group {
    /// A group of a file that was checked. `is_restored` is false if the state of before a restart is still to be looked up.
    ///
    /// # Errors
    /// It is not one that the check lets pass.
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

    /// True if the two would do the same.
    #[must_use]
    pub fn is_same(&self, other: &Group) -> bool {
        let spec = |group: &Group| {
            let mut spec = group.spec.clone();
            // Where a rule stands is no part of what it does.
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

    /// The rules and how they fare, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = (&Rule, &RuleHealth)> {
        self.rules.iter().map(|entry| (&entry.rule, &entry.health))
    }

    /// Takes over the alerts and series of the group that was in its place: rules are known by name and labels.
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
    pub fn evaluate(&mut self, at_ms: i64, world: World) -> Evaluation {
        let query_ms = at_ms - self.query_offset_ms;
        let times = Times { at_ms, query_ms, interval_ms: self.interval_ms };
        let mut evaluation = Evaluation::default();
        for (index, entry) in self.rules.iter_mut().enumerate() {
            let start = (world.clock)();
            let result = entry.rule.evaluate(world.engine, times, self.limit, world.around);
            let result = result.and_then(|output| {
                let made = output.points.len();
                let (points, current) = with_ended(output.points, &entry.previous, query_ms);
                evaluation.transitions.extend(output.transitions.into_iter().map(|transition| (index, transition)));
                evaluation.notifications.extend(output.notifications);
                entry.previous = current;
                world.sink.append(&points)?;
                evaluation.samples += points.len();
                Ok(made)
            });
            entry.health.evaluation_secs = (world.clock)() - start;
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
            // A store that refuses them refused the rules' samples too, which was told.
            let _ = world.sink.append(&ends);
        }
        evaluation
    }

    /// Samples that end all series of the group, for when it goes.
    #[must_use]
    pub fn ends(&self, at_ms: i64) -> Vec<Recorded> {
        let previous = self.rules.iter().flat_map(|entry| &entry.previous);
        previous.chain(&self.leftover).map(|labels| end(labels.clone(), at_ms)).collect()
    }

    /// Alerts that are pending or fire, with the index of their rule.
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
    /// The highest state of its alerts; inactive for a recording rule.
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

/// What a rule is known by after its file was read again: name, labels, and whether it records.
type Identity = (String, BTreeMap<String, String>, bool);

fn identity(rule: &Rule) -> Identity {
    (rule.name.clone(), rule.labels.clone(), matches!(rule.kind, Kind::Recording))
}

fn end(labels: Labels, timestamp_ms: i64) -> Recorded {
    Recorded::float(labels, timestamp_ms, STALE_NAN)
}

/// The points and the ends of series that were there and are no more; the series that are there now.
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
