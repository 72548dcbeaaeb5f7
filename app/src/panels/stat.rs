//! Numbers, large enough to be read across a room; a single one over its recent course.

use crate::view::view;
use chart::spark::sparkline;
use leptos::prelude::*;
use model::{dashboard::Panel, panel::PanelData};

use super::{
    cells::Cells,
    context::PanelsContext,
    traces::{Shown, Written, every, mark, shown, write},
};

/// Least width and height of a number with its name, in CSS pixels.
pub(crate) const LEAST: (f64, f64) = (92.0, 46.0);

/// A number and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) name: String,
    pub(crate) written: Written,
}

/// The numbers of a panel, and the sparkline of one that is alone: below several, it would pass for that of all.
pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let viewport = PanelsContext::of_page().viewport;
    let numbers = Memo::new(move |_| data.with(|data| panel.with_value(|panel| numbers(panel, data))));
    let spark = Memo::new(move |_| {
        data.with(|data| {
            panel.with_value(|panel| {
                let shown = shown(panel, data);
                let course = course(&shown)?;
                let written = write(panel, course.query, course.series.last()?.1);
                let class = if written.class.is_empty() { course.ink.class() } else { written.class };
                Some((class, sparkline(course.trace(), viewport.get().span())))
            })
        })
    });
    view! {
        <div class="stat">
            {move || {
                spark
                    .get()
                    .map(|(class, svg)| view! { <div class=format!("stat-spark {class}") inner_html=svg></div> })
            }}
            <div class="stat-numbers">
                {move || numbers.with(|numbers| panel.with_value(|panel| number_views(panel, numbers)))}
            </div>
        </div>
    }
}

fn number_views(panel: &Panel, numbers: &[Number]) -> AnyView {
    let Cells { columns, rows, shown, left_out } = Cells::of_panel(panel, numbers.len(), LEAST);
    let views: Vec<_> = numbers.iter().take(shown).map(|number| number_view(number, shown > 1)).collect();
    view! {
        <div class="cells" style=format!("--columns:{columns};--rows:{rows}")>{views}</div>
        {more(left_out)}
    }
}

/// The series whose course stands below its number.
pub(crate) fn course<'a, 'b>(shown: &'b [Shown<'a>]) -> Option<&'b Shown<'a>> {
    match shown {
        [only] if only.series.timestamps.len() > 1 => Some(only),
        _ => None,
    }
}

fn number_view(number: &Number, named: bool) -> AnyView {
    let (digits, unit) = split(&number.written.text);
    let Written { class, meaning, .. } = &number.written;
    view! {
        <div class=format!("stat-number {class}")>
            <span class="stat-value">
                {digits} <span class="stat-unit">{unit}</span>
                <i class=mark(meaning) aria-hidden="true"></i>
            </span>
            <span class="sr-only">{*meaning}</span>
            {named.then(|| view! { <span class="stat-name">{number.name.clone()}</span> })}
        </div>
    }
}

/// How many values have no room.
pub(super) fn more(left_out: usize) -> AnyView {
    (left_out > 0).then(|| view! { <p class="cells-more">{format!("and {left_out} more")}</p> }).into_any()
}

/// The digits of a written value, and what follows them.
pub(crate) fn split(text: &str) -> (String, String) {
    let (digits, unit) = text.split_at(text.find(' ').unwrap_or(text.len()));
    (digits.to_owned(), unit.to_owned())
}

pub(crate) fn numbers(panel: &Panel, data: &PanelData) -> Vec<Number> {
    every(panel, data)
        .into_iter()
        .filter_map(|shown| {
            let (_, value) = shown.series.last()?;
            Some(Number { written: write(panel, shown.query, value), name: shown.name })
        })
        .collect()
}
