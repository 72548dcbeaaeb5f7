//! The pages: a dashboard's data is gathered, and the app draws the first picture of it into the HTML.

mod alerts;
mod drawn;
mod explore;
mod gallery;
mod panels;
mod range_form;

pub use drawn::fragment;
pub use gallery::Gallery;
pub(crate) use panels::{panel_data, panels};

use std::time::Duration;

use axum::{
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use model::{page::Boot, range::TimeRange, zone::Zone};

use self::{
    drawn::Part,
    panels::{Gathered, Looking, gather},
};
use crate::{
    assets::Assets, auth::Principal, clock::now_ms, dashboards::KIOSK, reached::Reached, security::Nonce,
    state::AppState, visible, zones,
};

/// A page waits no longer than this for its data; what is not there then comes live.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What the URL and cookies of a page say.
struct View {
    range: TimeRange,
    theme: Option<String>,
    zone: Zone,
}

impl View {
    fn of(uri: &Uri, headers: &HeaderMap, now_ms: i64) -> Self {
        let query = uri.query().unwrap_or_default();
        // A range that cannot be read shows the default one: the page says which range it shows.
        let range = TimeRange::parse(parameter(query, "from").as_deref(), parameter(query, "to").as_deref(), now_ms)
            .unwrap_or_default();
        View {
            range,
            theme: cookie(headers, "hyperscope_theme").filter(|theme| theme == "light" || theme == "dark"),
            zone: cookie(headers, app::ZONE_COOKIE).and_then(|name| zones::named(&name)).unwrap_or_default(),
        }
    }
}

/// The value of a parameter of a URL's query.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(candidate, _)| candidate == name).map(|(_, value)| value.into_owned())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

/// Any page: the address says which dashboard or job it shows, if any.
pub async fn page(
    State(state): State<AppState>,
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
    let kiosk = uri.path().starts_with(KIOSK);
    let dashboard = state.library.at(uri.path()).filter(|dashboard| principal.may_see(&dashboard.uid)).cloned();
    let path_and_query = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let (gathered, marks) = match &dashboard {
        Some(dashboard) => {
            let (start_ms, end_ms) = view.range.resolve(now_ms);
            let marks = state.alerting.marks(principal.scope(), dashboard, start_ms, end_ms).await;
            let View { range, zone, .. } = view;
            let (scope, url) = (principal.scope(), &path_and_query);
            let looking = Looking { scope, url, range, zone, marks: &marks, now_ms };
            (gather(&state, dashboard, &looking).await, marks)
        }
        None => Default::default(),
    };
    let Gathered { panels, evaluated_ms, undrawn } = gathered;
    let job = match job_of(uri.path()) {
        Some((daemon, id)) if !principal.is_limited() => {
            let detail = state.upstreams.job_detail(&daemon, &id).await;
            detail.filter(|detail| visible::job(principal.scope(), &detail.job))
        }
        _ => None,
    };
    let drawn = match Part::at(uri.path()).filter(|part| part.is_for_all() || !principal.is_limited()) {
        Some(part) => Some(part.gather(&state, &principal, &uri, &view, now_ms).await),
        None => None,
    };
    let found = drawn.is_some() || dashboard.is_some() || job.is_some();
    let input = app::PageInput {
        boot: Boot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: state.hub.boot_id().to_owned(),
            now_ms,
            session: principal.session.clone(),
            dashboards: state.library.links(&principal.session),
            dashboard,
            firing: state.alerting.current().await.firing(principal.scope()),
            marks,
            range: view.range,
            kiosk,
            theme: view.theme,
        },
        panels,
        evaluated_ms,
        drawn: None,
        job,
        base: reached.base().to_owned(),
        assets: asset_paths(&state.assets),
        nonce: nonce.as_str().to_owned(),
        zone: view.zone,
    };
    let zone = input.zone;
    let draw = move || {
        let drawn = drawn.map(|page| page.draw());
        app::render_document(app::PageInput { drawn, ..input }, &path_and_query)
    };
    match tokio::task::spawn_blocking(draw).await {
        Ok(app::Document { html, pictures }) => {
            undrawn.keep(&state.gallery, pictures, now_ms);
            state.telemetry.page_drawn();
            let status = if found { StatusCode::OK } else { StatusCode::NOT_FOUND };
            (status, [(header::CACHE_CONTROL, "no-store")], Html(range_form::with_zone(html, zone))).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be drawn: see the server's log").into_response()
        }
    }
}

/// The bundle's files as URLs. A build without a bundle has pages that stand still: the names then lead nowhere.
fn asset_paths(assets: &Assets) -> app::AssetPaths {
    let names = assets.names();
    let url = |name: Option<&String>| name.map_or_else(String::new, |name| format!("/{name}"));
    app::AssetPaths {
        js: url(names.as_ref().map(|names| &names.js)),
        wasm: url(names.as_ref().map(|names| &names.wasm)),
        css: url(names.as_ref().map(|names| &names.css)),
    }
}

/// Daemon and id of `/jobs/{daemon}/{id}`.
fn job_of(path: &str) -> Option<(String, String)> {
    let (daemon, id) = path.strip_prefix("/jobs/")?.split_once('/')?;
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    Some((decode(daemon)?, decode(id)?))
}
