//! What a wall does beyond showing its page: rows and panels that have no room are counted, keys turn the pages, and the screen stays on.

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlElement};

use super::{Key, drawn::all, screens};

/// Shows beside the title of each panel how many of its rows do not fit, on kiosk displays, which nobody scrolls. The style sheet hides partly visible rows.
pub(crate) fn count_left_out() {
    let Some(body) = document().body() else { return };
    for list in all::<HtmlElement>(&body, "[data-kiosk] :is(.table-scroll, .alerts, .bars, .pie-list, .legend)") {
        let Some(badges) = list
            .closest(".look")
            .ok()
            .flatten()
            .and_then(|look| all::<Element>(look.unchecked_ref(), ".badges").into_iter().next())
        else {
            continue;
        };
        let bounds = list.get_bounding_client_rect();
        let rows = all::<Element>(&list, "tbody tr:not(.spacer), .alert, .bars > li, .pie-list > li, .legend-item");
        let is_out = |row: &&Element| {
            let row = row.get_bounding_client_rect();
            // An item that does not fit into a column is in a further column, beyond the edge.
            row.height() < 1.0 || row.bottom() > bounds.bottom() + 1.0 || row.left() + 20.0 > bounds.right()
        };
        let in_page = i64::try_from(rows.len()).unwrap_or(0);
        // A long table renders only some of its rows.
        let total = all::<Element>(&list, "[aria-rowcount]")
            .first()
            .and_then(|table| table.get_attribute("aria-rowcount")?.parse::<i64>().ok())
            .map_or(in_page, |rows| rows - 1);
        let left_out = total - in_page + i64::try_from(rows.iter().filter(is_out).count()).unwrap_or(0);
        let words = if left_out > 0 { format!("and {left_out} more") } else { String::new() };
        let _ = badges.set_attribute("data-more", &words);
    }
}

/// Shows the screenful `screen` of the dashboard on a wall, as many of its panels as fit whole, and hides the others. Returns how many
/// screenfuls there are. The dashboard that follows is made ready to show its first.
pub(crate) fn show_screen(screen: usize) -> usize {
    let Some(body) = document().body() else { return 1 };
    let mut count = 1;
    for slide in all::<HtmlElement>(&body, ".slide") {
        let panels = all::<HtmlElement>(&slide, ".panel");
        let bounds: Vec<(i32, i32)> =
            panels.iter().map(|panel| (panel.offset_top(), panel.offset_top() + panel.offset_height())).collect();
        let starts = screens::starts(&bounds, slide.client_height());
        let shown = if slide.has_attribute("inert") {
            0
        } else {
            count = starts.len();
            screen.min(count - 1)
        };
        let start = starts.get(shown).copied().unwrap_or_default();
        let next = starts.get(shown + 1).copied().unwrap_or(i32::MAX);
        for (panel, (top, _)) in panels.iter().zip(bounds) {
            let _ = panel.toggle_attribute_with_force("data-out", top < start || top >= next);
        }
        let _ = slide.style().set_property("--screen-top", &format!("{}px", -start));
    }
    count
}

/// Whether the dashboard that follows on a wall is complete: each of its panels has its data, or says why not.
pub(crate) fn is_next_ready() -> bool {
    find(".slide[inert] :is(.panel, .notice)").is_some()
        && find(".slide[inert] :is(.panel-picture, [aria-busy])").is_none()
}

/// Moves the page by a few pixels every three minutes, so that nothing burns in.
pub(crate) fn shift(minute: i64) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-shift", &(minute / 3 % 4).to_string());
    }
}

/// Keeps the screen on while the page is looked at, where the browser can, until the calling effect is gone.
pub(crate) fn stay_awake() {
    let ask = || {
        if super::is_visible() {
            super::spawn(async {
                if let Some(asked) = wake_lock() {
                    // Where it is refused, the screen goes off when it would have.
                    let _ = JsFuture::from(asked).await;
                }
            });
        }
    };
    ask();
    // The browser ends it when the page is hidden.
    let listener = window_event_listener_untyped("visibilitychange", move |_| ask());
    on_cleanup(move || listener.remove());
}

/// The Screen Wake Lock of the browser, if it has one and allows it here: pages over HTTP have none, and a frame of another site has it only if
/// that site allows it.
fn wake_lock() -> Option<Promise> {
    if !may_stay_awake().unwrap_or(true) {
        return None;
    }
    let lock = Reflect::get(&window().navigator(), &"wakeLock".into()).ok()?;
    let request = Reflect::get(&lock, &"request".into()).ok()?.dyn_into::<Function>().ok()?;
    request.call1(&lock, &"screen".into()).ok()?.dyn_into().ok()
}

/// What Permissions Policy says of the Screen Wake Lock; `None` where the browser does not tell.
fn may_stay_awake() -> Option<bool> {
    let policy = Reflect::get(&document(), &"featurePolicy".into()).ok()?;
    let allows = Reflect::get(&policy, &"allowsFeature".into()).ok()?.dyn_into::<Function>().ok()?;
    allows.call1(&policy, &"screen-wake-lock".into()).ok()?.as_bool()
}

/// Loads the document at `href`, a path with or without a query.
pub(crate) fn open(href: &str) {
    // If the browser refuses to navigate, the page stays as it is.
    let _ = window().location().set_href(&super::at(href));
}

/// Width and height of the page in pixels.
pub(crate) fn page_size() -> (i32, i32) {
    document().document_element().map_or((0, 0), |root| (root.client_width(), root.client_height()))
}

fn find(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// Hands keys to `take` that are meant for nothing on the page, until the calling effect is gone.
pub(crate) fn on_key(take: impl Fn(Key) + 'static) {
    let listener = window_event_listener(leptos::ev::keydown, move |event| {
        let has_modifier = event.ctrl_key() || event.meta_key() || event.alt_key();
        let within = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let is_taken =
            within.is_some_and(|target| target.closest("a, button, input, select").is_ok_and(|one| one.is_some()));
        let key = match event.key().as_str() {
            " " => Key::Space,
            "ArrowLeft" => Key::Left,
            "ArrowRight" => Key::Right,
            _ => return,
        };
        if !has_modifier && !is_taken && !event.default_prevented() {
            event.prevent_default();
            take(key);
        }
    });
    on_cleanup(move || listener.remove());
}
