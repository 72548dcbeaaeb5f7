//! Inhibition: a firing alert mutes others.

use std::collections::{HashMap, HashSet};

use crate::{
    alert::{Alert, Labels},
    matcher::Matchers,
};
use labels::Fingerprint;

/// While an alert that matches `source` fires, alerts that match `target` and have the same values of `equal` are
/// muted.
#[derive(Debug, Clone, PartialEq)]
pub struct InhibitRule {
    /// Matches the inhibiting alerts.
    pub source: Matchers,
    /// Matches the alerts to mute.
    pub target: Matchers,
    /// Labels whose values must be the same; two missing labels are the same.
    pub equal: Vec<String>,
}

/// The rules, each with its source alerts.
#[derive(Debug, Default)]
pub(crate) struct Inhibitor {
    rules: Vec<(InhibitRule, Sources)>,
}

/// Source alerts of one rule by their values of the `equal` labels: end time, and whether the source matches the target
/// as well. Such a source only inhibits alerts that are not sources themselves.
type Sources = HashMap<Vec<String>, HashMap<Fingerprint, (i64, bool)>>;

impl Inhibitor {
    pub(crate) fn new(rules: Vec<InhibitRule>) -> Self {
        Inhibitor { rules: rules.into_iter().map(|rule| (rule, Sources::new())).collect() }
    }

    /// Whether there are no rules.
    pub(crate) fn is_idle(&self) -> bool {
        self.rules.is_empty()
    }

    /// Updates the sources with an alert. Returns whether it starts or stops to inhibit.
    pub(crate) fn note(&mut self, alert: &Alert, now_ms: i64) -> bool {
        let mut is_news = false;
        for (rule, sources) in &mut self.rules {
            if rule.source.matches(&alert.labels) {
                let is_both = rule.target.matches(&alert.labels);
                let values = values(rule, &alert.labels);
                let before = sources.entry(values).or_default().insert(alert.fingerprint, (alert.ends_at_ms, is_both));
                is_news |= before.is_some_and(|(ends_at_ms, _)| ends_at_ms > now_ms) != (alert.ends_at_ms > now_ms);
            }
        }
        is_news
    }

    /// When the next inhibiting alert ends unless it is posted again.
    pub(crate) fn next_end(&self, now_ms: i64) -> Option<i64> {
        let sources = self.rules.iter().flat_map(|(_, sources)| sources.values()).flat_map(HashMap::values);
        sources.map(|(ends_at_ms, _)| *ends_at_ms).filter(|ends_at_ms| *ends_at_ms > now_ms).min()
    }

    /// Removes an alert.
    pub(crate) fn forget(&mut self, alert: &Alert) {
        for (rule, sources) in &mut self.rules {
            let values = values(rule, &alert.labels);
            if let Some(group) = sources.get_mut(&values) {
                group.remove(&alert.fingerprint);
                if group.is_empty() {
                    sources.remove(&values);
                }
            }
        }
    }

    /// Fingerprints of the alerts that inhibit one with these labels.
    pub(crate) fn inhibitors(&self, labels: &Labels, now_ms: i64) -> HashSet<Fingerprint> {
        let mut found = HashSet::new();
        for (rule, sources) in self.rules.iter().filter(|(rule, _)| rule.target.matches(labels)) {
            let is_source = rule.source.matches(labels);
            let fires = |(fingerprint, (ends_at_ms, is_both)): (&Fingerprint, &(i64, bool))| {
                (*ends_at_ms > now_ms && !(is_source && *is_both)).then_some(*fingerprint)
            };
            if let Some(fingerprint) =
                sources.get(&values(rule, labels)).and_then(|group| group.iter().filter_map(fires).min())
            {
                found.insert(fingerprint);
            }
        }
        found
    }
}

fn values(rule: &InhibitRule, labels: &Labels) -> Vec<String> {
    rule.equal.iter().map(|name| labels.get(name).cloned().unwrap_or_default()).collect()
}
