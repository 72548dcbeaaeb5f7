//! A read that runs: its slot, its memory, and whether it is aborted.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use budget::{Charge, Requester};

use super::Inner;

/// Aborts the reads that ran when memory was nearly exhausted.
#[derive(Default)]
pub(super) struct Abort {
    pub(super) is_set: AtomicBool,
    /// Whether the abort was logged: once for all reads that end together.
    is_logged: AtomicBool,
}

impl Abort {
    /// True for the first read that observes the abort.
    pub(super) fn is_news(&self) -> bool {
        !self.is_logged.swap(true, Ordering::Relaxed)
    }
}

/// Permission to run one read, until it is dropped.
pub struct ReadPermit {
    // Dropped before the slot: freeing the slot triggers the check of waiting reads, which may need both.
    pub(super) charge: Charge,
    pub(super) slot: Slot,
    pub(super) abort: Arc<Abort>,
}

pub(super) struct Slot {
    pub(super) inner: Arc<Inner>,
    pub(super) token: Arc<str>,
}

impl ReadPermit {
    /// Whether the read must end because memory is nearly exhausted. A caller that gets true must stop.
    pub fn is_aborted(&self) -> bool {
        let is_aborted = self.abort.is_set.load(Ordering::Relaxed);
        if is_aborted && self.abort.is_news() {
            let pressure = &self.slot.inner.pressure;
            tracing::warn!(
                resident = pressure.resident(),
                limit = pressure.limit(),
                "memory is nearly exhausted: aborting running queries"
            );
        }
        is_aborted
    }

    /// Charged bytes.
    pub fn bytes(&self) -> u64 {
        self.charge.bytes()
    }

    /// The charge, to resize it while the read runs.
    pub fn charge_mut(&mut self) -> &mut Charge {
        &mut self.charge
    }

    /// Ends the read, and returns its charge.
    pub fn into_charge(self) -> Charge {
        self.charge
    }

    /// Ends the read; the returned charge covers its result of `bytes` bytes.
    pub fn into_result(mut self, bytes: u64) -> Charge {
        // A result larger than the estimate exists already, so it is not rejected.
        let _ = self.charge.resize(bytes.min(self.charge.bytes()));
        self.into_charge()
    }

    /// Ends the read, and holds its charge until the requester's work is done.
    pub fn hold(self) {
        Requester::hold(self.into_charge());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.total = state.total.saturating_sub(1);
        if let Some(running) = state.running.get_mut(&self.token) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                state.running.remove(&self.token);
            }
        }
        drop(state);
        self.inner.dispatch();
    }
}
