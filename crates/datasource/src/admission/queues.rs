//! The queues of waiting reads, one for each token, and whose read is next.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use budget::{Charge, Level};
use tokio::sync::oneshot;

use super::{Inner, MostWaiting, ReadPermit, Refusal, permit::Abort};

#[derive(Default)]
pub(super) struct State {
    pub(super) running: HashMap<Arc<str>, usize>,
    pub(super) total: usize,
    queues: VecDeque<Queue>,
    /// Set for all running reads when memory is nearly exhausted; later reads get a new one.
    pub(super) abort: Arc<Abort>,
}

/// Waiting reads of one token.
struct Queue {
    token: Arc<str>,
    waiters: VecDeque<Waiter>,
}

pub(super) struct Waiter {
    pub(super) cost: u64,
    pub(super) turn: oneshot::Sender<Result<ReadPermit, Refusal>>,
}

impl Inner {
    /// The next read that can run, with its token and its memory.
    pub(super) fn next(&self, state: &mut State) -> Option<(Waiter, Arc<str>, Charge)> {
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
                // The server's own reads belong to no token.
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
            // Moves the queue behind other queues with the same number of running reads.
            if let Some(queue) = state.queues.remove(place).filter(|queue| !queue.waiters.is_empty()) {
                state.queues.push_back(queue);
            }
            return Some((waiter, token, charge));
        }
        None
    }
}

impl State {
    pub(super) fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiters.len()).sum()
    }

    pub(super) fn waiting_of(&self, token: &Arc<str>) -> usize {
        self.queues.iter().find(|queue| queue.token == *token).map_or(0, |queue| queue.waiters.len())
    }

    fn forget_gone(&mut self) {
        for queue in &mut self.queues {
            queue.waiters.retain(|waiter| !waiter.turn.is_closed());
        }
        self.queues.retain(|queue| !queue.waiters.is_empty());
    }

    /// Enqueues a read. If that takes the place of another read, returns that one.
    pub(super) fn push(
        &mut self,
        token: Arc<str>,
        waiter: Waiter,
        most: MostWaiting,
    ) -> Result<Option<Waiter>, Refusal> {
        if self.waiting() >= most.in_all || self.waiting_of(&token) >= most.of_token {
            self.forget_gone();
        }
        let own = self.waiting_of(&token);
        if own >= most.of_token {
            return Err(Refusal::CrowdedByToken(most.of_token));
        }
        let mut gives_way = None;
        if self.waiting() >= most.in_all {
            let longest = self.queues.iter_mut().max_by_key(|queue| queue.waiters.len());
            let longest = longest.filter(|queue| queue.waiters.len() > own + 1);
            gives_way = longest.ok_or(Refusal::Crowded(most.in_all))?.waiters.pop_back();
        }
        match self.queues.iter_mut().find(|queue| queue.token == token) {
            Some(queue) => queue.waiters.push_back(waiter),
            None => self.queues.push_back(Queue { token, waiters: VecDeque::from([waiter]) }),
        }
        Ok(gives_way)
    }
}
