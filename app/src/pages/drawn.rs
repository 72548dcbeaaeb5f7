//! Pages that the server draws, in the browser: what it drew, fetched again when something changes.
//!
//! Their parts are drawn by the server alone (see `crate::alerts`, `crate::explore` and `crate::settings`): links and forms, which work with scripts
//! off. Here is what keeps them current without a jump: what is typed, where the focus is and what is open stays as it is.

use leptos::{ev::MouseEvent, html, prelude::*};
use model::route::{PageKind, PageRoute};

use crate::{
    platform::{self, FetchError},
    refusal::{PROBLEM, address, without_refusal},
    shell::{Page, TopBar, parameter},
    view::view,
};

/// What the server drew, for the document that it writes.
#[derive(Debug, Clone)]
pub(crate) struct Drawn(pub(crate) String);

/// How often the page asks again when nothing seems to change: silences end by themselves, and time goes on.
const LOOK_SECONDS: i64 = 15;

/// The page.
#[component]
pub(crate) fn DrawnPage(kind: PageKind) -> impl IntoView {
    let page = Page::get();
    let path = PageRoute::path_of(kind);
    let area = NodeRef::<html::Div>::new();
    let drawn = use_context::<Drawn>().map(|drawn| drawn.0);
    // A page that was reached by a link begins empty.
    let is_drawn = page.is_first_view();
    let first = drawn.unwrap_or_default();
    let problem = RwSignal::new(None::<String>);
    let asked = StoredValue::new(0_u32);

    // What a form of this page was refused for. The document says so once: neither what is fetched later nor a reload does again.
    let query = page.location.query.get_untracked();
    let refusal = RwSignal::new(parameter(&query, PROBLEM).filter(|words| !words.is_empty()));
    let without = address(path, &without_refusal(&query));
    // Where there are no scripts; the browser only has to forget it.
    let leads_to = without.clone();
    let dismiss = move |event: MouseEvent| {
        event.prevent_default();
        refusal.set(None);
    };
    Effect::new(move |_| {
        if without_refusal(&query) != query {
            page.location.replace(&without);
        }
    });
    let tick = Memo::new(move |_| page.clock.now_ms.get() / (LOOK_SECONDS * 1_000));
    Effect::new(move |before: Option<()>| {
        let query = page.location.query.get();
        if kind == PageKind::Alerts {
            page.alarms.listed.track();
        }
        // Read: a memo that nobody reads does not run.
        tick.get();
        // The address may be that of another page already, which takes the place of this one.
        let is_here = page.location.path.with_untracked(|shown| shown == path);
        if !is_here || (before.is_none() && is_drawn) {
            return;
        }
        if let Some(area) = area.get_untracked() {
            if before.is_none() {
                // Of another page that the server drew.
                area.set_inner_html("");
            }
            let _ = area.set_attribute("aria-busy", "true");
        }
        asked.update_value(|asked| *asked += 1);
        let number = asked.get_value();
        platform::spawn(async move {
            let answer = platform::get_text(&format!("/fragments{path}?{query}")).await;
            // An older answer that comes late is of no use.
            if asked.try_get_value() != Some(number) {
                return;
            }
            let Some(area) = area.try_get_untracked().flatten() else { return };
            let _ = area.remove_attribute("aria-busy");
            match answer {
                Ok(html) => {
                    problem.set(None);
                    platform::swap_html(&area, &html);
                }
                Err(FetchError::LoggedOut) => platform::go_to_login(),
                Err(error) => problem.set(Some(error.words())),
            }
        });
    });
    Effect::new(move |_| {
        let known_until_ms = page.known_until_ms();
        if let Some(area) = area.get() {
            platform::renew_ages(&area, known_until_ms);
        }
    });
    Effect::new(move |_| {
        if let Some(area) = area.get() {
            platform::take_forms(&area, move |href, is_sent| {
                if is_sent {
                    page.location.go(href, true);
                    // What is sent once more is asked once more.
                    page.location.query.notify();
                } else {
                    page.location.replace(href);
                }
            });
        }
    });
    view! {
        <TopBar title=kind.title() />
        <main
            id="main"
            class="content drawn-page"
            class:is-stale=move || page.live.lost.get().is_some()
            tabindex="-1"
        >
            <p class="banner" role="alert">{move || problem.get().map(|problem| format!("Not renewed: {problem}"))}</p>
            {move || refusal.get().map(|words| view! {
                <p class="banner banner-problem" role="alert">
                    {words} " "
                    <a href=platform::at(&leads_to) on:click=dismiss>"Dismiss"</a>
                </p>
            })}
            <div node_ref=area inner_html=first></div>
        </main>
    }
}
