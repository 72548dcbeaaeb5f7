//! The jobs of one daemon: compares what it says with what is known, and tells the difference.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use model::{
    job::{Job, JobStatus},
    live::{Event, JobKey, JobTransition},
};

use super::{
    change::{Change, Levels, Listing, Moment, Outcome, What},
    entry::Entry,
    update::JobUpdate,
};

/// A job missing from a list counts as gone only if nothing mentioned it for this long: lists and events cross on their way.
const GONE_AFTER_MS: i64 = 2500;
/// A job of a known id that was created later than the known one by this much is another job.
const ANOTHER_JOB_MS: i64 = 1000;
/// Jobs in all, as a multiple of the ended ones that are kept: jobs that go on are never dropped, but there can be too many.
const ALL_FACTOR: usize = 4;

/// How this daemon's jobs behave, and how many are kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Rules {
    /// A cancelled job has stopped. Not so with a daemon whose export goes on after a cancel.
    pub(in crate::upstream) cancelled_is_final: bool,
    /// Ended jobs kept; beyond this the oldest are dropped.
    pub(in crate::upstream) most_ended: usize,
}

/// All jobs of one daemon.
#[derive(Debug)]
pub(in crate::upstream) struct Book {
    daemon: String,
    rules: Rules,
    entries: HashMap<String, Entry>,
    /// Ids that the daemon still lists but that were dropped here, with the last whole list that they were in.
    dropped: HashMap<String, u64>,
    /// Number of whole lists so far.
    list: u64,
    /// Jobs whose progress is news but too early to tell.
    waiting: HashSet<String>,
    is_filled: bool,
}

impl Book {
    pub(in crate::upstream) fn new(daemon: &str, rules: Rules) -> Self {
        Book {
            daemon: daemon.to_owned(),
            rules,
            entries: HashMap::new(),
            dropped: HashMap::new(),
            list: 0,
            waiting: HashSet::new(),
            is_filled: false,
        }
    }

    /// Learned after the first contact, when the dialect is known.
    pub(in crate::upstream) fn set_cancelled_is_final(&mut self, is_final: bool) {
        self.rules.cancelled_is_final = is_final;
    }

    /// True once the daemon has told all its jobs, with their times.
    pub(in crate::upstream) fn is_filled(&self) -> bool {
        self.is_filled
    }

    /// The daemon told all its jobs, some of them as `unchanged` since the last time. What is missing is gone: at once if the daemon
    /// has `restarted`.
    pub(in crate::upstream) fn replace(
        &mut self,
        updates: Vec<JobUpdate>,
        unchanged: &[Arc<str>],
        listing: Listing,
        moment: Moment,
        restarted: bool,
    ) -> Outcome {
        self.is_filled |= listing == Listing::Full;
        self.list += 1;
        let has_survivors = !unchanged.is_empty() || updates.iter().any(|update| self.knows(update));
        let mut batch = Batch { is_new_life: restarted && !has_survivors, ..Batch::default() };
        if batch.is_new_life {
            self.dropped.clear();
        }
        for update in updates {
            self.apply(update, moment, restarted, Some(listing), &mut batch);
        }
        for id in unchanged {
            if let Some(entry) = self.entries.get_mut(&**id) {
                entry.seen_ms = moment.now_ms;
                entry.list = self.list;
                if std::mem::take(&mut entry.job.historic) {
                    batch.touched.push((entry.job.id.clone(), Some(entry.job.status), None));
                }
            } else if let Some(list) = self.dropped.get_mut(&**id) {
                *list = self.list;
            }
        }
        self.dropped.retain(|_, list| *list == self.list);
        for (id, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.list != self.list) {
            let is_gone = restarted || moment.now_ms.saturating_sub(entry.seen_ms) > GONE_AFTER_MS;
            if is_gone && !entry.job.historic {
                entry.job.historic = true;
                // What went on after a cancel has ended with the process.
                entry.job.cancel_requested &= entry.job.status != JobStatus::Cancelled;
                entry.settle(moment);
                batch.touched.push((id.clone(), Some(entry.job.status), None));
            }
        }
        self.finish(batch, moment)
    }

    /// The daemon told something of some of its jobs, for example their details.
    pub(in crate::upstream) fn update(&mut self, updates: Vec<JobUpdate>, moment: Moment) -> Outcome {
        let mut batch = Batch::default();
        for update in updates {
            self.apply(update, moment, false, None, &mut batch);
        }
        self.finish(batch, moment)
    }

    /// These jobs were asked for, whatever came of it: not to be asked again at once.
    pub(in crate::upstream) fn mark_detailed(&mut self, ids: &[String], now_ms: i64) {
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.detailed_ms = Some(now_ms);
            }
        }
    }

    /// The daemon accepted a cancel.
    pub(in crate::upstream) fn cancel_accepted(&mut self, id: &str, moment: Moment) -> Outcome {
        let Some(entry) = self.entries.get_mut(id) else { return Outcome::default() };
        let is_told = entry.job.cancel_requested || entry.job.status == JobStatus::Cancelled;
        if is_told || entry.job.status.is_final() {
            return Outcome::default();
        }
        entry.job.cancel_requested = true;
        entry.detailed_ms = None;
        let batch = Batch { touched: vec![(id.to_owned(), Some(entry.job.status), None)], ..Batch::default() };
        self.finish(batch, moment)
    }

    /// Progress that had to wait. To be called several times a second.
    pub(in crate::upstream) fn tick(&mut self, now_ms: i64) -> Vec<Event> {
        let mut events = Vec::new();
        self.waiting.retain(|id| {
            let Some(entry) = self.entries.get_mut(id) else { return false };
            let (progress, is_early) = entry.take_progress(now_ms);
            events.extend(progress.map(Event::JobProgress));
            is_early
        });
        events
    }

    /// Takes cancelled jobs that nothing has moved for long to have stopped. To be called now and then.
    pub(in crate::upstream) fn settle_cancelled(&mut self, moment: Moment) -> Outcome {
        let mut batch = Batch::default();
        for (id, entry) in &mut self.entries {
            if entry.job.cancel_requested && entry.has_stopped(moment.daemon_ms) {
                entry.job.cancel_requested = false;
                batch.changes.extend(entry.take_end(moment));
                batch.touched.push((id.clone(), Some(JobStatus::Cancelled), None));
            }
        }
        self.finish(batch, moment)
    }

    /// All jobs, in any order.
    pub(in crate::upstream) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.entries.values().map(|entry| &entry.job)
    }

    pub(in crate::upstream) fn job(&self, id: &str) -> Option<&Job> {
        self.entries.get(id).map(|entry| &entry.job)
    }

    /// Up to `limit` jobs that the daemon should be asked about: never asked for or just changed, and running ones again after `refresh_ms`.
    pub(in crate::upstream) fn wanting_detail(
        &self,
        limit: usize,
        now_ms: i64,
        refresh_ms: Option<i64>,
    ) -> Vec<String> {
        let is_due = |entry: &Entry| match (entry.detailed_ms, refresh_ms) {
            (None, _) => true,
            (Some(then), Some(refresh)) => {
                entry.job.status == JobStatus::Running && now_ms.saturating_sub(then) >= refresh
            }
            (Some(_), None) => false,
        };
        let due = self.entries.iter().filter(|(_, entry)| !entry.job.historic && is_due(entry));
        due.map(|(id, _)| id.clone()).take(limit).collect()
    }

    /// Running and waiting jobs by provider. One that goes on after its cancel runs.
    pub(in crate::upstream) fn levels(&self) -> BTreeMap<String, Levels> {
        let mut levels: BTreeMap<String, Levels> = BTreeMap::new();
        for job in self.jobs().filter(|job| !job.historic) {
            match job.status {
                JobStatus::Cancelled if !job.cancel_requested => {}
                JobStatus::Running | JobStatus::Cancelled => {
                    levels.entry(job.provider.clone()).or_default().active += 1
                }
                JobStatus::Pending => levels.entry(job.provider.clone()).or_default().pending += 1,
                _ => {}
            }
        }
        levels
    }

    /// Whether the update is of a job that is known and was there until now.
    fn knows(&self, update: &JobUpdate) -> bool {
        let is_known = |entry: &Entry| !entry.job.historic && !is_another(&entry.job, update);
        self.entries.get(&update.id).is_some_and(is_known)
    }

    /// Takes over one update, of a list if `listing` says of which.
    fn apply(
        &mut self,
        update: JobUpdate,
        moment: Moment,
        restarted: bool,
        listing: Option<Listing>,
        batch: &mut Batch,
    ) {
        if let Some(list) = self.dropped.get_mut(&update.id) {
            *list = self.list;
            return;
        }
        let status = update.status.filter(|status| *status != JobStatus::Unknown);
        let has_ended = status.is_some_and(|status| status.is_final() || status == JobStatus::Cancelled);
        if listing == Some(Listing::Sketch) && has_ended && update.completed_at.is_none() {
            // When it ended comes with the next message. Until then what is known holds.
            if let Some(entry) = self.entries.get_mut(&update.id) {
                (entry.seen_ms, entry.list) = (moment.now_ms, self.list);
            }
            return;
        }
        let id = update.id.clone();
        if restarted && self.entries.get(&id).is_some_and(|entry| is_another(&entry.job, &update)) {
            self.entries.remove(&id);
        }
        let is_new = !self.entries.contains_key(&id);
        if is_new && self.entries.len() >= self.rules.most_ended.saturating_mul(ALL_FACTOR) {
            if status.is_some_and(JobStatus::is_final) {
                self.count_only(update, moment, batch);
            }
            return;
        }
        let entry = self.entries.entry(id.clone()).or_insert_with(|| Entry::new(&self.daemon, &id, moment.now_ms));
        entry.seen_ms = moment.now_ms;
        if listing.is_some() {
            entry.list = self.list;
        }
        let from = (!is_new).then_some(entry.job.status);
        let was_historic = std::mem::take(&mut entry.job.historic);
        let may_go_back = restarted || was_historic || is_new;
        let status = match status {
            Some(status) if may_go_back || self.rules.follows(entry, status, &update) => status,
            // Older than what is known: an answer that an event has overtaken.
            Some(_) => return,
            None => entry.job.status,
        };
        let changed_at = update.changed_at;
        entry.merge(update);
        entry.job.status = status;
        let is_changed = from != Some(status);
        if is_changed {
            let at_ms = changed_at.unwrap_or(moment.daemon_ms);
            if status == JobStatus::Running && from.is_some() {
                entry.job.started_at.get_or_insert(at_ms);
            }
            if (status.is_final() || status == JobStatus::Cancelled) && from.is_some() {
                entry.job.completed_at.get_or_insert(at_ms);
            }
            entry.job.cancel_requested = match status {
                JobStatus::Cancelled => !self.rules.cancelled_is_final && !entry.has_stopped(moment.daemon_ms),
                // The end has overtaken the cancel, which is remembered.
                JobStatus::Completed | JobStatus::Failed => {
                    entry.job.cancel_requested || from == Some(JobStatus::Cancelled)
                }
                _ => entry.job.cancel_requested,
            };
            entry.detailed_ms = None;
        }
        entry.settle(moment);
        batch.count(entry, is_new, moment);
        if is_new {
            batch.new.insert(id.clone());
        }
        if is_changed || was_historic {
            batch.touched.push((id, from, changed_at));
        } else if status == JobStatus::Running {
            batch.moved.push(id);
        }
    }

    /// Counts a job that has ended and is too many to be kept.
    fn count_only(&mut self, update: JobUpdate, moment: Moment, batch: &mut Batch) {
        let id = update.id.clone();
        let mut entry = Entry::new(&self.daemon, &id, moment.now_ms);
        entry.job.status = update.status.unwrap_or(JobStatus::Unknown);
        entry.merge(update);
        batch.count(&mut entry, true, moment);
        self.dropped.insert(id, self.list);
    }

    /// Makes the events, and drops what is too much.
    fn finish(&mut self, batch: Batch, moment: Moment) -> Outcome {
        let mut outcome = Outcome { events: Vec::new(), changes: batch.changes, is_new_life: batch.is_new_life };
        let surplus = self.surplus();
        for (id, from, changed_at) in batch.touched {
            if batch.new.contains(&id) && surplus.contains(&id) {
                continue;
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.mark_sent();
            let job = &entry.job;
            let known_time = match job.status {
                JobStatus::Pending => job.created_at,
                JobStatus::Running => job.started_at,
                JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => job.completed_at,
                JobStatus::Cancelling | JobStatus::Unknown => None,
            };
            outcome.events.push(Event::JobStatus(Box::new(JobTransition {
                job_id: id,
                daemon: self.daemon.clone(),
                name: job.name.clone(),
                from,
                status: job.status,
                timestamp: changed_at.or(known_time).unwrap_or(moment.daemon_ms),
                job: job.clone(),
            })));
        }
        for id in surplus {
            let Some(entry) = self.entries.remove(&id) else { continue };
            self.waiting.remove(&id);
            if !batch.new.contains(&id) {
                outcome.events.push(Event::JobRemoved(JobKey { job_id: id.clone(), daemon: self.daemon.clone() }));
            }
            if entry.list == self.list {
                self.dropped.insert(id, self.list);
            }
        }
        for id in batch.moved {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let (progress, is_early) = entry.take_progress(moment.now_ms);
            outcome.events.extend(progress.map(Event::JobProgress));
            if is_early {
                self.waiting.insert(id);
            }
        }
        outcome
    }

    /// Ids of the oldest jobs that have ended, as many as there are too many.
    fn surplus(&self) -> HashSet<String> {
        if self.entries.len() <= self.rules.most_ended {
            return HashSet::new();
        }
        let has_ended = |job: &Job| {
            job.historic || job.status.is_final() || job.status == JobStatus::Cancelled && !job.cancel_requested
        };
        let mut ended: Vec<&Job> = self.jobs().filter(|job| has_ended(job)).collect();
        let too_many = ended.len().saturating_sub(self.rules.most_ended);
        ended.sort_by_key(|job| (job.created_at, &job.id));
        ended.into_iter().take(too_many).map(|job| job.id.clone()).collect()
    }
}

impl Rules {
    /// Whether `status` can be what comes after what is known of a job, rather than something older that arrives late.
    fn follows(self, entry: &Entry, status: JobStatus, update: &JobUpdate) -> bool {
        let is_newer = update.changed_at.or(update.updated_at) > entry.job.updated_at;
        match (entry.job.status, status) {
            (known, new) if known == new => true,
            (JobStatus::Completed | JobStatus::Failed, new) => new.is_final() && is_newer,
            (JobStatus::Cancelled, JobStatus::Pending) => false,
            (JobStatus::Cancelled, JobStatus::Running) => !self.cancelled_is_final && is_newer,
            (JobStatus::Running, JobStatus::Pending) => false,
            _ => true,
        }
    }
}

/// What one message did to the book.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    /// The daemon has none of the jobs that it had.
    is_new_life: bool,
    /// Not known before this message.
    new: HashSet<String>,
    /// Jobs whose status or standing changed, with the status before and the time of the change if the message tells it.
    touched: Vec<(String, Option<JobStatus>, Option<i64>)>,
    /// Running jobs that were mentioned.
    moved: Vec<String>,
}

impl Batch {
    /// Notes what is to be counted of a job.
    fn count(&mut self, entry: &mut Entry, is_new: bool, moment: Moment) {
        let end = entry.take_end(moment);
        let ended_ms = end.as_ref().map(|end| end.at_ms);
        let job = &entry.job;
        if is_new {
            let at_ms = job.created_at.or(job.started_at).or(ended_ms).unwrap_or(moment.now_ms);
            self.changes.push(Change { at_ms, provider: job.provider.clone(), what: What::Submitted });
        }
        let bytes = job.bytes_transferred.unwrap_or(0).saturating_sub(entry.counted_bytes);
        if bytes > 0 {
            let at_ms = ended_ms.unwrap_or(moment.now_ms);
            self.changes.push(Change { at_ms, provider: job.provider.clone(), what: What::Moved { bytes } });
            entry.counted_bytes += bytes;
        }
        self.changes.extend(end);
    }
}

/// Whether an update is of another job than the known one of its id, which a daemon may give again.
fn is_another(known: &Job, update: &JobUpdate) -> bool {
    update.created_at.zip(known.created_at).is_some_and(|(told, known)| told >= known.saturating_add(ANOTHER_JOB_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_700_000_000_000;

    fn book(most_ended: usize) -> Book {
        Book::new("d", Rules { cancelled_is_final: false, most_ended })
    }

    fn at(seconds: i64) -> Moment {
        let now_ms = START_MS + seconds * 1000;
        Moment { now_ms, daemon_ms: now_ms }
    }

    fn job(id: &str, status: JobStatus) -> JobUpdate {
        JobUpdate { id: id.to_owned(), status: Some(status), created_at: Some(START_MS), ..JobUpdate::default() }
    }

    fn percent(id: &str, percent: f64) -> JobUpdate {
        JobUpdate { percent: Some(percent), ..job(id, JobStatus::Running) }
    }

    fn transitions(outcome: &Outcome) -> Vec<(String, Option<JobStatus>, JobStatus)> {
        let told = outcome.events.iter().filter_map(|event| match event {
            Event::JobStatus(told) => Some((told.job_id.clone(), told.from, told.status)),
            _ => None,
        });
        told.collect()
    }

    fn progress(events: &[Event]) -> Vec<Option<f64>> {
        let told = events.iter().filter_map(|event| match event {
            Event::JobProgress(progress) => Some(progress.percent),
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn only_what_changes_is_told() {
        let mut book = book(100);
        let list = || vec![job("a", JobStatus::Pending), percent("b", 10.0)];
        let mut first = transitions(&book.replace(list(), &[], Listing::Full, at(0), false));
        first.sort();
        assert_eq!(first, [("a".into(), None, JobStatus::Pending), ("b".into(), None, JobStatus::Running)]);
        assert!(
            book.replace(list(), &[], Listing::Full, at(2), false)
                .events
                .iter()
                .all(|event| matches!(event, Event::JobProgress(_)))
        );
        let outcome =
            book.replace(vec![job("a", JobStatus::Running), percent("b", 10.0)], &[], Listing::Full, at(3), false);
        assert_eq!(transitions(&outcome), [("a".into(), Some(JobStatus::Pending), JobStatus::Running)]);
        assert_eq!(book.job("a").unwrap().started_at, Some(START_MS + 3000));
    }

    #[test]
    fn percent_never_falls_and_ends_at_100() {
        let mut book = book(100);
        book.update(vec![percent("a", 60.0)], at(0));
        book.update(vec![percent("a", 0.0)], at(1));
        assert_eq!(book.job("a").unwrap().percent, Some(60.0));
        book.update(vec![JobUpdate { percent: Some(0.0), ..job("a", JobStatus::Completed) }], at(2));
        assert_eq!(book.job("a").unwrap().percent, Some(100.0));
    }

    #[test]
    fn a_tool_that_tells_no_percentage_has_none() {
        let mut book = book(100);
        for (id, tool) in [("a", "govc"), ("b", "web"), ("c", "ctl")] {
            book.update(vec![JobUpdate { export_method: Some(tool.into()), ..percent(id, 0.0) }], at(0));
        }
        let percents: Vec<_> = ["a", "b", "c"].map(|id| book.job(id).unwrap().percent).into();
        assert_eq!(percents, [None, None, Some(0.0)]);
    }

    #[test]
    fn progress_goes_out_once_a_second_and_the_last_of_it_does_too() {
        let mut book = book(100);
        book.update(vec![percent("a", 1.0)], at(0));
        let step = |book: &mut Book, value, milliseconds| {
            let now_ms = START_MS + milliseconds;
            progress(&book.update(vec![percent("a", value)], Moment { now_ms, daemon_ms: now_ms }).events)
        };
        assert_eq!(step(&mut book, 2.0, 100), [Some(2.0)]);
        assert_eq!(step(&mut book, 3.0, 300), []);
        assert_eq!(step(&mut book, 4.0, 500), []);
        assert_eq!(progress(&book.tick(START_MS + 600)), []);
        assert_eq!(progress(&book.tick(START_MS + 1100)), [Some(4.0)]);
        assert_eq!(progress(&book.tick(START_MS + 3000)), []);
    }

    #[test]
    fn rate_and_time_left_come_from_the_bytes() {
        let mut book = book(100);
        for second in 0..5_u32 {
            let update = JobUpdate {
                bytes_transferred: Some(u64::from(second) * 100),
                bytes_total: Some(1000),
                ..job("a", JobStatus::Running)
            };
            book.update(vec![update], at(i64::from(second)));
        }
        let job = book.job("a").unwrap();
        assert_eq!((job.rate_bytes_per_second, job.eta_seconds, job.percent), (Some(100.0), Some(6.0), Some(40.0)));
    }

    #[test]
    fn a_time_in_whole_seconds_does_not_replace_the_exact_one() {
        let mut book = book(100);
        let created = |created_at| JobUpdate { created_at: Some(created_at), ..job("a", JobStatus::Running) };
        for (told, known) in [(START_MS, START_MS), (START_MS + 345, START_MS + 345), (START_MS, START_MS + 345)] {
            book.update(vec![created(told)], at(0));
            assert_eq!(book.job("a").unwrap().created_at, Some(known));
        }
        book.update(vec![created(START_MS + 5000)], at(0));
        assert_eq!(book.job("a").unwrap().created_at, Some(START_MS + 5000));
    }

    #[test]
    fn an_answer_that_comes_late_changes_nothing() {
        let mut book = book(100);
        book.update(vec![JobUpdate { updated_at: Some(START_MS + 9000), ..job("a", JobStatus::Completed) }], at(9));
        let late = JobUpdate { updated_at: Some(START_MS + 8000), ..percent("a", 50.0) };
        assert!(book.update(vec![late], at(10)).events.is_empty());
        assert_eq!(book.job("a").unwrap().status, JobStatus::Completed);
    }

    #[test]
    fn a_cancel_is_a_request_until_the_job_ends() {
        let mut book = book(100);
        book.update(vec![percent("a", 5.0)], at(0));
        let told = book.cancel_accepted("a", at(1));
        assert_eq!(transitions(&told), [("a".into(), Some(JobStatus::Running), JobStatus::Running)]);
        assert!(book.job("a").unwrap().cancel_requested);
        book.update(vec![job("a", JobStatus::Cancelled)], at(2));
        assert!(book.job("a").unwrap().cancel_requested);
        let ended = book.update(vec![job("a", JobStatus::Completed)], at(60));
        assert_eq!(transitions(&ended), [("a".into(), Some(JobStatus::Cancelled), JobStatus::Completed)]);
        assert!(book.job("a").unwrap().cancel_requested, "the row tells that it was asked for");

        let cancelled = |id: &str, tool: &str| JobUpdate {
            updated_at: Some(START_MS),
            export_method: Some(tool.to_owned()),
            ..job(id, JobStatus::Cancelled)
        };
        book.update(vec![cancelled("b", "ctl"), cancelled("mute", "web")], at(0));
        assert!(book.settle_cancelled(at(60)).events.is_empty());
        assert_eq!(transitions(&book.settle_cancelled(at(700))).len(), 1);
        assert!(!book.job("b").unwrap().cancel_requested);
        assert!(book.job("mute").unwrap().cancel_requested, "its silence tells nothing");
    }

    /// How often each end was counted.
    fn ends(outcomes: &[Outcome]) -> Vec<JobStatus> {
        let changes = outcomes.iter().flat_map(|outcome| &outcome.changes);
        let ends = changes.filter_map(|change| match &change.what {
            What::Ended { status, .. } => Some(*status),
            _ => None,
        });
        ends.collect()
    }

    #[test]
    fn a_job_whose_end_overtakes_its_cancel_counts_once() {
        for end in [JobStatus::Completed, JobStatus::Failed] {
            let mut book = book(100);
            book.update(vec![percent("a", 5.0)], at(0));
            let told = [
                book.cancel_accepted("a", at(1)),
                book.update(vec![job("a", JobStatus::Cancelled)], at(2)),
                book.update(vec![job("a", end)], at(60)),
                book.update(vec![job("a", end)], at(61)),
            ];
            assert_eq!(ends(&told), [end]);
            assert_eq!((book.job("a").unwrap().status, book.job("a").unwrap().cancel_requested), (end, true));
        }
        let mut book = book(100);
        let quiet = JobUpdate { export_method: Some("ctl".to_owned()), ..job("a", JobStatus::Cancelled) };
        let settled = book.update(vec![JobUpdate { updated_at: Some(START_MS), ..quiet }], at(7000));
        assert_eq!(ends(&[settled]), [JobStatus::Cancelled], "stopped long before we came");
        assert_eq!(ends(&[book.update(vec![job("a", JobStatus::Completed)], at(7001))]), [], "counted already");
    }

    #[test]
    fn a_job_that_goes_on_after_its_cancel_is_at_work() {
        let mut book = book(100);
        book.update(vec![percent("a", 5.0)], at(0));
        book.update(vec![job("a", JobStatus::Cancelled)], at(1));
        assert_eq!(book.levels()["vsphere"], Levels { active: 1, pending: 0 });
        book.replace(Vec::new(), &[], Listing::Full, at(2), true);
        let job = book.job("a").unwrap();
        assert!(job.historic && !job.cancel_requested, "it ended with its process");
    }

    #[test]
    fn an_end_without_its_time_waits_for_the_message_that_tells_it() {
        let mut book = book(100);
        book.update(vec![percent("a", 5.0)], at(0));
        let sketch = vec![job("a", JobStatus::Completed), job("b", JobStatus::Failed), percent("c", 1.0)];
        let told = book.replace(sketch, &[], Listing::Sketch, at(100), false);
        assert_eq!(ends(&[told]), []);
        assert!(!book.is_filled() && book.job("b").is_none() && book.job("c").is_some());
        let ended = |id: &str, status| JobUpdate { completed_at: Some(START_MS + 40_000), ..job(id, status) };
        let list = vec![ended("a", JobStatus::Completed), ended("b", JobStatus::Failed), percent("c", 1.0)];
        let told = book.replace(list, &[], Listing::Full, at(101), false);
        let times: Vec<i64> = told
            .changes
            .iter()
            .filter(|change| matches!(change.what, What::Ended { .. }))
            .map(|change| change.at_ms)
            .collect();
        assert_eq!(times, [START_MS + 40_000; 2]);
    }

    #[test]
    fn a_life_is_new_if_none_of_its_jobs_was_there_before() {
        let mut book = book(100);
        book.replace(vec![percent("a", 5.0)], &[], Listing::Full, at(0), false);
        assert!(!book.replace(vec![percent("a", 5.0)], &[], Listing::Full, at(1), true).is_new_life, "they survived");
        let another = JobUpdate { created_at: Some(START_MS + 9_000), ..job("a", JobStatus::Completed) };
        let told = book.replace(vec![another], &[], Listing::Full, at(10), true);
        assert!(told.is_new_life);
        assert_eq!(told.changes.len(), 2, "submitted and ended: another job of the same id");
    }

    #[test]
    fn too_many_jobs_are_counted_all_the_same() {
        let mut book = book(10);
        let list = (0..1000).map(|number| job(&number.to_string(), JobStatus::Completed)).collect();
        let told = [book.replace(list, &[], Listing::Full, at(0), false)];
        assert_eq!((ends(&told).len(), book.jobs().count()), (1000, 10));
    }

    #[test]
    fn missing_jobs_become_history_and_come_back() {
        let mut book = book(100);
        book.replace(vec![percent("a", 5.0), percent("b", 5.0)], &[], Listing::Full, at(0), false);
        book.replace(vec![percent("b", 5.0)], &[], Listing::Full, at(1), false);
        assert!(!book.job("a").unwrap().historic, "a list and an event may have crossed");
        let told = book.replace(vec![percent("b", 5.0)], &[], Listing::Full, at(5), false);
        assert_eq!(transitions(&told).len(), 1);
        assert!(book.job("a").unwrap().historic);
        assert_eq!(book.levels()["vsphere"], Levels { active: 1, pending: 0 });
        book.replace(vec![job("a", JobStatus::Pending)], &[], Listing::Full, at(6), true);
        assert!(book.job("b").unwrap().historic && !book.job("a").unwrap().historic);
        assert_eq!(book.job("a").unwrap().status, JobStatus::Pending, "another job of that id, after a restart");
    }

    #[test]
    fn history_is_bounded_and_what_was_dropped_stays_so() {
        let mut book = book(2);
        let list = || {
            let ended = (0..6_i64).map(|age| JobUpdate {
                created_at: Some(START_MS - age * 1000),
                ..job(&format!("ended-{age}"), JobStatus::Completed)
            });
            ended.chain([percent("running", 5.0)]).collect::<Vec<_>>()
        };
        let first = book.replace(list(), &[], Listing::Full, at(0), false);
        assert_eq!(ends(std::slice::from_ref(&first)).len(), 6);
        let mut kept: Vec<_> = book.jobs().map(|job| &*job.id).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["ended-0", "ended-1", "running"]);
        assert_eq!(transitions(&first).len(), 3, "what is dropped at once is not told");
        let second = book.replace(list(), &[], Listing::Full, at(1), false);
        assert!(second.changes.is_empty() && transitions(&second).is_empty());
        let third = book.update(vec![job("new", JobStatus::Failed)], at(2));
        assert!(third.events.iter().any(|event| matches!(event, Event::JobRemoved(key) if key.job_id == "ended-1")));
    }

    #[test]
    fn the_end_of_a_job_is_told_even_if_it_is_dropped_for_it() {
        let mut book = book(1);
        let young = JobUpdate { created_at: Some(START_MS + 1), ..job("young", JobStatus::Completed) };
        book.replace(vec![young, percent("old", 5.0), percent("other", 5.0)], &[], Listing::Full, at(0), false);
        let told = book.update(vec![job("old", JobStatus::Failed)], at(1));
        assert_eq!(transitions(&told), [("old".into(), Some(JobStatus::Running), JobStatus::Failed)]);
        assert!(matches!(told.events.last(), Some(Event::JobRemoved(key)) if key.job_id == "old"));
    }
}
