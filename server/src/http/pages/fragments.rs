//! Pages whose content the server draws each time: as part of a whole page, or alone for a page that is there already.

use access::{Principal, SessionInfo};
use app::{
    alerts::AlertsView,
    explore::ExploreView,
    settings::{Login, SettingsView},
};
use axum::{
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, Uri, header},
    response::{Html, IntoResponse, Response},
};
use model::clock::now_ms;

use super::{View, alerts, charge, explore, refused};
use crate::{
    http::slices::PageState,
    http::{answers, api::error::ApiError},
};

/// A page of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Alerts, silences, rules.
    Alerts,
    /// One query and what it finds.
    Explore,
    /// Session, server, and what the browser remembers.
    Settings,
}

/// What such a page shows.
pub(super) enum Gathered {
    Alerts(Box<AlertsView>),
    Explore(Box<ExploreView>),
    Settings(Box<SettingsView>),
}

impl Part {
    /// The page of this name.
    fn named(name: &str) -> Option<Self> {
        match name {
            "alerts" => Some(Part::Alerts),
            "explore" => Some(Part::Explore),
            "settings" => Some(Part::Settings),
            _ => None,
        }
    }

    /// The page at `path`.
    pub(super) fn at(path: &str) -> Option<Self> {
        Part::named(path.strip_prefix('/')?)
    }

    /// Whether sessions that are limited to dashboards have the page too.
    pub(super) fn is_for_all(self) -> bool {
        self == Part::Settings
    }

    /// Gathers what the page shows for the query of `uri`.
    pub(super) async fn gather(
        self,
        state: &PageState,
        principal: &Principal,
        uri: &Uri,
        view: &View,
        now_ms: i64,
    ) -> Gathered {
        let query = uri.query().unwrap_or_default();
        match self {
            Part::Alerts => {
                Gathered::Alerts(Box::new(alerts::gather(state, principal, query, now_ms, view.zone).await))
            }
            Part::Explore => {
                Gathered::Explore(Box::new(explore::gather(state, principal, query, now_ms, view.zone).await))
            }
            Part::Settings => Gathered::Settings(Box::new(SettingsView {
                session: principal.session.clone(),
                logins: logins(state, principal),
                now_ms,
                theme: view.theme.clone(),
                zone: view.zone,
                version: env!("CARGO_PKG_VERSION"),
            })),
        }
    }
}

/// The sessions of the token that looks.
fn logins(state: &PageState, principal: &Principal) -> Vec<Login> {
    let login = |session: SessionInfo| Login {
        id: session.id,
        begun_at: session.begun_at,
        used_at: session.used_at,
        address: session.address,
        browser: session.browser,
        is_this: session.current,
    };
    state.auth.sessions(principal).into_iter().map(login).collect()
}

impl Gathered {
    /// The content as HTML.
    pub(super) fn draw(&self) -> String {
        match self {
            Gathered::Alerts(page) => app::alerts::draw(page),
            Gathered::Explore(page) => app::explore::draw(page),
            Gathered::Settings(page) => app::settings::draw(page),
        }
    }
}

/// The content alone, for a page that is there already.
pub(crate) async fn fragment(
    State(state): State<PageState>,
    principal: Principal,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let Some(part) = Part::named(&name) else {
        return ApiError::not_found(format!("there is no page {name:?} that is drawn here")).into_response();
    };
    if principal.is_limited() && !part.is_for_all() {
        return ApiError::forbidden("this session is limited to its dashboards: use a viewer's token").into_response();
    }
    let now_ms = now_ms();
    let view = View::of(&uri, &headers, now_ms);
    let _charge = match charge(&state, None) {
        Ok(charge) => charge,
        Err(over) => return answers::refusal(over).for_path(&uri),
    };
    let page = part.gather(&state, &principal, &uri, &view, now_ms).await;
    match state.page_drawing.read_charged(move || page.draw()).await {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => refused(error, &uri),
    }
}
