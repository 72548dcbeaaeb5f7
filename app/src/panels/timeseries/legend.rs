//! The legend of a chart: names, newest values, and which series are shown.

use chart::palette::Ink;
use leptos::{ev::MouseEvent, prelude::*};
use model::{dashboard::Panel, panel::PanelData};

use super::Chart;
use crate::panels::traces::{MOST_SERIES, Written, series_count, shown, write};

/// One entry.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name: String,
    ink: Ink,
    newest: Written,
}

/// Buttons: a click shows a series alone, a click with shift adds it to those shown or takes it away.
pub(super) fn legend(chart: Chart) -> AnyView {
    let entries = Memo::new(move |_| chart.data.with(|data| chart.panel.with_value(|panel| entries(panel, data))));
    let keys = Memo::new(move |_| {
        entries.with(|entries| entries.iter().map(|entry| (entry.name.clone(), entry.ink)).collect::<Vec<_>>())
    });
    let left_out = Memo::new(move |_| chart.data.with(series_count).saturating_sub(MOST_SERIES));
    view! {
        <div class="legend" role="group" aria-label="Series">
            <For
                each=move || keys.get()
                key=Clone::clone
                children=move |(name, ink)| item(chart, entries, name, ink)
            />
            {move || {
                let count = left_out.get();
                (count > 0).then(|| view! { <span class="legend-more">{format!("and {count} more, not shown")}</span> })
            }}
        </div>
    }
    .into_any()
}

fn item(chart: Chart, entries: Memo<Vec<Entry>>, name: String, ink: Ink) -> AnyView {
    let isolated = chart.isolated;
    let (in_legend, in_set, on_click) = (name.clone(), name.clone(), name.clone());
    let newest = Memo::new(move |_| {
        entries.with(|entries| {
            entries.iter().find(|entry| entry.name == in_legend).map(|entry| entry.newest.clone()).unwrap_or_default()
        })
    });
    let is_shown = Memo::new(move |_| isolated.with(|isolated| isolated.is_empty() || isolated.contains(&in_set)));
    view! {
        <button
            type="button"
            class=format!("legend-item {}", ink.class())
            aria-pressed=move || is_shown.get().to_string()
            title="Show alone; with Shift, add or take away"
            on:click=move |event: MouseEvent| {
                isolated.update(|isolated| choose(isolated, &on_click, event.shift_key()));
            }
        >
            <i class="legend-swatch" aria-hidden="true"></i>
            <span class="legend-name">{name}</span>
            <span class=move || format!("legend-value {}", newest.get().class)>{move || newest.get().text}</span>
        </button>
    }
    .into_any()
}

/// Isolates a series, or changes which are shown with it. Isolating the only one shown brings all back.
fn choose(isolated: &mut std::collections::BTreeSet<String>, name: &str, add: bool) {
    if add {
        if !isolated.remove(name) {
            isolated.insert(name.to_owned());
        }
    } else if isolated.len() == 1 && isolated.contains(name) {
        isolated.clear();
    } else {
        isolated.clear();
        isolated.insert(name.to_owned());
    }
}

fn entries(panel: &Panel, data: &PanelData) -> Vec<Entry> {
    shown(panel, data)
        .into_iter()
        .map(|shown| {
            let newest = shown.series.last().map(|(_, value)| write(panel, shown.query, value)).unwrap_or_default();
            Entry { name: shown.name, ink: shown.ink, newest }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::choose;

    #[test]
    fn a_click_isolates_and_a_second_one_brings_all_back() {
        let mut isolated = BTreeSet::new();
        choose(&mut isolated, "a", false);
        assert!(isolated.contains("a"));
        choose(&mut isolated, "b", true);
        assert_eq!(isolated.len(), 2);
        choose(&mut isolated, "b", false);
        assert_eq!(isolated, BTreeSet::from(["b".to_owned()]));
        choose(&mut isolated, "b", false);
        assert!(isolated.is_empty());
        choose(&mut isolated, "a", true);
        choose(&mut isolated, "a", true);
        assert!(isolated.is_empty());
    }
}
