//! Metrics of the budgets for viewers and writes.

use std::sync::OnceLock;

use budget::Budgets;
use datasource::Admission;

use crate::{Kind, Metric};

/// The source of the metrics, once it is set.
#[derive(Default)]
pub(crate) struct BudgetMetrics(OnceLock<(Budgets, Vec<Admission>)>);

impl BudgetMetrics {
    /// Sets the source.
    pub(crate) fn follow(&self, budgets: Budgets, turns: Vec<Admission>) {
        // There is only one set of them.
        let _ = self.0.set((budgets, turns));
    }

    #[allow(clippy::cast_precision_loss)] // bytes and counts, far below 2^53
    pub(crate) fn gather(&self, metrics: &mut Vec<Metric>) {
        let Some((budgets, turns)) = self.0.get() else { return };
        let gauge = |name, help, value: u64| Metric { name, help, kind: Kind::Gauge, value: value as f64 };
        let counter = |name, help, value: u64| Metric { name, help, kind: Kind::Counter, value: value as f64 };
        let sum = |of: fn(&Admission) -> u64| turns.iter().map(of).sum::<u64>();
        let Budgets { live, reads: memory, answers, writes, pressure } = budgets;
        metrics.extend([
            gauge("hyperscope_memory_limit_bytes", "Memory that the process may use.", pressure.limit()),
            gauge("hyperscope_live_memory_limit_bytes", "Memory that live queries may use.", live.limit()),
            gauge("hyperscope_live_memory_used_bytes", "Memory that live queries use.", live.used()),
            counter(
                "hyperscope_live_memory_refused_total",
                "Results and updates of live queries rejected because of the memory limit.",
                live.refused(),
            ),
            gauge("hyperscope_reads_memory_limit_bytes", "Memory that running queries may use.", memory.limit()),
            gauge("hyperscope_reads_memory_used_bytes", "Memory that running queries use.", memory.used()),
            counter(
                "hyperscope_reads_memory_refused_total",
                "Queries rejected because they need more memory than one query may use.",
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
                "Responses rejected because of the memory limit.",
                answers.refused(),
            ),
            gauge("hyperscope_writes_memory_limit_bytes", "Memory that bodies of remote writes may use.", writes.limit()),
            gauge("hyperscope_writes_memory_used_bytes", "Memory of bodies of remote writes.", writes.used()),
            counter(
                "hyperscope_writes_memory_refused_total",
                "Remote writes rejected because of the memory limit for bodies.",
                writes.refused(),
            ),
            gauge("hyperscope_reads_running", "Running queries and other reads.", sum(|turns| count(turns.running()))),
            gauge(
                "hyperscope_reads_waiting",
                "Queries and other reads in the queue.",
                sum(|turns| count(turns.waiting())),
            ),
            counter(
                "hyperscope_reads_total",
                "Admissions of queries and other reads. A query that needs more than the minimum memory is admitted twice.",
                sum(Admission::admitted),
            ),
            counter(
                "hyperscope_reads_refused_total",
                "Queries and other reads rejected: queue full, waited too long, or too large.",
                sum(Admission::refused),
            ),
        ]);
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
