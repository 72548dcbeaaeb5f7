//! Pages whose content only the server renders. The browser fetches the content again when something changes.
//!
//! The content (see `crate::alerts`, `crate::explore` and `crate::settings`) is links and forms, which work without scripts. An update does not
//! change typed text, the focus, or what is open.

use leptos::{ev::MouseEvent, html, prelude::*};
use model::route::{PageKind, PageRoute};

use crate::{
    platform::{self, FetchError},
    refusal::{PROBLEM, address, without_refusal},
    shell::{Page, TopBar, parameter},
    view::view,
};

/// The rendered content, as context for the server's document.
#[derive(Debug, Clone)]
pub(crate) struct Drawn(pub(crate) String);

/// Interval between updates without a known change, in seconds: silences, for example, expire without an event.
const LOOK_SECONDS: i64 = 15;

/// The page of this kind.
#[component]
pub(crate) fn DrawnPage(kind: PageKind) -> impl IntoView {
    let page = Page::get();
    let path = PageRoute::path_of(kind);
    let area = NodeRef::<html::Div>::new();
    let drawn = use_context::<Drawn>().map(|drawn| drawn.0);
    // A page that was opened by a link starts empty.
    let is_drawn = page.is_first_view();
    let first = drawn.unwrap_or_default();
    let problem = RwSignal::new(None::<String>);
    let asked = StoredValue::new(0_u32);

    // Why a form of this page was refused. It is shown once: neither later fragments nor a reload show it again.
    let query = page.location.query.get_untracked();
    let refusal = RwSignal::new(parameter(&query, PROBLEM).filter(|words| !words.is_empty()));
    let without = address(path, &without_refusal(&query));
    // Without scripts, the link loads the page without the refusal. With scripts, no request is needed.
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
        // A memo runs only if it is read.
        tick.get();
        // The URL may already be that of another page, which replaces this one.
        let is_here = page.location.path.with_untracked(|shown| shown == path);
        if !is_here || (before.is_none() && is_drawn) {
            return;
        }
        if let Some(area) = area.get_untracked() {
            if before.is_none() {
                // The content of another page of this component.
                area.set_inner_html("");
            }
            let _ = area.set_attribute("aria-busy", "true");
        }
        asked.update_value(|asked| *asked += 1);
        let number = asked.get_value();
        platform::spawn(async move {
            let answer = platform::get_text(&format!("/fragments{path}?{query}")).await;
            // Ignore a late response to an earlier request.
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
                    // Submitting the same form again repeats the request.
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
