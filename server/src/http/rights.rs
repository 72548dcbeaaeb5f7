//! The rights that a route requires.

use access::{Principal, Scope};
use axum::{
    extract::{FromRef, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use dashboards::DashboardRegistry;
use model::role::Role;
use serde::Serialize;

use super::{auth::Denied, limited};
use crate::state::AppState;

/// The rights that one route requires. Each route declares its own in the route table: see [`super::Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Rights {
    /// Whose tokens may use it.
    pub who: Who,
    /// What a token that is limited to dashboards gets.
    pub on_dashboards: OnDashboards,
    /// What a token with matchers gets.
    pub within_matchers: WithinMatchers,
}

/// Whose tokens may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// Anyone without a token: it contains no observed data.
    Anyone,
    /// Any valid token.
    AnyToken,
    /// Roles that read pages: kiosk, viewer, operator, admin.
    Readers,
    /// Roles that may scrape metrics.
    Scrapers,
    /// Roles that act on jobs and alerts.
    Operators,
    /// Roles that manage tokens and the store.
    Admins,
    /// Roles that write samples.
    Writers,
    /// Roles that post alerts of other engines.
    AlertSenders,
}

/// What a token that is limited to dashboards gets from a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDashboards {
    /// The same as other tokens.
    Whole,
    /// The part on its dashboards; the handler filters.
    Part,
    /// By GET, the queries of the panels on its dashboards.
    Queries,
    /// 403.
    Nothing,
}

/// What a token with matchers gets from a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WithinMatchers {
    /// The same as other tokens: it contains no series, job or alert.
    Whole,
    /// What its matchers match; the handler filters.
    Part,
    /// 403.
    Nothing,
}

impl Rights {
    /// Without a token: health, login, signed links.
    pub(crate) const OPEN: Rights =
        Rights { who: Who::Anyone, on_dashboards: OnDashboards::Whole, within_matchers: WithinMatchers::Whole };

    /// For any token: its own data.
    pub(crate) const OWN: Rights = Rights { who: Who::AnyToken, ..Rights::OPEN };

    /// Pages and their data: a limited session gets its dashboards, a token with matchers what they match.
    pub(crate) const PAGES: Rights =
        Rights { who: Who::Readers, on_dashboards: OnDashboards::Part, within_matchers: WithinMatchers::Part };

    /// Lists beside the dashboards: jobs, alerts, sources.
    pub(crate) const LISTS: Rights = Rights { on_dashboards: OnDashboards::Nothing, ..Rights::PAGES };

    /// About everything, so not for tokens that may only see a part.
    pub(crate) const OF_ALL: Rights = Rights { within_matchers: WithinMatchers::Nothing, ..Rights::LISTS };

    /// The error if a token's matchers exclude it.
    #[must_use]
    pub(crate) fn beyond_matchers(self, scope: &Scope) -> Option<&'static str> {
        let tells_of_all = self.within_matchers == WithinMatchers::Nothing && !scope.is_all();
        tells_of_all.then_some(
            "this covers everything that is watched, and a token with matchers sees only a part of it: use a token without matchers",
        )
    }

    /// The same rights for other roles.
    #[must_use]
    pub(crate) const fn of(self, who: Who) -> Self {
        Rights { who, ..self }
    }
}

impl Who {
    /// Whether a role may use it.
    #[must_use]
    pub(crate) fn allows(self) -> fn(Role) -> bool {
        match self {
            Who::Anyone | Who::AnyToken => |_| true,
            Who::Readers => Role::reads,
            Who::Scrapers => Role::scrapes,
            Who::Operators => Role::operates,
            Who::Admins => Role::administers,
            Who::Writers => Role::ingests,
            Who::AlertSenders => |role| role.ingests() || role.operates(),
        }
    }
}

/// Rejects tokens that are too limited. The role was checked before.
pub(super) async fn check_limits(
    State((state, rights)): State<(AppState, Rights)>,
    request: Request,
    next: Next,
) -> Response {
    let refused = request.extensions().get::<Principal>().and_then(|principal| {
        let on_dashboards = match rights.on_dashboards {
            _ if !principal.is_limited() => None,
            OnDashboards::Whole | OnDashboards::Part => None,
            OnDashboards::Queries if request.method() == Method::GET => {
                let query = request.uri().query().unwrap_or_default();
                (!limited::may_query(&DashboardRegistry::from_ref(&state), principal, query))
                    .then_some("this session is limited to the queries of its dashboards")
            }
            OnDashboards::Queries => Some("this session is limited to the queries of its dashboards, by GET"),
            OnDashboards::Nothing => Some("this session is limited to its dashboards: use a viewer's token"),
        };
        on_dashboards.or(rights.beyond_matchers(principal.scope()))
    });
    let Some(message) = refused else { return next.run(request).await };
    let (parts, _) = request.into_parts();
    state.auth.audit_refusal(&parts, parts.extensions.get::<Principal>(), message);
    Denied::new(StatusCode::FORBIDDEN, "forbidden", message).for_path(&parts.uri)
}
