//! The legend of a chart: names, newest values, and which series are shown.

use chart::palette::Ink;
use leptos::{ev::MouseEvent, prelude::*};
use model::words::Words;

use super::Chart;
use crate::{
    panels::{
        context::is_still,
        keyed,
        plot_series::{MOST_SERIES, Shown, Written, series_count},
    },
    view::view,
};

/// An entry of the legend.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    identity: String,
    name: String,
    ink: Ink,
    hidden: bool,
    newest: Written,
}

/// The legend as buttons: a click isolates a series, a click with Shift adds it to those drawn or removes it.
pub(super) fn legend(chart: Chart) -> AnyView {
    let entries = Memo::new(move |_| entries(chart));
    let keys = Memo::new(move |_| {
        // An entry with a new name or colour is created again.
        let key = |entry: &Entry| (entry.identity.clone(), format!("{} {}", entry.ink.class(), entry.name));
        entries.with(|entries| entries.iter().map(key).collect::<Vec<_>>())
    });
    let left_out = Memo::new(move |_| chart.data.with(series_count).saturating_sub(MOST_SERIES));
    view! {
        <div class="legend" role="group" aria-label="Series">
            {keyed::list(keys, move |(identity, _)| item(chart, entries, identity))}
            {move || {
                let count = left_out.get();
                (count > 0).then(|| view! { <span class="legend-more">{format!("and {count} more, not shown")}</span> })
            }}
        </div>
    }
}

fn item(chart: Chart, entries: Memo<Vec<Entry>>, identity: String) -> AnyView {
    let look = |entries: &Vec<Entry>| {
        let entry = entries.iter().find(|entry| entry.identity == identity)?;
        Some((entry.name.clone(), format!("legend-item {}", entry.ink.class())))
    };
    let (name, class) = entries.with_untracked(look).unwrap_or_default();
    let inside = move |newest: Memo<Written>, name: String| {
        view! {
            <i class="legend-swatch" aria-hidden="true"></i>
            <span class="legend-name">{name}</span>
            <span class=move || format!("legend-value {}", newest.get().class)>{move || newest.get().text}</span>
        }
    };
    let isolated = chart.isolated;
    let (in_legend, in_set, on_click) = (identity.clone(), identity.clone(), identity);
    let newest = Memo::new(move |_| {
        entries.with(|entries| {
            let entry = entries.iter().find(|entry| entry.identity == in_legend);
            entry.map(|entry| entry.newest.clone()).unwrap_or_default()
        })
    });
    if is_still() {
        return view! { <span class=class>{inside(newest, name)}</span> };
    }
    let is_shown = Memo::new(move |_| {
        let hidden = || entries.with(|entries| entries.iter().any(|entry| entry.identity == in_set && entry.hidden));
        isolated.with(|isolated| if isolated.is_empty() { !hidden() } else { isolated.contains(&in_set) })
    });
    view! {
        <button
            type="button"
            class=class
            aria-pressed=move || is_shown.get().to_string()
            title="Show alone; with Shift, add or take away"
            on:click=move |event: MouseEvent| {
                let by_default = entries.with_untracked(|entries| drawn_by_default(entries));
                isolated.update(|isolated| choose(isolated, &by_default, &on_click, event.shift_key()));
            }
        >
            {inside(newest, name)}
        </button>
    }
}

fn drawn_by_default(entries: &[Entry]) -> Words {
    entries.iter().filter(|entry| !entry.hidden).map(|entry| entry.identity.clone()).collect()
}

/// Isolates a series, or with `add` adds it to those drawn or removes it. Isolating the only one drawn restores the default.
fn choose(isolated: &mut Words, by_default: &Words, series: &str, add: bool) {
    if add {
        if isolated.is_empty() {
            isolated.clone_from(by_default);
        }
        if !isolated.remove(series) {
            isolated.insert(series.to_owned());
        }
        if isolated == by_default {
            isolated.clear();
        }
    } else if isolated.len() == 1 && isolated.contains(series) {
        isolated.clear();
    } else {
        isolated.clear();
        isolated.insert(series.to_owned());
    }
}

fn entries(chart: Chart) -> Vec<Entry> {
    chart.with_shown(|panel, shown| {
        let entry = |shown: &Shown<'_>| {
            let newest = shown.series.last().map(|(_, value)| shown.written(panel, value)).unwrap_or_default();
            let (identity, name) = (shown.identity(), shown.name.clone());
            Entry { identity, name, ink: shown.ink, hidden: shown.query.hidden, newest }
        };
        shown.iter().map(entry).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Words {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_click_isolates_a_series_and_a_second_click_restores_all() {
        let mut isolated = Words::default();
        let all = names(&["a", "b"]);
        choose(&mut isolated, &all, "a", false);
        assert_eq!(isolated, names(&["a"]));
        choose(&mut isolated, &all, "b", false);
        assert_eq!(isolated, names(&["b"]));
        choose(&mut isolated, &all, "b", false);
        assert!(isolated.is_empty());
    }

    #[test]
    fn a_click_with_shift_adds_a_hidden_series_and_removes_a_drawn_one() {
        let mut isolated = Words::default();
        let all = names(&["a", "b"]);
        choose(&mut isolated, &all, "hidden", true);
        assert_eq!(isolated, names(&["a", "b", "hidden"]));
        choose(&mut isolated, &all, "a", true);
        assert_eq!(isolated, names(&["b", "hidden"]));
        choose(&mut isolated, &all, "hidden", true);
        choose(&mut isolated, &all, "a", true);
        assert!(isolated.is_empty());
    }
}
