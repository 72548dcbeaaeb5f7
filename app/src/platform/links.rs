//! The browser's history, clicks on links, and scroll positions.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use leptos::{ev::MouseEvent, leptos_dom::helpers::TimeoutHandle, prelude::*};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlAnchorElement};

/// Attribute of the document's root with the path below which a proxy serves this server. Absent at the root of a host.
const BASE: &str = "data-base";

/// Delay between the last scroll event and the moment when the position is stored.
const SCROLLING: Duration = Duration::from_millis(100);
/// Frames to wait until a page is long enough to restore its scroll position: five seconds at 60 Hz.
const FRAMES: u32 = 300;

thread_local! {
    /// Scroll position to restore as soon as the page is long enough, in CSS pixels from the top.
    static WANTED_PLACE: Cell<Option<f64>> = const { Cell::new(None) };
    static BASE_PATH: RefCell<String> =
        RefCell::new(document().document_element().and_then(|root| root.get_attribute(BASE)).unwrap_or_default());
}

/// Prefix of paths in the static bundle, whose file server has only one document.
const FRAGMENT: &str = "#";

/// From now on, paths are fragments of this document's URL.
pub(crate) fn use_fragments() {
    BASE_PATH.set(FRAGMENT.to_owned());
}

fn has_fragments() -> bool {
    BASE_PATH.with_borrow(|base| base == FRAGMENT)
}

/// A path of this server as browsers have to request it. Every URL that leaves the app passes through this function: links, forms,
/// requests, the history.
pub(crate) fn at(path: &str) -> String {
    BASE_PATH.with_borrow(|base| format!("{base}{path}"))
}

/// The reverse of [`at`]: the path on this server; `None` if the address leads to something else on the same host.
pub(super) fn inside(address: &str) -> Option<String> {
    let rest = BASE_PATH.with_borrow(|base| address.strip_prefix(base.as_str()).map(str::to_owned))?;
    match rest.chars().next() {
        Some('/') => Some(rest),
        Some('?') | None => Some(format!("/{rest}")),
        Some(_) => None,
    }
}

/// Path and query of the document.
pub(crate) fn path_and_query() -> String {
    let location = window().location();
    if has_fragments() {
        let fragment = location.hash().unwrap_or_default();
        return inside(&fragment).unwrap_or_else(|| "/".to_owned());
    }
    let address = format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
    inside(&address).unwrap_or(address)
}

/// Adds `href` to the history as the address of this page.
pub(crate) fn push_url(href: &str) {
    remember_place();
    WANTED_PLACE.set(None);
    if let Ok(history) = window().history() {
        // If the browser refuses, the address bar shows the old URL.
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(&at(href)));
    }
}

/// Replaces the URL of this page with `href`.
pub(crate) fn replace_url(href: &str) {
    if let Ok(history) = window().history() {
        let place = history.state().unwrap_or_default();
        let _ = history.replace_state_with_url(&place, "", Some(&at(href)));
    }
}

pub(crate) fn scroll_to_top() {
    window().scroll_to_with_x_and_y(0.0, 0.0);
}

/// Calls `moved` when the user goes back or forward, then restores the scroll position, until the calling effect is disposed of. The browser
/// restores it too early, before the content of the page is fetched.
pub(crate) fn on_history_moved(moved: impl Fn() + 'static) {
    let went = window_event_listener(leptos::ev::popstate, move |_| {
        moved();
        let place = window().history().and_then(|history| history.state()).ok().and_then(|place| place.as_f64());
        WANTED_PLACE.set(place);
        // Later, because the previous page is still shown.
        scroll_later(FRAMES);
    });
    let waiting = RefCell::new(None::<TimeoutHandle>);
    let scrolled = window_event_listener(leptos::ev::scroll, move |_| {
        let later = set_timeout_with_handle(remember_place, SCROLLING).ok();
        if let Some(before) = waiting.replace(later) {
            before.clear();
        }
    });
    on_cleanup(move || {
        went.remove();
        scrolled.remove();
    });
}

fn place() -> f64 {
    window().scroll_y().unwrap_or_default()
}

/// Stores the scroll position in the current history entry.
fn remember_place() {
    if WANTED_PLACE.get().is_none()
        && let Ok(history) = window().history()
    {
        let _ = history.replace_state(&place().into(), "");
    }
}

/// Scrolls to the wanted position in each of the next `frames` frames, until the page is long enough or the user scrolls.
fn scroll_later(frames: u32) {
    let before = place();
    request_animation_frame(move || {
        let Some(wanted) = WANTED_PLACE.get() else { return };
        let is_left_alone = place() == before || frames == FRAMES;
        if is_left_alone {
            window().scroll_to_with_x_and_y(0.0, wanted);
        }
        if frames == 0 || !is_left_alone || (place() - wanted).abs() < 1.0 {
            WANTED_PLACE.set(None);
        } else {
            scroll_later(frames - 1);
        }
    });
}

/// Calls `take` for each click on a link within this site, until the calling effect is disposed of. The arguments are path and query, and whether to
/// keep the scroll position. If `take` returns false, the browser follows the link.
pub(crate) fn take_links(take: impl Fn(&str, bool) -> bool + 'static) {
    let listener = window_event_listener(leptos::ev::click, move |event| {
        let Some(link) = plain_click(&event) else { return };
        let address = if has_fragments() { link.hash() } else { format!("{}{}", link.pathname(), link.search()) };
        let Some(href) = inside(&address) else { return };
        // A link to an element of the current page.
        if !has_fragments() && !link.hash().is_empty() && href == path_and_query() {
            return;
        }
        if take(&href, link.has_attribute("data-noscroll")) {
            event.prevent_default();
        }
    });
    on_cleanup(move || listener.remove());
}

/// The clicked link within this site; `None` if it opens elsewhere, such as in a new tab or as a download.
fn plain_click(event: &MouseEvent) -> Option<HtmlAnchorElement> {
    let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
    if event.default_prevented() || event.button() != 0 || modified {
        return None;
    }
    let clicked = event.target()?.dyn_into::<Element>().ok()?.closest("a[href]").ok()??;
    let link = clicked.dyn_into::<HtmlAnchorElement>().ok()?;
    let elsewhere = link.has_attribute("target") || link.has_attribute("download") || link.rel().contains("external");
    (!elsewhere && link.origin() == window().location().origin().ok()?).then_some(link)
}
