//! The time of day as the pages write it: no time-zone database, one offset for the whole page.

use leptos::prelude::*;
use model::civil::Civil;

/// The page's clock: ticks each second in the browser, stands still on the server.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Milliseconds since the Unix epoch.
    pub now_ms: RwSignal<i64>,
    /// Minutes east of UTC.
    pub offset_min: RwSignal<i32>,
}

impl Clock {
    /// A clock that shows `now_ms` until somebody moves it.
    #[must_use]
    pub fn new(now_ms: i64, offset_min: i32) -> Self {
        Clock { now_ms: RwSignal::new(now_ms), offset_min: RwSignal::new(offset_min) }
    }

    /// `12:03`, or with the day when it is not today's.
    #[must_use]
    pub fn time(self, at_ms: i64) -> String {
        let offset_min = self.offset_min.get();
        let (at, now) = (Civil::new(at_ms, offset_min), Civil::new(self.now_ms.get(), offset_min));
        if (at.year, at.month, at.day) == (now.year, now.month, now.day) {
            at.clock()
        } else {
            format!("{} {}", at.date(), at.clock())
        }
    }

    /// `2026-11-20 12:03:59`.
    #[must_use]
    pub fn date_time(self, at_ms: i64) -> String {
        Civil::new(at_ms, self.offset_min.get()).to_string()
    }

    /// How long ago `at_ms` was: `4 s ago`.
    #[must_use]
    pub fn age(self, at_ms: i64) -> String {
        model::unit::age(self.now_ms.get().saturating_sub(at_ms))
    }
}
