//! Which steps of a live query are re-evaluated because samples arrived late.
//!
//! Our own store records appends to times that were already read. Only the affected steps are re-evaluated; this takes
//! at most a twentieth of the time if one evaluation takes less than three seconds. A remote engine records nothing:
//! its steps are re-evaluated by a schedule, and its longer ranges within a budget that all queries share.

use std::time::{Duration, Instant};

use access::ScopedQuery;
use datasource::{Backend, UNSETTLED_MS};
use model::{
    clock::now_ms,
    frame::{Frame, Labels, Series, StepRange},
};
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

/// Reduces a result whose steps are partly `known` to what differs, and sets the range that it replaces. False if
/// nothing differs.
pub(crate) fn only_what_differs(known: &Frame, again: &mut Frame, (first, last): StepRange) -> bool {
    let is_longer = last > known.end_ms;
    let differing = if first > known.end_ms { None } else { difference(known, again, (first, last.min(known.end_ms))) };
    let from = match differing {
        Some((from, to)) => {
            let to = if is_longer { last } else { to };
            cut(again, (from, to));
            again.replaces = Some((from, to));
            return true;
        }
        None => known.end_ms.saturating_add(1),
    };
    if is_longer && first <= known.end_ms {
        cut(again, (from, last));
    }
    is_longer
}

fn cut(frame: &mut Frame, (first, last): StepRange) {
    for series in &mut frame.series {
        series.drop_before(first);
        let stays = series.timestamps.partition_point(|timestamp| *timestamp <= last);
        series.timestamps.truncate(stays);
        series.values.truncate(stays);
    }
    frame.series.retain(|series| !series.timestamps.is_empty());
}

/// The first and last time in `span` at which two results differ.
fn difference(one: &Frame, other: &Frame, span: StepRange) -> Option<StepRange> {
    let by_labels: std::collections::HashMap<&Labels, &Series> =
        other.series.iter().map(|series| (&*series.labels, series)).collect();
    let known: std::collections::HashSet<&Labels> = one.series.iter().map(|series| &*series.labels).collect();
    let of_both = one.series.iter().map(|series| (Some(series), by_labels.get(&*series.labels).copied()));
    let of_other = other.series.iter().filter(|series| !known.contains(&*series.labels));
    let pairs = of_both.chain(of_other.map(|series| (None, Some(series))));
    let points = |series: Option<&Series>| -> Vec<(i64, u64)> {
        let all = series.into_iter().flat_map(Series::points);
        let inside = all.filter(|(time, _)| (span.0..=span.1).contains(time));
        inside.map(|(time, value)| (time, value.to_bits())).collect()
    };
    let differing = pairs.filter_map(|(one, other)| {
        let (one, other) = (points(one), points(other));
        let from = first_difference(one.iter(), other.iter(), i64::min)?;
        let to = first_difference(one.iter().rev(), other.iter().rev(), i64::max)?;
        Some((from, to))
    });
    differing.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

/// The time of the first difference of two columns.
fn first_difference<'a>(
    mut one: impl Iterator<Item = &'a (i64, u64)>,
    mut other: impl Iterator<Item = &'a (i64, u64)>,
    nearer: fn(i64, i64) -> i64,
) -> Option<i64> {
    loop {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => return Some(nearer(one.0, other.0)),
            (Some((time, _)), None) | (None, Some((time, _))) => return Some(*time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(all: &[(&str, &[(i64, f64)])], end_ms: i64) -> Frame {
        let series = all.iter().map(|(name, points)| Series {
            labels: Labels::from([("a".to_owned(), (*name).to_owned())]).into(),
            timestamps: points.iter().map(|point| point.0).collect(),
            values: points.iter().map(|point| point.1).collect(),
        });
        Frame { series: series.collect(), end_ms, ..Frame::default() }
    }

    #[test]
    fn what_takes_long_rests_long_but_no_longer_than_notes_are_exact() {
        let rests = [0, 1, 60].map(|seconds| rest_after(Duration::from_secs(seconds)).as_secs());
        assert_eq!(rests, [5, 20, 60]);
    }

    #[test]
    fn only_steps_that_differ_are_sent_again() {
        let known = frame(&[("x", &[(0, 1.0), (10, f64::NAN), (40, 4.0)]), ("y", &[(0, 1.0), (40, 1.0)])], 40);
        let mut same = known.clone();
        assert!(!only_what_differs(&known, &mut same, (0, 40)));

        let mut filled = frame(
            &[("x", &[(0, 1.0), (10, f64::NAN), (20, 2.0), (30, 3.0), (40, 4.0)]), ("y", &[(0, 1.0), (40, 1.0)])],
            40,
        );
        assert!(only_what_differs(&known, &mut filled, (0, 40)));
        assert_eq!(filled.replaces, Some((20, 30)));
        assert_eq!(filled.series, frame(&[("x", &[(20, 2.0), (30, 3.0)])], 0).series);

        // New steps at the end, with the last known one changed and unchanged.
        let mut longer = frame(&[("x", &[(40, 5.0), (50, 5.0)]), ("y", &[(50, 1.0)])], 50);
        assert!(only_what_differs(&known, &mut longer, (40, 50)));
        assert_eq!(longer.replaces, Some((40, 50)));
        let mut whole = known.clone();
        whole.apply(&longer, 1_000);
        assert_eq!(whole.series[1], frame(&[("y", &[(0, 1.0), (50, 1.0)])], 0).series[0], "a point that is gone");
        let mut longer = frame(&[("x", &[(40, 4.0), (50, 5.0)]), ("y", &[(40, 1.0)])], 50);
        assert!(only_what_differs(&known, &mut longer, (40, 50)));
        assert_eq!((longer.replaces, longer.series.len()), (None, 1), "only what is new");
        let mut nothing = frame(&[], 50);
        assert!(only_what_differs(&known, &mut nothing, (50, 50)), "the window moves on");
    }

    #[test]
    fn series_that_come_and_go_differ() {
        let known = frame(&[("x", &[(0, 1.0), (10, 1.0)])], 10);
        let mut other = frame(&[("y", &[(10, 1.0)])], 10);
        assert!(only_what_differs(&known, &mut other, (0, 10)));
        assert_eq!(other.replaces, Some((0, 10)));
    }
}
