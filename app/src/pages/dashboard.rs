//! The page of a dashboard: its panels in a grid.

use std::{collections::BTreeMap, sync::Arc};

use leptos::{context::Provider, prelude::*};
use model::{
    dashboard::Dashboard,
    frame::Frame,
    page::Boot,
    panel::{PanelData, QueryState},
    range::TimeRange,
};

use super::{
    not_found::Missing,
    panel_data::{Asked, Followed, follow},
};
use crate::{
    panels::{PanelView, PanelsContext, narrow_widths},
    platform::{self, FetchError},
    shell::{Page, TopBar},
    view::view,
};

/// Dashboards that were loaded since the document was, by uid. Going back to one needs no request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library(StoredValue<BTreeMap<String, Arc<Dashboard>>>);

impl Library {
    /// A library with the dashboard that the document came with.
    pub(crate) fn of(boot: &Boot) -> Self {
        let mut library = BTreeMap::new();
        if let Some(dashboard) = boot.dashboard.clone() {
            library.insert(dashboard.uid.clone(), Arc::new(dashboard));
        }
        Library(StoredValue::new(library))
    }
}

/// State of loading a dashboard.
#[derive(Debug, Clone)]
enum Loading {
    Waiting,
    Here(Arc<Dashboard>),
    Failed(String),
}

/// The dashboard with this uid.
#[component]
pub(crate) fn DashboardPage(uid: String) -> impl IntoView {
    let loading = get(uid);
    view! { {move || match loading.get() {
        Loading::Here(dashboard) => view! { <Panels dashboard /> },
        Loading::Waiting => view! {
            <TopBar title="Loading" />
            <main id="main" class="content" tabindex="-1" aria-busy="true">
                {move || Page::get().live.lost.get().map(|_| view! { <p class="banner">"Waiting for the server"</p> })}
            </main>
        },
        Loading::Failed(message) => view! {
            <TopBar title="Not found" />
            <main id="main" class="content" tabindex="-1"><Missing message /></main>
        },
    }} }
}

/// The panels of the dashboard with that uid without anything around them, or one panel.
pub(crate) fn panels_of(uid: String, panel: Option<String>) -> AnyView {
    let loading = get(uid);
    view! { {move || match loading.get() {
        Loading::Here(dashboard) => {
            let mut dashboard = Dashboard::clone(&dashboard);
            if let Some(panel) = &panel {
                dashboard.panels.retain(|shown| shown.id == *panel);
                if let Some(shown) = dashboard.panels.first() {
                    Page::get().set_title(shown.title.clone().into());
                }
            }
            grid(&dashboard).0
        }
        Loading::Waiting => view! { <p aria-busy="true">"Loading"</p> },
        Loading::Failed(message) => view! { <Missing message /> },
    }} }
}

/// The dashboard with that uid, which is asked for where it is not here yet.
fn get(uid: String) -> RwSignal<Loading> {
    let library: Library = expect_context();
    let loading = RwSignal::new(known(&uid));
    Effect::new(move |_| {
        if matches!(*loading.read_untracked(), Loading::Waiting) {
            platform::spawn(load(library, uid.clone(), loading));
        }
    });
    loading
}

fn known(uid: &str) -> Loading {
    let library: Library = expect_context();
    match library.0.with_value(|library| library.get(uid).cloned()) {
        Some(dashboard) => Loading::Here(dashboard),
        // On the server, and when its document is hydrated, a dashboard that is missing does not exist.
        None if Page::get().is_first_view() => Loading::Failed("There is no dashboard at this address.".to_owned()),
        None => Loading::Waiting,
    }
}

async fn load(library: Library, uid: String, loading: RwSignal<Loading>) {
    let answer =
        platform::get_json_once_there::<Dashboard>(&format!("/api/dashboards/{}", platform::encoded(&uid))).await;
    let now = match answer {
        Ok(dashboard) => {
            let dashboard = Arc::new(dashboard);
            library.0.update_value(|library| {
                library.insert(uid, Arc::clone(&dashboard));
            });
            Loading::Here(dashboard)
        }
        Err(FetchError::LoggedOut) => return platform::go_to_login(),
        Err(error) => Loading::Failed(error.words()),
    };
    // The viewer may have left the page meanwhile.
    let _ = loading.try_set(now);
}

#[component]
fn Panels(dashboard: Arc<Dashboard>) -> impl IntoView {
    let (panels, first_ms) = grid(&dashboard);
    view! {
        <TopBar title=dashboard.title.clone() dashboard=dashboard.uid.clone() first_ms />
        <main id="main" class="content" tabindex="-1">
            {banners()}
            {panels}
            {lost_banner()}
        </main>
    }
}

/// What of the address and of the files of dashboards is not shown.
pub(super) fn banners() -> AnyView {
    let page = Page::get();
    view! {
        <p class="banner" role="alert">
            {move || page.url.range_error.get().map(|error| format!("{error}. Shown is the last hour."))}
        </p>
        <p class="banner" role="alert">{Some(page.boot().warning.clone()).filter(|warning| !warning.is_empty())}</p>
    }
}

/// Since when nothing is current.
pub(super) fn lost_banner() -> AnyView {
    let page = Page::get();
    view! {
        <p class="banner banner-over" role="alert">
            {move || page.live.lost.get().map(|lost| {
                format!("Not connected. What is shown is from {}.", page.clock.date_time(lost.since_ms))
            })}
        </p>
    }
}

/// The panels of a dashboard in their grid, and the time of the first data that they show.
fn grid(dashboard: &Dashboard) -> (AnyView, Memo<Option<i64>>) {
    let page = Page::get();
    let viewport = Memo::new(move |_| Asked::now(page).viewport(page));
    let context = PanelsContext::provide(viewport.into(), page.clock.now_ms.into(), page.boot().reach());
    follow_marks(page, dashboard.uid.clone(), context.marks);
    provide_context(page.url.first_rows());
    let mut shown = Vec::with_capacity(dashboard.panels.len());
    let panels = dashboard.panels.iter().zip(narrow_widths(&dashboard.panels)).map(|(panel, narrow)| {
        let Followed { data, stale, viewport, now_ms, waiting, present } = follow(panel);
        shown.push((data, waiting));
        let panel = panel.clone();
        view! {
            <Provider value=context.showing(viewport, now_ms)>
                <PanelView panel narrow data stale waiting present />
            </Provider>
        }
    });
    let panels = panels.collect_view();
    let first_ms = Memo::new(move |_| {
        let settled = shown.iter().filter(|(_, waiting)| waiting.get().is_none());
        settled.filter_map(|(data, _)| data.with(crate::shell::first_ms)).min()
    });
    (view! { <div class="panels" data-stale=move || page.live.lost.get().map(|_| "")>{panels}</div> }, first_ms)
}

/// Updates the annotations of a dashboard when the range changes, and when alerts start or stop firing.
fn follow_marks(page: Page, uid: String, marks: RwSignal<PanelData>) {
    let shown = |frame| PanelData::Queries(vec![QueryState::Ready { frame, stale: None }]);
    let is_drawn = page.is_first_view();
    if is_drawn {
        marks.set(shown(page.boot().marks.clone()));
    }
    let newest = StoredValue::new(0_u32);
    Effect::new(move |before: Option<()>| {
        let TimeRange { from, to } = page.url.range.get();
        page.alarms.firing.track();
        // Alerts may have fired and resolved while there was no connection.
        page.live.lost.track();
        if before.is_none() && is_drawn {
            return;
        }
        newest.update_value(|newest| *newest += 1);
        let asked = newest.get_value();
        let url = format!("/api/dashboards/{}/marks?from={from}&to={to}", platform::encoded(&uid));
        platform::spawn(async move {
            // On an error the previous annotations stay. The page shows elsewhere that the connection is lost.
            let answer = platform::get_json::<Frame>(&url).await;
            // The response for a previous range may come late.
            if let Ok(answer) = answer
                && newest.try_get_value() == Some(asked)
            {
                let _ = marks.try_set(shown(answer));
            }
        });
    });
}
