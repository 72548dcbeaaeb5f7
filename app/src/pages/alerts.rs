//! The alert page in the browser: what the server drew, fetched again when something changes.
//!
//! Its parts are drawn by the server alone (see `crate::alerts`): links and forms, which work with scripts off. Here is what
//! keeps them current without a jump: what is typed, where the focus is and what is open stays as it is.

use leptos::{html, prelude::*};

use crate::{
    platform::{self, FetchError},
    shell::{Page, TopBar},
    view::view,
};

/// What the server drew, for the document that it writes.
#[derive(Debug, Clone)]
pub(crate) struct Drawn(pub(crate) String);

/// How often the page asks again when nothing seems to change: silences end by themselves.
const LOOK_SECONDS: i64 = 15;

/// The page.
#[component]
pub(crate) fn AlertsPage() -> impl IntoView {
    let page = Page::get();
    let area = NodeRef::<html::Div>::new();
    let drawn = use_context::<Drawn>().map(|drawn| drawn.0);
    // A page that was reached by a link begins empty.
    let is_drawn = page.is_first_view();
    let first = drawn.unwrap_or_default();
    let problem = RwSignal::new(None::<String>);
    let asked = StoredValue::new(0_u32);

    let tick = Memo::new(move |_| page.clock.now_ms.get() / (LOOK_SECONDS * 1_000));
    Effect::new(move |before: Option<()>| {
        let query = page.location.query.get();
        page.alarms.listed.track();
        tick.track();
        if before.is_none() && is_drawn {
            return;
        }
        asked.update_value(|asked| *asked += 1);
        let number = asked.get_value();
        platform::spawn(async move {
            let answer = platform::get_text(&format!("/fragments/alerts?{query}")).await;
            // An older answer that comes late is of no use.
            if asked.try_get_value() != Some(number) {
                return;
            }
            match answer {
                Ok(html) => {
                    problem.set(None);
                    if let Some(area) = area.get_untracked() {
                        platform::swap_html(&area, &html);
                    }
                }
                Err(FetchError::LoggedOut) => platform::go_to_login(),
                Err(FetchError::Failed(message)) => problem.set(Some(message)),
            }
        });
    });
    Effect::new(move |_| {
        page.clock.now_ms.track();
        if let Some(area) = area.get() {
            platform::renew_ages(&area, page.clock.now_ms.get_untracked());
        }
    });
    Effect::new(move |_| {
        if let Some(area) = area.get() {
            platform::take_forms(&area, move |href| page.location.replace(href));
        }
    });
    view! {
        <TopBar title="Alerts" />
        <main id="main" class="content alerts-page" tabindex="-1">
            <p class="banner" role="alert">{move || problem.get().map(|problem| format!("Not renewed: {problem}"))}</p>
            <div node_ref=area inner_html=first></div>
        </main>
    }
}
