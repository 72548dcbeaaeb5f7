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

/// The newest value of an entry on the page. Text and class change apart from each other, and only if they differ.
#[derive(Clone)]
struct Newest {
    identity: String,
    text: ArcRwSignal<String>,
    class: ArcRwSignal<String>,
}

impl Newest {
    fn of(entry: &Entry) -> Self {
        let Written { text, class, .. } = entry.newest.clone();
        Newest { identity: entry.identity.clone(), text: ArcRwSignal::new(text), class: ArcRwSignal::new(class) }
    }

    fn show(&self, newest: &Written) {
        let set = |signal: &ArcRwSignal<String>, now: &String| {
            if signal.with_untracked(|shown| shown != now) {
                signal.set(now.clone());
            }
        };
        set(&self.text, &newest.text);
        set(&self.class, &newest.class);
    }
}

/// The legend as buttons: a click isolates a series, a click with Shift adds it to those drawn or removes it.
pub(super) fn legend(chart: Chart) -> AnyView {
    let entries = Memo::new(move |_| entries(chart));
    let keys = Memo::new(move |_| {
        // An entry with a new name or colour is created again.
        let key = |entry: &Entry| (entry.identity.clone(), format!("{} {}", entry.ink.class(), entry.name));
        entries.with(|entries| entries.iter().map(key).collect::<Vec<_>>())
    });
    let values = StoredValue::new(Vec::<Newest>::new());
    // The values keep the width of the longest one so far, so that nothing moves while they change.
    let longest = Memo::new(move |before: Option<&usize>| {
        let length = |entry: &Entry| entry.newest.text.chars().count();
        entries.with(|entries| {
            entries.iter().map(length).max().unwrap_or_default().max(before.copied().unwrap_or_default())
        })
    });
    Effect::new(move |_| {
        entries.with(|entries| {
            values.with_value(|values| {
                for (index, entry) in entries.iter().enumerate() {
                    let is_it = |value: &&Newest| value.identity == entry.identity;
                    let here = values.get(index).filter(is_it);
                    if let Some(value) = here.or_else(|| values.iter().find(is_it)) {
                        value.show(&entry.newest);
                    }
                }
            });
        });
    });
    let left_out = Memo::new(move |_| chart.data.with(series_count).saturating_sub(MOST_SERIES));
    view! {
        <div class="legend" role="group" aria-label="Series" style=move || format!("--value:{}ch", longest.get())>
            {keyed::list(keys, move |(identity, _)| item(chart, entries, values, &identity))}
            {move || {
                let count = left_out.get();
                (count > 0).then(|| view! { <span class="legend-more">{format!("and {count} more, not shown")}</span> })
            }}
        </div>
    }
}

fn item(chart: Chart, entries: Memo<Vec<Entry>>, values: StoredValue<Vec<Newest>>, identity: &str) -> AnyView {
    let entry = |entries: &Vec<Entry>| entries.iter().find(|entry| entry.identity == identity).cloned();
    let Some(entry) = entries.with_untracked(entry) else { return ().into_any() };
    let newest = Newest::of(&entry);
    let Entry { identity, name, ink, hidden, .. } = entry;
    let class = format!("legend-item {}", ink.class());
    let (text, value_class) = (newest.text.clone(), newest.class.clone());
    let inside = view! {
        <i class="legend-swatch" aria-hidden="true"></i>
        <span class="legend-name">{name}</span>
        <span class=move || format!("legend-value {}", value_class.get())>{move || text.get()}</span>
    };
    if is_still() {
        return view! { <span class=class>{inside}</span> }.into_any();
    }
    let gone = newest.text.clone();
    values.update_value(|values| values.push(newest));
    on_cleanup(move || {
        let _ = values.try_update_value(|values| values.retain(|value| value.text != gone));
    });
    let (isolated, in_set) = (chart.isolated, identity.clone());
    let is_shown = Memo::new(move |_| {
        isolated.with(|isolated| if isolated.is_empty() { !hidden } else { isolated.contains(&in_set) })
    });
    view! {
        <button
            type="button"
            class=class
            aria-pressed=move || is_shown.get().to_string()
            title="Show alone; with Shift, add or take away"
            on:click=move |event: MouseEvent| {
                let by_default = entries.with_untracked(|entries| drawn_by_default(entries));
                isolated.update(|isolated| choose(isolated, &by_default, &identity, event.shift_key()));
            }
        >
            {inside}
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
