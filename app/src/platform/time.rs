//! The time, as the server has it: a viewer's clock may be hours off, or be set while a page is open.
//!
//! What the server said last goes on by the browser's clock that nobody sets. That one stands still on some systems while the machine
//! sleeps, and drifts; so the server is asked again after a sleep, and now and then.

use std::cell::Cell;

use leptos::prelude::window;

/// The server is asked again after so long, in milliseconds.
const ASK_AFTER_MS: f64 = 600_000.0;
/// How far the viewer's clock and the one that nobody sets may come apart before the server is asked, in milliseconds.
const JUMP_MS: f64 = 2_000.0;

thread_local! {
    static SAID: Cell<Option<Said>> = const { Cell::new(None) };
}

/// What is known of the time.
#[derive(Clone, Copy)]
struct Said {
    /// The server's time less the steady clock's.
    ahead_ms: f64,
    /// The viewer's time less the steady clock's, when the server was heard or asked.
    viewer_ahead_ms: f64,
    /// When that was, by the steady clock.
    at_ms: f64,
}

/// Milliseconds on a clock that nobody sets.
fn steady_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

fn viewer_ahead_ms() -> f64 {
    js_sys::Date::now() - steady_ms()
}

/// The server's time, in milliseconds since the Unix epoch; the viewer's until the server has said it.
#[allow(clippy::cast_possible_truncation)] // milliseconds of a clock are far inside i64
pub(crate) fn now_ms() -> i64 {
    SAID.get().map_or_else(js_sys::Date::now, |said| steady_ms() + said.ahead_ms) as i64
}

/// The server says that it is `now_ms`, in milliseconds since the Unix epoch; 0 says nothing.
#[allow(clippy::cast_precision_loss)] // times of this era are far below 2^53 milliseconds
pub(crate) fn set_now_ms(now_ms: i64) {
    if now_ms > 0 {
        let at_ms = steady_ms();
        SAID.set(Some(Said { ahead_ms: now_ms as f64 - at_ms, viewer_ahead_ms: viewer_ahead_ms(), at_ms }));
    }
}

/// The server says what time it is in a header `Date`: to the second, which is better than the viewer's clock.
#[allow(clippy::cast_possible_truncation)] // milliseconds of a clock are far inside i64; no number becomes 0
pub(super) fn set_date(date: &str) {
    if SAID.get().is_none() {
        set_now_ms(js_sys::Date::parse(date) as i64);
    }
}

/// Whether the server is to be asked what time it is; true once for each reason.
pub(crate) fn time_is_due() -> bool {
    let Some(said) = SAID.get() else { return true };
    let (at_ms, viewer_ahead_ms) = (steady_ms(), viewer_ahead_ms());
    let due = at_ms - said.at_ms > ASK_AFTER_MS || (viewer_ahead_ms - said.viewer_ahead_ms).abs() > JUMP_MS;
    if due {
        SAID.set(Some(Said { viewer_ahead_ms, at_ms, ..said }));
    }
    due
}
