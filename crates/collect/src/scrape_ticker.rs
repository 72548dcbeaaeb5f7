//! Waits for the ticks of scrapes.

use std::time::Duration;

use model::clock::now_ms;
use scrape::Ticker;

/// A [`Ticker`] on the wall clock.
#[derive(Debug)]
pub(crate) struct ScrapeTicker(Ticker);

impl ScrapeTicker {
    pub(crate) fn new(interval: Duration) -> Self {
        ScrapeTicker(Ticker::new(interval))
    }

    /// Waits for the next tick and returns its time. A dropped wait continues with the next call.
    pub(crate) async fn tick(&mut self) -> i64 {
        let now = now_ms();
        let due_ms = self.0.due(now);
        let wait_ms = u64::try_from(due_ms - now).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        self.0.done();
        due_ms
    }
}
