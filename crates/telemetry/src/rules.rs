//! What is counted of rules.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Kind, Metric};

/// Counters of the evaluation of rules.
#[derive(Default)]
pub struct RuleCounters {
    evaluations: AtomicU64,
    failures: AtomicU64,
    missed: AtomicU64,
    firing: AtomicU64,
    is_reload_failed: AtomicBool,
}

impl RuleCounters {
    /// Counts an evaluation of so many rules, of which some failed.
    pub fn evaluated(&self, rules: usize, failures: usize) {
        self.evaluations.fetch_add(u64::try_from(rules).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.failures.fetch_add(u64::try_from(failures).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts evaluations of groups that were left out because the one before took too long.
    pub fn missed(&self, count: u64) {
        self.missed.fetch_add(count, Ordering::Relaxed);
    }

    /// Tells how many alerts fire now.
    pub fn set_firing(&self, count: usize) {
        self.firing.store(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Tells whether the files of rules are those in use.
    pub fn set_reloaded(&self, is_good: bool) {
        self.is_reload_failed.store(!is_good, Ordering::Relaxed);
    }

    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    /// Appends the metrics as they are now.
    pub fn gather(&self, metrics: &mut Vec<Metric>) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let metric = |name, help, kind, value| Metric { name, help, kind, value };
        metrics.extend([
            metric(
                "hyperscope_rule_evaluations_total",
                "Rules evaluated so far.",
                Kind::Counter,
                count(&self.evaluations),
            ),
            metric(
                "hyperscope_rule_evaluation_failures_total",
                "Rules that could not be evaluated.",
                Kind::Counter,
                count(&self.failures),
            ),
            metric(
                "hyperscope_rule_group_iterations_missed_total",
                "Evaluations of groups of rules left out because the one before took too long.",
                Kind::Counter,
                count(&self.missed),
            ),
            metric("hyperscope_alerts_firing", "Alerts of our rules that fire.", Kind::Gauge, count(&self.firing)),
            metric(
                "hyperscope_rules_last_reload_successful",
                "1 if the files of rules are those in use, 0 if they are wrong and older ones are.",
                Kind::Gauge,
                if self.is_reload_failed.load(Ordering::Relaxed) { 0.0 } else { 1.0 },
            ),
        ]);
    }
}
