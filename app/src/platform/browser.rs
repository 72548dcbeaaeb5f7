//! The browser's side.

use std::{cell::Cell, future::Future, time::Duration};

use futures_util::future::LocalBoxFuture;
use gloo_net::http::{Request, Response};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use model::{
    tree::{FromTree, read_json},
    zone::{Local, Zone},
};
use wasm_bindgen::{JsCast, closure::Closure};

use super::{FetchError, at, envelope, path_and_query, time};
use crate::payload::{THEME_COOKIE, ZONE_COOKIE};

/// The wait between requests to a server that cannot be reached, in milliseconds.
pub(crate) const RETRY_MS: u32 = 5_000;
/// How long a cookie of ours is kept, in seconds.
const COOKIE_SECONDS: u32 = 365 * 24 * 3_600;

/// The browser's zone. What it is called does not change while a page is open.
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

/// The name of the browser's zone; minutes east of UTC, now, where it does not know the name.
fn zone_name() -> String {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let name = js_sys::Reflect::get(&format.resolved_options(), &"timeZone".into());
    name.ok().and_then(|name| name.as_string()).unwrap_or_else(|| minutes_east(js_sys::Date::now()).to_string())
}

/// Minutes east of UTC at a time, in milliseconds since the Unix epoch.
#[allow(clippy::cast_precision_loss)] // times of this era are far below 2^53 milliseconds
fn offset_min(at_ms: i64) -> i32 {
    minutes_east(at_ms as f64)
}

/// Minutes east of UTC at a time in the zone of the site, which the browser writes as `GMT+05:30`.
#[allow(clippy::cast_precision_loss)] // as above
fn offset_of_site(at_ms: i64) -> i32 {
    thread_local! {
        static FORMAT: js_sys::Function = {
            let options = js_sys::Object::new();
            let set = |name: &str, value: &str| js_sys::Reflect::set(&options, &name.into(), &value.into());
            let _ = set("timeZone", &zone_of_site().unwrap_or_default());
            let _ = set("timeZoneName", "longOffset");
            js_sys::Intl::DateTimeFormat::new(&js_sys::Array::of1(&"en-US".into()), &options).format()
        };
    }
    let written = FORMAT.with(|format| format.call1(&wasm_bindgen::JsValue::NULL, &(at_ms as f64).into()));
    let text = written.ok().and_then(|text| text.as_string()).unwrap_or_default();
    let offset = text.rsplit_once("GMT").map_or("", |(_, offset)| offset);
    let (hours, minutes) = offset.get(1..).and_then(|digits| digits.split_once(':')).unwrap_or(("0", "0"));
    let minutes = hours.parse::<i32>().unwrap_or(0) * 60 + minutes.parse::<i32>().unwrap_or(0);
    if offset.starts_with('-') { -minutes } else { minutes }
}

#[allow(clippy::cast_possible_truncation)] // within a day's minutes
fn minutes_east(at_ms: f64) -> i32 {
    -(js_sys::Date::new(&at_ms.into()).get_timezone_offset() as i32)
}

/// Runs `tick` each second until the calling component is gone.
pub(crate) fn every_second(tick: impl Fn() + 'static) {
    if let Ok(handle) = set_interval_with_handle(tick, Duration::from_secs(1)) {
        on_cleanup(move || handle.clear());
    }
}

pub(crate) fn is_visible() -> bool {
    document().visibility_state() == web_sys::VisibilityState::Visible
}

/// Whether the browser believes to have a network.
pub(crate) fn is_online() -> bool {
    window().navigator().on_line()
}

/// `text` as the title of the window.
pub(crate) fn title_text(text: String) -> String {
    text
}

/// Shows and remembers the theme; `None` follows the system.
pub(crate) fn set_theme(theme: Option<&str>) {
    if let Some(root) = document().document_element() {
        let _ = match theme {
            Some(theme) => root.set_attribute("data-theme", theme),
            None => root.remove_attribute("data-theme"),
        };
    }
    set_cookie(THEME_COOKIE, theme);
}

/// Tells the server the zone for the next page.
pub(crate) fn remember_zone(zone: Zone) {
    if zone_of_site().is_none() {
        set_cookie(ZONE_COOKIE, Some(&zone.id()));
    }
}

/// The value of a cookie of ours.
pub(crate) fn cookie(name: &str) -> Option<String> {
    let all = document().unchecked_into::<web_sys::HtmlDocument>().cookie().ok()?;
    let pairs = all.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned())
}

fn set_cookie(name: &str, value: Option<&str>) {
    let (value, seconds) = value.map_or(("", 0), |value| (value, COOKIE_SECONDS));
    let cookie = format!("{name}={value}; Path={}; Max-Age={seconds}; SameSite=Strict", at("/"));
    // A browser that refuses cookies keeps the choice for this page only.
    let _ = document().unchecked_into::<web_sys::HtmlDocument>().set_cookie(&cookie);
}

/// A number as Prometheus writes it. Read by the browser: the tables with which Rust reads one are 10 KB.
pub(crate) fn sample_value(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        // What is no number becomes NaN.
        _ => Some(js_sys::Number::parse_float(text)).filter(|value| value.is_finite()),
    }
}

/// A number with as many digits as distinguish it. Written by the browser: Rust's tables for that are as large.
pub(crate) fn number_text(value: f64) -> String {
    js_sys::Number::from(value).to_string_with_radix(10).map(Into::into).unwrap_or_default()
}

pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Answers requests in place of a server: whether it is a POST request, path and query.
pub(crate) type Answers = fn(bool, String) -> LocalBoxFuture<'static, Result<(u16, String), FetchError>>;

thread_local! {
    static ANSWERS: Cell<Option<Answers>> = const { Cell::new(None) };
}

/// Has all requests answered by `answers`, because no server is there.
pub(crate) fn answer_by(answers: Answers) {
    ANSWERS.set(Some(answers));
}

pub(crate) async fn get_json<T: FromTree>(url: &str) -> Result<T, FetchError> {
    let body = ask(false, url).await?;
    read_json(&body).map_err(|error| FetchError::Failed(format!("the answer cannot be read: {error}")))
}

/// The same of a server that is there, however long that takes.
pub(crate) async fn get_json_once_there<T: FromTree>(url: &str) -> Result<T, FetchError> {
    loop {
        match get_json(url).await {
            Err(FetchError::Unreachable) => TimeoutFuture::new(RETRY_MS).await,
            answer => return answer,
        }
    }
}

/// The body at `url`, as it is.
pub(crate) async fn get_text(url: &str) -> Result<String, FetchError> {
    body(Request::get(&at(url)).send().await).await
}

/// Posts nothing to `url`; the body of the answer.
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

/// Status and body at `url`, whoever answers there.
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

/// Leaves for the login page, which leads back here.
pub(crate) fn go_to_login() {
    let login = format!("/login?next={}", encoded(&path_and_query()));
    // If the browser refuses to navigate, the page stays and says that it is not connected.
    let _ = window().location().set_href(&at(&login));
}

/// What the browser remembers as long as the tab is open.
pub(super) fn tab_storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

/// Loads the page again because the server, or what it shows, is now `version`: once, should the page still be of another version then. What is
/// shown stays until the server has the new one, which is complete with its document.
pub(crate) fn reload_for(version: String) {
    const KEY: &str = "hyperscope-reloaded-for";
    let Some(storage) = tab_storage() else { return };
    let done = storage.get_item(KEY).is_ok_and(|done| done.as_ref() == Some(&version));
    if !done && storage.set_item(KEY, &version).is_ok() {
        spawn(async {
            while get_text(&path_and_query()).await.is_err() {
                TimeoutFuture::new(RETRY_MS).await;
            }
            let _ = window().location().reload();
        });
    }
}

/// `text` as part of a URL's query.
pub(crate) fn encoded(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// The URL of a socket on this page's server.
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

/// Offers each key and click to `take` before anything else, until the calling effect is gone. What it takes works nothing beneath, and neither does what leads up
/// to a click while `is_wanted`: a press that would open a menu or move the focus before the click comes.
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

/// Closes the menus when something outside of them is clicked or Escape is pressed, until the calling effect is gone.
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
