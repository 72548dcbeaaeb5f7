//! Budgets for viewers: what there is, what is used, what was refused, who waits.

use std::sync::OnceLock;

use super::{Kind, Metric};
use crate::{budget::Budgets, query::ReadScheduler};

/// What is told of budgets, once they are there.
#[derive(Default)]
pub(super) struct BudgetMetrics(OnceLock<(Budgets, ReadScheduler)>);

impl BudgetMetrics {
    /// From now on tells of these.
    pub(super) fn follow(&self, budgets: Budgets, reads: ReadScheduler) {
        // There is one set of them.
        let _ = self.0.set((budgets, reads));
    }

    #[allow(clippy::cast_precision_loss)] // bytes and counts, far below 2^53
    pub(super) fn gather(&self, metrics: &mut Vec<Metric>) {
        let Some((budgets, reads)) = self.0.get() else { return };
        let gauge = |name, help, value: u64| Metric { name, help, kind: Kind::Gauge, value: value as f64 };
        let counter = |name, help, value: u64| Metric { name, help, kind: Kind::Counter, value: value as f64 };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let Budgets { live, reads: memory, answers, pressure } = budgets;
        metrics.extend([
            gauge("hyperscope_memory_limit_bytes", "Memory that the process may use.", pressure.limit()),
            gauge("hyperscope_live_memory_limit_bytes", "Memory that live queries may use.", live.limit()),
            gauge("hyperscope_live_memory_used_bytes", "Memory that live queries use.", live.used()),
            counter(
                "hyperscope_live_memory_refused_total",
                "Results and updates of live queries refused so far for lack of memory.",
                live.refused(),
            ),
            gauge("hyperscope_reads_memory_limit_bytes", "Memory that running queries may use.", memory.limit()),
            gauge("hyperscope_reads_memory_used_bytes", "Memory that running queries use.", memory.used()),
            counter(
                "hyperscope_reads_memory_refused_total",
                "Queries refused so far because one alone needs too much memory.",
                memory.refused(),
            ),
            gauge("hyperscope_answers_memory_limit_bytes", "Memory that responses may use.", answers.limit()),
            gauge(
                "hyperscope_answers_memory_used_bytes",
                "Memory of responses that clients have not read yet.",
                answers.used(),
            ),
            counter(
                "hyperscope_answers_memory_refused_total",
                "Responses refused so far for lack of memory.",
                answers.refused(),
            ),
            gauge("hyperscope_reads_running", "Queries and other reads that run.", count(reads.running())),
            gauge("hyperscope_reads_waiting", "Queries and other reads in the queue.", count(reads.waiting())),
            counter(
                "hyperscope_reads_refused_total",
                "Queries and other reads refused so far: queue full, waited too long, or too large.",
                reads.refused(),
            ),
        ]);
    }
}
