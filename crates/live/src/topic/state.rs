//! What a topic knows of its subscribers, and its last updates, for sockets that reconnect.

use std::{collections::VecDeque, sync::Arc};

use budget::OverBudget;

use crate::{
    message::{Content, Update},
    queue::QueueSender,
};

/// Maximum memory of a topic's log of updates, in bytes. A client that missed more gets a snapshot, which is not
/// larger.
const LOG_BYTES: u64 = 4 << 20;

#[derive(Default)]
pub(super) struct State {
    pub(super) subscribers: Vec<Subscriber>,
    /// Recent updates, oldest first.
    pub(super) log: VecDeque<Arc<Update>>,
    /// The log contains all updates after this number.
    pub(super) log_floor: u64,
    /// The last status or error, unless all is well.
    pub(super) trouble: Option<Arc<Update>>,
    /// Number of the last update; 0 before the first.
    pub(super) newest: u64,
    /// The encoded snapshot; valid until the next update of any topic.
    pub(super) snapshot: Option<Arc<Update>>,
}

pub(super) struct Subscriber {
    pub(super) queue: QueueSender,
    pub(super) id: u64,
    /// It waits for a snapshot: there was none when it subscribed, or the memory limit was exceeded.
    pub(super) waits: bool,
    /// It was sent an error about the memory limit.
    pub(super) knows_over_budget: bool,
}

impl Subscriber {
    /// Sends an error about the memory limit, unless that was sent before.
    pub(super) fn send_over_budget(&mut self, seq: u64, over: OverBudget) -> bool {
        if std::mem::replace(&mut self.knows_over_budget, true) {
            return !self.queue.is_closed();
        }
        self.queue.push(self.id, over_budget(seq, over))
    }
}

/// The error about the memory limit. The subscription continues as soon as the limit allows it.
pub(super) fn over_budget(seq: u64, over: OverBudget) -> Arc<Update> {
    let message = format!("{over}: close some panels, or select fewer series or a shorter range");
    Arc::new(Update::new(seq, Content::Error { code: "limit", message }.weighed()))
}

impl State {
    pub(super) fn remember(&mut self, update: Arc<Update>, log_length: usize) {
        if matches!(update.content, Content::Snapshot(_)) {
            self.log.clear();
        }
        self.log.push_back(update);
        let mut weight: u64 = self.log.iter().map(|update| update.weight()).sum();
        while self.log.len() > log_length || weight > LOG_BYTES {
            if let Some(dropped) = self.log.pop_front() {
                self.log_floor = dropped.seq;
                weight = weight.saturating_sub(dropped.weight());
            } else {
                break;
            }
        }
    }

    pub(super) fn forget(&mut self) {
        if let Some(newest) = self.log.back() {
            self.log_floor = newest.seq;
        }
        self.log.clear();
        self.snapshot = None;
    }
}
