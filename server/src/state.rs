//! The state that request handlers share.

use std::sync::Arc;

use alerting::Alerting;
use axum::extract::FromRef;
use budget::Budgets;
use collect::Upstreams;
use dashboards::DashboardRegistry;
use datasource::{Embedded, Engines, Exemplars, ReadScheduler};
use live::Hub;
use notify::Notifier;
use render::{AlertPictures, PictureLinks, Pictures};
use telemetry::Telemetry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Limits},
    http::{
        assets::Assets,
        auth::Auth,
        pages::{MadeTokens, PanelHtmlCache},
    },
    source_list::SourceList,
    storage::Storage,
    walls::Walls,
};

/// Handles of all components. Cheap to clone.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// Authentication and sessions.
    pub auth: Auth,
    /// The bundle.
    pub assets: Assets,
    /// The dashboards, as they change.
    #[from_ref(skip)]
    pub dashboards: watch::Receiver<DashboardRegistry>,
    /// The engines that answer queries.
    pub engines: Engines,
    /// Our own engine and store, with scraped and derived samples even if another engine is the default.
    pub embedded: Arc<Embedded>,
    /// Care of our own store.
    pub storage: Storage,
    /// The latest exemplars.
    pub exemplars: Exemplars,
    /// Rules and alerts.
    pub alerting: Alerting,
    /// The daemons.
    #[from_ref(skip)]
    pub upstreams: Upstreams,
    /// Status of all sources.
    #[from_ref(skip)]
    pub sources: SourceList,
    /// Live topics.
    pub hub: Hub,
    /// Notifications, silences and muting.
    pub notifier: Notifier,
    /// The walls of the configuration.
    pub walls: Walls,
    /// The cache of rendered panels.
    pub drawn_panels: PanelHtmlCache,
    /// Secrets of tokens that were just made on the settings page.
    pub made_tokens: MadeTokens,
    /// Schedules the rendering of pages.
    #[from_ref(skip)]
    pub page_drawing: ReadScheduler,
    /// Images of panels and dashboards.
    pub pictures: Pictures,
    /// Images of alerts.
    pub alert_pictures: AlertPictures,
    /// Signed links to images of alerts.
    pub picture_links: PictureLinks,
    /// Memory and CPU budgets for viewers.
    pub budgets: Budgets,
    /// Our own metrics.
    pub telemetry: Telemetry,
    /// Whether `/metrics` needs no token.
    #[from_ref(skip)]
    pub metrics_public: bool,
    /// The settings; they contain secrets, which must not be displayed.
    pub config: Arc<Config>,
    /// When the server started, in milliseconds since the Unix epoch.
    #[from_ref(skip)]
    pub started_ms: i64,
    /// Limits per request and socket.
    pub limits: Limits,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// A request sees the dashboards as they were when it came.
impl FromRef<AppState> for DashboardRegistry {
    fn from_ref(state: &AppState) -> Self {
        state.dashboards.borrow().clone()
    }
}
