//! The panel kind `stat`: large numbers. A single number has a sparkline of its recent values.

use crate::view::view;
use chart::spark::sparkline;
use leptos::prelude::*;
use model::{
    dashboard::Panel,
    panel::{PanelData, QueryState},
};

use super::{
    cells::Cells,
    context::PanelsContext,
    plot_series::{Shown, Written, every, mark, shown, write},
};

/// Minimum width and height of a number with its name, in CSS pixels.
pub(crate) const LEAST: (f64, f64) = (92.0, 46.0);

/// A number and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) name: String,
    pub(crate) written: Written,
}

/// The numbers of a panel. Only a single number has a sparkline, because below several it would seem to belong to all of them.
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

/// The series of the sparkline, if there is one.
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

/// A line with the number of values that do not fit.
pub(super) fn more(left_out: usize) -> AnyView {
    (left_out > 0).then(|| view! { <p class="cells-more">{format!("and {left_out} more")}</p> }).into_any()
}

/// Splits the text of a value into its digits and its unit.
pub(crate) fn split(text: &str) -> (String, String) {
    let (digits, unit) = text.split_at(text.find(' ').unwrap_or(text.len()));
    (digits.to_owned(), unit.to_owned())
}

/// The current value of a series with a sparkline, from an instant query: the last step of its range query may be long ago.
fn newest(panel: &Panel, data: &PanelData, shown: &Shown) -> Option<(i64, f64)> {
    let PanelData::Queries(states) = data else { return None };
    let position = panel.courses().position(|query| std::ptr::eq(query, shown.query))?;
    let QueryState::Ready { frame, .. } = states.get(panel.queries.len() + position)? else { return None };
    frame.series.iter().find(|series| series.labels == shown.series.labels)?.last()
}

pub(crate) fn numbers(panel: &Panel, data: &PanelData) -> Vec<Number> {
    every(panel, data)
        .into_iter()
        .filter_map(|shown| {
            let value = newest(panel, data, &shown).or_else(|| shown.series.last())?.1;
            Some(Number { written: write(panel, shown.query, value), name: shown.name })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use model::frame::{Frame, Series};

    use super::*;

    #[test]
    fn the_number_is_the_current_value_and_not_that_of_the_last_step() {
        let mut panel = super::super::legend::tests::panel(r#"{"expr":"up","legend":"up","instant":false}"#);
        panel.kind = model::dashboard::PanelKind::Stat;
        assert_eq!(panel.asked().iter().map(|query| query.instant).collect::<Vec<_>>(), [false, true]);
        let state = |points: &[(i64, f64)]| {
            let (timestamps, values) = points.iter().copied().unzip();
            let series = vec![Series { timestamps, values, ..Series::default() }];
            QueryState::Ready { frame: Frame { series, ..Frame::default() }, stale: None }
        };
        let course = state(&[(0, 3.0), (10_000, 3.0)]);
        let number = |states| numbers(&panel, &PanelData::Queries(states))[0].written.text.clone();
        assert_eq!(number(vec![course.clone(), state(&[(14_000, 5.0)])]), "5");
        assert_eq!(number(vec![course]), "3");
    }
}
