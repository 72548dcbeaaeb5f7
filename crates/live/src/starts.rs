//! How many live queries a token starts in a minute. One that others follow already costs nothing and is not counted.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Starts of live queries by token.
pub struct StartLimit {
    most: u32,
    /// The time over which starts are counted.
    window: Duration,
    /// When the window of a token began, and how many it has started since.
    started: Mutex<HashMap<Arc<str>, (Instant, u32)>>,
}

impl StartLimit {
    /// At most so many in a minute.
    #[must_use]
    pub fn a_minute(most: u32) -> Self {
        Self::within(Duration::from_secs(60), most)
    }

    /// At most so many in such a time.
    pub fn within(window: Duration, most: u32) -> Self {
        StartLimit { most, window, started: Mutex::default() }
    }

    /// Counts one more start of `token`.
    ///
    /// # Errors
    /// There were too many: how many there may be.
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
