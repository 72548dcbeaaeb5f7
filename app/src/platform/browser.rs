//! The platform functions in the browser.

use std::{cell::Cell, future::Future, time::Duration};

use futures_util::future::LocalBoxFuture;
use gloo_net::http::{Request, Response};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use model::{
    backoff::Backoff,
    tree::{FromTree, read_json},
    zone::{Local, Zone},
};
use wasm_bindgen::{JsCast, closure::Closure};

use super::{FetchError, at, envelope, path_and_query, time};
use crate::payload::{THEME_COOKIE, ZONE_COOKIE};

/// Delay between retries while the server cannot be reached, in milliseconds.
pub(crate) const RETRY_MS: u32 = 5_000;
/// Lifetime of the cookies that this page sets: a year, in seconds.
const COOKIE_SECONDS: u32 = 365 * 24 * 3_600;

/// The browser's time zone. Its name is read once, because it does not change while a page is open.
pub(crate) fn own_zone() -> Zone {
    thread_local! {
        static OWN: &'static Local = Box::leak(Box::new(match zone_of_site() {
            Some(name) => Local { name, offset_min: offset_of_site },
            None => Local { name: zone_name(), offset_min },
        }));
    }
    Zone::Local(OWN.with(|own| *own))
}

/// The zone that the document is for, whatever the browser's is: that of a wall's site.
fn zone_of_site() -> Option<String> {
    document().document_element()?.get_attribute("data-zone")
}

/// The IANA name of the browser's time zone; the current minutes east of UTC if the browser does not know the name.
fn zone_name() -> String {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let name = js_sys::Reflect::get(&format.resolved_options(), &"timeZone".into());
    name.ok().and_then(|name| name.as_string()).unwrap_or_else(|| minutes_east(js_sys::Date::now()).to_string())
}

/// Minutes east of UTC at `at_ms`, in milliseconds since the Unix epoch.
#[allow(clippy::cast_precision_loss)] // times of this era are far below 2^53 milliseconds
fn offset_min(at_ms: i64) -> i32 {
    minutes_east(at_ms as f64)
}

/// Minutes east of UTC at a time in the zone of the site, by what its clocks show then: in Swedish that is written as `2026-11-30 22:14:25`.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // as above, and within a day's minutes
fn offset_of_site(at_ms: i64) -> i32 {
    thread_local! {
        static FORMAT: js_sys::Function = {
            let options = js_sys::Object::new();
            let set = |name: &str, value: &str| js_sys::Reflect::set(&options, &name.into(), &value.into());
            let _ = set("timeZone", &zone_of_site().unwrap_or_default());
            let _ = set("dateStyle", "short");
            let _ = set("timeStyle", "medium");
            js_sys::Intl::DateTimeFormat::new(&js_sys::Array::of1(&"sv".into()), &options).format()
        };
    }
    let at_ms = at_ms as f64;
    let shown = FORMAT.with(|format| format.call1(&wasm_bindgen::JsValue::NULL, &at_ms.into()));
    let shown = shown.ok().and_then(|text| text.as_string()).unwrap_or_default();
    ((js_sys::Date::parse(&(shown + "Z")) - at_ms) / 60_000.0).round() as i32
}

#[allow(clippy::cast_possible_truncation)] // within a day's minutes
fn minutes_east(at_ms: f64) -> i32 {
    -(js_sys::Date::new(&at_ms.into()).get_timezone_offset() as i32)
}

/// Runs `tick` each second until the calling component is disposed of.
pub(crate) fn every_second(tick: impl Fn() + 'static) {
    if let Ok(handle) = set_interval_with_handle(tick, Duration::from_secs(1)) {
        on_cleanup(move || handle.clear());
    }
}

pub(crate) fn is_visible() -> bool {
    document().visibility_state() == web_sys::VisibilityState::Visible
}

/// Whether the browser reports a network connection.
pub(crate) fn is_online() -> bool {
    window().navigator().on_line()
}

/// `text` for the title of the window, which needs no escapes in the browser.
pub(crate) fn title_text(text: String) -> String {
    text
}

/// Applies the theme and stores it in a cookie; `None` follows the system.
pub(crate) fn set_theme(theme: Option<&str>) {
    if let Some(root) = document().document_element() {
        let _ = match theme {
            Some(theme) => root.set_attribute("data-theme", theme),
            None => root.remove_attribute("data-theme"),
        };
    }
    set_cookie(THEME_COOKIE, theme);
}

/// Stores the time zone in a cookie, so that the server renders the next page in it.
pub(crate) fn remember_zone(zone: Zone) {
    if zone_of_site().is_none() {
        set_cookie(ZONE_COOKIE, Some(&zone.id()));
    }
}

/// The value of a cookie; `None` if it is empty.
pub(crate) fn cookie(name: &str) -> Option<String> {
    let all = document().unchecked_into::<web_sys::HtmlDocument>().cookie().ok()?;
    let pairs = all.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned())
}

fn set_cookie(name: &str, value: Option<&str>) {
    let (value, seconds) = value.map_or(("", 0), |value| (value, COOKIE_SECONDS));
    let cookie = format!("{name}={value}; Path={}; Max-Age={seconds}; SameSite=Strict", at("/"));
    // If the browser refuses cookies, the choice holds for this page only.
    let _ = document().unchecked_into::<web_sys::HtmlDocument>().set_cookie(&cookie);
}

/// Parses a number as Prometheus writes it. The browser parses it, because the tables of Rust's parser are 10 kB.
pub(crate) fn sample_value(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        // Text that is not a number gives NaN.
        _ => Some(js_sys::Number::parse_float(text)).filter(|value| value.is_finite()),
    }
}

/// A number with the fewest digits that identify it. The browser formats it, because Rust's tables for that are as large.
pub(crate) fn number_text(value: f64) -> String {
    js_sys::Number::from(value).to_string_with_radix(10).map(Into::into).unwrap_or_default()
}

pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Responds to requests in place of a server. The arguments are whether it is a POST request, and the path with its query; the result is status and body.
pub(crate) type Answers = fn(bool, String) -> LocalBoxFuture<'static, Result<(u16, String), FetchError>>;

thread_local! {
    static ANSWERS: Cell<Option<Answers>> = const { Cell::new(None) };
}

/// Sends all later requests to `answers`, because there is no server.
pub(crate) fn answer_by(answers: Answers) {
    ANSWERS.set(Some(answers));
}

pub(crate) async fn get_json<T: FromTree>(url: &str) -> Result<T, FetchError> {
    let body = ask(false, url).await?;
    read_json(&body).map_err(|error| FetchError::Failed(format!("the answer cannot be read: {error}")))
}

/// Like [`get_json`], but retries without limit while the server cannot be reached.
pub(crate) async fn get_json_once_there<T: FromTree>(url: &str) -> Result<T, FetchError> {
    let mut backoff = Backoff::default();
    loop {
        match get_json(url).await {
            Err(FetchError::Unreachable) => TimeoutFuture::new(backoff.fail(js_sys::Math::random())).await,
            answer => return answer,
        }
    }
}

/// The body at `url` as text.
pub(crate) async fn get_text(url: &str) -> Result<String, FetchError> {
    body(Request::get(&at(url)).send().await).await
}

/// Sends a POST request without a body to `url`; returns the body of the response.
pub(crate) async fn post(url: &str) -> Result<String, FetchError> {
    ask(true, url).await
}

async fn ask(is_post: bool, url: &str) -> Result<String, FetchError> {
    if let Some(answers) = ANSWERS.get() {
        let (status, body) = answers(is_post, url.to_owned()).await?;
        return if status < 300 { Ok(body) } else { Err(envelope::error(status, &body)) };
    }
    let url = at(url);
    let request = if is_post { Request::post(&url) } else { Request::get(&url) };
    body(request.header("Accept", "application/json").send().await).await
}

/// Status and body at `url`, of any server; `None` if none answers.
pub(crate) async fn probe(url: &str) -> Option<(u16, String)> {
    let answer = Request::get(&at(url)).send().await.ok()?;
    Some((answer.status(), answer.text().await.ok()?))
}

async fn body(answer: Result<Response, gloo_net::Error>) -> Result<String, FetchError> {
    let answer = answer.map_err(|_| FetchError::Unreachable)?;
    if let Some(date) = answer.headers().get("Date") {
        time::set_date(&date);
    }
    if answer.status() == 401 {
        return Err(FetchError::LoggedOut);
    }
    let body = answer.text().await.map_err(|_| FetchError::Unreachable)?;
    if answer.ok() { Ok(body) } else { Err(envelope::error(answer.status(), &body)) }
}

/// Navigates to the login page, which leads back to this page.
pub(crate) fn go_to_login() {
    let login = format!("/login?next={}", encoded(&path_and_query()));
    // If the browser refuses to navigate, this page stays and shows that it is not connected.
    let _ = window().location().set_href(&at(&login));
}

/// The session storage, which lasts as long as the tab.
pub(super) fn tab_storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

/// Reloads the page because the server or its dashboards have the version `version`. Reloads only once for each version, in case the new page is not
/// of that version either, and not before the server answers with the new page: the old one stays on the screen until then.
pub(crate) fn reload_for(version: String) {
    const KEY: &str = "hyperscope-reloaded-for";
    let Some(storage) = tab_storage() else { return };
    let done = storage.get_item(KEY).is_ok_and(|done| done.as_ref() == Some(&version));
    if !done && storage.set_item(KEY, &version).is_ok() {
        spawn(async {
            while ask(false, &path_and_query()).await.is_err() {
                TimeoutFuture::new(RETRY_MS).await;
            }
            let _ = window().location().reload();
        });
    }
}

/// `text`, percent-encoded for the query of a URL.
pub(crate) fn encoded(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// The URL of a WebSocket at `path` on this page's server.
pub(crate) fn socket_url(path: &str) -> String {
    let location = window().location();
    let scheme = if location.protocol().is_ok_and(|protocol| protocol == "https:") { "wss" } else { "ws" };
    format!("{scheme}://{}{}", location.host().unwrap_or_default(), at(path))
}

/// Opens or closes the `dialog` element with this id.
pub(crate) fn show_dialog(id: &str, shown: bool) {
    let dialog =
        document().get_element_by_id(id).and_then(|element| element.dyn_into::<web_sys::HtmlDialogElement>().ok());
    if let Some(dialog) = dialog {
        if !shown {
            dialog.close();
        } else if !dialog.open() {
            let _ = dialog.show_modal();
        }
    }
}

/// Closes the menus of the top bar.
pub(crate) fn close_menus() {
    let Ok(open) = document().query_selector_all("details.drop[open]") else { return };
    for index in 0..open.length() {
        if let Some(element) = open.item(index).and_then(|node| node.dyn_into::<web_sys::Element>().ok()) {
            let _ = element.remove_attribute("open");
        }
    }
}

/// While `is_wanted`, calls `take` for each key and click before any other listener, until the calling effect is disposed of. The page does not handle
/// these events, nor the presses that precede a click: such a press would open a menu or move the focus before the click arrives.
pub(crate) fn on_any_input(is_wanted: impl Fn() -> bool + 'static, take: impl Fn() + 'static) {
    const EVENTS: [&str; 5] = ["keydown", "click", "auxclick", "pointerdown", "mousedown"];
    let listener = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
        if is_wanted() {
            event.prevent_default();
            event.stop_propagation();
            if matches!(event.type_().as_str(), "keydown" | "click") {
                take();
            }
        }
    });
    for event in EVENTS {
        let _ = window().add_event_listener_with_callback_and_bool(event, listener.as_ref().unchecked_ref(), true);
    }
    let held = StoredValue::new_local(listener);
    on_cleanup(move || {
        held.with_value(|listener| {
            for event in EVENTS {
                let listener = listener.as_ref().unchecked_ref();
                let _ = window().remove_event_listener_with_callback_and_bool(event, listener, true);
            }
        });
        held.dispose();
    });
}

/// Closes the menus on a click outside of them, or on Escape, until the calling effect is disposed of.
pub(crate) fn close_menus_on_leave() {
    let clicked = window_event_listener(leptos::ev::click, |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let inside = target.is_some_and(|target| target.closest("details.drop").is_ok_and(|menu| menu.is_some()));
        if !inside {
            close_menus();
        }
    });
    let pressed = window_event_listener(leptos::ev::keydown, |event| {
        if event.key() == "Escape" {
            close_menus();
        }
    });
    on_cleanup(move || {
        clicked.remove();
        pressed.remove();
    });
}
