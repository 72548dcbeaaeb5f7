//! Times as the pages write them, in the viewer's time zone.

use leptos::prelude::*;
use model::zone::Zone;

/// The page's clock. It ticks each second in the browser, and does not move on the server.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Milliseconds since the Unix epoch.
    pub now_ms: RwSignal<i64>,
    /// The viewer's time zone.
    pub zone: RwSignal<Zone>,
}

impl Clock {
    /// A clock that shows `now_ms`, in milliseconds since the Unix epoch, until that signal is set.
    #[must_use]
    pub fn new(now_ms: i64, zone: Zone) -> Self {
        Clock { now_ms: RwSignal::new(now_ms), zone: RwSignal::new(zone) }
    }

    /// `12:03`, with the date in front unless it is today.
    #[must_use]
    pub fn time(self, at_ms: i64) -> String {
        let zone = self.zone.get();
        let (at, now) = (zone.civil(at_ms), zone.civil(self.now_ms.get()));
        if (at.year, at.month, at.day) == (now.year, now.month, now.day) {
            at.clock()
        } else {
            format!("{} {}", at.date(), at.clock())
        }
    }

    /// `2026-11-20 12:03:59`.
    #[must_use]
    pub fn date_time(self, at_ms: i64) -> String {
        self.zone.get().civil(at_ms).to_string()
    }

    /// How long ago `at_ms` was: `4 s ago`.
    #[must_use]
    pub fn age(self, at_ms: i64) -> String {
        model::unit::age(self.now_ms.get().saturating_sub(at_ms))
    }
}
