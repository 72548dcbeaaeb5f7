//! Slices of the state for handlers that need more than one part.

use std::sync::Arc;

use alerting::Alerting;
use axum::extract::FromRef;
use budget::Budgets;
use dashboards::DashboardRegistry;
use datasource::{Embedded, Engines, ReadScheduler};
use live::Hub;
use notify::Notifier;
use telemetry::Telemetry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    api::listed::Lists,
    assets::Assets,
    auth::Auth,
    pages::{MadeTokens, PanelHtmlCache},
    watched::Watched,
};
use crate::{
    config::{Config, Limits},
    state::AppState,
    walls::Walls,
};

/// Alerts, and what mutes them.
#[derive(Clone)]
pub(crate) struct AlertState {
    /// Rules and alerts.
    pub(crate) alerting: Alerting,
    /// Silences, acknowledgements, receivers.
    pub(crate) notifier: Notifier,
    /// Builds lists on read threads.
    pub(crate) lists: Lists,
}

impl FromRef<AppState> for AlertState {
    fn from_ref(state: &AppState) -> Self {
        AlertState { alerting: state.alerting.clone(), notifier: state.notifier.clone(), lists: Lists::from_ref(state) }
    }
}

/// What is scraped.
#[derive(Clone)]
pub(crate) struct TargetState {
    /// The daemons.
    pub(crate) watched: Watched,
    /// Settings of scraping.
    pub(crate) config: Arc<Config>,
    /// Their latest samples.
    pub(crate) embedded: Arc<Embedded>,
    /// Builds lists on read threads.
    pub(crate) lists: Lists,
}

impl FromRef<AppState> for TargetState {
    fn from_ref(state: &AppState) -> Self {
        TargetState {
            watched: Watched::from_ref(state),
            config: Arc::clone(&state.config),
            embedded: Arc::clone(&state.embedded),
            lists: Lists::from_ref(state),
        }
    }
}

/// The state of a live socket.
#[derive(Clone)]
pub(crate) struct LiveState {
    /// The dashboards, as they change.
    pub(crate) dashboards: watch::Receiver<DashboardRegistry>,
    /// Limits per socket.
    pub(crate) limits: Limits,
    /// Memory budgets.
    pub(crate) budgets: Budgets,
    /// Counts sockets.
    pub(crate) telemetry: Telemetry,
    /// The topics.
    pub(crate) hub: Hub,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
}

impl FromRef<AppState> for LiveState {
    fn from_ref(state: &AppState) -> Self {
        LiveState {
            dashboards: state.dashboards.clone(),
            limits: state.limits,
            budgets: state.budgets.clone(),
            telemetry: state.telemetry.clone(),
            hub: state.hub.clone(),
            stop: state.stop.clone(),
        }
    }
}

/// The data of panels.
#[derive(Clone)]
pub(crate) struct PanelState {
    /// Results of live queries.
    pub(crate) hub: Hub,
    /// For queries without a live query.
    pub(crate) engines: Engines,
    /// Jobs and sources.
    pub(crate) watched: Watched,
    /// Alerts.
    pub(crate) alerting: Alerting,
    /// The cache of rendered panels.
    pub(crate) drawn: PanelHtmlCache,
}

impl FromRef<AppState> for PanelState {
    fn from_ref(state: &AppState) -> Self {
        PanelState {
            hub: state.hub.clone(),
            engines: state.engines.clone(),
            watched: Watched::from_ref(state),
            alerting: state.alerting.clone(),
            drawn: state.drawn_panels.clone(),
        }
    }
}

/// The state of pages.
#[derive(Clone)]
pub(crate) struct PageState {
    /// Panels.
    pub(crate) panels: PanelState,
    /// What their forms change.
    pub(crate) changes: ChangeState,
    /// The dashboards.
    pub(crate) library: DashboardRegistry,
    /// The bundle.
    pub(crate) assets: Assets,
    /// Schedules the rendering of pages.
    pub(crate) page_drawing: ReadScheduler,
    /// Counts pages.
    pub(crate) telemetry: Telemetry,
}

impl FromRef<AppState> for PageState {
    fn from_ref(state: &AppState) -> Self {
        PageState {
            panels: PanelState::from_ref(state),
            changes: ChangeState::from_ref(state),
            library: DashboardRegistry::from_ref(state),
            assets: state.assets.clone(),
            page_drawing: state.page_drawing.clone(),
            telemetry: state.telemetry.clone(),
        }
    }
}

/// What the forms of pages change.
#[derive(Clone)]
pub(crate) struct ChangeState {
    /// Alerts.
    pub(crate) alerts: AlertState,
    /// Jobs.
    pub(crate) watched: Watched,
    /// Sessions and tokens.
    pub(crate) auth: Auth,
    /// Secrets of tokens that were just made.
    pub(crate) made_tokens: MadeTokens,
    /// The walls.
    pub(crate) walls: Walls,
}

impl FromRef<AppState> for ChangeState {
    fn from_ref(state: &AppState) -> Self {
        ChangeState {
            alerts: AlertState::from_ref(state),
            watched: Watched::from_ref(state),
            auth: state.auth.clone(),
            made_tokens: state.made_tokens.clone(),
            walls: state.walls.clone(),
        }
    }
}
