//! Pieces of a page that the server draws: put in place, and their forms.

use std::{cell::RefCell, rc::Rc, time::Duration};

use leptos::{
    leptos_dom::helpers::{TimeoutHandle, set_timeout_with_handle},
    prelude::*,
};
use model::live::AlertState;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, Event, HtmlElement, HtmlFormElement, HtmlInputElement, HtmlSelectElement};

/// How long after a key the form is read.
const TYPING: Duration = Duration::from_millis(250);

/// Puts `html` in place of what `area` holds. Fields that were changed keep what was typed or chosen, as those of a form of the kind `data-typed`
/// do, which came with what was typed before. What is open stays open, and the focus stays on the element of the same id.
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

/// Shows in each choice of the kind `data-keep` what this browser remembers of it.
fn restore_choices(area: &HtmlElement) {
    for select in all::<HtmlSelectElement>(area, "select[data-keep]") {
        if let Some(value) = super::recall(&select.id()) {
            select.set_value(&value);
        }
    }
}

/// Writes the age of each time in `area` again, and for how long each alert is in its state.
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

/// Reads forms of the kind `data-live` in `area` while they are filled in, and tells `go` the address that each then has, and
/// whether it was sent, or something chosen. Of a form of the kind `data-live="sent"` what is typed counts when it is sent, and what is chosen at once.
/// Choices of the kind `data-keep` are remembered in this browser. Until the calling effect is gone.
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
    // What was typed before the program came counts as well.
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
    // The listeners go with the area; what they call must not go before.
    let held = StoredValue::new_local((typed, sent));
    on_cleanup(move || held.dispose());
}

fn live_form(event: &Event) -> Option<HtmlFormElement> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("form[data-live]").ok()??.dyn_into().ok()
}

/// What a form of the method `get` leads to.
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

/// The elements of `area` that a selector finds.
pub(super) fn all<T: JsCast>(area: &HtmlElement, selector: &str) -> Vec<T> {
    let Ok(found) = area.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}
