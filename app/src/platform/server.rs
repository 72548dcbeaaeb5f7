//! Stand-ins for the platform functions where there is no browser.

use std::future::Future;

#[cfg(feature = "ssr")]
use leptos::prelude::GetUntracked;
use leptos::web_sys::HtmlElement;
use model::tree::FromTree;
use model::zone::Zone;

use super::{FetchError, Key};

pub(crate) fn now_ms() -> i64 {
    0
}

pub(crate) fn set_now_ms(_now_ms: i64) {}

pub(crate) fn own_zone() -> Zone {
    Zone::UTC
}

pub(crate) fn every_second(_tick: impl Fn() + 'static) {}

/// `text` with escapes for HTML, because leptos_meta does not escape titles.
pub(crate) fn title_text(text: String) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(crate) fn set_theme(_theme: Option<&str>) {}

pub(crate) fn remember_zone(_zone: Zone) {}

/// Parses a number as Prometheus writes it.
pub(crate) fn sample_value(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A number with the fewest digits that identify it.
#[cfg(test)]
pub(crate) fn number_text(value: f64) -> String {
    value.to_string()
}

pub(crate) fn spawn(_task: impl Future<Output = ()> + 'static) {}

pub(crate) async fn get_json<T: FromTree>(_url: &str) -> Result<T, FetchError> {
    Err(FetchError::Failed("not in a browser".to_owned()))
}

pub(crate) async fn get_json_once_there<T: FromTree>(url: &str) -> Result<T, FetchError> {
    get_json(url).await
}

pub(crate) async fn get_text(_url: &str) -> Result<String, FetchError> {
    Err(FetchError::Failed("not in a browser".to_owned()))
}

pub(crate) async fn post(_url: &str) -> Result<String, FetchError> {
    Err(FetchError::Failed("not in a browser".to_owned()))
}

pub(crate) fn go_to_login() {}

pub(crate) fn show_dialog(_id: &str, _shown: bool) {}

/// `path` as it is: the HTTP server prefixes the links of its documents with its path.
pub(crate) fn at(path: &str) -> String {
    path.to_owned()
}

/// Path and query of the document that is being rendered.
#[cfg(feature = "ssr")]
pub(crate) fn path_and_query() -> String {
    let url = leptos_router::hooks::use_url().get_untracked();
    format!("{}?{}", url.path(), url.search())
}

/// The root, because there is no document.
#[cfg(not(feature = "ssr"))]
pub(crate) fn path_and_query() -> String {
    "/".to_owned()
}

pub(crate) fn push_url(_href: &str) {}

pub(crate) fn replace_url(_href: &str) {}

pub(crate) fn scroll_to_top() {}

pub(crate) fn swap_html(_area: &HtmlElement, _html: &str) {}

pub(crate) fn renew_ages(_area: &HtmlElement, _now_ms: i64) {}

pub(crate) fn take_forms(_area: &HtmlElement, _go: impl Fn(&str, bool) + Clone + 'static) {}

pub(crate) fn on_history_moved(_moved: impl Fn() + 'static) {}

pub(crate) fn take_links(_take: impl Fn(&str, bool) -> bool + 'static) {}

pub(crate) fn recall(_key: &str) -> Option<String> {
    None
}

pub(crate) fn rung() -> Option<String> {
    None
}

pub(crate) fn remember_rung(_rung: &str) -> bool {
    false
}

pub(crate) fn beep() {}

pub(crate) fn notify(_title: &str, _body: &str, _tag: &str) {}

pub(crate) fn close_menus() {}

pub(crate) fn close_menus_on_leave() {}

pub(crate) fn on_any_input(_is_wanted: impl Fn() -> bool + 'static, _take: impl Fn() + 'static) {}

pub(crate) fn count_left_out() {}

pub(crate) fn on_key(_take: impl Fn(Key) + 'static) {}

pub(crate) fn show_screen(_screen: usize) -> usize {
    1
}

pub(crate) fn shift(_minute: i64) {}

pub(crate) fn stay_awake() {}

pub(crate) fn open(_href: &str) {}

pub(crate) fn page_size() -> (i32, i32) {
    (0, 0)
}

pub(crate) fn is_next_ready() -> bool {
    false
}

/// `text`, percent-encoded for the query of a URL.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
