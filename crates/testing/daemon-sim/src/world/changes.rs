//! Changes of jobs, caused by the world itself, a request or a test.

use super::{
    ACTIVE_LIMIT, Alert, Job, Profile, Provider, Status, World,
    alert::Alerts,
    job::{Fate, JobType, Method, Vcenter},
    process::Process,
    series::Values,
};
use crate::number::real_bytes;

/// Maximum number of stored events; above it the oldest are dropped.
const EVENT_LIMIT: usize = 4_096;

/// Status of a cancelled job.
const CANCELLED: &str = "cancelled";

/// The result of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
}

/// An event that a live feed may send immediately.
#[derive(Debug, Clone)]
pub enum Event {
    /// A job changed its status, or is new.
    Status {
        /// The job with its current state.
        job: Box<Job>,
        /// The previous status; `None` for a new job.
        from: Option<Status>,
        /// Time of the change, in milliseconds since the Unix epoch.
        at_ms: i64,
    },
    /// A manual job made progress.
    Progress(Box<Job>),
    /// An alert started to fire.
    Alert(Alert),
}

/// Why a change was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No job has this id.
    #[error("job not found: {0}")]
    NotFound(String),
    /// The id is already used.
    #[error("job already exists: {0}")]
    Duplicate(String),
    /// The job has already ended.
    #[error("job {id} cannot be {verb} (status: {status})")]
    Ended {
        /// Its id.
        id: String,
        /// The requested change, as a participle.
        verb: &'static str,
        /// The job's status.
        status: &'static str,
    },
    /// There are too many jobs.
    #[error("too many jobs: {ACTIVE_LIMIT} wait or work already")]
    Full,
}

/// A job to submit; fields that are `None` get random values.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Its id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The virtual machine's provider.
    pub provider: Option<Provider>,
    /// Region.
    pub region: Option<String>,
    /// Kind of work.
    pub job_type: Option<JobType>,
    /// Inventory path.
    pub vm_path: Option<String>,
    /// Output directory.
    pub output_dir: Option<String>,
    /// Target format.
    pub format: Option<String>,
    /// Tool.
    pub method: Option<Method>,
    /// Access to a vCenter.
    pub vcenter: Option<Vcenter>,
    /// Bytes to transfer.
    pub bytes_total: Option<u64>,
    /// Progress only on request.
    pub manual: bool,
    /// Starts immediately, whatever the queue. Nothing else implies it: a manual job stays pending without it.
    pub running: bool,
}

impl World {
    /// Submits a job; returns its id.
    ///
    /// # Errors [`ChangeError::Duplicate`] if the id is already used, [`ChangeError::Full`] if there are too many jobs.
    pub fn submit(&mut self, submission: Submission) -> Result<String, ChangeError> {
        if let Some(id) = submission.id.as_ref().filter(|id| self.job(id).is_some()) {
            return Err(ChangeError::Duplicate(id.clone()));
        }
        if self.active.len() >= ACTIVE_LIMIT {
            return Err(ChangeError::Full);
        }
        let mut job = Job::random(&mut self.dice, submission.provider.unwrap_or(Provider::Vsphere), self.now_ms);
        job.id = submission.id.unwrap_or(job.id);
        job.name = submission.name.unwrap_or(job.name);
        job.region = submission.region.unwrap_or(job.region);
        job.job_type = submission.job_type.unwrap_or(job.job_type);
        job.vm_path = submission.vm_path.unwrap_or(job.vm_path);
        job.output_dir = submission.output_dir.unwrap_or(job.output_dir);
        job.format = submission.format.unwrap_or(job.format);
        job.method = submission.method.unwrap_or(job.method);
        job.vcenter = submission.vcenter.or(job.vcenter);
        job.bytes_total = submission.bytes_total.unwrap_or(job.bytes_total);
        job.manual = submission.manual;
        let id = job.id.clone();
        self.enqueue(job);
        if submission.running {
            self.with_active(&id, World::begin);
        } else if self.options.profile == Profile::Daemon {
            // Without a queue the job starts immediately.
            self.start_pending();
        }
        Ok(id)
    }

    /// Adds a job to the past: it ended `ago_ms` ago after it had run for `ran_ms`. Returns its id.
    ///
    /// # Errors As [`World::submit`].
    pub fn recall(
        &mut self,
        submission: Submission,
        end: End,
        ago_ms: i64,
        ran_ms: i64,
    ) -> Result<String, ChangeError> {
        let id = self.submit(Submission { manual: true, running: true, ..submission })?;
        self.with_active(&id, |world, job| {
            job.started_ms = Some(world.now_ms - ran_ms.max(0));
            match end {
                End::Completed => {
                    job.moved = real_bytes(job.bytes_total);
                    world.end(job, Status::Completed, None);
                }
                End::Failed => world.end(job, Status::Failed, Some("export failed: long ago".to_owned())),
            }
            let ended_ms = world.now_ms - ago_ms.max(0);
            job.created_ms = ended_ms - ran_ms.max(0);
            (job.started_ms, job.completed_ms, job.updated_ms) = (Some(job.created_ms), Some(ended_ms), ended_ms);
        });
        self.retire();
        Ok(id)
    }

    /// Completes a job, also one that continues after a cancel.
    ///
    /// # Errors If there is no such job, or it has already ended.
    pub fn complete(&mut self, id: &str) -> Result<(), ChangeError> {
        self.change(id, "completed", |world, job| {
            job.moved = real_bytes(job.bytes_total);
            world.end(job, Status::Completed, None);
        })
    }

    /// Makes a job fail for this reason, also one that continues after a cancel.
    ///
    /// # Errors If there is no such job, or it has already ended.
    pub fn fail(&mut self, id: &str, reason: &str) -> Result<(), ChangeError> {
        self.change(id, "failed", |world, job| world.end(job, Status::Failed, Some(reason.to_owned())))
    }

    /// Cancels a job as the profile does: the job stops, or only its status changes.
    ///
    /// # Errors If there is no such job, or it is no longer pending or running.
    pub fn cancel(&mut self, id: &str) -> Result<(), ChangeError> {
        self.change(id, CANCELLED, World::cancel_job)
    }

    /// Sets the progress of a running job to this percentage, 0 to 100, and publishes it immediately.
    ///
    /// # Errors If there is no such job, or it has already ended.
    pub fn set_percent(&mut self, id: &str, percent: f64) -> Result<(), ChangeError> {
        self.change(id, "moved", |world, job| {
            if job.status == Status::Pending {
                world.begin(job);
            }
            let moved = real_bytes(job.bytes_total) * (percent / 100.0).clamp(0.0, 1.0);
            world.values.add(*world.rows.bytes.get(job.provider), (moved - job.moved).max(0.0).floor());
            job.moved = moved;
            job.updated_ms = world.now_ms;
            world.push(Event::Progress(Box::new(job.clone())));
        })
    }

    /// Deletes all jobs and counters, as the daemon does when it restarts.
    pub fn restart(&mut self) {
        self.boot_ms = self.now_ms;
        self.active.clear();
        self.finished.clear();
        self.ended = super::Counts::default();
        self.values = Values::zero(&self.table);
        self.traffic = super::Traffic::default();
        self.endpoints = super::Endpoints::default();
        self.process = Process::new();
        self.alerts = Alerts::new();
        self.events.clear();
    }

    /// Removes and returns the events since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() >= EVENT_LIMIT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(super) fn enqueue(&mut self, job: Job) {
        self.values.add(*self.rows.submitted.get(job.provider), 1.0);
        self.push(Event::Status { job: Box::new(job.clone()), from: None, at_ms: self.now_ms });
        self.active.push(job);
    }

    pub(super) fn begin(&mut self, job: &mut Job) {
        job.working = true;
        job.started_ms = Some(self.now_ms);
        job.updated_ms = self.now_ms;
        self.set_status(job, Status::Running);
    }

    pub(super) fn end(&mut self, job: &mut Job, status: Status, error: Option<String>) {
        // An export that continued after a cancel was counted as cancelled; its end replaces that.
        if job.status == Status::Cancelled {
            self.ended.cancelled = self.ended.cancelled.saturating_sub(1);
        }
        job.working = false;
        job.rate = 0.0;
        job.error = error;
        job.completed_ms = Some(self.now_ms);
        job.updated_ms = self.now_ms;
        self.set_status(job, status);
        self.count_end(job, status);
        if status != Status::Cancelled && job.started_ms.is_some() {
            self.values.observe(*self.rows.duration.get(job.provider), job.duration_seconds(self.now_ms));
        }
    }

    pub(super) fn cancel_job(&mut self, job: &mut Job) {
        if self.options.profile == Profile::Fleet || !job.working {
            self.end(job, Status::Cancelled, None);
            return;
        }
        job.completed_ms = Some(self.now_ms);
        job.updated_ms = self.now_ms;
        job.fate = Fate::Completes;
        self.set_status(job, Status::Cancelled);
        self.count_end(job, Status::Cancelled);
    }

    /// Moves ended jobs from the active to the finished ones, and deletes the oldest of those.
    pub(super) fn retire(&mut self) {
        let (active, ended): (Vec<Job>, Vec<Job>) =
            std::mem::take(&mut self.active).into_iter().partition(|job| !job.ended());
        self.active = active;
        self.finished.extend(ended);
        while self.finished.len() > self.options.remember {
            self.finished.pop_front();
        }
    }

    fn set_status(&mut self, job: &mut Job, status: Status) {
        let from = std::mem::replace(&mut job.status, status);
        self.push(Event::Status { job: Box::new(job.clone()), from: Some(from), at_ms: self.now_ms });
    }

    fn count_end(&mut self, job: &Job, status: Status) {
        match status {
            Status::Completed => self.ended.completed += 1,
            Status::Failed => {
                self.ended.failed += 1;
                self.values.add(*self.rows.provider_failed.get(job.provider), 1.0);
            }
            Status::Cancelled => self.ended.cancelled += 1,
            Status::Pending | Status::Running => {}
        }
        let rows = [self.rows.outcome(job.provider, status), self.rows.jobs(job.provider, job.job_type, status)];
        for row in rows.into_iter().flatten() {
            self.values.add(row, 1.0);
        }
    }

    fn change(
        &mut self,
        id: &str,
        verb: &'static str,
        act: impl FnOnce(&mut World, &mut Job),
    ) -> Result<(), ChangeError> {
        let job = self.job(id).ok_or_else(|| ChangeError::NotFound(id.to_owned()))?;
        // A job that continues after a cancel can end, but cannot be cancelled again.
        let goes_on = job.status == Status::Cancelled && job.working && verb != CANCELLED;
        if !goes_on && !matches!(job.status, Status::Pending | Status::Running) {
            return Err(ChangeError::Ended { id: id.to_owned(), verb, status: job.status.name() });
        }
        self.with_active(id, act);
        self.retire();
        Ok(())
    }

    /// Passes an active job to `act`, together with the rest of the world.
    fn with_active(&mut self, id: &str, act: impl FnOnce(&mut World, &mut Job)) {
        let mut jobs = std::mem::take(&mut self.active);
        if let Some(job) = jobs.iter_mut().find(|job| job.id == id) {
            act(self, job);
        }
        self.active = jobs;
    }
}
