//! The menu of a panel: full screen, its queries, its data as CSV, a link to it.

use crate::view::view;
use leptos::{ev::FocusEvent, prelude::*};
use model::{
    dashboard::Panel,
    panel::{PanelData, QueryState},
    route::{PageKind, PageRoute},
};

use super::context::{PanelsContext, Viewport};
use crate::platform;

/// The menu. Entries that need scripts are disabled until the panel is live.
pub(super) fn panel_menu(panel: StoredValue<Panel>, data: Signal<PanelData>, live: RwSignal<bool>) -> AnyView {
    let (id, title) = panel.with_value(|panel| (panel.id.clone(), panel.title.clone()));
    let queries = panel.with_value(|panel| panel.queries.iter().map(|query| query.expr.clone()).collect::<Vec<_>>());
    let has_queries = !queries.is_empty();
    let element = NodeRef::<leptos::html::Details>::new();
    let screen_id = id.clone();
    view! {
        <details
            class="panel-menu"
            name="panel-menu"
            node_ref=element
            on:focusout=move |event| close_when_left(element, &event)
            on:keydown=move |event| {
                if event.key() == "Escape" {
                    close(element);
                }
            }
        >
            <summary class="icon-button" aria-label=format!("Menu of {title}")>
                <span aria-hidden="true">"\u{22ee}"</span>
            </summary>
            <div class="menu" aria-label=format!("Menu of {title}") role="group">
                <button
                    type="button"
                    class="menu-item"
                    disabled=move || !live.get()
                    on:click=move |_| {
                        close(element);
                        full_screen(&screen_id);
                    }
                >
                    "Full screen"
                </button>
                {has_queries
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="menu-item"
                                disabled=move || !live.get()
                                on:click=move |_| {
                                    close(element);
                                    save_csv(panel, data);
                                }
                            >
                                "Data as CSV"
                            </button>
                        }
                    })}
                <a class="menu-item" href=format!("#panel-{id}")>
                    "Link to this panel"
                </a>
                {has_queries
                    .then(|| {
                        view! {
                            <div class="menu-queries">
                                <span class="menu-heading">"Query"</span>
                                {queries.into_iter().map(query).collect_view()}
                                {move || live.get().then(|| as_sent(&data.get()))}
                            </div>
                        }
                    })}
            </div>
        </details>
    }
}

/// A query, and a link that opens it in Explore.
fn query(expr: String) -> AnyView {
    let context = PanelsContext::of_page();
    let path = format!("{}?expr={}", PageRoute::path_of(PageKind::Explore), platform::encoded(&expr));
    // A live range stays relative to now. A past range is absolute.
    let href = move || {
        let Viewport { start_ms, end_ms, step_ms, .. } = context.viewport.get();
        if context.now_ms.get_untracked() - end_ms < 3 * step_ms {
            format!("{path}&from=now-{}s", (end_ms - start_ms) / 1_000)
        } else {
            format!("{path}&from={start_ms}&to={end_ms}")
        }
    };
    view! {
        <code tabindex="0">{expr}</code>
        {context.opens(PageKind::Explore).then(|| view! { <a href=move || platform::at(&href())>"Open in Explore"</a> })}
    }
}

/// The queries as they were sent, for sources with other metric names.
fn as_sent(data: &PanelData) -> AnyView {
    let PanelData::Queries(states) = data else { return ().into_any() };
    let sent: Vec<String> = states
        .iter()
        .filter_map(|state| match state {
            QueryState::Ready { frame, .. } => frame.sent.clone(),
            QueryState::Loading | QueryState::Failed { .. } => None,
        })
        .collect();
    if sent.is_empty() {
        return ().into_any();
    }
    view! {
        <span class="menu-heading">"As sent"</span>
        {sent.into_iter().map(|expr| view! { <code tabindex="0">{expr}</code> }).collect_view()}
    }
    .into_any()
}

#[cfg(feature = "browser")]
fn close(element: NodeRef<leptos::html::Details>) {
    // The element is gone if the focus left because a link of the menu opened another page.
    if let Some(details) = element.try_get_untracked().flatten() {
        let _ = details.remove_attribute("open");
    }
}

#[cfg(feature = "browser")]
fn close_when_left(element: NodeRef<leptos::html::Details>, event: &FocusEvent) {
    use wasm_bindgen::JsCast;
    let target = event.related_target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
    // Without a target, the window lost the focus, or the user clicked an element that cannot have it.
    let inside = element.try_get_untracked().flatten().is_some_and(|details| details.contains(target.as_ref()));
    if !inside {
        close(element);
    }
}

#[cfg(feature = "browser")]
fn full_screen(id: &str) {
    let root = document();
    if root.fullscreen_element().is_some() {
        root.exit_fullscreen();
    } else if let Some(panel) = root.get_element_by_id(&format!("panel-{id}")) {
        // Refused if the page is embedded without the permission. Then the panel stays as it is.
        let _ = panel.request_fullscreen();
    }
}

#[cfg(feature = "browser")]
fn save_csv(panel: StoredValue<Panel>, data: Signal<PanelData>) {
    let csv = data.with_untracked(|data| panel.with_value(|panel| super::csv::csv(panel, data)));
    super::csv::save(&panel.with_value(|panel| format!("{}.csv", panel.id)), &csv);
}

// Event handlers do not run on the server.
#[cfg(not(feature = "browser"))]
fn close(_element: NodeRef<leptos::html::Details>) {}
#[cfg(not(feature = "browser"))]
fn close_when_left(_element: NodeRef<leptos::html::Details>, _event: &FocusEvent) {}
#[cfg(not(feature = "browser"))]
fn full_screen(_id: &str) {}
#[cfg(not(feature = "browser"))]
fn save_csv(_panel: StoredValue<Panel>, _data: Signal<PanelData>) {}
