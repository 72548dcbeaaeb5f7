//! One number on an arc from the panel's `min` to its `max`, with the zones of its thresholds.

use crate::view::view;
use chart::{
    palette::{Ink, threshold_color},
    round::{Zone, gauge},
};
use leptos::prelude::*;
use model::{dashboard::Panel, panel::PanelData};

use super::{
    stat::split,
    traces::{Written, mark, shown, thresholds_of, write},
};

/// What the arc shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Part of the arc that is filled, 0 to 1.
    pub(crate) fraction: f64,
    pub(crate) ink: Ink,
    pub(crate) zones: Vec<Zone>,
    pub(crate) written: Written,
}

pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let reading = Memo::new(move |_| data.with(|data| panel.with_value(|panel| read(panel, data))));
    let (low, high) = panel.with_value(|panel| {
        let (low, high) = bounds(panel);
        let unit = model::unit::Unit::from_id(&panel.unit);
        (unit.format(low, None), unit.format(high, None))
    });
    let written = move || reading.get().map(|reading| reading.written).unwrap_or_default();
    view! {
        <div class="gauge">
            <div class="gauge-dial">
            <div class="gauge-picture" inner_html=move || reading.get().map(|reading| gauge(reading.fraction, reading.ink, &reading.zones)).unwrap_or_default()></div>
            <div class="gauge-text">
                <span class=move || format!("gauge-number {}", written().class)>
                    {move || split(&written().text).0} <span class="stat-unit">{move || split(&written().text).1}</span>
                    <i class=move || mark(written().meaning) aria-hidden="true"></i>
                    <span class="sr-only">{move || written().meaning}</span>
                </span>
            </div>
            <div class="gauge-ends" aria-hidden="true">
                <span>{low}</span>
                <span>{high}</span>
            </div>
            </div>
        </div>
    }
}

/// Ends of the scale.
pub(crate) fn bounds(panel: &Panel) -> (f64, f64) {
    let low = panel.min.unwrap_or(0.0);
    let last_threshold = panel.thresholds.last().map(|threshold| threshold.value * 1.25);
    let high = panel.max.or(last_threshold).unwrap_or(100.0);
    (low, if high > low { high } else { low + 1.0 })
}

pub(crate) fn read(panel: &Panel, data: &PanelData) -> Option<Reading> {
    let shown = shown(panel, data);
    let first = shown.first()?;
    let (_, value) = first.series.last()?;
    let (low, high) = bounds(panel);
    let place = |value: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
    let thresholds = thresholds_of(panel, first.query);
    let ends = thresholds.iter().skip(1).map(|next| next.value).chain([high]);
    let zones: Vec<Zone> = thresholds
        .iter()
        .zip(ends)
        .map(|(threshold, end)| Zone {
            from: place(threshold.value),
            to: place(end),
            ink: Ink::Meaning(threshold.color),
        })
        .collect();
    let ink = threshold_color(thresholds, value).map_or(first.ink, Ink::Meaning);
    Some(Reading { fraction: place(value), ink, zones, written: write(panel, first.query, value) })
}
