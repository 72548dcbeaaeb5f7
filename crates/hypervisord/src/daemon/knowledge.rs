//! The state of one daemon: its jobs, numbers and process, and the steps that are not written yet.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{live::Event, system::SystemMetrics};

use super::skew::Skew;
use crate::{
    feed::{Numbers, SystemReading},
    jobs::{Change, JobTable, JobUpdate, Levels, Listing, Moment, Outcome},
};

/// Minimum interval between `system.metrics` events of a daemon that reports more often.
const SYSTEM_INTERVAL: Duration = Duration::from_millis(4900);
/// The uptime may decrease by this much without a restart, in seconds.
const UPTIME_SLACK: f64 = 1.0;
/// Start times that differ by less than this, by the daemon's clock, belong to the same process, in milliseconds.
const SAME_START_MS: u64 = 2_000;
/// A process that is this much younger than the previous one would be now is a new process, in seconds.
const START_SLACK: f64 = 10.0;

/// The state of a daemon.
pub(crate) struct Knowledge {
    /// Its jobs.
    pub jobs: JobTable,
    skew: Skew,
    /// Steps since the scrape loop last took them.
    steps: Vec<Step>,
    /// The last numbers of its feed.
    pub numbers: Option<Numbers>,
    /// Its process.
    pub system: Option<SystemMetrics>,
    /// When the last event was sent, by a monotonic clock.
    system_sent: Option<Duration>,
    process: Option<Process>,
    /// The process was replaced, and its list of jobs has not arrived yet.
    restarted: bool,
    /// The connection was lost, and no list of jobs has arrived since: jobs may have ended meanwhile.
    awaits_list: bool,
}

/// The daemon's process when we last got its uptime.
#[derive(Debug, Clone, Copy)]
struct Process {
    /// When it started, milliseconds since the Unix epoch by our clock.
    start_ms: i64,
    /// The same by the daemon's clock, if a message has its time.
    daemon_start_ms: Option<i64>,
    /// Uptime in seconds.
    uptime: f64,
    /// When we received it, by a monotonic clock.
    at: Duration,
}

/// A step for the counters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// The daemon restarted and lost its jobs: counters reset to zero. Milliseconds since the Unix epoch.
    NewLife {
        /// When the process started.
        start_ms: i64,
    },
    /// A change of a job.
    Change(Change),
}

/// What to write for a daemon.
#[derive(Debug)]
pub(crate) struct News {
    /// Steps since the last call, in order of arrival.
    pub steps: Vec<Step>,
    /// Running and pending jobs by provider.
    pub levels: BTreeMap<String, Levels>,
    /// The last numbers of its feed.
    pub numbers: Option<Numbers>,
    /// When the daemon's process started, if known. Milliseconds since the Unix epoch.
    pub start_ms: Option<i64>,
}

impl Knowledge {
    /// The initial state of a daemon.
    pub(crate) fn new(jobs: JobTable) -> Self {
        Knowledge {
            jobs,
            skew: Skew::default(),
            steps: Vec::new(),
            numbers: None,
            system: None,
            system_sent: None,
            process: None,
            restarted: false,
            awaits_list: false,
        }
    }

    /// The connection was lost.
    pub(crate) fn await_list(&mut self) {
        self.awaits_list = true;
    }

    /// Takes what to write, once the daemon has sent a list of jobs, and after a lost connection once it has sent one
    /// again: otherwise counters would advance past jobs that ended meanwhile.
    pub(crate) fn take_news(&mut self) -> Option<News> {
        (self.jobs.is_filled() && !self.awaits_list).then(|| News {
            steps: std::mem::take(&mut self.steps),
            levels: self.jobs.levels(),
            numbers: self.numbers,
            start_ms: self.process.map(|process| process.start_ms),
        })
    }

    /// Adds steps up to `now_ms`.
    pub(crate) fn note_steps(&mut self, is_new_life: bool, changes: Vec<Change>, now_ms: i64) {
        if is_new_life {
            let start_ms = self.process.map_or(now_ms, |process| process.start_ms);
            self.steps.push(Step::NewLife { start_ms });
        }
        self.steps.extend(changes.into_iter().map(Step::Change));
    }

    /// The moment of a message that the daemon created at `daemon_ms` by its clock.
    pub(crate) fn moment(&mut self, now_ms: i64, daemon_ms: Option<i64>) -> Moment {
        let made_ms = daemon_ms.map(|daemon_ms| daemon_ms.saturating_add(self.skew.observe(now_ms, daemon_ms)));
        Moment { now_ms, daemon_ms: made_ms.unwrap_or(now_ms) }
    }

    /// Converts a time of the daemon's clock to ours.
    #[must_use]
    pub(crate) fn our_time(&self, daemon_ms: i64) -> i64 {
        daemon_ms.saturating_add(self.skew.used_ms())
    }

    /// How far the daemon's clock is behind ours, in milliseconds.
    #[must_use]
    pub(crate) fn behind_ms(&self) -> i64 {
        self.skew.used_ms()
    }

    /// Converts the times of updates to our clock.
    pub(crate) fn shifted(&self, mut updates: Vec<JobUpdate>) -> Vec<JobUpdate> {
        let ms = self.skew.used_ms();
        if ms != 0 {
            updates.iter_mut().for_each(|update| update.shift(ms));
        }
        updates
    }

    /// Applies a complete list of jobs.
    pub(crate) fn list(
        &mut self,
        updates: Vec<JobUpdate>,
        unchanged: &[Arc<str>],
        listing: Listing,
        moment: Moment,
    ) -> Outcome {
        let updates = self.shifted(updates);
        let is_full = listing == Listing::Full;
        self.awaits_list &= !is_full;
        let restarted = is_full && std::mem::take(&mut self.restarted);
        self.jobs.replace(updates, unchanged, listing, moment, restarted)
    }

    /// Records the uptime of the daemon's process in a message created at `message_ms` by the daemon's clock, if known,
    /// and detects a restart. A delayed message has an old uptime; that is not a restart. `at` is the current time of a
    /// monotonic clock.
    pub(crate) fn note_uptime(&mut self, uptime: f64, message_ms: Option<i64>, now_ms: i64, at: Duration) {
        if !uptime.is_finite() {
            return;
        }
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and no daemon is that old")]
        let uptime_ms = (uptime * 1000.0) as i64;
        let daemon_start_ms = message_ms.map(|message_ms| message_ms.saturating_sub(uptime_ms));
        let is_another = self.process.is_some_and(|before| {
            let expected = before.uptime + at.saturating_sub(before.at).as_secs_f64();
            let is_younger = uptime + UPTIME_SLACK < before.uptime || uptime + START_SLACK < expected;
            let starts = before.daemon_start_ms.zip(daemon_start_ms);
            is_younger && starts.is_none_or(|(before_ms, ms)| before_ms.abs_diff(ms) > SAME_START_MS)
        });
        self.restarted |= is_another;
        let same = self.process.filter(|_| !is_another);
        let by_ours_ms = daemon_start_ms.map(|ms| ms.saturating_add(self.skew.used_ms()));
        let start_ms = by_ours_ms.unwrap_or_else(|| now_ms.saturating_sub(uptime_ms));
        self.process = Some(match same {
            // A delayed message has no new information.
            Some(before) if uptime < before.uptime => before,
            Some(before) => {
                Process { daemon_start_ms: before.daemon_start_ms.or(daemon_start_ms), uptime, at, ..before }
            }
            None => Process { start_ms, daemon_start_ms, uptime, at },
        });
    }

    /// Records the state of the process. `at` is the time of a monotonic clock. Returns an event if one is due.
    pub(crate) fn note_system(
        &mut self,
        daemon: &str,
        reading: SystemReading,
        is_event: bool,
        at: Duration,
    ) -> Option<Event> {
        let system = SystemMetrics {
            daemon: daemon.to_owned(),
            cpu_percent: reading.cpu_percent,
            memory_bytes: reading.memory_bytes,
            goroutines: reading.goroutines,
            connections: reading.connections.or(reading.websocket_clients),
        };
        self.system = Some(system.clone());
        let is_due = is_event || self.system_sent.is_none_or(|sent| at.saturating_sub(sent) >= SYSTEM_INTERVAL);
        is_due.then(|| {
            self.system_sent = Some(at);
            Event::SystemMetrics(system)
        })
    }
}

#[cfg(test)]
mod tests {
    use model::job::JobStatus;

    use super::*;
    use crate::jobs::Rules;

    const BOOT_MS: i64 = 1_700_000_000_000;

    fn knowledge() -> Knowledge {
        Knowledge::new(JobTable::new("d", Rules { cancelled_is_final: false, most_ended: 100 }))
    }

    fn list(knowledge: &mut Knowledge, second: i64, jobs: &[&str]) -> Outcome {
        let now_ms = BOOT_MS + second * 1000;
        let job = |id: &&str| JobUpdate {
            id: (*id).to_owned(),
            status: Some(JobStatus::Completed),
            created_at: Some(BOOT_MS),
            completed_at: Some(now_ms),
            ..JobUpdate::default()
        };
        let moment = Moment { now_ms, daemon_ms: now_ms };
        knowledge.list(jobs.iter().map(job).collect(), &[], Listing::Full, moment)
    }

    #[test]
    fn an_uptime_that_was_held_up_on_its_way_is_no_restart() {
        let mut known = knowledge();
        known.note_uptime(100.0, Some(BOOT_MS + 100_000), BOOT_MS + 100_000, Duration::from_millis(100_000));
        list(&mut known, 100, &["a"]);
        // Created at 95 s and received at 160 s, when the daemon has other jobs.
        known.note_uptime(95.0, Some(BOOT_MS + 95_000), BOOT_MS + 160_000, Duration::from_millis(160_000));
        assert!(!list(&mut known, 160, &["b"]).is_new_life);
        assert_eq!(known.take_news().unwrap().start_ms, Some(BOOT_MS));
        known.note_uptime(2.0, Some(BOOT_MS + 172_000), BOOT_MS + 172_000, Duration::from_millis(172_000));
        assert!(list(&mut known, 172, &["c"]).is_new_life, "that is one");
        assert_eq!(known.take_news().unwrap().start_ms, Some(BOOT_MS + 170_000));
        // If the daemon sends no times, the last received message counts.
        known.note_uptime(0.5, None, BOOT_MS + 180_000, Duration::from_millis(180_000));
        assert!(list(&mut known, 180, &["d"]).is_new_life);
    }

    #[test]
    fn a_daemon_that_was_not_heard_is_unknown_until_it_reports_its_jobs() {
        let mut known = knowledge();
        assert!(known.take_news().is_none());
        list(&mut known, 1, &["a"]);
        assert!(known.take_news().is_some());
        known.await_list();
        let moment = Moment { now_ms: BOOT_MS, daemon_ms: BOOT_MS };
        known.list(Vec::new(), &[], Listing::Sketch, moment);
        assert!(known.take_news().is_none(), "which jobs have ended comes with the next message");
        list(&mut known, 3, &["a", "b"]);
        assert!(known.take_news().is_some());
    }
}
