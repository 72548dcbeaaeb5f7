//! Records appends to times that somebody had already read, so that results computed from them can be recomputed.
//!
//! Before reading, a reader declares up to which time it reads. From then on each append to such a time is recorded:
//! time range by metric name. With its mark, a reader gets what was recorded since. Appends to times that nobody has
//! read are not recorded. Records are merged as they age and dropped after ten minutes: a reader that comes back later
//! learns that anything may have changed, which is too much rather than too little. Removal by retention is not
//! recorded, because results computed before were right.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hashbrown::HashMap;
use labels::{METRIC_NAME, MatchOp, Matcher};
use parking_lot::Mutex;
use web_time::Instant;

/// Appends within this time form one record.
const JOINED: Duration = Duration::from_secs(1);
/// Two records are merged if together they span at most this fraction of their age. So a reader that was away for a
/// while gets only a little more than it missed, and there are fewer than a hundred records.
const JOINED_PART: u32 = 8;
/// Lifetime of a record.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Maximum number of metric names in a record; further appends are recorded without names.
const MAX_NAMES: usize = 1_024;

/// A position in the records: its owner knows all earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LateMark(u64);

/// Earliest and latest time, both inclusive, in milliseconds since the Unix epoch.
pub type TimeBounds = (i64, i64);

/// Any time.
const ALWAYS: TimeBounds = (i64::MIN, i64::MAX);

/// Appends to times that had been read.
#[derive(Debug, Clone, Default)]
pub struct LateAppends(Vec<Arc<Note>>);

#[derive(Debug, Clone, Default)]
struct Note {
    by_name: HashMap<Arc<str>, TimeBounds>,
    /// Appends to series whose name is not recorded.
    of_any: Option<TimeBounds>,
}

/// A record with its position.
#[derive(Debug)]
struct Dated {
    /// When its first and its last append happened.
    begun: Instant,
    ended: Instant,
    /// Number of its last append.
    last: u64,
    note: Arc<Note>,
}

/// The records of a store.
#[derive(Debug)]
pub(crate) struct LateLog {
    /// The latest time that anybody has read.
    read_until: AtomicI64,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    /// Number of the last append, ...
    newest: u64,
    /// ... and of the last one whose record was dropped.
    forgotten: u64,
    /// Oldest first.
    notes: VecDeque<Dated>,
}

fn joined(one: Option<TimeBounds>, other: TimeBounds) -> TimeBounds {
    one.map_or(other, |(first, last)| (first.min(other.0), last.max(other.1)))
}

impl LateAppends {
    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time range of appends to series that these matchers may select. Only matchers of the metric name are
    /// considered.
    #[must_use]
    pub fn times(&self, matchers: &[Matcher]) -> Option<TimeBounds> {
        let of_name: Vec<&Matcher> = matchers.iter().filter(|matcher| matcher.name == METRIC_NAME).collect();
        let exactly = of_name.iter().find_map(|matcher| match &matcher.op {
            MatchOp::Equal(name) => Some(name.as_str()),
            _ => None,
        });
        let mut found = None;
        for note in &self.0 {
            found = note.of_any.map(|times| joined(found, times)).or(found);
            let is_meant = |name: &str| of_name.iter().all(|matcher| matcher.matches(name));
            match exactly {
                Some(name) => {
                    let named = note.by_name.get(name).filter(|_| is_meant(name));
                    found = named.map(|times| joined(found, *times)).or(found);
                }
                None => {
                    let meant = note.by_name.iter().filter(|(name, _)| is_meant(name));
                    found = meant.fold(found, |found, (_, times)| Some(joined(found, *times)));
                }
            }
        }
        found
    }
}

impl Note {
    fn add(&mut self, name: Option<&Arc<str>>, times: TimeBounds) {
        match name {
            Some(name) if self.by_name.contains_key(name) || self.by_name.len() < MAX_NAMES => {
                let known = self.by_name.entry(Arc::clone(name)).or_insert(times);
                *known = joined(Some(*known), times);
            }
            _ => self.of_any = Some(joined(self.of_any, times)),
        }
    }

    fn add_all(&mut self, other: &Note) {
        other.by_name.iter().for_each(|(name, times)| self.add(Some(name), *times));
        other.of_any.iter().for_each(|times| self.add(None, *times));
    }
}

impl Notes {
    /// Drops records that are too old, and merges those that are old enough.
    fn age(&mut self, now: Instant) {
        while let Some(oldest) = self.notes.pop_front_if(|oldest| now.duration_since(oldest.ended) > REMEMBERED) {
            self.forgotten = oldest.last;
        }
        let mut aged: VecDeque<Dated> = VecDeque::with_capacity(self.notes.len());
        for later in self.notes.drain(..) {
            match aged.back_mut() {
                Some(before)
                    if later.ended.duration_since(before.begun) <= now.duration_since(later.ended) / JOINED_PART =>
                {
                    Arc::make_mut(&mut before.note).add_all(&later.note);
                    (before.ended, before.last) = (later.ended, later.last);
                }
                _ => aged.push_back(later),
            }
        }
        self.notes = aged;
    }
}

impl Default for LateLog {
    fn default() -> Self {
        LateLog { read_until: AtomicI64::new(i64::MIN), notes: Mutex::default() }
    }
}

impl LateLog {
    /// From now on, records appends to times up to `until_ms`. Call it before reading these times.
    pub(crate) fn reads(&self, until_ms: i64) {
        self.read_until.fetch_max(until_ms, Ordering::SeqCst);
    }

    /// The latest time that anybody has read.
    pub(crate) fn read_until(&self) -> i64 {
        self.read_until.load(Ordering::SeqCst)
    }

    /// What was recorded since `mark`, and the mark for the next call.
    pub(crate) fn since(&self, mark: LateMark) -> (LateAppends, LateMark) {
        let notes = self.notes.lock();
        let forgotten = (mark.0 < notes.forgotten).then(|| Arc::new(Note { of_any: Some(ALWAYS), ..Note::default() }));
        let later = notes.notes.iter().filter(|dated| dated.last > mark.0).map(|dated| Arc::clone(&dated.note));
        (LateAppends(forgotten.into_iter().chain(later).collect()), LateMark(notes.newest))
    }

    /// Records appends that have happened by `now`: metric names with those times that had been read.
    pub(crate) fn note(&self, now: Instant, appended: impl IntoIterator<Item = (Option<Arc<str>>, TimeBounds)>) {
        let mut appended = appended.into_iter().peekable();
        if appended.peek().is_none() {
            return;
        }
        let mut notes = self.notes.lock();
        notes.newest += 1;
        let last = notes.newest;
        let is_young = |dated: &Dated| now.duration_since(dated.begun) < JOINED;
        if !notes.notes.back().is_some_and(is_young) {
            notes.age(now);
            notes.notes.push_back(Dated { begun: now, ended: now, last, note: Arc::default() });
        }
        if let Some(dated) = notes.notes.back_mut() {
            (dated.ended, dated.last) = (now, last);
            let note = Arc::make_mut(&mut dated.note);
            appended.for_each(|(name, times)| note.add(name.as_ref(), times));
        }
    }
}

#[cfg(test)]
mod tests {
    use labels::Pattern;

    use super::*;

    fn named(name: &str, times: TimeBounds) -> (Option<Arc<str>>, TimeBounds) {
        (Some(Arc::from(name)), times)
    }

    fn of(name: &str) -> Vec<Matcher> {
        vec![Matcher::equal("__name__", name)]
    }

    #[test]
    fn who_comes_back_learns_what_was_noted_since_by_name() {
        let (log, now) = (LateLog::default(), Instant::now());
        let (nothing, start) = log.since(LateMark::default());
        assert!(nothing.is_empty());
        log.note(now, [named("a", (5, 9)), named("b", (7, 7))]);
        let (late, mark) = log.since(start);
        let x = Matcher::equal("x", "y");
        let name = |op| Matcher { name: "__name__".to_owned(), op };
        assert_eq!(late.times(&[of("a"), vec![x.clone()]].concat()), Some((5, 9)));
        assert_eq!(late.times(&[name(MatchOp::Regex(Pattern::compile("a|b").unwrap()))]), Some((5, 9)));
        assert_eq!(late.times(&[name(MatchOp::NotEqual("a".to_owned())), x]), Some((7, 7)));
        assert_eq!(late.times(&of("c")), None);
        assert!(log.since(mark).0.is_empty());
        log.note(now, [named("c", (1, 2))]);
        assert_eq!(log.since(mark).0.times(&of("c")), Some((1, 2)));
        log.note(now, [(None, (0, 3))]);
        assert_eq!(log.since(mark).0.times(&of("d")), Some((0, 3)), "what is not told by name may be of any");
    }

    #[test]
    fn notes_are_bounded_and_then_say_too_much_rather_than_too_little() {
        let (log, begin) = (LateLog::default(), Instant::now());
        let (_, start) = log.since(LateMark::default());
        log.note(begin, (0..3_000).map(|number| named(&format!("n{number}"), (number, number))));
        let late = log.since(start).0;
        assert_eq!(late.times(&of("n7")).map(|times| times.0), Some(7));
        assert_eq!(late.times(&of("n2999")).map(|times| times.1), Some(2_999));
        assert!(late.0.iter().all(|note| note.by_name.len() <= MAX_NAMES));
        let second = |second: u64| begin + Duration::from_secs(second);
        for at in 1..=600 {
            log.note(second(at), [named("late", (1, 1))]);
            assert!(log.notes.lock().notes.len() < 100, "{at}");
        }
        let times = log.since(start).0.times(&of("n7")).unwrap();
        assert!(times.0 <= 7 && times != ALWAYS, "nothing is forgotten yet: {times:?}");
        for at in 601..=700 {
            log.note(second(at), [named("late", (1, 1))]);
        }
        assert_eq!(log.since(start).0.times(&of("n7")), Some(ALWAYS), "what is forgotten may have been anything");
        assert_eq!(log.since(start).0.times(&of("absent")), Some(ALWAYS));
    }

    #[test]
    fn who_looks_again_and_again_beside_a_steady_sender_never_learns_of_long_ago() {
        let (log, begin) = (LateLog::default(), Instant::now());
        let mut mark = LateMark::default();
        for second in 0..7_200_i64 {
            // Each sample is a minute old when it arrives.
            let time_ms = (second - 60) * 1_000;
            log.note(begin + Duration::from_secs(second.unsigned_abs()), [named("late", (time_ms, time_ms))]);
            if second % 90 == 89 {
                let (late, next) = log.since(mark);
                mark = next;
                let (from_ms, to_ms) = late.times(&of("late")).unwrap();
                assert_eq!(to_ms, time_ms);
                assert!(to_ms - from_ms < 105_000, "{second}: {} ms", to_ms - from_ms);
            }
        }
    }
}
