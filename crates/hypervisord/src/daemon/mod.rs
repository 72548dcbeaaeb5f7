//! The state of one daemon, and how messages, responses and time change it.
//!
//! A driver owns the socket, the HTTP client and the clock, and calls:
//!
//! - [`Daemon::detection`] before it opens the socket, then [`Daemon::socket_opened`], [`Daemon::receive`] for each
//!   message, and [`Daemon::socket_failed`];
//! - [`Daemon::next_poll`] every [`POLL_LOOK`](crate::poll::POLL_LOOK) and when [`Effects::has_requests`];
//! - [`Daemon::tick`] every [`TICK`];
//! - [`Collector`](crate::collector::Collector) at each scrape tick and when [`Effects::has_samples`].
//!
//! After each call it publishes what [`Daemon::take_effects`] returns, in this order.

mod connection;
mod knowledge;
mod liveness;
mod skew;

use std::{sync::Arc, time::Duration};

use model::{
    job::Job,
    live::{AlertState, Event},
    system::SystemMetrics,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};
use redact::Redactor;
use scrape::TrackedStatus;

use self::{
    knowledge::Knowledge,
    liveness::{Liveness, StalenessThresholds},
};
use crate::{
    clock::{Every, Now},
    detect::Profile,
    feed::{Incoming, JobList, Message, SystemReading},
    jobs::{JobTable, JobUpdate, Listing, Moment, Outcome, Rules},
    poll::PollSchedule,
};

pub use connection::GOOD_SESSION;
pub(crate) use knowledge::{News, Step};

/// Interval between calls of [`Daemon::tick`].
pub const TICK: Duration = Duration::from_millis(100);
/// Interval between updates of the state by the age of the last data.
const REFRESH: Duration = Duration::from_millis(300);
/// Interval between checks whether cancelled jobs have stopped.
const SETTLE: Duration = Duration::from_secs(10);

/// Intervals and limits.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A socket without data for this long is stale; for daemons that only send events, after twice that.
    pub stale_after: Duration,
    /// Interval of polls while the socket is down.
    pub poll_interval: Duration,
    /// Maximum size of a list of jobs, in bytes.
    pub list_bytes: usize,
    /// Maximum uncompressed size of a page of metrics, in bytes.
    pub page_bytes: usize,
    /// Maximum number of ended jobs; the oldest are dropped. Running and pending jobs stay, up to four times as many
    /// jobs in total.
    pub most_ended_jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            stale_after: Duration::from_secs(5),
            poll_interval: Duration::from_secs(2),
            list_bytes: 64 << 20,
            page_bytes: 16 << 20,
            most_ended_jobs: 5000,
        }
    }
}

/// What the driver has to do after calls.
#[derive(Debug, Default)]
pub struct Effects {
    /// Events to publish, in order.
    pub events: Vec<Event>,
    /// There may be something to request: call [`Daemon::next_poll`].
    pub has_requests: bool,
    /// There may be samples to write: call [`Collector::changes`](crate::collector::Collector::changes).
    pub has_samples: bool,
}

/// The state of one daemon.
pub struct Daemon {
    name: String,
    pub(crate) options: Options,
    redactor: Arc<Redactor>,
    knowledge: Knowledge,
    pub(crate) liveness: Liveness,
    status: TrackedStatus,
    profile: Option<Profile>,
    /// When the profile was detected, by the monotonic clock, while it is still valid for the next socket.
    recognised_at: Option<Duration>,
    /// Whether the socket was open before.
    was_open: bool,
    pub(crate) polls: PollSchedule,
    refreshes: Every,
    settling: Every,
    effects: Effects,
}

impl Daemon {
    /// A daemon that is not connected yet. `name` is the label `daemon` of its jobs and series.
    #[must_use]
    pub fn new(name: &str, options: Options, redactor: Arc<Redactor>, now_ms: i64) -> Self {
        let rules = Rules { cancelled_is_final: false, most_ended: options.most_ended_jobs };
        Daemon {
            name: name.to_owned(),
            options,
            redactor,
            knowledge: Knowledge::new(JobTable::new(name, rules)),
            liveness: Liveness::default(),
            status: TrackedStatus::new(name, UpstreamKind::Daemon, now_ms),
            profile: None,
            recognised_at: None,
            was_open: false,
            polls: PollSchedule::default(),
            refreshes: Every::new(REFRESH),
            settling: Every::new(SETTLE),
            effects: Effects::default(),
        }
    }

    /// Takes what the calls since the last one cause.
    #[must_use = "events are to be published"]
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// Name of the daemon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its jobs, in any order.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.knowledge.jobs.jobs()
    }

    /// One job.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.knowledge.jobs.job(id)
    }

    /// The last state of its process, if it reported any.
    #[must_use]
    pub fn system(&self) -> Option<&SystemMetrics> {
        self.knowledge.system.as_ref()
    }

    /// Its status as a source.
    #[must_use]
    pub fn status(&self) -> &UpstreamStatus {
        self.status.get()
    }

    /// How far its clock is behind ours, in milliseconds; 0 while it is about right.
    #[must_use]
    pub fn behind_ms(&self) -> i64 {
        self.knowledge.behind_ms()
    }

    /// Whether its data is fresh.
    pub(crate) fn is_fresh(&self) -> bool {
        self.status().state.is_fresh()
    }

    /// What was detected about it.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// Prefix of its paths.
    pub(crate) fn prefix(&self) -> &'static str {
        self.profile.as_ref().map_or("", |profile| profile.prefix)
    }

    /// Whether the first samples can be written: the daemon has sent its jobs, or cannot be reached.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        let has_page = self.profile.as_ref().is_some_and(|profile| profile.metrics_path.is_some());
        match self.status().state {
            UpstreamState::Connecting => false,
            state if state.is_fresh() => has_page || self.knowledge.jobs.is_filled(),
            _ => true,
        }
    }

    /// Applies a message of the socket. Status changes are part of the effects.
    pub fn receive(&mut self, incoming: Incoming, now: Now) {
        let Now { ms: now_ms, at } = now;
        let made_ms = incoming.at_ms;
        let is_data = !matches!(incoming.message, Message::Other);
        let is_event = matches!(incoming.message, Message::System(_));
        match incoming.message {
            Message::AllJobs(jobs) => self.apply(now, |knowledge, _| {
                let moment = knowledge.moment(now_ms, made_ms);
                knowledge.list(jobs, &[], Listing::Sketch, moment)
            }),
            Message::Job(update) => self.apply(now, |knowledge, _| {
                let moment = knowledge.moment(now_ms, made_ms);
                let updates = knowledge.shifted(vec![*update]);
                knowledge.jobs.update(updates, moment)
            }),
            Message::Metrics { numbers, jobs } => self.apply(now, |knowledge, daemon| {
                let moment = knowledge.moment(now_ms, made_ms);
                if let Some(uptime) = numbers.uptime_seconds {
                    knowledge.note_uptime(uptime, made_ms, now_ms, at);
                }
                knowledge.numbers = Some(*numbers);
                let mut outcome = match jobs {
                    Some(JobList { updates, unchanged }) => knowledge.list(updates, &unchanged, Listing::Full, moment),
                    None => Outcome::default(),
                };
                outcome.events.extend(knowledge.note_system(daemon, numbers.system, false, at));
                outcome
            }),
            Message::System(reading) => self.apply(now, |knowledge, daemon| {
                knowledge.jobs.set_cancelled_is_final(true);
                let event = knowledge.note_system(daemon, reading, true, at);
                Outcome { events: event.into_iter().collect(), ..Outcome::default() }
            }),
            Message::Alert(mut alert) => {
                alert.labels.insert("daemon".to_owned(), self.name.clone());
                self.effects.events.push(match alert.state {
                    AlertState::Inactive => Event::AlertResolved(alert),
                    _ => Event::AlertFired(alert),
                });
            }
            Message::Other => {}
        }
        if is_data {
            self.liveness.heard(at);
            if is_event {
                self.liveness.set_sends_events(true);
            }
            let trouble = self.liveness.issues();
            self.update_status(now_ms, |status| {
                status.last_data_ms = Some(now_ms);
                status.state = UpstreamState::Live;
                status.error = trouble;
            });
            // Now the daemon counts as connected.
            self.effects.has_samples = true;
        }
    }

    /// Publishes delayed progress, and finds that data is stale and that cancelled jobs have stopped. Call it every
    /// [`TICK`].
    pub fn tick(&mut self, now: Now) {
        self.effects.events.extend(self.knowledge.jobs.tick(now.ms));
        if self.refreshes.is_due(now.at, TICK / 2) {
            self.refresh(now);
        }
        if self.settling.is_due(now.at, TICK / 2) {
            let moment = Moment { now_ms: now.ms, daemon_ms: now.ms };
            self.apply(now, |knowledge, _| knowledge.jobs.settle_cancelled(moment));
        }
    }

    /// Takes the steps and numbers to write, once the daemon has sent all its jobs. Each is returned once.
    pub(crate) fn take_news(&mut self) -> Option<News> {
        self.knowledge.take_news()
    }

    /// Records the result of a scrape tick: what is wrong with the page, and how long its request took.
    pub(crate) fn scraped(&mut self, error: Option<String>, took: Option<Duration>, now: Now) {
        self.liveness.set_scrape_trouble(error.map(|error| format!("the scrape failed: {error}")));
        self.refresh(now);
        if let Some(took) = took {
            self.update_status(now.ms, |status| status.scrape_duration_seconds = Some(took.as_secs_f64()));
        }
    }

    /// Records the process state from the daemon's page of metrics. While the feed sends it, the feed is preferred.
    pub(crate) fn read_vitals(&mut self, reading: SystemReading, now: Now) {
        if self.feed_is_fresh(now) {
            return;
        }
        self.apply(now, |knowledge, daemon| {
            let event = knowledge.note_system(daemon, reading, false, now.at);
            Outcome { events: event.into_iter().collect(), ..Outcome::default() }
        });
    }

    /// Records the uptime in a response.
    pub(crate) fn note_uptime(&mut self, uptime_seconds: f64, now: Now) {
        self.knowledge.note_uptime(uptime_seconds, None, now.ms, now.at);
    }

    /// Applies a response with all jobs.
    pub(crate) fn answered_all(&mut self, jobs: Vec<JobUpdate>, daemon_ms: Option<i64>, now: Now) {
        self.apply(now, |knowledge, _| {
            let moment = knowledge.moment(now.ms, daemon_ms);
            let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
            let outcome = knowledge.list(jobs, &[], Listing::Full, moment);
            knowledge.jobs.mark_detailed(&ids, now.ms);
            outcome
        });
        self.update_status(now.ms, |status| status.last_data_ms = Some(now.ms));
        self.liveness.polled(now.at);
        self.refresh(now);
    }

    /// Applies a response with some of the requested jobs.
    pub(crate) fn answered_some(&mut self, ids: &[String], jobs: Vec<JobUpdate>, daemon_ms: Option<i64>, now: Now) {
        self.apply(now, |knowledge, _| {
            let moment = knowledge.moment(now.ms, daemon_ms);
            let jobs = knowledge.shifted(jobs);
            let outcome = knowledge.jobs.update(jobs, moment);
            knowledge.jobs.mark_detailed(ids, now.ms);
            outcome
        });
    }

    /// Jobs whose details should be requested.
    pub(crate) fn wanting_detail(&self, limit: usize, now_ms: i64, refresh_ms: Option<i64>) -> Vec<String> {
        self.knowledge.jobs.wanting_detail(limit, now_ms, refresh_ms)
    }

    /// Records that the daemon accepted the cancellation of a job.
    pub(crate) fn cancel_accepted(&mut self, id: &str, now: Now) {
        let moment = Moment { now_ms: now.ms, daemon_ms: now.ms };
        self.apply(now, |knowledge, _| knowledge.jobs.cancel_accepted(id, moment));
        self.effects.has_requests = true;
    }

    /// Converts a time of the daemon's clock to ours.
    pub(crate) fn our_time(&self, daemon_ms: i64) -> i64 {
        self.knowledge.our_time(daemon_ms)
    }

    /// Whether messages arrive over the socket.
    pub(crate) fn feed_is_fresh(&self, now: Now) -> bool {
        self.liveness.feed_is_fresh(now.at, self.thresholds())
    }

    /// Stock daemons send a message every second; documented ones may be silent for 5 s.
    fn thresholds(&self) -> StalenessThresholds {
        let message = self.options.stale_after * if self.liveness.sends_events() { 2 } else { 1 };
        StalenessThresholds { message, poll: self.options.poll_interval * 2 + message }
    }

    /// Updates the status from the current problems and the age of the last data.
    pub(crate) fn refresh(&mut self, now: Now) {
        let before = self.status().state;
        let has_data = self.status().last_data_ms.is_some();
        let state = self.liveness.state(before, has_data, now.at, self.thresholds());
        let trouble = self.liveness.issues();
        self.update_status(now.ms, |status| {
            status.state = state;
            status.error = trouble;
        });
        if !state.is_fresh() {
            self.knowledge.await_list();
        }
        self.effects.has_samples |= state != before;
    }

    fn update_status(&mut self, now_ms: i64, change: impl FnOnce(&mut UpstreamStatus)) {
        self.effects.events.extend(self.status.update(now_ms, change));
    }

    /// Changes the jobs and numbers; `change` also gets the daemon's name.
    fn apply(&mut self, now: Now, change: impl FnOnce(&mut Knowledge, &str) -> Outcome) {
        let outcome = change(&mut self.knowledge, &self.name);
        self.knowledge.note_steps(outcome.is_new_life, outcome.changes, now.ms);
        self.effects.events.extend(outcome.events);
        self.effects.has_samples = true;
    }
}

#[cfg(test)]
mod tests;
