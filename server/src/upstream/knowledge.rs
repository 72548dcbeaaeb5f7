//! What one daemon has told: its jobs, its numbers, its process, and what of it is still to be written.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{live::Event, system::SystemMetrics};
use tokio::time::Instant;

use super::{
    feed::{Numbers, SystemReading},
    jobs::{Change, JobTable, JobUpdate, Levels, Listing, Moment, Outcome},
    skew::Skew,
};
use crate::clock::now_ms;

/// Time between two `system.metrics` events of a daemon that tells more often.
const SYSTEM_INTERVAL: Duration = Duration::from_millis(4900);
/// An uptime may seem to fall by this much without a restart, in seconds.
const UPTIME_SLACK: f64 = 1.0;
/// A process that is younger by this much than the one before would be by now is another one, in seconds.
const START_SLACK: f64 = 10.0;

/// What the daemon has told.
pub(super) struct Knowledge {
    pub(super) jobs: JobTable,
    pub(super) skew: Skew,
    /// What happened since the collector last took it.
    steps: Vec<Step>,
    pub(super) numbers: Option<Numbers>,
    pub(super) system: Option<SystemMetrics>,
    system_sent: Option<Instant>,
    process: Option<Process>,
    /// The process is another one than before, and its list of jobs has not come yet.
    restarted: bool,
}

/// The daemon's process as it was last heard of.
#[derive(Debug, Clone, Copy)]
struct Process {
    /// When it started, milliseconds since the Unix epoch by our clock.
    start_ms: i64,
    /// In seconds.
    uptime: f64,
    /// When that was told.
    at: Instant,
}

/// Something that the collector counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// The daemon started anew, with no job of before: what is counted begins at zero. Milliseconds since the Unix epoch.
    NewLife {
        start_ms: i64,
    },
    Change(Change),
}

/// What there is to write of a daemon.
#[derive(Debug)]
pub(super) struct News {
    /// What happened since it was last asked for, in the order in which it was told.
    pub(super) steps: Vec<Step>,
    /// Running and waiting jobs by provider.
    pub(super) levels: BTreeMap<String, Levels>,
    pub(super) numbers: Option<Numbers>,
    /// When the daemon's process started, where that is known. Milliseconds since the Unix epoch.
    pub(super) start_ms: Option<i64>,
}

impl Knowledge {
    /// Of a daemon that has told nothing yet.
    pub(super) fn new(jobs: JobTable) -> Self {
        Knowledge {
            jobs,
            skew: Skew::default(),
            steps: Vec::new(),
            numbers: None,
            system: None,
            system_sent: None,
            process: None,
            restarted: false,
        }
    }

    /// What there is to write, once the daemon has told all its jobs. What is taken is not given again.
    pub(super) fn take_news(&mut self) -> Option<News> {
        self.jobs.is_filled().then(|| News {
            steps: std::mem::take(&mut self.steps),
            levels: self.jobs.levels(),
            numbers: self.numbers,
            start_ms: self.process.map(|process| process.start_ms),
        })
    }

    /// Notes what happened, to be written.
    pub(super) fn note_steps(&mut self, is_new_life: bool, changes: Vec<Change>) {
        if is_new_life {
            let start_ms = self.process.map_or_else(now_ms, |process| process.start_ms);
            self.steps.push(Step::NewLife { start_ms });
        }
        self.steps.extend(changes.into_iter().map(Step::Change));
    }

    /// When something was said that the daemon made at `daemon_ms` by its clock.
    pub(super) fn moment(&mut self, now_ms: i64, daemon_ms: Option<i64>) -> Moment {
        let made_ms = daemon_ms.map(|daemon_ms| daemon_ms.saturating_add(self.skew.observe(now_ms, daemon_ms)));
        Moment { now_ms, daemon_ms: made_ms.unwrap_or(now_ms) }
    }

    /// The same updates with times of ours.
    pub(super) fn shifted(&self, mut updates: Vec<JobUpdate>) -> Vec<JobUpdate> {
        let ms = self.skew.used_ms();
        if ms != 0 {
            updates.iter_mut().for_each(|update| update.shift(ms));
        }
        updates
    }

    /// The daemon told all its jobs.
    pub(super) fn list(
        &mut self,
        updates: Vec<JobUpdate>,
        unchanged: &[Arc<str>],
        listing: Listing,
        moment: Moment,
    ) -> Outcome {
        let updates = self.shifted(updates);
        let restarted = listing == Listing::Full && std::mem::take(&mut self.restarted);
        self.jobs.replace(updates, unchanged, listing, moment, restarted)
    }

    /// Notes how long the daemon's process has run, and whether it is another one than before.
    pub(super) fn note_uptime(&mut self, uptime: f64, now_ms: i64) {
        if !uptime.is_finite() {
            return;
        }
        let at = Instant::now();
        let is_another = self.process.is_some_and(|before| {
            let expected = before.uptime + at.duration_since(before.at).as_secs_f64();
            uptime + UPTIME_SLACK < before.uptime || uptime + START_SLACK < expected
        });
        self.restarted |= is_another;
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and no daemon is that old")]
        let start_ms = now_ms.saturating_sub((uptime * 1000.0) as i64);
        let start_ms = self.process.filter(|_| !is_another).map_or(start_ms, |before| before.start_ms);
        self.process = Some(Process { start_ms, uptime, at });
    }

    /// Takes over the state of the process. Gives the event if it is time for one.
    pub(super) fn note_system(&mut self, daemon: &str, reading: SystemReading, is_event: bool) -> Option<Event> {
        let system = SystemMetrics {
            daemon: daemon.to_owned(),
            cpu_percent: reading.cpu_percent,
            memory_bytes: reading.memory_bytes,
            goroutines: reading.goroutines,
            connections: reading.connections.or(reading.websocket_clients),
        };
        self.system = Some(system.clone());
        let is_due = is_event || self.system_sent.is_none_or(|at| at.elapsed() >= SYSTEM_INTERVAL);
        is_due.then(|| {
            self.system_sent = Some(Instant::now());
            Event::SystemMetrics(system)
        })
    }
}
