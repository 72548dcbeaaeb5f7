//! The effect of one message on a daemon's jobs: changes to count, events to publish, jobs to drop.

use std::collections::HashSet;

use model::{
    job::JobStatus,
    live::{Event, JobKey, JobTransition},
};

use super::{
    change::{Change, Moment, Outcome, What},
    table::JobTable,
    tracked::TrackedJob,
};

/// The effect of one message on the table.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    /// The daemon lost all its jobs.
    pub(super) is_new_life: bool,
    /// Jobs that were unknown before this message.
    pub(super) new: HashSet<String>,
    /// Jobs whose status or order changed, with the previous status and the time of the change if the message has it.
    pub(super) touched: Vec<(String, Option<JobStatus>, Option<i64>)>,
    /// Running jobs that the message mentions.
    pub(super) moved: Vec<String>,
}

impl Batch {
    /// Adds the changes to count for a job.
    pub(super) fn count(&mut self, tracked: &mut TrackedJob, is_new: bool, moment: Moment) {
        let end = tracked.take_end(moment);
        let ended_ms = end.as_ref().map(|end| end.at_ms);
        let job = &tracked.job;
        if is_new {
            let at_ms = job.created_at.or(job.started_at).or(ended_ms).unwrap_or(moment.now_ms);
            self.changes.push(Change { at_ms, provider: job.provider.clone(), what: What::Submitted });
        }
        let bytes = job.bytes_transferred.unwrap_or(0).saturating_sub(tracked.counted_bytes);
        if bytes > 0 {
            let at_ms = ended_ms.unwrap_or(moment.now_ms);
            self.changes.push(Change { at_ms, provider: job.provider.clone(), what: What::Moved { bytes } });
            tracked.counted_bytes += bytes;
        }
        self.changes.extend(end);
    }
}

impl JobTable {
    /// Creates the events and drops jobs beyond the limits.
    pub(super) fn finish(&mut self, batch: Batch, moment: Moment) -> Outcome {
        let mut outcome = Outcome { events: Vec::new(), changes: batch.changes, is_new_life: batch.is_new_life };
        let surplus = self.surplus();
        for (id, from, changed_at) in batch.touched {
            if batch.new.contains(&id) && surplus.contains(&id) {
                continue;
            }
            let Some(tracked) = self.jobs.get_mut(&id) else { continue };
            tracked.mark_sent();
            let job = &tracked.job;
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
            let Some(tracked) = self.jobs.remove(&id) else { continue };
            self.waiting.remove(&id);
            if !batch.new.contains(&id) {
                outcome.events.push(Event::JobRemoved(JobKey { job_id: id.clone(), daemon: self.daemon.clone() }));
            }
            if tracked.list == self.list {
                self.dropped.insert(id, self.list);
            }
        }
        for id in batch.moved {
            let Some(tracked) = self.jobs.get_mut(&id) else { continue };
            let (progress, is_early) = tracked.take_progress(moment.now_ms);
            outcome.events.extend(progress.map(Event::JobProgress));
            if is_early {
                self.waiting.insert(id);
            }
        }
        outcome
    }
}
