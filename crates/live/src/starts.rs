//! Limits how many live queries a token starts per minute. A query that is already running does not count.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Starts of live queries by token.
pub struct StartLimit {
    most: u32,
    /// Length of the window in which starts are counted.
    window: Duration,
    /// Start of each token's window, and the number of starts since.
    started: Mutex<HashMap<Arc<str>, (Instant, u32)>>,
}

impl StartLimit {
    /// At most `most` in a minute.
    #[must_use]
    pub fn a_minute(most: u32) -> Self {
        Self::within(Duration::from_secs(60), most)
    }

    /// At most `most` in `window`.
    pub fn within(window: Duration, most: u32) -> Self {
        StartLimit { most, window, started: Mutex::default() }
    }

    /// Counts a start by `token`.
    ///
    /// # Errors
    ///
    /// The limit, if it is exceeded.
    pub fn count(&self, token: &Arc<str>, now: Instant) -> Result<(), u32> {
        let mut started = self.started.lock();
        started.retain(|_, (begun, _)| now.duration_since(*begun) < self.window);
        let (_, count) = started.entry(Arc::clone(token)).or_insert((now, 0));
        if *count >= self.most {
            return Err(self.most);
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_starts_of_a_token() {
        let limit = StartLimit::a_minute(2);
        let [one, other]: [Arc<str>; 2] = ["one".into(), "other".into()];
        let begin = Instant::now();
        let started = [0, 1, 59].map(|seconds| limit.count(&one, begin + Duration::from_secs(seconds)));
        assert_eq!(started, [Ok(()), Ok(()), Err(2)]);
        assert_eq!(limit.count(&other, begin), Ok(()));
        assert_eq!(limit.count(&one, begin + limit.window), Ok(()));
        assert_eq!(limit.started.lock().len(), 1, "others are forgotten");
    }
}
