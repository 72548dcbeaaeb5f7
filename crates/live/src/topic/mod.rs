//! The subscribers of one topic, and its last updates.

mod state;

use std::sync::Arc;

use budget::{Charge, MemoryBudget, OverBudget};
use model::{clock::now_ms, live::SnapshotData};
use parking_lot::Mutex;

use self::state::{State, Subscriber, over_budget};
use crate::{
    message::{Content, Update, Weighed},
    payers::Payers,
    queue::QueueSender,
};

/// Sequence numbers of the updates of all topics. Cheap to clone.
///
/// The lock is held from taking a number until the update is in the queues. So within a socket's queue numbers never
/// decrease, across all topics: a client that has received a number has received all lower ones. All topics wait for
/// this lock, so slow work (a snapshot, its weight) is done before. Lock order: a topic's own lock, this one, queues,
/// and last the memory budget.
#[derive(Clone, Default)]
pub struct Sequence(Arc<Mutex<u64>>);

impl Sequence {
    /// The number of the last update.
    #[must_use]
    pub fn current(&self) -> u64 {
        *self.0.lock()
    }
}

/// To whom the updates of a topic are charged.
#[derive(Debug, Clone)]
pub struct Account {
    /// The memory for live queries.
    pub budget: MemoryBudget,
    pub payers: Payers,
}

/// Returns the whole state of a topic; `None` while it is unknown.
pub type SnapshotSource = Box<dyn Fn() -> Option<SnapshotData> + Send + Sync>;

/// One topic.
///
/// The lock is held while a snapshot is taken and while an update is published, so that each subscriber gets its
/// snapshot first and each later update once.
pub struct Channel {
    sequence: Sequence,
    /// Number of updates in the log for sockets that reconnect.
    log_length: usize,
    snapshot: SnapshotSource,
    account: Option<Account>,
    state: Mutex<State>,
}

impl Channel {
    /// A topic without subscribers, with a log of `log_length` updates for sockets that reconnect.
    #[must_use]
    pub fn new(sequence: Sequence, log_length: usize, snapshot: SnapshotSource) -> Self {
        let state = State { log_floor: sequence.current(), ..State::default() };
        Channel { sequence, log_length, snapshot, account: None, state: Mutex::new(state) }
    }

    /// Sets the account to which updates are charged.
    #[must_use]
    pub fn charged_to(self, account: Account) -> Self {
        Channel { account: Some(account), ..self }
    }

    /// The charge of an update, if the limit allows it; the log is cleared first if necessary.
    fn charge(&self, state: &mut State, weighed: &Weighed) -> Result<Option<Charge>, OverBudget> {
        let Some(Account { budget, payers }) = &self.account else { return Ok(None) };
        let weight = weighed.weight();
        if weight == 0 {
            return Ok(None);
        }
        if let Ok(charge) = payers.charge(budget, weight) {
            return Ok(Some(charge));
        }
        state.forget();
        payers.charge(budget, weight).map(Some).inspect_err(|_| budget.refuse())
    }

    /// Clears the log: clients that reconnect get a snapshot.
    pub fn forget(&self) {
        self.state.lock().forget();
    }

    /// Adds a subscriber. Sends it the updates after `resume_seq` if the log has them, otherwise a snapshot.
    pub fn subscribe(&self, queue: QueueSender, id: u64, resume_seq: Option<u64>) {
        let mut state = self.state.lock();
        queue.begin(id);
        let mut waits = false;
        let mut knows_over_budget = false;
        match resume_seq {
            Some(seq) if seq >= state.log_floor && seq <= self.sequence.current() => {
                let _order = self.sequence.0.lock();
                for update in state.log.iter().filter(|update| update.seq > seq) {
                    queue.push(id, Arc::clone(update));
                }
            }
            _ => match self.push_snapshot(&mut state, &queue, id) {
                Ok(is_sent) => waits = !is_sent,
                Err(over) => {
                    (waits, knows_over_budget) = (true, true);
                    queue.push(id, over_budget(self.sequence.current(), over));
                }
            },
        }
        if let Some(trouble) = state.trouble.as_ref().filter(|_| !knows_over_budget) {
            queue.push(id, Arc::clone(trouble));
        }
        state.subscribers.push(Subscriber { queue, id, waits, knows_over_budget });
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, queue: &QueueSender, id: u64) {
        self.state.lock().subscribers.retain(|subscriber| subscriber.id != id || !subscriber.queue.is_same(queue));
    }

    /// Sends a snapshot to a subscriber that lost updates.
    pub fn resync(&self, queue: &QueueSender, id: u64) {
        let mut state = self.state.lock();
        queue.begin(id);
        let state_of_subscriber = match self.push_snapshot(&mut state, queue, id) {
            Ok(is_sent) => (!is_sent, false),
            Err(over) => {
                queue.push(id, over_budget(self.sequence.current(), over));
                (true, true)
            }
        };
        for subscriber in state.subscribers.iter_mut().filter(|one| one.id == id && one.queue.is_same(queue)) {
            (subscriber.waits, subscriber.knows_over_budget) = state_of_subscriber;
        }
        if let Some(trouble) = &state.trouble {
            queue.push(id, Arc::clone(trouble));
        }
    }

    /// Changes the topic's state by `change` and publishes the content that it returns. Subscribers that wait for a
    /// snapshot get one instead.
    pub fn publish(&self, change: impl FnOnce() -> Option<Content>) {
        let mut state = self.state.lock();
        let Some(content) = change().map(Content::weighed) else { return };
        // A snapshot also serves those that wait for one.
        let is_waited_for = state.subscribers.iter().any(|subscriber| subscriber.waits)
            && !matches!(content.content(), Content::Snapshot(_));
        // The cached snapshot is outdated; this frees its memory.
        state.snapshot = None;
        let charge = match self.charge(&mut state, &content) {
            Ok(charge) => charge,
            Err(over) => {
                let mut newest = self.sequence.0.lock();
                *newest += 1;
                (state.newest, state.log_floor) = (*newest, *newest);
                for subscriber in &mut state.subscribers {
                    if subscriber.waits {
                        subscriber.send_over_budget(*newest, over);
                    } else {
                        // It requests a snapshot, and waits for it if the limit does not allow that either.
                        subscriber.queue.skip(subscriber.id);
                    }
                }
                return;
            }
        };
        let whole = if is_waited_for { (self.snapshot)() } else { None };
        let whole = whole.map(|data| {
            let whole = Content::Snapshot(data).weighed();
            self.charge(&mut state, &whole).map(|charge| (charge, whole))
        });
        let (whole, no_room) = match whole.transpose() {
            Ok(whole) => (whole, None),
            Err(over) => (None, Some(over)),
        };
        let mut newest = self.sequence.0.lock();
        *newest += 1;
        let update = Arc::new(Update::new(*newest, content).charged(charge));
        state.newest = *newest;
        state.snapshot = whole.map(|(charge, whole)| Arc::new(Update::new(*newest, whole).charged(charge)));
        match &update.content {
            Content::Status { fresh, .. } => state.trouble = (!fresh).then(|| Arc::clone(&update)),
            Content::Error { .. } => state.trouble = Some(Arc::clone(&update)),
            content => {
                // Data is published again, so the error is over.
                if matches!(content, Content::Snapshot(_) | Content::Delta(_)) {
                    state.trouble.take_if(|trouble| matches!(trouble.content, Content::Error { .. }));
                }
                state.remember(Arc::clone(&update), self.log_length);
            }
        }
        let State { subscribers, snapshot, trouble, .. } = &mut *state;
        // Clients take what comes whole for fresh.
        let push_whole = |subscriber: &mut Subscriber, whole: &Arc<Update>| {
            (subscriber.waits, subscriber.knows_over_budget) = (false, false);
            let is_open = subscriber.queue.push(subscriber.id, Arc::clone(whole));
            match &*trouble {
                Some(trouble) if is_open => subscriber.queue.push(subscriber.id, Arc::clone(trouble)),
                _ => is_open,
            }
        };
        subscribers.retain_mut(|subscriber| match (&*snapshot, subscriber.waits) {
            (Some(snapshot), true) => push_whole(subscriber, snapshot),
            // A delta is useless for a subscriber without a snapshot.
            (None, true) if matches!(update.content, Content::Delta(_)) => match no_room {
                Some(over) => subscriber.send_over_budget(update.seq, over),
                None => !subscriber.queue.is_closed(),
            },
            _ if matches!(update.content, Content::Snapshot(_)) => push_whole(subscriber, &update),
            _ => subscriber.queue.push(subscriber.id, Arc::clone(&update)),
        });
    }

    /// Number of the last update of this topic; 0 before the first. Topics never share a number, so it identifies a
    /// state of one topic.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.state.lock().newest
    }

    /// The whole state, for a page.
    #[must_use]
    pub fn snapshot_data(&self) -> Option<SnapshotData> {
        (self.snapshot)()
    }

    /// Publishes the whole state again.
    pub fn publish_snapshot(&self) {
        self.publish(|| (self.snapshot)().map(Content::Snapshot));
    }

    /// Publishes since when and why the data is stale, to current and future subscribers; `None` when it is fresh
    /// again. Does nothing if that is already known.
    pub fn publish_status(&self, trouble: Option<(i64, String)>) {
        let known = self.trouble();
        match trouble {
            Some((since, reason)) if known.as_ref().is_none_or(|(_, known)| *known != reason) => {
                self.publish(|| Some(Content::Status { fresh: false, since, reason }));
            }
            None if known.is_some() => {
                self.publish(|| {
                    Some(Content::Status { fresh: true, since: now_ms(), reason: "data is current again".into() })
                });
            }
            _ => {}
        }
    }

    /// Since when and why the data is stale, if it is.
    #[must_use]
    pub fn trouble(&self) -> Option<(i64, String)> {
        self.state.lock().trouble.as_ref().and_then(|update| match &update.content {
            Content::Status { since, reason, .. } => Some((*since, reason.clone())),
            _ => None,
        })
    }

    /// True if there are no subscribers.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let mut state = self.state.lock();
        state.subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        state.subscribers.is_empty()
    }

    /// Sends a subscriber the whole state; false if it is unknown.
    fn push_snapshot(&self, state: &mut State, queue: &QueueSender, id: u64) -> Result<bool, OverBudget> {
        let mut newest = self.sequence.0.lock();
        if state.snapshot.as_ref().is_none_or(|snapshot| snapshot.seq != *newest) {
            drop(newest);
            // Subscribers have their copy of the cached snapshot, which is outdated now.
            state.snapshot = None;
            let Some(data) = (self.snapshot)() else { return Ok(false) };
            let content = Content::Snapshot(data).weighed();
            let charge = self.charge(state, &content)?;
            newest = self.sequence.0.lock();
            // With the number of the last update, not a new one: the snapshot is the state after it.
            state.snapshot = Some(Arc::new(Update::new(*newest, content).charged(charge)));
        }
        if let Some(snapshot) = &state.snapshot {
            queue.push(id, Arc::clone(snapshot));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
