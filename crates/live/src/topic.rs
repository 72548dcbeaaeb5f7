//! The subscribers of one topic, and what they were told last.

use std::{collections::VecDeque, sync::Arc};

use budget::{Charge, MemoryBudget, OverBudget};
use model::{clock::now_ms, live::SnapshotData};
use parking_lot::Mutex;

use crate::{
    message::{Content, Update, Weighed},
    payers::Payers,
    queue::QueueSender,
};

/// Numbers the updates of all topics. A cheap handle.
///
/// Whoever takes a number holds the lock until the update is in the queues, so that in the queue of a socket no update follows one of a
/// higher number, of whichever topic: who has seen a number has been sent all below it. All topics wait for it, so what takes long (a snapshot,
/// its weight) is made before. A topic's own lock is taken first; inside, nothing else is locked but queues and, last of all, the budget of
/// what is charged or forgotten.
#[derive(Clone, Default)]
pub struct Sequence(Arc<Mutex<u64>>);

impl Sequence {
    /// The number of the newest update.
    #[must_use]
    pub fn current(&self) -> u64 {
        *self.0.lock()
    }
}

/// Whose memory the updates of a topic take.
#[derive(Debug, Clone)]
pub struct Account {
    /// The memory for live queries.
    pub budget: MemoryBudget,
    pub payers: Payers,
}

/// Most memory of the updates that a topic remembers, in bytes. To whoever missed more, the whole state is no longer.
const LOG_BYTES: u64 = 4 << 20;

/// Gives the whole state of a topic; `None` while it is not known.
pub type SnapshotSource = Box<dyn Fn() -> Option<SnapshotData> + Send + Sync>;

/// One topic.
///
/// The lock is held while a snapshot is taken and while an update is handed out, so that every subscriber sees its
/// snapshot first and each later update once.
pub struct Channel {
    sequence: Sequence,
    /// Updates kept for sockets that come back.
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
    /// The log holds every update after this number.
    log_floor: u64,
    /// The newest status or error, unless all is well.
    trouble: Option<Arc<Update>>,
    /// Number of the newest update; 0 before the first.
    newest: u64,
    /// The encoded snapshot; good until the next update of any topic.
    snapshot: Option<Arc<Update>>,
}

struct Subscriber {
    queue: QueueSender,
    id: u64,
    /// It subscribed before there was a snapshot to send, or there was no room for what it was to be sent.
    waits: bool,
    /// It was told that there is no room.
    is_told: bool,
}

impl Subscriber {
    /// Says that there is no room for what it waits for, unless that was said.
    fn tell_over_budget(&mut self, seq: u64, over: OverBudget) -> bool {
        if std::mem::replace(&mut self.is_told, true) {
            return !self.queue.is_closed();
        }
        self.queue.push(self.id, over_budget(seq, over))
    }
}

impl Channel {
    /// A topic without subscribers, that keeps so many updates for sockets that come back.
    #[must_use]
    pub fn new(sequence: Sequence, log_length: usize, snapshot: SnapshotSource) -> Self {
        let state = State { log_floor: sequence.current(), ..State::default() };
        Channel { sequence, log_length, snapshot, account: None, state: Mutex::new(state) }
    }

    /// The same with updates that are charged.
    #[must_use]
    pub fn charged_to(self, account: Account) -> Self {
        Channel { account: Some(account), ..self }
    }

    /// What an update is charged to, if there is room; what is remembered makes room first.
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

    /// Forgets the updates that were sent: who comes back gets the whole state.
    pub fn forget(&self) {
        self.state.lock().forget();
    }

    /// Adds a subscriber and sends it what it has to know: what it missed since update `resume_seq` where that is still
    /// known, else the whole state.
    pub fn subscribe(&self, queue: QueueSender, id: u64, resume_seq: Option<u64>) {
        let mut state = self.state.lock();
        queue.begin(id);
        let mut waits = false;
        let mut is_told = false;
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
                    (waits, is_told) = (true, true);
                    queue.push(id, over_budget(self.sequence.current(), over));
                }
            },
        }
        if let Some(trouble) = state.trouble.as_ref().filter(|_| !is_told) {
            queue.push(id, Arc::clone(trouble));
        }
        state.subscribers.push(Subscriber { queue, id, waits, is_told });
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, queue: &QueueSender, id: u64) {
        self.state.lock().subscribers.retain(|subscriber| subscriber.id != id || !subscriber.queue.is_same(queue));
    }

    /// Sends the whole state again to one subscriber that lost updates.
    pub fn resync(&self, queue: &QueueSender, id: u64) {
        let mut state = self.state.lock();
        queue.begin(id);
        let told = match self.push_snapshot(&mut state, queue, id) {
            Ok(is_sent) => (!is_sent, false),
            Err(over) => {
                queue.push(id, over_budget(self.sequence.current(), over));
                (true, true)
            }
        };
        for subscriber in state.subscribers.iter_mut().filter(|one| one.id == id && one.queue.is_same(queue)) {
            (subscriber.waits, subscriber.is_told) = told;
        }
        if let Some(trouble) = &state.trouble {
            queue.push(id, Arc::clone(trouble));
        }
    }

    /// Changes the topic's state by `change` and tells all subscribers what it returns. Subscribers that wait for a
    /// snapshot get one instead.
    pub fn publish(&self, change: impl FnOnce() -> Option<Content>) {
        let mut state = self.state.lock();
        let Some(content) = change().map(Content::weighed) else { return };
        // What is the whole state already is for those who wait as well.
        let is_waited_for = state.subscribers.iter().any(|subscriber| subscriber.waits)
            && !matches!(content.content(), Content::Snapshot(_));
        // The one before is no longer what is known, and leaves room.
        state.snapshot = None;
        let charge = match self.charge(&mut state, &content) {
            Ok(charge) => charge,
            Err(over) => {
                let mut newest = self.sequence.0.lock();
                *newest += 1;
                (state.newest, state.log_floor) = (*newest, *newest);
                for subscriber in &mut state.subscribers {
                    if subscriber.waits {
                        subscriber.tell_over_budget(*newest, over);
                    } else {
                        // It asks for the whole state, and waits for it where there is no room for that either.
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
                // What is published again is well again.
                if matches!(content, Content::Snapshot(_) | Content::Delta(_)) {
                    state.trouble.take_if(|trouble| matches!(trouble.content, Content::Error { .. }));
                }
                state.remember(Arc::clone(&update), self.log_length);
            }
        }
        let snapshot = state.snapshot.clone();
        state.subscribers.retain_mut(|subscriber| match (&snapshot, subscriber.waits) {
            (Some(snapshot), true) => {
                (subscriber.waits, subscriber.is_told) = (false, false);
                subscriber.queue.push(subscriber.id, Arc::clone(snapshot))
            }
            // What is new means nothing to who does not know what was.
            (None, true) if matches!(update.content, Content::Delta(_)) => match no_room {
                Some(over) => subscriber.tell_over_budget(update.seq, over),
                None => !subscriber.queue.is_closed(),
            },
            _ => {
                if matches!(update.content, Content::Snapshot(_)) {
                    (subscriber.waits, subscriber.is_told) = (false, false);
                }
                subscriber.queue.push(subscriber.id, Arc::clone(&update))
            }
        });
    }

    /// Number of the newest update of this topic; 0 before the first. No two topics share one, so that it tells what a topic said when.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.state.lock().newest
    }

    /// The whole state, for a page.
    #[must_use]
    pub fn snapshot_data(&self) -> Option<SnapshotData> {
        (self.snapshot)()
    }

    /// Tells all subscribers the whole state again.
    pub fn publish_snapshot(&self) {
        self.publish(|| (self.snapshot)().map(Content::Snapshot));
    }

    /// Tells all subscribers, and those to come, that the data is not current since a time for a reason; `None` when it is
    /// current again. What they know already is not said again.
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

    /// Since when and why the data is not current, if it is not.
    #[must_use]
    pub fn trouble(&self) -> Option<(i64, String)> {
        self.state.lock().trouble.as_ref().and_then(|update| match &update.content {
            Content::Status { since, reason, .. } => Some((*since, reason.clone())),
            _ => None,
        })
    }

    /// True when nobody looks.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let mut state = self.state.lock();
        state.subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        state.subscribers.is_empty()
    }

    /// Sends a subscriber the whole state; false if it is not known yet.
    fn push_snapshot(&self, state: &mut State, queue: &QueueSender, id: u64) -> Result<bool, OverBudget> {
        let mut newest = self.sequence.0.lock();
        if state.snapshot.as_ref().is_none_or(|snapshot| snapshot.seq != *newest) {
            drop(newest);
            // Who was sent it holds it, and what is known is newer.
            state.snapshot = None;
            let Some(data) = (self.snapshot)() else { return Ok(false) };
            let content = Content::Snapshot(data).weighed();
            let charge = self.charge(state, &content)?;
            newest = self.sequence.0.lock();
            // The number of the newest update, not a new one: a snapshot is what is known after it.
            state.snapshot = Some(Arc::new(Update::new(*newest, content).charged(charge)));
        }
        if let Some(snapshot) = &state.snapshot {
            queue.push(id, Arc::clone(snapshot));
        }
        Ok(true)
    }
}

/// Says that there is no room for what a subscription is to be sent. It is sent as soon as there is.
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

    /// A result of so many series of one point.
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

        // Others take all there is: neither the update nor a snapshot has room.
        channel.forget();
        assert_eq!(budget.used(), 0);
        let all = budget.charge(&"b".into(), budget.limit()).unwrap();
        channel.publish(|| Some(Content::Delta(frame(10))));
        assert!(matches!(receiver.try_next(), Some(Next::Resync(1))));
        channel.resync(&sender, 1);
        let Some(Next::Update(1, told)) = receiver.try_next() else { panic!("nothing was said") };
        assert!(matches!(&told.content, Content::Error { code: "limit", .. }), "{told:?}");
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
