//! Which steps of a live query are evaluated again, because samples came after they had been evaluated.
//!
//! Our own store notes appends to times that were read, so that only the steps that read them are evaluated again, for at most a
//! twentieth of the time where one evaluation takes less than three seconds. Another engine notes nothing: its steps are asked for again
//! by a schedule, and the longer ranges of them within a budget that its queries share.

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

/// Between two looks at what came late in our own store, and between two evaluations of the same because of it.
const STORE_INTERVAL: Duration = Duration::from_secs(5);
/// The longest between two such evaluations: the longer it is, the more of the window they are of.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// The least a pause is, in durations of the evaluation before it.
const PAUSE: u32 = 20;

/// What a live query knows of changes below it.
pub(crate) struct Corrections {
    /// What was appended before it to our own store is evaluated.
    mark: LateMark,
    /// Nothing of our own store is evaluated again before.
    rests_until: Instant,
    /// When another engine is asked again.
    schedule: CorrectionSchedule,
}

/// What is to be evaluated again, and what is known once that is done.
pub(crate) struct Due {
    /// First and last step, as far as there are any.
    pub steps: Option<StepRange>,
    /// Nothing that was kept on the way may be used.
    pub past_caches: bool,
    kind: DueKind,
}

enum DueKind {
    Store(LateMark),
    /// With its part of the engine's budget, until it is done.
    Engine(StepAge, Option<OwnedSemaphorePermit>),
}

impl Corrections {
    /// For a query over a window. One that is `whole` is evaluated as a whole with each new step.
    pub(crate) fn new(window_ms: i64, whole: bool) -> Self {
        let now = Instant::now();
        let window = Duration::from_millis(window_ms.max(0).unsigned_abs());
        Corrections {
            mark: LateMark::default(),
            rests_until: now,
            schedule: CorrectionSchedule::new(window, whole, now),
        }
    }

    /// Says which of the `known` steps (a first and a last one) are to be evaluated again, before anything up to `end_ms` is evaluated.
    /// Where none are known, all are.
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
                // A query of the future must not make a late append of every append: it is evaluated as a whole each time.
                engine.store().reads(reads.until(end_ms).min(now_ms()));
                let (late, mark) = engine.store().late_since(self.mark);
                let steps = match known {
                    None => None,
                    // What is noted stays noted until it is looked at.
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

    /// Notes that what was due is done, or was tried in vain.
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

    /// How long there is nothing to look at.
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

/// How long our own store has rest after an evaluation that took so long.
fn rest_after(took: Duration) -> Duration {
    took.saturating_mul(PAUSE).clamp(STORE_INTERVAL, LONGEST_REST)
}

/// Leaves of a result for steps of which some are `known` already only what differs from it, and says what that replaces. False if
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

/// The first and the last time of `span` at which two results differ.
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

/// The time at which two columns first differ, in their order.
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

        // New steps at the end, with the newest known one changed, and unchanged.
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
