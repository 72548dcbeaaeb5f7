//! The permissions of a session that is limited to dashboards: only what is on them.

use access::Principal;
use dashboards::DashboardRegistry;
use model::{
    dashboard::{Panel, PanelKind},
    live::Topic,
};

/// Panels of the dashboards of a limited session.
fn seen_panels<'a>(library: &'a DashboardRegistry, principal: &'a Principal) -> impl Iterator<Item = &'a Panel> {
    principal.session.dashboards.iter().filter_map(|uid| library.get(uid)).flat_map(|dashboard| &dashboard.panels)
}

fn sees_query(library: &DashboardRegistry, principal: &Principal, expr: &str, engine: Option<&str>) -> bool {
    let mut queries = seen_panels(library, principal).flat_map(|panel| &panel.queries);
    queries.any(|query| query.expr == expr && query.engine.as_deref() == engine)
}

/// Whether a session may subscribe to a live topic.
pub(super) fn may_follow(library: &DashboardRegistry, principal: &Principal, topic: &Topic) -> bool {
    if !principal.is_limited() {
        return true;
    }
    let has = |kind: PanelKind| seen_panels(library, principal).any(|panel| panel.kind == kind);
    match topic {
        Topic::Query(query) => sees_query(library, principal, &query.expr, query.engine.as_deref()),
        Topic::Jobs => has(PanelKind::Jobs),
        Topic::Alerts => has(PanelKind::Alerts),
        // Each page shows whether its data is fresh.
        Topic::Upstreams | Topic::System => true,
    }
}

/// Whether the parameters of a request are a query on a dashboard of the session.
pub(super) fn may_query(library: &DashboardRegistry, principal: &Principal, parameters: &str) -> bool {
    let parameters = || form_urlencoded::parse(parameters.as_bytes());
    let engine = parameters().find(|(name, _)| name == "engine").map(|(_, engine)| engine);
    let mut exprs = parameters().filter(|(name, _)| name == "query").map(|(_, expr)| expr);
    let expr = exprs.next();
    // A second `query` could be the effective one; no normal client sends two.
    exprs.next().is_none() && expr.is_some_and(|expr| sees_query(library, principal, &expr, engine.as_deref()))
}
