//! Admission control of reads: limits concurrency and memory, and is fair between tokens.
//!
//! A read waits in the queue of its token. The next read is taken from the token with the fewest running reads; of
//! those, from the one that has waited longest. If the waiting room is full, the token with the most waiting reads
//! loses one to a token with fewer.

mod permit;
mod queues;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use budget::{Budgets, Level, MemoryBudget, Pressure, memory::megabytes};
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use self::permit::ReadPermit;
use self::{
    permit::Slot,
    queues::{State, Waiter},
};
use crate::{ErrorKind, QueryError};

/// Minimum memory charge of a read, in bytes: threads and buffers.
pub(crate) const LEAST_COST: u64 = 256 << 10;
/// Default limits of waiting reads.
pub(crate) const MOST_WAITING: MostWaiting = MostWaiting { in_all: 1_024, of_token: 256 };

/// Limits of waiting reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MostWaiting {
    pub in_all: usize,
    pub of_token: usize,
}

/// Admits reads. Cheap to clone.
#[derive(Clone)]
pub struct Admission(Arc<Inner>);

struct Inner {
    memory: MemoryBudget,
    pressure: Arc<Pressure>,
    /// Maximum number of concurrent reads.
    slots: usize,
    /// The same per token.
    token_slots: usize,
    most_waiting: MostWaiting,
    /// Maximum time to wait.
    patience: Duration,
    state: Mutex<State>,
    admitted: AtomicU64,
    refused: AtomicU64,
}

/// Why a read is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It needs more memory than a single read may use, in bytes.
    #[error(
        "the query would take {} of memory or more, more than the limit of {} per query: select fewer series, a shorter range or a larger step",
        megabytes(*.cost), megabytes(*.most)
    )]
    TooLarge { cost: u64, most: u64 },
    /// The waiting room is full.
    #[error("{0} queries wait already: try again in a moment")]
    Crowded(usize),
    /// The token has too many waiting reads.
    #[error("{0} queries of this token wait already: try again in a moment")]
    CrowdedByToken(usize),
    /// It lost its place to a token with fewer waiting reads.
    #[error("{0} queries wait, most of them of this token, and others have their turn: try again in a moment")]
    GaveWay(usize),
    /// It waited for the maximum time.
    #[error("the server is busy with other queries: this one waited for {} s; try again", .0.as_secs_f64())]
    TooLate(Duration),
    /// The scheduler was dropped.
    #[error("the queue of reads is gone")]
    Gone,
}

impl From<Refusal> for QueryError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::TooLarge { .. } => ErrorKind::Execution,
            Refusal::Crowded(_) | Refusal::TooLate(_) => ErrorKind::Busy,
            Refusal::CrowdedByToken(_) | Refusal::GaveWay(_) => ErrorKind::TooMany,
            Refusal::Gone => ErrorKind::Internal,
        };
        QueryError::new(kind, refusal.to_string())
    }
}

impl Admission {
    /// Within the server's budgets: `slots` concurrent reads, of which one is reserved for other tokens, each waiting
    /// for at most `patience`.
    pub fn new(budgets: &Budgets, slots: usize, patience: Duration) -> Self {
        Self::of(budgets.reads.clone(), Arc::clone(&budgets.pressure), slots, MOST_WAITING, patience)
    }

    fn of(
        memory: MemoryBudget,
        pressure: Arc<Pressure>,
        slots: usize,
        most_waiting: MostWaiting,
        patience: Duration,
    ) -> Self {
        Admission(Arc::new(Inner {
            memory,
            pressure,
            slots,
            token_slots: (slots * 3 / 4).min(slots.saturating_sub(1)).max(1),
            most_waiting,
            patience,
            state: Mutex::default(),
            admitted: AtomicU64::default(),
            refused: AtomicU64::default(),
        }))
    }

    /// A separate queue for other work with its own limits, within the same memory.
    pub fn beside(&self, slots: usize, most_waiting: MostWaiting, patience: Duration) -> Self {
        Self::of(self.0.memory.clone(), Arc::clone(&self.0.pressure), slots, most_waiting, patience)
    }

    /// The memory for reads.
    pub fn memory(&self) -> &MemoryBudget {
        &self.0.memory
    }

    /// Maximum memory of one read, in bytes.
    pub fn most_bytes(&self) -> u64 {
        self.0.memory.token_limit()
    }

    /// Number of waiting reads.
    pub fn waiting(&self) -> usize {
        self.0.state.lock().waiting()
    }

    /// Number of waiting reads of one token.
    pub fn waiting_of(&self, token: &Arc<str>) -> usize {
        self.0.state.lock().waiting_of(token)
    }

    /// Number of running reads.
    pub fn running(&self) -> usize {
        self.0.state.lock().total
    }

    /// Number of admitted reads.
    pub fn admitted(&self) -> u64 {
        self.0.admitted.load(Ordering::Relaxed)
    }

    /// Number of rejected reads.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Waits until a read of `token` with an estimated cost of `cost` bytes may run.
    ///
    /// # Errors
    ///
    /// It needs more memory than a single read may use, or a limit of waiting reads is reached.
    pub async fn admit(&self, token: Arc<str>, cost: u64) -> Result<ReadPermit, Refusal> {
        let most = self.most_bytes();
        if cost > most {
            self.0.memory.refuse();
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::TooLarge { cost, most });
        }
        self.counted(token, cost.max(LEAST_COST).min(most)).await
    }

    /// The same for a read whose memory is already charged.
    pub async fn admit_charged(&self, token: Arc<str>) -> Result<ReadPermit, Refusal> {
        self.counted(token, 0).await
    }

    async fn counted(&self, token: Arc<str>, cost: u64) -> Result<ReadPermit, Refusal> {
        let result = self.turn(token, cost).await;
        let counter = if result.is_ok() { &self.0.admitted } else { &self.0.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        result
    }

    async fn turn(&self, token: Arc<str>, cost: u64) -> Result<ReadPermit, Refusal> {
        let (turn, mut has_turn) = oneshot::channel();
        let gives_way = self.0.state.lock().push(token, Waiter { cost, turn }, self.0.most_waiting)?;
        if let Some(waiter) = gives_way {
            // The waiting task may be gone.
            let _ = waiter.turn.send(Err(Refusal::GaveWay(self.0.most_waiting.in_all)));
        }
        self.0.dispatch();
        match tokio::time::timeout(self.0.patience, &mut has_turn).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => Err(Refusal::Gone),
            Err(_) => {
                // From now on its turn is skipped.
                has_turn.close();
                has_turn.try_recv().unwrap_or(Err(Refusal::TooLate(self.0.patience)))
            }
        }
    }

    /// Admits waiting reads that can run now, and aborts running ones if memory is nearly exhausted. Call it often.
    pub fn look(&self) {
        self.0.pressure.look();
        if self.0.pressure.level() == Level::Critical {
            let aborted = std::mem::take(&mut self.0.state.lock().abort);
            aborted.is_set.store(true, Ordering::Relaxed);
        }
        self.0.dispatch();
    }
}

impl Inner {
    /// Admits as many reads as can run.
    fn dispatch(self: &Arc<Self>) {
        // Permits of tasks that are gone free their slots when dropped, outside the lock.
        let mut unclaimed = Vec::new();
        let mut state = self.state.lock();
        while let Some((waiter, token, charge)) = self.next(&mut state) {
            state.total += 1;
            *state.running.entry(Arc::clone(&token)).or_default() += 1;
            let slot = Slot { inner: Arc::clone(self), token };
            let permit = ReadPermit { charge, slot, abort: Arc::clone(&state.abort) };
            unclaimed.extend(waiter.turn.send(Ok(permit)).err());
        }
        drop(state);
    }
}

#[cfg(test)]
mod tests {
    use super::{permit::Abort, *};

    const MIB: u64 = 1 << 20;

    fn admission(slots: usize, limit: u64, patience_ms: u64) -> (Admission, Budgets) {
        let budgets = Budgets::of(limit);
        (Admission::new(&budgets, slots, Duration::from_millis(patience_ms)), budgets)
    }

    async fn admit(admission: &Admission, token: &str, cost: u64) -> Result<ReadPermit, QueryError> {
        Ok(admission.admit(token.into(), cost).await?)
    }

    async fn until_waiting(admission: &Admission, count: usize) {
        while admission.waiting() != count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_token_that_asks_for_much_leaves_room_to_others() {
        let (admission, _) = admission(4, 1 << 30, 60_000);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(admit(&admission, "greedy", 0).await.unwrap());
        }
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let admission = admission.clone();
                tokio::spawn(async move { admit(&admission, "greedy", 0).await.map(drop) })
            })
            .collect();
        until_waiting(&admission, 20).await;
        // Its fourth read waits although a slot is free: another token gets it at once.
        let honest = admit(&admission, "honest", 0).await.unwrap();
        assert_eq!(admission.running(), 4);
        drop((held, honest));
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        assert_eq!((admission.running(), admission.waiting(), admission.refused()), (0, 0, 0));
    }

    #[tokio::test]
    async fn reads_wait_for_memory_and_no_longer_than_they_may() {
        let (admission, budgets) = admission(8, 400 * MIB, 50);
        let too_large = admit(&admission, "a", 76 * MIB).await.err().unwrap();
        assert_eq!(too_large.kind, ErrorKind::Execution);
        assert!(too_large.message.contains("75 MiB"), "{too_large}");
        let large = admit(&admission, "a", 60 * MIB).await.unwrap();
        let late = admit(&admission, "b", 60 * MIB).await.err().unwrap();
        assert_eq!(late.kind, ErrorKind::Busy);
        let small = admit(&admission, "b", MIB).await.unwrap();
        let result = large.into_result(2 * MIB);
        assert_eq!(budgets.reads.used(), 3 * MIB);
        drop(admit(&admission, "b", 60 * MIB).await.unwrap());
        drop((small, result));
        assert_eq!((budgets.reads.used(), admission.running()), (0, 0));
    }

    #[tokio::test]
    async fn the_queue_of_a_token_is_bounded() {
        let (admission, _) = admission(2, 1 << 30, 60_000);
        let running = admit(&admission, "a", 0).await.unwrap();
        let ask = || {
            let admission = admission.clone();
            tokio::spawn(async move { admit(&admission, "a", 0).await.map(drop) })
        };
        let waiting: Vec<_> = (0..MOST_WAITING.of_token).map(|_| ask()).collect();
        until_waiting(&admission, MOST_WAITING.of_token).await;
        assert_eq!(ask().await.unwrap().unwrap_err().kind, ErrorKind::TooMany);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        for one in waiting {
            assert!(one.await.unwrap_err().is_cancelled());
        }
        drop(running);
        drop(admit(&admission, "a", 0).await.unwrap());
        assert_eq!((admission.running(), admission.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn near_the_limit_of_memory_one_runs_and_at_it_none() {
        let (admission, budgets) = admission(4, 1 << 30, 30);
        budgets.pressure.set(900 * MIB);
        let one = admit(&admission, "a", 0).await.unwrap();
        assert_eq!(admit(&admission, "b", 0).await.err().unwrap().kind, ErrorKind::Busy);
        drop(one);
        budgets.pressure.set(1_000 * MIB);
        assert_eq!(admit(&admission, "b", 0).await.err().unwrap().kind, ErrorKind::Busy);
    }

    #[tokio::test]
    async fn tokens_that_fill_the_queue_together_give_way_to_one_with_less() {
        let (admission, _) = admission(2, 1 << 30, 60_000);
        let running = [admit(&admission, "a", 0).await.unwrap(), admit(&admission, "b", 0).await.unwrap()];
        let tokens = ["a", "b", "c", "d"];
        let ask = |token: &'static str| {
            let admission = admission.clone();
            tokio::spawn(async move { admit(&admission, token, 0).await.map(drop) })
        };
        let greedy: Vec<_> = (0..MOST_WAITING.in_all).map(|number| ask(tokens[number % tokens.len()])).collect();
        until_waiting(&admission, MOST_WAITING.in_all).await;
        let honest = ask("honest");
        while admission.waiting_of(&"honest".into()) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.waiting(), MOST_WAITING.in_all, "no more wait than may");
        drop(running);
        honest.await.unwrap().unwrap();
        let mut refused = 0;
        for one in greedy {
            if let Err(error) = one.await.unwrap() {
                assert_eq!(error.kind, ErrorKind::TooMany);
                refused += 1;
            }
        }
        assert_eq!((refused, admission.running(), admission.waiting()), (1, 0, 0));
    }

    #[tokio::test]
    async fn what_is_charged_already_waits_for_no_memory() {
        let (admission, budgets) = admission(2, 400 * MIB, 60_000);
        let token: Arc<str> = "a".into();
        let _gathered = budgets.reads.charge(&token, budgets.reads.token_limit()).unwrap();
        drop(admission.admit_charged(token).await.unwrap());
        assert_eq!((admission.waiting(), admission.running()), (0, 0));
    }

    #[tokio::test]
    async fn what_a_read_gives_back_goes_to_who_waits_for_it() {
        let (admission, _) = admission(8, 400 * MIB, 20_000);
        for ends in [drop, |large: ReadPermit| drop(large.into_result(MIB))] {
            let large = admit(&admission, "a", 60 * MIB).await.unwrap();
            let waiting = admission.clone();
            let waiting = tokio::spawn(async move { admit(&waiting, "b", 60 * MIB).await.map(drop) });
            until_waiting(&admission, 1).await;
            // Nobody calls `look`: the end of a read wakes it.
            ends(large);
            assert_eq!((admission.waiting(), admission.running()), (0, 1));
            waiting.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn it_is_logged_once_that_reads_are_ended_and_only_if_one_ends() {
        let (admission, budgets) = admission(4, 1_000, 30);
        let running = [(); 3].map(|()| Arc::<Abort>::clone(&admission.0.state.lock().abort));
        // This process uses more than that.
        admission.look();
        admission.look();
        assert!(running.iter().all(|abort| abort.is_set.load(Ordering::Relaxed)));
        assert_eq!(running.map(|abort| abort.is_news()), [true, false, false]);
        budgets.pressure.set(0);
        assert!(!admission.0.state.lock().abort.is_set.load(Ordering::Relaxed), "the next ones run");
    }
}
