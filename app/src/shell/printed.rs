//! A line with the time and the range of a page, for prints. Only the style sheet for print shows it.

use leptos::prelude::*;

use super::Page;
use crate::view::view;

/// When the page was printed and, if it `has_range`, its time range.
#[component]
pub(crate) fn Printed(has_range: bool) -> impl IntoView {
    let page = Page::get();
    let words = move || {
        let now_ms = page.clock.now_ms.get();
        let zone = page.clock.zone.get().name();
        let printed = format!("Printed {} {zone}", page.clock.date_time(now_ms));
        if !has_range {
            return printed;
        }
        let (start_ms, end_ms) = page.url.range.get().resolve(now_ms);
        format!("{} to {} {zone}. {printed}", page.clock.date_time(start_ms), page.clock.date_time(end_ms))
    };
    view! { <p class="printed">{words}</p> }
}
