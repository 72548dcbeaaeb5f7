//! Pages whose content only the server renders: as part of a document, or as a fragment for a page that is open.

use access::{Principal, SessionInfo, TokenInfo};
use app::{
    alerts::AlertsView,
    explore::ExploreView,
    functions::TokenRequest,
    settings::{Login, MadeToken, SettingsView, ShownToken, TokenList},
    walls::{ShownWall, WallsView},
};
use axum::{
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, Uri, header},
    response::{Html, IntoResponse, Response},
};
use model::{
    clock::now_ms,
    route::{PageKind, PageRoute},
};

use super::{View, alerts, charge, explore, refused};
use crate::{
    http::slices::PageState,
    http::{
        answers,
        api::{ACTS, error::ApiError, listed::Listed},
        auth::TOKENS,
    },
    walls::WallStatus,
};

/// Most tokens that the settings page lists.
const MOST_TOKENS: u32 = 100;

/// The data of such a page.
pub(super) enum Gathered {
    Alerts(Box<AlertsView>),
    Explore(Box<ExploreView>),
    Settings(Box<SettingsView>),
    Walls(WallsView),
}

/// Gathers the data of a page of `kind` for the query of `uri`; `None` if the browser renders pages of this kind as well.
pub(super) async fn gather(
    kind: PageKind,
    state: &PageState,
    principal: &Principal,
    uri: &Uri,
    view: &View,
    now_ms: i64,
) -> Option<Gathered> {
    let query = uri.query().unwrap_or_default();
    Some(match kind {
        PageKind::Alerts => {
            Gathered::Alerts(Box::new(alerts::gather(state, principal, query, now_ms, view.zone).await))
        }
        PageKind::Explore => {
            Gathered::Explore(Box::new(explore::gather(state, principal, query, now_ms, view.zone).await))
        }
        PageKind::Settings => Gathered::Settings(Box::new(SettingsView {
            session: principal.session.clone(),
            logins: logins(state, principal),
            tokens: tokens(state, principal, query, now_ms).await,
            now_ms,
            theme: view.theme.clone(),
            zone: view.zone,
            version: env!("CARGO_PKG_VERSION"),
            walls: state.changes.walls.statuses(now_ms).len(),
        })),
        PageKind::Walls => Gathered::Walls(walls(state, principal, now_ms)),
        PageKind::Dashboard | PageKind::Kiosk | PageKind::Panel | PageKind::Job => return None,
    })
}

/// The walls, with the titles of their dashboards as far as the viewer may see them.
fn walls(state: &PageState, principal: &Principal, now_ms: i64) -> WallsView {
    let titled = |uid: String| {
        let dashboard = state.library.get(&uid).filter(|dashboard| principal.may_see(&dashboard.uid));
        let title = dashboard.map_or_else(|| uid.clone(), |dashboard| dashboard.title.clone());
        (uid, title)
    };
    let shown = |wall: WallStatus| ShownWall {
        name: wall.name,
        dashboards: wall.dashboards.into_iter().map(titled).collect(),
        shows: wall.shows,
        reported_at: wall.reported_at,
        size: wall.size,
        is_late: wall.is_late,
        is_turned: wall.is_turned,
        pinned: wall.pinned,
    };
    WallsView {
        walls: state.changes.walls.statuses(now_ms).into_iter().map(shown).collect(),
        may_steer: ACTS.who.allows()(principal.role()) && ACTS.beyond_matchers(principal.scope()).is_none(),
        now_ms,
    }
}

/// The sessions of the viewer's token.
fn logins(state: &PageState, principal: &Principal) -> Vec<Login> {
    let login = |session: SessionInfo| Login {
        id: session.id,
        begun_at: session.begun_at,
        used_at: session.used_at,
        address: session.address,
        browser: session.browser,
        is_this: session.current,
    };
    state.changes.auth.sessions(principal).into_iter().map(login).collect()
}

/// The newest valid tokens; `None` if the viewer may not manage tokens.
async fn tokens(state: &PageState, principal: &Principal, query: &str, now_ms: i64) -> Option<TokenList> {
    if !TOKENS.who.allows()(principal.session.role) || TOKENS.beyond_matchers(principal.scope()).is_some() {
        return None;
    }
    let found = state.changes.auth.newest_tokens(now_ms, MOST_TOKENS);
    let listed = state.changes.alerts.lists.answer_after(Listed::Tokens(MOST_TOKENS), found, |found| found).await;
    let (tokens, more): (Result<Vec<ShownToken>, String>, u64) = match listed {
        Ok(Ok((tokens, count))) => {
            let more = count.saturating_sub(u64::try_from(tokens.len()).unwrap_or(u64::MAX));
            let shown = tokens.into_iter().map(|token| shown(token, principal)).collect();
            (Ok(shown), more)
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "tokens could not be listed");
            (Err("The tokens cannot be read: the server's log says why.".to_owned()), 0)
        }
        Err(busy) => (Err(format!("The tokens cannot be read: {}", busy.message)), 0),
    };
    // The secret of a token that was revoked meanwhile is not shown.
    let made = state.changes.made_tokens.shown_to(principal).and_then(|(id, secret)| {
        let token = tokens.as_ref().ok()?.iter().find(|token| token.id == id)?;
        Some(MadeToken { name: token.name.clone(), secret: secret.expose().to_owned() })
    });
    Some(TokenList {
        tokens,
        more,
        made,
        dashboards: state.library.links(&principal.session),
        draft: TokenRequest::read(|name| super::parameter(query, name)),
    })
}

fn shown(token: TokenInfo, principal: &Principal) -> ShownToken {
    let matchers = Some(token.matchers).filter(|text| !text.is_empty());
    ShownToken {
        is_this: token.id == principal.token_id(),
        id: token.id,
        name: token.name,
        role: token.role,
        limits: token.dashboards.into_iter().chain(matchers).collect::<Vec<_>>().join(", "),
        expires_at: token.expires_at,
    }
}

impl Gathered {
    /// Renders the content as HTML.
    pub(super) fn draw(&self) -> String {
        match self {
            Gathered::Alerts(page) => app::alerts::draw(page),
            Gathered::Explore(page) => app::explore::draw(page),
            Gathered::Settings(page) => app::settings::draw(page),
            Gathered::Walls(page) => app::walls::draw(page),
        }
    }
}

/// `GET /fragments/{name}`: the content of a page as HTML, for a page that is open.
pub(crate) async fn fragment(
    State(state): State<PageState>,
    principal: Principal,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let unknown = || ApiError::not_found(format!("there is no page {name:?} that is drawn here")).into_response();
    let Some((PageRoute { kind, .. }, _)) = PageRoute::at(&format!("/{name}")) else { return unknown() };
    if principal.is_limited() && !kind.is_for_limited_sessions() {
        return ApiError::forbidden("this session is limited to its dashboards: use a viewer's token").into_response();
    }
    let now_ms = now_ms();
    let view = View::of(&uri, &headers, now_ms);
    let _charge = match charge(&state, None) {
        Ok(charge) => charge,
        Err(over) => return answers::refusal(over).for_path(&uri),
    };
    let Some(page) = gather(kind, &state, &principal, &uri, &view, now_ms).await else { return unknown() };
    match state.page_drawing.read_charged(move || page.draw()).await {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => refused(error, &uri),
    }
}
