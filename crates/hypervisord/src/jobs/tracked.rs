//! One job, assembled from updates.

use model::job::{Job, JobStatus};
use model::live::JobProgress;

use super::{
    change::{Change, Moment, What},
    rate_estimator::RateEstimator,
    update::JobUpdate,
};

/// Time constant of the byte rate, in seconds.
const BYTE_RATE_SECONDS: f64 = 10.0;
/// Time constant of the percentage's rate, in seconds. Longer, because percentages come in coarse steps.
const PERCENT_RATE_SECONDS: f64 = 30.0;
/// Maximum estimate that is shown, in seconds.
const LONGEST_ETA: f64 = 30.0 * 86_400.0;
/// Minimum average interval between progress events of a job.
const PROGRESS_INTERVAL_MS: i64 = 1000;
/// How much earlier a progress event may be sent, so that the daemon's messages need not be exactly regular.
const PROGRESS_JITTER_MS: i64 = 150;
/// The provider of a job if the daemon does not name one: such daemons only support vSphere.
const DEFAULT_PROVIDER: &str = "vsphere";
/// Tools that report no percentage: their 0 % means unknown.
const SILENT_TOOLS: [&str; 2] = ["govc", "web"];
/// A tool that reports nothing between start and end of a job.
const MUTE_TOOL: &str = "web";
/// A cancelled job without updates for this long is considered stopped.
const CANCEL_SETTLES_AFTER_MS: i64 = 10 * 60 * 1000;

/// A job with its state in the table.
#[derive(Debug)]
pub(super) struct TrackedJob {
    pub(super) job: Job,
    /// When a message last mentioned it, by the server's clock.
    pub(super) seen_ms: i64,
    /// Number of the last complete list that has it.
    pub(super) list: u64,
    /// When its details were last requested, by the server's clock. `None`: request them.
    pub(super) detailed_ms: Option<i64>,
    /// Whether its end was counted: each job ends once, whatever the daemon reports later.
    is_counted: bool,
    /// Bytes counted so far.
    pub(super) counted_bytes: u64,
    /// Run time as measured by the daemon.
    duration_seconds: Option<f64>,
    highest_percent: Option<f64>,
    bytes: RateEstimator,
    percents: RateEstimator,
    /// No progress event may be sent before this time.
    progress_due_ms: i64,
    sent: Option<JobProgress>,
}

impl TrackedJob {
    pub(super) fn new(daemon: &str, id: &str, now_ms: i64) -> Self {
        TrackedJob {
            job: Job {
                id: id.to_owned(),
                daemon: daemon.to_owned(),
                provider: DEFAULT_PROVIDER.to_owned(),
                ..Job::default()
            },
            seen_ms: now_ms,
            list: 0,
            detailed_ms: None,
            is_counted: false,
            counted_bytes: 0,
            duration_seconds: None,
            highest_percent: None,
            bytes: RateEstimator::new(BYTE_RATE_SECONDS),
            percents: RateEstimator::new(PERCENT_RATE_SECONDS),
            progress_due_ms: i64::MIN,
            sent: None,
        }
    }

    /// Merges an update, except the status.
    pub(super) fn merge(&mut self, update: JobUpdate) {
        let job = &mut self.job;
        take_text(&mut job.name, update.name);
        take_text(&mut job.vm, update.vm);
        take_text(&mut job.provider, update.provider);
        take(&mut job.job_type, update.job_type);
        take(&mut job.region, update.region);
        take(&mut job.phase, update.phase);
        take(&mut job.bytes_total, update.bytes_total);
        job.bytes_transferred = job.bytes_transferred.max(update.bytes_transferred);
        take_time(&mut job.created_at, update.created_at);
        take_time(&mut job.started_at, update.started_at);
        take_time(&mut job.completed_at, update.completed_at);
        job.updated_at = job.updated_at.max(update.updated_at);
        take(&mut job.format, update.format);
        take(&mut job.export_method, update.export_method);
        take(&mut job.output_dir, update.output_dir);
        take(&mut job.error, update.error);
        take(&mut self.duration_seconds, update.duration_seconds);
        take(&mut job.rate_bytes_per_second, update.rate_bytes_per_second);
        take(&mut job.eta_seconds, update.eta_seconds);
        let percent = update.percent.filter(|percent| percent.is_finite()).map(|percent| percent.clamp(0.0, 100.0));
        let reported = percent.or_else(|| ratio_percent(job.bytes_transferred, job.bytes_total));
        if let Some(reported) = reported {
            self.highest_percent = Some(self.highest_percent.map_or(reported, |highest| highest.max(reported)));
        }
    }

    /// Updates derived fields. Call it after each change.
    pub(super) fn settle(&mut self, moment: Moment) {
        let job = &mut self.job;
        let is_running = job.status == JobStatus::Running && !job.historic;
        if is_running {
            if let Some(bytes) = job.bytes_transferred {
                #[allow(clippy::cast_precision_loss, reason = "a rate needs no more")]
                self.bytes.observe(bytes as f64, moment.daemon_ms);
            }
            if let Some(percent) = self.highest_percent {
                self.percents.observe(percent, moment.daemon_ms);
            }
        }
        let is_silent_tool = job.export_method.as_deref().is_some_and(|tool| SILENT_TOOLS.contains(&tool));
        job.percent = match (job.status, self.highest_percent) {
            (JobStatus::Completed, _) => Some(100.0),
            (JobStatus::Pending, highest) => Some(highest.unwrap_or(0.0)),
            (_, Some(highest)) if highest == 0.0 && is_silent_tool && job.bytes_total.is_none() => None,
            (_, highest) => highest.map(|percent| (percent * 100.0).round() / 100.0),
        };
        match job.status {
            JobStatus::Pending | JobStatus::Running | JobStatus::Unknown => job.completed_at = None,
            JobStatus::Completed => job.error = None,
            JobStatus::Failed | JobStatus::Cancelling | JobStatus::Cancelled => {}
        }
        if is_running {
            job.rate_bytes_per_second = self.bytes.rate().or(job.rate_bytes_per_second).map(f64::round);
            self.job.eta_seconds = self.eta_seconds();
        } else {
            job.rate_bytes_per_second = None;
            job.eta_seconds = None;
        }
    }

    /// Our estimate of the remaining seconds, otherwise the daemon's.
    fn eta_seconds(&self) -> Option<f64> {
        let job = &self.job;
        #[allow(clippy::cast_precision_loss, reason = "an estimate needs no more")]
        let by_bytes = match (job.bytes_total, job.bytes_transferred, self.bytes.rate()) {
            (Some(total), Some(moved), Some(rate)) => Some(total.saturating_sub(moved) as f64 / rate),
            _ => None,
        };
        let by_percent = || match (self.highest_percent, self.percents.rate()) {
            (Some(percent), Some(rate)) if rate > 0.0 => Some((100.0 - percent) / rate),
            _ => None,
        };
        by_bytes
            .or_else(by_percent)
            .or(job.eta_seconds)
            .filter(|eta| (0.0..=LONGEST_ETA).contains(eta))
            .map(|eta| (eta * 10.0).round() / 10.0)
    }

    /// The progress to publish, if it changed. The second value is true if it is too early: call again later.
    pub(super) fn take_progress(&mut self, now_ms: i64) -> (Option<JobProgress>, bool) {
        if self.job.status != JobStatus::Running || self.job.historic {
            return (None, false);
        }
        let progress = self.progress();
        if self.sent.as_ref() == Some(&progress) {
            return (None, false);
        }
        if now_ms < self.progress_due_ms.saturating_sub(PROGRESS_JITTER_MS) {
            return (None, true);
        }
        self.progress_due_ms = self.progress_due_ms.max(now_ms).saturating_add(PROGRESS_INTERVAL_MS);
        self.sent = Some(progress.clone());
        (Some(progress), false)
    }

    /// The whole job is sent, which includes its progress.
    pub(super) fn mark_sent(&mut self) {
        self.sent = Some(self.progress());
    }

    fn progress(&self) -> JobProgress {
        let job = &self.job;
        JobProgress {
            job_id: job.id.clone(),
            daemon: job.daemon.clone(),
            name: job.name.clone(),
            percent: job.percent,
            bytes_transferred: job.bytes_transferred,
            bytes_total: job.bytes_total,
            rate_bytes_per_second: job.rate_bytes_per_second,
            eta_seconds: job.eta_seconds,
        }
    }

    /// Its end to count, if it has ended and was not counted. A cancellation counts once it is final.
    pub(super) fn take_end(&mut self, moment: Moment) -> Option<Change> {
        let job = &self.job;
        let is_cancelled = job.status == JobStatus::Cancelled && !job.cancel_requested;
        if self.is_counted || !(job.status.is_final() || is_cancelled) {
            return None;
        }
        let seconds = job.status.is_final().then(|| self.seconds()).flatten();
        let what = What::Ended { job_type: job.job_type.clone(), status: job.status, seconds };
        let at_ms = job.completed_at.unwrap_or(moment.now_ms);
        let end = Change { at_ms, provider: job.provider.clone(), what };
        self.is_counted = true;
        Some(end)
    }

    /// Seconds from start to end. The daemon's own value is exact even if its times are whole seconds.
    fn seconds(&self) -> Option<f64> {
        let between = || {
            let (start, end) = (self.job.started_at?, self.job.completed_at?);
            #[allow(clippy::cast_precision_loss, reason = "a duration in milliseconds is small")]
            (end >= start).then_some((end - start) as f64 / 1000.0)
        };
        self.duration_seconds.or_else(between)
    }

    /// Whether it is cancelled and without updates for so long that its export has stopped. Unknown, so false, if the
    /// tool is unknown or reports nothing while it runs.
    pub(super) fn has_stopped(&self, daemon_ms: i64) -> bool {
        let touched_ms = self.job.updated_at.or(self.job.completed_at).unwrap_or(daemon_ms);
        let is_telling = match self.job.export_method.as_deref() {
            Some(tool) => tool != MUTE_TOOL,
            None => self.detailed_ms.is_some(),
        };
        self.job.status == JobStatus::Cancelled
            && is_telling
            && daemon_ms.saturating_sub(touched_ms) > CANCEL_SETTLES_AFTER_MS
    }
}

fn take<T>(known: &mut Option<T>, news: Option<T>) {
    if news.is_some() {
        *known = news;
    }
}

/// Sets a time, unless it is the known time truncated to whole seconds, as in the constant feed.
fn take_time(known: &mut Option<i64>, news: Option<i64>) {
    let is_coarser = known.is_some_and(|known| news == Some(known - known.rem_euclid(1000)));
    if !is_coarser {
        take(known, news);
    }
}

fn take_text(known: &mut String, news: Option<String>) {
    if let Some(news) = news {
        *known = news;
    }
}

fn ratio_percent(moved: Option<u64>, total: Option<u64>) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "a percentage needs no more")]
    match (moved, total) {
        (Some(moved), Some(total)) if total > 0 => Some((moved as f64 / total as f64 * 100.0).min(100.0)),
        _ => None,
    }
}
