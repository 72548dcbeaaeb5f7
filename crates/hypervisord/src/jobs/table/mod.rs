//! The jobs of one daemon: merges its messages and returns the changes.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use model::{
    job::{Job, JobStatus},
    live::Event,
};

use super::{
    batch::Batch,
    change::{Levels, Listing, Moment, Outcome},
    tracked::TrackedJob,
    update::JobUpdate,
};

/// A job missing from a list is removed only if no message mentioned it for this long, because lists and events may
/// cross.
const GONE_AFTER_MS: i64 = 2500;
/// If a job with a known ID was created this much later than the known one, it is a different job.
const ANOTHER_JOB_MS: i64 = 1000;
/// Maximum number of all jobs, as a multiple of `most_ended`: unfinished jobs are never dropped, but there may be too
/// many.
const ALL_FACTOR: usize = 4;

/// Behaviour of this daemon's jobs, and limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Whether a cancelled job has stopped. Some daemons continue an export after its cancellation.
    pub cancelled_is_final: bool,
    /// Maximum number of ended jobs; beyond it the oldest are dropped.
    pub most_ended: usize,
}

/// All jobs of one daemon.
#[derive(Debug)]
pub(crate) struct JobTable {
    pub(super) daemon: String,
    rules: Rules,
    pub(super) jobs: HashMap<String, TrackedJob>,
    /// IDs that we dropped but the daemon still lists, with the number of the last complete list that has them.
    pub(super) dropped: HashMap<String, u64>,
    /// Number of complete lists so far.
    pub(super) list: u64,
    /// Jobs with new progress that is not published yet.
    pub(super) waiting: HashSet<String>,
    is_filled: bool,
}

impl JobTable {
    /// The empty table of a daemon.
    #[must_use]
    pub(crate) fn new(daemon: &str, rules: Rules) -> Self {
        JobTable {
            daemon: daemon.to_owned(),
            rules,
            jobs: HashMap::new(),
            dropped: HashMap::new(),
            list: 0,
            waiting: HashSet::new(),
            is_filled: false,
        }
    }

    /// Set after the first connection, when the dialect is known.
    pub(crate) fn set_cancelled_is_final(&mut self, is_final: bool) {
        self.rules.cancelled_is_final = is_final;
    }

    /// True once the daemon has sent all its jobs with their times.
    pub(crate) fn is_filled(&self) -> bool {
        self.is_filled
    }

    /// Applies a complete list; `unchanged` are jobs that are the same as in the last list. Missing jobs are removed,
    /// without delay if the daemon has `restarted`.
    pub(crate) fn replace(
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
            if let Some(tracked) = self.jobs.get_mut(&**id) {
                tracked.seen_ms = moment.now_ms;
                tracked.list = self.list;
                if std::mem::take(&mut tracked.job.historic) {
                    batch.touched.push((tracked.job.id.clone(), Some(tracked.job.status), None));
                }
            } else if let Some(list) = self.dropped.get_mut(&**id) {
                *list = self.list;
            }
        }
        self.dropped.retain(|_, list| *list == self.list);
        for (id, tracked) in self.jobs.iter_mut().filter(|(_, tracked)| tracked.list != self.list) {
            let is_gone = restarted || moment.now_ms.saturating_sub(tracked.seen_ms) > GONE_AFTER_MS;
            if is_gone && !tracked.job.historic {
                tracked.job.historic = true;
                // The process has ended, and with it a job that continued after its cancellation.
                tracked.job.cancel_requested &= tracked.job.status != JobStatus::Cancelled;
                tracked.settle(moment);
                batch.touched.push((id.clone(), Some(tracked.job.status), None));
            }
        }
        self.finish(batch, moment)
    }

    /// Applies updates of some jobs, for example their details.
    pub(crate) fn update(&mut self, updates: Vec<JobUpdate>, moment: Moment) -> Outcome {
        let mut batch = Batch::default();
        for update in updates {
            self.apply(update, moment, false, None, &mut batch);
        }
        self.finish(batch, moment)
    }

    /// Records that details of these jobs were requested, so that they are not requested again at once.
    pub(crate) fn mark_detailed(&mut self, ids: &[String], now_ms: i64) {
        for id in ids {
            if let Some(tracked) = self.jobs.get_mut(id) {
                tracked.detailed_ms = Some(now_ms);
            }
        }
    }

    /// Records that the daemon accepted a cancellation.
    pub(crate) fn cancel_accepted(&mut self, id: &str, moment: Moment) -> Outcome {
        let Some(tracked) = self.jobs.get_mut(id) else { return Outcome::default() };
        let is_known = tracked.job.cancel_requested || tracked.job.status == JobStatus::Cancelled;
        if is_known || tracked.job.status.is_final() {
            return Outcome::default();
        }
        tracked.job.cancel_requested = true;
        tracked.detailed_ms = None;
        let batch = Batch { touched: vec![(id.to_owned(), Some(tracked.job.status), None)], ..Batch::default() };
        self.finish(batch, moment)
    }

    /// Publishes delayed progress. Call it several times a second.
    pub(crate) fn tick(&mut self, now_ms: i64) -> Vec<Event> {
        let mut events = Vec::new();
        self.waiting.retain(|id| {
            let Some(tracked) = self.jobs.get_mut(id) else { return false };
            let (progress, is_early) = tracked.take_progress(now_ms);
            events.extend(progress.map(Event::JobProgress));
            is_early
        });
        events
    }

    /// Considers cancelled jobs without progress for a long time as stopped. Call it regularly.
    pub(crate) fn settle_cancelled(&mut self, moment: Moment) -> Outcome {
        let mut batch = Batch::default();
        for (id, tracked) in &mut self.jobs {
            if tracked.job.cancel_requested && tracked.has_stopped(moment.daemon_ms) {
                tracked.job.cancel_requested = false;
                batch.changes.extend(tracked.take_end(moment));
                batch.touched.push((id.clone(), Some(JobStatus::Cancelled), None));
            }
        }
        self.finish(batch, moment)
    }

    /// All jobs, in any order.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(|tracked| &tracked.job)
    }

    /// The job with this ID.
    #[must_use]
    pub(crate) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id).map(|tracked| &tracked.job)
    }

    /// Up to `limit` jobs whose details should be requested: new and changed ones, and running ones every `refresh_ms`.
    pub(crate) fn wanting_detail(&self, limit: usize, now_ms: i64, refresh_ms: Option<i64>) -> Vec<String> {
        let is_due = |tracked: &TrackedJob| match (tracked.detailed_ms, refresh_ms) {
            (None, _) => true,
            (Some(then), Some(refresh)) => {
                tracked.job.status == JobStatus::Running && now_ms.saturating_sub(then) >= refresh
            }
            (Some(_), None) => false,
        };
        let due = self.jobs.iter().filter(|(_, tracked)| !tracked.job.historic && is_due(tracked));
        due.map(|(id, _)| id.clone()).take(limit).collect()
    }

    /// Running and pending jobs by provider. A job that continues after its cancellation is running.
    pub(crate) fn levels(&self) -> BTreeMap<String, Levels> {
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

    /// Whether the update is about a known job that still exists.
    fn knows(&self, update: &JobUpdate) -> bool {
        let is_known = |tracked: &TrackedJob| !tracked.job.historic && !is_another(&tracked.job, update);
        self.jobs.get(&update.id).is_some_and(is_known)
    }

    /// Applies one update; `listing` is set if it comes from a list.
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
            // The next message will have its end time. Until then the job stays as it is.
            if let Some(tracked) = self.jobs.get_mut(&update.id) {
                (tracked.seen_ms, tracked.list) = (moment.now_ms, self.list);
            }
            return;
        }
        let id = update.id.clone();
        if restarted && self.jobs.get(&id).is_some_and(|tracked| is_another(&tracked.job, &update)) {
            self.jobs.remove(&id);
        }
        let is_new = !self.jobs.contains_key(&id);
        if is_new && self.jobs.len() >= self.rules.most_ended.saturating_mul(ALL_FACTOR) {
            if status.is_some_and(JobStatus::is_final) {
                self.count_only(update, moment, batch);
            }
            return;
        }
        let tracked = self.jobs.entry(id.clone()).or_insert_with(|| TrackedJob::new(&self.daemon, &id, moment.now_ms));
        tracked.seen_ms = moment.now_ms;
        if listing.is_some() {
            tracked.list = self.list;
        }
        let from = (!is_new).then_some(tracked.job.status);
        let was_historic = std::mem::take(&mut tracked.job.historic);
        let may_go_back = restarted || was_historic || is_new;
        let status = match status {
            Some(status) if may_go_back || self.rules.follows(tracked, status, &update) => status,
            // Older than the known state: a response that an event has overtaken.
            Some(_) => return,
            None => tracked.job.status,
        };
        let changed_at = update.changed_at;
        tracked.merge(update);
        tracked.job.status = status;
        let is_changed = from != Some(status);
        if is_changed {
            let at_ms = changed_at.unwrap_or(moment.daemon_ms);
            if status == JobStatus::Running && from.is_some() {
                tracked.job.started_at.get_or_insert(at_ms);
            }
            if (status.is_final() || status == JobStatus::Cancelled) && from.is_some() {
                tracked.job.completed_at.get_or_insert(at_ms);
            }
            tracked.job.cancel_requested = match status {
                JobStatus::Cancelled => !self.rules.cancelled_is_final && !tracked.has_stopped(moment.daemon_ms),
                // The end arrived before the cancellation, which we remember.
                JobStatus::Completed | JobStatus::Failed => {
                    tracked.job.cancel_requested || from == Some(JobStatus::Cancelled)
                }
                _ => tracked.job.cancel_requested,
            };
            tracked.detailed_ms = None;
        }
        tracked.settle(moment);
        batch.count(tracked, is_new, moment);
        if is_new {
            batch.new.insert(id.clone());
        }
        if is_changed || was_historic {
            batch.touched.push((id, from, changed_at));
        } else if status == JobStatus::Running {
            batch.moved.push(id);
        }
    }

    /// Counts an ended job that exceeds the limit and is not stored.
    fn count_only(&mut self, update: JobUpdate, moment: Moment, batch: &mut Batch) {
        let id = update.id.clone();
        let mut tracked = TrackedJob::new(&self.daemon, &id, moment.now_ms);
        tracked.job.status = update.status.unwrap_or(JobStatus::Unknown);
        tracked.merge(update);
        batch.count(&mut tracked, true, moment);
        self.dropped.insert(id, self.list);
    }

    /// IDs of the oldest ended jobs beyond the limit.
    pub(super) fn surplus(&self) -> HashSet<String> {
        if self.jobs.len() <= self.rules.most_ended {
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
    /// Whether `status` can follow the known state of a job, rather than being old information that arrives late.
    fn follows(self, tracked: &TrackedJob, status: JobStatus, update: &JobUpdate) -> bool {
        let is_newer = update.changed_at.or(update.updated_at) > tracked.job.updated_at;
        match (tracked.job.status, status) {
            (known, new) if known == new => true,
            (JobStatus::Completed | JobStatus::Failed, new) => new.is_final() && is_newer,
            (JobStatus::Cancelled, JobStatus::Pending) => false,
            (JobStatus::Cancelled, JobStatus::Running) => !self.cancelled_is_final && is_newer,
            (JobStatus::Running, JobStatus::Pending) => false,
            _ => true,
        }
    }
}

/// Whether an update is about another job than the known one with this ID: a daemon may reuse IDs.
fn is_another(known: &Job, update: &JobUpdate) -> bool {
    update
        .created_at
        .zip(known.created_at)
        .is_some_and(|(reported, known)| reported >= known.saturating_add(ANOTHER_JOB_MS))
}

#[cfg(test)]
mod tests;
