//! The bar above a page: its title, range and refresh, the state of the connection, and the session.

use crate::view::view;
use leptos::prelude::*;
use model::{
    page::Session,
    route::{PageKind, PageRoute},
};

use super::{Icon, Page, Printed, RangePicker, RefreshPicker, first_data::FirstDataLink};
use crate::platform;

/// The bar. `dashboard` is the uid of the page's dashboard; other pages have neither range nor kiosk form.
#[component]
pub(crate) fn TopBar(
    /// Heading of the page.
    #[prop(into)]
    title: Signal<String>,
    /// Uid of the dashboard shown.
    #[prop(optional, into)]
    dashboard: Option<String>,
    /// Time of the first data that the dashboard shows.
    #[prop(optional, into)]
    first_ms: Signal<Option<i64>>,
    /// Path of the parent page.
    #[prop(optional, into)]
    up: Option<String>,
) -> impl IntoView {
    let page = Page::get();
    page.set_title(title);
    let has_range = dashboard.is_some();
    let as_of = has_range.then(|| view! { <AsOf /> });
    let controls = dashboard.map(|uid| {
        let kiosk_path = PageRoute::path_to(PageKind::Kiosk, &[&uid]);
        view! {
            <FirstDataLink first_ms />
            <RangePicker />
            <RefreshPicker />
            <a class="button quiet" href=move || platform::at(&page.url.link_to(&kiosk_path)) title="Kiosk: only the panels, sized to the screen">
                {Icon::Screen.draw()}
                <span class="sr-only">"Kiosk"</span>
            </a>
        }
    });
    let up = up.map(|path| {
        view! {
            <a class="button quiet" href=move || platform::at(&page.url.link_to(&path)) title="Back">
                {Icon::Back.draw()}
                <span class="sr-only">"Back"</span>
            </a>
        }
    });
    view! {
        <header class="topbar">
            {up}
            <h1 class="topbar-title">{move || title.get()}</h1>
            <div class="topbar-controls">
                {as_of}
                <ConnectionIndicator has_time=has_range />
                {controls}
                <ThemeSwitch />
                {page.boot().reach().has(PageKind::Settings).then(|| view! { <UserMenu session=page.boot().session.clone() /> })}
            </div>
            <Printed has_range />
        </header>
    }
}

/// The end of the range of a page in the past.
#[component]
pub(crate) fn AsOf() -> impl IntoView {
    let page = Page::get();
    let as_of_ms = Memo::new(move |_| page.url.range.get().as_of_ms(page.clock.now_ms.get_untracked()));
    view! {
        {move || as_of_ms.get().map(|at_ms| view! {
            <span class="as-of" title="This page shows the past">"as of " {move || page.clock.time(at_ms)}</span>
        })}
    }
}

/// The state of the connection, in words.
#[component]
pub(crate) fn ConnectionIndicator(
    /// Whether the page shows the range of its URL.
    #[prop(optional)]
    has_time: bool,
) -> impl IntoView {
    let page = Page::get();
    let connection = page.live.connection;
    let words = move || {
        if has_time && page.url.range.get().live_window_ms().is_none() {
            connection.get().words_on_the_past(page.clock)
        } else {
            connection.get().words(page.clock)
        }
    };
    view! {
        <div class="connection needs-script" data-state=move || connection.get().name()>
            <span class="connection-dot"></span>
            <span class="connection-words" aria-hidden="true">{words}</span>
            // Screen readers announce changes of the state, not each second of the countdown.
            <span class="sr-only" role="status">{move || connection.get().name()}</span>
        </div>
    }
}

/// A button that switches the theme: system, light, dark, and system again.
#[component]
fn ThemeSwitch() -> impl IntoView {
    let theme = Page::get().theme;
    let name = move || match theme.get().as_deref() {
        Some("light") => "Theme: light",
        Some(_) => "Theme: dark",
        None => "Theme: as the system",
    };
    let switch = move |_| {
        let next = match theme.get_untracked().as_deref() {
            None => Some("light"),
            Some("light") => Some("dark"),
            Some(_) => None,
        };
        platform::set_theme(next);
        theme.set(next.map(str::to_owned));
    };
    let icon = move || match theme.get().as_deref() {
        Some("light") => Icon::Light.draw(),
        Some(_) => Icon::Dark.draw(),
        None => Icon::Auto.draw(),
    };
    view! {
        <button type="button" class="button quiet needs-script" on:click=switch title=name>
            {move || icon()}
            <span class="sr-only">{move || name()}</span>
        </button>
    }
}

/// The menu of the session: its token, and the links to settings and logout.
#[component]
fn UserMenu(session: Session) -> impl IntoView {
    let page = Page::get();
    let expires = session.expires_at;
    let expiry = move || expires.map_or_else(|| "never".to_owned(), |at_ms| page.clock.date_time(at_ms));
    let role = session.role.name();
    view! {
        <details class="drop user-menu" name="menu">
            <summary class="button quiet" title="Session">
                {Icon::User.draw()}
                <span class="user-name">{session.name.clone()}</span>
            </summary>
            <div class="drop-body">
                <dl class="facts">
                    <dt>"Token"</dt>
                    <dd>{session.name}</dd>
                    <dt>"Role"</dt>
                    <dd>{role}</dd>
                    <dt>"Expires"</dt>
                    <dd>{move || expiry()}</dd>
                </dl>
                <a class="drop-item" href=platform::at(PageRoute::path_of(PageKind::Settings))>{Icon::Settings.draw()} <span>"Settings"</span></a>
                <form method="post" action=platform::at("/logout")>
                    <button type="submit" class="drop-item">{Icon::Leave.draw()} <span>"Log out"</span></button>
                </form>
            </div>
        </details>
    }
}
