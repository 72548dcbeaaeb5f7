//! The pages: gathers the data of a page, which the app renders into the document.

mod alerts;
mod explore;
mod fragments;
pub(crate) mod functions;
mod made_tokens;
mod panel_html_cache;
mod panels;
mod range_form;

use std::time::Duration;

use access::Principal;
use axum::{
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use budget::{Charge, OverBudget, Requester};
use dashboards::annotations::{FiringChanges, may_have_marks};
use datasource::QueryError;
use model::{
    clock::now_ms,
    dashboard::{Dashboard, PanelKind},
    frame::Frame,
    job::JobDetail,
    page::Boot,
    playlist::Playlist,
    range::TimeRange,
    route::{PageKind, PageRoute, Program},
    zone::Zone,
};
use render::zones;
use tokio::runtime::Handle;

use self::{
    panel_html_cache::panel_url,
    panels::{GatheredPanels, ViewRequest, gather},
};
use super::{
    answers,
    api::{error::ApiError, listed::Listed},
    assets::Assets,
    auth::{self, Denied},
    csp::Nonce,
    reached::Reached,
};
use crate::http::slices::PageState;

pub(crate) use fragments::fragment;
pub(crate) use made_tokens::MadeTokens;
pub(crate) use panel_html_cache::PanelHtmlCache;
pub(crate) use panels::{panel_data, panels};

/// How long a page waits for its data. The browser receives later data over the live connection.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Approximate memory of a page, in bytes: lists of alerts and rules, the view tree, and the HTML.
const PAGE_BYTES: u64 = 512 << 10;

/// Settings from the URL and the cookies of a page.
struct View {
    range: TimeRange,
    theme: Option<String>,
    zone: Zone,
    /// Whether `zone` is that of a site, and not the viewer's.
    has_site_zone: bool,
}

impl View {
    fn of(uri: &Uri, headers: &HeaderMap, now_ms: i64) -> Self {
        let query = uri.query().unwrap_or_default();
        // An invalid range is replaced by the default one, and the page says so.
        let range = TimeRange::parse(parameter(query, "from").as_deref(), parameter(query, "to").as_deref(), now_ms)
            .unwrap_or_default();
        let cookie = |name| auth::cookies(headers, name).next().map(str::to_owned);
        // What the address says is for this page; what a cookie does, for all of this browser.
        let theme = parameter(query, "theme").or_else(|| cookie(app::THEME_COOKIE));
        let site_zone = parameter(query, "zone").and_then(|name| zones::named(&name));
        View {
            range,
            theme: theme.filter(|theme| theme == "light" || theme == "dark"),
            has_site_zone: site_zone.is_some(),
            zone: site_zone.or_else(|| zones::named(&cookie(app::ZONE_COOKIE)?)).unwrap_or_default(),
        }
    }
}

/// The decoded value of a parameter in a URL's query.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(candidate, _)| candidate == name).map(|(_, value)| value.into_owned())
}

/// Responds with the document of any page. The path selects the page.
pub(crate) async fn page(
    State(state): State<PageState>,
    principal: Principal,
    nonce: Nonce,
    reached: Reached,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    if let Some(address) = range_form::absolute(&uri) {
        return Redirect::to(&address).into_response();
    }
    let now_ms = now_ms();
    let view = View::of(&uri, &headers, now_ms);
    let dashboard = shown_dashboard(&state, &principal, &uri);
    let _charge = match charge(&state, dashboard.as_ref()) {
        Ok(charge) => charge,
        Err(over) => return answers::refusal(over).for_path(&uri),
    };
    let route = PageRoute::at(uri.path());
    let kind = route.as_ref().map(|(route, _)| route.kind);
    let (gathered, marks) = match &dashboard {
        Some(dashboard) => match shown_data(&state, &principal, dashboard, &uri, &view, now_ms).await {
            Ok(data) => data,
            Err(error) => return refused(error, &uri),
        },
        None => Default::default(),
    };
    let GatheredPanels { panels, evaluated_ms, pending } = gathered;
    let open_kind = kind.filter(|kind| kind.is_for_limited_sessions() || !principal.is_limited());
    let names = route.map(|(_, values)| values).unwrap_or_default();
    let job = shown_job(&state, &principal, open_kind, &names).await;
    let drawn = match open_kind {
        Some(kind) => fragments::gather(kind, &state, &principal, &uri, &view, now_ms).await,
        None => None,
    };
    let found = drawn.is_some() || dashboard.is_some() || job.is_some();
    let input = app::PageInput {
        boot: Boot {
            dashboard,
            marks,
            range: view.range,
            kiosk: kind.is_some_and(PageKind::is_without_chrome),
            theme: view.theme,
            ..boot(&state, &principal, &uri, now_ms).await
        },
        panels,
        evaluated_ms,
        drawn: None,
        job,
        base: reached.base().to_owned(),
        assets: asset_paths(&state.assets, kind.map_or(Program::Viewer, PageKind::program)),
        nonce: nonce.as_str().to_owned(),
        zone: view.zone,
        has_site_zone: view.has_site_zone,
    };
    let (runtime, requested) = (Handle::current(), uri.clone());
    let draw = move || {
        let drawn = drawn.map(|page| page.draw());
        // Rendering waits for no data, so it does not block this thread for long.
        runtime.block_on(app::render_document(app::PageInput { drawn, ..input }, requested))
    };
    match state.page_drawing.read_charged(draw).await {
        Ok(app::Document { html, pictures }) => {
            pending.keep(&state.panels.drawn, pictures);
            state.telemetry.page_drawn();
            let status = if found { StatusCode::OK } else { StatusCode::NOT_FOUND };
            (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
        }
        Err(error) => refused(error, &uri),
    }
}

/// What any page of this session starts from; a page adds its dashboard, its range and how it looks.
async fn boot(state: &PageState, principal: &Principal, uri: &Uri, now_ms: i64) -> Boot {
    Boot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: state.panels.hub.boot_id().to_owned(),
        now_ms,
        session: principal.session.clone(),
        dashboards_version: state.library.version().to_owned(),
        warning: warning(state, principal, uri),
        dashboards: state.library.links(&principal.session),
        dashboard: None,
        firing: state.changes.alerts.alerting.current().await.firing(principal.scope()),
        marks: Frame::default(),
        range: TimeRange::default(),
        kiosk: false,
        theme: None,
        standalone: false,
    }
}

/// The data of a dashboard's panels, and its annotations.
async fn shown_data(
    state: &PageState,
    principal: &Principal,
    dashboard: &Dashboard,
    uri: &Uri,
    view: &View,
    now_ms: i64,
) -> Result<(GatheredPanels, Frame), QueryError> {
    let &View { range, zone, .. } = view;
    let marks = marks(state, principal, dashboard, range, now_ms).await?;
    let (scope, url, is_limited) = (principal.scope(), &panel_url(uri), principal.is_limited());
    let request = ViewRequest { scope, is_limited, url, range, zone, marks: &marks, now_ms };
    Ok((gather(&state.panels, dashboard, &request).await, marks))
}

/// The job that a page of this kind shows: `names` are its daemon and ID.
async fn shown_job(
    state: &PageState,
    principal: &Principal,
    kind: Option<PageKind>,
    names: &[String],
) -> Option<JobDetail> {
    let (Some(PageKind::Job), [daemon, id]) = (kind, names) else { return None };
    state.panels.watched.job_detail(daemon, id).await.visible_to(principal.scope()).into_inner()
}

/// The dashboard that a page shows, with the panels that it shows of it; of a wall with several, the one whose turn its address says it is.
fn shown_dashboard(state: &PageState, principal: &Principal, uri: &Uri) -> Option<Dashboard> {
    let seen = |dashboard: &&Dashboard| principal.may_see(&dashboard.uid);
    let (route, values) = PageRoute::at(uri.path())?;
    if let (PageKind::Panel, [uid, panel]) = (route.kind, values.as_slice()) {
        let mut dashboard = state.library.get(uid).filter(seen)?.clone();
        dashboard.panels.retain(|shown| shown.id == *panel);
        return Some(dashboard).filter(|dashboard| !dashboard.panels.is_empty());
    }
    if route.kind != PageKind::Kiosk {
        return state.library.at(uri.path()).filter(seen).cloned();
    }
    let (names, query) = (values.first()?, uri.query().unwrap_or_default());
    let known = |uid: &str| state.library.get(uid).filter(seen);
    let list = Playlist::read(names, |name| parameter(query, name), |uid| known(uid).is_some());
    known(list.uids.get(list.place(parameter(query, "at").as_deref()))?).cloned()
}

/// What of the address and of the files of dashboards is not shown, in sentences.
fn warning(state: &PageState, principal: &Principal, uri: &Uri) -> String {
    let files = state.library.faults(&principal.session).join("; ");
    let mut sentences = Vec::new();
    if !files.is_empty() {
        sentences.push(format!("A file of dashboards is invalid, and what was valid before is shown: {files}."));
    }
    if let Some((PageRoute { kind: PageKind::Kiosk, .. }, values)) = PageRoute::at(uri.path()) {
        let query = uri.query().unwrap_or_default();
        let is_known = |uid: &str| state.library.get(uid).is_some_and(|dashboard| principal.may_see(&dashboard.uid));
        let names = values.first().map_or("", String::as_str);
        sentences.extend(Playlist::faults(names, |name| parameter(query, name), is_known));
    }
    sentences.join(" ")
}

/// Charges whoever asks for a page for what it is drawn from, as far as no query is charged for it, and for the page.
fn charge(state: &PageState, dashboard: Option<&Dashboard>) -> Result<Charge, OverBudget> {
    let panels = dashboard.map_or(&[][..], |dashboard| &dashboard.panels);
    let of_jobs = panels
        .iter()
        .filter(|panel| panel.kind == PanelKind::Jobs)
        .map(|_| Listed::Jobs(state.panels.watched.job_count()).weight())
        .sum::<u64>();
    let memory = state.page_drawing.memory();
    memory.charge(&Requester::current().account(), PAGE_BYTES.saturating_add(of_jobs).min(memory.token_limit()))
}

/// The annotations of a dashboard: when related alerts fired. Recent history is in memory. Older history is read from the database; if that fails or the
/// server is busy, the page has no annotations.
async fn marks(
    state: &PageState,
    principal: &Principal,
    dashboard: &Dashboard,
    range: TimeRange,
    now_ms: i64,
) -> Result<Frame, QueryError> {
    let current = state.changes.alerts.alerting.current().await;
    let (alerting, scope, dashboard) =
        (state.changes.alerts.alerting.clone(), principal.scope().clone(), dashboard.clone());
    let (start_ms, end_ms) = range.resolve(now_ms);
    let nothing = Frame { end_ms, ..Frame::default() };
    if !may_have_marks(&dashboard) {
        return Ok(nothing);
    }
    let history = state.changes.alerts.alerting.history();
    if let Some(firing) = history.firing_at_hand(start_ms) {
        let marks = move || alerting.marks(firing, &current, &scope, &dashboard, start_ms, end_ms);
        return state.page_drawing.read_charged(marks).await;
    }
    let marks = move |firing: Result<FiringChanges, sqlx::Error>| {
        firing.map(|firing| alerting.marks(firing, &current, &scope, &dashboard, start_ms, end_ms))
    };
    match state.page_drawing.read_after(0, history.firing_in(start_ms, end_ms), marks).await {
        Ok(Ok(marks)) => Ok(marks),
        Ok(Err(error)) => {
            tracing::error!(%error, "the history of alerts could not be read");
            Ok(nothing)
        }
        Err(_busy) => Ok(nothing),
    }
}

/// The response if there is no page because of `error`.
fn refused(error: QueryError, uri: &Uri) -> Response {
    let ApiError { status, code, message } = error.into();
    let denied = Denied::new(status, code, message);
    let is_for_now = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let denied = if is_for_now { denied.retry_after(answers::RETRY_AFTER) } else { denied };
    denied.for_path(uri)
}

/// The paths of the bundle's files. They are empty in a build without a bundle, whose pages are static.
fn asset_paths(assets: &Assets, program: Program) -> app::AssetPaths {
    let names = assets.names(program);
    let url = |name: Option<&String>| name.map_or_else(String::new, |name| format!("/{name}"));
    app::AssetPaths {
        js: url(names.as_ref().map(|names| &names.js)),
        wasm: url(names.as_ref().map(|names| &names.wasm)),
        css: url(names.as_ref().map(|names| &names.css)),
    }
}
