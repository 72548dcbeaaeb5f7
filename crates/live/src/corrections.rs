//! Which steps of a live query are re-evaluated because samples arrived late.
//!
//! Our own store records appends to times that were already read. Only the affected steps are re-evaluated; this takes
//! at most a twentieth of the time if one evaluation takes less than three seconds. A remote engine records nothing:
//! its steps are re-evaluated by a schedule, and its longer ranges within a budget that all queries share.

use std::time::{Duration, Instant};

use access::ScopedQuery;
use datasource::{Backend, UNSETTLED_MS};
use model::{clock::now_ms, frame::StepRange};
use query_frontend::late::Reads;
use tokio::sync::OwnedSemaphorePermit;
use tsdb::LateMark;

use crate::correction_schedule::{CorrectionSchedule, StepAge};

/// Minimum interval between checks for late samples in our own store, and between re-evaluations because of them.
const STORE_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum interval between such re-evaluations: the longer it is, the larger the affected part of the window.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Minimum pause, in durations of the previous evaluation.
const PAUSE: u32 = 20;

/// Tracks late samples of a live query.
pub(crate) struct Corrections {
    /// Appends to our own store before this mark are evaluated.
    mark: LateMark,
    /// Own steps are not re-evaluated before this time.
    rests_until: Instant,
    /// When a remote engine's steps are re-evaluated.
    schedule: CorrectionSchedule,
}

/// Steps to re-evaluate, and the state to set once that is done.
pub(crate) struct Due {
    /// First and last step; `None` if there are none.
    pub steps: Option<StepRange>,
    /// Whether caches must be bypassed.
    pub past_caches: bool,
    kind: DueKind,
}

enum DueKind {
    Store(LateMark),
    /// With the permit of the engine until it is done.
    Engine(StepAge, Option<OwnedSemaphorePermit>),
}

impl Corrections {
    /// For a query over a window. A `whole` query is re-evaluated completely with each new step.
    pub(crate) fn new(window_ms: i64, whole: bool) -> Self {
        let now = Instant::now();
        let window = Duration::from_millis(window_ms.max(0).unsigned_abs());
        Corrections {
            mark: LateMark::default(),
            rests_until: now,
            schedule: CorrectionSchedule::new(window, whole, now),
        }
    }

    /// Returns which of the `known` steps (first and last) to re-evaluate. Call it before evaluating anything up to
    /// `end_ms`. Without known steps, everything is evaluated anyway.
    pub(crate) async fn due(
        &mut self,
        backend: &Backend,
        query: &ScopedQuery,
        step_ms: i64,
        known: Option<StepRange>,
        end_ms: i64,
    ) -> Option<Due> {
        let now = Instant::now();
        match backend {
            Backend::Embedded(engine) => {
                let sent = backend.as_sent(query).await;
                let reads = Reads::of(sent.as_ref().unwrap_or(query).parsed().ok()?, step_ms);
                // If a query reads the future, all appends would count as late, so the time is limited to now; such a
                // query is evaluated completely each time.
                engine.store().reads(reads.until(end_ms).min(now_ms()));
                let (late, mark) = engine.store().late_since(self.mark);
                let steps = match known {
                    None => None,
                    // The records stay in the store until we read them.
                    Some(_) if now < self.rests_until => return None,
                    Some(_) if late.is_empty() => None,
                    Some(known) => reads.affected(known, |matchers| late.times(matchers)),
                };
                Some(Due { steps, past_caches: false, kind: DueKind::Store(mark) })
            }
            Backend::Prometheus(engine) => {
                let (first, last) = known?;
                let (steps, permit) = self.schedule.next(now, || engine.correction_permit())?;
                let from = match steps {
                    StepAge::Whole => first,
                    StepAge::Unsettled => first.max(now_ms().saturating_sub(UNSETTLED_MS)),
                    StepAge::Fresh => first.max(now_ms().saturating_sub(engine.fresh_ms())),
                };
                let kind = DueKind::Engine(steps, permit);
                Some(Due { steps: (from <= last).then_some((from, last)), past_caches: true, kind })
            }
        }
    }

    /// Records that the due steps were evaluated, or that this failed.
    pub(crate) fn done(&mut self, due: Due, took: Duration, succeeded: bool) {
        let now = Instant::now();
        match due.kind {
            DueKind::Store(mark) => {
                if succeeded {
                    self.mark = mark;
                }
                if due.steps.is_some() {
                    self.rests_until = now + rest_after(took);
                }
            }
            DueKind::Engine(steps, permit) => {
                drop(permit);
                self.schedule.done(steps, took, now);
            }
        }
    }

    /// How long until the next check.
    pub(crate) fn rest(&self, backend: &Backend) -> Duration {
        match backend {
            Backend::Embedded(_) => STORE_INTERVAL,
            Backend::Prometheus(_) => {
                let next = self.schedule.next_due().map(|due| due.saturating_duration_since(Instant::now()));
                next.unwrap_or(STORE_INTERVAL).max(Duration::from_secs(1))
            }
        }
    }
}

/// The pause for our own store after an evaluation with this duration.
fn rest_after(took: Duration) -> Duration {
    took.saturating_mul(PAUSE).clamp(STORE_INTERVAL, LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_rests_long_but_no_longer_than_notes_are_exact() {
        let rests = [0, 1, 60].map(|seconds| rest_after(Duration::from_secs(seconds)).as_secs());
        assert_eq!(rests, [5, 20, 60]);
    }
}
