//! One number, large enough to be read across a room, over its recent course.

use crate::view::view;
use chart::spark::sparkline;
use leptos::prelude::*;
use model::{dashboard::Panel, panel::PanelData};

use super::{
    context::PanelsContext,
    traces::{Written, mark, shown, write},
};

/// Numbers that one panel shows at most.
const MOST: usize = 6;

/// A number and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) name: String,
    pub(crate) written: Written,
}

/// The numbers of a panel, and the sparkline of the first one that has a course.
pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let viewport = PanelsContext::of_page().viewport;
    let numbers = Memo::new(move |_| data.with(|data| panel.with_value(|panel| numbers(panel, data))));
    let count = Memo::new(move |_| numbers.with(Vec::len));
    let spark = Memo::new(move |_| {
        data.with(|data| {
            panel.with_value(|panel| {
                let shown = shown(panel, data);
                let course = shown.iter().find(|shown| shown.series.timestamps.len() > 1)?;
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
                {move || (0..count.get()).map(|index| number_view(index, count.get() > 1, numbers)).collect_view()}
            </div>
        </div>
    }
}

fn number_view(index: usize, named: bool, numbers: Memo<Vec<Number>>) -> AnyView {
    let number = Memo::new(move |_| numbers.with(|numbers| numbers.get(index).cloned()));
    let written = move || number.get().map(|number| number.written).unwrap_or_default();
    view! {
        <div class=move || format!("stat-number {}", written().class)>
            <span class="stat-value">
                {move || split(&written().text).0}
                <span class="stat-unit">{move || split(&written().text).1}</span>
                <i class=move || mark(written().meaning) aria-hidden="true"></i>
            </span>
            <span class="sr-only">{move || written().meaning}</span>
            {named.then(|| view! { <span class="stat-name">{move || number.get().map(|number| number.name)}</span> })}
        </div>
    }
}

/// The digits of a written value, and what follows them.
pub(crate) fn split(text: &str) -> (String, String) {
    let (digits, unit) = text.split_at(text.find(' ').unwrap_or(text.len()));
    (digits.to_owned(), unit.to_owned())
}

pub(crate) fn numbers(panel: &Panel, data: &PanelData) -> Vec<Number> {
    shown(panel, data)
        .into_iter()
        .take(MOST)
        .filter_map(|shown| {
            let (_, value) = shown.series.last()?;
            Some(Number { written: write(panel, shown.query, value), name: shown.name })
        })
        .collect()
}
