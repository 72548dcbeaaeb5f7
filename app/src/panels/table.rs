//! The panel kind `table`: the newest value of each series, with a column for each query. Series with equal labels share a row.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use crate::view::view;
use leptos::prelude::*;
use model::{
    dashboard::Panel,
    frame::{Labels, Series},
    panel::{PanelData, QueryState},
    sort::sort_by,
};

use super::{
    legend::column_names,
    plot_series::{ABSENT, Written, mark, write},
};

/// Most rows that are shown, on a page and in an image.
const MOST_ROWS: usize = 500;

/// A joined table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Joined {
    pub(crate) labels: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) left_out: usize,
}

impl Joined {
    /// Keeps as many rows as are shown, and counts the others.
    pub(crate) fn cut(mut self) -> Self {
        self.left_out = self.rows.len().saturating_sub(MOST_ROWS);
        self.rows.truncate(MOST_ROWS);
        self
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) names: Vec<String>,
    pub(crate) cells: Vec<Option<(f64, Written)>>,
}

/// A column to sort by, which stays the same when other columns appear or disappear.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    /// The values of a label.
    Label(String),
    /// The values of a query.
    Query(usize),
}

/// The column that rows are sorted by, and the direction.
#[derive(Debug, Clone, PartialEq)]
struct Order {
    column: Column,
    falling: bool,
}

pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let order = RwSignal::new(None::<Order>);
    let joined = Memo::new(move |_| {
        let mut joined = data.with(|data| panel.with_value(|panel| join(panel, data)));
        if let Some(order) = order.get() {
            sort(&mut joined, &order);
        }
        joined.cut()
    });
    let labels = Memo::new(move |_| joined.with(|joined| joined.labels.clone()));
    let head = move || {
        let labels = labels.get().into_iter().map(|label| (heading(&label), Column::Label(label)));
        let queries = panel.with_value(column_names).into_iter().enumerate();
        let queries = queries.map(|(index, name)| (name, Column::Query(index)));
        labels.chain(queries).map(|(name, column)| head_cell(order, column, name)).collect::<Vec<_>>()
    };
    view! {
        <div class="table-scroll" tabindex="0" role="group" aria-label=panel.with_value(|panel| panel.title.clone())>
            <table class="table">
                <thead>
                    <tr>{move || head()}</tr>
                </thead>
                <tbody>{move || joined.with(|joined| joined.rows.iter().map(row_view).collect_view())}</tbody>
            </table>
            {move || {
                let count = joined.with(|joined| joined.left_out);
                (count > 0).then(|| view! { <p class="table-more">{format!("and {count} rows more, not shown")}</p> })
            }}
        </div>
    }
}

fn head_cell(order: RwSignal<Option<Order>>, column: Column, name: String) -> AnyView {
    let is_label = matches!(column, Column::Label(_));
    let on_click = column.clone();
    let falling = Memo::new(move |_| order.get().filter(|order| order.column == column).map(|order| order.falling));
    let arrow = move || falling.get().map_or("", |falling| if falling { "\u{25be}" } else { "\u{25b4}" });
    let aria = move || falling.get().map_or("none", |falling| if falling { "descending" } else { "ascending" });
    view! {
        <th scope="col" aria-sort=aria class:is-number=!is_label>
            <button
                type="button"
                class="sort-button"
                on:click=move |_| {
                    order.update(|order| {
                        // The first click on a column of numbers sorts the greatest first.
                        let before = order.take().filter(|order| order.column == on_click);
                        let falling = before.map_or(!is_label, |order| !order.falling);
                        *order = Some(Order { column: on_click.clone(), falling });
                    });
                }
            >
                {name}
                <span aria-hidden="true" class="sort-arrow">{move || arrow()}</span>
            </button>
        </th>
    }
}

fn row_view(row: &Row) -> AnyView {
    let names = row.names.iter().map(|name| view! { <td>{name.clone()}</td> }).collect_view();
    let cells = row.cells.iter().map(|cell| match cell {
        Some((_, written)) => view! {
            <td class=format!("is-number {}", written.class)>
                {written.text.clone()} <i class=mark(written.meaning) aria-hidden="true"></i>
                <span class="sr-only">{written.meaning}</span>
            </td>
        },
        None => view! { <td class="is-number is-absent" aria-label="no data">{ABSENT}</td> },
    });
    view! { <tr>{names} {cells.collect_view()}</tr> }
}

/// `job_type` as a heading: `Job type`.
pub(crate) fn heading(label: &str) -> String {
    if label == "__name__" {
        return "Metric".to_owned();
    }
    let words = label.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A row for each set of labels, in the order of the labels.
pub(crate) fn join(panel: &Panel, data: &PanelData) -> Joined {
    let PanelData::Queries(states) = data else { return Joined::default() };
    let columns = panel.queries.len();
    let mut labels = BTreeSet::new();
    let mut rows: BTreeMap<Labels, Vec<Option<(f64, Written)>>> = BTreeMap::new();
    for (column, (query, state)) in panel.queries.iter().zip(states).enumerate() {
        let QueryState::Ready { frame, .. } = state else { continue };
        // Rows are joined without the name of the metric, unless a query has several metrics.
        let metric = |series: &Series| series.labels.get("__name__").cloned();
        let first = frame.series.first().map(metric);
        let is_one_metric = frame.series.iter().all(|series| Some(metric(series)) == first);
        for series in &frame.series {
            let Some((_, value)) = series.last() else { continue };
            let mut key = (*series.labels).clone();
            if is_one_metric {
                key.remove("__name__");
            }
            labels.extend(key.keys().cloned());
            let cells = rows.entry(key).or_insert_with(|| vec![None; columns]);
            if let Some(cell) = cells.get_mut(column) {
                *cell = Some((value, write(panel, query, value)));
            }
        }
    }
    let labels: Vec<String> = labels.into_iter().collect();
    let rows = rows.into_iter().map(|(key, cells)| Row {
        names: labels.iter().map(|label| key.get(label).cloned().unwrap_or_default()).collect(),
        cells,
    });
    Joined { rows: rows.collect(), labels, left_out: 0 }
}

fn sort(joined: &mut Joined, order: &Order) {
    let place = match &order.column {
        Column::Label(label) => joined.labels.iter().position(|other| other == label),
        Column::Query(_) => None,
    };
    let number = |row: &Row| match order.column {
        Column::Query(query) => row.cells.get(query)?.as_ref().map(|cell| cell.0),
        Column::Label(_) => None,
    };
    sort_by(&mut joined.rows, |one, other| match (number(one), number(other)) {
        (Some(one), Some(other)) if order.falling => other.total_cmp(&one),
        (Some(one), Some(other)) => one.total_cmp(&other),
        // Absent values come last in either direction.
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => {
            // A label that no row has leaves the order as it is.
            let name = |row: &Row| place.and_then(|place| row.names.get(place).cloned());
            let ordering = name(one).cmp(&name(other));
            if order.falling { ordering.reverse() } else { ordering }
        }
    });
}

#[cfg(test)]
mod tests {
    use model::frame::Frame;

    use super::*;

    fn state(rows: &[(&str, f64)]) -> QueryState {
        let series = rows.iter().map(|(provider, value)| Series {
            labels: Labels::from([("__name__".into(), "x".into()), ("provider".into(), (*provider).into())]).into(),
            timestamps: vec![1],
            values: vec![*value],
        });
        QueryState::Ready { frame: Frame { series: series.collect(), ..Frame::default() }, stale: None }
    }

    fn joined() -> Joined {
        let panel = super::super::legend::tests::panel(
            r#"{"expr":"a","legend":"Jobs"},{"expr":"b","legend":"Time","unit":"s"}"#,
        );
        let data =
            PanelData::Queries(vec![state(&[("aws", 3.0), ("kvm", 7.0)]), state(&[("kvm", 90.0), ("gcp", 1.0)])]);
        join(&panel, &data)
    }

    fn providers(joined: &Joined) -> Vec<&str> {
        joined.rows.iter().map(|row| row.names[0].as_str()).collect()
    }

    #[test]
    fn queries_are_joined_by_their_labels() {
        let joined = joined();
        assert_eq!(joined.labels, ["provider"]);
        assert_eq!(providers(&joined), ["aws", "gcp", "kvm"]);
        let texts: Vec<_> = joined.rows[2].cells.iter().flatten().map(|cell| cell.1.text.as_str()).collect();
        assert_eq!(texts, ["7", "1 min 30 s"]);
        assert!(joined.rows[0].cells[1].is_none());
    }

    #[test]
    fn rows_are_left_out_after_they_are_sorted() {
        let panel = super::super::legend::tests::panel(r#"{"expr":"a","legend":"Jobs"}"#);
        let names: Vec<String> = (0..600).map(|number| format!("{number:03}")).collect();
        let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), name.parse().unwrap())).collect();
        let mut joined = join(&panel, &PanelData::Queries(vec![state(&rows)]));
        sort(&mut joined, &Order { column: Column::Query(0), falling: true });
        let shown = joined.cut();
        assert_eq!((shown.rows.len(), shown.left_out), (500, 100));
        assert_eq!((providers(&shown)[0], providers(&shown)[499]), ("599", "100"));
    }

    #[test]
    fn absent_cells_are_last_in_either_order() {
        let mut joined = joined();
        sort(&mut joined, &Order { column: Column::Query(0), falling: true });
        assert_eq!(providers(&joined), ["kvm", "aws", "gcp"]);
        sort(&mut joined, &Order { column: Column::Query(0), falling: false });
        assert_eq!(providers(&joined), ["aws", "kvm", "gcp"]);
        let by_provider = Order { column: Column::Label("provider".into()), falling: true };
        sort(&mut joined, &by_provider);
        assert_eq!(providers(&joined), ["kvm", "gcp", "aws"]);
        // A further label moves the column, but the table stays sorted by the same label.
        joined.labels.insert(0, "daemon".into());
        joined.rows.iter_mut().for_each(|row| row.names.insert(0, "d1".into()));
        sort(&mut joined, &Order { falling: false, ..by_provider });
        assert_eq!(joined.rows[0].names, ["d1", "aws"]);
    }

    #[test]
    fn several_metrics_of_a_query_are_separate_rows() {
        let series = |name: &str, value| Series {
            labels: Labels::from([("__name__".into(), name.into()), ("job".into(), "node".into())]).into(),
            timestamps: vec![1],
            values: vec![value],
        };
        let frame = Frame { series: vec![series("up", 1.0), series("down", 0.0)], ..Frame::default() };
        let panel = super::super::legend::tests::panel(r#"{"expr":"{job=\"node\"}"}"#);
        let joined = join(&panel, &PanelData::Queries(vec![QueryState::Ready { frame, stale: None }]));
        assert_eq!(joined.labels, ["__name__", "job"]);
        assert_eq!(joined.rows.len(), 2);
    }

    #[test]
    fn labels_become_headings() {
        assert_eq!(heading("job_type"), "Job type");
        assert_eq!(heading("__name__"), "Metric");
        assert_eq!(heading(""), "");
    }
}
