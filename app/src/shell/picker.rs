//! Menus for the time range and the refresh of a page. They consist of links, so they work without scripts.

use crate::view::view;
use leptos::{ev::SubmitEvent, prelude::*};
use model::{
    civil::Civil,
    range::{DurationMs, Instant, TimeRange},
    unit::whole_duration,
    zone::Twice,
};

use super::{Icon, Page, Refresh, parameter};
use crate::{platform, view::without_scripts};

/// Query parameter of the page with the form for two times without scripts. That page does not reload itself.
pub(crate) const RANGE: &str = "range";

/// The menu for the time range: presets and a custom range.
#[component]
pub(crate) fn RangePicker() -> impl IntoView {
    let page = Page::get();
    let presets = TimeRange::PRESETS_MS.map(|window_ms| {
        let range = TimeRange::last(window_ms);
        view! {
            <a
                class="drop-item"
                href=move || platform::at(&page.url.link_with_range(range))
                aria-current=move || (page.url.range.get() == range).then_some("true")
                data-noscroll
            >
                {format!("Last {}", spelled(window_ms))}
            </a>
        }
    });
    let is_asked = page.location.query.with_untracked(|query| parameter(query, RANGE).is_some());
    let ask = without_scripts(|| {
        let href = page.url.link_with(&format!("{RANGE}=ask"));
        view! { <a class="drop-item" href=platform::at(&href)>"From a time to a time"</a> }
    });
    view! {
        <details class="drop range-drop" name="menu" open=is_asked>
            <summary class="button" title="Time range">
                {Icon::Clock.draw()}
                <span class="range-words">{move || range_words(page)}</span>
            </summary>
            <div class="drop-body range-body">
                <div class="drop-list">
                    {presets.into_iter().collect_view()}
                    <div class="needs-no-script" inner_html=ask></div>
                </div>
                <div class=if is_asked { "" } else { "needs-script" }><CustomRange /></div>
            </div>
        </details>
    }
}

/// The form for a custom range. Without scripts, its fields become the parameters of the URL, including the time zone of the two times.
#[component]
fn CustomRange() -> impl IntoView {
    let page = Page::get();
    let (from, to) = (NodeRef::<leptos::html::Input>::new(), NodeRef::<leptos::html::Input>::new());
    let error = RwSignal::new(None::<String>);
    // Resolved when the range was chosen, so that the fields do not change while they are filled in.
    let shown = Memo::new(move |_| page.url.range.get().resolve(page.clock.now_ms.get_untracked()));
    let shown = move || shown.get();
    let apply = move |event: SubmitEvent| {
        event.prevent_default();
        let read = |input: NodeRef<leptos::html::Input>| input.get_untracked().map(|input| input.value());
        let zone = page.clock.zone.get_untracked();
        let (shown_from, shown_to) = untrack(shown);
        let at = |text: Option<String>, shown_ms: i64, twice: Twice| {
            let civil = Civil::parse(&text?)?;
            // An unchanged field keeps its time to the millisecond. The field has only minutes, and cannot tell the repeated hour at the end of summer time.
            let unchanged = zone.civil(shown_ms).input_value() == civil.input_value();
            Some(Instant::At(if unchanged { shown_ms } else { zone.instant(&civil, twice) }))
        };
        // A range with a repeated hour includes both.
        match (at(read(from), shown_from, Twice::Earlier), at(read(to), shown_to, Twice::Later)) {
            (Some(from), Some(to)) if from.resolve(0) < to.resolve(0) => {
                error.set(None);
                platform::close_menus();
                let href = page.url.link_with_range(TimeRange { from, to });
                page.location.go(&href, true);
            }
            (Some(_), Some(_)) => error.set(Some("Let the first time be earlier than the second.".to_owned())),
            _ => error.set(Some("Fill in both times.".to_owned())),
        }
    };
    let bound = move |pick: fn((i64, i64)) -> i64| page.clock.zone.get().civil(pick(shown())).input_value();
    let refresh = move || page.url.refresh.get().parameter();
    view! {
        <form class="custom-range" method="get" action=move || platform::at(&page.url.path.get()) on:submit=apply>
            <p class="drop-heading">"From a time to a time, " {move || page.clock.zone.get().name()}</p>
            <label>
                "From"
                <input type="datetime-local" name="from" required node_ref=from value=move || bound(|(start, _)| start) />
            </label>
            <label>
                "To"
                <input type="datetime-local" name="to" required node_ref=to value=move || bound(|(_, end)| end) />
            </label>
            <input type="hidden" name="tz" value=move || page.clock.zone.get().id() />
            {move || refresh().map(|value| view! { <input type="hidden" name="refresh" value=value /> })}
            <p class="form-error" role="alert">{move || error.get()}</p>
            <button type="submit" class="button primary">"Apply"</button>
        </form>
    }
}

/// The menu for the refresh of the page.
#[component]
pub(crate) fn RefreshPicker() -> impl IntoView {
    let page = Page::get();
    let is_past = move || page.url.range.get().live_window_ms().is_none();
    let choices = Refresh::CHOICES.map(|choice| {
        view! {
            <a
                class="drop-item"
                href=move || platform::at(&page.url.link_with_refresh(choice))
                aria-current=move || (page.url.refresh.get() == choice).then_some("true")
                data-noscroll
            >
                {choice.to_string()}
            </a>
        }
    });
    view! {
        <details class="drop refresh-drop" name="menu">
            <summary class="button" title=move || if is_past() { "Refresh: a time that is over is not renewed" } else { "Refresh" }>
                {Icon::Refresh.draw()}
                <span class="refresh-words">
                    {move || if is_past() { "Fixed".to_owned() } else { page.url.refresh.get().to_string() }}
                </span>
            </summary>
            <div class="drop-body">
                <div class="drop-list">{choices.into_iter().collect_view()}</div>
            </div>
        </details>
    }
}

/// The range in words: `Last 6 hours`, or its two ends.
fn range_words(page: Page) -> String {
    let range = page.url.range.get();
    match (range.live_window_ms(), range.from, range.to) {
        (Some(window_ms), ..) => format!("Last {}", spelled(window_ms)),
        (None, Instant::Ago(from_ms), Instant::Ago(to_ms)) => {
            format!("{} ago to {} ago", whole_duration(from_ms), whole_duration(to_ms))
        }
        (None, from, to) => {
            let now_ms = page.clock.now_ms.get_untracked();
            format!("{} to {}", page.clock.time(from.resolve(now_ms)), page.clock.time(to.resolve(now_ms)))
        }
    }
}

/// `15 minutes`, `1 hour`, `2 days`; a duration that is not in whole minutes is written as in the URL.
fn spelled(window_ms: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute")];
    let whole = UNITS.into_iter().find(|(unit_ms, _)| window_ms >= *unit_ms && window_ms % unit_ms == 0);
    match whole {
        Some((unit_ms, name)) => {
            let count = window_ms / unit_ms;
            format!("{count} {name}{}", if count == 1 { "" } else { "s" })
        }
        None => DurationMs(window_ms).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_durations_are_spelled_out() {
        let spelled_ms = [900_000, 3_600_000, 86_400_000, 172_800_000, 5_400_000, 1_000].map(spelled);
        assert_eq!(spelled_ms, ["15 minutes", "1 hour", "1 day", "2 days", "90 minutes", "1s"]);
    }
}
