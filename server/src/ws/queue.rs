//! The bounded queue between topics and one socket.
//!
//! A topic never waits for a socket: when the queue is full, the update is dropped and the subscription marked. A marked
//! subscription gets nothing more until the socket has caught up and asks for a fresh snapshot of it, so nothing is lost
//! silently and no update follows over a gap.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc};

use super::update::Update;

/// Updates that may wait for one socket.
const QUEUE_LENGTH: usize = 256;

/// The topics' end of the queue. A cheap handle.
#[derive(Clone)]
pub struct QueueSender {
    updates: mpsc::Sender<(u64, Arc<Update>)>,
    overflow: Arc<Mutex<Overflow>>,
    /// Rung where something is due that no update tells.
    bell: Arc<Notify>,
}

/// The socket's end of the queue.
pub struct QueueReceiver {
    updates: mpsc::Receiver<(u64, Arc<Update>)>,
    overflow: Arc<Mutex<Overflow>>,
    bell: Arc<Notify>,
}

/// Subscriptions of which updates were dropped.
#[derive(Default)]
struct Overflow {
    /// All of them: what comes for these is dropped as well.
    marked: BTreeSet<u64>,
    /// Those whose snapshot the socket has not asked for yet.
    due: BTreeSet<u64>,
}

/// What the socket has to do next.
pub enum Next {
    /// Send this update to this subscription.
    Update(u64, Arc<Update>),
    /// Send a fresh snapshot of this subscription: updates of it were dropped.
    Resync(u64),
}

/// A queue for one socket.
#[must_use]
pub fn queue() -> (QueueSender, QueueReceiver) {
    let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
    let overflow = Arc::new(Mutex::new(Overflow::default()));
    let bell = Arc::new(Notify::new());
    let sender = QueueSender { updates: sender, overflow: Arc::clone(&overflow), bell: Arc::clone(&bell) };
    (sender, QueueReceiver { updates: receiver, overflow, bell })
}

impl QueueSender {
    /// Hands over an update without waiting. False when the socket is gone.
    pub fn push(&self, id: u64, update: Arc<Update>) -> bool {
        let mut overflow = lock(&self.overflow);
        if overflow.marked.contains(&id) {
            return !self.is_closed();
        }
        match self.updates.try_send((id, update)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                overflow.marked.insert(id);
                overflow.due.insert(id);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    /// Says that an update of this subscription could not be made: the socket asks for a fresh snapshot.
    pub fn skip(&self, id: u64) {
        let mut overflow = lock(&self.overflow);
        if overflow.marked.insert(id) {
            overflow.due.insert(id);
        }
        drop(overflow);
        self.bell.notify_one();
    }

    /// Takes updates of this subscription again, whatever was dropped: the next one is where it begins anew.
    pub fn begin(&self, id: u64) {
        let mut overflow = lock(&self.overflow);
        overflow.marked.remove(&id);
        overflow.due.remove(&id);
    }

    /// True when the socket is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.updates.is_closed()
    }

    /// True when both are ends of the same queue.
    #[must_use]
    pub fn is_same(&self, other: &QueueSender) -> bool {
        self.updates.same_channel(&other.updates)
    }
}

impl QueueReceiver {
    /// The next thing to do; waits for one. `None` never comes while a [`QueueSender`] lives.
    pub async fn next(&mut self) -> Option<Next> {
        loop {
            if let Some(next) = self.try_next() {
                return Some(next);
            }
            tokio::select! {
                received = self.updates.recv() => {
                    let (id, update) = received?;
                    return Some(Next::Update(id, update));
                }
                () = self.bell.notified() => {}
            }
        }
    }

    /// The next thing to do, if there is one now.
    pub fn try_next(&mut self) -> Option<Next> {
        if let Ok((id, update)) = self.updates.try_recv() {
            return Some(Next::Update(id, update));
        }
        // Only with the queue drained: what waited in it is older than the snapshot to come.
        lock(&self.overflow).due.pop_first().map(Next::Resync)
    }
}

fn lock(overflow: &Mutex<Overflow>) -> MutexGuard<'_, Overflow> {
    overflow.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::update::Content;

    #[tokio::test]
    async fn a_full_queue_asks_for_a_snapshot_after_what_waits() {
        let (sender, mut receiver) = queue();
        let update = Arc::new(Update::new(1, Content::Error { code: "x", message: String::new() }));
        for _ in 0..QUEUE_LENGTH + 10 {
            assert!(sender.push(3, Arc::clone(&update)));
        }
        for _ in 0..QUEUE_LENGTH {
            assert!(matches!(receiver.next().await, Some(Next::Update(3, _))));
        }
        assert!(matches!(receiver.next().await, Some(Next::Resync(3))));
        // Until it begins anew, nothing comes that would follow over the gap.
        assert!(sender.push(3, Arc::clone(&update)));
        assert!(receiver.try_next().is_none());
        sender.begin(3);
        assert!(sender.push(3, Arc::clone(&update)));
        assert!(matches!(receiver.next().await, Some(Next::Update(3, _))));
        assert!(receiver.try_next().is_none());
        // An empty queue hears of it as well.
        let (skipping, waiting) = (sender.clone(), tokio::spawn(async move { (receiver.next().await, receiver) }));
        tokio::task::yield_now().await;
        skipping.skip(3);
        let (next, receiver) = waiting.await.unwrap();
        assert!(matches!(next, Some(Next::Resync(3))));
        drop(receiver);
        assert!(!sender.push(3, update));
    }
}
