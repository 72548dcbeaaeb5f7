//! The page for a URL without a page.

use crate::view::view;
use leptos::prelude::*;

use crate::{
    platform,
    shell::{Page, TopBar},
};

/// A notice that there is no page, with links to the dashboards.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    view! {
        <TopBar title="Not found" />
        <main id="main" class="content" tabindex="-1">
            <Missing message="There is no page at this address." />
        </main>
    }
}

/// A notice with links to the dashboards.
#[component]
pub(crate) fn Missing(
    /// Says what is missing.
    #[prop(into)]
    message: String,
) -> impl IntoView {
    let links = Page::get().boot().dashboards.clone();
    view! {
        <div class="notice">
            <p class="notice-title">{message}</p>
            <p>"What there is:"</p>
            <ul>
                {links.into_iter().map(|link| view! { <li><a href=platform::at(&link.path)>{link.title}</a></li> }).collect_view()}
            </ul>
        </div>
    }
}
