//! What a session that is limited to dashboards may ask: what is on them, and nothing else.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::{
    dashboard::{Panel, PanelKind},
    live::Topic,
};

use crate::{auth::Principal, dashboards::Library, query::envelope::forbidden, state::AppState};

/// Panels of the dashboards that a limited session may see.
fn seen_panels<'a>(library: &'a Library, principal: &'a Principal) -> impl Iterator<Item = &'a Panel> {
    principal.session.dashboards.iter().filter_map(|uid| library.get(uid)).flat_map(|dashboard| &dashboard.panels)
}

fn sees_query(library: &Library, principal: &Principal, expr: &str, engine: Option<&str>) -> bool {
    let mut queries = seen_panels(library, principal).flat_map(|panel| &panel.queries);
    queries.any(|query| query.expr == expr && query.engine.as_deref() == engine)
}

/// Whether a session may follow a live topic.
pub(super) fn may_follow(library: &Library, principal: &Principal, topic: &Topic) -> bool {
    if !principal.is_limited() {
        return true;
    }
    let has = |kind: PanelKind| seen_panels(library, principal).any(|panel| panel.kind == kind);
    match topic {
        Topic::Query(query) => sees_query(library, principal, &query.expr, query.engine.as_deref()),
        Topic::Jobs => has(PanelKind::Jobs),
        Topic::Alerts => has(PanelKind::Alerts),
        // Whether what is shown is current, every page tells.
        Topic::Upstreams | Topic::System => true,
    }
}

/// Refuses limited sessions.
pub(super) async fn whole_readers_only(request: Request, next: Next) -> Response {
    let limited = request.extensions().get::<Principal>().is_some_and(Principal::is_limited);
    // The long poll looks at its topics itself; the settings are those of the session.
    if limited && !matches!(request.uri().path(), "/api/live" | "/fragments/settings") {
        let message = "this session is limited to its dashboards: use a viewer's token";
        return crate::api::error::ApiError::forbidden(message).into_response();
    }
    next.run(request).await
}

/// Lets limited sessions ask, by GET, for the queries of their dashboards and nothing else.
pub(super) async fn within_dashboards(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let allowed = match request.extensions().get::<Principal>().filter(|principal| principal.is_limited()) {
        None => true,
        Some(principal) => {
            let parameters = || form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
            let engine = parameters().find(|(name, _)| name == "engine").map(|(_, engine)| engine);
            let is_query = matches!(request.uri().path(), "/query" | "/query_range") && request.method() == "GET";
            let mut exprs = parameters().filter(|(name, _)| name == "query").map(|(_, expr)| expr);
            let expr = exprs.next();
            // A second `query` could be the one that counts: there is none in an honest request.
            is_query
                && exprs.next().is_none()
                && expr.is_some_and(|expr| sees_query(&state.library, principal, &expr, engine.as_deref()))
        }
    };
    if allowed {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, forbidden("this session is limited to the queries of its dashboards")).into_response()
    }
}
