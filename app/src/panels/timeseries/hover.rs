//! The hover line: all charts of a page show their values at the same time.

use crate::view::view;
use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    html::Div,
    prelude::*,
};

use crate::panels::{
    context::{PanelsContext, Viewport},
    percent,
    plot_series::Written,
};

/// Most values that a tooltip lists.
const MOST_LINES: usize = 12;

/// A value under the hover line.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::panels) struct Line {
    /// Class that sets `--ink`, or empty.
    pub(in crate::panels) class: String,
    pub(in crate::panels) name: String,
    pub(in crate::panels) written: Written,
}

/// The values of a chart at one time.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    position: f64,
    time: String,
    lines: Vec<Line>,
    left_out: usize,
}

/// The plot box. The pointer and the arrow keys set the hover time of the page. The box shows a line at that time, with the values that `read` returns.
/// `described_by` is the id of the element that describes it, or empty.
pub(in crate::panels) fn plot_box(
    viewport: Signal<Viewport>,
    label: String,
    described_by: String,
    read: impl Fn(i64) -> Option<Vec<Line>> + Send + Sync + 'static,
    content: AnyView,
) -> AnyView {
    let hover = PanelsContext::of_page().hover;
    let element = NodeRef::<Div>::new();
    let focused = RwSignal::new(false);
    let reading = Memo::new(move |_| {
        let at_ms = hover.get()?;
        let viewport = viewport.get();
        reading(&viewport, at_ms, read(at_ms)?)
    });
    view! {
        <div
            class="plot-box"
            role="img"
            aria-label=label
            aria-describedby=described_by
            tabindex=tab_stop()
            node_ref=element
            on:pointermove=move |event| {
                if let Some(position) = pointer_position(element, &event) {
                    hover.set(Some(viewport.get_untracked().span().time_at(position)));
                }
            }
            on:pointerleave=move |_| hover.set(None)
            on:focus=move |_| focused.set(true)
            on:blur=move |_| {
                focused.set(false);
                hover.set(None);
            }
            on:keydown=move |event| {
                if let Some(at_ms) = key_target(&event, hover.get_untracked(), viewport.get_untracked()) {
                    event.prevent_default();
                    hover.set(at_ms);
                }
            }
        >
            {content}
            {move || reading.get().map(reading_view)}
        </div>
        <div class="sr-only" aria-live="polite">
            {move || if focused.get() { reading.get().map(|reading| spoken(&reading)) } else { None }}
        </div>
    }
}

/// A static chart cannot be read by keys.
#[cfg(feature = "ssr")]
fn tab_stop() -> Option<&'static str> {
    (!crate::panels::context::is_still()).then_some("0")
}

#[cfg(not(feature = "ssr"))]
fn tab_stop() -> &'static str {
    "0"
}

fn reading(viewport: &Viewport, at_ms: i64, mut lines: Vec<Line>) -> Option<Reading> {
    let position = viewport.span().position(at_ms);
    if !(0.0..=1.0).contains(&position) {
        return None;
    }
    let left_out = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let civil = viewport.zone.civil(at_ms);
    let time = format!("{} {}", civil.short_date(), civil.clock_seconds());
    Some(Reading { position, time, lines, left_out })
}

fn reading_view(reading: Reading) -> AnyView {
    let side = if reading.position > 0.6 { "hover-tip is-left" } else { "hover-tip" };
    let place = format!("left:{}%", percent(reading.position));
    let lines = reading.lines.into_iter().map(|line| {
        let swatch = (!line.class.is_empty()).then(|| view! { <i class="legend-swatch"></i> });
        view! {
            <li class=line.class>
                {swatch}
                <span class="hover-name">{line.name}</span>
                <span class=format!("hover-value {}", line.written.class)>{line.written.text}</span>
            </li>
        }
    });
    let more = (reading.left_out > 0).then(|| view! { <li>{format!("and {} more", reading.left_out)}</li> });
    view! {
        <div class="hover" style=place aria-hidden="true">
            <div class=side>
                <div class="hover-time">{reading.time}</div>
                <ul>{lines.collect_view()} {more}</ul>
            </div>
        </div>
    }
}

fn spoken(reading: &Reading) -> String {
    let values: Vec<String> = reading.lines.iter().map(|line| format!("{} {}", line.name, line.written.text)).collect();
    format!("{}: {}", reading.time, values.join(", "))
}

/// Horizontal position of the pointer in the plot box, from 0 at its left edge to 1 at its right edge.
#[cfg(feature = "browser")]
fn pointer_position(element: NodeRef<Div>, event: &PointerEvent) -> Option<f64> {
    let bounds = element.get_untracked()?.get_bounding_client_rect();
    (bounds.width() > 0.0).then(|| (f64::from(event.client_x()) - bounds.left()) / bounds.width())
}

// Event handlers do not run on the server.
#[cfg(not(feature = "browser"))]
fn pointer_position(_element: NodeRef<Div>, _event: &PointerEvent) -> Option<f64> {
    None
}

/// The hover time after a key, which is `Some(None)` for Escape; `None` for other keys, which do not move it.
fn key_target(event: &KeyboardEvent, now_at: Option<i64>, viewport: Viewport) -> Option<Option<i64>> {
    let page_ms = (viewport.end_ms - viewport.start_ms) / 10;
    let from = now_at.unwrap_or(viewport.end_ms);
    let to = match event.key().as_str() {
        "ArrowLeft" => from - viewport.step_ms,
        "ArrowRight" => from + viewport.step_ms,
        "PageUp" => from - page_ms,
        "PageDown" => from + page_ms,
        "Home" => viewport.start_ms,
        "End" => viewport.end_ms,
        "Escape" => return Some(None),
        _ => return None,
    };
    Some(Some(to.clamp(viewport.start_ms, viewport.end_ms)))
}
