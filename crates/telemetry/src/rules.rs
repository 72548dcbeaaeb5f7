//! Metrics of rules.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Kind, Metric};

/// Counters of rule evaluation.
#[derive(Default)]
pub struct RuleCounters {
    evaluations: AtomicU64,
    failures: AtomicU64,
    missed: AtomicU64,
    firing: AtomicU64,
    is_reload_failed: AtomicBool,
}

impl RuleCounters {
    /// Counts an evaluation of `rules` rules, of which `failures` failed.
    pub fn evaluated(&self, rules: usize, failures: usize) {
        self.evaluations.fetch_add(u64::try_from(rules).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.failures.fetch_add(u64::try_from(failures).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts evaluations of groups that were skipped because the previous one took too long.
    pub fn missed(&self, count: u64) {
        self.missed.fetch_add(count, Ordering::Relaxed);
    }

    /// Sets the number of firing alerts.
    pub fn set_firing(&self, count: usize) {
        self.firing.store(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Sets whether the current rule files are loaded.
    pub fn set_reloaded(&self, is_good: bool) {
        self.is_reload_failed.store(!is_good, Ordering::Relaxed);
    }

    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    /// Appends the current metrics.
    pub fn gather(&self, metrics: &mut Vec<Metric>) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let metric = |name, help, kind, value| Metric { name, help, kind, value };
        metrics.extend([
            metric("hyperscope_rule_evaluations_total", "Rule evaluations.", Kind::Counter, count(&self.evaluations)),
            metric(
                "hyperscope_rule_evaluation_failures_total",
                "Failed rule evaluations.",
                Kind::Counter,
                count(&self.failures),
            ),
            metric(
                "hyperscope_rule_group_iterations_missed_total",
                "Evaluations of rule groups skipped because the previous one took too long.",
                Kind::Counter,
                count(&self.missed),
            ),
            metric("hyperscope_alerts_firing", "Firing alerts of our rules.", Kind::Gauge, count(&self.firing)),
            metric(
                "hyperscope_rules_last_reload_successful",
                "1 if the current rule files are loaded, 0 if they are invalid and older ones are in use.",
                Kind::Gauge,
                if self.is_reload_failed.load(Ordering::Relaxed) { 0.0 } else { 1.0 },
            ),
        ]);
    }
}
