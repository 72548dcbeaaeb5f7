//! Colours for a canvas, read from the style sheet. They are read again when the theme changes, and for a print, which has its own colours.

use std::cell::RefCell;

use chart::palette::Ink;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

thread_local! {
    /// Colours that were read since the last change of the theme.
    static COLORS: RefCell<Vec<(Ink, String)>> = const { RefCell::new(Vec::new()) };
}

/// The CSS colour of an ink in the current theme.
pub(in crate::panels) fn color(ink: Ink) -> String {
    COLORS.with_borrow_mut(|colors| match colors.iter().find(|(known, _)| *known == ink) {
        Some((_, color)) => color.clone(),
        None => {
            let color = read(ink);
            colors.push((ink, color.clone()));
            color
        }
    })
}

fn read(ink: Ink) -> String {
    let style = document().document_element().and_then(|root| window().get_computed_style(&root).ok().flatten());
    let value = style.and_then(|style| style.get_property_value(&format!("--{}", ink.variable())).ok());
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).unwrap_or_else(|| "gray".to_owned())
}

/// Media queries with colours of their own.
const MEDIA: [&str; 2] = ["(prefers-color-scheme: dark)", "print"];
/// Events at the start and the end of a print. The style sheet uses the colours for paper while the page has the attribute `data-print`, because the
/// media query `print` matches only when it is too late to draw.
const PRINTS: [&str; 2] = ["beforeprint", "afterprint"];

/// Clears the colours and increments `theme` when the theme changes: by the attribute `data-theme`, by the system, or for a print.
pub(in crate::panels) fn watch_theme(theme: RwSignal<u32>) {
    let changed = move || {
        COLORS.with_borrow_mut(Vec::clear);
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
    let queries = MEDIA.map(|media| window().match_media(media).ok().flatten());
    for query in queries.iter().flatten() {
        let _ = query.add_event_listener_with_callback("change", on_system.as_ref().unchecked_ref());
    }
    let on_print = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
        if let Some(root) = document().document_element() {
            let _ = root.toggle_attribute_with_force("data-print", event.type_() == PRINTS[0]);
        }
        changed();
        crate::panels::canvas::draw_all();
    });
    for event in PRINTS {
        let _ = window().add_event_listener_with_callback(event, on_print.as_ref().unchecked_ref());
    }
    let watch = StoredValue::new_local(Watch { observer, queries, _on_attribute: on_attribute, on_system, on_print });
    on_cleanup(move || watch.dispose());
}

/// The observers of the theme, removed on drop.
struct Watch {
    observer: Option<web_sys::MutationObserver>,
    queries: [Option<web_sys::MediaQueryList>; 2],
    _on_attribute: Closure<dyn FnMut()>,
    on_system: Closure<dyn FnMut()>,
    on_print: Closure<dyn FnMut(web_sys::Event)>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
        for query in self.queries.iter().flatten() {
            let _ = query.remove_event_listener_with_callback("change", self.on_system.as_ref().unchecked_ref());
        }
        for event in PRINTS {
            let _ = window().remove_event_listener_with_callback(event, self.on_print.as_ref().unchecked_ref());
        }
    }
}
