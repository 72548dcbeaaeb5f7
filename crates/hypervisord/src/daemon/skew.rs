//! Estimates the offset between a daemon's clock and ours, so that we show and store its times by our clock.
//!
//! Each message arrives later than it was created. The message with the smallest delay gives the best estimate. We do
//! not trust a single message if others can contradict it: it may have been delayed, many messages may arrive at once
//! after a stall, and one may have a wrong time.

use std::collections::VecDeque;

/// An offset up to this is delay and rounding, in milliseconds: the daemon's times are used as they are.
const TOLERANCE_MS: i64 = 2_000;
/// A known offset is dropped below this, so that one near the tolerance does not toggle.
const RELEASE_MS: i64 = 1_000;
/// An offset of the first message above this is a different clock; below it may be delay.
const FIRST_DELAY_MS: i64 = 10_000;
/// Age of the messages to consider, in milliseconds.
const LOOK_BACK_MS: i64 = 60_000;
/// Minimum and maximum number of the messages to consider.
const MESSAGES: (usize, usize) = (5, 120);
/// How long messages must agree that the clock is further behind than before, in milliseconds: until then they may be
/// delayed.
const SETTLES_MS: i64 = 15_000;
/// Minimum number of messages of which two have to agree; with fewer, the one with the smallest delay is used.
const COMPARED: usize = 3;

/// What the last messages of one daemon say about its clock.
#[derive(Debug, Default)]
pub(crate) struct Skew {
    /// When the last messages arrived by our clock, and how much earlier they were created by the daemon's, in
    /// milliseconds.
    seen: VecDeque<(i64, i64)>,
    /// Added to the daemon's times, in milliseconds.
    used_ms: i64,
    has_spoken: bool,
}

impl Skew {
    /// Adds a message created at `daemon_ms` by the daemon's clock and received at `now_ms` by ours. Returns what to
    /// add to the daemon's times.
    pub(crate) fn observe(&mut self, now_ms: i64, daemon_ms: i64) -> i64 {
        if self.seen.back().is_some_and(|(at_ms, _)| now_ms < *at_ms) {
            // Our own clock was set back, which invalidates earlier observations.
            self.seen.clear();
        }
        self.seen.push_back((now_ms, now_ms.saturating_sub(daemon_ms)));
        let is_old = |(at_ms, _): &(i64, i64)| now_ms.saturating_sub(*at_ms) > LOOK_BACK_MS;
        let (least, most) = MESSAGES;
        while self.seen.len() > most || (self.seen.len() > least && self.seen.front().is_some_and(is_old)) {
            self.seen.pop_front();
        }
        let Some(behind_ms) = self.behind_ms() else { return self.used_ms };
        let least_ms = if self.used_ms == 0 { TOLERANCE_MS } else { RELEASE_MS };
        let wanted_ms = if behind_ms.saturating_abs() <= least_ms { 0 } else { behind_ms };
        let is_about_right = wanted_ms != 0 && wanted_ms.saturating_sub(self.used_ms).saturating_abs() <= TOLERANCE_MS;
        let is_believed = if self.has_spoken {
            wanted_ms <= self.used_ms || self.has_settled(behind_ms)
        } else {
            !(0..=FIRST_DELAY_MS).contains(&behind_ms)
        };
        // Unchanged while it is roughly right, because times that are compared must use the same offset.
        if is_believed && !is_about_right {
            self.used_ms = wanted_ms;
        }
        self.has_spoken = true;
        self.used_ms
    }

    /// What to add to the daemon's times, in milliseconds.
    pub(crate) fn used_ms(&self) -> i64 {
        self.used_ms
    }

    /// How far the daemon's clock is behind: by the message with the smallest delay that another message confirms.
    fn behind_ms(&self) -> Option<i64> {
        let mut sorted: Vec<i64> = self.seen.iter().map(|(_, behind_ms)| *behind_ms).collect();
        sorted.sort_unstable();
        if sorted.len() < COMPARED {
            return sorted.first().copied();
        }
        let pairs = sorted.iter().zip(sorted.iter().skip(1));
        let mut agreeing = pairs.filter(|(one, next)| next.saturating_sub(**one) <= TOLERANCE_MS);
        agreeing.next().map(|(one, _)| *one)
    }

    /// Whether messages have agreed on this offset for long enough that it is not delay.
    fn has_settled(&self, behind_ms: i64) -> bool {
        let agrees = |(_, other_ms): &&(i64, i64)| other_ms.saturating_sub(behind_ms).saturating_abs() <= TOLERANCE_MS;
        let mut agreeing = self.seen.iter().filter(agrees).map(|(at_ms, _)| *at_ms);
        let first_ms = agreeing.next();
        let (messages, last_ms) = agreeing.fold((1, first_ms), |(messages, _), at_ms| (messages + 1, Some(at_ms)));
        messages >= COMPARED
            && first_ms.zip(last_ms).is_some_and(|(first_ms, last_ms)| last_ms.saturating_sub(first_ms) >= SETTLES_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_700_000_000_000;

    /// The offset after each message: the second of its arrival, and how many milliseconds earlier the daemon created
    /// it.
    fn used(messages: impl IntoIterator<Item = (i64, i64)>) -> Vec<i64> {
        let mut skew = Skew::default();
        let used = messages.into_iter().map(|(second, behind_ms)| {
            let now_ms = START_MS + second * 1_000;
            let used_ms = skew.observe(now_ms, now_ms - behind_ms);
            assert_eq!(skew.used_ms(), used_ms);
            used_ms
        });
        used.collect()
    }

    #[test]
    fn delay_is_no_skew() {
        assert_eq!(used([(0, 800), (1, 256_000), (2, 500)]), [0; 3], "one message that was held up for four minutes");
        assert_eq!(used([(0, 8_000), (1, 500), (2, 500)]), [0; 3], "the first message was");
        assert_eq!(used([(0, 300_000), (1, 500), (2, 500)]), [300_000, 0, 0], "the next one puts it right");
        let on_time = (0..100).map(|second| (second, 300));
        let burst = (0..240).map(|number| (340, 240_000 - number * 1_000));
        assert!(used(on_time.chain(burst)).iter().all(|used| *used == 0), "what comes at once after a stall");
        let slow = (0..10).map(|number| (number * 30, 300));
        let burst = (0..8).map(|number| (600, 300_000 - number * 1_000));
        assert!(used(slow.chain(burst)).iter().all(|used| *used == 0), "and where there were few before");
    }

    #[test]
    fn a_wrong_clock_is_known_at_once_or_after_a_while() {
        assert_eq!(used([(0, 10_000_000), (1, 10_000_400)]), [10_000_000; 2], "hours behind");
        assert_eq!(used([(0, -60_000), (1, -59_000)]), [-60_000; 2], "no message comes before it is made");
        let seconds_behind = used((0..20).map(|second| (second, 7_000)));
        assert_eq!((seconds_behind[14], seconds_behind[15], seconds_behind[19]), (0, 7_000, 7_000));
    }

    #[test]
    fn a_single_wrong_time_changes_nothing() {
        let messages = (0..100).map(|second| (second, if second == 50 { -3_600_000 } else { 200 }));
        assert!(used(messages).iter().all(|used| *used == 0));
    }

    #[test]
    fn a_clock_that_is_set_is_followed() {
        let set = |before: i64, after: i64, every: i64| {
            let messages = (0..60).map(|number| (number * every, if number < 30 { before } else { after }));
            let used = used(messages);
            let followed = used.iter().skip(30).position(|used| *used == after).map(|position| position + 1);
            (used[29], followed)
        };
        assert_eq!(set(60_000, -60_000, 1), (60_000, Some(2)), "set ahead: the second message agrees");
        assert_eq!(set(90_000, 0, 30), (90_000, Some(2)));
        assert_eq!(
            set(-60_000, 0, 30),
            (-60_000, Some(4)),
            "set back: until what was before is forgotten, five messages or a minute"
        );
        let (before, followed) = set(-60_000, 90_000, 5);
        assert_eq!(before, -60_000);
        assert!(followed.is_some_and(|messages| messages <= 13), "{followed:?}");
    }

    #[test]
    fn a_clock_that_hovers_at_the_tolerance_does_not_come_and_go() {
        for sign in [1, -1] {
            // One minute each of 1.8 s and 2.2 s, which is longer than the messages to consider.
            let hovering = (0..900).map(|second| (second, sign * if (second / 150) % 2 == 0 { 2_200 } else { 1_800 }));
            let used = used(hovering);
            let changes = used.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(changes <= 1, "{changes} changes");
            assert_ne!(used.last(), Some(&0));
        }
        let (seen, given_up) = ((0..100).map(|second| (second, 2_200)), (100..200).map(|second| (second, 900)));
        assert_eq!(used(seen.chain(given_up)).last(), Some(&0), "a clock that was put right is");
    }

    #[test]
    fn our_own_clock_may_be_set_as_well() {
        let mut skew = Skew::default();
        for second in 0..30 {
            skew.observe(START_MS + second * 1_000, START_MS + second * 1_000);
        }
        // Back by an hour: now the daemon is ahead of us.
        let now_ms = START_MS - 3_600_000;
        assert_eq!(skew.observe(now_ms, START_MS + 30_000), -3_630_000);
    }
}
