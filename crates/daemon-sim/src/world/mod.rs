//! The simulated world: jobs, traffic and the daemon's process, moved by a clock that the caller advances.
//!
//! Nothing in here reads a clock, opens a socket or depends on the order of a hash map: the same options and the same
//! calls give the same world. It advances in ticks of [`TICK_MS`], so history made in one go and a live run are alike.

mod alert;
mod changes;
mod endpoints;
mod http;
mod incident;
mod job;
mod names;
mod process;
mod provider;
mod series;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, f64::consts::TAU, sync::Arc};

use crate::{
    dice::Dice,
    number::{milliseconds, real, real_bytes, seconds, whole},
};

pub use alert::Alert;
pub use changes::{ChangeError, Event, Submission};
pub(crate) use endpoints::Endpoints;
pub(crate) use http::{ROUTES, Traffic};
pub use job::{Job, JobType, Method, Status, Vcenter};
pub use names::VCENTER_PASSWORD;
pub use provider::Provider;
pub(crate) use series::LATENCY_BOUNDS;
pub use series::{Family, MetricKind, Series, SeriesTable};

use incident::{Incidents, Kind};
use job::Fate;
use process::{Load, Process};
use provider::PerProvider;
use series::{Rows, Values};

/// Length of a tick, milliseconds.
pub const TICK_MS: i64 = 250;
/// Jobs a minute for which the slots of the providers are made.
pub const USUAL_JOBS_PER_MINUTE: f64 = 2.0;
/// Most jobs that wait or work at once; more are not submitted.
pub const ACTIVE_LIMIT: usize = 20_000;
/// Longest span that is simulated tick by tick when the clock jumps; what is beyond it is skipped.
const CATCH_UP_MS: i64 = 24 * 3_600_000;

/// What kind of daemon the world is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As documented: six providers, a queue with slots for each, a cancel stops the job.
    Fleet,
    /// As coded: vSphere only, every job starts at once, a cancelled export goes on.
    Daemon,
}

/// What a world is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldOptions {
    /// Same seed, same world.
    pub seed: u64,
    /// Where its clock begins, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Jobs submitted a minute, on average over a day; 0 for a world where nothing happens by itself. At most 6,000.
    pub jobs_per_minute: f64,
    /// Kind of daemon.
    pub profile: Profile,
    /// Finished jobs it remembers; older ones are forgotten.
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

/// Jobs by status since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// At work.
    pub running: u64,
    /// In the queue.
    pub pending: u64,
    /// Ended well.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// State of the daemon's process. Memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct System {
    /// Processor use, 0 to 100.
    pub cpu_percent: f64,
    /// In use in all.
    pub memory: f64,
    /// Allocated on the heap.
    pub heap: f64,
    /// Stacks of goroutines.
    pub stack: f64,
    /// Got from the operating system.
    pub sys: f64,
    /// Goroutines.
    pub goroutines: u64,
    /// Clients of the live feed.
    pub sockets: u64,
    /// Open HTTP connections.
    pub http_connections: u64,
    /// Connections to providers in use.
    pub pool_active: u64,
    /// Most connections to providers.
    pub pool_max: u64,
}

/// A simulated daemon with all its jobs. See the [module](self).
#[derive(Debug)]
pub struct World {
    options: WorldOptions,
    /// `jobs_per_minute` over the usual number.
    scale: f64,
    dice: Dice,
    now_ms: i64,
    boot_ms: i64,
    /// Pending and working, oldest first.
    active: Vec<Job>,
    /// Ended, in the order of their ends.
    finished: VecDeque<Job>,
    /// Since boot; `running` and `pending` are counted when asked for.
    ended: Counts,
    pressure: PerProvider<f64>,
    table: Arc<SeriesTable>,
    rows: Rows,
    values: Values,
    traffic: Traffic,
    /// Only of a coded daemon.
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

    /// What it was made from.
    #[must_use]
    pub fn options(&self) -> &WorldOptions {
        &self.options
    }

    /// Its clock, milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Time since the daemon started.
    #[must_use]
    pub fn uptime_ms(&self) -> i64 {
        self.now_ms - self.boot_ms
    }

    /// Jobs that wait or work, oldest first.
    #[must_use]
    pub fn active(&self) -> &[Job] {
        &self.active
    }

    /// Jobs that ended and are remembered, in the order of their ends.
    pub fn finished(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.finished.iter()
    }

    /// Every job it knows: those that ended, then those that did not.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.finished.iter().chain(&self.active)
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.active.iter().chain(self.finished.iter().rev()).find(|job| job.id == id)
    }

    /// Jobs by status since the daemon started.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.ended;
        for job in &self.active {
            match job.status {
                Status::Pending => counts.pending += 1,
                Status::Running => counts.running += 1,
                // Goes on after a cancel: counted when it was cancelled.
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

    /// State of the process now.
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

    /// Sets how many real clients the live feed has; they show in the gauges.
    pub fn set_clients(&mut self, clients: u64) {
        self.clients = clients;
    }

    /// The series of [`World::sample`]. Never changes, so look each one up once.
    #[must_use]
    pub fn table(&self) -> Arc<SeriesTable> {
        Arc::clone(&self.table)
    }

    /// The values of all series now, in the order of [`World::table`].
    pub fn sample(&mut self) -> &[f64] {
        let mut running = PerProvider::<usize>::default();
        let mut pending = PerProvider::<usize>::default();
        for job in &self.active {
            match job.status {
                Status::Pending => *pending.get_mut(job.provider) += 1,
                _ => *running.get_mut(job.provider) += 1,
            }
        }
        let system = self.system();
        let (rows, values) = (&self.rows, &mut self.values);
        for provider in Provider::ALL {
            values.set(*rows.active.get(provider), real(*running.get(provider)));
            values.set(*rows.pending.get(provider), real(*pending.get(provider)));
            values.set(*rows.queue.get(provider), real(*pending.get(provider)));
        }
        let gauges = [
            (rows.memory, system.memory),
            (rows.memory + 1, system.heap),
            (rows.memory + 2, system.stack),
            (rows.memory + 3, system.sys),
            (rows.cpu, system.cpu_percent),
            (rows.goroutines, real_bytes(system.goroutines)),
            (rows.websocket_clients, real_bytes(system.sockets)),
            (rows.websocket_connections, real_bytes(system.sockets)),
            (rows.connections, real_bytes(system.http_connections)),
            (rows.connections + 1, real_bytes(system.sockets)),
            (rows.connections + 2, real_bytes(system.pool_active)),
            (rows.connections + 3, real_bytes(system.pool_max)),
        ];
        for (row, value) in gauges {
            values.set(row, value);
        }
        self.values.all()
    }

    /// Makes history: advances by `hours`, and after every `step_seconds` calls `each` with the time in milliseconds since
    /// the Unix epoch and the values of all series, in the order of [`World::table`]. Events of that time are dropped.
    /// Afterwards the world goes on from there.
    pub fn run_history(&mut self, hours: f64, step_seconds: u32, mut each: impl FnMut(i64, &[f64])) {
        let step_ms = i64::from(step_seconds.max(1)) * 1000;
        let end_ms = self.now_ms + milliseconds(hours.max(0.0) * 3600.0);
        let mut next_ms = self.now_ms + step_ms;
        while next_ms <= end_ms {
            self.advance_to(next_ms);
            self.events.clear();
            each(next_ms, self.sample());
            next_ms += step_ms;
        }
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

    fn tick(&mut self) {
        let whole_second = self.now_ms.rem_euclid(1000) < TICK_MS;
        if self.scale > 0.0 {
            self.submit_random();
        }
        self.start_pending();
        if whole_second {
            self.vary();
        }
        self.work(whole_second);
        let strain = if self.incidents.on(Kind::SlowAnswers, self.now_ms).is_some() { 5.0 } else { 1.0 };
        let working = self.active.iter().filter(|job| job.working).count();
        let request_rate = http::rate(self.rhythm(), working);
        self.traffic.tick(
            &mut self.dice,
            (&self.rows, &mut self.values),
            request_rate,
            seconds(TICK_MS),
            strain,
            |request| {
                if self.options.profile == Profile::Daemon {
                    // Mostly asked for: one of the jobs at work.
                    let turn = usize::try_from(self.now_ms / TICK_MS).unwrap_or(0);
                    let asked_for = self.active.get(turn % self.active.len().max(1));
                    self.endpoints.record(request, asked_for.map_or("unknown", |job| &job.id));
                }
            },
        );
        if whole_second {
            let load = Load {
                active: working,
                scale: self.scale,
                remembered: self.finished.len(),
                request_rate,
                strain,
                leaking: self.incidents.on(Kind::Leak, self.now_ms).is_some(),
                rhythm: self.rhythm(),
                visited: self.options.profile == Profile::Fleet,
            };
            self.process.second(&mut self.dice, load);
        }
        if self.now_ms.rem_euclid(alert::CHECK_MS) < TICK_MS {
            self.sample();
            for alert in self.alerts.check(&self.rows, &self.values, self.now_ms) {
                self.push(Event::Alert(alert));
            }
        }
    }

    /// How busy this hour is, around 1: most in the early afternoon, with a smaller peak of backups at night.
    fn rhythm(&self) -> f64 {
        let day = seconds(self.now_ms.rem_euclid(86_400_000)) / 86_400.0;
        1.0 + 0.18 * (TAU * (day - 0.33)).sin() + 0.12 * (2.0 * TAU * (day - 0.02)).sin()
    }

    fn submit_random(&mut self) {
        let per_tick = self.scale * USUAL_JOBS_PER_MINUTE * 0.84 * self.rhythm() * seconds(TICK_MS) / 60.0;
        for _ in 0..self.dice.poisson(per_tick) {
            let provider = self
                .dice
                .pick_weighted(&Provider::ALL, |provider| provider.traits().weight)
                .copied()
                .unwrap_or(Provider::Kvm);
            self.submit_at(provider);
        }
        if let Some(provider) = self.incidents.advance(&mut self.dice, self.now_ms) {
            let size = whole((10.0 + real(self.dice.below(26))) * self.scale);
            for _ in 0..size {
                self.submit_at(provider);
            }
        }
    }

    fn submit_at(&mut self, provider: Provider) {
        if self.active.len() >= ACTIVE_LIMIT {
            return;
        }
        let provider = if self.options.profile == Profile::Daemon { Provider::Vsphere } else { provider };
        let job = Job::random(&mut self.dice, provider, self.now_ms);
        self.enqueue(job);
    }

    /// Starts the oldest pending jobs for which there is a slot.
    fn start_pending(&mut self) {
        if !self.active.iter().any(|job| job.status == Status::Pending && !job.manual) {
            return;
        }
        let mut busy = PerProvider::<usize>::default();
        for job in self.active.iter().filter(|job| job.working) {
            *busy.get_mut(job.provider) += 1;
        }
        let mut jobs = std::mem::take(&mut self.active);
        for job in jobs.iter_mut().filter(|job| job.status == Status::Pending && !job.manual) {
            let busy = busy.get_mut(job.provider);
            if real(*busy) < self.slots(job.provider) {
                *busy += 1;
                self.start(job);
            }
        }
        self.active = jobs;
    }

    fn slots(&self, provider: Provider) -> f64 {
        match self.options.profile {
            Profile::Daemon => f64::INFINITY,
            Profile::Fleet => (provider.traits().slots * self.scale).ceil().max(1.0),
        }
    }

    fn start(&mut self, job: &mut Job) {
        let failing = self.incidents.on(Kind::Failures, self.now_ms) == Some(job.provider);
        let likely = if failing { 0.6 } else { 0.034 };
        job.fate = if self.dice.chance(likely) {
            let share =
                if self.dice.chance(0.3) { 0.0 } else { self.dice.between(0.02, if failing { 0.3 } else { 0.97 }) };
            Fate::Fails(share, self.dice.pick(job.provider.traits().failures).copied().unwrap_or("export failed"))
        } else if self.dice.chance(0.013) {
            Fate::IsCancelled(self.dice.between(0.05, 0.9))
        } else {
            Fate::Completes
        };
        job.connected_at_ms = self.now_ms + milliseconds(self.dice.between(2.0, 14.0));
        job.vigour = self.dice.log_normal(1.0, 0.25);
        self.begin(job);
    }

    /// The slow variations: of providers, of jobs, and stalls.
    fn vary(&mut self) {
        for provider in Provider::ALL {
            let pressure = self.pressure.get_mut(provider);
            *pressure = self.dice.drift(*pressure, 1.0, 0.006, 0.012).clamp(0.45, 1.5);
        }
        let failing = self.incidents.on(Kind::Failures, self.now_ms);
        for job in self.active.iter_mut().filter(|job| job.working && !job.manual) {
            job.vigour = self.dice.drift(job.vigour, 1.0, 0.02, 0.035).clamp(0.35, 1.8);
            if self.dice.chance(0.0012) {
                job.stalled_until_ms = self.now_ms + milliseconds(self.dice.between(2.0, 14.0));
            }
            if failing == Some(job.provider) && self.dice.chance(0.0015) {
                let reason = self.dice.pick(job.provider.traits().failures).copied().unwrap_or("export failed");
                job.fate = Fate::Fails(0.0, reason);
            }
        }
    }

    /// Moves the bytes of a tick and ends the jobs whose time has come.
    fn work(&mut self, whole_second: bool) {
        let mut jobs = std::mem::take(&mut self.active);
        let mut any_ended = false;
        for job in jobs.iter_mut().filter(|job| job.working && !job.manual) {
            if whole_second {
                job.updated_ms = self.now_ms;
            }
            if self.now_ms < job.connected_at_ms {
                continue;
            }
            let total = real_bytes(job.bytes_total);
            job.rate = if self.now_ms < job.stalled_until_ms {
                0.0
            } else {
                job.provider.traits().rate * job.streams * job.vigour * self.pressure.get(job.provider)
            };
            let moved = (job.rate * seconds(TICK_MS)).min(total - job.moved).max(0.0);
            job.moved += moved;
            self.values.add(*self.rows.bytes.get(job.provider), moved.floor());
            let fated = job.moved / total.max(1.0) >= job.fated_share();
            match job.fate.clone() {
                Fate::Fails(_, reason) if fated => self.end(job, Status::Failed, Some(reason.to_owned())),
                Fate::IsCancelled(_) if fated => self.cancel_job(job),
                _ if job.moved >= total => self.end(job, Status::Completed, None),
                _ => {}
            }
            any_ended |= job.ended();
        }
        self.active = jobs;
        if any_ended {
            self.retire();
        }
    }
}
