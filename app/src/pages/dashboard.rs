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
    shell::{AsOf, ConnectionIndicator, FiringBadge, Icon, Page, Printed, TopBar, WallAlarm},
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
    let library: Library = expect_context();
    let loading = RwSignal::new(known(&uid));
    Effect::new(move |_| {
        if matches!(*loading.read_untracked(), Loading::Waiting) {
            platform::spawn(load(library, uid.clone(), loading));
        }
    });
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
    let page = Page::get();
    let kiosk = page.url.kiosk();
    let title = dashboard.title.clone();
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
    let bar = if kiosk.get_untracked() {
        view! {
            <div class="kiosk-top">
                <KioskBar title=title.clone() dashboard=dashboard.uid.clone() />
                <WallAlarm />
            </div>
        }
    } else {
        view! { <TopBar title=title.clone() dashboard=dashboard.uid.clone() first_ms /> }
    };
    view! {
        {bar}
        <main id="main" class="content" tabindex="-1">
            <p class="banner" role="alert">
                {move || page.url.range_error.get().map(|error| format!("{error}. Shown is the last hour."))}
            </p>
            <div class="panels" data-stale=move || page.live.lost.get().map(|_| "")>{panels}</div>
            <p class="banner banner-over" role="alert">
                {move || page.live.lost.get().map(|lost| {
                    format!("Not connected. What is shown is from {}.", page.clock.date_time(lost.since_ms))
                })}
            </p>
        </main>
    }
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

/// The top bar of a kiosk display: the title, the number of firing alerts, the time, and the state of the connection.
#[component]
fn KioskBar(title: String, dashboard: String) -> impl IntoView {
    let page = Page::get();
    page.set_title(title.clone().into());
    let uid = dashboard;
    let away = move || {
        let path = page.boot().dashboards.iter().find(|link| link.uid == uid).map(|link| link.path.clone());
        page.url.link_to(path.as_deref().unwrap_or("/"))
    };
    view! {
        <header class="kiosk-bar">
            <h1>{title}</h1>
            <a class="button quiet kiosk-leave" href=move || platform::at(&away()) title="Leave the kiosk form">
                {Icon::Leave.draw()}
                <span class="sr-only">"Leave the kiosk form"</span>
            </a>
            <AsOf />
            <FiringBadge />
            <ConnectionIndicator has_time=true />
            <span class="kiosk-time">{move || page.clock.time(page.clock.now_ms.get())}</span>
            <Printed has_range=true />
        </header>
    }
}
