//! The engine as the worker's tasks share it: one at a time, with the time, and its messages posted after each use.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use hypervisord::{Now, collector::Collector, daemon::Daemon};
use model::worker::ToPage;
use standalone::{Standalone, Wakes};
use web_time::Instant;

use crate::{client::Client, page};

/// Shared by all tasks of the worker.
#[derive(Clone)]
pub(crate) struct Engine(Rc<Shared>);

struct Shared {
    standalone: RefCell<Standalone>,
    client: Client,
    begun: Instant,
    /// Whether there may be something to request, and to write.
    has_requests: Cell<bool>,
    has_samples: Cell<bool>,
    /// Whether the socket is to be tried at once.
    retries: Cell<bool>,
    /// What the page was told is wrong.
    notices: RefCell<Vec<String>>,
}

/// Milliseconds since the Unix epoch.
#[allow(clippy::cast_possible_truncation)] // times of this era
pub(crate) fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

impl Engine {
    pub(crate) fn new(standalone: Standalone, client: Client, begun: Instant) -> Self {
        Engine(Rc::new(Shared {
            standalone: RefCell::new(standalone),
            client,
            begun,
            has_requests: Cell::new(false),
            has_samples: Cell::new(false),
            retries: Cell::new(false),
            notices: RefCell::default(),
        }))
    }

    /// Requests to the daemon.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// The time by both clocks.
    pub(crate) fn now(&self) -> Now {
        Now { ms: now_ms(), at: self.0.begun.elapsed() }
    }

    /// The monotonic clock.
    pub(crate) fn at(&self) -> Duration {
        self.0.begun.elapsed()
    }

    /// Reads the daemon's state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Daemon) -> T) -> T {
        read(self.0.standalone.borrow().daemon())
    }

    /// Uses the engine, then posts its messages to the page.
    pub(crate) fn with<T>(&self, using: impl FnOnce(&mut Standalone) -> T) -> T {
        let (result, messages) = {
            let mut standalone = self.0.standalone.borrow_mut();
            let result = using(&mut standalone);
            (result, standalone.take_messages())
        };
        messages.iter().for_each(page::post_live);
        result
    }

    /// Changes the daemon's state.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Daemon, Now) -> T) -> T {
        let now = self.now();
        let (result, wakes) = self.with(|standalone| standalone.change(now, |daemon| change(daemon, now)));
        self.note(wakes);
        result
    }

    /// Uses the collector, once there is one.
    pub(crate) fn collect<T>(&self, collect: impl FnOnce(&mut Collector, &mut Daemon, Now) -> T) -> Option<T> {
        let now = self.now();
        let used = self.with(|standalone| standalone.collect(now, |collector, daemon| collect(collector, daemon, now)));
        let (result, wakes) = used?;
        self.note(wakes);
        Some(result)
    }

    /// Tells the page what is wrong, if that has changed.
    pub(crate) fn tell_notices(&self) {
        let sentences = self.0.standalone.borrow().notices();
        if *self.0.notices.borrow() != sentences {
            page::post(&ToPage::Notices { sentences: sentences.clone() });
            self.0.notices.replace(sentences);
        }
    }

    fn note(&self, wakes: Wakes) {
        self.0.has_requests.set(self.0.has_requests.get() || wakes.has_requests);
        self.0.has_samples.set(self.0.has_samples.get() || wakes.has_samples);
    }

    /// Whether there may be something to request since the last call.
    pub(crate) fn take_has_requests(&self) -> bool {
        self.0.has_requests.take()
    }

    /// Whether there may be samples to write since the last call.
    pub(crate) fn take_has_samples(&self) -> bool {
        self.0.has_samples.take()
    }

    /// Lets the next attempt to open the socket happen at once.
    pub(crate) fn retry(&self) {
        self.0.retries.set(true);
    }

    /// Whether the socket is to be tried at once, since the last call.
    pub(crate) fn take_retry(&self) -> bool {
        self.0.retries.take()
    }
}
