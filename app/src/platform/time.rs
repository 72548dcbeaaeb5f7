//! The server's time: a viewer's clock may be hours off, or be set while a page is open.
//!
//! The last time from the server is advanced with the browser's monotonic clock. On some systems that clock stops while the machine sleeps, and it
//! drifts. So the page asks the server again after a sleep, and every ten minutes.

use std::cell::Cell;

use leptos::prelude::window;

/// Interval after which the page asks the server for the time again, in milliseconds.
const ASK_AFTER_MS: f64 = 600_000.0;
/// Difference between the viewer's clock and the monotonic clock at which the page asks the server again, in milliseconds.
const JUMP_MS: f64 = 2_000.0;

thread_local! {
    static SAID: Cell<Option<Said>> = const { Cell::new(None) };
}

/// The last time from the server, and the clocks at that moment.
#[derive(Clone, Copy)]
struct Said {
    /// The server's time minus the monotonic clock's.
    ahead_ms: f64,
    /// The viewer's time minus the monotonic clock's, when the server was last heard or asked.
    viewer_ahead_ms: f64,
    /// When that was, on the monotonic clock.
    at_ms: f64,
}

/// Milliseconds on the browser's monotonic clock.
fn steady_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

fn viewer_ahead_ms() -> f64 {
    js_sys::Date::now() - steady_ms()
}

/// The server's time, in milliseconds since the Unix epoch; the viewer's time until the server has sent one.
#[allow(clippy::cast_possible_truncation)] // milliseconds of a clock are far inside i64
pub(crate) fn now_ms() -> i64 {
    SAID.get().map_or_else(js_sys::Date::now, |said| steady_ms() + said.ahead_ms) as i64
}

/// Sets the server's time, in milliseconds since the Unix epoch; 0 is ignored.
#[allow(clippy::cast_precision_loss)] // times of this era are far below 2^53 milliseconds
pub(crate) fn set_now_ms(now_ms: i64) {
    if now_ms > 0 {
        let at_ms = steady_ms();
        SAID.set(Some(Said { ahead_ms: now_ms as f64 - at_ms, viewer_ahead_ms: viewer_ahead_ms(), at_ms }));
    }
}

/// Sets the server's time from a header `Date` unless it is known. It is exact to the second, which is better than the viewer's clock.
#[allow(clippy::cast_possible_truncation)] // milliseconds of a clock are far inside i64; NaN becomes 0
pub(super) fn set_date(date: &str) {
    if SAID.get().is_none() {
        set_now_ms(js_sys::Date::parse(date) as i64);
    }
}

/// Whether the page should ask the server for the time. True once for each reason.
pub(crate) fn time_is_due() -> bool {
    let Some(said) = SAID.get() else { return true };
    let (at_ms, viewer_ahead_ms) = (steady_ms(), viewer_ahead_ms());
    let due = at_ms - said.at_ms > ASK_AFTER_MS || (viewer_ahead_ms - said.viewer_ahead_ms).abs() > JUMP_MS;
    if due {
        SAID.set(Some(Said { viewer_ahead_ms, at_ms, ..said }));
    }
    due
}
