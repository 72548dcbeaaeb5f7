//! The subscribers of one topic, and its last updates.

use std::{collections::VecDeque, sync::Arc};

use budget::{Charge, MemoryBudget, OverBudget};
use model::{clock::now_ms, live::SnapshotData};
use parking_lot::Mutex;

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

/// Maximum memory of a topic's log of updates, in bytes. A client that missed more gets a snapshot, which is not
/// larger.
const LOG_BYTES: u64 = 4 << 20;

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

#[derive(Default)]
struct State {
    subscribers: Vec<Subscriber>,
    /// Recent updates, oldest first.
    log: VecDeque<Arc<Update>>,
    /// The log contains all updates after this number.
    log_floor: u64,
    /// The last status or error, unless all is well.
    trouble: Option<Arc<Update>>,
    /// Number of the last update; 0 before the first.
    newest: u64,
    /// The encoded snapshot; valid until the next update of any topic.
    snapshot: Option<Arc<Update>>,
}

struct Subscriber {
    queue: QueueSender,
    id: u64,
    /// It waits for a snapshot: there was none when it subscribed, or the memory limit was exceeded.
    waits: bool,
    /// It was sent an error about the memory limit.
    knows_over_budget: bool,
}

impl Subscriber {
    /// Sends an error about the memory limit, unless that was sent before.
    fn send_over_budget(&mut self, seq: u64, over: OverBudget) -> bool {
        if std::mem::replace(&mut self.knows_over_budget, true) {
            return !self.queue.is_closed();
        }
        self.queue.push(self.id, over_budget(seq, over))
    }
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
        let snapshot = state.snapshot.clone();
        state.subscribers.retain_mut(|subscriber| match (&snapshot, subscriber.waits) {
            (Some(snapshot), true) => {
                (subscriber.waits, subscriber.knows_over_budget) = (false, false);
                subscriber.queue.push(subscriber.id, Arc::clone(snapshot))
            }
            // A delta is useless for a subscriber without a snapshot.
            (None, true) if matches!(update.content, Content::Delta(_)) => match no_room {
                Some(over) => subscriber.send_over_budget(update.seq, over),
                None => !subscriber.queue.is_closed(),
            },
            _ => {
                if matches!(update.content, Content::Snapshot(_)) {
                    (subscriber.waits, subscriber.knows_over_budget) = (false, false);
                }
                subscriber.queue.push(subscriber.id, Arc::clone(&update))
            }
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

/// The error about the memory limit. The subscription continues as soon as the limit allows it.
fn over_budget(seq: u64, over: OverBudget) -> Arc<Update> {
    let message = format!("{over}: close some panels, or select fewer series or a shorter range");
    Arc::new(Update::new(seq, Content::Error { code: "limit", message }.weighed()))
}

impl State {
    fn remember(&mut self, update: Arc<Update>, log_length: usize) {
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

    fn forget(&mut self) {
        if let Some(newest) = self.log.back() {
            self.log_floor = newest.seq;
        }
        self.log.clear();
        self.snapshot = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use model::{
        frame::{Frame, Series},
        live::{Event, JobKey},
    };

    use super::*;
    use crate::{
        message::Payer,
        queue::{Next, QueueReceiver, queue},
    };

    fn payer() -> Payer {
        Payer { budget: MemoryBudget::new("live", 1 << 20, 1 << 20), token: "a".into() }
    }

    fn event(job: &str) -> Option<Content> {
        let event = Event::JobRemoved(JobKey { job_id: job.into(), daemon: "d".into() });
        Some(Content::Event { ts: 0, event })
    }

    fn seqs(receiver: &mut QueueReceiver) -> Vec<(&'static str, u64)> {
        std::iter::from_fn(|| match receiver.try_next() {
            Some(Next::Update(_, update)) => Some(match update.content {
                Content::Snapshot(_) => ("snapshot", update.seq),
                _ => ("update", update.seq),
            }),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn numbers_rise_in_the_queue_of_a_socket_whatever_the_topics() {
        const TOPICS: usize = 4;
        let sequence = Sequence::default();
        let snapshot = || Some(SnapshotData::Jobs { jobs: Vec::new() });
        let channels: Vec<Channel> =
            (0..TOPICS).map(|_| Channel::new(sequence.clone(), 16, Box::new(snapshot))).collect();
        for _ in 0..50 {
            let (sender, mut receiver) = queue(payer());
            let ready = std::sync::Barrier::new(TOPICS);
            std::thread::scope(|scope| {
                for (channel, id) in channels.iter().zip(1..) {
                    let (sender, ready) = (sender.clone(), &ready);
                    scope.spawn(move || {
                        ready.wait();
                        channel.subscribe(sender, id, None);
                        (0..40).for_each(|_| channel.publish(|| event("x")));
                    });
                }
            });
            let seen = seqs(&mut receiver);
            assert_eq!(seen.len(), TOPICS * 41);
            assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{seen:?}");
            channels.iter().zip(1..).for_each(|(channel, id)| channel.unsubscribe(&sender, id));
        }
    }

    #[test]
    fn a_subscriber_gets_a_snapshot_and_a_returning_one_what_it_missed() {
        let channel =
            Channel::new(Sequence::default(), 128, Box::new(|| Some(SnapshotData::Jobs { jobs: Vec::new() })));
        channel.publish(|| event("1"));
        let (sender, mut receiver) = queue(payer());
        channel.subscribe(sender.clone(), 1, None);
        channel.publish(|| event("2"));
        assert_eq!(seqs(&mut receiver), [("snapshot", 1), ("update", 2)]);

        let (late, mut late_receiver) = queue(payer());
        channel.subscribe(late, 1, Some(1));
        assert_eq!(seqs(&mut late_receiver), [("update", 2)]);

        for _ in 0..128 {
            channel.publish(|| event("more"));
        }
        let (later, mut later_receiver) = queue(payer());
        channel.subscribe(later, 1, Some(1));
        assert_eq!(seqs(&mut later_receiver), [("snapshot", 130)]);

        channel.unsubscribe(&sender, 1);
        seqs(&mut receiver);
        channel.publish(|| event("last"));
        assert_eq!(seqs(&mut receiver), []);
    }

    /// A result with `count` series of one point.
    fn frame(count: usize) -> Frame {
        let series = |number: usize| {
            let labels = HashMap::from([("number".to_owned(), number.to_string())]);
            Series { labels: Arc::new(labels.into_iter().collect()), timestamps: vec![1], values: vec![1.0] }
        };
        Frame { series: (0..count).map(series).collect(), ..Frame::default() }
    }

    #[test]
    fn an_update_without_room_becomes_a_snapshot_once_there_is_some() {
        let budget = MemoryBudget::new("live", 1 << 20, 1 << 20);
        let account = Account { budget: budget.clone(), payers: Payers::new("a".into()) };
        let whole = frame(100);
        let snapshot = {
            let whole = whole.clone();
            Box::new(move || Some(SnapshotData::Query(whole.clone())))
        };
        let channel = Channel::new(Sequence::default(), 64, snapshot).charged_to(account.clone());
        let (sender, mut receiver) = queue(payer());
        channel.subscribe(sender.clone(), 1, None);
        channel.publish(|| Some(Content::Delta(frame(10))));
        assert_eq!(seqs(&mut receiver), [("snapshot", 0), ("update", 1)]);
        assert!(budget.used() > 0, "the log remembers");

        // Others use all memory, so neither the update nor a snapshot fits.
        channel.forget();
        assert_eq!(budget.used(), 0);
        let all = budget.charge(&"b".into(), budget.limit()).unwrap();
        channel.publish(|| Some(Content::Delta(frame(10))));
        assert!(matches!(receiver.try_next(), Some(Next::Resync(1))));
        channel.resync(&sender, 1);
        let Some(Next::Update(1, message)) = receiver.try_next() else { panic!("nothing was said") };
        assert!(matches!(&message.content, Content::Error { code: "limit", .. }), "{message:?}");
        channel.publish(|| Some(Content::Delta(frame(10))));
        assert_eq!(seqs(&mut receiver), [], "no update over a gap, and the same is not said twice");

        drop(all);
        channel.publish(|| Some(Content::Delta(frame(10))));
        assert_eq!(seqs(&mut receiver).first().map(|(kind, _)| *kind), Some("snapshot"));
        let (late, mut late_receiver) = queue(payer());
        channel.subscribe(late, 1, Some(1));
        assert_eq!(seqs(&mut late_receiver).first().map(|(kind, _)| *kind), Some("snapshot"), "what it missed is gone");
    }
}
