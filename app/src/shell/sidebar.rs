//! The way between dashboards: a column at the left, a bar at the bottom of a phone.

use crate::view::view;
use leptos::prelude::*;

use super::{FiringBadge, Icon, Page};
use crate::platform;

/// Where the pages are that are no dashboards.
const ALERTS: &str = "/alerts";
const EXPLORE: &str = "/explore";

/// Navigation over all dashboards of the session.
#[component]
pub(crate) fn Sidebar() -> impl IntoView {
    let page = Page::get();
    let links =
        page.boot().dashboards.iter().map(|link| entry(page, link.path.clone(), link.title.clone())).collect_view();
    // Who is limited to some dashboards may open nothing else.
    let other = |path: &str, title: &str| {
        page.boot().session.dashboards.is_empty().then(|| entry(page, path.to_owned(), title.to_owned()))
    };
    view! {
        <nav class="sidebar" aria-label="Dashboards">
            <a class="brand" href=platform::at("/") aria-label="hyperscope, to the overview">
                <Logo />
                <span class="brand-name">"hyperscope"</span>
            </a>
            <ul class="sidebar-links">
                {links}
                {other(ALERTS, "Alerts")}
                {other(EXPLORE, "Explore")}
            </ul>
        </nav>
    }
}

fn entry(page: Page, path: String, title: String) -> AnyView {
    let current_path = path.clone();
    // A job's page belongs to the jobs.
    let current = move || {
        let belongs = page.url.path.with(|path| {
            *path == current_path || (current_path.len() > 1 && path.starts_with(&format!("{current_path}/")))
        });
        belongs.then_some("page")
    };
    let icon = match path.as_str() {
        "/" => Icon::Overview,
        "/jobs" => Icon::Jobs,
        "/system" => Icon::System,
        ALERTS => Icon::Alerts,
        EXPLORE => Icon::Explore,
        _ => Icon::Dashboard,
    };
    let count = (path == ALERTS).then(|| view! { <FiringBadge /> });
    // The range of a dashboard is not that of the other pages.
    let href = move || if path == ALERTS || path == EXPLORE { path.clone() } else { page.url.link_to(&path) };
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
