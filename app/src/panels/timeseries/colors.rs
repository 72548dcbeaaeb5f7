//! Colours for a canvas, read from the style sheet, and when to read them again.

use std::{cell::RefCell, collections::HashMap};

use chart::palette::Ink;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

thread_local! {
    /// Colours read since the theme last changed.
    static COLORS: RefCell<HashMap<Ink, String>> = RefCell::new(HashMap::new());
}

/// The colour of an ink in the theme of the page.
pub(in crate::panels) fn color(ink: Ink) -> String {
    COLORS.with_borrow_mut(|colors| colors.entry(ink).or_insert_with(|| read(ink)).clone())
}

fn read(ink: Ink) -> String {
    let style = document().document_element().and_then(|root| window().get_computed_style(&root).ok().flatten());
    let value = style.and_then(|style| style.get_property_value(&format!("--{}", ink.variable())).ok());
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).unwrap_or_else(|| "gray".to_owned())
}

/// Forgets the colours and counts up `theme` when the page's theme changes: by the attribute `data-theme` or by the system.
pub(in crate::panels) fn watch_theme(theme: RwSignal<u32>) {
    let changed = move || {
        COLORS.with_borrow_mut(HashMap::clear);
        theme.update(|count| *count = count.wrapping_add(1));
    };
    let on_attribute = Closure::<dyn FnMut()>::new(changed);
    let on_system = Closure::<dyn FnMut()>::new(changed);
    let observer = web_sys::MutationObserver::new(on_attribute.as_ref().unchecked_ref()).ok();
    if let (Some(observer), Some(root)) = (&observer, document().document_element()) {
        let options = web_sys::MutationObserverInit::new();
        options.set_attributes(true);
        options.set_attribute_filter(&js_sys::Array::of1(&"data-theme".into()));
        let _ = observer.observe_with_options(&root, &options);
    }
    let query = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
    if let Some(query) = &query {
        let _ = query.add_event_listener_with_callback("change", on_system.as_ref().unchecked_ref());
    }
    let watch = StoredValue::new_local(Watch { observer, query, _on_attribute: on_attribute, on_system });
    on_cleanup(move || watch.dispose());
}

/// Ends what it watches when it is dropped.
struct Watch {
    observer: Option<web_sys::MutationObserver>,
    query: Option<web_sys::MediaQueryList>,
    _on_attribute: Closure<dyn FnMut()>,
    on_system: Closure<dyn FnMut()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
        if let Some(query) = &self.query {
            let _ = query.remove_event_listener_with_callback("change", self.on_system.as_ref().unchecked_ref());
        }
    }
}
