//! The panel kinds `pie` and `bars`: the newest values of series as shares of a donut, or as bars.

use crate::view::view;
use chart::{palette::Ink, round::donut};
use leptos::prelude::*;
use model::{
    dashboard::{Color, Panel},
    panel::PanelData,
    unit::Unit,
};

use super::{
    colors::Colors,
    plot_series::{ABSENT, MOST_SERIES, Written, shown_in, unit_of, write},
};

/// The newest value of one series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) ink: Ink,
    pub(crate) value: f64,
    pub(crate) written: Written,
}

/// A part for each series. Known series keep the colours in `colors`.
pub(crate) fn parts(panel: &Panel, data: &PanelData, colors: &mut Colors) -> Vec<Part> {
    shown_in(panel, data, colors, usize::MAX)
        .into_iter()
        .filter_map(|shown| {
            let (_, value) = shown.series.last()?;
            Some(Part { written: write(panel, shown.query, value), name: shown.name, ink: shown.ink, value })
        })
        .collect()
}

/// The parts of a pie. Series beyond [`MOST_SERIES`] are summed into one part, so that the total is right.
pub(crate) fn shares(panel: &Panel, data: &PanelData, colors: &mut Colors) -> Vec<Part> {
    let mut shares = parts(panel, data, colors);
    if shares.len() > MOST_SERIES
        && let Some(query) = panel.queries.first()
    {
        let rest = shares.split_off(MOST_SERIES);
        let value = total(&rest);
        let name = format!("{} more", rest.len());
        shares.push(Part { name, ink: Ink::Meaning(Color::Gray), value, written: write(panel, query, value) });
    }
    shares
}

pub(crate) fn total(parts: &[Part]) -> f64 {
    parts.iter().map(|part| part.value).filter(|value| value.is_finite() && *value > 0.0).sum()
}

/// A donut with its total in the middle, and a list of names, values and percentages.
pub(super) fn pie(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let colors = StoredValue::new(Colors::default());
    let parts = Memo::new(move |_| {
        let shares = |colors: &mut Colors| data.with(|data| panel.with_value(|panel| shares(panel, data, colors)));
        colors.try_update_value(shares).unwrap_or_default()
    });
    let picture = Memo::new(move |_| {
        parts.with(|parts| donut(&parts.iter().map(|part| (part.value, part.ink)).collect::<Vec<_>>()))
    });
    let sum = move || {
        panel.with_value(|panel| {
            let unit = panel.queries.first().map_or(Unit::Plain, |query| unit_of(panel, query));
            unit.format(parts.with(|parts| total(parts)), panel.decimals)
        })
    };
    view! {
        <div class="pie">
            <div class="pie-picture">
                <div class="pie-ring" inner_html=move || picture.get()></div>
                <div class="pie-total">
                    <span class="pie-sum">{move || sum()}</span>
                    <span class="pie-caption">"total"</span>
                </div>
            </div>
            <ul class="pie-list">{move || parts.with(|parts| pie_list(parts))}</ul>
        </div>
    }
}

fn pie_list(parts: &[Part]) -> impl IntoView + use<> {
    let total = total(parts);
    let percent = Unit::from_id("percent");
    let item = |part: &Part| {
        let share = if total > 0.0 { part.value.max(0.0) / total * 100.0 } else { 0.0 };
        let share = if part.value.is_finite() { percent.format(share, Some(0)) } else { ABSENT.to_owned() };
        view! {
            <li class=part.ink.class()>
                <i class="legend-swatch" aria-hidden="true"></i>
                <span class="pie-name">{part.name.clone()}</span>
                <span class="pie-value">{part.written.text.clone()}</span>
                <span class="pie-share">{share}</span>
            </li>
        }
    };
    parts.iter().map(item).collect_view()
}

/// Horizontal bars, the longest as wide as the panel.
pub(super) fn bars(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let parts =
        Memo::new(move |_| data.with(|data| panel.with_value(|panel| parts(panel, data, &mut Colors::default()))));
    view! {
        <ul class="bars">
            {move || parts.with(|parts| panel.with_value(|panel| bar_list(panel, parts)))}
            {move || {
                let left_out = parts.with(Vec::len).saturating_sub(MOST_SERIES);
                (left_out > 0).then(|| view! { <li class="cells-more">{format!("and {left_out} more")}</li> })
            }}
        </ul>
    }
}

fn bar_list(panel: &Panel, parts: &[Part]) -> impl IntoView + use<> {
    let longest = panel
        .max
        .unwrap_or_else(|| parts.iter().map(|part| part.value).filter(|value| value.is_finite()).fold(0.0, f64::max));
    let item = |part: &Part| {
        let width = if longest > 0.0 && !part.value.is_nan() { (part.value / longest).clamp(0.0, 1.0) } else { 0.0 };
        // Each bar has its name beside it, so only colours with a meaning are used.
        let ink = if matches!(part.ink, Ink::Series(_)) { Ink::Series(0) } else { part.ink };
        let color = if part.written.class.is_empty() { ink.class() } else { part.written.class.clone() };
        view! {
            <li class=color>
                <span class="bar-name">{part.name.clone()}</span>
                <span class="bar-track" aria-hidden="true">
                    <span class="bar-fill" style=format!("width:{}%", super::percent(width))></span>
                </span>
                <span class="bar-value">{part.written.text.clone()}</span>
            </li>
        }
    };
    parts.iter().take(MOST_SERIES).map(item).collect_view()
}
