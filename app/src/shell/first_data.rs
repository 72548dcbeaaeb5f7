//! A link from a range that begins long before its data to a range that begins with it. After the first start of a server, most of the last hour
//! is empty.

use leptos::prelude::*;
use model::{
    panel::PanelData,
    range::{Instant, MINUTE_MS, TimeRange},
};

use super::Page;
use crate::{platform, view::view};

/// Time of the first point in `data`, in milliseconds since the Unix epoch.
pub(crate) fn first_ms(data: &PanelData) -> Option<i64> {
    // A single point is the result of an instant query.
    let courses = data.frames().flat_map(|frame| &frame.series).filter(|series| series.timestamps.len() > 1);
    courses.filter_map(|series| series.timestamps.first().copied()).min()
}

/// The range that begins at the first data, if more than a third of `range` is empty before it.
fn from_first_data(range: TimeRange, first_ms: i64, now_ms: i64) -> Option<TimeRange> {
    let (start_ms, end_ms) = range.resolve(now_ms);
    if first_ms - start_ms <= (end_ms - start_ms) / 3 || first_ms >= end_ms {
        return None;
    }
    Some(match range.live_window_ms() {
        // Whole minutes, which are easy to read, and one more for the next data.
        Some(_) => TimeRange::last(((now_ms - first_ms) / MINUTE_MS + 1) * MINUTE_MS),
        None => TimeRange { from: Instant::At(first_ms), to: range.to },
    })
}

/// A link to the range that begins at the first data, if the current range begins long before it.
#[component]
pub(crate) fn FirstDataLink(first_ms: Signal<Option<i64>>) -> impl IntoView {
    let page = Page::get();
    let href = RwSignal::new(None);
    // In an effect, because the server has the data of some panels only, and hydration must begin with the same link.
    Effect::new(move |_| {
        let first_ms = first_ms.get();
        let range =
            first_ms.and_then(|first_ms| from_first_data(page.url.range.get(), first_ms, page.evaluated_ms.get()));
        let now = range.map(|range| page.url.link_with_range(range));
        if href.read_untracked() != now {
            href.set(now);
        }
    });
    view! { {move || {
        href.get().map(|href| {
            view! { <a class="button first-data" href=platform::at(&href) data-noscroll>"Show from the first data on"</a> }
        })
    }} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_is_mostly_empty_is_shortened_to_its_data() {
        const NOW_MS: i64 = 100 * MINUTE_MS;
        let hour = TimeRange::last(60 * MINUTE_MS);
        let shorter = |ago_ms: i64| from_first_data(hour, NOW_MS - ago_ms, NOW_MS).map(|range| range.from.to_string());
        assert_eq!(shorter(70_000).as_deref(), Some("now-2m"));
        assert_eq!(shorter(29 * MINUTE_MS).as_deref(), Some("now-30m"));
        assert_eq!(shorter(31 * MINUTE_MS).as_deref(), Some("now-32m"), "half empty");
        assert_eq!(shorter(40 * MINUTE_MS), None);
        assert_eq!(shorter(60 * MINUTE_MS), None);
        let past = TimeRange { from: Instant::At(0), to: Instant::At(50 * MINUTE_MS) };
        let from = |first_ms| from_first_data(past, first_ms, NOW_MS);
        assert_eq!(from(40 * MINUTE_MS), Some(TimeRange { from: Instant::At(40 * MINUTE_MS), ..past }));
        assert_eq!(from(60 * MINUTE_MS), None);
    }
}
