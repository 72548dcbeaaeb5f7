//! The store's background threads for disk work that no caller waits for: one writes the log, the other one does
//! everything else. They end with the last handle of the store.

use std::{
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    error::FileError,
    store::{Disk, Shared},
};

/// Delay before something that failed is retried.
const RETRY: Duration = Duration::from_secs(1);
/// Maximum interval between checks of what is due.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Wakes a thread when there is work.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_rung: bool,
    is_over: bool,
}

impl Bell {
    /// There is work.
    pub(crate) fn ring(&self) {
        let mut state = self.state.lock();
        if !state.is_rung {
            state.is_rung = true;
            self.rung.notify_all();
        }
    }

    /// There will be no more work.
    fn end(&self) {
        self.state.lock().is_over = true;
        self.rung.notify_all();
    }

    /// Waits until there is work, but at most for `longest`; `false` at the end.
    fn wait(&self, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        let mut state = self.state.lock();
        while !state.is_rung && !state.is_over {
            if self.rung.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.is_rung = false;
        !state.is_over
    }

    /// Sleeps for `long`, regardless of work; `false` at the end.
    fn rest(&self, long: Duration) -> bool {
        let until = Instant::now() + long;
        let mut state = self.state.lock();
        while !state.is_over && !self.rung.wait_until(&mut state, until).timed_out() {}
        !state.is_over
    }
}

/// Handle of the threads; stops them on drop.
#[derive(Debug)]
pub(crate) struct Keepers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Keepers {
    /// Starts the threads of a store with files.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let mut keepers = Keepers { shared: Arc::clone(shared), threads: Vec::new() };
        if shared.disk.is_some() {
            keepers.spawn("store-log", keep_log)?;
            keepers.spawn("store-keeper", keep_files)?;
        }
        Ok(keepers)
    }

    /// For a store without files, which needs no threads.
    pub(crate) fn none(shared: Arc<Shared>) -> Self {
        Keepers { shared, threads: Vec::new() }
    }

    /// The store.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn spawn(&mut self, name: &str, work: fn(&Shared, &Disk)) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let work = move || shared.disk.iter().for_each(|disk| work(&shared, disk));
        self.threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }
}

impl Drop for Keepers {
    fn drop(&mut self) {
        let Some(disk) = &self.shared.disk else { return };
        disk.log_bell.end();
        disk.files_bell.end();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
        if let Err(error) = self.shared.write_sealed(disk).and_then(|()| disk.log.sync()) {
            tracing::warn!(%error, "cannot write everything on closing; what was acknowledged is safe");
        }
    }
}

/// Logs a failure when it starts and when it ends.
#[derive(Default)]
struct Trouble {
    is_on: bool,
}

impl Trouble {
    /// Returns whether it succeeded.
    fn note(&mut self, what: &str, done: Result<(), FileError>) -> bool {
        match &done {
            Err(error) if !self.is_on => tracing::warn!(%error, "cannot {what}, will retry"),
            Ok(()) if self.is_on => tracing::info!("again possible: {what}"),
            _ => {}
        }
        self.is_on = done.is_err();
        done.is_ok()
    }
}

/// Writes the part of the log that no caller waits for.
fn keep_log(shared: &Shared, disk: &Disk) {
    let is_strict = shared.options.sync_interval.is_zero();
    let mut trouble = Trouble::default();
    while disk.log_bell.wait(LONGEST_PAUSE) {
        let mut written = disk.log.write_all();
        if is_strict {
            written = written.and_then(|()| disk.log.sync());
        }
        while !trouble.note("write to the log", written) {
            if !disk.log_bell.rest(RETRY) {
                return;
            }
            written = disk.log.write_all();
        }
    }
}

/// Writes sealed chunks, starts new logs, frees memory, and syncs the log.
fn keep_files(shared: &Shared, disk: &Disk) {
    let interval = match shared.options.sync_interval {
        Duration::ZERO => LONGEST_PAUSE,
        interval => interval.min(LONGEST_PAUSE),
    };
    let (mut sealed, mut synced) = (Trouble::default(), Trouble::default());
    let mut sync_at = Instant::now() + interval;
    while disk.files_bell.wait(sync_at.saturating_duration_since(Instant::now())) {
        let mut works = true;
        if !shared.head.read().unwritten.is_empty() {
            works = sealed.note("write sealed chunks", shared.write_sealed(disk));
        }
        let mut released = false;
        if works && disk.log.wants_checkpoint() {
            match shared.checkpoint(disk) {
                Ok(()) => released = true,
                Err(error) => {
                    tracing::warn!(%error, "cannot start a new log; continuing with the old one");
                    disk.log.defer_checkpoint();
                }
            }
        }
        shared.release(released);
        if Instant::now() >= sync_at {
            works &= synced.note("force the log to the disk", disk.log.sync());
            sync_at = Instant::now() + interval;
        }
        if !works && !disk.files_bell.rest(RETRY) {
            return;
        }
    }
}
