//! What was appended to times that somebody had read already, so that what was computed of them can be computed again.
//!
//! Readers say up to when they read, before they do. From then on each append to such a time is noted: the times, by metric name.
//! A reader comes back with its mark and learns what was noted since. Nothing is noted that nobody has read, and no more than a few
//! thousand names: beyond that, notes are joined and say too much rather than too little.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use promql::{
    labels::METRIC_NAME,
    matcher::{MatchOp, Matcher},
};

/// Notes that come within this time are joined.
const JOINED: Duration = Duration::from_secs(1);
/// Joined notes; the oldest two become one where there would be more.
const MAX_NOTES: usize = 64;
/// Names of one note; times of further ones are noted without their names.
const MAX_NAMES: usize = 1_024;

/// A place in the notes: what was noted before it is known to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LateMark(u64);

/// Earliest and latest of some times, both included, in milliseconds since the Unix epoch.
pub type TimeSpan = (i64, i64);

/// Appends to times that had been read.
#[derive(Debug, Clone, Default)]
pub struct LateAppends(Vec<Arc<Note>>);

#[derive(Debug, Clone, Default)]
struct Note {
    /// Number of the newest append in it.
    last: u64,
    /// When its first append came.
    begun: Option<Instant>,
    by_name: HashMap<Arc<str>, TimeSpan>,
    /// Of series that are not told by name.
    of_any: Option<TimeSpan>,
}

/// The notes of a store.
#[derive(Debug)]
pub(crate) struct LateLog {
    /// Nobody has read what is later than this.
    read_until: AtomicI64,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    newest: u64,
    notes: VecDeque<Arc<Note>>,
}

fn joined(one: Option<TimeSpan>, other: TimeSpan) -> TimeSpan {
    one.map_or(other, |(first, last)| (first.min(other.0), last.max(other.1)))
}

impl LateAppends {
    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Times of series that these matchers may select. Labels other than the name are not looked at.
    #[must_use]
    pub fn span(&self, matchers: &[Matcher]) -> Option<TimeSpan> {
        let of_name: Vec<&Matcher> = matchers.iter().filter(|matcher| matcher.name == METRIC_NAME).collect();
        let exactly = of_name.iter().find_map(|matcher| match &matcher.op {
            MatchOp::Equal(name) => Some(name.as_str()),
            _ => None,
        });
        let mut found = None;
        for note in &self.0 {
            found = note.of_any.map(|span| joined(found, span)).or(found);
            let is_meant = |name: &str| of_name.iter().all(|matcher| matcher.matches(name));
            match exactly {
                Some(name) => {
                    let named = note.by_name.get(name).filter(|_| is_meant(name));
                    found = named.map(|span| joined(found, *span)).or(found);
                }
                None => {
                    let meant = note.by_name.iter().filter(|(name, _)| is_meant(name));
                    found = meant.fold(found, |found, (_, span)| Some(joined(found, *span)));
                }
            }
        }
        found
    }
}

impl Note {
    fn add(&mut self, name: Option<&Arc<str>>, span: TimeSpan) {
        match name {
            Some(name) if self.by_name.contains_key(name) || self.by_name.len() < MAX_NAMES => {
                let known = self.by_name.entry(Arc::clone(name)).or_insert(span);
                *known = joined(Some(*known), span);
            }
            _ => self.of_any = Some(joined(self.of_any, span)),
        }
    }
}

impl Default for LateLog {
    fn default() -> Self {
        LateLog { read_until: AtomicI64::new(i64::MIN), notes: Mutex::default() }
    }
}

impl LateLog {
    /// Notes from now on what is appended to times up to `until_ms`. To be called before these times are read.
    pub(crate) fn reads(&self, until_ms: i64) {
        self.read_until.fetch_max(until_ms, Ordering::SeqCst);
    }

    /// Up to when somebody has read.
    pub(crate) fn read_until(&self) -> i64 {
        self.read_until.load(Ordering::SeqCst)
    }

    /// What was noted since `mark`, and the mark to come back with.
    pub(crate) fn since(&self, mark: LateMark) -> (LateAppends, LateMark) {
        let notes = self.notes.lock();
        let later = notes.notes.iter().filter(|note| note.last > mark.0).cloned().collect();
        (LateAppends(later), LateMark(notes.newest))
    }

    /// Notes appends that have happened: names of metrics with the times that had been read.
    pub(crate) fn note(&self, appended: impl IntoIterator<Item = (Option<Arc<str>>, TimeSpan)>) {
        let mut appended = appended.into_iter().peekable();
        if appended.peek().is_none() {
            return;
        }
        let mut notes = self.notes.lock();
        notes.newest += 1;
        let (newest, now) = (notes.newest, Instant::now());
        let is_young = |note: &Arc<Note>| note.begun.is_some_and(|begun| now.duration_since(begun) < JOINED);
        if !notes.notes.back().is_some_and(is_young) {
            notes.notes.push_back(Arc::new(Note { begun: Some(now), ..Note::default() }));
        }
        if let Some(note) = notes.notes.back_mut().map(Arc::make_mut) {
            note.last = newest;
            appended.for_each(|(name, span)| note.add(name.as_ref(), span));
        }
        if notes.notes.len() > MAX_NOTES
            && let (Some(oldest), Some(second)) = (notes.notes.pop_front(), notes.notes.front_mut())
        {
            let second = Arc::make_mut(second);
            oldest.by_name.iter().for_each(|(name, span)| second.add(Some(name), *span));
            oldest.of_any.iter().for_each(|span| second.add(None, *span));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, span: TimeSpan) -> (Option<Arc<str>>, TimeSpan) {
        (Some(Arc::from(name)), span)
    }

    fn of(name: &str) -> Vec<Matcher> {
        promql::parse_selector(name).unwrap()
    }

    #[test]
    fn who_comes_back_learns_what_was_noted_since_by_name() {
        let log = LateLog::default();
        let (nothing, start) = log.since(LateMark::default());
        assert!(nothing.is_empty());
        log.note([named("a", (5, 9)), named("b", (7, 7))]);
        let (late, mark) = log.since(start);
        assert_eq!(late.span(&of("a{x=\"y\"}")), Some((5, 9)));
        assert_eq!(late.span(&of("{__name__=~\"a|b\"}")), Some((5, 9)));
        assert_eq!(late.span(&of("{__name__!=\"a\", x=\"y\"}")), Some((7, 7)));
        assert_eq!(late.span(&of("c")), None);
        assert!(log.since(mark).0.is_empty());
        log.note([named("c", (1, 2))]);
        assert_eq!(log.since(mark).0.span(&of("c")), Some((1, 2)));
        log.note([(None, (0, 3))]);
        assert_eq!(log.since(mark).0.span(&of("d")), Some((0, 3)), "what is not told by name may be of any");
    }

    #[test]
    fn notes_are_bounded_and_then_say_too_much_rather_than_too_little() {
        let log = LateLog::default();
        let (_, start) = log.since(LateMark::default());
        log.note((0..3_000).map(|number| named(&format!("n{number}"), (number, number))));
        let late = log.since(start).0;
        assert_eq!(late.span(&of("n7")).map(|span| span.0), Some(7));
        assert_eq!(late.span(&of("n2999")).map(|span| span.1), Some(2_999));
        assert!(late.0.iter().all(|note| note.by_name.len() <= MAX_NAMES));
        for _ in 0..200 {
            // Each is a second older than the one before.
            for note in &mut log.notes.lock().notes {
                let note = Arc::make_mut(note);
                note.begun = note.begun.and_then(|begun| begun.checked_sub(JOINED));
            }
            log.note([named("late", (1, 1))]);
        }
        assert!(log.notes.lock().notes.len() <= MAX_NOTES);
        assert_eq!(log.since(start).0.span(&of("n7")).map(|span| span.0), Some(7), "nothing was forgotten");
    }
}
