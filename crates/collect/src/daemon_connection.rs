//! The state of one daemon, and how messages and responses change it. The tasks that receive them are in
//! [`crate::socket`], [`crate::poller`] and [`crate::scrape_loop`].

use std::{sync::Arc, time::Duration};

use budget::json;
use hypervisord::{
    feed::{self, FeedError, Incoming, JobList, Message, Repeats, SystemReading},
    jobs::{JobTable, JobUpdate, Listing, Moment, Outcome, Rules},
    knowledge::{Knowledge, News},
};
use model::{
    clock::now_ms,
    job::Job,
    live::{AlertState, Event},
    system::SystemMetrics,
    upstream::{UpstreamKind, UpstreamState},
};
use parking_lot::{Mutex, MutexGuard};
use redact::Redactor;
use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};

use crate::{
    DaemonConfig, Options,
    client::{CallError, Client},
    detect::{Dialect, Profile},
    liveness::{Liveness, StalenessThresholds},
    status::StatusCell,
};

/// The state of one daemon.
pub(crate) struct DaemonConnection {
    pub name: String,
    pub config: DaemonConfig,
    pub options: Options,
    pub client: Client,
    pub redactor: Arc<Redactor>,
    pub status: StatusCell,
    pub profile: watch::Sender<Option<Profile>>,
    /// Wakes the poller when there is something to request from the daemon.
    pub wake: Notify,
    /// Wakes the scrape loop when there is something to write.
    pub fed: Notify,
    events: broadcast::Sender<Event>,
    knowledge: Mutex<Knowledge>,
    liveness: Mutex<Liveness>,
    repeats: Mutex<Repeats>,
    /// Start of the monotonic clock.
    begun: Instant,
}

impl DaemonConnection {
    pub(crate) fn new(
        config: DaemonConfig,
        client: Client,
        redactor: Arc<Redactor>,
        events: broadcast::Sender<Event>,
        options: Options,
    ) -> Self {
        let rules = Rules { cancelled_is_final: false, most_ended: options.most_ended_jobs };
        DaemonConnection {
            name: config.name.clone(),
            client,
            redactor,
            status: StatusCell::new(&config.name, UpstreamKind::Daemon, now_ms(), events.clone()),
            profile: watch::Sender::new(None),
            wake: Notify::new(),
            fed: Notify::new(),
            events,
            knowledge: Mutex::new(Knowledge::new(JobTable::new(&config.name, rules))),
            liveness: Mutex::default(),
            repeats: Mutex::default(),
            begun: Instant::now(),
            config,
            options,
        }
    }

    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.knowledge().jobs.jobs().cloned().collect()
    }

    pub(crate) fn job_count(&self) -> usize {
        self.knowledge().jobs.jobs().count()
    }

    pub(crate) fn job(&self, id: &str) -> Option<Job> {
        self.knowledge().jobs.job(id).cloned()
    }

    pub(crate) fn system(&self) -> Option<SystemMetrics> {
        self.knowledge().system.clone()
    }

    /// Takes the steps and numbers to write, once the daemon has sent all its jobs. Each is returned once.
    pub(crate) fn take_news(&self) -> Option<News> {
        self.knowledge().take_news()
    }

    /// Whether the first samples can be written: the daemon has sent its jobs, or cannot be reached.
    pub(crate) fn has_spoken(&self) -> bool {
        let has_page = self.profile.borrow().as_ref().is_some_and(|profile| profile.metrics_path.is_some());
        match self.status.state() {
            UpstreamState::Connecting => false,
            state if state.is_fresh() => has_page || self.knowledge().jobs.is_filled(),
            _ => true,
        }
    }

    /// The kind of daemon was detected.
    pub(crate) fn recognised(&self, profile: Profile) {
        let is_documented = profile.dialect == Dialect::Documented;
        self.knowledge().jobs.set_cancelled_is_final(is_documented);
        self.liveness().set_sends_events(is_documented);
        self.status.update(now_ms(), |status| status.detail = Some(profile.detail()));
        self.profile.send_replace(Some(profile));
    }

    pub(crate) fn prefix(&self) -> &'static str {
        self.profile.borrow().as_ref().map_or("", |profile| profile.prefix)
    }

    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.profile.borrow().as_ref().map(|profile| profile.dialect)
    }

    /// Parses a message of the socket.
    pub(crate) fn parse(&self, text: &str) -> Result<Incoming, FeedError> {
        json::check(text.as_bytes(), json::OF_DAEMONS).map_err(<serde_json::Error as serde::de::Error>::custom)?;
        let mut repeats = self.repeats.lock();
        feed::parse(text, &self.redactor, &mut repeats)
    }

    /// Applies a message of the socket. Status changes are published before this returns.
    pub(crate) fn receive(&self, incoming: Incoming) {
        let (now_ms, at) = (now_ms(), self.begun.elapsed());
        let made_ms = incoming.at_ms;
        let is_data = !matches!(incoming.message, Message::Other);
        let is_event = matches!(incoming.message, Message::System(_));
        match incoming.message {
            Message::AllJobs(jobs) => self.apply(|knowledge| {
                let moment = knowledge.moment(now_ms, made_ms);
                knowledge.list(jobs, &[], Listing::Sketch, moment)
            }),
            Message::Job(update) => self.apply(|knowledge| {
                let moment = knowledge.moment(now_ms, made_ms);
                let updates = knowledge.shifted(vec![*update]);
                knowledge.jobs.update(updates, moment)
            }),
            Message::Metrics { numbers, jobs } => self.apply(|knowledge| {
                let moment = knowledge.moment(now_ms, made_ms);
                numbers
                    .uptime_seconds
                    .into_iter()
                    .for_each(|uptime| knowledge.note_uptime(uptime, made_ms, now_ms, at));
                knowledge.numbers = Some(*numbers);
                let mut outcome = match jobs {
                    Some(JobList { updates, unchanged }) => knowledge.list(updates, &unchanged, Listing::Full, moment),
                    None => Outcome::default(),
                };
                outcome.events.extend(knowledge.note_system(&self.name, numbers.system, false, at));
                outcome
            }),
            Message::System(reading) => self.apply(|knowledge| {
                knowledge.jobs.set_cancelled_is_final(true);
                let event = knowledge.note_system(&self.name, reading, true, at);
                Outcome { events: event.into_iter().collect(), ..Outcome::default() }
            }),
            Message::Alert(mut alert) => {
                alert.labels.insert("daemon".to_owned(), self.name.clone());
                let _ = self.events.send(match alert.state {
                    AlertState::Inactive => Event::AlertResolved(alert),
                    _ => Event::AlertFired(alert),
                });
            }
            Message::Other => {}
        }
        if is_data {
            let trouble = {
                let mut liveness = self.liveness();
                liveness.heard(Instant::now());
                if is_event {
                    liveness.set_sends_events(true);
                }
                liveness.issues()
            };
            self.status.update(now_ms, |status| {
                status.last_data_ms = Some(now_ms);
                status.state = UpstreamState::Live;
                status.error = trouble;
            });
            // Again, now that the daemon counts as connected.
            self.fed.notify_one();
        }
    }

    /// Records the uptime in a response.
    pub(crate) fn note_uptime(&self, uptime_seconds: f64) {
        self.knowledge().note_uptime(uptime_seconds, None, now_ms(), self.begun.elapsed());
    }

    /// Applies a response with all jobs.
    pub(crate) fn answered_all(&self, jobs: Vec<JobUpdate>, daemon_ms: Option<i64>) {
        let now_ms = now_ms();
        self.apply(|knowledge| {
            let moment = knowledge.moment(now_ms, daemon_ms);
            let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
            let outcome = knowledge.list(jobs, &[], Listing::Full, moment);
            knowledge.jobs.mark_detailed(&ids, now_ms);
            outcome
        });
        self.status.update(now_ms, |status| status.last_data_ms = Some(now_ms));
        self.liveness().polled(Instant::now());
        self.refresh();
    }

    /// Applies a response with some of the requested jobs.
    pub(crate) fn answered_some(&self, asked: &[String], jobs: Vec<JobUpdate>, daemon_ms: Option<i64>) {
        let now_ms = now_ms();
        self.apply(|knowledge| {
            let moment = knowledge.moment(now_ms, daemon_ms);
            let jobs = knowledge.shifted(jobs);
            let outcome = knowledge.jobs.update(jobs, moment);
            knowledge.jobs.mark_detailed(asked, now_ms);
            outcome
        });
    }

    /// Converts a time of the daemon's clock to ours.
    pub(crate) fn our_time(&self, daemon_ms: i64) -> i64 {
        self.knowledge().our_time(daemon_ms)
    }

    /// Records that the daemon accepted the cancellation of a job.
    pub(crate) fn cancel_accepted(&self, id: &str) {
        let now_ms = now_ms();
        self.apply(|knowledge| knowledge.jobs.cancel_accepted(id, Moment { now_ms, daemon_ms: now_ms }));
        self.wake.notify_one();
    }

    /// Jobs whose details should be requested.
    pub(crate) fn wanting_detail(&self, limit: usize, refresh_ms: Option<i64>) -> Vec<String> {
        self.knowledge().jobs.wanting_detail(limit, now_ms(), refresh_ms)
    }

    /// Publishes delayed progress.
    pub(crate) fn tick(&self) {
        for event in self.knowledge().jobs.tick(now_ms()) {
            let _ = self.events.send(event);
        }
    }

    pub(crate) fn settle_cancelled(&self) {
        let now_ms = now_ms();
        self.apply(|knowledge| knowledge.jobs.settle_cancelled(Moment { now_ms, daemon_ms: now_ms }));
    }

    /// The socket is open; there may be no data yet.
    pub(crate) fn socket_opened(&self, is_reconnect: bool) {
        self.liveness().opened();
        self.repeats.lock().clear();
        self.wake.notify_one();
        if is_reconnect {
            self.status.update(now_ms(), |status| status.reconnects += 1);
        }
    }

    /// The socket was closed, or could not be opened. `is_reached` says whether something responded.
    pub(crate) fn socket_failed(&self, error: &str, is_reached: bool) {
        self.liveness().closed(self.redactor.text(error).into_owned(), is_reached);
        self.wake.notify_one();
        self.refresh();
    }

    /// Records a problem of the feed while the connection continues.
    pub(crate) fn feed_issue(&self, error: &str) {
        self.liveness().set_feed_trouble(self.redactor.text(error).into_owned());
        self.refresh();
    }

    /// Records that a poll failed.
    pub(crate) fn poll_failed(&self, error: &CallError) {
        if !self.feed_is_fresh() {
            self.liveness().poll_failed(error.to_string(), error.is_reached());
            self.refresh();
        }
    }

    /// Records that a scrape succeeded or failed.
    pub(crate) fn scraped(&self, error: Option<String>) {
        self.liveness().set_scrape_trouble(error.map(|error| format!("the scrape failed: {error}")));
        self.refresh();
    }

    /// Records the process state from the daemon's `/metrics`. While the feed sends it, the feed is preferred.
    pub(crate) fn read_vitals(&self, reading: SystemReading) {
        if self.feed_is_fresh() {
            return;
        }
        self.apply(|knowledge| {
            let event = knowledge.note_system(&self.name, reading, false, self.begun.elapsed());
            Outcome { events: event.into_iter().collect(), ..Outcome::default() }
        });
    }

    /// Whether messages arrive over the socket.
    pub(crate) fn feed_is_fresh(&self) -> bool {
        let liveness = self.liveness();
        liveness.feed_is_fresh(Instant::now(), self.thresholds(&liveness))
    }

    /// Time of the last message with data.
    pub(crate) fn last_message(&self) -> Option<Instant> {
        self.liveness().last_message()
    }

    /// Whether to request all jobs now; true once per request.
    pub(crate) fn take_wants_all(&self) -> bool {
        self.liveness().take_wants_all()
    }

    /// Whether the daemon sends events rather than its whole state each second.
    pub(crate) fn sends_events(&self) -> bool {
        self.liveness().sends_events()
    }

    /// After which time without data a socket is stale.
    pub(crate) fn stale_after(&self) -> Duration {
        self.thresholds(&self.liveness()).message
    }

    /// Stock daemons send a message every second; documented ones may be silent for 5 s.
    fn thresholds(&self, liveness: &Liveness) -> StalenessThresholds {
        let message = self.options.stale_after * if liveness.sends_events() { 2 } else { 1 };
        StalenessThresholds { message, poll: self.options.poll_interval * 2 + message }
    }

    /// Updates the status from the current problems and the age of the last data.
    pub(crate) fn refresh(&self) {
        let before = self.status.state();
        self.status.update(now_ms(), |status| {
            let liveness = self.liveness();
            let has_data = status.last_data_ms.is_some();
            status.state = liveness.state(status.state, has_data, Instant::now(), self.thresholds(&liveness));
            status.error = liveness.issues();
        });
        let state = self.status.state();
        if !state.is_fresh() {
            self.knowledge().await_list();
        }
        if state != before {
            self.fed.notify_one();
        }
    }

    fn apply(&self, change: impl FnOnce(&mut Knowledge) -> Outcome) {
        let mut knowledge = self.knowledge();
        let outcome = change(&mut knowledge);
        knowledge.note_steps(outcome.is_new_life, outcome.changes, now_ms());
        self.fed.notify_one();
        // Sent while locked, so that events are published in order. Sending never blocks; without receivers the event
        // is dropped.
        for event in outcome.events {
            let _ = self.events.send(event);
        }
    }

    fn knowledge(&self) -> MutexGuard<'_, Knowledge> {
        self.knowledge.lock()
    }

    fn liveness(&self) -> MutexGuard<'_, Liveness> {
        self.liveness.lock()
    }
}
