//! One daemon's state, shared by the tasks of [`crate::socket`], [`crate::poller`] and [`crate::daemon_scrape_loop`].
//! What decides is [`Daemon`]; this locks it, passes the time to it, and publishes its events.

use std::{sync::Arc, time::Instant};

use hypervisord::{
    Now,
    daemon::{Daemon, Effects},
};
use model::{clock::now_ms, job::Job, live::Event};
use parking_lot::Mutex;
use redact::Redactor;
use tokio::sync::{Notify, broadcast};

use crate::{DaemonConfig, Options, client::Client};

/// One daemon with its client.
pub(crate) struct DaemonConnection {
    pub name: String,
    pub config: DaemonConfig,
    pub options: Options,
    pub client: Client,
    pub redactor: Arc<Redactor>,
    /// Wakes the poller when there is something to request from the daemon.
    pub wake: Notify,
    /// Wakes the scrape loop when there is something to write.
    pub fed: Notify,
    events: broadcast::Sender<Event>,
    daemon: Mutex<Daemon>,
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
        let daemon = Daemon::new(&config.name, options.of_daemon(), Arc::clone(&redactor), now_ms());
        DaemonConnection {
            name: config.name.clone(),
            client,
            redactor,
            wake: Notify::new(),
            fed: Notify::new(),
            events,
            daemon: Mutex::new(daemon),
            begun: Instant::now(),
            config,
            options,
        }
    }

    /// All jobs as the daemon reports them, in any order.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.read(|daemon| daemon.jobs().cloned().collect())
    }

    /// A job as it is shown.
    pub(crate) fn job(&self, id: &str) -> Option<Job> {
        self.read(|daemon| daemon.job(id).cloned()).map(Job::as_shown)
    }

    /// The time by both clocks.
    pub(crate) fn now(&self) -> Now {
        Now { ms: now_ms(), at: self.begun.elapsed() }
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Daemon) -> T) -> T {
        read(&self.daemon.lock())
    }

    /// Changes the state, and publishes the events of the change before this returns.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Daemon, Now) -> T) -> T {
        let mut daemon = self.daemon.lock();
        let result = change(&mut daemon, self.now());
        let Effects { events, has_requests, has_samples } = daemon.take_effects();
        // Sent while locked, so that events are published in order. Sending never blocks; without receivers, shortly
        // after the start and before the end of the server, the event is dropped.
        for event in events {
            let _ = self.events.send(event);
        }
        drop(daemon);
        if has_requests {
            self.wake.notify_one();
        }
        if has_samples {
            self.fed.notify_one();
        }
        result
    }
}
