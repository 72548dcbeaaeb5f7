//! The task that evaluates one group of rules.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use model::clock::now_ms;
use parking_lot::Mutex;
use rules::{Environment, Evaluation, Group};
use tokio_util::sync::CancellationToken;

use crate::{
    Shared,
    snapshot::{GroupView, RuleFacts},
};

/// Number of evaluations before the state from before a restart is restored: the second one has data.
const RESTORE_AFTER: u64 = 2;

/// A group with its task.
pub struct GroupRunner {
    pub file: String,
    pub name: String,
    pub is_built_in: bool,
    interval_ms: i64,
    facts: Vec<Arc<RuleFacts>>,
    group: Mutex<Group>,
    view: Mutex<Arc<GroupView>>,
    is_restored: AtomicBool,
    evaluations: AtomicU64,
    missed: AtomicU64,
    stop: CancellationToken,
}

impl GroupRunner {
    pub fn new(group: Group, is_built_in: bool, is_restored: bool, stop: CancellationToken) -> Self {
        let facts = RuleFacts::of(&group);
        let view = GroupView::of(&group, &facts, None, 0.0, 0);
        GroupRunner {
            file: group.file.clone(),
            name: group.name.clone(),
            is_built_in,
            interval_ms: group.interval_ms,
            facts,
            group: Mutex::new(group),
            view: Mutex::new(Arc::new(view)),
            is_restored: AtomicBool::new(is_restored),
            evaluations: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            stop,
        }
    }

    /// The group after its last evaluation.
    pub fn view(&self) -> Arc<GroupView> {
        Arc::clone(&self.view.lock())
    }

    /// Number of evaluations.
    pub fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// Whether `group` has the same rules.
    pub fn is_same(&self, group: &Group) -> bool {
        self.group.lock().is_same(group)
    }

    /// Stops the task.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops the task after the current evaluation, and returns the state of the group.
    pub fn retire(&self) -> Group {
        self.stop.cancel();
        self.group.lock().clone()
    }

    /// Evaluates at each multiple of the interval, until the group is retired or the server stops.
    pub(crate) async fn run(self: Arc<Self>, shared: Arc<Shared>) {
        let mut at_ms = aligned_after(now_ms(), self.interval_ms);
        loop {
            let wait_ms = u64::try_from(at_ms - now_ms()).unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = self.stop.cancelled() => return,
            }
            self.evaluate(&shared, at_ms).await;
            let (next_ms, missed) = next_after(at_ms, now_ms(), self.interval_ms);
            if missed > 0 {
                self.missed.fetch_add(missed, Ordering::Relaxed);
                shared.telemetry.rules().missed(missed);
                tracing::warn!(
                    group = self.name,
                    file = self.file,
                    missed,
                    "rules are evaluated later than they should be"
                );
            }
            at_ms = next_ms;
        }
    }

    #[tracing::instrument(level = "debug", skip_all, fields(at_ms))]
    async fn evaluate(self: &Arc<Self>, shared: &Arc<Shared>, at_ms: i64) {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await else { return };
        let (running, with) = (Arc::clone(self), Arc::clone(shared));
        let done = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            running.evaluate_now(&with, at_ms)
        })
        .await;
        match done {
            Ok(Some((evaluation, view, before))) => shared.publish(at_ms, &evaluation, &view, &before),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(group = self.name, file = self.file, %error, "the evaluation of rules panicked");
            }
        }
    }

    /// Evaluates on the current thread, which blocks. Returns the result, and the views of the group after and before
    /// it.
    fn evaluate_now(&self, shared: &Shared, at_ms: i64) -> Option<(Evaluation, Arc<GroupView>, Arc<GroupView>)> {
        let mut group = self.group.lock();
        if self.stop.is_cancelled() {
            return None;
        }
        let start = Instant::now();
        let clock = move || start.elapsed().as_secs_f64();
        let engine: &dyn rules::Engine = match &shared.elsewhere {
            Some(engine) if !self.is_built_in => engine,
            _ => &shared.here,
        };
        let environment = Environment { engine, sink: &shared.here, context: &shared.settings.context, clock: &clock };
        let evaluation = group.evaluate(at_ms, environment);
        let count = self.evaluations.fetch_add(1, Ordering::Relaxed) + 1;
        let restores = count >= RESTORE_AFTER && !self.is_restored.swap(true, Ordering::Relaxed);
        if restores && let Err(error) = group.restore(now_ms(), shared.here.store()) {
            tracing::warn!(group = self.name, %error, "cannot restore since when alerts are active: they start again");
        }
        shared.telemetry.rules().evaluated(group.rules().len(), evaluation.failures);
        shared.telemetry.rule_group_evaluated(clock());
        let missed = self.missed.load(Ordering::Relaxed);
        let view = Arc::new(GroupView::of(&group, &self.facts, Some(at_ms), clock(), missed));
        let mut known = self.view.lock();
        let before = std::mem::replace(&mut *known, Arc::clone(&view));
        drop(known);
        if view.has_alerts() || before.has_alerts() {
            shared.latest.is_outdated();
        }
        Some((evaluation, view, before))
    }
}

/// The first multiple of `interval_ms` after `now_ms`.
fn aligned_after(now_ms: i64, interval_ms: i64) -> i64 {
    (now_ms.div_euclid(interval_ms) + 1) * interval_ms
}

/// When to evaluate next after an evaluation for `at_ms` that ended at `now_ms`, and the number of missed evaluations.
fn next_after(at_ms: i64, now_ms: i64, interval_ms: i64) -> (i64, u64) {
    // The clock was set back.
    if now_ms < at_ms - interval_ms {
        return (aligned_after(now_ms, interval_ms), 0);
    }
    let missed = (now_ms - at_ms - 1).max(0) / interval_ms;
    (at_ms + (missed + 1) * interval_ms, u64::try_from(missed).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_are_aligned_and_late_ones_counted() {
        assert_eq!(aligned_after(14_999, 15_000), 15_000);
        assert_eq!(aligned_after(15_000, 15_000), 30_000);
        assert_eq!(next_after(15_000, 15_100, 15_000), (30_000, 0));
        assert_eq!(next_after(15_000, 30_000, 15_000), (30_000, 0));
        assert_eq!(next_after(15_000, 30_001, 15_000), (45_000, 1));
        assert_eq!(next_after(15_000, 100_000, 15_000), (105_000, 5));
        assert_eq!(next_after(90_000, 10_000, 15_000), (15_000, 0));
    }
}
