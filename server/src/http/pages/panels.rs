//! The panels of a page: their data, or cached HTML of the same data. So a thousand viewers of a page cost little more than one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use access::Scope;
use app::Evaluated;
use datasource::fixed;
use futures_util::future::join_all;
use model::{
    dashboard::{Dashboard, Panel, PanelKind, Query},
    frame::{Frame, Labels},
    live::{AlertList, LiveQuery},
    panel::{PanelData, QueryState},
    range::TimeRange,
    zone::Zone,
};

use super::{
    PATIENCE,
    panel_html_cache::{CacheKey, ContentVersion, PanelHtmlCache},
};
use crate::http::slices::PanelState;

/// A viewer's request for a page of a dashboard.
pub(super) struct ViewRequest<'a> {
    pub(super) scope: &'a Scope,
    /// Whether the session is limited to some dashboards.
    pub(super) is_limited: bool,
    /// The page, as in the keys of rendered panels.
    pub(super) url: &'a str,
    pub(super) range: TimeRange,
    pub(super) zone: Zone,
    pub(super) marks: &'a Frame,
    pub(super) now_ms: i64,
}

/// The panels of a page.
#[derive(Default)]
pub(super) struct GatheredPanels {
    pub(super) panels: HashMap<String, Evaluated>,
    /// Time of the newest evaluation of the panels' queries, in milliseconds since the Unix epoch.
    pub(super) evaluated_ms: Option<i64>,
    pub(super) pending: PendingCacheWrites,
}

/// Keys and versions for the HTML of the panels that came as data.
#[derive(Default)]
pub(super) struct PendingCacheWrites(Vec<(CacheKey, ContentVersion)>);

impl PendingCacheWrites {
    /// Caches the rendered HTML, by panel id, for the next viewer.
    pub(super) fn keep(self, drawn_panels: &PanelHtmlCache, mut drawn: HashMap<String, Arc<str>>) {
        for (place, shown) in self.0 {
            if let Some(html) = drawn.remove(&place.panel) {
                drawn_panels.keep(place, shown, html);
            }
        }
    }
}

/// Gathers the panels of a dashboard. Waits at most [`PATIENCE`] for each query.
pub(super) async fn gather(state: &PanelState, dashboard: &Dashboard, request: &ViewRequest<'_>) -> GatheredPanels {
    let ViewRequest { scope, is_limited, url, range, zone, marks, now_ms } = *request;
    let versions: Vec<_> = dashboard.panels.iter().map(|panel| Versions::of(state, panel, request)).collect();
    let evaluated_ms = versions.iter().flatten().filter_map(|versions| versions.evaluated_ms).max();
    let step_ms = range.step_ms(now_ms);
    let mut gathered = GatheredPanels { evaluated_ms, ..GatheredPanels::default() };
    let mut to_ask = Vec::new();
    for (panel, versions) in dashboard.panels.iter().zip(versions) {
        let Some(versions) = versions else {
            to_ask.push(panel);
            continue;
        };
        let place = CacheKey { scope: scope.clone(), is_limited, url: url.to_owned(), zone, panel: panel.id.clone() };
        let shown = ContentVersion {
            versions: versions.numbers,
            end_ms: evaluated_ms.map(|evaluated_ms| evaluated_ms.div_euclid(step_ms).saturating_mul(step_ms)),
            marks: marks_of(marks, &panel.id),
            second: versions.has_ages.then(|| now_ms.div_euclid(1_000)),
        };
        match state.drawn.find(&place, &shown) {
            Some(picture) => {
                gathered.panels.insert(panel.id.clone(), Evaluated::Picture(picture));
            }
            None => {
                gathered.pending.0.push((place, shown));
                to_ask.push(panel);
            }
        }
    }
    let asked = to_ask.into_iter().map(async |panel| {
        (panel.id.clone(), Evaluated::Data(panel_data(state, scope, panel, range, now_ms, PATIENCE).await))
    });
    gathered.panels.extend(join_all(asked).await);
    gathered
}

/// The versions of a panel's current data.
struct Versions {
    numbers: Vec<u64>,
    /// Time of the newest evaluation of its queries, in milliseconds since the Unix epoch.
    evaluated_ms: Option<i64>,
    /// Whether its HTML has ages.
    has_ages: bool,
}

impl Versions {
    /// `None` if a query is not live or has no result, and for panels whose HTML is not cached because their lists are short and have ages.
    fn of(state: &PanelState, panel: &Panel, request: &ViewRequest) -> Option<Self> {
        match panel.kind {
            PanelKind::Jobs => {
                Some(Versions { numbers: vec![state.hub.jobs_version()], evaluated_ms: None, has_ages: true })
            }
            PanelKind::Alerts | PanelKind::Sources => None,
            _ => {
                let result_version =
                    |query| state.hub.result_version(request.scope, &live(query, request.range, request.now_ms)?);
                let versions: Vec<_> = panel.asked().iter().map(result_version).collect::<Option<_>>()?;
                Some(Versions {
                    numbers: versions.iter().map(|result_version| result_version.version).collect(),
                    evaluated_ms: versions.iter().filter_map(|result_version| result_version.end_ms).max(),
                    has_ages: versions.iter().any(|result_version| result_version.is_stale),
                })
            }
        }
    }
}

/// The annotations of one panel among those of its dashboard.
fn marks_of(marks: &Frame, panel: &str) -> Vec<(Labels, Vec<i64>)> {
    let of_panel = marks.series.iter().filter(|series| series.labels.get("panel").is_some_and(|id| id == panel));
    of_panel.map(|series| (Labels::clone(&series.labels), series.timestamps.clone())).collect()
}

/// The data of all panels of a dashboard. Waits at most `patience` for each query, which is then loading.
pub(crate) async fn panels(
    state: &PanelState,
    scope: &Scope,
    dashboard: &Dashboard,
    range: TimeRange,
    now_ms: i64,
    patience: Duration,
) -> HashMap<String, PanelData> {
    let each = dashboard
        .panels
        .iter()
        .map(async |panel| (panel.id.clone(), panel_data(state, scope, panel, range, now_ms, patience).await));
    join_all(each).await.into_iter().collect()
}

/// The data of a panel; see [`panels`].
pub(crate) async fn panel_data(
    state: &PanelState,
    scope: &Scope,
    panel: &Panel,
    range: TimeRange,
    now_ms: i64,
    patience: Duration,
) -> PanelData {
    match panel.kind {
        PanelKind::Jobs => PanelData::Jobs(state.watched.jobs().visible_to(scope).into_inner()),
        PanelKind::Sources => {
            let sources = state.watched.sources().visible_to(scope).into_inner();
            PanelData::Sources(sources, state.watched.system().visible_to(scope).into_inner())
        }
        PanelKind::Alerts => PanelData::Alerts(alerts(state, scope, range, now_ms).await),
        _ => {
            let asked = panel.asked();
            let each = asked.iter().map(async |query| {
                tokio::time::timeout(patience, query_state(state, scope, query, range, now_ms))
                    .await
                    .unwrap_or(QueryState::Loading)
            });
            PanelData::Queries(join_all(each).await)
        }
    }
}

/// The alerts at the end of a page's range: the current ones, unless the range is in the past and within the history.
async fn alerts(state: &PanelState, scope: &Scope, range: TimeRange, now_ms: i64) -> AlertList {
    let most = app::panels::MOST_ALERTS;
    let Some(at_ms) = app::panels::alerts_of_ms(range, now_ms) else {
        return state.alerting.current().await.worst(scope, most);
    };
    state.alerting.alerts_at(scope, at_ms, most).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the history of alerts cannot be read");
        AlertList { unavailable: Some("the history of alerts cannot be read".to_owned()), ..AlertList::default() }
    })
}

/// The state of one query of a panel.
pub(super) async fn query_state(
    state: &PanelState,
    scope: &Scope,
    query: &Query,
    range: TimeRange,
    now_ms: i64,
) -> QueryState {
    match live(query, range, now_ms) {
        Some(live) => state.hub.query_state(scope, &live).await,
        None => fixed::state(&state.engines, scope, query, range, now_ms).await,
    }
}

/// The live query of a panel's query, if the range ends now.
fn live(query: &Query, range: TimeRange, now_ms: i64) -> Option<LiveQuery> {
    Some(LiveQuery::of_panel(query, range.live_window_ms()?, range.step_ms(now_ms)))
}
