//! Delivers the messages of the outbox: at least once, in order within a lane, with retries and rate limits.
//!
//! One task holds the queue without bodies; each attempt runs in its own task. All state can be restored from the
//! database, so that a crash at most delivers messages in flight twice.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use model::clock::now_ms;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Shared,
    outbox::{GivenUp, QueuedDelivery, State},
    send::{Outcome, Policy},
};

/// Maximum delay between attempts, unless the receiver asks for more.
const LONGEST_WAIT_MS: i64 = 5 * 60_000;
/// Maximum delay that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);
/// How long to wait for attempts in flight when the server stops.
const PATIENCE: Duration = Duration::from_secs(2);
/// Interval between removals of old messages.
const PRUNING: Duration = Duration::from_secs(600);
/// Delay after a database error.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Receiver, kind and index of an integration.
type Means = (String, String, usize);

#[derive(Default)]
struct Lane {
    queue: VecDeque<QueuedDelivery>,
    is_busy: bool,
}

/// What one receiver may get, beside its rate.
#[derive(Default)]
struct Gate {
    running: usize,
    paused_until_ms: i64,
}

struct DeliveryWorker {
    shared: Arc<Shared>,
    lanes: HashMap<String, Lane>,
    gates: HashMap<Means, Gate>,
    rates: DefaultKeyedRateLimiter<Means>,
    last_seq: i64,
    running: JoinSet<(QueuedDelivery, Policy, Outcome)>,
    /// Lane of each attempt in flight, so that a task that panics does not block its lane.
    lanes_of_tasks: HashMap<Id, String>,
}

/// Delivers until `stop` is cancelled.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut worker = DeliveryWorker::new(shared);
    let mut prune = tokio::time::interval(PRUNING);
    loop {
        if let Err(error) = worker.take_in().await {
            tracing::error!(%error, "cannot read queued messages");
            tokio::select! {
                () = tokio::time::sleep(DATABASE_PAUSE) => continue,
                () = stop.cancelled() => break,
            }
        }
        let wake = worker.start_due(now_ms());
        tokio::select! {
            () = worker.shared.worker_wake.notified() => {}
            () = sleep_until(wake) => {}
            Some(ended) = worker.running.join_next_with_id() => worker.ended(ended).await,
            _ = prune.tick() => {
                if let Err(error) = worker.shared.outbox.prune(now_ms()).await {
                    tracing::warn!(%error, "cannot remove old messages");
                }
            }
            () = stop.cancelled() => break,
        }
    }
    let last = async {
        while let Some(ended) = worker.running.join_next_with_id().await {
            worker.ended(ended).await;
        }
    };
    // Attempts that do not end in time stay in the outbox and are repeated after the next start.
    let _ = tokio::time::timeout(PATIENCE, last).await;
}

async fn sleep_until(wake_ms: Option<i64>) {
    match wake_ms {
        Some(wake_ms) => {
            let wait = u64::try_from(wake_ms.saturating_sub(now_ms())).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        None => std::future::pending().await,
    }
}

impl DeliveryWorker {
    fn new(shared: Arc<Shared>) -> Self {
        DeliveryWorker {
            rates: RateLimiter::keyed(quota(shared.options.rate)),
            shared,
            lanes: HashMap::new(),
            gates: HashMap::new(),
            last_seq: 0,
            running: JoinSet::new(),
            lanes_of_tasks: HashMap::new(),
        }
    }

    /// Loads messages that were added to the outbox since the last call.
    async fn take_in(&mut self) -> Result<(), sqlx::Error> {
        for ticket in self.shared.outbox.pending_after(self.last_seq).await? {
            self.last_seq = self.last_seq.max(ticket.seq);
            self.lanes.entry(ticket.lane.clone()).or_default().queue.push_back(ticket);
        }
        Ok(())
    }

    /// Starts all attempts that are due; returns when to call again.
    fn start_due(&mut self, now_ms: i64) -> Option<i64> {
        let options = &self.shared.options;
        let mut wake: Option<i64> = None;
        let mut look_again = |at: i64| wake = Some(wake.map_or(at, |known: i64| known.min(at)));
        // Oldest first, so that no lane starves another.
        let mut heads: Vec<(i64, String)> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.is_busy)
            .filter_map(|(name, lane)| Some((lane.queue.front()?.seq, name.clone())))
            .collect();
        heads.sort_unstable();
        for (_, name) in heads {
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            let Some(ticket) = lane.queue.front() else { continue };
            let means = (ticket.receiver.clone(), ticket.kind.clone(), ticket.place);
            let gate = self.gates.entry(means.clone()).or_default();
            let ready_ms = ticket.next_at.max(gate.paused_until_ms);
            if ready_ms > now_ms {
                look_again(ready_ms);
                continue;
            }
            if gate.running >= options.concurrency {
                continue;
            }
            if let Err(limited) = self.rates.check_key(&means) {
                let wait = limited.wait_time_from(self.rates.clock().now()).as_millis();
                look_again(now_ms.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX)).saturating_add(1));
                continue;
            }
            gate.running += 1;
            lane.is_busy = true;
            let mut ticket = ticket.clone();
            ticket.attempts = ticket.attempts.saturating_add(1);
            let shared = Arc::clone(&self.shared);
            let task = self.running.spawn(async move {
                let (policy, outcome) = shared.attempt(&ticket).await;
                (ticket, policy, outcome)
            });
            self.lanes_of_tasks.insert(task.id(), name);
        }
        wake
    }

    /// Stores the result of an attempt.
    async fn ended(&mut self, ended: Result<(Id, (QueuedDelivery, Policy, Outcome)), tokio::task::JoinError>) {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => {
                tracing::error!(%error, "a delivery task panicked");
                (error.id(), None)
            }
        };
        let Some(name) = self.lanes_of_tasks.remove(&id) else { return };
        let now_ms = now_ms();
        let Some((ticket, policy, outcome)) = done else {
            if let Some(lane) = self.lanes.get_mut(&name) {
                lane.is_busy = false;
                if let Some(head) = lane.queue.front_mut() {
                    head.next_at = now_ms.saturating_add(LONGEST_WAIT_MS);
                }
            }
            return;
        };
        let means = (ticket.receiver.clone(), ticket.kind.clone(), ticket.place);
        let (state, status, error) = judged(&ticket, &policy, &outcome, now_ms);
        if let Some(gate) = self.gates.get_mut(&means) {
            gate.running = gate.running.saturating_sub(1);
            if let (State::Pending { next_at }, Some(429)) = (&state, status) {
                gate.paused_until_ms = gate.paused_until_ms.max(*next_at);
            }
        }
        let QueuedDelivery { receiver, kind, id: delivery, attempts, .. } = &ticket;
        match (&state, error.as_deref()) {
            (State::Delivered, _) => tracing::debug!(receiver, kind, delivery, attempts, "delivered"),
            (State::Pending { .. }, error) => {
                tracing::warn!(receiver, kind, delivery, attempts, error, "delivery failed, will retry");
            }
            (State::Dead, error) => {
                tracing::error!(receiver, kind, delivery, attempts, error, "not delivered, given up")
            }
        }
        let written = self.shared.outbox.tried(&ticket, &state, status, error.as_deref(), now_ms).await;
        let taken_back = written.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot store the result of a delivery: it may be repeated");
            None
        });
        if state == State::Dead {
            let reason = error.unwrap_or_default();
            self.shared.note_given_up(GivenUp { receiver: ticket.receiver.clone(), reason, taken_back });
        }
        self.shared.count(&state);
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        lane.is_busy = false;
        match state {
            State::Pending { next_at } => {
                if let Some(head) = lane.queue.front_mut() {
                    head.attempts = ticket.attempts;
                    head.next_at = next_at;
                }
            }
            State::Delivered | State::Dead => {
                lane.queue.pop_front();
                if lane.queue.is_empty() {
                    self.lanes.remove(&name);
                }
            }
        }
        if self.lanes.is_empty() {
            // Removes gates of receivers without work; a pause stays in force.
            self.gates.retain(|_, gate| gate.running > 0 || gate.paused_until_ms > now_ms);
            self.rates.retain_recent();
        }
    }
}

/// Messages a minute to one receiver, of which a quarter may go at once.
fn quota(rate: u32) -> Quota {
    let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(at_least_one(rate)).allow_burst(at_least_one(rate.div_ceil(4)))
}

/// What follows from an outcome: retry, delivered or given up.
fn judged(
    ticket: &QueuedDelivery,
    policy: &Policy,
    outcome: &Outcome,
    now_ms: i64,
) -> (State, Option<u16>, Option<String>) {
    match outcome {
        Outcome::Delivered { status } => (State::Delivered, *status, None),
        Outcome::Refused { status, reason } => (State::Dead, *status, Some(reason.clone())),
        Outcome::Failed { status, reason, after } => {
            let is_over = match policy.tries {
                Some(tries) => ticket.attempts >= tries,
                None => now_ms.saturating_sub(ticket.created_at) >= policy.give_up_ms,
            };
            if is_over {
                return (State::Dead, *status, Some(reason.clone()));
            }
            // No back-off of `backon`: the number of tries is read from the database, and jitter goes both ways.
            let factor = 1_i64.checked_shl(ticket.attempts.saturating_sub(1).min(20)).unwrap_or(i64::MAX);
            let whole = policy.delay_ms.saturating_mul(factor).min(LONGEST_WAIT_MS.max(policy.delay_ms));
            // Jitter of 20 %, so that messages are not all retried at the same time.
            let jittered = whole.saturating_mul(rand::random_range(80..=120)) / 100;
            let asked = after.map_or(0, |after| i64::try_from(after.min(LONGEST_ASKED).as_millis()).unwrap_or(0));
            (State::Pending { next_at: now_ms.saturating_add(jittered.max(asked)) }, *status, Some(reason.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{Notifier, Options};

    fn ticket(attempts: u32) -> QueuedDelivery {
        QueuedDelivery {
            seq: 1,
            id: "d".into(),
            receiver: "r".into(),
            kind: "webhook".into(),
            place: 0,
            lane: "l".into(),
            attempts,
            created_at: 0,
            next_at: 0,
        }
    }

    fn failed(after: Option<Duration>) -> Outcome {
        Outcome::Failed { status: Some(503), reason: "HTTP 503".into(), after }
    }

    /// The delay after an attempt; `None` if it was the last one.
    fn wait(attempts: u32, policy: &Policy, outcome: &Outcome, now_ms: i64) -> Option<i64> {
        match judged(&ticket(attempts), policy, outcome, now_ms).0 {
            State::Pending { next_at } => Some(next_at - now_ms),
            _ => None,
        }
    }

    /// A worker of a notifier without receivers, which sends at most 8 messages a minute to each.
    async fn worker(data_dir: &TempDir) -> DeliveryWorker {
        let pool = database::open(data_dir.path()).await.unwrap();
        let options = Options { rate: 8, concurrency: 100, ..Options::default() };
        let opened = Notifier::open(pool, options, &[], "http://h", Default::default(), None).await;
        let (Notifier(shared), _inbox) = opened.unwrap();
        DeliveryWorker::new(shared)
    }

    #[tokio::test]
    async fn a_quarter_of_a_minutes_messages_to_a_receiver_starts_at_once() {
        let data_dir = tempfile::tempdir().unwrap();
        let mut worker = worker(&data_dir).await;
        let mut enqueue = |receiver: &str, lane: usize| {
            let lane = format!("{receiver} {lane}");
            let ticket = QueuedDelivery { receiver: receiver.into(), lane: lane.clone(), ..ticket(0) };
            worker.lanes.entry(lane).or_default().queue.push_back(ticket);
        };
        (0..8).for_each(|lane| enqueue("loud", lane));
        enqueue("quiet", 0);
        let wake = worker.start_due(1_000).unwrap();
        let busy = |receiver: &str| {
            worker.lanes.iter().filter(|(name, lane)| name.starts_with(receiver) && lane.is_busy).count()
        };
        assert_eq!((busy("loud"), busy("quiet")), (2, 1));
        // The next one may go an eighth of a minute after the first.
        assert!((8_000..=8_501).contains(&wake), "{wake}");
        assert_eq!(worker.gates.values().map(|gate| gate.running).sum::<usize>(), 3);
    }

    #[test]
    fn waits_grow_to_a_limit_and_end_by_time_or_count() {
        let by_time = Policy { tries: None, delay_ms: 1_000, give_up_ms: 3_600_000 };
        for (attempts, whole) in
            [(1, 1_000), (2, 2_000), (5, 16_000), (20, LONGEST_WAIT_MS), (4_000_000, LONGEST_WAIT_MS)]
        {
            let wait = wait(attempts, &by_time, &failed(None), 1).unwrap();
            assert!((whole * 8 / 10..=whole * 12 / 10).contains(&wait), "{attempts}: {wait}");
        }
        assert_eq!(wait(3, &by_time, &failed(None), 3_600_000), None);
        let by_count = Policy { tries: Some(4), delay_ms: 5_000, give_up_ms: 0 };
        assert!(wait(3, &by_count, &failed(None), 1).is_some());
        assert_eq!(wait(4, &by_count, &failed(None), 1), None);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_wait_but_not_for_any() {
        let policy = Policy { tries: None, delay_ms: 1_000, give_up_ms: i64::MAX };
        assert_eq!(wait(1, &policy, &failed(Some(Duration::from_secs(60))), 1), Some(60_000));
        assert!(wait(1, &policy, &failed(Some(Duration::ZERO)), 1) >= Some(800));
        assert_eq!(wait(1, &policy, &failed(Some(Duration::from_secs(1 << 40))), 1), Some(3_600_000));
        let refused = Outcome::Refused { status: Some(400), reason: "HTTP 400".into() };
        assert_eq!(wait(1, &policy, &refused, 1), None);
    }
}
