//! When a read runs: a few at a time, fair between tokens, within the memory for reads, on threads that yield to everything else.
//!
//! Everything that viewers make the server evaluate, list or export passes here: pages, live queries, the HTTP API, federation, pictures. A
//! read waits in the queue of its token. The next one is of the token that has the fewest running; who waited longest among those. Rules do
//! not pass here: they have threads of their own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{ErrorKind, QueryError, read_threads::ReadThreads};
use crate::budget::{Budgets, Charge, MemoryBudget, Pressure, Requester, memory::megabytes, pressure::Level};

/// Least memory that a read is charged, in bytes: threads and buffers.
const LEAST_COST: u64 = 256 << 10;
/// Reads that may wait, in all and of one token.
const MOST_WAITING: usize = 1_024;
const MOST_WAITING_OF_TOKEN: usize = 256;

/// Lets reads run. A cheap handle.
#[derive(Clone)]
pub struct ReadScheduler(Arc<Inner>);

struct Inner {
    memory: MemoryBudget,
    pressure: Arc<Pressure>,
    /// Reads at a time.
    slots: usize,
    /// The same of one token.
    token_slots: usize,
    /// Longest wait.
    patience: Duration,
    state: Mutex<State>,
    refused: AtomicU64,
    threads: ReadThreads,
}

#[derive(Default)]
struct State {
    running: HashMap<Arc<str>, usize>,
    total: usize,
    queues: VecDeque<Queue>,
    /// Set for all reads that run when memory is nearly gone; the next ones get a new one.
    abort: Arc<AtomicBool>,
}

/// The reads of one token that wait.
struct Queue {
    token: Arc<str>,
    waiters: VecDeque<Waiter>,
}

struct Waiter {
    cost: u64,
    turn: oneshot::Sender<ReadPermit>,
}

/// Leave to run one read, until it is dropped.
pub struct ReadPermit {
    slot: Option<Slot>,
    charge: Charge,
    abort: Arc<AtomicBool>,
}

struct Slot {
    inner: Arc<Inner>,
    token: Arc<str>,
}

impl ReadPermit {
    /// Whether the read is to end because memory is nearly gone.
    pub(crate) fn is_aborted(&self) -> bool {
        self.abort.load(Ordering::Relaxed)
    }

    /// Ends the read, whose result takes so many bytes as long as what is returned lives.
    pub(crate) fn into_result(mut self, bytes: u64) -> Charge {
        // Where a result is larger than what was foreseen it is there already.
        let _ = self.charge.resize(bytes.min(self.charge.bytes()));
        self.slot = None;
        self.charge
    }

    /// Ends the read, and keeps what it was charged until the requester's work is done.
    fn hold(self) {
        let bytes = self.charge.bytes();
        Requester::hold(self.into_result(bytes));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
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

impl ReadScheduler {
    /// Within the budgets of a server, `slots` reads at a time, of which one is left to other tokens, each of which waits for `patience` at
    /// most.
    #[must_use]
    pub fn new(budgets: &Budgets, slots: usize, patience: Duration) -> Self {
        ReadScheduler(Arc::new(Inner {
            memory: budgets.reads.clone(),
            pressure: Arc::clone(&budgets.pressure),
            slots,
            token_slots: (slots * 3 / 4).min(slots.saturating_sub(1)).max(1),
            patience,
            state: Mutex::default(),
            refused: AtomicU64::default(),
            threads: ReadThreads::new(slots),
        }))
    }

    /// The memory for reads.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        &self.0.memory
    }

    /// Most bytes of one read.
    #[must_use]
    pub fn most_bytes(&self) -> u64 {
        self.0.memory.token_limit()
    }

    /// Reads that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting()
    }

    /// Reads of one token that wait.
    pub(crate) fn waiting_of(&self, token: &Arc<str>) -> usize {
        let state = self.0.lock();
        state.queues.iter().find(|queue| queue.token == *token).map_or(0, |queue| queue.waiters.len())
    }

    /// Reads that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.lock().total
    }

    /// Reads that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Waits until a read of the current task's requester may run that takes about `cost` bytes.
    ///
    /// # Errors
    /// It takes more than any read may, too many wait, or its turn did not come in time.
    pub async fn admit(&self, cost: u64) -> Result<ReadPermit, QueryError> {
        let result = self.queue(cost).await;
        if result.is_err() {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn queue(&self, cost: u64) -> Result<ReadPermit, QueryError> {
        let most = self.most_bytes();
        if cost > most {
            self.0.memory.refuse();
            return Err(QueryError::new(
                ErrorKind::Execution,
                format!(
                    "the query would take about {} of memory, more than the {} that one may take: select fewer series, a shorter range or a larger step",
                    megabytes(cost),
                    megabytes(most)
                ),
            ));
        }
        let (turn, mut has_turn) = oneshot::channel();
        let token = Requester::current().account();
        self.0.lock().push(token, Waiter { cost: cost.max(LEAST_COST).min(most), turn })?;
        self.0.dispatch();
        match tokio::time::timeout(self.0.patience, &mut has_turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(QueryError::new(ErrorKind::Internal, "the queue of reads is gone")),
            Err(_) => {
                // From now on its turn is passed over.
                has_turn.close();
                has_turn.try_recv().map_err(|_| {
                    let seconds = self.0.patience.as_secs_f64();
                    QueryError::new(
                        ErrorKind::Busy,
                        format!("the server is busy with other queries: this one waited for {seconds} s; try again"),
                    )
                })
            }
        }
    }

    /// Runs something on a thread for reads, which yields to all other work, and gives the permit back with what it returns.
    ///
    /// # Errors
    /// It broke off.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        permit: ReadPermit,
        read: impl FnOnce(&ReadPermit) -> T + Send + 'static,
    ) -> Result<(T, ReadPermit), QueryError> {
        let (done, result) = oneshot::channel();
        self.0.threads.run(Box::new(move || {
            let value = read(&permit);
            // Nobody may wait for it any more.
            let _ = done.send((value, permit));
        }));
        result.await.map_err(|_| QueryError::new(ErrorKind::Internal, "the evaluation broke off: see the server's log"))
    }

    /// Admits a read and runs it, after it has said what it takes: that is looked up as part of the read, on the same threads.
    ///
    /// # Errors
    /// As [`ReadScheduler::admit`] and [`ReadScheduler::run`].
    pub(crate) async fn run_sized<T: Send + 'static>(
        &self,
        size: impl FnOnce() -> u64 + Send + 'static,
        read: impl FnOnce(&ReadPermit) -> T + Send + 'static,
    ) -> Result<(T, ReadPermit), QueryError> {
        let permit = self.admit(LEAST_COST).await?;
        let sized = move |permit: &ReadPermit| {
            let cost = size();
            if cost <= permit.charge.bytes() { Ok(read(permit)) } else { Err((cost, read)) }
        };
        let (cost, read) = match self.run(permit, sized).await? {
            (Ok(value), permit) => return Ok((value, permit)),
            (Err(larger), _small) => larger,
        };
        let permit = self.admit(cost).await?;
        self.run(permit, read).await
    }

    /// As [`ReadScheduler::run_sized`], for what is no query. What it returns is charged until the requester's work is done.
    ///
    /// # Errors
    /// As [`ReadScheduler::admit`] and [`ReadScheduler::run`].
    pub(crate) async fn read_sized<T: Send + 'static>(
        &self,
        size: impl FnOnce() -> u64 + Send + 'static,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let (value, permit) = self.run_sized(size, move |_| read()).await?;
        permit.hold();
        Ok(value)
    }

    /// Admits a read and runs it: for what is no query.
    ///
    /// # Errors
    /// As [`ReadScheduler::admit`] and [`ReadScheduler::run`].
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        cost: u64,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.admit(cost).await?;
        let (value, permit) = self.run(permit, move |_| read()).await?;
        permit.hold();
        Ok(value)
    }

    /// Looks whether what waits may run now, and ends what runs where memory is nearly gone. To be called often.
    pub fn look(&self) {
        self.0.pressure.look();
        if self.0.pressure.level() == Level::Critical {
            let mut state = self.0.lock();
            let aborted = std::mem::take(&mut state.abort);
            let ends = state.total;
            drop(state);
            aborted.store(true, Ordering::Relaxed);
            if ends > 0 {
                tracing::warn!(
                    resident = self.0.pressure.resident(),
                    limit = self.0.pressure.limit(),
                    reads = ends,
                    "memory is nearly at its limit: queries that run are ended"
                );
            }
        }
        self.0.dispatch();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives turns to as many as may run.
    fn dispatch(self: &Arc<Self>) {
        // What was given to somebody who is gone frees its slot by being dropped, outside of the lock.
        let mut unclaimed = Vec::new();
        let mut state = self.lock();
        while let Some((waiter, token, charge)) = self.next(&mut state) {
            state.total += 1;
            *state.running.entry(Arc::clone(&token)).or_default() += 1;
            let slot = Some(Slot { inner: Arc::clone(self), token });
            let permit = ReadPermit { slot, charge, abort: Arc::clone(&state.abort) };
            unclaimed.extend(waiter.turn.send(permit).err());
        }
        drop(state);
    }

    fn next(&self, state: &mut State) -> Option<(Waiter, Arc<str>, Charge)> {
        match self.pressure.level() {
            Level::Low => {}
            Level::High if state.total == 0 => {}
            Level::High | Level::Critical => return None,
        }
        if state.total >= self.slots {
            return None;
        }
        state.forget_gone();
        let mut order: Vec<(usize, usize)> = (state.queues.iter().enumerate())
            .map(|(place, queue)| (state.running.get(&queue.token).copied().unwrap_or_default(), place))
            .filter(|(running, place)| {
                // The server's own are no token's.
                let is_own = state.queues.get(*place).is_some_and(|queue| queue.token.is_empty());
                *running < if is_own { self.slots } else { self.token_slots }
            })
            .collect();
        order.sort_unstable();
        for (_, place) in order {
            let Some(queue) = state.queues.get_mut(place) else { continue };
            let Some(cost) = queue.waiters.front().map(|waiter| waiter.cost) else { continue };
            let Ok(charge) = self.memory.try_charge(&queue.token, cost) else { continue };
            let waiter = queue.waiters.pop_front()?;
            let token = Arc::clone(&queue.token);
            // Behind the others of as many.
            if let Some(queue) = state.queues.remove(place).filter(|queue| !queue.waiters.is_empty()) {
                state.queues.push_back(queue);
            }
            return Some((waiter, token, charge));
        }
        None
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiters.len()).sum()
    }

    fn forget_gone(&mut self) {
        for queue in &mut self.queues {
            queue.waiters.retain(|waiter| !waiter.turn.is_closed());
        }
        self.queues.retain(|queue| !queue.waiters.is_empty());
    }

    fn push(&mut self, token: Arc<str>, waiter: Waiter) -> Result<(), QueryError> {
        if self.waiting() >= MOST_WAITING {
            self.forget_gone();
        }
        if self.waiting() >= MOST_WAITING {
            let message = format!("{MOST_WAITING} queries wait already: try again in a moment");
            return Err(QueryError::new(ErrorKind::Busy, message));
        }
        let place = self.queues.iter().position(|queue| queue.token == token);
        let queue = match place.and_then(|place| self.queues.get_mut(place)) {
            Some(queue) => queue,
            None => {
                self.queues.push_back(Queue { token, waiters: VecDeque::from([waiter]) });
                return Ok(());
            }
        };
        if queue.waiters.len() >= MOST_WAITING_OF_TOKEN {
            queue.waiters.retain(|waiter| !waiter.turn.is_closed());
        }
        if queue.waiters.len() >= MOST_WAITING_OF_TOKEN {
            let message = format!("{MOST_WAITING_OF_TOKEN} queries of this token wait already: try again in a moment");
            return Err(QueryError::new(ErrorKind::TooMany, message));
        }
        queue.waiters.push_back(waiter);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn scheduler(slots: usize, limit: u64, patience_ms: u64) -> (ReadScheduler, Budgets) {
        let budgets = Budgets::of(limit);
        (ReadScheduler::new(&budgets, slots, Duration::from_millis(patience_ms)), budgets)
    }

    async fn admit(scheduler: &ReadScheduler, token: &str, cost: u64) -> Result<ReadPermit, QueryError> {
        Requester::Token(token.into()).scope(scheduler.admit(cost)).await
    }

    async fn until_waiting(scheduler: &ReadScheduler, count: usize) {
        while scheduler.waiting() != count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_token_that_asks_for_much_leaves_room_to_others() {
        let (scheduler, _) = scheduler(4, 1 << 30, 60_000);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(admit(&scheduler, "greedy", 0).await.unwrap());
        }
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let scheduler = scheduler.clone();
                tokio::spawn(async move { admit(&scheduler, "greedy", 0).await.map(drop) })
            })
            .collect();
        until_waiting(&scheduler, 20).await;
        // Its fourth waits, though there is a slot: another token has it at once.
        let honest = admit(&scheduler, "honest", 0).await.unwrap();
        assert_eq!(scheduler.running(), 4);
        drop((held, honest));
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        assert_eq!((scheduler.running(), scheduler.waiting(), scheduler.refused()), (0, 0, 0));
    }

    #[tokio::test]
    async fn reads_wait_for_memory_and_no_longer_than_they_may() {
        let (scheduler, budgets) = scheduler(8, 400 * MIB, 50);
        let too_large = admit(&scheduler, "a", 76 * MIB).await.err().unwrap();
        assert_eq!(too_large.kind, ErrorKind::Execution);
        assert!(too_large.message.contains("75 MiB"), "{too_large}");
        let large = admit(&scheduler, "a", 60 * MIB).await.unwrap();
        let late = admit(&scheduler, "b", 60 * MIB).await.err().unwrap();
        assert_eq!(late.kind, ErrorKind::Busy);
        let small = admit(&scheduler, "b", MIB).await.unwrap();
        let result = large.into_result(2 * MIB);
        assert_eq!(budgets.reads.used(), 3 * MIB);
        drop(admit(&scheduler, "b", 60 * MIB).await.unwrap());
        drop((small, result));
        assert_eq!((budgets.reads.used(), scheduler.running()), (0, 0));
    }

    #[tokio::test]
    async fn the_queue_of_a_token_is_bounded() {
        let (scheduler, _) = scheduler(2, 1 << 30, 60_000);
        let running = admit(&scheduler, "a", 0).await.unwrap();
        let ask = || {
            let scheduler = scheduler.clone();
            tokio::spawn(async move { admit(&scheduler, "a", 0).await.map(drop) })
        };
        let waiting: Vec<_> = (0..MOST_WAITING_OF_TOKEN).map(|_| ask()).collect();
        until_waiting(&scheduler, MOST_WAITING_OF_TOKEN).await;
        assert_eq!(ask().await.unwrap().unwrap_err().kind, ErrorKind::TooMany);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        for one in waiting {
            assert!(one.await.unwrap_err().is_cancelled());
        }
        drop(running);
        drop(admit(&scheduler, "a", 0).await.unwrap());
        assert_eq!((scheduler.running(), scheduler.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn near_the_limit_of_memory_one_runs_and_at_it_none() {
        let (scheduler, budgets) = scheduler(4, 1 << 30, 30);
        budgets.pressure.set(900 * MIB);
        let one = admit(&scheduler, "a", 0).await.unwrap();
        assert_eq!(admit(&scheduler, "b", 0).await.err().unwrap().kind, ErrorKind::Busy);
        drop(one);
        budgets.pressure.set(1_000 * MIB);
        assert_eq!(admit(&scheduler, "b", 0).await.err().unwrap().kind, ErrorKind::Busy);
    }

    #[tokio::test]
    async fn a_read_that_panics_takes_nothing_with_it() {
        let (scheduler, _) = scheduler(2, 1 << 30, 10_000);
        for _ in 0..5 {
            let broken = scheduler.read(0, || assert_eq!(1 + 1, 3, "as it should")).await;
            assert_eq!(broken.unwrap_err().kind, ErrorKind::Internal);
        }
        assert_eq!(scheduler.read(0, || 7).await.unwrap(), 7);
        assert_eq!(scheduler.running(), 0);
    }
}
