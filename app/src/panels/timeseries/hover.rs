//! The hover line: one time for all charts of a page, with every value at it.

use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    html::Div,
    prelude::*,
};
use model::civil::Civil;

use super::{Chart, axes::percent};
use crate::panels::{
    context::{PanelsContext, Viewport},
    traces::{Written, shown, write},
};

/// Values that a tooltip lists.
const MOST_LINES: usize = 12;

/// The values of a chart at one time.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    position: f64,
    time: String,
    lines: Vec<(String, String, Written)>,
    left_out: usize,
}

/// The plot box: reads the pointer and the arrow keys, and shows the line and the values wherever they were read.
pub(super) fn plot_box(chart: Chart, label: String, content: AnyView) -> impl IntoView {
    let hover = PanelsContext::of_page().hover;
    let element = NodeRef::<Div>::new();
    let focused = RwSignal::new(false);
    let reading = Memo::new(move |_| hover.get().and_then(|at_ms| read(chart, at_ms)));
    view! {
        <div
            class="plot-box"
            role="img"
            aria-label=label
            tabindex="0"
            node_ref=element
            on:pointermove=move |event| {
                if let Some(position) = pointer_position(element, &event) {
                    hover.set(Some(chart.viewport.get_untracked().span().time_at(position)));
                }
            }
            on:pointerleave=move |_| hover.set(None)
            on:focus=move |_| focused.set(true)
            on:blur=move |_| {
                focused.set(false);
                hover.set(None);
            }
            on:keydown=move |event| {
                if let Some(at_ms) = key_target(&event, hover.get_untracked(), chart.viewport.get_untracked()) {
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

fn read(chart: Chart, at_ms: i64) -> Option<Reading> {
    let viewport = chart.viewport.get();
    let span = viewport.span();
    let position = span.position(at_ms);
    if !(0.0..=1.0).contains(&position) {
        return None;
    }
    let isolated = chart.isolated.get();
    let mut lines: Vec<(String, String, Written)> = chart.data.with(|data| {
        chart.panel.with_value(|panel| {
            shown(panel, data)
                .into_iter()
                .filter(|shown| isolated.is_empty() || isolated.contains(&shown.name))
                .filter_map(|shown| {
                    let value = shown.value_at(at_ms, viewport.step_ms)?;
                    Some((shown.ink.class(), shown.name.clone(), write(panel, shown.query, value)))
                })
                .collect()
        })
    });
    let left_out = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let civil = Civil::new(at_ms, viewport.tz_offset_min);
    let time = format!("{} {}", civil.short_date(), civil.clock_seconds());
    Some(Reading { position, time, lines, left_out })
}

fn reading_view(reading: Reading) -> impl IntoView {
    let side = if reading.position > 0.6 { "hover-tip is-left" } else { "hover-tip" };
    let place = format!("left:{}%", percent(reading.position));
    let lines = reading.lines.into_iter().map(|(class, name, written)| {
        view! {
            <li class=class>
                <i class="legend-swatch"></i>
                <span class="hover-name">{name}</span>
                <span class=format!("hover-value {}", written.class)>{written.text}</span>
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
    let values: Vec<String> =
        reading.lines.iter().map(|(_, name, written)| format!("{name} {}", written.text)).collect();
    format!("{}: {}", reading.time, values.join(", "))
}

/// Where the pointer is in the plot box: 0 at its left edge, 1 at its right one.
#[cfg(feature = "browser")]
fn pointer_position(element: NodeRef<Div>, event: &PointerEvent) -> Option<f64> {
    let bounds = element.get_untracked()?.get_bounding_client_rect();
    (bounds.width() > 0.0).then(|| (f64::from(event.client_x()) - bounds.left()) / bounds.width())
}

// No pointer moves over the server's picture.
#[cfg(not(feature = "browser"))]
fn pointer_position(_element: NodeRef<Div>, _event: &PointerEvent) -> Option<f64> {
    None
}

/// Where a key moves the hover line; `None` for a key that does not.
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
