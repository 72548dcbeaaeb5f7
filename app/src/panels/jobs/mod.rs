//! The panel kind `jobs`: a table of jobs to sort, filter and search. Only the visible rows are in the page.

pub(crate) mod order;
pub(crate) mod row;

use crate::view::view;
use leptos::{
    ev::Event,
    html::Div,
    prelude::{event_target_value, *},
};
use model::{
    job::{Job, JobStatus},
    panel::PanelData,
    route::PageKind,
};

use self::order::{Choice, Column, providers};
use super::{
    context::PanelsContext,
    keyed::{self, Key},
    look::message_view,
};
use crate::platform;

/// Height of a row in CSS pixels, as in the style sheet. The position of a row follows from its index.
const ROW_PX: usize = 34;
/// The rows in the server's document, where the height of the panel is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRows {
    /// Number of rows.
    pub count: usize,
    /// Link to all rows, for a browser without scripts.
    pub all_href: String,
}

impl Default for FirstRows {
    /// The rows of the overview's panel and a few more. Each further row would delay the document.
    fn default() -> Self {
        FirstRows { count: 18, all_href: String::new() }
    }
}

/// Rows in the page above and below the visible ones.
#[cfg(feature = "browser")]
const SPARE_ROWS: usize = 10;

/// The rows in the page.
#[derive(Debug, Clone, PartialEq, Default)]
struct Window {
    first: usize,
    jobs: Vec<Job>,
    total: usize,
}

pub(super) fn body(data: Signal<PanelData>) -> AnyView {
    let context = PanelsContext::of_page();
    let (now_ms, has_pages) = (context.now_ms, context.opens(PageKind::Job));
    let first = use_context::<FirstRows>().unwrap_or_default();
    let choice = RwSignal::new(Choice::default());
    let scrolled = RwSignal::new((0, first.count));
    let matching = Memo::new(move |_| {
        // Only the order by elapsed time uses the clock. It needs no update, because all running jobs age at the same rate.
        let now_ms = now_ms.get_untracked();
        data.with(|data| choice.with(|choice| choice.select(jobs(data), now_ms)))
    });
    let window = Memo::new(move |_| {
        let (first, count) = scrolled.get();
        matching.with(|matching| {
            let first = first.min(matching.len().saturating_sub(count));
            data.with(|data| {
                let all = jobs(data);
                let shown = matching.iter().skip(first).take(count).filter_map(|index| all.get(*index).cloned());
                Window { first, jobs: shown.collect(), total: matching.len() }
            })
        })
    });
    let keys = Memo::new(move |_| window.with(|window| window.jobs.iter().map(key).collect::<Vec<_>>()));
    let spacer = move |above: bool| {
        window.with(|window| {
            let rows = if above { window.first } else { window.total - window.first - window.jobs.len() };
            format!("height:{}px", rows * ROW_PX)
        })
    };
    let none = Memo::new(move |_| window.with(|window| window.total == 0));
    let any = Memo::new(move |_| data.with(|data| !jobs(data).is_empty()));
    // Only in the server's HTML. With scripts, the rows follow the scroll position.
    let rest = window.with_untracked(|window| {
        (cfg!(feature = "ssr") && window.total > window.jobs.len()).then(|| {
            view! {
                <p class="jobs-rest needs-no-script">
                    {format!("The first {} of {} jobs. ", window.jobs.len(), window.total)}
                    <a href=platform::at(&first.all_href)>"Show all"</a>
                </p>
            }
        })
    });
    let element = NodeRef::<Div>::new();
    let show_visible = move || {
        if let Some(rows) = visible_rows(element) {
            scrolled.set(rows);
        }
    };
    Effect::new(move |_| show_visible());
    view! {
        <div class="jobs">
            {filters(data, choice, window)}
            {rest}
            <div
                class="table-scroll jobs-scroll"
                tabindex="0"
                role="group"
                aria-label="Jobs"
                node_ref=element
                on:scroll=move |_| show_visible()
            >
                <table class="table jobs-table" aria-rowcount=move || (window.with(|window| window.total) + 1).to_string()>
                    <thead>
                        <tr>{Column::ALL.map(|column| head_cell(column, choice)).collect_view()}</tr>
                    </thead>
                    <tbody>
                        <tr class="spacer" aria-hidden="true" style=move || spacer(true)></tr>
                        {keyed::list(keys, move |wanted| {
                            let job = Memo::new(move |_| {
                                window.with(|window| window.jobs.iter().find(|job| is(job, &wanted)).cloned())
                            });
                            row::row(job, now_ms, has_pages)
                        })}
                        <tr class="spacer" aria-hidden="true" style=move || spacer(false)></tr>
                    </tbody>
                </table>
                {move || {
                    none.get().then(|| if any.get() {
                        message_view("empty", "No job matches", "Every job is filtered out.".to_owned(), "Clear the filters to see all.".to_owned())
                    } else {
                        message_view("empty", "No jobs", "No daemon has a job.".to_owned(), String::new())
                    })
                }}
            </div>
        </div>
    }
}

fn jobs(data: &PanelData) -> &[Job] {
    match data {
        PanelData::Jobs(jobs) => jobs,
        _ => &[],
    }
}

fn key(job: &Job) -> Key {
    (job.daemon.clone(), job.id.clone())
}

fn is(job: &Job, (daemon, id): &Key) -> bool {
    job.id == *id && job.daemon == *daemon
}

fn filters(data: Signal<PanelData>, choice: RwSignal<Choice>, window: Memo<Window>) -> AnyView {
    let names = Memo::new(move |_| data.with(|data| providers(jobs(data))));
    let all = Memo::new(move |_| data.with(|data| jobs(data).len()));
    let count = move || {
        let (shown, all) = (window.with(|window| window.total), all.get());
        if shown == all { format!("{all} jobs") } else { format!("{shown} of {all} jobs") }
    };
    let on_status = move |event: Event| {
        let value = event_target_value(&event);
        choice.update(|choice| choice.status = (!value.is_empty()).then(|| JobStatus::from_name(&value)));
    };
    let on_provider = move |event: Event| {
        let value = event_target_value(&event);
        choice.update(|choice| choice.provider = (!value.is_empty()).then_some(value));
    };
    let statuses = [
        JobStatus::Running,
        JobStatus::Pending,
        JobStatus::Completed,
        JobStatus::Failed,
        JobStatus::Cancelling,
        JobStatus::Cancelled,
    ];
    view! {
        <div class="filters" role="search" aria-label="Filter jobs">
            <input
                type="search"
                class="field"
                placeholder="Name, VM, id or error"
                aria-label="Search jobs"
                on:input=move |event| choice.update(|choice| choice.text = event_target_value(&event))
            />
            <select class="field" aria-label="Status" on:change=on_status>
                <option value="">"Any status"</option>
                {statuses.map(|status| view! { <option value=status.name()>{status.name()}</option> }).collect_view()}
            </select>
            <select class="field" aria-label="Provider" on:change=on_provider>
                <option value="">"Any provider"</option>
                {move || {
                    let option = |name: String| view! { <option value=name.clone()>{name.clone()}</option> };
                    names.get().into_iter().map(option).collect_view()
                }}
            </select>
            <span class="filters-count" role="status">{move || count()}</span>
        </div>
    }
}

fn head_cell(column: Column, choice: RwSignal<Choice>) -> AnyView {
    let falling = move || choice.with(|choice| choice.order.filter(|order| order.0 == column).map(|order| order.1));
    let aria = move || match falling() {
        None => "none",
        Some(true) => "descending",
        Some(false) => "ascending",
    };
    let arrow = move || match falling() {
        None => "",
        Some(true) => "\u{25be}",
        Some(false) => "\u{25b4}",
    };
    view! {
        <th scope="col" class=column.class() aria-sort=aria>
            <button
                type="button"
                class="sort-button"
                on:click=move |_| {
                    choice.update(|choice| {
                        choice.order = next_order(choice.order, column);
                    });
                }
            >
                {column.heading()}
                <span class="sort-arrow" aria-hidden="true">{move || arrow()}</span>
            </button>
        </th>
    }
}

/// The first click on a column sorts by it, the second reverses the order, the third restores the default order: running jobs first.
fn next_order(order: Option<(Column, bool)>, column: Column) -> Option<(Column, bool)> {
    let first = matches!(column, Column::Progress | Column::Rate | Column::Elapsed);
    match order {
        Some((by, falling)) if by == column && falling == first => Some((column, !first)),
        Some((by, _)) if by == column => None,
        _ => Some((column, first)),
    }
}

/// The visible rows and [`SPARE_ROWS`] around them: index of the first, and number.
#[cfg(feature = "browser")]
fn visible_rows(element: NodeRef<Div>) -> Option<(usize, usize)> {
    let scroll = element.get_untracked()?;
    let pixels = |length: i32| usize::try_from(length).unwrap_or(0);
    let first = (pixels(scroll.scroll_top()) / ROW_PX).saturating_sub(SPARE_ROWS);
    Some((first, pixels(scroll.client_height()) / ROW_PX + 1 + 2 * SPARE_ROWS))
}

// The server's table is not scrolled.
#[cfg(not(feature = "browser"))]
fn visible_rows(_element: NodeRef<Div>) -> Option<(usize, usize)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_click_restores_the_default_order() {
        let first = next_order(None, Column::Rate);
        assert_eq!(first, Some((Column::Rate, true)));
        let second = next_order(first, Column::Rate);
        assert_eq!(second, Some((Column::Rate, false)));
        assert_eq!(next_order(second, Column::Rate), None);
        assert_eq!(next_order(first, Column::Name), Some((Column::Name, false)));
    }
}
