//! What is wrong with the daemon, on every page.

use leptos::prelude::*;

use super::worker::Told;
use crate::view::view;

/// A line at the edge of the page, while something is wrong. The question for a key says what is wrong by itself.
#[component]
pub(super) fn Notices(told: Told) -> impl IntoView {
    let Told { locked, notices, failure } = told;
    let words = move || match failure.get() {
        Some(reason) => format!("{reason} Reload the page to go on."),
        None if locked.with(Option::is_some) => String::new(),
        None => notices.get().join(" "),
    };
    view! {
        <p class="banner banner-over banner-daemon" role="status">
            {words}
        </p>
    }
}
