//! How far a daemon's clock is from ours, so that its times are shown and stored by ours.
//!
//! A message comes later than it was made, by its delay: the one that was least late tells most. No single message is believed where
//! others can speak against it: one may have been held up, many may come at once after a stall, and one may have a wrong time.

use std::collections::VecDeque;

/// A difference up to this is delay and rounding, not another clock, in milliseconds: the daemon's times are taken as they are.
const TOLERANCE_MS: i64 = 2_000;
/// A difference that is known is given up below this: one that hovers at the tolerance must not come and go.
const RELEASE_MS: i64 = 1_000;
/// A first message that is later than this is of another clock; less may be delay.
const FIRST_DELAY_MS: i64 = 10_000;
/// Messages of so long are looked back at, in milliseconds, ...
const LOOK_BACK_MS: i64 = 60_000;
/// ... and at least and at most so many.
const MESSAGES: (usize, usize) = (5, 120);
/// A clock is taken to be further behind than before once messages have said so for so long, in milliseconds: until then they may be held up.
const SETTLES_MS: i64 = 15_000;
/// Messages of which two have to agree; with fewer, the one that was least late is right.
const COMPARED: usize = 3;

/// What the last messages of one daemon tell of its clock.
#[derive(Debug, Default)]
pub(crate) struct Skew {
    /// When the last messages came by our clock, and how much earlier they say that they were made, in milliseconds.
    seen: VecDeque<(i64, i64)>,
    /// What is added to the daemon's times, in milliseconds.
    used_ms: i64,
    has_spoken: bool,
}

impl Skew {
    /// A message made at `daemon_ms` by the daemon's clock came at `now_ms` by ours. Gives what is to be added to the daemon's times.
    pub(crate) fn observe(&mut self, now_ms: i64, daemon_ms: i64) -> i64 {
        if self.seen.back().is_some_and(|(at_ms, _)| now_ms < *at_ms) {
            // Our own clock was set back: what was seen before is by another one.
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
        // Kept while it is about right: times that are compared must be by one clock.
        if is_believed && !is_about_right {
            self.used_ms = wanted_ms;
        }
        self.has_spoken = true;
        self.used_ms
    }

    /// What is added to the daemon's times, in milliseconds.
    pub(crate) fn used_ms(&self) -> i64 {
        self.used_ms
    }

    /// How far behind the daemon's clock is by the message that was least late among those that another one confirms.
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

    /// Whether messages have said for long enough that the clock is so far behind to tell that from delay.
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

    /// What is used after each message: the second it comes, and how many milliseconds before it was made by the daemon's clock.
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
            // A minute each way, between 1.8 s and 2.2 s: longer than anything is looked back at.
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
        // An hour back: the daemon is ahead of us now.
        let now_ms = START_MS - 3_600_000;
        assert_eq!(skew.observe(now_ms, START_MS + 30_000), -3_630_000);
    }
}
