//! One rule with its state.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use gotemplate::Value as Data;
use labels::Labels;
use promql::{InstantSample, Query, Value};
use timeseries::Sample;

use crate::{
    alert::{After, Alert, AlertState, Annotations, Notification, Patience},
    error::{InvalidRule, RuleError},
    file::{GroupSpec, RuleSpec},
    functions::Scope,
    group::Recorded,
    link,
    template::{self, Text},
};

/// The query engine of rules. Calls may block.
pub trait Engine: Sync {
    /// The result of a query at one time.
    ///
    /// # Errors
    /// What went wrong.
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, RuleError>;
}

/// The context that all rules share.
#[derive(Debug, Clone, Default)]
pub struct EvalContext {
    /// Labels that templates see as `$externalLabels`.
    pub external_labels: Labels,
    /// External URL for links, without a trailing slash.
    pub external_url: String,
}

/// Kind of a rule.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Raises alerts.
    Alerting(Alerting),
    /// Records series.
    Recording,
}

/// The alerting part of a rule.
#[derive(Debug, Clone)]
pub struct Alerting {
    patience: Patience,
    label_texts: Vec<(String, Text)>,
    annotation_texts: Vec<(Arc<str>, Text)>,
    /// As written in the file.
    pub annotations: Vec<(String, String)>,
    active: HashMap<Labels, Alert>,
    /// False until the state from before a restart is restored: until then no samples are written that would hide it.
    pub(crate) is_restored: bool,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Name of the alert or of the series.
    pub name: String,
    /// The expression.
    pub query: Query,
    /// Labels to add, as in the file, including those of the group. An empty value removes the label.
    pub labels: BTreeMap<String, String>,
    /// Kind.
    pub kind: Kind,
}

/// A state change of an alert.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The alert after the change.
    pub alert: Alert,
    /// The previous state.
    pub from: AlertState,
    /// The new state.
    pub to: AlertState,
}

/// Result of an evaluation of one rule.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) points: Vec<Recorded>,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) notifications: Vec<Notification>,
}

impl Rule {
    /// A rule of a group.
    ///
    /// # Errors
    ///
    /// It would not pass the check.
    pub(crate) fn new(spec: &RuleSpec, group: &GroupSpec, is_restored: bool) -> Result<Self, InvalidRule> {
        let expr = spec.expr.as_ref().map_or("", |expr| expr.value.as_str());
        let query = promql::parse(expr)?;
        let mut labels = group.labels.clone();
        labels.extend(spec.labels.clone());
        if spec.alert.is_empty() {
            return Ok(Rule { name: spec.record.clone(), query, labels, kind: Kind::Recording });
        }
        let text = |text: &str| Text::parse(&spec.alert, text);
        let mut label_texts = Vec::new();
        for (name, value) in &labels {
            label_texts.push((name.clone(), text(value)?));
        }
        let mut annotation_texts = Vec::new();
        for (name, value) in &spec.annotations {
            annotation_texts.push((name.as_str().into(), text(value)?));
        }
        let alerting = Alerting {
            patience: Patience {
                hold_ms: spec.hold.unwrap_or_default().ms,
                keep_firing_ms: spec.keep_firing_for.unwrap_or_default().ms,
            },
            label_texts,
            annotation_texts,
            annotations: spec.annotations.clone().into_iter().collect(),
            active: HashMap::new(),
            is_restored,
        };
        Ok(Rule { name: spec.alert.clone(), query, labels, kind: Kind::Alerting(alerting) })
    }

    /// Evaluates the rule.
    pub(crate) fn evaluate(
        &mut self,
        engine: &dyn Engine,
        times: Times,
        limit: i64,
        context: &EvalContext,
    ) -> Result<Output, RuleError> {
        let samples = vector(engine.instant(&self.query, times.query_ms)?)?;
        match &mut self.kind {
            Kind::Recording => record(&self.name, &self.labels, samples, times, limit),
            Kind::Alerting(alerting) => {
                alerting.evaluate(&self.name, &self.query, samples, engine, times, limit, context)
            }
        }
    }

    /// Takes the alerts of the previous version of the rule.
    pub(crate) fn take_state(&mut self, from: Rule) {
        if let (Kind::Alerting(to), Kind::Alerting(from)) = (&mut self.kind, from.kind) {
            to.active = from.active;
        }
    }
}

/// Times of one evaluation, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Time of the evaluation.
    pub(crate) at_ms: i64,
    /// Time of the query: earlier by the group's `query_offset`.
    pub(crate) query_ms: i64,
    /// Evaluation interval, in milliseconds.
    pub(crate) interval_ms: i64,
}

fn vector(value: Value) -> Result<Vec<InstantSample>, RuleError> {
    match value {
        Value::Vector(samples) => Ok(samples),
        Value::Scalar { timestamp_ms, value } => {
            Ok(vec![InstantSample { labels: Labels::default(), timestamp_ms, sample: Sample::Float(value) }])
        }
        Value::String { .. } | Value::Matrix(_) => Err(RuleError::NotVector),
    }
}

fn record(
    name: &str,
    labels: &BTreeMap<String, String>,
    samples: Vec<InstantSample>,
    times: Times,
    limit: i64,
) -> Result<Output, RuleError> {
    let mut points = Vec::with_capacity(samples.len());
    let mut seen = HashSet::with_capacity(samples.len());
    for sample in samples {
        let mut named = sample.labels.with("__name__", name);
        for (label, value) in labels {
            named = named.with(label, value);
        }
        if !seen.insert(named.clone()) {
            return Err(RuleError::SameSeries);
        }
        points.push(Recorded { labels: named, timestamp_ms: times.query_ms, sample: sample.sample });
    }
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 && points.len() > limit => Err(RuleError::TooManySeries { limit, count: points.len() }),
        _ => Ok(Output { points, ..Output::default() }),
    }
}

impl Alerting {
    /// How long the expression must be true, in milliseconds.
    #[must_use]
    pub fn hold_ms(&self) -> i64 {
        self.patience.hold_ms
    }

    /// How long an alert keeps firing, in milliseconds.
    #[must_use]
    pub fn keep_firing_ms(&self) -> i64 {
        self.patience.keep_firing_ms
    }

    /// Pending and firing alerts, sorted by labels.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> =
            self.active.values().filter(|alert| alert.resolved_at_ms.is_none()).cloned().collect();
        alerts.sort_by(|left, right| left.labels.cmp(&right.labels));
        alerts
    }

    pub(crate) fn active_mut(&mut self) -> impl Iterator<Item = &mut Alert> {
        self.active.values_mut()
    }

    #[allow(clippy::too_many_arguments)] // the parts of the rule beside this one, and the evaluation's
    fn evaluate(
        &mut self,
        name: &str,
        query: &Query,
        samples: Vec<InstantSample>,
        engine: &dyn Engine,
        times: Times,
        limit: i64,
        context: &EvalContext,
    ) -> Result<Output, RuleError> {
        let holding = self.holding(name, samples, engine, times, context)?;
        let mut found = HashSet::with_capacity(holding.len());
        for (labels, annotations, value) in holding {
            if !found.insert(labels.clone()) {
                return Err(RuleError::SameAlert);
            }
            match self.active.get_mut(&labels).filter(|alert| alert.state != AlertState::Inactive) {
                Some(alert) => {
                    alert.value = value;
                    alert.annotations = annotations;
                }
                None => {
                    let alert = Alert::begun(labels.clone(), annotations, value, times.at_ms);
                    self.active.insert(labels, alert);
                }
            }
        }
        let output = self.step(&found, query, times, context);
        let on = self.active.values().filter(|alert| alert.state != AlertState::Inactive).count();
        match usize::try_from(limit) {
            Ok(limit) if limit > 0 && on > limit => {
                self.active.clear();
                Err(RuleError::TooManyAlerts { limit, count: on })
            }
            _ => Ok(output),
        }
    }

    /// Applies one step to each alert.
    fn step(&mut self, found: &HashSet<Labels>, query: &Query, times: Times, context: &EvalContext) -> Output {
        let mut output = Output::default();
        let generator_url = format!("{}{}", context.external_url, link::table(query.text()));
        let (patience, is_restored) = (self.patience, self.is_restored);
        self.active.retain(|labels, alert| {
            let is_new = alert.active_at_ms == times.at_ms && alert.fired_at_ms.is_none();
            let from = if is_new { AlertState::Inactive } else { alert.state };
            let after = alert.step(found.contains(labels), times.at_ms, patience);
            if after == After::On && is_restored {
                output.points.extend(alert.samples(times.query_ms));
            }
            if from != alert.state {
                output.transitions.push(Transition { alert: alert.clone(), from, to: alert.state });
            }
            if after != After::Gone {
                output.notifications.extend(alert.notification(times.at_ms, times.interval_ms, &generator_url));
            }
            after != After::Gone
        });
        output.transitions.sort_by(|left, right| left.alert.labels.cmp(&right.alert.labels));
        output
    }

    /// Labels, annotations and value of each series in the result.
    fn holding(
        &self,
        name: &str,
        samples: Vec<InstantSample>,
        engine: &dyn Engine,
        times: Times,
        context: &EvalContext,
    ) -> Result<Vec<(Labels, Annotations, f64)>, RuleError> {
        let query = |text: &str| {
            let query = promql::parse(text).map_err(|error| RuleError::Query(error.to_string()))?;
            vector(engine.instant(&query, times.query_ms)?)
        };
        let scope = Scope { query: &query, external_url: &context.external_url, at_ms: times.at_ms };
        let functions = scope.functions();
        let has_templates = self.label_texts.iter().any(|(_, text)| text.is_template())
            || self.annotation_texts.iter().any(|(_, text)| text.is_template());
        let plain: Annotations = if has_templates { Arc::new([]) } else { self.annotations(&Data::Nil, &functions) };
        let mut holding = Vec::with_capacity(samples.len());
        for sample in samples {
            // As in Prometheus, a native histogram counts as 0 here.
            let value = if let Sample::Float(value) = sample.sample { value } else { 0.0 };
            let data = match has_templates {
                true => template::data(&sample.labels, &context.external_labels, &context.external_url, value),
                false => Data::Nil,
            };
            let mut labels = sample.labels.with("__name__", "");
            for (label, text) in &self.label_texts {
                labels = labels.with(label, &text.expand(&data, &functions));
            }
            let labels = labels.with("alertname", name);
            let annotations = if has_templates { self.annotations(&data, &functions) } else { Arc::clone(&plain) };
            holding.push((labels, annotations, value));
        }
        Ok(holding)
    }

    fn annotations(&self, data: &Data, functions: &gotemplate::Functions) -> Annotations {
        let expanded =
            self.annotation_texts.iter().map(|(name, text)| (Arc::clone(name), text.expand(data, functions)));
        expanded.collect()
    }
}
