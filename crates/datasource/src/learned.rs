//! A cached property of an engine: queried once for all callers, and again after a while.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::freshness;

/// A property that an engine was queried for.
pub(crate) struct Learned<T> {
    known: Mutex<Option<Known<T>>>,
    /// Locked while the engine is queried. A caller for whom the cached value is fresh enough does not wait.
    asking: tokio::sync::Mutex<()>,
}

struct Known<T> {
    asked_at: Instant,
    lasts: Duration,
    value: T,
}

impl<T> Default for Learned<T> {
    fn default() -> Self {
        Learned { known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }
}

impl<T: Clone> Learned<T> {
    /// The cached value if it is fresh enough, otherwise the result of `ask`. From the result (`None` if the query
    /// failed) and the previous value, `settle` returns the value to use and its lifetime.
    pub(crate) async fn get(
        &self,
        ask: impl Future<Output = Option<T>>,
        settle: impl FnOnce(Option<T>, Option<T>) -> (T, Duration),
    ) -> T {
        if let Some(value) = self.fresh() {
            return value;
        }
        let _asking = self.asking.lock().await;
        if let Some(value) = self.fresh() {
            return value;
        }
        let asked_at = Instant::now();
        let answer = ask.await;
        let mut known = self.known.lock();
        let (value, lasts) = settle(answer, known.take().map(|before| before.value));
        *known = Some(Known { asked_at, lasts, value: value.clone() });
        value
    }

    /// Simulates that it was queried earlier.
    #[cfg(test)]
    pub(crate) fn grow_older(&self, by: Duration) {
        if let Some(known) = &mut *self.known.lock() {
            known.asked_at = known.asked_at.checked_sub(by).unwrap();
        }
    }

    fn fresh(&self) -> Option<T> {
        let known = self.known.lock();
        let counts = |known: &&Known<T>| known.asked_at.elapsed() < known.lasts && freshness::is_known(known.asked_at);
        known.as_ref().filter(counts).map(|known| known.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::freshness::Freshness;

    #[tokio::test]
    async fn who_needs_nothing_newer_does_not_wait_for_who_does() {
        let learned = Learned::default();
        let hour =
            |answer: Option<u8>, before: Option<u8>| (answer.or(before).unwrap_or(0), Duration::from_secs(3_600));
        assert_eq!(learned.get(async { Some(1) }, hour).await, 1);
        let fresh = freshness::with(Freshness::All, learned.get(pending(), hour));
        tokio::pin!(fresh);
        assert!(futures_util::poll!(&mut fresh).is_pending(), "the engine does not answer");
        let plain = learned.get(pending(), hour);
        tokio::pin!(plain);
        assert_eq!(futures_util::poll!(&mut plain), std::task::Poll::Ready(1));
    }
}
