//! What this session and this server are.

use crate::view::view;
use leptos::prelude::*;

use crate::shell::{BellSettings, Page, TopBar};

/// Facts on session, page and server.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let page = Page::get();
    let boot = page.boot();
    let session = boot.session.clone();
    let expires = session.expires_at;
    let may = match () {
        () if session.role.administers() => {
            "read everything, cancel jobs, silence alerts, manage tokens and dashboards"
        }
        () if session.role.operates() => "read everything, cancel jobs, silence alerts",
        () if session.dashboards.is_empty() => "read everything",
        () => "read the dashboards named by its token",
    };
    let theme = move || match page.theme.get() {
        Some(theme) => theme,
        None => "as the system".to_owned(),
    };
    view! {
        <TopBar title="Settings" />
        <main id="main" class="content narrow" tabindex="-1">
            <section class="card">
                <h2>"Session"</h2>
                <dl class="facts">
                    <dt>"Token"</dt>
                    <dd>{session.name}</dd>
                    <dt>"Role"</dt>
                    <dd>{session.role.name()}</dd>
                    <dt>"It may"</dt>
                    <dd>{may}</dd>
                    <dt>"Expires"</dt>
                    <dd>{move || expires.map_or_else(|| "never".to_owned(), |at_ms| page.clock.date_time(at_ms))}</dd>
                </dl>
            </section>
            <section class="card">
                <h2>"This browser"</h2>
                <dl class="facts">
                    <dt>"Theme"</dt>
                    <dd>{move || theme()}</dd>
                    <dt>"Times"</dt>
                    <dd>{move || model::civil::zone_name(page.clock.offset_min.get())}</dd>
                    <dt>"Connection"</dt>
                    <dd>{move || page.live.connection.get().words(page.clock)}</dd>
                </dl>
            </section>
            <BellSettings />
            <section class="card">
                <h2>"Server"</h2>
                <dl class="facts">
                    <dt>"hyperscope"</dt>
                    <dd>{boot.version.clone()}</dd>
                </dl>
            </section>
        </main>
    }
}
