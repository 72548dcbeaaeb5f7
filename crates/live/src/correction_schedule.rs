//! When a live query asks another engine again for steps that it knows: an engine does not say what came late.
//!
//! The younger a step, the likelier it changes and the cheaper it is to ask for. So the newest ones are asked for each quarter of a
//! minute, which costs little beside what is new, and longer ranges the more rarely the longer they are. Those need a permit of the
//! engine's as well, of which there are few, and are spread out: many queries that begin at once, as those of a page do, must not come
//! back at once. Knows no clock and asks nothing.

use std::time::{Duration, Instant};

use datasource::UNSETTLED_MS;

/// Between two requests for steps that are likely to change, at least.
const INTERVAL: Duration = Duration::from_secs(15);
/// The same for the whole window.
const WHOLE_INTERVAL: Duration = Duration::from_secs(60);
/// The whole window is asked for once in this part of its length, ...
const WHOLE_PART: u32 = 60;
/// ... or after this time, for which the cache of results believes it as well.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3_600);
/// What of a window is unsettled is asked for once in this part of its length: each half minute for an hour.
const UNSETTLED_PART: u32 = 120;
/// The least a pause is, in durations of the evaluation before it.
const PAUSE: u32 = 20;
/// How long a range waits that found no permit, at least and at most.
const PUT_OFF_SECS: (f64, f64) = (5.0, 15.0);

/// Steps of another engine by how likely they are to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepAge {
    /// All, as history can be loaded.
    Whole,
    /// Young enough for a backlog, a late rule, an out-of-order sample.
    Unsettled,
    /// Younger than the freshness of the cache of results.
    Fresh,
}

/// Each is part of the one before it.
const ALL: [StepAge; 3] = [StepAge::Whole, StepAge::Unsettled, StepAge::Fresh];

/// When each kind of steps is next asked for again.
#[derive(Debug)]
pub(crate) struct CorrectionSchedule {
    due: Vec<(StepAge, Instant)>,
    window: Duration,
}

impl StepAge {
    /// The time between two requests for these steps of a window.
    fn interval(self, window: Duration) -> Duration {
        let unsettled = Duration::from_millis(UNSETTLED_MS.unsigned_abs());
        match self {
            StepAge::Whole => (window / WHOLE_PART).clamp(WHOLE_INTERVAL, LONGEST_INTERVAL),
            StepAge::Unsettled => (window.min(unsettled) / UNSETTLED_PART).max(INTERVAL),
            StepAge::Fresh => INTERVAL,
        }
    }

    /// The pause after an evaluation of these steps that took so long.
    fn pause(self, took: Duration) -> Duration {
        match self {
            StepAge::Whole => took.saturating_mul(PAUSE * 4),
            StepAge::Unsettled => took.saturating_mul(PAUSE),
            StepAge::Fresh => Duration::ZERO,
        }
    }
}

impl CorrectionSchedule {
    /// For a query over a window whose first evaluation is at `now`. One that is `whole` is evaluated as a whole with each new step anyway.
    pub(crate) fn new(window: Duration, whole: bool, now: Instant) -> Self {
        let kinds = ALL.into_iter().filter(|steps| !whole || *steps == StepAge::Whole);
        let due = kinds.map(|steps| (steps, now + steps.interval(window).mul_f64(rand::random_range(0.5..=1.0))));
        CorrectionSchedule { due: due.collect(), window }
    }

    /// The most steps that are due at `now`, with a permit where they need one.
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

    /// These steps were evaluated by `now`, and what is part of them.
    pub(crate) fn done(&mut self, evaluated: StepAge, took: Duration, now: Instant) {
        for (steps, due) in self.due.iter_mut().skip_while(|(steps, _)| *steps != evaluated) {
            let interval = steps.interval(self.window).mul_f64(rand::random_range(0.9..=1.1));
            *due = now + interval.max(steps.pause(took));
        }
    }

    /// When there is something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.iter().map(|(_, due)| *due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// Seconds at which each kind of steps of so many queries is asked for within three hours, while there are permits or not.
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
            // All kinds have the fresh steps in them.
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
