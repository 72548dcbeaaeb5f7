//! The navigation: a column at the left, or a bar at the bottom of a phone.

use crate::view::view;
use leptos::prelude::*;
use model::route::{PageKind, PageRoute};

use super::{FiringBadge, Icon, Page};
use crate::platform;

/// Links to all dashboards of the session, and to the pages for alerts and Explore.
#[component]
pub(crate) fn Sidebar() -> impl IntoView {
    let page = Page::get();
    let dashboards = page.boot().dashboards.clone();
    // The first dashboard of the session, which is the overview unless the session is limited to others.
    let home = dashboards.first().map_or(("/", "the dashboards"), |link| (&link.path, &link.title));
    let (home, to_home) = (home.0.to_owned(), format!("hyperscope, to {}", home.1));
    let links =
        dashboards.into_iter().map(|link| entry(page, PageKind::Dashboard, link.path, link.title)).collect_view();
    // A session that is limited to some dashboards opens nothing else.
    let reach = page.boot().reach();
    let others = [PageKind::Alerts, PageKind::Explore]
        .into_iter()
        .filter(|kind| reach.has(*kind))
        .map(|kind| entry(page, kind, PageRoute::path_of(kind).to_owned(), kind.title().to_owned()));
    let others = others.collect_view();
    view! {
        <nav class="sidebar" aria-label="Dashboards">
            <a class="brand" href=platform::at(&home) aria-label=to_home>
                <Logo />
                <span class="brand-name">"hyperscope"</span>
            </a>
            <ul class="sidebar-links">
                {links}
                {others}
            </ul>
        </nav>
    }
}

fn entry(page: Page, kind: PageKind, path: String, title: String) -> AnyView {
    let current_path = path.clone();
    // A job's page belongs to the jobs.
    let current = move || {
        let belongs = page.url.path.with(|path| {
            *path == current_path || (current_path.len() > 1 && path.starts_with(&format!("{current_path}/")))
        });
        belongs.then_some("page")
    };
    let icon = match (kind, path.as_str()) {
        (PageKind::Alerts, _) => Icon::Alerts,
        (PageKind::Explore, _) => Icon::Explore,
        (_, "/") => Icon::Overview,
        (_, "/jobs") => Icon::Jobs,
        (_, "/system") => Icon::System,
        _ => Icon::Dashboard,
    };
    let count = (kind == PageKind::Alerts).then(|| view! { <FiringBadge /> });
    // Only dashboards share the range.
    let href = move || if kind == PageKind::Dashboard { page.url.link_to(&path) } else { path.clone() };
    view! {
        <li>
            <a class="sidebar-link" href=move || platform::at(&href()) aria-current=current>
                {icon.draw()}
                <span>{title}</span>
                {count}
            </a>
        </li>
    }
}

/// A lens over a rising line.
#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <circle cx="11" cy="11" r="8" />
            <path d="M17 17l4.5 4.5" />
            <path class="logo-line" d="M6.5 12.5l2.5-3 2.5 2 4-4.5" />
        </svg>
    }
}
