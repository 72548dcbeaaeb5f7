//! When a live query re-evaluates known steps of a remote engine, which does not report late samples.
//!
//! Recent steps are more likely to change and cheaper to query. So the newest ones are re-evaluated every quarter of a
//! minute, which costs little compared with new steps, and longer ranges less often. Longer ranges also need one of the
//! engine's few permits, and they are spread over time: queries that start together, like those of a page, must not
//! return together. Has no clock and does no I/O.

use std::time::{Duration, Instant};

use datasource::UNSETTLED_MS;

/// Minimum interval between requests for steps that are likely to change.
const INTERVAL: Duration = Duration::from_secs(15);
/// Minimum interval between requests for the whole window.
const WHOLE_INTERVAL: Duration = Duration::from_secs(60);
/// The whole window is re-evaluated after this fraction of its length, ...
const WHOLE_PART: u32 = 60;
/// ... or after this time, which is also the lifetime of cached results.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3_600);
/// The unsettled part of a window is re-evaluated after this fraction of its length: every half a minute for an hour.
const UNSETTLED_PART: u32 = 120;
/// Minimum pause, in durations of the previous evaluation.
const PAUSE: u32 = 20;
/// Minimum and maximum delay of a range that got no permit.
const PUT_OFF_SECS: (f64, f64) = (5.0, 15.0);

/// Classes of a remote engine's steps by the likelihood of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepAge {
    /// All steps, because history can be backfilled.
    Whole,
    /// Recent enough for a backlog, a late rule, an out-of-order sample.
    Unsettled,
    /// Newer than the freshness of the result cache.
    Fresh,
}

/// Each is contained in the previous one.
const ALL: [StepAge; 3] = [StepAge::Whole, StepAge::Unsettled, StepAge::Fresh];

/// When each class of steps is due.
#[derive(Debug)]
pub(crate) struct CorrectionSchedule {
    due: Vec<(StepAge, Instant)>,
    window: Duration,
}

impl StepAge {
    /// The interval between requests for these steps of a window.
    fn interval(self, window: Duration) -> Duration {
        let unsettled = Duration::from_millis(UNSETTLED_MS.unsigned_abs());
        match self {
            StepAge::Whole => (window / WHOLE_PART).clamp(WHOLE_INTERVAL, LONGEST_INTERVAL),
            StepAge::Unsettled => (window.min(unsettled) / UNSETTLED_PART).max(INTERVAL),
            StepAge::Fresh => INTERVAL,
        }
    }

    /// The pause after an evaluation of these steps with this duration.
    fn pause(self, took: Duration) -> Duration {
        match self {
            StepAge::Whole => took.saturating_mul(PAUSE * 4),
            StepAge::Unsettled => took.saturating_mul(PAUSE),
            StepAge::Fresh => Duration::ZERO,
        }
    }
}

impl CorrectionSchedule {
    /// A schedule for a query over a window, first evaluated at `now`. A `whole` query is re-evaluated completely with
    /// each new step anyway.
    pub(crate) fn new(window: Duration, whole: bool, now: Instant) -> Self {
        let kinds = ALL.into_iter().filter(|steps| !whole || *steps == StepAge::Whole);
        let due = kinds.map(|steps| (steps, now + steps.interval(window).mul_f64(rand::random_range(0.5..=1.0))));
        CorrectionSchedule { due: due.collect(), window }
    }

    /// The largest class of steps that is due at `now`, with a permit if it needs one.
    pub(crate) fn next<P>(&mut self, now: Instant, permit: impl Fn() -> Option<P>) -> Option<(StepAge, Option<P>)> {
        for (steps, due) in self.due.iter_mut().filter(|(_, due)| now >= *due) {
            if *steps == StepAge::Fresh {
                return Some((*steps, None));
            }
            if let Some(permit) = permit() {
                return Some((*steps, Some(permit)));
            }
            *due = now + Duration::from_secs_f64(rand::random_range(PUT_OFF_SECS.0..=PUT_OFF_SECS.1));
        }
        None
    }

    /// Records that these steps, which contain all smaller classes, were evaluated by `now`.
    pub(crate) fn done(&mut self, evaluated: StepAge, took: Duration, now: Instant) {
        for (steps, due) in self.due.iter_mut().skip_while(|(steps, _)| *steps != evaluated) {
            let interval = steps.interval(self.window).mul_f64(rand::random_range(0.9..=1.1));
            *due = now + interval.max(steps.pause(took));
        }
    }

    /// The next time at which something is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.iter().map(|(_, due)| *due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// Seconds within three hours at which each class of steps of `queries` queries is requested, with or without
    /// permits.
    fn asked(queries: usize, window: Duration, whole: bool, has_permits: bool) -> Vec<(u64, StepAge)> {
        let begin = Instant::now();
        let mut schedules: Vec<_> = (0..queries).map(|_| CorrectionSchedule::new(window, whole, begin)).collect();
        let mut asked = Vec::new();
        for second in 0..3 * 3_600 {
            let now = begin + Duration::from_secs(second);
            for schedule in &mut schedules {
                if let Some((steps, permit)) = schedule.next(now, || has_permits.then_some(())) {
                    assert_eq!(permit.is_some(), steps != StepAge::Fresh);
                    schedule.done(steps, Duration::from_millis(10), now);
                    asked.push((second, steps));
                }
            }
        }
        asked
    }

    fn most_a_minute(asked: &[(u64, StepAge)], steps: StepAge) -> usize {
        let of_minute = |minute: u64| asked.iter().filter(|(at, kind)| *kind == steps && at / 60 == minute).count();
        (0..180).map(of_minute).max().unwrap_or(0)
    }

    #[test]
    fn two_hundred_days_are_not_evaluated_each_minute() {
        let asked = asked(200, DAY, false, true);
        let most = most_a_minute(&asked, StepAge::Whole);
        assert!((1..=60).contains(&most), "{most}");
        let whole = asked.iter().filter(|(_, steps)| *steps == StepAge::Whole).count();
        assert!(whole <= 200 * 3 * 60 / 24 * 2, "{whole}");
        assert!(most_a_minute(&asked, StepAge::Unsettled) <= 600, "the last hour twice a minute");
    }

    #[test]
    fn what_is_fresh_is_asked_for_whatever_else_waits() {
        for (window, has_permits) in [(DAY, true), (DAY, false), (Duration::from_secs(300), false)] {
            let asked = asked(1, window, false, has_permits);
            // All classes contain the fresh steps.
            let gaps = asked.windows(2).map(|pair| pair[1].0 - pair[0].0);
            assert!(gaps.max().unwrap() <= 17, "{window:?}");
            assert!(has_permits || asked.iter().all(|(_, steps)| *steps == StepAge::Fresh));
        }
    }

    #[test]
    fn a_short_window_is_asked_for_each_minute_and_a_long_one_each_hour() {
        let whole = |window| asked(1, window, true, true).len();
        assert!((160..=200).contains(&whole(Duration::from_secs(300))));
        assert!((6..=9).contains(&whole(DAY)), "{}", whole(DAY));
        assert!((2..=4).contains(&whole(DAY * 90)));
    }

    #[test]
    fn what_takes_long_is_asked_for_more_rarely() {
        let begin = Instant::now();
        let mut schedule = CorrectionSchedule::new(Duration::from_secs(300), true, begin);
        schedule.done(StepAge::Whole, Duration::from_secs(10), begin);
        assert_eq!(schedule.next_due(), Some(begin + Duration::from_secs(800)));
    }
}
