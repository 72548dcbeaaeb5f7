//! The way between dashboards: a column at the left, a bar at the bottom of a phone.

use crate::view::view;
use leptos::prelude::*;
use model::page::DashboardLink;

use super::{Icon, Page};

/// Navigation over all dashboards of the session.
#[component]
pub(crate) fn Sidebar() -> impl IntoView {
    let page = Page::get();
    let links = page.boot().dashboards.iter().map(|link| entry(page, link)).collect_view();
    view! {
        <nav class="sidebar" aria-label="Dashboards">
            <a class="brand" href="/" aria-label="hyperscope, to the overview">
                <Logo />
                <span class="brand-name">"hyperscope"</span>
            </a>
            <ul class="sidebar-links">
                {links}
                <li>
                    <a
                        class="sidebar-link"
                        href="/alerts"
                        aria-current=move || page.url.path.with(|path| path == "/alerts").then_some("page")
                    >
                        {Icon::Alerts.draw()}
                        <span>"Alerts"</span>
                        {move || {
                            let firing = page.alarms.firing.get();
                            (firing > 0).then(|| view! { <span class="count">{firing} <span class="sr-only">" firing"</span></span> })
                        }}
                    </a>
                </li>
                <li>
                    <a
                        class="sidebar-link"
                        href="/explore"
                        aria-current=move || page.url.path.with(|path| path == "/explore").then_some("page")
                    >
                        {Icon::Explore.draw()}
                        <span>"Explore"</span>
                    </a>
                </li>
            </ul>
        </nav>
    }
}

fn entry(page: Page, link: &DashboardLink) -> impl IntoView + use<> {
    let DashboardLink { title, path, .. } = link.clone();
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
        _ => Icon::Dashboard,
    };
    view! {
        <li>
            <a class="sidebar-link" href=move || page.url.link_to(&path) aria-current=current>
                {icon.draw()}
                <span>{title}</span>
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
