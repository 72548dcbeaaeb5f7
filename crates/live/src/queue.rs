//! The bounded queue between topics and one socket.
//!
//! A topic never waits for a socket: if the queue is full, the update is dropped and the subscription is marked. A
//! marked subscription gets nothing until the socket has caught up and requests a fresh snapshot of it. So no loss is
//! silent, and no update follows a gap.
//!
//! The queue also limits memory. A small amount is free, and so is a single update of any size: a socket that keeps up
//! is never charged, and a snapshot always gets through. Beyond that, each update must be charged to the token of the
//! first socket that does not keep up with it. If that token has reached its limit, the queue counts as full.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use crate::message::{Payer, Update};

/// Maximum number of updates in a socket's queue.
const QUEUE_LENGTH: usize = 256;
/// Size of queued updates that is not charged, in bytes.
const FREE_BYTES: u64 = 64 << 10;

/// The sending end of the queue. Cheap to clone.
#[derive(Clone)]
pub struct QueueSender {
    payer: Payer,
    updates: mpsc::Sender<(u64, Arc<Update>)>,
    overflow: Arc<Mutex<Overflow>>,
    /// Wakes the receiver when a snapshot is due although no update is in the queue.
    bell: Arc<Notify>,
}

/// The receiving end of the queue.
pub struct QueueReceiver {
    updates: mpsc::Receiver<(u64, Arc<Update>)>,
    overflow: Arc<Mutex<Overflow>>,
    bell: Arc<Notify>,
}

/// Subscriptions whose updates were dropped.
#[derive(Default)]
struct Overflow {
    /// All of them: their further updates are dropped too.
    marked: BTreeSet<u64>,
    /// Those whose snapshot the socket has not requested yet.
    due: BTreeSet<u64>,
    /// Size of the queued updates, in bytes.
    waiting: u64,
}

/// What the socket has to do next.
pub enum Next {
    /// Send this update to this subscription.
    Update(u64, Arc<Update>),
    /// Send a fresh snapshot of this subscription: updates of it were dropped.
    Resync(u64),
}

/// A queue for one socket. Its updates are charged to `payer` if it does not keep up.
#[must_use]
pub(crate) fn queue(payer: Payer) -> (QueueSender, QueueReceiver) {
    let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
    let overflow = Arc::new(Mutex::new(Overflow::default()));
    let bell = Arc::new(Notify::new());
    let sender = QueueSender { payer, updates: sender, overflow: Arc::clone(&overflow), bell: Arc::clone(&bell) };
    (sender, QueueReceiver { updates: receiver, overflow, bell })
}

impl QueueSender {
    /// Enqueues an update without blocking. False if the socket is gone.
    pub fn push(&self, id: u64, update: Arc<Update>) -> bool {
        let mut overflow = self.overflow.lock();
        if overflow.marked.contains(&id) {
            return !self.is_closed();
        }
        let weight = update.weight();
        let is_free = overflow.waiting == 0 || overflow.waiting.saturating_add(weight) <= FREE_BYTES;
        if !is_free && !update.charge_to(&self.payer) {
            overflow.marked.insert(id);
            overflow.due.insert(id);
            drop(overflow);
            self.bell.notify_one();
            return !self.is_closed();
        }
        match self.updates.try_send((id, update)) {
            Ok(()) => {
                overflow.waiting = overflow.waiting.saturating_add(weight);
                true
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                overflow.marked.insert(id);
                overflow.due.insert(id);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Reports that an update of this subscription could not be created, so that the socket requests a fresh snapshot.
    pub fn skip(&self, id: u64) {
        let mut overflow = self.overflow.lock();
        if overflow.marked.insert(id) {
            overflow.due.insert(id);
        }
        drop(overflow);
        self.bell.notify_one();
    }

    /// Accepts updates of this subscription again; the next one is a snapshot.
    pub fn begin(&self, id: u64) {
        let mut overflow = self.overflow.lock();
        overflow.marked.remove(&id);
        overflow.due.remove(&id);
    }

    /// True if the socket is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.updates.is_closed()
    }

    /// True if both are ends of the same queue.
    #[must_use]
    pub fn is_same(&self, other: &QueueSender) -> bool {
        self.updates.same_channel(&other.updates)
    }
}

impl QueueReceiver {
    /// The next thing to do; waits for it. Never `None` while a [`QueueSender`] lives.
    pub async fn next(&mut self) -> Option<Next> {
        loop {
            if let Some(next) = self.try_next() {
                return Some(next);
            }
            tokio::select! {
                received = self.updates.recv() => {
                    let (id, update) = received?;
                    return Some(self.taken(id, update));
                }
                () = self.bell.notified() => {}
            }
        }
    }

    /// The next thing to do, if there is one.
    pub fn try_next(&mut self) -> Option<Next> {
        if let Ok((id, update)) = self.updates.try_recv() {
            return Some(self.taken(id, update));
        }
        // Only with an empty queue, because queued updates are older than the coming snapshot.
        self.overflow.lock().due.pop_first().map(Next::Resync)
    }

    /// True if updates of a subscription were dropped and it has no new snapshot yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.overflow.lock().marked.is_empty()
    }

    fn taken(&self, id: u64, update: Arc<Update>) -> Next {
        let mut overflow = self.overflow.lock();
        overflow.waiting = overflow.waiting.saturating_sub(update.weight());
        Next::Update(id, update)
    }
}

#[cfg(test)]
mod tests {
    use budget::MemoryBudget;
    use model::live::{Event, JobKey};

    use super::*;
    use crate::message::Content;

    fn budget() -> MemoryBudget {
        MemoryBudget::new("live", 1 << 20, 512 << 10)
    }

    fn payer(budget: &MemoryBudget) -> Payer {
        Payer { budget: budget.clone(), token: "a".into() }
    }

    /// An event of more than 100 KiB.
    fn heavy(seq: u64) -> Arc<Update> {
        let key = JobKey { job_id: "x".repeat(60 << 10), daemon: "d".into() };
        Arc::new(Update::new(seq, Content::Event { ts: 0, event: Event::JobRemoved(key) }.weighed()))
    }

    #[tokio::test]
    async fn a_full_queue_asks_for_a_snapshot_after_what_waits() {
        let (sender, mut receiver) = queue(payer(&budget()));
        let update = Arc::new(Update::new(1, Content::Error { code: "x", message: String::new() }.weighed()));
        for _ in 0..QUEUE_LENGTH + 10 {
            assert!(sender.push(3, Arc::clone(&update)));
        }
        for _ in 0..QUEUE_LENGTH {
            assert!(matches!(receiver.next().await, Some(Next::Update(3, _))));
        }
        assert!(matches!(receiver.next().await, Some(Next::Resync(3))));
        // Until it begins again, no update follows the gap.
        assert!(sender.push(3, Arc::clone(&update)));
        assert!(receiver.try_next().is_none());
        sender.begin(3);
        assert!(sender.push(3, Arc::clone(&update)));
        assert!(matches!(receiver.next().await, Some(Next::Update(3, _))));
        assert!(receiver.try_next().is_none());
        // The receiver of an empty queue is woken too.
        let (skipping, waiting) = (sender.clone(), tokio::spawn(async move { (receiver.next().await, receiver) }));
        tokio::task::yield_now().await;
        skipping.skip(3);
        let (next, receiver) = waiting.await.unwrap();
        assert!(matches!(next, Some(Next::Resync(3))));
        drop(receiver);
        assert!(!sender.push(3, update));
    }

    #[tokio::test]
    async fn what_waits_is_charged_once_and_over_the_budget_is_as_good_as_full() {
        let budget = budget();
        let (slow, mut slow_end) = queue(payer(&budget));
        let (other, mut other_end) = queue(Payer { budget: budget.clone(), token: "b".into() });
        for seq in 0..20 {
            let update = heavy(seq);
            assert!(slow.push(1, Arc::clone(&update)) && other.push(1, update));
            if let Some(Next::Update(..)) = other_end.try_next() {}
        }
        let used = budget.used();
        assert!(used > 256 << 10 && used <= 512 << 10, "{used}");
        let mut seqs = Vec::new();
        let resync = loop {
            match slow_end.try_next() {
                Some(Next::Update(_, update)) => seqs.push(update.seq),
                next => break next,
            }
        };
        assert!(seqs.len() < 20 && seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?}");
        assert!(matches!(resync, Some(Next::Resync(1))));
        assert_eq!(budget.used(), 0);
        // Small updates need no charge.
        let light = Arc::new(Update::new(30, Content::Error { code: "x", message: String::new() }.weighed()));
        slow.begin(1);
        slow.push(1, light);
        assert!(matches!(slow_end.try_next(), Some(Next::Update(..))));
    }

    #[tokio::test]
    async fn one_alone_is_neither_charged_nor_refused() {
        let budget = budget();
        let (sender, mut receiver) = queue(payer(&budget));
        assert!(sender.push(1, heavy(1)));
        assert_eq!(budget.used(), 0, "it has not had the time to keep up");
        assert!(matches!(receiver.try_next(), Some(Next::Update(1, _))));

        let all = budget.charge(&"a".into(), budget.token_limit()).unwrap();
        assert!(sender.push(1, heavy(2)) && sender.push(2, heavy(3)) && sender.push(3, heavy(4)));
        assert!(receiver.is_behind());
        assert!(matches!(receiver.next().await, Some(Next::Update(1, _))));
        // Each snapshot is alone in the queue when it is requested.
        for id in [2, 3] {
            assert!(matches!(receiver.next().await, Some(Next::Resync(next)) if next == id));
            sender.begin(id);
            assert!(sender.push(id, heavy(5)));
            assert!(matches!(receiver.next().await, Some(Next::Update(next, _)) if next == id));
        }
        assert!(receiver.try_next().is_none() && !receiver.is_behind());
        drop(all);
    }
}
