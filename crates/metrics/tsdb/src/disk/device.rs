//! Disk requests that may be slow, and how long they take.
//!
//! A busy disk can delay a single request for many seconds. We hold no lock that readers need during a request; here
//! the duration is measured and reported.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;

use crate::error::{FileError, OnFile};

/// A request that takes longer is logged.
const SLOW: Duration = Duration::from_secs(1);

/// Kind of a disk request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Write bytes, which may stay in the page cache.
    Write,
    /// Sync to disk, so that written data survives a power cut.
    Sync,
}

impl Request {
    /// Verb for error messages.
    fn verb(self) -> &'static str {
        match self {
            Request::Write => "write",
            Request::Sync => "sync",
        }
    }
}

/// The disk of one store.
#[derive(Debug, Default)]
pub(crate) struct Device {
    syncs: AtomicU64,
    sync_micros: AtomicU64,
    /// Whether the last request was slow.
    is_slow: AtomicBool,
    /// Start times of the requests in flight.
    going_on: Mutex<Vec<Instant>>,
    /// Error of the last request of each kind, if it failed.
    failing: Mutex<[Option<String>; 2]>,
    /// Time of the last successful write.
    written_at: Mutex<Option<SystemTime>>,
    #[cfg(test)]
    pub(crate) held: held::Held,
}

impl Device {
    /// Runs a request and measures it. The caller must not hold a lock that readers need.
    pub(crate) fn ask<T>(
        &self,
        request: Request,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, FileError> {
        let began = Instant::now();
        self.going_on.lock().push(began);
        #[cfg(test)]
        self.held.wait(request);
        let done = act();
        let took = began.elapsed();
        {
            let mut going_on = self.going_on.lock();
            if let Some(position) = going_on.iter().position(|other| *other == began) {
                going_on.swap_remove(position);
            }
        }
        if request == Request::Sync {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            self.sync_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        self.log_slowness(request, path, took);
        self.note(request, done.as_ref().err());
        done.on_file(request.verb(), path)
    }

    fn note(&self, request: Request, error: Option<&io::Error>) {
        if error.is_none() && request == Request::Write {
            *self.written_at.lock() = Some(SystemTime::now());
        }
        let mut failing = self.failing.lock();
        let [writes, syncs] = &mut *failing;
        let slot = match request {
            Request::Write => writes,
            Request::Sync => syncs,
        };
        *slot = error.map(ToString::to_string);
    }

    /// Time of the last successful write since the store was opened.
    pub(crate) fn written_at(&self) -> Option<SystemTime> {
        *self.written_at.lock()
    }

    /// Why requests currently fail, if they do. Contains no file name.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failing.lock().iter().flatten().next().cloned()
    }

    /// Logs once when the disk becomes slow, and once when it recovers.
    fn log_slowness(&self, request: Request, path: &Path, took: Duration) {
        let is_slow = took >= SLOW;
        let was_slow = self.is_slow.swap(is_slow, Ordering::Relaxed);
        let (path, request, seconds) = (path.display(), request.verb(), took.as_secs_f64());
        match (was_slow, is_slow) {
            (false, true) => {
                tracing::warn!(%path, request, seconds, "the disk is slow; reads, scrapes and rules do not wait for it");
            }
            (true, false) => tracing::info!(%path, "the disk is fast again"),
            _ => {}
        }
    }

    /// Number of syncs, and how long they took in total.
    pub(crate) fn syncs(&self) -> (u64, Duration) {
        let micros = self.sync_micros.load(Ordering::Relaxed);
        (self.syncs.load(Ordering::Relaxed), Duration::from_micros(micros))
    }

    /// Age of the oldest request in flight.
    pub(crate) fn waiting(&self) -> Duration {
        self.going_on.lock().iter().min().map_or(Duration::ZERO, Instant::elapsed)
    }
}

/// Simulates a disk that does not answer, for tests.
#[cfg(test)]
mod held {
    use parking_lot::{Condvar, Mutex};

    use super::Request;

    #[derive(Debug, Default)]
    pub(crate) struct Held {
        requests: Mutex<Vec<Request>>,
        changed: Condvar,
    }

    impl Held {
        /// Blocks all requests of this kind until [`Held::release`].
        pub(crate) fn hold(&self, request: Request) {
            self.requests.lock().push(request);
        }

        pub(crate) fn release(&self) {
            self.requests.lock().clear();
            self.changed.notify_all();
        }

        pub(super) fn wait(&self, request: Request) {
            let mut held = self.requests.lock();
            while held.contains(&request) {
                self.changed.wait(&mut held);
            }
        }
    }
}
