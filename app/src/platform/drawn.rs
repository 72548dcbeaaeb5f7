//! HTML fragments that the server renders: inserts them into the page and handles their forms.

use std::{cell::RefCell, rc::Rc, time::Duration};

use leptos::{
    leptos_dom::helpers::{TimeoutHandle, set_timeout_with_handle},
    prelude::*,
};
use model::live::AlertState;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, Event, HtmlElement, HtmlFormElement, HtmlInputElement, HtmlSelectElement};

/// Delay between the last key and the moment when the form is read.
const TYPING: Duration = Duration::from_millis(250);

/// Replaces the content of `area` with `html`. Changed fields keep their values, as do all fields of a form with `data-typed`, which the server
/// filled with the values of a refused request. Open `details` stay open, and the focus stays on the element with the same id.
pub(crate) fn swap_html(area: &HtmlElement, html: &str) {
    let typed: Vec<(String, String)> = all::<HtmlInputElement>(area, "input[id]")
        .into_iter()
        .filter(|input| input.value() != input.default_value() || is_in_typed_form(input))
        .map(|input| (input.id(), input.value()))
        .collect();
    let chosen: Vec<(String, String)> = all::<HtmlSelectElement>(area, "select[id]")
        .into_iter()
        .filter(|select| {
            let by_default = select.query_selector("[selected]").ok().flatten();
            by_default.and_then(|option| option.get_attribute("value")) != Some(select.value())
                || is_in_typed_form(select)
        })
        .map(|select| (select.id(), select.value()))
        .collect();
    let open: Vec<String> = all::<Element>(area, "details[open][id]").iter().map(Element::id).collect();
    let focused = document().active_element().filter(|element| area.contains(Some(element)));
    let place = focused
        .as_ref()
        .and_then(|element| element.dyn_ref::<HtmlInputElement>())
        .and_then(|input| Some((input.selection_start().ok()??, input.selection_end().ok()??)));
    area.set_inner_html(html);
    restore_choices(area);
    let by_id = |id: &str| document().get_element_by_id(id).filter(|element| area.contains(Some(element)));
    for (id, value) in typed {
        if let Some(input) = by_id(&id).and_then(|element| element.dyn_into::<HtmlInputElement>().ok()) {
            input.set_value(&value);
        }
    }
    for (id, value) in chosen {
        if let Some(select) = by_id(&id).and_then(|element| element.dyn_into::<HtmlSelectElement>().ok()) {
            select.set_value(&value);
        }
    }
    for id in open {
        if let Some(details) = by_id(&id) {
            let _ = details.set_attribute("open", "");
        }
    }
    let Some(again) = focused.map(|element| element.id()).filter(|id| !id.is_empty()).and_then(|id| by_id(&id)) else {
        return;
    };
    if let Some(element) = again.dyn_ref::<HtmlElement>() {
        let _ = element.focus();
    }
    if let (Some(input), Some((from, to))) = (again.dyn_ref::<HtmlInputElement>(), place) {
        let _ = input.set_selection_range(from, to);
    }
}

fn is_in_typed_form(field: &Element) -> bool {
    field.closest("form[data-typed]").is_ok_and(|form| form.is_some())
}

/// Sets each `select` with `data-keep` to the value that this browser stores for it.
fn restore_choices(area: &HtmlElement) {
    for select in all::<HtmlSelectElement>(area, "select[data-keep]") {
        if let Some(value) = super::recall(&select.id()) {
            select.set_value(&value);
        }
    }
}

/// Updates the age of each time in `area`, and how long each alert has been in its state.
pub(crate) fn renew_ages(area: &HtmlElement, now_ms: i64) {
    for (name, selector) in [("data-since", "[data-since]"), ("data-lasting", "[data-lasting]")] {
        for time in all::<Element>(area, selector) {
            let Some(since_ms) = time.get_attribute(name).and_then(|text| text.parse::<i64>().ok()) else { continue };
            let age_ms = now_ms.saturating_sub(since_ms);
            let words = match time.get_attribute("data-state").as_deref() {
                Some("firing") => AlertState::Firing.words(Some(age_ms)),
                Some("pending") => AlertState::Pending.words(Some(age_ms)),
                Some(_) => continue,
                None => model::unit::age(age_ms),
            };
            if time.text_content().as_deref() != Some(&words) {
                time.set_text_content(Some(&words));
            }
        }
    }
}

/// Handles the forms with `data-live` in `area` until the calling effect is disposed of. Calls `go` with the URL of a form when its fields change; the flag is
/// true if the form was submitted or an option was chosen. Typing in a form with `data-live="sent"` has no effect until it is submitted.
/// A `select` with `data-keep` is stored in this browser instead.
pub(crate) fn take_forms(area: &HtmlElement, go: impl Fn(&str, bool) + Clone + 'static) {
    let waiting: Rc<RefCell<Option<TimeoutHandle>>> = Rc::default();
    restore_choices(area);
    let typed = {
        let go = go.clone();
        Closure::<dyn Fn(Event)>::new(move |event: Event| {
            let select = event.target().and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
            let is_chosen = select.is_some();
            if let Some(select) = select.filter(|select| select.has_attribute("data-keep")) {
                return super::keep(select);
            }
            let Some(form) = live_form(&event) else { return };
            if !is_chosen && form.get_attribute("data-live").as_deref() == Some("sent") {
                return;
            }
            let go = go.clone();
            let later = set_timeout_with_handle(move || go(&address(&form), is_chosen), TYPING).ok();
            if let Some(before) = waiting.replace(later) {
                before.clear();
            }
        })
    };
    // The user may have typed before the program was loaded.
    for form in all::<HtmlFormElement>(area, "form[data-live]:not([data-live=sent])") {
        if all::<HtmlInputElement>(&form, "input").iter().any(|input| input.value() != input.default_value()) {
            let go = go.clone();
            set_timeout(move || go(&address(&form), false), TYPING);
        }
    }
    let sent = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        if let Some(form) = live_form(&event) {
            event.prevent_default();
            go(&address(&form), true);
        }
    });
    let _ = area.add_event_listener_with_callback("input", typed.as_ref().unchecked_ref());
    let _ = area.add_event_listener_with_callback("submit", sent.as_ref().unchecked_ref());
    // The listeners are removed with the area. Their closures must live as long.
    let held = StoredValue::new_local((typed, sent));
    on_cleanup(move || held.dispose());
}

fn live_form(event: &Event) -> Option<HtmlFormElement> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("form[data-live]").ok()??.dyn_into().ok()
}

/// The URL that a form with the method GET leads to.
fn address(form: &HtmlFormElement) -> String {
    let fields = form.elements();
    let pairs: Vec<String> = (0..fields.length())
        .filter_map(|index| {
            let field = fields.item(index)?;
            let (name, value) = match field.dyn_ref::<HtmlInputElement>() {
                Some(input) => (input.name(), input.value()),
                None => field.dyn_ref::<HtmlSelectElement>().map(|select| (select.name(), select.value()))?,
            };
            (!name.is_empty()).then(|| format!("{name}={}", super::encoded(&value)))
        })
        .collect();
    let action = form.get_attribute("action").unwrap_or_default();
    format!("{}?{}", super::inside(&action).unwrap_or(action), pairs.join("&"))
}

/// The elements of type `T` in `area` that match a selector.
pub(super) fn all<T: JsCast>(area: &HtmlElement, selector: &str) -> Vec<T> {
    let Ok(found) = area.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}
