//! What a route asks of whoever asks for it.

use access::{Principal, Scope};
use axum::{
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use model::role::Role;
use serde::Serialize;

use super::{auth::Denied, limited};
use crate::state::AppState;

/// The rights that one route asks for. Each route has its own, in the table that the router is made of: see [`super::Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Rights {
    /// Whose tokens may use it at all.
    pub who: Who,
    /// What of it a token has that is limited to dashboards.
    pub on_dashboards: OnDashboards,
    /// What of it a token has that is limited by matchers.
    pub within_matchers: WithinMatchers,
}

/// Whose tokens may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// Anyone, without a token: it tells nothing of what is watched.
    Anyone,
    /// Every token that is valid.
    AnyToken,
    /// Those that read pages: kiosk, viewer, operator, admin.
    Readers,
    /// Those that read metrics as a scraper does.
    Scrapers,
    /// Those that act on jobs and alerts.
    Operators,
    /// Those that manage tokens and the store.
    Admins,
    /// Those that write samples.
    Writers,
    /// Those that report alerts that were found elsewhere.
    AlertSenders,
}

/// What of a route a token has that is limited to dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDashboards {
    /// As much as every other.
    Whole,
    /// What is on its dashboards; the handler sees to that.
    Part,
    /// By GET, the queries of the panels on its dashboards.
    Queries,
    /// 403.
    Nothing,
}

/// What of a route a token has that is limited by matchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WithinMatchers {
    /// As much as every other: it tells of no series, job or alert.
    Whole,
    /// What its matchers take; the handler sees to that.
    Part,
    /// 403.
    Nothing,
}

impl Rights {
    /// For who has no token: health, the login, signed links.
    pub(crate) const OPEN: Rights =
        Rights { who: Who::Anyone, on_dashboards: OnDashboards::Whole, within_matchers: WithinMatchers::Whole };

    /// For each token, whatever it is limited to: what is its own.
    pub(crate) const OWN: Rights = Rights { who: Who::AnyToken, ..Rights::OPEN };

    /// Pages, and what is made for them: a limited session has its dashboards, one with matchers what they take.
    pub(crate) const PAGES: Rights =
        Rights { who: Who::Readers, on_dashboards: OnDashboards::Part, within_matchers: WithinMatchers::Part };

    /// Lists beside the dashboards: jobs, alerts, sources.
    pub(crate) const LISTS: Rights = Rights { on_dashboards: OnDashboards::Nothing, ..Rights::PAGES };

    /// What tells of everything there is, so that nobody has it who may see some.
    pub(crate) const OF_ALL: Rights = Rights { within_matchers: WithinMatchers::Nothing, ..Rights::LISTS };

    /// Why a token is too limited by its matchers, if it is.
    #[must_use]
    pub(crate) fn beyond_matchers(self, scope: &Scope) -> Option<&'static str> {
        let tells_of_all = self.within_matchers == WithinMatchers::Nothing && !scope.is_all();
        tells_of_all.then_some(
            "this tells of everything that is watched, and a token with matchers sees some of it only: use one without",
        )
    }

    /// The same rights for somebody else.
    #[must_use]
    pub(crate) const fn of(self, who: Who) -> Self {
        Rights { who, ..self }
    }
}

impl Who {
    /// Whether tokens of a role may.
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

/// Refuses what the token of a request is too limited for. The role is looked at before.
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
                (!limited::may_query(&state.library, principal, query))
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
