//! The simulated world: jobs, requests and the daemon's process, advanced by the caller's clock.
//!
//! Nothing here reads a clock, opens a socket or depends on the order of a hash map: the same options and calls give
//! the same world. It advances in ticks of [`TICK_MS`], so that a generated history and a live run have the same form.

mod alert;
mod changes;
mod endpoints;
mod http;
mod incident;
mod job;
mod life;
mod names;
mod process;
mod provider;
mod sample;
mod series;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use crate::dice::Dice;

pub use alert::Alert;
pub use changes::{ChangeError, End, Event, Submission};
pub(crate) use endpoints::Endpoints;
pub(crate) use http::{ROUTES, Traffic};
pub use job::{Job, JobType, Method, Status, Vcenter};
pub use names::VCENTER_PASSWORD;
pub use provider::Provider;
pub(crate) use series::LATENCY_BOUNDS;
pub use series::{Family, MetricKind, Series, SeriesTable};

use incident::Incidents;
use process::Process;
use provider::PerProvider;
use series::{Rows, Values};

/// Length of a tick, milliseconds.
pub const TICK_MS: i64 = 250;
/// Jobs per minute for which the providers' slots are sized.
pub const USUAL_JOBS_PER_MINUTE: f64 = 2.0;
/// Maximum number of pending and running jobs; above it none are submitted.
pub const ACTIVE_LIMIT: usize = 20_000;
/// Longest span that is simulated tick by tick when the clock jumps; earlier time is skipped.
const CATCH_UP_MS: i64 = 24 * 3_600_000;

/// The kind of daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As documented: six providers, a queue with slots per provider, a cancel stops the job.
    Fleet,
    /// As coded: vSphere only, every job starts immediately, a cancelled export continues.
    Daemon,
}

/// Options of a world.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldOptions {
    /// The same seed gives the same world.
    pub seed: u64,
    /// Start of its clock, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Average number of jobs submitted per minute over a day; 0 for a world without events of its own. At most 6,000.
    pub jobs_per_minute: f64,
    /// Kind of daemon.
    pub profile: Profile,
    /// Number of finished jobs it stores; older ones are deleted.
    pub remember: usize,
}

impl Default for WorldOptions {
    fn default() -> Self {
        WorldOptions {
            seed: 1,
            start_ms: 0,
            jobs_per_minute: USUAL_JOBS_PER_MINUTE,
            profile: Profile::Fleet,
            remember: 400,
        }
    }
}

/// Number of jobs by status since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All jobs.
    pub total: u64,
    /// Running.
    pub running: u64,
    /// Pending.
    pub pending: u64,
    /// Completed.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// State of the daemon's process. Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct System {
    /// CPU use, 0 to 100.
    pub cpu_percent: f64,
    /// Total memory in use.
    pub memory: f64,
    /// Allocated on the heap.
    pub heap: f64,
    /// Stacks of goroutines.
    pub stack: f64,
    /// Memory from the operating system.
    pub sys: f64,
    /// Goroutines.
    pub goroutines: u64,
    /// Clients of the live feed.
    pub sockets: u64,
    /// Open HTTP connections.
    pub http_connections: u64,
    /// Used connections to providers.
    pub pool_active: u64,
    /// Maximum number of connections to providers.
    pub pool_max: u64,
}

/// A simulated daemon with all its jobs. See the [module](self).
#[derive(Debug)]
pub struct World {
    options: WorldOptions,
    /// `jobs_per_minute` divided by the usual number.
    scale: f64,
    dice: Dice,
    now_ms: i64,
    boot_ms: i64,
    /// Pending and running jobs, oldest first.
    active: Vec<Job>,
    /// Ended jobs, in the order of their ends.
    finished: VecDeque<Job>,
    /// Since the start; `running` and `pending` are counted when needed.
    ended: Counts,
    pressure: PerProvider<f64>,
    table: Arc<SeriesTable>,
    rows: Rows,
    values: Values,
    traffic: Traffic,
    /// Only for a coded daemon.
    endpoints: Endpoints,
    process: Process,
    incidents: Incidents,
    alerts: alert::Alerts,
    events: VecDeque<Event>,
    clients: u64,
}

impl World {
    /// A world without jobs.
    #[must_use]
    pub fn new(options: WorldOptions) -> Self {
        let (table, rows) = series::canonical();
        let mut dice = Dice::new(options.seed);
        let jobs_per_minute =
            if options.jobs_per_minute.is_finite() { options.jobs_per_minute.clamp(0.0, 6_000.0) } else { 0.0 };
        World {
            scale: jobs_per_minute / USUAL_JOBS_PER_MINUTE,
            now_ms: options.start_ms,
            boot_ms: options.start_ms,
            active: Vec::new(),
            finished: VecDeque::new(),
            ended: Counts::default(),
            pressure: PerProvider::new(|_| 1.0),
            values: Values::zero(&table),
            table,
            rows,
            traffic: Traffic::default(),
            endpoints: Endpoints::default(),
            process: Process::new(),
            incidents: Incidents::new(&mut dice, options.start_ms),
            alerts: alert::Alerts::new(),
            events: VecDeque::new(),
            clients: 0,
            dice,
            options,
        }
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &WorldOptions {
        &self.options
    }

    /// Its clock, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Time since the daemon started.
    #[must_use]
    pub fn uptime_ms(&self) -> i64 {
        self.now_ms - self.boot_ms
    }

    /// Pending and running jobs, oldest first.
    #[must_use]
    pub fn active(&self) -> &[Job] {
        &self.active
    }

    /// Stored jobs that ended, in the order of their ends.
    pub fn finished(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.finished.iter()
    }

    /// Every stored job: ended ones first, then active ones.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.finished.iter().chain(&self.active)
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.active.iter().chain(self.finished.iter().rev()).find(|job| job.id == id)
    }

    /// Number of jobs by status since the daemon started.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.ended;
        for job in &self.active {
            match job.status {
                Status::Pending => counts.pending += 1,
                Status::Running => counts.running += 1,
                // Continues after a cancel: counted when it was cancelled.
                Status::Cancelled | Status::Completed | Status::Failed => {}
            }
        }
        counts.total = counts.pending + counts.running + counts.completed + counts.failed + counts.cancelled;
        counts
    }

    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Current state of the process.
    #[must_use]
    pub fn system(&self) -> System {
        let process = &self.process;
        System {
            cpu_percent: process.cpu(),
            memory: process.total(),
            heap: process.heap(),
            stack: process.stack(),
            sys: process.sys(),
            goroutines: process.goroutines(),
            sockets: process.visitors() + self.clients,
            http_connections: process.http_connections(),
            pool_active: process.pool_active(),
            pool_max: process.pool_max(),
        }
    }

    /// Sets the number of real clients of the live feed, which the gauges include.
    pub fn set_clients(&mut self, clients: u64) {
        self.clients = clients;
    }

    /// Advances to the last tick at or before this time; never goes back. After a jump of more than a day only the last
    /// day is simulated.
    pub fn advance_to(&mut self, target_ms: i64) {
        if target_ms - self.now_ms > CATCH_UP_MS {
            self.now_ms = target_ms - CATCH_UP_MS;
        }
        while self.now_ms + TICK_MS <= target_ms {
            self.now_ms += TICK_MS;
            self.tick();
        }
    }
}
